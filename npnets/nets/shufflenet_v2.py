"""ShuffleNet v2: Ma et al., "ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture
Design", arXiv:1807.11164.

Half of the channels pass through a unit untouched. The other half goes through three convolutions
of equal width; both are concatenated, not added, and shuffled. So the unit keeps the paper's four
guidelines: equal widths, no groups, no fragments, few element-wise operations.
"""

from npnets import ops
from npnets.blocks import conv_norm_act, depthwise_norm_act
from npnets.init import initialize
from npnets.layers import (
    ConcatShuffle,
    GlobalAvgPool,
    Layer,
    Linear,
    MaxPool2d,
    Sequential,
)
from npnets.nets.arguments import check_classes, check_column, check_widths

# Table 5: the output channels of each stage, and how many units a stage has.
TABLE_5 = {
    #      stem  stage2  stage3  stage4  head
    0.5:   (24,      48,     96,    192, 1024),
    1.0:   (24,     116,    232,    464, 1024),
    1.5:   (24,     176,    352,    704, 1024),
    2.0:   (24,     244,    488,    976, 2048),
}  # fmt: skip
REPEATS = 4, 8, 4


class SplitUnit(Layer):
    """Figure 3 (c): the stride is 1, and the channels are split.

    x ── split ──┬── shortcut: as it is ─────────────────────┬── concat ── shuffle ── y
                 └── pointwise1 ── depthwise ── pointwise2 ──┘
    """

    def __init__(self, channels):
        if channels % 2:
            raise ValueError(f"channels must be even to be split in half, got {channels}")
        self.half = channels // 2
        self.branch = three_convolutions(self.half, self.half, self.half, stride=1)
        self.shuffle = ConcatShuffle(2, self.half)

    def forward(self, x):
        shortcut, branch = x[:, : self.half], x[:, self.half :]  # views: nothing is copied
        return self.shuffle.forward(shortcut, self.branch.forward(branch))

    def backward(self, dy):
        dshortcut, dbranch = self.shuffle.backward(dy)
        return ops.concat(dshortcut, self.branch.backward(dbranch))


class DownUnit(Layer):
    """Figure 3 (d): the stride is 2, both ways get all channels, and a convolution each.

        x ──┬── shortcut: depthwise ── pointwise ──────────────┬── concat ── shuffle ── y
            └── branch: pointwise1 ── depthwise ── pointwise2 ─┘

    The paper does not say how many channels each way makes. Its published code leaves the
    shortcut as wide as it came, and its counts fit only that reading; `equal_ways` gives half to
    each, as torchvision does. Where the width doubles, both are the same.
    """

    def __init__(self, in_channels, out_channels, *, equal_ways=False):
        self.kept = out_channels // 2 if equal_ways else in_channels
        self.shortcut = Sequential(
            depthwise=depthwise_norm_act(in_channels, stride=2, act=None),
            pointwise=conv_norm_act(in_channels, self.kept),
        )
        made = out_channels - self.kept
        self.branch = three_convolutions(in_channels, out_channels // 2, made, stride=2)
        self.shuffle = ConcatShuffle(2, self.kept)

    def forward(self, x):
        return self.shuffle.forward(self.shortcut.forward(x), self.branch.forward(x))

    def backward(self, dy):
        dshortcut, dbranch = self.shuffle.backward(dy)
        return ops.add(self.shortcut.backward(dshortcut), self.branch.backward(dbranch))


def three_convolutions(in_channels, inside, out_channels, *, stride):
    """Return the branch of both units. A ReLU follows the pointwise convolutions only."""
    return Sequential(
        pointwise1=conv_norm_act(in_channels, inside),
        depthwise=depthwise_norm_act(inside, stride=stride, act=None),
        pointwise2=conv_norm_act(inside, out_channels),
    )


class ShuffleNetV2(Sequential):
    """ShuffleNet v2: images (N, in_channels, H, W) -> logits (N, num_classes), for any H and W.

    width_mult is 0.5, 1, 1.5 or 2: the columns of table 5. With small_images the stem keeps the
    size and there is no max pooling, for images of 32 × 32. `equal_ways`: see DownUnit. rng is a
    seed or a Generator. `widths`, a column of its own, may take the place of one of table 5, for
    what others have published.
    """

    def __init__(
        self, width_mult=1.0, num_classes=1000, in_channels=3, small_images=False, rng=None,
        *, widths=None, equal_ways=False,
    ):  # fmt: skip
        check_column("width_mult", width_mult, TABLE_5)
        check_classes(num_classes, in_channels)
        channels, *stages, head_channels = check_widths(widths, 5) or TABLE_5[width_mult]
        self.stem = conv_norm_act(in_channels, channels, 3, stride=1 if small_images else 2)
        if not small_images:
            self.max_pool = MaxPool2d(3, stride=2, padding=1)
        for number, c, n in zip((2, 3, 4), stages, REPEATS, strict=True):
            units = {"unit1": DownUnit(channels, c, equal_ways=equal_ways)}
            units |= {f"unit{unit}": SplitUnit(c) for unit in range(2, n + 1)}
            setattr(self, f"stage{number}", Sequential(**units))
            channels = c
        self.head = conv_norm_act(channels, head_channels)
        self.pool = GlobalAvgPool()
        self.classifier = Linear(head_channels, num_classes)
        initialize(self, rng)
