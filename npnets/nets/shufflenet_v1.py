"""ShuffleNet: Zhang et al., "ShuffleNet: An Extremely Efficient Convolutional Neural Network for
Mobile Devices", arXiv:1707.01083.

In a small residual unit the 1 × 1 convolutions cost nearly everything. Here they are grouped, and
a shuffle between them lets information cross from group to group.
"""

from npnets import ops
from npnets.blocks import conv_norm_act, depthwise_norm_act
from npnets.init import initialize
from npnets.layers import (
    AvgPool2d,
    ChannelShuffle,
    GlobalAvgPool,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
)
from npnets.nets.arguments import check_classes, check_column, check_widths

# Table 1: the output channels of each stage, for g groups, and how many units a stage has.
TABLE_1 = {
    # g   stage2  stage3  stage4
    1:   (144,    288,     576),
    2:   (200,    400,     800),
    3:   (240,    480,     960),
    4:   (272,    544,    1088),
    8:   (384,    768,    1536),
}  # fmt: skip
REPEATS = 4, 8, 4

# The first convolution of the scaled networks is not printed. The published code has 24 channels
# at 1.5x too, and twice as many at 2x: only so do its 292 and 524 million multiply-adds come out.
# It has no 0.25x, which halves again here; 12 channels would come nearer to the printed 13.
STEM = {0.25: 6, 0.5: 12, 1.0: 24, 1.5: 24, 2.0: 48}


class ShuffleUnit(Layer):
    """Figure 2 (b), stride 1, and (c), stride 2.

        x ──┬── compress ── shuffle ── depthwise ── expand ──(+)── ReLU ── y
            └────────── shortcut: x, or its average ──────────┘

    The branch has a quarter of the output channels inside. Where the stride is 1 the shortcut
    is x, and it is added; where the stride is 2 the shortcut is a pooled x, and the branch is
    concatenated to it, so that it need only make the channels that are new.
    """

    def __init__(self, in_channels, out_channels, *, stride, groups, first_groups=None):
        self.concat = stride == 2
        made = out_channels - in_channels if self.concat else out_channels
        inside = out_channels // 4
        compress_groups = groups if first_groups is None else first_groups
        if self.concat:
            self.shortcut = AvgPool2d(3, stride=2, padding=1)
        self.branch = Sequential(
            compress=conv_norm_act(in_channels, inside, groups=compress_groups),
            shuffle=ChannelShuffle(groups),
            depthwise=depthwise_norm_act(inside, stride=stride, act=None),
            expand=conv_norm_act(inside, made, groups=groups, act=None),
        )
        self.in_channels = in_channels
        self.act = ReLU()

    def forward(self, x):
        if self.concat:
            y = ops.concat(self.shortcut.forward(x), self.branch.forward(x))
        else:
            y = ops.add(x, self.branch.forward(x))
        return self.act.forward(y)

    def backward(self, dy):
        dy = self.act.backward(dy)
        if self.concat:
            dshortcut, dbranch = ops.split(dy, self.in_channels)
            return ops.add(self.shortcut.backward(dshortcut), self.branch.backward(dbranch))
        return ops.add(dy, self.branch.backward(dy))


class ShuffleNetV1(Sequential):
    """ShuffleNet v1: images (N, in_channels, H, W) -> logits (N, num_classes), for any H and W.

    scale is 0.25, 0.5, 1, 1.5 or 2, groups 1, 2, 3, 4 or 8: stages have `scale` times the
    channels of table 1, rounded up to a multiple of 4·groups so that each group of each layer
    is whole. With small_images the stem keeps the size and there is no max pooling, for images
    of 32 × 32. rng is a seed or a Generator. `widths`, the channels of stem and stages, may take
    the place of a scale, for what others have published.
    """

    def __init__(
        self, scale=1.0, groups=3, num_classes=1000, in_channels=3, small_images=False, rng=None,
        *, widths=None,
    ):  # fmt: skip
        check_column("scale", scale, STEM)
        check_column("groups", groups, TABLE_1)
        check_classes(num_classes, in_channels)
        channels, *stages = check_widths(widths, 4) or self.widths(scale, groups)
        self.stem = conv_norm_act(in_channels, channels, 3, stride=1 if small_images else 2)
        if not small_images:
            self.max_pool = MaxPool2d(3, stride=2, padding=1)
        for number, c, n in zip((2, 3, 4), stages, REPEATS, strict=True):
            units = {}
            for unit in range(1, n + 1):
                units[f"unit{unit}"] = ShuffleUnit(
                    channels,
                    c,
                    stride=2 if unit == 1 else 1,
                    groups=groups,
                    # the stem's channels are too few to be grouped (table 1)
                    first_groups=1 if number == 2 and unit == 1 else None,
                )
                channels = c
            setattr(self, f"stage{number}", Sequential(**units))
        self.pool = GlobalAvgPool()
        self.classifier = Linear(channels, num_classes)
        initialize(self, rng)

    @staticmethod
    def widths(scale, groups):
        """Return the channels of stem and stages: whole groups inside of each unit, too."""
        stages = (round_up(c * scale, 4 * groups) for c in TABLE_1[groups])
        return round_up(STEM[scale], groups), *stages


def round_up(channels, divisor):
    """Return the smallest multiple of `divisor` that is not below `channels`."""
    return -(-int(channels) // divisor) * divisor
