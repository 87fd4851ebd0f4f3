"""megvii: the ShuffleNets of their authors. Source: github.com/megvii-model/ShuffleNet-Series,
ShuffleNetV1 and ShuffleNetV2, network.py and blocks.py.

The networks are the papers', but channels are shuffled in the other direction and at another
place. Let s deal C channels out as the paper does, and r as the published code does,

    s:  n (g c) h w -> n (c g) h w        r:  n (c g) h w -> n (g c) h w

with g groups of c = C/g channels: r is the inverse of s, and it is s with c groups.

ShuffleNet v1.  The paper shuffles before the depthwise convolution, the code after it and its
batch norm. These treat each channel for itself, so that both orders are the same if filter k of
npnets is the one whose channel r brings to k:

    ours:    compress ── r ── depthwise' ── expand          depthwise'[k] = depthwise[order[k]]
    theirs:  compress ── depthwise ── r ── expand           order = r(0, 1, …, C−1)

The direction stays r. For s, filters would have to move so that each group of `expand` gets as
many channels from each group of `compress` as before, for only within groups may they move. With
8 groups of 12 channels that cannot be: from the 8 groups of `compress`, s gives each group of
`expand` 2 2 2 2 1 1 1 1 channels or 1 1 1 1 2 2 2 2, r gives it 2 1 2 1 2 1 2 1 or the reverse.

ShuffleNet v2.  A unit of stride 1 there begins with r and the split, and no unit ends with a
shuffle. So r stands between any two units of a stage, and between stages there is none:

    ours:    concat ── r ── split … concat ── r ── split … concat ── (next stage)

Here, too, s will not do. Of the 116 channels that the first unit makes at 1x, 24 come from the
shortcut (the code leaves inp channels there, and makes oup − inp in the branch). r hands every
second one of them, 12, to the next unit's shortcut; s hands it the first half of either half of
the channels, and with it all 24.
"""

import numpy as np

from npnets.layers import ChannelShuffle, ConcatShuffle
from npnets.nets import ShuffleNetV1, ShuffleNetV2
from npnets.weights.preprocessing import MEGVII
from npnets.weights.source import UNIT, Source, table

# branch_main_1 are compress, ReLU (2) and depthwise; branch_main_2 is expand.
SHUFFLENET_V1 = table("""
    npnets                               megvii
    stem.conv                            first_conv.0
    stem.norm                            first_conv.1
    *.branch.compress.conv               features.{n-1}.branch_main_1.0
    *.branch.compress.norm               features.{n-1}.branch_main_1.1
    *.branch.depthwise.conv              features.{n-1}.branch_main_1.3
    *.branch.depthwise.norm              features.{n-1}.branch_main_1.4
    *.branch.expand.conv                 features.{n-1}.branch_main_2.0
    *.branch.expand.norm                 features.{n-1}.branch_main_2.1
    classifier                           classifier.0
""")

SHUFFLENET_V2 = table("""
    npnets                               megvii
    stem.conv                            first_conv.0
    stem.norm                            first_conv.1
    *.shortcut.depthwise.conv            features.{n-1}.branch_proj.0
    *.shortcut.depthwise.norm            features.{n-1}.branch_proj.1
    *.shortcut.pointwise.conv            features.{n-1}.branch_proj.2
    *.shortcut.pointwise.norm            features.{n-1}.branch_proj.3
    *.branch.pointwise1.conv             features.{n-1}.branch_main.0
    *.branch.pointwise1.norm             features.{n-1}.branch_main.1
    *.branch.depthwise.conv              features.{n-1}.branch_main.3
    *.branch.depthwise.norm              features.{n-1}.branch_main.4
    *.branch.pointwise2.conv             features.{n-1}.branch_main.5
    *.branch.pointwise2.norm             features.{n-1}.branch_main.6
    head.conv                            conv_last.0
    head.norm                            conv_last.1
    classifier                           classifier.0
""")


def shuffle_back_v1(net):
    """Turn the direction of the shuffles of ShuffleNet v1."""
    for unit in units(net).values():
        inside = unit.branch.depthwise.conv.weight.value.shape[0]
        unit.branch.shuffle = ChannelShuffle(inside // unit.branch.shuffle.groups)


def depthwise_orders(net):
    """Return where the channels of each depthwise layer lie in megvii's: r(0, 1, …, C−1)."""
    orders = {}
    for path, unit in units(net).items():
        inside = unit.branch.depthwise.conv.weight.value.shape[0]
        order = np.arange(inside).reshape(unit.branch.shuffle.groups, -1).T.ravel()
        orders |= {f"{path}.branch.depthwise.{layer}": order for layer in ("conv", "norm")}
    return orders


def shuffle_back_v2(net):
    """Turn the direction of the shuffles of ShuffleNet v2, and take away the last of a stage."""
    for stage in (net.stage2, net.stage3, net.stage4):
        *inner, last = stage
        channels = 2 * last.half
        for unit in inner:
            unit.shuffle = ConcatShuffle(channels // 2, unit.shuffle.channels)
        last.shuffle = ConcatShuffle(1, last.half)  # of one group: as it is


def units(net):
    """Return {path: unit} of all units of a network."""
    return {path: layer for path, layer in net.layers().items() if UNIT.fullmatch(path)}


SOURCES = (
    Source(
        "megvii",
        ShuffleNetV1,
        SHUFFLENET_V1,
        MEGVII,
        changes={"the shuffle is the inverse of the paper's": shuffle_back_v1},
        absent=("classifier.bias",),
        orders=depthwise_orders,
    ),
    Source(
        "megvii",
        ShuffleNetV2,
        SHUFFLENET_V2,
        MEGVII,
        changes={"the shuffle is the paper's inverse, within stages only": shuffle_back_v2},
        absent=("classifier.bias",),
    ),
)
