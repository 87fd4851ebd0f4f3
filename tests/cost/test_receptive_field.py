"""Receptive fields: counted, against what a change of one row of the image really reaches."""

import numpy as np
import pytest

from npnets import MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2, ops
from npnets.cost.receptive_field import Field, receptive_fields
from npnets.cost.trace import traced
from npnets.init import initialize
from npnets.layers import (
    AvgPool2d,
    Conv2d,
    DepthwiseConv2d,
    GlobalAvgPool,
    Layer,
    Linear,
    MaxPool2d,
    PointwiseConv2d,
    ReLU,
    Sequential,
)
from npnets.nets.mobilenet_v2 import InvertedResidual
from npnets.nets.shufflenet_v1 import ShuffleUnit
from npnets.nets.shufflenet_v2 import DownUnit, SplitUnit


class TwoWays(Layer):
    """One way looks up, the other down."""

    def __init__(self):
        self.up = Conv2d(8, 8, 3, padding=(2, 0, 1, 1))
        self.down = Conv2d(8, 8, 3, padding=(0, 2, 1, 1))

    def forward(self, x):
        return ops.add(self.up.forward(x), self.down.forward(x))


NETS = {
    "conv": Sequential(a=Conv2d(8, 8, 3, padding=1), b=Conv2d(8, 8, 3, stride=2, padding=1)),
    "no padding": Sequential(a=Conv2d(8, 8, 5, stride=2), b=Conv2d(8, 8, 2)),
    "one side": Sequential(a=Conv2d(8, 8, 3, stride=2, padding=(0, 1, 1, 0)), b=Conv2d(8, 8, 3)),
    "same": Sequential(
        a=Conv2d(8, 8, 3, stride=2, padding="same"),
        b=MaxPool2d(3, stride=2, padding="same"),
        c=DepthwiseConv2d(8, 3, padding="same"),
    ),
    "pools": Sequential(
        a=AvgPool2d(3, stride=2, padding=1),
        b=DepthwiseConv2d(8, 3, padding=1),
        c=MaxPool2d(3, stride=2, padding=1),
    ),
    "pointwise": Sequential(a=PointwiseConv2d(8, 8), b=Conv2d(8, 8, 1, stride=2)),
    "inverted residual": Sequential(
        a=InvertedResidual(8, 8, stride=1, expansion=6),
        b=InvertedResidual(8, 8, stride=2, expansion=6),
        c=InvertedResidual(8, 8, stride=1, expansion=6),
    ),
    "shuffle units": Sequential(
        a=ShuffleUnit(8, 16, stride=2, groups=2), b=ShuffleUnit(16, 16, stride=1, groups=2)
    ),
    "split units": Sequential(a=DownUnit(8, 16), b=SplitUnit(16), c=SplitUnit(16)),
    "two ways": Sequential(a=TwoWays(), b=Conv2d(8, 8, 3, padding=1)),
    "to the end": Sequential(
        a=Conv2d(8, 8, 3, stride=2, padding=1), pool=GlobalAvgPool(), classifier=Linear(8, 3)
    ),
}  # fmt: skip


def reached(net, H):
    """Return, for each operation, which rows of the image change which rows of its result.

    Image r of a batch is that of all others, but for row r.
    """
    rng = np.random.default_rng(0)
    x = np.repeat(rng.uniform(0.01, 0.02, (1, 8, H, H)), H + 1, axis=0)
    for r in range(H):
        x[r, :, r] += rng.uniform(1, 2, (8, H))
    with ops.use_kernels(False), traced(net) as calls:
        net.forward(x)
    changes = []
    for call in calls:
        y = call.result if call.result.ndim == 4 else call.result[:, :, None, None]
        changes.append((y[:-1] != y[-1]).any(axis=(1, 3)))  # (row of the image, row of y)
    return changes


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("H", [21, 24])
def test_counted_is_measured(name, H):
    net = initialize_positive(NETS[name])
    fields, changes = receptive_fields(net, (8, H, H)), reached(net, H)
    assert len(fields) == len(changes) > 0
    for field, change in zip(fields, changes, strict=True):
        for p in range(change.shape[1]):
            first = field.start + p * field.jump
            expected = [r for r in range(first, first + field.size) if 0 <= r < H]
            assert np.flatnonzero(change[:, p]).tolist() == expected


@pytest.mark.parametrize("H", [21, 24])
def test_between_the_rows_of_a_dilated_filter_are_holes(H):
    net = Sequential(a=Conv2d(8, 8, 3, dilation=3), b=AvgPool2d(2, stride=3))
    dilated, pooled = reached(initialize_positive(net), H)
    assert np.flatnonzero(dilated[:, 2]).tolist() == [2, 5, 8]
    assert np.flatnonzero(pooled[:, 1]).tolist() == [3, 4, 6, 7, 9, 10]
    assert receptive_fields(net, (8, H, H)) == [Field("a", 7, 1, 0), Field("b", 8, 3, 0)]


def initialize_positive(net):
    """Return a copy whose weights are positive: no ReLU hides a change."""
    initialize(net, 0)
    net = net.astype(np.float64).eval()
    state = net.state()
    for name, array in state.items():
        if name.endswith(".weight") or name == "weight":
            state[name] = np.abs(array) + 1e-3
    for name in state:
        if name.endswith("running_var"):
            state[name] = np.full_like(state[name], 100)  # so that all stays below 6
    return net.load_state(state)


def test_by_hand():
    fields = receptive_fields(NETS["conv"], (8, 9, 9))
    assert fields == [Field("a", 3, 1, -1), Field("b", 5, 2, -2)]


@pytest.mark.parametrize(
    ("network", "size"),
    [(MobileNetV1, 315), (MobileNetV2, 491), (ShuffleNetV1, 527), (ShuffleNetV2, 527)],
)
def test_the_last_maps_of_the_networks_see_more_than_the_image(network, size):
    """315 and 491 are published, too: Araujo et al., doi:10.23915/distill.00021."""
    fields = receptive_fields(network(rng=0), (3, 224, 224))
    *_, last, pool, classifier = fields
    assert (last.size, last.jump) == (size, 32)
    assert (pool.size, pool.jump) == (size + 6 * 32, 0)
    assert (classifier.size, classifier.jump) == (pool.size, 0)


def test_what_is_not_known():
    class Own(Layer):
        def forward(self, x):
            return x[:, :, ::2]

    class Around(Layer):
        def __init__(self):
            self.act = ReLU()

        def forward(self, x):
            return self.act.forward(x + 1)

    for net in (Own(), Around()):
        with pytest.raises(ValueError, match="what it sees cannot be told"):
            receptive_fields(net, (4, 6, 6))
