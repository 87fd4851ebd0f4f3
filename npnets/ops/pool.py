"""Pooling: the largest value of each window, its average, or the average of a whole image."""

import numpy as np

from npnets.ops import check
from npnets.ops.window import four_sides, output_shape, pad, taps, unpad


def pool_window(x, kernel_size, stride, padding):
    """Return the output's shape and the window for `taps`, or raise ValueError."""
    N, C, _, _ = check.images(x)
    check.at_least(1, kernel_size=kernel_size)
    stride = kernel_size if stride is None else stride
    if max(four_sides(padding)) >= kernel_size:
        raise ValueError(
            f"padding must be smaller than kernel_size={kernel_size}, got {padding}: "
            "a window would see nothing of the image"
        )
    kernel = (kernel_size, kernel_size)
    out = output_shape(x, kernel, stride, padding)
    return (N, C, *out), (kernel, stride, 1, out)


def max_pool2d(x, kernel_size, stride=None, padding=0):
    """Return the largest value of each window; what is padded never wins.

        y[n, c, p, q]  =  max i,j   x[n, c, s·p + i − top, s·q + j − left]

    x is (N, C, H, W); stride s is kernel_size where None; padding is an int or (top, bottom,
    left, right), smaller than kernel_size. Returns y, (N, C, H', W').
    """
    shape, window = pool_window(x, kernel_size, stride, padding)
    y = np.full(shape, -np.inf, x.dtype)
    for _, _, tap in taps(pad(x, padding, -np.inf), *window):
        np.maximum(y, tap, out=y)
    return y


def max_pool2d_backward(dy, x, kernel_size, stride=None, padding=0):
    """Return dx: each window gives its dy to its winner, among equals to the first."""
    shape, window = pool_window(x, kernel_size, stride, padding)
    check.shape(dy, shape, "dy")
    y, padded = max_pool2d(x, kernel_size, stride, padding), pad(x, padding, -np.inf)
    dpadded, given = np.zeros_like(padded), np.zeros(shape, bool)
    for (_, _, tap), (_, _, dtap) in zip(
        taps(padded, *window), taps(dpadded, *window), strict=True
    ):
        winner = (tap == y) & ~given
        dtap += dy * winner
        given |= winner
    return unpad(dpadded, padding).copy()


def avg_pool2d(x, kernel_size, stride=None, padding=0, count_include_pad=True):
    """Return the average of each window.

        y[n, c, p, q]  =  1/count · Σ i,j   x[n, c, s·p + i − top, s·q + j − left]

    count is K² where count_include_pad, otherwise the number of pixels that are not padding.
    x is (N, C, H, W); stride s is kernel_size where None; padding is an int or (top, bottom,
    left, right), smaller than kernel_size. Returns y, (N, C, H', W').
    """
    shape, window = pool_window(x, kernel_size, stride, padding)
    y = np.zeros(shape, x.dtype)
    for _, _, tap in taps(pad(x, padding), *window):
        y += tap
    return y / _count(x, window, padding, count_include_pad)


def avg_pool2d_backward(dy, x, kernel_size, stride=None, padding=0, count_include_pad=True):
    """Return dx: each window shares its dy out evenly. Of x only the shape matters."""
    shape, window = pool_window(x, kernel_size, stride, padding)
    check.shape(dy, shape, "dy")
    share = dy / _count(x, window, padding, count_include_pad)
    dpadded = np.zeros_like(pad(x, padding))
    for _, _, dtap in taps(dpadded, *window):
        dtap += share
    return unpad(dpadded, padding).copy()


def _count(x, window, padding, count_include_pad):
    """Return by how much each window divides: K², or an array (1, 1, H', W')."""
    kernel, _, _, out = window
    if count_include_pad:
        return x.dtype.type(kernel[0] * kernel[1])
    count = np.zeros((1, 1, *out), x.dtype)
    for _, _, tap in taps(pad(np.ones((1, 1, *x.shape[2:]), x.dtype), padding), *window):
        count += tap
    return count


def global_avg_pool(x):
    """Return the average of each channel's pixels: (N, C, H, W) -> (N, C)."""
    check.images(x)
    return x.mean(axis=(2, 3))


def global_avg_pool_backward(dy, x):
    """Return dx: each pixel gets an equal share of dy, (N, C). Of x only the shape matters."""
    N, C, H, W = check.images(x)
    check.shape(dy, (N, C), "dy")
    share = (dy / (H * W)).astype(x.dtype, copy=False)
    return np.broadcast_to(share[:, :, None, None], x.shape).copy()
