"""The bias of a convolution: one number per channel, added to every pixel."""

from npnets.ops import check


def add_bias(y, bias):
    """Return y, (N, C, H, W), with bias, (C,), added; y itself where bias is None."""
    if bias is None:
        return y
    check.shape(bias, y.shape[1:2], "bias")
    return y + bias.astype(y.dtype, copy=False)[:, None, None]


def bias_backward(dy):
    """Return dbias, (C,): the sum of dy, (N, C, H, W), over images and pixels."""
    check.images(dy, "dy")
    return dy.sum(axis=(0, 2, 3))
