"""Where the taps of a depthwise convolution lie in the scratch of its kernels.

depthwise.py says why images are laid out there. This is the arithmetic, done once for each shape.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from npnets.ops.window import four_sides

STRETCH = 2048  # pixels at once: what the first cache of a core holds
TOGETHER = 512  # pixels of small images at once: of many, a core reads too few ahead of time


class Grid(NamedTuple):
    """How images are laid out: (H, W) pixels, `top` rows down, in height × width for each of
    `stride` layouts, and `together` of them; `up` rows lie ahead of (P, Q) pixels of dy."""

    stride: int
    H: int
    W: int
    top: int
    P: int
    Q: int
    up: int
    height: int
    width: int
    together: int
    guard: int  # numbers ahead of all, for the first pixel's neighbours


class Taps(NamedTuple):
    """Where the taps lie, by columns of the kernel, with more rows up to a multiple of three."""

    starts: np.ndarray  # (columns, rows): where in the scratch each begins
    masks: np.ndarray  # (columns, stretch): 1 where the column is inside of the image
    bounds: np.ndarray  # the columns bounds[k] … bounds[k + 1] make layout k of the result
    order: np.ndarray  # which column of the kernel each of them is


def plan(x, y, weight, stride, padding, dilation):
    """Return the Grid, and the Taps of the way from x to y, and from dy to dx."""
    numbers = int(stride), four_sides(padding), int(dilation)
    return _plan(x.shape, y.shape, weight.shape[2:], *numbers, x.dtype)


@lru_cache(maxsize=256)
def _plan(x_shape, y_shape, kernel, stride, sides, dilation, dtype):
    (N, _, H, W), (_, _, P, Q), (KH, KW) = x_shape, y_shape, kernel
    top, _, left, _ = sides
    up, width = (KH - 1) * dilation, max(Q, -(-W // stride))
    height = up + max((P - 1) * stride + 1, top + H)
    together = max(1, min(N, TOGETHER // (height * width)))
    guard = left + (KW - 1) * dilation
    grid = Grid(stride, H, W, top, P, Q, up, height, width, together, guard)
    # Column q of y sees column s·shift + layout of x, beside q; in dx they come by layouts.
    columns = [divmod(j * dilation - left, stride) for j in range(KW)]
    starts = [
        [guard + (layout * together * height + i * dilation) * width + shift for i in range(KH)]
        for shift, layout in columns
    ]
    taps = _taps(grid, starts, [shift for shift, _ in columns], [0, KW], range(KW), dtype)
    order = sorted(range(KW), key=lambda j: columns[j][1])
    rows = [up + top - i * dilation for i in range(KH)]
    starts = [[guard + row * width - columns[j][0] for row in rows] for j in order]
    bounds = [sum(layout < k for _, layout in columns) for k in range(stride + 1)]
    back = _taps(grid, starts, [-columns[j][0] for j in order], bounds, order, dtype)
    return grid, taps, back


def _taps(grid, starts, shifts, bounds, order, dtype):
    starts = np.array(starts, np.int64)
    starts = np.pad(starts, ((0, 0), (0, -starts.shape[1] % 3)))
    beside = np.arange(grid.width) + np.array(shifts)[:, None]
    inside = (beside >= 0) & (beside < grid.width)
    masks = np.tile(inside, max(1, STRETCH // grid.width)).astype(dtype)
    return Taps(starts, masks, np.array(bounds, np.int64), np.array(order, np.int64))


def by_columns(weight, taps):
    """c 1 i j -> c j i, in the order of the taps, with zeros up to a multiple of three."""
    columns = np.zeros((len(weight), *taps.starts.shape), weight.dtype)
    columns[:, :, : weight.shape[2]] = weight[:, 0].swapaxes(1, 2)[:, taps.order]
    return columns


def pieces(grid, x):
    """Return how much there is to share: groups of images times channels."""
    return -(-len(x) // grid.together) * x.shape[1]
