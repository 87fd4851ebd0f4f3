"""Depthwise convolution: one filter per channel, and no sum over channels.

It costs H'·W'·C·K² multiply-adds, where a full convolution costs O times as many. What it saves
in arithmetic it does not save in memory traffic: each number read meets only K² others, so that
the kernels below wait for memory, and are written to make one pass over it.
"""

import numpy as np

from npnets.ops import check
from npnets.ops.bias import add_bias
from npnets.ops.op import jit, op, plain, prange
from npnets.ops.window import four_sides, output_shape, pad, taps, unpad


def depthwise_shape(x, weight, stride, padding, dilation):
    """Return the output's shape (N, C, H', W'), or raise ValueError."""
    N, C, _, _ = check.images(x)
    kernel = check.filters(weight)[2:]
    if weight.shape[:2] != (C, 1):
        raise ValueError(
            f"weight must be one filter per channel, ({C}, 1, K, K), got {weight.shape}"
        )
    return (N, C, *output_shape(x, kernel, stride, padding, dilation))


@op
def depthwise_conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1):
    """Convolve each channel with a filter of its own.

        y[n, c, p, q]  =  Σ i,j   weight[c, 0, i, j] · x[n, c, s·p + d·i − top, s·q + d·j − left]

    x is (N, C, H, W), weight (C, 1, K, K), bias (C,); stride s, dilation d and padding are in
    pixels, padding an int or (top, bottom, left, right). Returns y, (N, C, H', W'), where
    H' = (H + top + bottom − d·(K − 1) − 1) // s + 1. Raises ValueError where weight is not one
    filter per channel. Source: MobileNets, arXiv:1704.04861, eq. 3.
    """
    y = np.zeros(depthwise_shape(x, weight, stride, padding, dilation), x.dtype)
    padded = pad(x, padding)
    for i, j, tap in taps(padded, weight.shape[2:], stride, dilation, y.shape[2:]):
        y += weight[:, 0, i, j, None, None] * tap
    return add_bias(y, bias)


@depthwise_conv2d.kernel
def depthwise_conv2d_kernel(x, weight, bias=None, stride=1, padding=0, dilation=1):
    y = np.empty(depthwise_shape(x, weight, stride, padding, dilation), x.dtype)
    _forward(*plain(x.dtype, x, weight), y, *_phases(x, weight, stride, padding, dilation))
    return add_bias(y, bias)


@op
def depthwise_conv2d_backward(dy, x, weight, stride=1, padding=0, dilation=1):
    """Return dx and dweight: what came forward through a tap goes back through it.

    dx[n, c, s·p + d·i − top, s·q + d·j − left]  +=  weight[c, 0, i, j] · dy[n, c, p, q]
    dweight[c, 0, i, j]  =  Σ n,p,q   dy[n, c, p, q] · x[n, c, s·p + d·i − top, …]
    """
    check.shape(dy, depthwise_shape(x, weight, stride, padding, dilation), "dy")
    padded = pad(x, padding)
    dpadded, dweight = np.zeros_like(padded), np.zeros_like(weight, x.dtype)
    window = weight.shape[2:], stride, dilation, dy.shape[2:]
    for (i, j, tap), (_, _, dtap) in zip(
        taps(padded, *window), taps(dpadded, *window), strict=True
    ):
        dtap += weight[:, 0, i, j, None, None] * dy
        dweight[:, 0, i, j] = np.einsum("ncpq,ncpq->c", dy, tap)
    return unpad(dpadded, padding).copy(), dweight


@depthwise_conv2d_backward.kernel
def depthwise_conv2d_backward_kernel(dy, x, weight, stride=1, padding=0, dilation=1):
    check.shape(dy, depthwise_shape(x, weight, stride, padding, dilation), "dy")
    dy, x, weight = plain(x.dtype, dy, x, weight)
    dx, dweight = np.empty_like(x), np.zeros_like(weight)
    phases = _phases(x, weight, stride, padding, dilation)
    _backward(dy, x, weight, dx, dweight, *phases)
    return dx, dweight


# The loops. A row of 7 pixels is too short to vectorise, and every second pixel of a row does not
# vectorise at all. So the images of a channel are first dealt out, row by row and column by
# column like cards, to stride × stride *phases*, with their border; a few small images share one
# layout. There a tap is a single stretch, whatever the stride, padding, dilation and size:
#
#     (h r) (w s) -> (r s) (h w)          scratch[phase, start + t]  is what output t sees
#
# The outputs t that lie in a border are computed too, and never read; that is the price. (In
# dweight they count as 0 times x, which is not 0 where x is infinite.) Each thread owns whole
# channels, so that sums over the images run in one order, always.

