"""The fully connected layer that ends each network."""

from npnets.ops import check


def linear_shape(x, weight):
    """Return the output's shape (N, O), or raise ValueError."""
    check.floats(x)
    check.floats(weight, "weight")
    if weight.ndim != 2:
        raise ValueError(f"weight must have shape (O, I), got {weight.shape}")
    if x.ndim != 2 or x.shape[1] != weight.shape[1]:
        raise ValueError(f"x must have shape (N, {weight.shape[1]}), got {x.shape}")
    return len(x), len(weight)


def linear(x, weight, bias):
    """y[n, o] = Σ i  weight[o, i] · x[n, i] + bias[o], where x is (N, I) and weight (O, I)."""
    _, O = linear_shape(x, weight)
    check.shape(bias, (O,), "bias")
    return x @ weight.T.astype(x.dtype, copy=False) + bias.astype(x.dtype, copy=False)


def linear_backward(dy, x, weight):
    """Return dx, dweight and dbias."""
    check.shape(dy, linear_shape(x, weight), "dy")
    dy = dy.astype(x.dtype, copy=False)
    return dy @ weight.astype(x.dtype, copy=False), dy.T @ x, dy.sum(axis=0)
