"""Pointwise convolution: 1 × 1, with groups. It mixes channels and sees one pixel at a time.

The images of a batch lie in memory as matrices of (channels, pixels) already, so that nothing is
laid out anew: one matrix product per image and group, and BLAS does the work. In the networks of
this package nine of ten multiply-adds are here.
"""

from functools import lru_cache

import numpy as np

from npnets.ops import check
from npnets.ops.bias import Finish, finish
from npnets.ops.conv import PARTS, conv_shape, image_parts, outer
from npnets.ops.memory import empty, into
from npnets.ops.op import op, plain
from npnets.ops.threads import share


def pointwise_shape(x, weight, groups):
    """Return the output's shape (N, O, H, W), or raise ValueError."""
    if check.filters(weight)[2:] != (1, 1):
        raise ValueError(f"weight must be pointwise, (O, C/groups, 1, 1), got {weight.shape}")
    return conv_shape(x, weight, 1, 0, 1, groups)


@op
def pointwise_conv2d(x, weight, bias=None, groups=1, ceiling=None):
    """Mix the channels of each pixel: a matrix product per image and group.

        y[n, o, p, q]  =  Σ c   weight[o, c, 0, 0] · x[n, C/g·(o // (O/g)) + c, p, q]

    x is (N, C, H, W), weight (O, C/g, 1, 1), bias (O,). Returns y, (N, O, H, W). `ceiling` is that
    of depthwise_conv2d. Raises ValueError where the groups g do not divide C and O. Source:
    MobileNets, arXiv:1704.04861, section 3.1; groups: ShuffleNet, arXiv:1707.01083, section 3.1.
    """
    shape = pointwise_shape(x, weight, groups)
    y = _weights(weight, groups, x.dtype) @ _pixels(x, groups)
    return finish(y.reshape(shape), bias, ceiling)


@pointwise_conv2d.kernel
def pointwise_conv2d_kernel(x, weight, bias=None, groups=1, ceiling=None, *, out=None):
    shape = pointwise_shape(x, weight, groups)
    y = into(out, shape, x.dtype, x, weight)
    finish = Finish(len(weight), x.dtype, bias, ceiling)
    pixels, results = _pixels(_dense(x), groups), _pixels(y, groups)
    weights = _weights(weight, groups, x.dtype)
    joined = _is_joined(weights, pixels)
    parts = image_parts(len(x)) if joined else _tiles(*results.shape)

    def joined_images(first, last):
        for images in parts[first:last]:
            product = weights @ _join(pixels[images])
            finish.tile(product)
            _part(product, results[images])

    def tiles(first, last):
        for n, rows, columns in parts[first:last]:
            tile = results[n, :, rows, columns]
            np.matmul(weights[:, rows], pixels[n, :, :, columns], out=tile)
            finish.tile(results[n], rows, columns)

    share(joined_images if joined else tiles, len(parts), weight[0].size * y.size // 16)
    return y


@op
def pointwise_conv2d_backward(dy, x, weight, groups=1):
    """Return dx and dweight.

    dx[n]    =  weightᵀ · dy[n]
    dweight  =  Σ n   dy[n] · x[n]ᵀ
    """
    check.shape(dy, pointwise_shape(x, weight, groups), "dy")
    dy = _pixels(dy.astype(x.dtype, copy=False), groups)
    dx = _weights(weight, groups, x.dtype).swapaxes(1, 2) @ dy
    return dx.reshape(x.shape), outer(dy, _pixels(x, groups)).reshape(weight.shape)


@pointwise_conv2d_backward.kernel
def pointwise_conv2d_backward_kernel(dy, x, weight, groups=1, *, out=None):
    check.shape(dy, pointwise_shape(x, weight, groups), "dy")
    dx = into(out, x.shape, x.dtype, dy, x, weight)
    dpixels, pixels = _pixels(_dense(*plain(x.dtype, dy)), groups), _pixels(_dense(x), groups)
    transposed, results = _weights(weight, groups, x.dtype).swapaxes(1, 2), _pixels(dx, groups)
    parts = image_parts(len(x))
    sums = empty((len(parts), groups, *transposed.shape[:0:-1]), x.dtype)

    def work(first, last):
        for k, images in enumerate(parts[first:last], first):
            if _is_joined(transposed, pixels):
                dproduct = _join(dpixels[images])
                np.matmul(dproduct, _join(pixels[images]).swapaxes(1, 2), out=sums[k])
                _part(transposed @ dproduct, results[images])
            else:
                np.matmul(transposed, dpixels[images], out=results[images])
                products = empty((images.stop - images.start, *sums.shape[1:]), x.dtype)
                np.matmul(dpixels[images], pixels[images].swapaxes(2, 3), out=products)
                products.sum(axis=0, out=sums[k])

    share(work, len(parts), weight[0].size * dy.size // 8)
    return dx, sums.sum(axis=0, out=empty(sums.shape[1:], x.dtype)).reshape(weight.shape)


def _is_joined(weights, pixels):
    """Return whether images are joined, n c p -> c (n p), before they are multiplied.

    Otherwise BLAS lays the weights out for each, and the sum over images adds O·C numbers up for
    each; joining copies (O + C)·P. Of 128 images with 320 channels, 1280 outputs and 2 × 2 pixels
    it makes 3.1 ms of 7.8 forward, and 6.4 of 26 backward.
    """
    (_, O_group, C_group), (N, _, _, P) = weights.shape, pixels.shape
    return N >= PARTS and (O_group + C_group) * P < O_group * C_group


def _join(images):
    """n g c p -> g c (n p)."""
    n, g, C_group, P = images.shape
    return images.transpose(1, 2, 0, 3).reshape(g, C_group, n * P)


def _part(joined, images):
    """Write g c (n p) into images, n g c p."""
    n, g, C_group, P = images.shape
    images[...] = joined.reshape(g, C_group, n, P).transpose(2, 0, 1, 3)


@lru_cache(maxsize=256)
def _tiles(N, groups, O, P):
    """Return what is computed at once, as an image and slices of its outputs and pixels.

    That is all of an image; if there are only a few, each is cut into parts, so that there is
    something to share: the same parts for any number of threads.
    """
    rows = columns = 1
    if N < PARTS and groups == 1:
        rows = max(1, min(4, O // 128))
        columns = 1 if rows > 1 else max(1, min(4, P // 512))
    return [
        (n, _slice(O, r, rows), _slice(P, c, columns))
        for n in range(N)
        for r in range(rows)
        for c in range(columns)
    ]


def _slice(size, part, parts):
    return slice(size * part // parts, size * (part + 1) // parts)


def _dense(x):
    """Return x, copied where the pixels and channels of an image do not lie together."""
    _, C, H, W = x.shape
    together = x.itemsize * H * W, x.itemsize * W, x.itemsize
    return x if x.strides[1:] == together else np.ascontiguousarray(x)


def _pixels(x, groups):
    """n (g c) h w -> n g c (h w)."""
    N, C, H, W = x.shape
    return x.reshape(N, groups, C // groups, H * W)


def _weights(weight, groups, dtype):
    """(g o) c 1 1 -> g o c."""
    O, C_group, _, _ = weight.shape
    return weight.astype(dtype, copy=False).reshape(groups, O // groups, C_group)
