"""ReLU and ReLU6. Both backwards need the output only: x itself need not be kept."""

import numpy as np

from npnets.ops import check
from npnets.ops.memory import into
from npnets.ops.op import jit, op, plain
from npnets.ops.threads import share


@op
def relu(x):
    """y = max(x, 0), in any shape."""
    check.floats(x)
    return np.maximum(x, 0)


@relu.kernel
def relu_kernel(x, *, out=None):
    return _clipped(x, np.inf, out)


@op
def relu_backward(dy, y):
    """dx = dy where y > 0, and 0 elsewhere; at the kink the derivative is taken as 0."""
    check.floats(y, "y")
    check.shape(dy, y.shape, "dy")
    return dy * (y > 0)


@relu_backward.kernel
def relu_backward_kernel(dy, y, *, out=None):
    return _passed(dy, y, np.nan, out)  # which no y reaches


@op
def relu6(x):
    """y = min(max(x, 0), 6), in any shape. Source: MobileNetV2, arXiv:1801.04381, section 4."""
    check.floats(x)
    return np.minimum(np.maximum(x, 0), 6)


@relu6.kernel
def relu6_kernel(x, *, out=None):
    return _clipped(x, 6, out)


@op
def relu6_backward(dy, y):
    """dx = dy where 0 < y < 6, and 0 elsewhere; at both kinks the derivative is taken as 0."""
    check.floats(y, "y")
    check.shape(dy, y.shape, "dy")
    return dy * ((y > 0) & (y < 6))


@relu6_backward.kernel
def relu6_backward_kernel(dy, y, *, out=None):
    return _passed(dy, y, 6, out)


@op
def add(a, b):
    """y = a + b, of equal shape: where a shortcut joins its branch. Each gets dy back whole."""
    check.floats(a, "a")
    check.shape(b, a.shape, "b")
    return a + b


@add.kernel
def add_kernel(a, b, *, out=None):
    check.floats(a, "a")
    check.shape(b, a.shape, "b")
    y = into(out, a.shape, np.result_type(a, b), a, b)
    a, b = plain(y.dtype, a, b)
    pairs = a.reshape(-1), b.reshape(-1), y.reshape(-1)
    share(
        lambda i, j: np.add(*(array[i:j] for array in pairs[:2]), out=pairs[2][i:j]),
        y.size,
        y.size,
    )
    return y


def _clipped(x, ceiling, out):
    check.floats(x)
    y = into(out, x.shape, x.dtype, x)
    (x,) = plain(x.dtype, x)
    source, target, high = x.reshape(-1), y.reshape(-1), x.dtype.type(ceiling)
    share(lambda i, j: _clip(source[i:j], high, target[i:j]), x.size, x.size)
    return y


def _passed(dy, y, ceiling, out):
    check.floats(y, "y")
    check.shape(dy, y.shape, "dy")
    dx = into(out, y.shape, np.result_type(dy, y), dy, y)
    dy, y = plain(dx.dtype, dy, y)
    arrays, high = (dy.reshape(-1), y.reshape(-1), dx.reshape(-1)), y.dtype.type(ceiling)
    share(lambda i, j: _pass(*(array[i:j] for array in arrays), high), y.size, y.size)
    return dx


@jit
def _clip(x, high, y):
    zero = x.dtype.type(0)
    for k in range(x.size):
        value = zero if x[k] < zero else x[k]  # what is not a number stays so
        y[k] = high if value > high else value


@jit
def _pass(dy, y, dx, high):
    zero = dy.dtype.type(0)
    for k in range(dy.size):
        dx[k] = dy[k] if y[k] > zero and not y[k] >= high else dy[k] * zero
