"""What each operation is, in words, and what share of a network each kind has."""

import pytest
from smallest import NETWORKS, networks

from npnets.cost import summarize
from npnets.cost.kinds import KINDS
from npnets.layers import (
    AvgPool2d,
    BatchNorm,
    ChannelShuffle,
    Conv2d,
    DepthwiseConv2d,
    GlobalAvgPool,
    PointwiseConv2d,
    ReLU,
    Sequential,
)

KINDS_OF = [
    (Conv2d(4, 4, 3), "convolution"),
    (Conv2d(4, 4, 3, groups=2), "convolution"),
    (Conv2d(4, 4, 3, groups=4), "depthwise"),
    (DepthwiseConv2d(4, 3), "depthwise"),
    (Conv2d(4, 6, 1, stride=2), "pointwise"),
    (PointwiseConv2d(4, 6), "pointwise"),
    (PointwiseConv2d(1, 1), "pointwise"),
    (PointwiseConv2d(4, 6, groups=2), "grouped pointwise"),
    (BatchNorm(4), "batch norm"),
    (ReLU(), "activation"),
    (AvgPool2d(2), "pool"),
    (GlobalAvgPool(), "pool"),
    (ChannelShuffle(2), "shuffle"),
    (Sequential(stem=Conv2d(4, 4, 3)), "stem"),
    (Sequential(stem=Sequential(conv=PointwiseConv2d(4, 4))), "stem"),
    (Sequential(stem=ReLU()), "activation"),
]


@pytest.mark.parametrize(("layer", "kind"), KINDS_OF, ids=[repr(k) for k, _ in KINDS_OF])
def test_kinds_in_words(layer, kind):
    x_shape = (layer.weight.value.shape[1] * layer.groups,) if hasattr(layer, "weight") else (4,)
    (row,) = summarize(layer, (*x_shape, 5, 5))
    assert row.kind == kind
    assert kind in KINDS


def test_the_kinds_of_each_network():
    common = {"stem", "pointwise", "depthwise", "fully connected", "batch norm", "activation"}
    more = {"add", "concat", "grouped pointwise", "shuffle"}
    for (network, options), others in zip(
        NETWORKS, [set(), {"add"}, more, {"shuffle"}], strict=True
    ):
        shares = summarize(network(**options, rng=0), (3, 64, 64)).by_kind()
        assert {share.kind for share in shares} == common | others | {"pool"}
        order = [KINDS.index(share.kind) for share in shares]
        assert order == sorted(order)


@networks
def test_kinds_share_the_network_among_them(network, options):
    total = summarize(network(**options, rng=0), (3, 64, 64))
    shares = total.by_kind()
    for count in ("params", "macs", "elements"):
        assert sum(getattr(share, count) for share in shares) == getattr(total, count)
        ratios = [getattr(share, f"share_of_{count}") for share in shares]
        assert sum(ratios) == pytest.approx(1)
        (depthwise,) = (share for share in shares if share.kind == "depthwise")
        exact = sum(getattr(r, count) for r in total if r.kind == "depthwise")
        assert getattr(depthwise, f"share_of_{count}") == exact / getattr(total, count)
    assert sum(share.rows for share in shares) == len(total)
    assert total.of_kind("stem", "pointwise").macs == sum(
        row.macs for row in total if row.kind in ("stem", "pointwise")
    )


def test_a_kind_that_there_is_not():
    with pytest.raises(ValueError, match=r"kinds must be of stem, convolution, .*; got conv"):
        summarize(Conv2d(3, 4, 3), (3, 8, 8)).of_kind("conv", "stem")


def test_a_summary_of_nothing_that_multiplies():
    total = summarize(ReLU(), (3, 8, 8))
    (share,) = total.by_kind()
    assert (total.intensity, share.intensity, share.share_of_macs) == (0, 0, 0)
    assert share.share_of_elements == 1
