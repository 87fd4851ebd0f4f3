"""Convolution with groups, as a matrix product (im2col), and as plain loops.

With `groups` g the channels fall into g parts that never meet: output channel o sees the C/g
input channels of its own part only, which divides parameters and multiply-adds by g. With g = 1
this is the ordinary convolution; with g = C and one filter each it is the depthwise one.
"""

import itertools
from functools import lru_cache

import numpy as np

from npnets.ops import check
from npnets.ops.bias import Finish, finish
from npnets.ops.memory import into, zeros
from npnets.ops.op import jit, op, plain
from npnets.ops.threads import share
from npnets.ops.window import four_sides, output_shape, pad, taps, unpad


def conv_shape(x, weight, stride, padding, dilation, groups):
    """Return the output's shape (N, O, H', W'), or raise ValueError."""
    N, C, _, _ = check.images(x)
    O, C_group, *kernel = check.filters(weight)
    check.divisible(C, groups, "the input's channels")
    check.divisible(O, groups, "the filters of weight")
    if C_group * groups != C:
        raise ValueError(
            f"weight must have {C // groups} input channels per filter "
            f"({C} channels in {groups} groups), got {C_group}"
        )
    return (N, O, *output_shape(x, kernel, stride, padding, dilation))


def im2col(padded, kernel, stride, dilation, out):
    """Return what each output pixel sees, as a column: (N, C·K·K, P·Q)."""
    N, C, _, _ = padded.shape
    columns = np.empty((N, C, *kernel, *out), padded.dtype)
    for i, j, tap in taps(padded, kernel, stride, dilation, out):
        columns[:, :, i, j] = tap
    return columns.reshape(N, C * kernel[0] * kernel[1], out[0] * out[1])


def col2im(columns, padded_shape, kernel, stride, dilation, out):
    """Return each column added back to the pixels it was taken from: the transpose of im2col."""
    padded = np.zeros(padded_shape, columns.dtype)
    columns = columns.reshape(*padded_shape[:2], *kernel, *out)
    for i, j, tap in taps(padded, kernel, stride, dilation, out):
        tap += columns[:, :, i, j]
    return padded


@op
def conv2d(
    x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1, ceiling=None
):  # fmt: skip
    """Convolve x with filters that each span one group of channels.

        y[n, o, p, q]  =  Σ c,i,j   weight[o, c, i, j] · x[n, C/g·(o // (O/g)) + c, h, w]
        h = s·p + d·i − top,   w = s·q + d·j − left

    x is (N, C, H, W), weight (O, C/g, K, K), bias (O,); stride s, dilation d and padding are in
    pixels, padding an int or (top, bottom, left, right). Returns y, (N, O, H', W'), where
    H' = (H + top + bottom − d·(K − 1) − 1) // s + 1. Raises ValueError where the groups g do not
    divide C and O. `ceiling` is that of depthwise_conv2d. Source: MobileNets, arXiv:1704.04861,
    eq. 1; groups: ShuffleNet, arXiv:1707.01083, section 3.1.
    """
    N, O, P, Q = conv_shape(x, weight, stride, padding, dilation, groups)
    columns = im2col(pad(x, padding), weight.shape[2:], stride, dilation, (P, Q))
    y = _per_group(weight.astype(x.dtype, copy=False), groups) @ _per_group(columns, groups, 1)
    return finish(y.reshape(N, O, P, Q), bias, ceiling)


