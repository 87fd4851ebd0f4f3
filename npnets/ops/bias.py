"""What ends a convolution: a bias, and at inference the activation, while y is still at hand."""

import numpy as np

from npnets.ops import check
from npnets.ops.op import jit, plain


def add_bias(y, bias):
    """Return y, (N, C, H, W), with bias, (C,), added; y itself where bias is None."""
    if bias is None:
        return y
    check.shape(bias, y.shape[1:2], "bias")
    return y + bias.astype(y.dtype, copy=False)[:, None, None]


def finish(y, bias, ceiling):
    """Return y with the bias added, and then clipped to 0 … ceiling; None leaves either out.

    A ceiling of infinity is ReLU, one of 6 is ReLU6.
    """
    y = add_bias(y, bias)
    return y if ceiling is None else np.clip(y, 0, y.dtype.type(ceiling))


class Finish:
    """`finish` for kernels: made once, then called for each tile of y that is ready."""

    def __init__(self, channels, dtype, bias, ceiling):
        self.nothing_to_do = bias is None and ceiling is None
        if bias is None:
            bias = np.zeros(channels, dtype)
        check.shape(bias, (channels,), "bias")
        (self.bias,) = plain(dtype, bias)
        self.low, self.high = clip_limits(ceiling, dtype)

    def channels(self, y, some):
        """Change y, (channels, pixels), in place: the results of some of all channels."""
        if not self.nothing_to_do:
            _finish(y, self.bias[some], self.low, self.high, 0, len(y), 0, y.shape[1])

    def tile(self, y, rows=slice(None), columns=slice(None)):
        """Change a tile of y, (groups, channels, pixels), in place: these rows of each group."""
        if not self.nothing_to_do:
            bias = self.bias.reshape(len(y), -1)
            (first, last, _), (left, right, _) = (
                part.indices(size) for part, size in zip((rows, columns), y.shape[1:], strict=True)
            )
            for group in range(len(y)):
                _finish(y[group], bias[group], self.low, self.high, first, last, left, right)


def clip_limits(ceiling, dtype):
    """Return the lowest and highest y that an activation lets through."""
    dtype = np.dtype(dtype).type
    return (dtype(-np.inf), dtype(np.inf)) if ceiling is None else (dtype(0), dtype(ceiling))


def bias_backward(dy):
    """Return dbias, (C,): the sum of dy, (N, C, H, W), over images and pixels."""
    check.images(dy, "dy")
    return dy.sum(axis=(0, 2, 3))


@jit
def _finish(y, bias, low, high, first, last, left, right):
    for c in range(first, last):
        row, b = y[c, left:right], bias[c]
        for p in range(row.size):
            value = row[p] + b
            value = low if value < low else value  # what is not a number stays so
            row[p] = high if value > high else value
