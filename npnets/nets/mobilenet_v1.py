"""MobileNet: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile
Vision Applications", arXiv:1704.04861.

A full convolution filters and combines in one step. A depthwise separable convolution does the
one after the other, for 1/N + 1/K² of the multiply-adds (section 3.1; N is the output channels).
"""

from npnets.blocks import conv_norm_act, depthwise_norm_act
from npnets.init import initialize
from npnets.layers import GlobalAvgPool, Linear, ReLU, ReLU6, Sequential
from npnets.nets.arguments import check_classes, check_width

# Table 1: the channels and the stride of each depthwise separable layer. The last row is printed
# with stride 2, but its input and its output are both 7 × 7.
TABLE_1 = (
    #  c   s
    (  64, 1),
    ( 128, 2),
    ( 128, 1),
    ( 256, 2),
    ( 256, 1),
    ( 512, 2),
    ( 512, 1),
    ( 512, 1),
    ( 512, 1),
    ( 512, 1),
    ( 512, 1),
    (1024, 2),
    (1024, 1),
)  # fmt: skip


def separable_unit(in_channels, out_channels, stride, act=ReLU):
    """Return a depthwise separable convolution: figure 3, right."""
    return Sequential(
        depthwise=depthwise_norm_act(in_channels, stride=stride, act=act),
        pointwise=conv_norm_act(in_channels, out_channels, act=act),
    )


class MobileNetV1(Sequential):
    """MobileNet v1: images (N, in_channels, H, W) -> logits (N, num_classes), for any H and W.

    width_mult is alpha of section 3.3: each layer has alpha times the channels of table 1, and
    at least 8. With small_images the stem keeps the size, for images of 32 × 32. The paper's
    text says ReLU, its published code ReLU6: `relu6` chooses. rng is a seed or a Generator.
    """

    def __init__(
        self, width_mult=1.0, num_classes=1000, in_channels=3, small_images=False, rng=None,
        *, relu6=False,
    ):  # fmt: skip
        check_width(width_mult)
        check_classes(num_classes, in_channels)
        act = ReLU6 if relu6 else ReLU
        channels = self.width(32, width_mult)
        self.stem = conv_norm_act(
            in_channels, channels, 3, stride=1 if small_images else 2, act=act
        )
        for number, (c, s) in enumerate(TABLE_1, 1):
            out_channels = self.width(c, width_mult)
            setattr(self, f"unit{number}", separable_unit(channels, out_channels, s, act))
            channels = out_channels
        self.pool = GlobalAvgPool()
        self.classifier = Linear(channels, num_classes)
        initialize(self, rng)

    @staticmethod
    def width(channels, width_mult):
        """Return the channels under a width multiplier, as the published code rounds them."""
        return max(int(channels * width_mult), 8)
