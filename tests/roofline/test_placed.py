"""Predictions add up, and every operation of a network has its place."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from npnets import ShuffleNetV1, create_model, ops
from npnets.cost import summarize
from npnets.cost.trace import trace, traced
from npnets.layers import Conv2d, Layer, Linear, PointwiseConv2d, ReLU, Sequential
from npnets.roofline import measure
from npnets.roofline.ceilings import Ceilings, Level
from npnets.roofline.placed import PARTS, Pass, Times, place

NETWORKS = [
    "mobilenet_v1_x0_25", "mobilenet_v2_x0_35", "shufflenet_v1_x0_25_g3", "shufflenet_v2_x0_5",
]  # fmt: skip
ROOF = Ceilings(1e9, (Level("L2", 4096, 4e9), Level("DRAM", math.inf, 1e9)))


def calls_of(net, *shape):
    with traced(net) as calls:
        net.forward(np.ones(shape, np.float32))
    return calls


def test_placed_by_hand():
    net = Sequential(conv=PointwiseConv2d(4, 6), act=ReLU()).eval()
    calls = calls_of(net, 2, 4, 5, 3)
    times = [Times(9e-3, 7e-3, 1e-3, product=2e-3), Times(4e-3, 5e-3, 1e-3)]
    conv, act = place(calls, times, ROOF)
    assert (conv.name, conv.kind, conv.macs) == ("conv", "pointwise", 2 * 6 * 15 * 4)
    assert conv.bytes == 4 * (2 * 4 * 15 + 24 + 2 * 6 * 15)  # the weights are there once
    assert (conv.level, conv.bound, conv.predicted) == ("L2", "compute", 720 / 1e9)
    assert conv.small == 2e-3 - conv.predicted
    assert conv.cold == pytest.approx(2e-3)
    assert conv.rest == pytest.approx(7e-3 - 2e-3 - 1e-3)
    assert conv.intensity == 720 / conv.bytes
    assert (act.macs, act.bytes, act.bound) == (0, 4 * 2 * 2 * 6 * 15, "memory")
    assert (act.predicted, act.small, act.intensity) == (act.bytes / 4e9, 0, 0)
    assert act.cold == pytest.approx(-1e-3)
    for k in (conv, act):
        assert sum(getattr(k, part) for part in PARTS) == pytest.approx(k.measured)


def test_sums_of_a_pass():
    net = ShuffleNetV1(0.25, num_classes=5, rng=0).eval()
    calls = calls_of(net, 1, 3, 64, 64)
    rng = np.random.default_rng(0)
    times = [Times(*rng.uniform(1, 2, 3), product=None) for _ in calls]
    found = Pass("", place(calls, times, ROOF), whole=500.0)
    assert len(found.layers) == len(calls) == found.total.count
    assert found.total.measured == pytest.approx(sum(t.measured for t in times))
    groups = found.by_kind()
    for name in (*PARTS, "measured", "count", "share_of_macs"):
        total = getattr(found.total, name)
        assert sum(getattr(group, name) for group in groups) == pytest.approx(total)
    assert found.total.share_of_macs == 1
    assert found.between == pytest.approx(500 - found.total.measured)
    explained = found.total.predicted
    assert found.unexplained == pytest.approx(500 - explained)
    unexplained = sum(getattr(found.total, part) for part in PARTS[1:]) + found.between
    assert found.unexplained == pytest.approx(unexplained)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("folded", [False, True])
def test_every_operation_of_a_network_is_placed(name, folded):
    net = create_model(name, num_classes=5, rng=0).eval()
    net = net.fold() if folded else net
    x = np.zeros((1, 3, 32, 32), np.float32)
    found = measure.measure(net, x, ROOF, seconds=1e-9, title="tiny")
    rows = summarize(net, (3, 32, 32)).rows
    for layer, row in zip(found.layers, rows, strict=True):
        assert (layer.name, layer.kind) == (row.name, row.kind)
        assert (layer.macs, layer.bytes) == (row.macs, row.bytes)
        assert layer.predicted == ROOF.predict(row.macs, row.bytes)[0] > 0
        assert layer.measured > 0
        assert layer.calling > 0
    assert found.whole > 0
    assert found.title == "tiny"


def test_what_networks_call_can_be_called_with_nothing_to_do():
    for name in NETWORKS:
        net = create_model(name, rng=0)
        assert {call.op for call in trace(net, (3, 64, 64))} <= set(measure._CASES)
    for op, case in measure._CASES.items():
        told = []
        with ops.op.watch(lambda name, *_, told=told: told.append(name)):
            case()
        assert told == [op]


def test_times_are_medians_in_place_and_wholes_are_not_watched(monkeypatch):
    """A clock that moves by one with every look: an operation takes 1, and so does a pass."""
    ticks = iter(range(10**6))
    clock = SimpleNamespace(perf_counter=lambda: next(ticks))
    monkeypatch.setattr(ops.op, "time", clock)
    monkeypatch.setattr(measure, "time", clock)
    net = Sequential(conv=PointwiseConv2d(4, 6), act=ReLU()).eval()
    found = measure.measure(net, np.zeros((1, 4, 2, 2), np.float32), ROOF, seconds=5)
    assert [layer.measured for layer in found.layers] == [1, 1]
    assert [layer.calling for layer in found.layers] == [1, 1]
    assert found.whole == 1
    assert found.between == -1


def test_a_layer_that_cannot_be_watched_is_between_the_operations():
    class Doubling(Layer):
        def forward(self, x):
            return 2 * x

    net = Sequential(double=Doubling(), act=ReLU()).eval()
    found = measure.measure(net, np.zeros((1, 4, 2, 2), np.float32), ROOF, seconds=1e-9)
    assert [layer.name for layer in found.layers] == ["act"]


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Conv2d(4, 6, 3, stride=2, padding=1, groups=2), (2, 4, 7, 5)),
        (PointwiseConv2d(4, 6), (3, 4, 7, 5)),
        (PointwiseConv2d(4, 6, groups=2), (1, 4, 7, 5)),
        (Linear(4, 6), (3, 4)),
    ],
    ids=repr,
)
def test_the_product_has_as_many_multiply_adds_as_the_layer(monkeypatch, layer, shape):
    products = []
    matmul = np.matmul

    def noted(a, b, out=None):
        y = matmul(a, b, out=out)
        products.append(y.size * a.shape[-1])
        return y

    (call,) = calls_of(layer.eval(), *shape)
    monkeypatch.setattr(measure.np, "matmul", noted)
    assert measure.product_seconds(call) > 0
    assert set(products) == {call.result.size * layer.weight.value[0].size}