CACHED = 4096  # pixels laid out at once: what a core's first cache holds


def _phases(x, weight, stride, padding, dilation):
    """Return what the loops must know: where each tap lies, and the layout of the phases."""
    top, bottom, left, right = four_sides(padding)
    height = -(-(x.shape[2] + top + bottom) // stride)
    width = -(-(x.shape[3] + left + right) // stride)
    taps = []
    for i, j in np.ndindex(weight.shape[2:]):
        (row, r), (column, s) = divmod(i * dilation, stride), divmod(j * dilation, stride)
        taps.append((i, j, r * stride + s, row * width + column))
    together = max(1, min(len(x), CACHED // (height * width)))
    layout = stride, top, left, height, width, together
    return (np.array(taps, np.int64), *(int(n) for n in layout))


@jit(parallel=False)
def _deal(image, scratch, at, stride, top, left, width):
    """Deal the pixels of an image, (H, W), out to the phases; the border stays as it is."""
    H, W = image.shape
    for h in range(H):
        row = at + (h + top) // stride * width
        phase = (h + top) % stride * stride
        if stride == 1:
            _copy(image[h], scratch[0, row + left : row + left + W])
        else:
            for w in range(min(stride, W)):
                column, s = divmod(w + left, stride)
                _copy(image[h, w::stride], scratch[phase + s, row + column :])


@jit(parallel=False)
def _collect(scratch, image, at, stride, top, left, width):
    """Collect an image, (H, W), from the phases again: the transpose of `_deal`."""
    H, W = image.shape
    for h in range(H):
        row = at + (h + top) // stride * width
        phase = (h + top) % stride * stride
        if stride == 1:
            _copy(scratch[0, row + left : row + left + W], image[h])
        else:
            for w in range(min(stride, W)):
                column, s = divmod(w + left, stride)
                target = image[h, w::stride]
                _copy(scratch[phase + s, row + column : row + column + target.size], target)


@jit(parallel=False)
def _copy(source, target):
    """Loops over slices vectorise; loops over computed indices do not."""
    for k in range(source.size):
        target[k] = source[k]


@jit
def _forward(x, weight, y, taps, stride, top, left, height, width, together):
    N, C, _, _ = x.shape
    _, _, P, Q = y.shape
    size = height * width
    for c in prange(C):
        flat = np.empty(together * size, x.dtype)
        scratch = np.zeros((stride * stride, flat.size + taps[-1, 3]), x.dtype)
        for first in range(0, N, together):
            images = min(together, N - first)
            for n in range(images):
                _deal(x[first + n, c], scratch, n * size, stride, top, left, width)
            flat[:] = 0
            for i, j, phase, start in taps:
                k, stretch = weight[c, 0, i, j], scratch[phase, start : start + flat.size]
                for t in range(flat.size):
                    flat[t] += k * stretch[t]
            for n in range(images):
                for p in range(P):
                    start = n * size + p * width
                    _copy(flat[start : start + Q], y[first + n, c, p])


@jit
def _backward(dy, x, weight, dx, dweight, taps, stride, top, left, height, width, together):
    N, C, _, _ = x.shape
    _, _, P, Q = dy.shape
    size = height * width
    for c in prange(C):
        dflat = np.zeros(together * size, x.dtype)
        scratch = np.zeros((stride * stride, dflat.size + taps[-1, 3]), x.dtype)
        dscratch = np.empty_like(scratch)
        for first in range(0, N, together):
            images = min(together, N - first)
            if images < together:  # what is left of the images before must not count again
                dflat[:] = 0
            for n in range(images):
                _deal(x[first + n, c], scratch, n * size, stride, top, left, width)
                for p in range(P):
                    start = n * size + p * width
                    _copy(dy[first + n, c, p], dflat[start : start + Q])
            dscratch[:] = 0
            for i, j, phase, start in taps:
                stretch = scratch[phase, start : start + dflat.size]
                dstretch = dscratch[phase, start : start + dflat.size]
                k, total = weight[c, 0, i, j], dweight[c, 0, i, j]
                for t in range(dflat.size):
                    dstretch[t] += k * dflat[t]
                    total += dflat[t] * stretch[t]
                dweight[c, 0, i, j] = total
            for n in range(images):
                _collect(dscratch, dx[first + n, c], n * size, stride, top, left, width)
