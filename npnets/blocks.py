"""The two phrases that all four papers are written in."""

from npnets.layers import BatchNorm, Conv2d, DepthwiseConv2d, PointwiseConv2d, ReLU, Sequential
from npnets.ops.op import kernels_run


def conv_norm_act(in_channels, out_channels, kernel_size=1, *, stride=1, groups=1, act=ReLU):
    """Return convolution, batch norm and activation; no activation where act is None.

    The image keeps its size, divided by the stride and rounded up, for odd kernel sizes.
    """
    if kernel_size == 1 and stride == 1:
        conv = PointwiseConv2d(in_channels, out_channels, groups=groups)
    else:
        padding = kernel_size // 2
        conv = Conv2d(
            in_channels, out_channels, kernel_size, stride=stride, padding=padding, groups=groups
        )
    return _with_norm(conv, out_channels, act)


def depthwise_norm_act(channels, kernel_size=3, *, stride=1, act=ReLU):
    """Return depthwise convolution, batch norm and activation; no activation where act is None."""
    conv = DepthwiseConv2d(channels, kernel_size, stride=stride, padding=kernel_size // 2)
    return _with_norm(conv, channels, act)


class ConvNormAct(Sequential):
    """Convolution, batch norm and activation, the last two in one pass over memory.

    Both have to be known for that: without kernels, and at inference, it is a plain Sequential.
    """

    def forward(self, x):
        together = self.training and not self.is_folded and kernels_run(x)
        self.save(together)
        if together:
            return self.norm.forward(self.conv.forward(x), self.act)
        return super().forward(x)

    def in_a_row(self):
        """At inference, the only time that it is asked, this is a plain Sequential."""
        return iter(self)

    def backward(self, dy):
        (together,) = self.saved()
        if together:
            return self.conv.backward(self.norm.backward(dy))
        return super().backward(dy)


def _with_norm(conv, channels, act):
    layers = {"conv": conv, "norm": BatchNorm(channels)}
    return Sequential(**layers) if act is None else ConvNormAct(**layers, act=act())