@conv2d.kernel
def conv2d_kernel(
    x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1, ceiling=None, *, out=None
):  # fmt: skip
    shape = conv_shape(x, weight, stride, padding, dilation, groups)
    y = into(out, shape, x.dtype, x, weight)
    finish = Finish(len(weight), x.dtype, bias, ceiling)
    x, weight = plain(x.dtype, x, weight)
    taps, stride = _taps_inside(x, y, weight, stride, padding, dilation), int(stride)
    flat_weight, y_flat = weight.reshape(len(weight), -1), y.reshape(*shape[:2], -1)

    def product(first, last):  # one image after another: its columns stay in the cache
        columns = zeros((*x.shape[1:2], *weight.shape[2:], *shape[2:]), x.dtype)
        for n in range(first, last):
            _columns(x[n], columns, taps, stride)
            np.matmul(flat_weight, columns.reshape(flat_weight.shape[1], -1), out=y_flat[n])
            finish.tile(y_flat[n : n + 1])

    def loops(first, last):
        for n in range(first, last):
            y[n] = 0
            _forward(x[n], weight, y[n], taps, stride, int(groups))
            finish.tile(y_flat[n : n + 1])

    share(product if groups == 1 else loops, len(x), y.size * weight[0].size // 16)
    return y


@op
def conv2d_backward(dy, x, weight, stride=1, padding=0, dilation=1, groups=1):
    """Return dx and dweight.

    dx       =  col2im(weightᵀ · dy)            each pixel collects what it took part in
    dweight  =  Σ n   dy · im2col(x)ᵀ
    """
    N, O, P, Q = conv_shape(x, weight, stride, padding, dilation, groups)
    check.shape(dy, (N, O, P, Q), "dy")
    padded, window = pad(x, padding), (weight.shape[2:], stride, dilation, (P, Q))
    columns = _per_group(im2col(padded, *window), groups, 1)
    dy = _per_group(dy.astype(x.dtype, copy=False).reshape(N, O, P * Q), groups, 1)
    dcolumns = _per_group(weight.astype(x.dtype, copy=False), groups).swapaxes(1, 2) @ dy
    dpadded = col2im(dcolumns, padded.shape, *window)
    return unpad(dpadded, padding).copy(), outer(dy, columns).reshape(weight.shape)


@conv2d_backward.kernel
def conv2d_backward_kernel(
    dy, x, weight, stride=1, padding=0, dilation=1, groups=1, *, out=None
):  # fmt: skip
    check.shape(dy, conv_shape(x, weight, stride, padding, dilation, groups), "dy")
    dx = into(out, x.shape, x.dtype, dy, x, weight)
    dy, x, weight = plain(x.dtype, dy, x, weight)
    taps, stride = _taps_inside(x, dy, weight, stride, padding, dilation), int(stride)
    flat_weight, parts = weight.reshape(len(weight), -1), image_parts(len(x))
    sums = np.zeros((len(parts), *weight.shape), x.dtype)

    def product(part, dflat):
        columns = zeros((*x.shape[1:2], *weight.shape[2:], *dy.shape[2:]), x.dtype)
        flat = columns.reshape(flat_weight.shape[1], -1)
        for n in range(part.start, part.stop):
            image, dx[n] = dy[n].reshape(len(weight), -1), 0
            _columns(x[n], columns, taps, stride)
            dflat += image @ flat.T
            dcolumns = (flat_weight.T @ image).reshape(columns.shape)
            _add_columns(dcolumns, dx[n], taps, stride)

    def loops(part, dflat):
        for n in range(part.start, part.stop):
            dx[n] = 0
            _backward_to_input(dy[n], weight, dx[n], taps, stride, int(groups))
            _backward_to_weight(
                dy[n], x[n], dflat.reshape(weight.shape), taps, stride, int(groups)
            )

    def work(first, last):
        for k in range(first, last):
            (product if groups == 1 else loops)(parts[k], sums[k].reshape(flat_weight.shape))

    share(work, len(parts), dy.size * weight[0].size // 8)
    return dx, sums.sum(axis=0)


PARTS = 8  # of the images, each with a sum of its own, however many threads there are


def image_parts(N):
    """Return up to PARTS slices of N images."""
    bounds = [N * part // min(N, PARTS) for part in range(min(N, PARTS) + 1)] if N else [0]
    return [slice(first, last) for first, last in itertools.pairwise(bounds)]


def _per_group(array, groups, axis=0):
    """Split the channels at `axis` into groups: o c i j -> g o (c i j), or n ck p -> n g ck p."""
    ahead, channels = array.shape[:axis], array.shape[axis]
    rest = array.shape[axis + 1 :]
    if axis == 0:
        return array.reshape(groups, channels // groups, int(np.prod(rest)))
    return array.reshape(*ahead, groups, channels // groups, *rest)


def outer(dy, x):
    """Return Σ n  dy[n, g] · x[n, g]ᵀ as one matrix product per group: (g, O/g, C/g).

    dy is (N, g, O/g, P), x (N, g, C/g, P). Joining images and pixels first costs a copy of both;
    a product per image would write the whole sum N times.
    """
    N, g, C_group, P = x.shape
    dy = dy.transpose(1, 2, 0, 3).reshape(g, dy.shape[2], N * P)
    x = x.transpose(1, 2, 0, 3).reshape(g, C_group, N * P)
    return dy @ x.swapaxes(1, 2)


# The loops. With one group an image is laid out as columns, where it is still in the cache when
# the matrix product comes; with several no columns are laid out at all. Every image is the work
# of one thread.


def _taps_inside(x, y, weight, stride, padding, dilation):
    """Return a row for each tap that sees the image: i, j, p0, p1, q0, q1, h, w.

    Outputs p0 … p1 − 1 and q0 … q1 − 1 find their pixel inside of the image, and the first of
    them finds it at (h, w): so no loop below tests a bound.
    """
    numbers = int(stride), four_sides(padding), int(dilation)
    return _taps_of_shapes(x.shape[2:], y.shape[2:], weight.shape[2:], *numbers)


@lru_cache(maxsize=256)
def _taps_of_shapes(x_size, y_size, kernel, stride, sides, dilation):
    top, _, left, _ = sides
    rows = []
    for i, j in np.ndindex(kernel):
        p0, p1, h = _stretch(i * dilation - top, stride, x_size[0], y_size[0])
        q0, q1, w = _stretch(j * dilation - left, stride, x_size[1], y_size[1])
        if p0 < p1 and q0 < q1:
            rows.append((i, j, p0, p1, q0, q1, h, w))
    return np.array(rows, np.int64).reshape(-1, 8)


def _stretch(offset, stride, size, out):
    """Return the first and the last + 1 of the outputs q with 0 <= q·stride + offset < size,
    and the pixel of the first."""
    first = max(0, -(offset // stride))
    last = min(out, -((offset - size) // stride))
    return first, last, first * stride + offset


@jit
def _columns(x, columns, taps, stride):
    """columns[c, i, j, p, q] = what output (p, q) sees at tap (i, j); zeros stay outside."""
    for c in range(len(x)):
        for i, j, p0, p1, q0, q1, h, w in taps:
            for p in range(p1 - p0):
                row, source = columns[c, i, j, p0 + p, q0:q1], x[c, h + p * stride, w:]
                for q in range(row.size):
                    row[q] = source[q * stride]


@jit
def _add_columns(columns, dx, taps, stride):
    """Add each column back to the pixels that it was taken from."""
    for c in range(len(dx)):
        for i, j, p0, p1, q0, q1, h, w in taps:
            for p in range(p1 - p0):
                source, row = columns[c, i, j, p0 + p, q0:q1], dx[c, h + p * stride, w:]
                for q in range(source.size):
                    row[q * stride] += source[q]


@jit
def _forward(x, weight, y, taps, stride, groups):
    O, C_group = weight.shape[:2]
    for o in range(O):
        first = o // (O // groups) * C_group
        for c in range(C_group):
            for i, j, p0, p1, q0, q1, h, w in taps:
                k = weight[o, c, i, j]
                for p in range(p1 - p0):
                    row, source = y[o, p0 + p, q0:q1], x[first + c, h + p * stride, w:]
                    for q in range(row.size):
                        row[q] += k * source[q * stride]


@jit
def _backward_to_input(dy, weight, dx, taps, stride, groups):
    O, C_group = weight.shape[:2]
    for channel in range(len(dx)):
        group, c = channel // C_group, channel % C_group
        for o in range(group * (O // groups), (group + 1) * (O // groups)):
            for i, j, p0, p1, q0, q1, h, w in taps:
                k = weight[o, c, i, j]
                for p in range(p1 - p0):
                    row, source = dx[channel, h + p * stride, w:], dy[o, p0 + p, q0:q1]
                    for q in range(source.size):
                        row[q * stride] += k * source[q]


@jit
def _backward_to_weight(dy, x, dweight, taps, stride, groups):
    O, C_group = dweight.shape[:2]
    for o in range(O):
        for c in range(C_group):
            channel = o // (O // groups) * C_group + c
            for i, j, p0, p1, q0, q1, h, w in taps:
                total = dweight[o, c, i, j]
                for p in range(p1 - p0):
                    row, source = dy[o, p0 + p, q0:q1], x[channel, h + p * stride, w:]
                    for q in range(row.size):
                        total += row[q] * source[q * stride]
                dweight[o, c, i, j] = total
