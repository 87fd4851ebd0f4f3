"""MobileNet v2: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
arXiv:1801.04381.

A residual block is turned inside out: the shortcut joins the narrow ends, and the depthwise
convolution works in between on t times as many channels. The narrow ends have no activation,
since in few dimensions a ReLU destroys what it cuts off (section 3.2).
"""

from npnets import ops
from npnets.blocks import conv_norm_act, depthwise_norm_act
from npnets.init import initialize
from npnets.layers import GlobalAvgPool, Layer, Linear, ReLU6, Sequential
from npnets.nets.arguments import check_classes, check_width, check_widths

# Table 2: expansion t, output channels c, repeats n, and stride s of the first of the n.
TABLE_2 = (
    # t    c  n  s
    ( 1,  16, 1, 1),
    ( 6,  24, 2, 2),
    ( 6,  32, 3, 2),
    ( 6,  64, 4, 2),
    ( 6,  96, 3, 1),
    ( 6, 160, 3, 2),
    ( 6, 320, 1, 1),
)  # fmt: skip


class InvertedResidual(Layer):
    """Table 1 and figure 4: expand, filter, project; and the input added where it fits.

    x ──┬── expand ── depthwise ── project ──(+)── y
        └──────────── shortcut ───────────────┘
    """

    def __init__(self, in_channels, out_channels, *, stride, expansion, always_expand=False):
        hidden = in_channels * expansion
        parts = {
            "expand": conv_norm_act(in_channels, hidden, act=ReLU6),
            "depthwise": depthwise_norm_act(hidden, stride=stride, act=ReLU6),
            "project": conv_norm_act(hidden, out_channels, act=None),
        }
        if expansion == 1 and not always_expand:  # the published code leaves it out
            del parts["expand"]
        self.residual = stride == 1 and in_channels == out_channels
        self.branch = Sequential(**parts)

    def forward(self, x):
        y = self.branch.forward(x)
        return ops.add(x, y) if self.residual else y

    def backward(self, dy):
        dx = self.branch.backward(dy)
        return ops.add(dy, dx) if self.residual else dx


class MobileNetV2(Sequential):
    """MobileNet v2: images (N, in_channels, H, W) -> logits (N, num_classes), for any H and W.

    width_mult scales the channels of table 2, rounded to multiples of 8; the last convolution
    keeps its 1280 channels below a multiplier of 1 (section 4). With small_images the stem keeps
    the size, for images of 32 × 32. rng is a seed or a Generator. Two options for what others
    have published: `widths`, the channels of stem, stages and head, in place of a multiplier;
    and `always_expand`, a convolution 1 × 1 before the first depthwise one too.
    """

    def __init__(
        self, width_mult=1.0, num_classes=1000, in_channels=3, small_images=False, rng=None,
        *, widths=None, always_expand=False,
    ):  # fmt: skip
        check_width(width_mult)
        check_classes(num_classes, in_channels)
        channels, *stages, head_channels = check_widths(widths, 9) or self.widths(width_mult)
        stride = 1 if small_images else 2
        self.stem = conv_norm_act(in_channels, channels, 3, stride=stride, act=ReLU6)
        for number, ((t, _, n, s), c) in enumerate(zip(TABLE_2, stages, strict=True), 1):
            units = {}
            for unit in range(1, n + 1):
                options = {"stride": s if unit == 1 else 1, "always_expand": always_expand}
                units[f"unit{unit}"] = InvertedResidual(channels, c, expansion=t, **options)
                channels = c
            setattr(self, f"stage{number}", Sequential(**units))
        self.head = conv_norm_act(channels, head_channels, act=ReLU6)
        self.pool = GlobalAvgPool()
        self.classifier = Linear(head_channels, num_classes)
        initialize(self, rng)

    @staticmethod
    def widths(width_mult):
        """Return the channels of stem, stages and head under a width multiplier."""
        stages = (make_divisible(c * width_mult) for _, c, _, _ in TABLE_2)
        head_channels = make_divisible(1280 * max(1.0, width_mult))
        return make_divisible(32 * width_mult), *stages, head_channels


def make_divisible(channels, divisor=8):
    """Return the nearest multiple of `divisor`, but never less than 90 % of `channels`."""
    nearest = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return nearest if nearest >= 0.9 * channels else nearest + divisor
