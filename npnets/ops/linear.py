"""The fully connected layer that ends each network."""

import numpy as np

from npnets.ops import check
from npnets.ops.memory import into
from npnets.ops.op import op, plain
from npnets.ops.threads import share


def linear_shape(x, weight):
    """Return the output's shape (N, O), or raise ValueError."""
    check.floats(x)
    check.floats(weight, "weight")
    if weight.ndim != 2:
        raise ValueError(f"weight must have shape (O, I), got {weight.shape}")
    if x.ndim != 2 or x.shape[1] != weight.shape[1]:
        raise ValueError(f"x must have shape (N, {weight.shape[1]}), got {x.shape}")
    return len(x), len(weight)


@op
def linear(x, weight, bias):
    """y[n, o] = Σ i  weight[o, i] · x[n, i] + bias[o], where x is (N, I) and weight (O, I)."""
    _, O = linear_shape(x, weight)
    check.shape(bias, (O,), "bias")
    return x @ weight.T.astype(x.dtype, copy=False) + bias.astype(x.dtype, copy=False)


@op
def linear_backward(dy, x, weight):
    """Return dx, dweight and dbias."""
    check.shape(dy, linear_shape(x, weight), "dy")
    dy = dy.astype(x.dtype, copy=False)
    return dy @ weight.astype(x.dtype, copy=False), dy.T @ x, dy.sum(axis=0)


@linear.kernel
def linear_kernel(x, weight, bias, *, out=None):
    N, O = linear_shape(x, weight)
    check.shape(bias, (O,), "bias")
    y = into(out, (N, O), x.dtype, x, weight, bias)
    x, weight, bias = plain(x.dtype, x, weight, bias)

    def work(first, last):
        for o in range(first * BLOCK, min(O, last * BLOCK), BLOCK):
            some = slice(o, o + BLOCK)
            y[:, some] = x @ weight[some].T + bias[some]

    share(work, -(-O // BLOCK), weight.size + x.size * O // 32)
    return y


@linear_backward.kernel
def linear_backward_kernel(dy, x, weight, *, out=None):
    check.shape(dy, linear_shape(x, weight), "dy")
    dx = into(out, x.shape, x.dtype, dy, x, weight)
    dy, x, weight = plain(x.dtype, dy, x, weight)
    dweight = into(None, weight.shape, x.dtype)
    products = [(dy, weight, dx), (dy.T, x, dweight)]

    def work(first, last):
        for a, b, result in products[first:last]:
            np.matmul(a, b, out=result)

    share(work, len(products), dy.size * weight.shape[1] // 16)
    return dx, dweight, dy.sum(axis=0)


BLOCK = 256  # outputs that one thread computes at once, however many threads there are
