"""Pooling: the largest value of each window, its average, or the average of a whole image."""

import numpy as np

from npnets.ops import check
from npnets.ops.memory import into
from npnets.ops.op import jit, op, plain
from npnets.ops.threads import share
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


@op
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


@max_pool2d.kernel
def max_pool2d_kernel(x, kernel_size, stride=None, padding=0, *, out=None):
    shape, window = pool_window(x, kernel_size, stride, padding)
    y = into(out, shape, x.dtype, x)
    (x,) = plain(x.dtype, x)
    bounds = _bounds(x, window, padding)
    share(lambda *some: _max(_planes(x), *bounds, _planes(y), *some), y[:, :, 0, 0].size, x.size)
    return y


@op
def max_pool2d_backward(dy, x, kernel_size, stride=None, padding=0):
    """Return dx: each window gives its dy to its winner, among equals to the first."""
    shape, window = pool_window(x, kernel_size, stride, padding)
    check.shape(dy, shape, "dy")
    y, padded = max_pool2d.definition(x, kernel_size, stride, padding), pad(x, padding, -np.inf)
    dpadded, given = np.zeros_like(padded), np.zeros(shape, bool)
    for (_, _, tap), (_, _, dtap) in zip(
        taps(padded, *window), taps(dpadded, *window), strict=True
    ):
        winner = (tap == y) & ~given
        dtap += dy * winner
        given |= winner
    return unpad(dpadded, padding).copy()


@max_pool2d_backward.kernel
def max_pool2d_backward_kernel(dy, x, kernel_size, stride=None, padding=0, *, out=None):
    shape, window = pool_window(x, kernel_size, stride, padding)
    check.shape(dy, shape, "dy")
    dx = into(out, x.shape, x.dtype, dy, x)
    dy, x = plain(x.dtype, dy, x)
    arrays, bounds = (_planes(dy), _planes(x)), _bounds(x, window, padding)
    share(lambda *some: _give(*arrays, *bounds, _planes(dx), *some), len(arrays[1]), x.size)
    return dx


@op
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


@avg_pool2d.kernel
def avg_pool2d_kernel(x, kernel_size, stride=None, padding=0, count_include_pad=True, *, out=None):
    shape, window = pool_window(x, kernel_size, stride, padding)
    y = into(out, shape, x.dtype, x)
    (x,) = plain(x.dtype, x)
    bounds, shares = _bounds(x, window, padding), _shares(x, window, padding, count_include_pad)
    share(
        lambda *some: _sum(_planes(x), *bounds, shares, _planes(y), *some),
        y[:, :, 0, 0].size,
        x.size,
    )
    return y


@op
def avg_pool2d_backward(dy, x, kernel_size, stride=None, padding=0, count_include_pad=True):
    """Return dx: each window shares its dy out evenly. Of x only the shape matters."""
    shape, window = pool_window(x, kernel_size, stride, padding)
    check.shape(dy, shape, "dy")
    share = dy / _count(x, window, padding, count_include_pad)
    dpadded = np.zeros_like(pad(x, padding))
    for _, _, dtap in taps(dpadded, *window):
        dtap += share
    return unpad(dpadded, padding).copy()


@avg_pool2d_backward.kernel
def avg_pool2d_backward_kernel(
    dy, x, kernel_size, stride=None, padding=0, count_include_pad=True, *, out=None
):
    shape, window = pool_window(x, kernel_size, stride, padding)
    check.shape(dy, shape, "dy")
    dx = into(out, x.shape, x.dtype, dy, x)
    (dy,) = plain(x.dtype, dy)
    bounds, shares = _bounds(x, window, padding), _shares(x, window, padding, count_include_pad)
    share(
        lambda *some: _deal(_planes(dy), *bounds, shares, _planes(dx), *some),
        _planes(dx).shape[0],
        x.size,
    )
    return dx


def _count(x, window, padding, count_include_pad):
    """Return by how much each window divides: K², or an array (1, 1, H', W')."""
    kernel, _, _, out = window
    if count_include_pad:
        return x.dtype.type(kernel[0] * kernel[1])
    count = np.zeros((1, 1, *out), x.dtype)
    for _, _, tap in taps(pad(np.ones((1, 1, *x.shape[2:]), x.dtype), padding), *window):
        count += tap
    return count


@op
def global_avg_pool(x):
    """Return the average of each channel's pixels: (N, C, H, W) -> (N, C)."""
    check.images(x)
    return x.mean(axis=(2, 3))


