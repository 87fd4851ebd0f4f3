"""Pointwise convolution: 1 × 1, with groups. It mixes channels and sees one pixel at a time.

The images of a batch lie in memory as matrices of (channels, pixels) already, so that nothing is
laid out anew: one matrix product per image and group, and BLAS does the work. In the networks of
this package nine of ten multiply-adds are here.
"""

from npnets.ops import check
from npnets.ops.bias import add_bias
from npnets.ops.conv import conv_shape, outer
from npnets.ops.op import op


def pointwise_shape(x, weight, groups):
    """Return the output's shape (N, O, H, W), or raise ValueError."""
    if check.filters(weight)[2:] != (1, 1):
        raise ValueError(f"weight must be pointwise, (O, C/groups, 1, 1), got {weight.shape}")
    return conv_shape(x, weight, 1, 0, 1, groups)


@op
def pointwise_conv2d(x, weight, bias=None, groups=1):
    """Mix the channels of each pixel: a matrix product per image and group.

        y[n, o, p, q]  =  Σ c   weight[o, c, 0, 0] · x[n, C/g·(o // (O/g)) + c, p, q]

    x is (N, C, H, W), weight (O, C/g, 1, 1), bias (O,). Returns y, (N, O, H, W). Raises
    ValueError where the groups g do not divide C and O. Source: MobileNets, arXiv:1704.04861,
    section 3.1; groups: ShuffleNet, arXiv:1707.01083, section 3.1.
    """
    shape = pointwise_shape(x, weight, groups)
    y = _weights(weight, groups, x.dtype) @ _pixels(x, groups)
    return add_bias(y.reshape(shape), bias)


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


def _pixels(x, groups):
    """n (g c) h w -> n g c (h w)."""
    N, C, H, W = x.shape
    return x.reshape(N, groups, C // groups, H * W)


def _weights(weight, groups, dtype):
    """(g o) c 1 1 -> g o c."""
    O, C_group, _, _ = weight.shape
    return weight.astype(dtype, copy=False).reshape(groups, O // groups, C_group)
