"""ReLU and ReLU6. Both backwards need the output only: x itself need not be kept."""

import numpy as np

from npnets.ops import check


def relu(x):
    """y = max(x, 0), in any shape."""
    check.floats(x)
    return np.maximum(x, 0)


def relu_backward(dy, y):
    """dx = dy where y > 0, and 0 elsewhere; at the kink the derivative is taken as 0."""
    check.floats(y, "y")
    check.shape(dy, y.shape, "dy")
    return dy * (y > 0)


def relu6(x):
    """y = min(max(x, 0), 6), in any shape. Source: MobileNetV2, arXiv:1801.04381, section 4."""
    check.floats(x)
    return np.minimum(np.maximum(x, 0), 6)


def relu6_backward(dy, y):
    """dx = dy where 0 < y < 6, and 0 elsewhere; at both kinks the derivative is taken as 0."""
    check.floats(y, "y")
    check.shape(dy, y.shape, "dy")
    return dy * ((y > 0) & (y < 6))