@op
def global_avg_pool_backward(dy, x):
    """Return dx: each pixel gets an equal share of dy, (N, C). Of x only the shape matters."""
    N, C, H, W = check.images(x)
    check.shape(dy, (N, C), "dy")
    share = (dy / (H * W)).astype(x.dtype, copy=False)
    return np.broadcast_to(share[:, :, None, None], x.shape).copy()


@global_avg_pool_backward.kernel
def global_avg_pool_backward_kernel(dy, x, *, out=None):
    N, C, H, W = check.images(x)
    check.shape(dy, (N, C), "dy")
    dx = into(out, x.shape, x.dtype, dy, x)
    dx[...] = (dy / (H * W)).astype(x.dtype, copy=False)[:, :, None, None]
    return dx


def _planes(x):
    """n c h w -> (n c) h w."""
    return x.reshape(-1, *x.shape[2:])


def _bounds(x, window, padding):
    """Return for each output row, and column, the first and last + 1 of the pixels it sees."""
    (K, _), stride, _, out = window
    top, _, left, _ = four_sides(padding)
    bounds = []
    for outputs, size, before in zip(out, x.shape[2:], (top, left), strict=True):
        start = np.arange(outputs) * stride - before
        bounds.append(np.stack([start.clip(0), (start + K).clip(max=size)], axis=1))
    return bounds


def _shares(x, window, padding, count_include_pad):
    """Return 1 / count for each output, (H', W')."""
    count = _count(x, window, padding, count_include_pad)
    return np.broadcast_to(1 / count, (1, 1, *window[3]))[0, 0].astype(x.dtype)


# The loops: the pixels of a window that lie inside of the image are known before it begins. A
# maximum is taken over the rows first, of whole rows, which vectorises: of the nine comparisons
# of a 3 × 3 window three remain; and so with sums.


@jit
def _max_of_rows(x, first, last, best, row):
    """For each column the largest of the rows first … last − 1, and the first row that has it."""
    for w in range(best.size):
        best[w], row[w] = x[first, w], first
    for h in range(first + 1, last):
        line = x[h]
        for w in range(best.size):
            wins = (line[w] > best[w]) | (line[w] != line[w])  # what is not a number stays so
            best[w] = line[w] if wins else best[w]
            row[w] = h if wins else row[w]


@jit
def _max(x, rows, columns, y, first, last):
    best, row = np.empty(x.shape[2], x.dtype), np.empty(x.shape[2], np.int32)
    for plane in range(first, last):
        for p in range(len(rows)):
            _max_of_rows(x[plane], rows[p, 0], rows[p, 1], best, row)
            for q in range(len(columns)):
                largest = best[columns[q, 0]]
                for w in range(columns[q, 0] + 1, columns[q, 1]):
                    if best[w] > largest or best[w] != best[w]:
                        largest = best[w]
                y[plane, p, q] = largest


@jit
def _give(dy, x, rows, columns, dx, first, last):
    """Each window gives its dy to its winner, among equals to the first, row by row."""
    best, row = np.empty(x.shape[2], x.dtype), np.empty(x.shape[2], np.int32)
    for plane in range(first, last):
        dx[plane] = 0
        for p in range(len(rows)):
            _max_of_rows(x[plane], rows[p, 0], rows[p, 1], best, row)
            for q in range(len(columns)):
                winner = columns[q, 0]
                for w in range(columns[q, 0] + 1, columns[q, 1]):
                    earlier = (best[w] == best[winner]) & (row[w] < row[winner])
                    winner = w if (best[w] > best[winner]) | earlier else winner
                dx[plane, row[winner], winner] += dy[plane, p, q]


@jit
def _sum(x, rows, columns, shares, y, first, last):
    zero, line = x.dtype.type(0), np.empty(x.shape[2], x.dtype)
    for plane in range(first, last):
        for p in range(len(rows)):
            line[:] = 0
            for h in range(rows[p, 0], rows[p, 1]):
                _add(x[plane, h], line)
            for q in range(len(columns)):
                total = zero
                for w in range(columns[q, 0], columns[q, 1]):
                    total += line[w]
                y[plane, p, q] = total * shares[p, q]


@jit
def _deal(dy, rows, columns, shares, dx, first, last):
    line = np.empty(dx.shape[2], dx.dtype)
    for plane in range(first, last):
        dx[plane] = 0
        for p in range(len(rows)):
            line[:] = 0
            for q in range(len(columns)):
                for w in range(columns[q, 0], columns[q, 1]):
                    line[w] += dy[plane, p, q] * shares[p, q]
            for h in range(rows[p, 0], rows[p, 1]):
                _add(line, dx[plane, h])


@jit
def _add(source, target):
    for w in range(target.size):
        target[w] += source[w]
