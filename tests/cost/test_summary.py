"""Counting: each number against a slower way to count it, and a network left as it was found."""

import csv

import numpy as np
import pytest
from smallest import networks

from npnets import MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2, ops
from npnets.cost import summarize
from npnets.layers import (
    AvgPool2d,
    BatchNorm,
    Buffer,
    Conv2d,
    DepthwiseConv2d,
    GlobalAvgPool,
    Layer,
    Linear,
    Parameter,
    PointwiseConv2d,
    ReLU,
    Sequential,
)
from npnets.nets.mobilenet_v2 import InvertedResidual
from npnets.nets.shufflenet_v1 import ShuffleUnit
from npnets.nets.shufflenet_v2 import DownUnit, SplitUnit


def multiplications(layer, x_shape):
    """Run a convolution as plain loops over all that it says, and count its multiplications."""
    C, H, W = x_shape
    O, C_group, KH, KW = layer.weight.value.shape
    stride, padding, dilation = layer.window.values()
    counted = 0
    for o in range(O):
        group = o // (O // layer.groups)
        for top in range(-padding, H + padding - dilation * (KH - 1), stride):
            for left in range(-padding, W + padding - dilation * (KW - 1), stride):
                for c in range(group * C_group, (group + 1) * C_group):
                    for i, j in np.ndindex(KH, KW):
                        assert 0 <= c < C
                        assert -padding <= top + dilation * i < H + padding
                        assert -padding <= left + dilation * j < W + padding
                        counted += 1
    return counted


@pytest.mark.parametrize(
    "layer",
    [
        Conv2d(4, 6, 3),
        Conv2d(4, 6, 3, stride=2, padding=1, groups=2),
        Conv2d(4, 4, 2, stride=3, padding=1, dilation=2, groups=4),
        DepthwiseConv2d(4, 3, stride=2, padding=1),
        PointwiseConv2d(4, 6, groups=2),
        Conv2d(4, 6, 1, bias=True),  # a bias adds; it does not multiply
    ],
    ids=repr,
)
@pytest.mark.parametrize("size", [(7, 6), (8, 5)])
def test_multiply_adds_are_those_of_loops(layer, size):
    assert summarize(layer, (4, *size)).macs == multiplications(layer, (4, *size))


def test_only_convolutions_and_the_classifier_count():
    net = MobileNetV2(0.35, num_classes=7, rng=0)
    costly = {row.kind for row in summarize(net, (3, 64, 64)) if row.macs}
    assert costly == {"stem", "depthwise", "pointwise", "fully connected"}
    assert summarize(net, (3, 64, 64)).rows[-1].macs == 1280 * 7


def test_a_row_by_hand():
    (row,) = summarize(Conv2d(4, 6, 3, stride=2, padding=1, bias=True), (4, 8, 10))
    assert (row.name, row.kind, row.output_shape) == ("Conv2d", "convolution", (6, 4, 5))
    assert row.params == 6 * 4 * 3 * 3 + 6
    assert row.macs == 6 * 4 * 5 * 4 * 3 * 3
    assert (row.reads, row.writes) == (4 * 8 * 10 + row.params, 6 * 4 * 5)
    assert row.bytes == 4 * row.elements == 4 * (row.reads + row.writes)
    assert row.intensity == row.macs / row.elements


def test_bytes_follow_the_dtype():
    net = Sequential(conv=PointwiseConv2d(4, 6), act=ReLU())
    single, double = (summarize(net.astype(t), (4, 5, 5)) for t in (np.float32, np.float64))
    assert double.bytes == 2 * single.bytes
    assert double.macs == single.macs


def test_a_layer_of_two_inputs_moves_both():
    *_, row = summarize(DownUnit(3, 8), (3, 5, 6))  # 3 and 5 channels of 3 × 3 pixels are joined
    assert (row.name, row.kind, row.output_shape) == ("shuffle", "shuffle", (8, 3, 3))
    assert (row.params, row.macs) == (0, 0)
    assert row.bytes == 4 * (3 * 3 * 3 + 5 * 3 * 3 + 8 * 3 * 3)


def test_what_units_call_themselves_has_rows():
    rows = {row.name: row for row in summarize(ShuffleUnit(8, 16, stride=2, groups=2), (8, 6, 4))}
    concat = rows["concat"]  # 8 channels pooled and 8 made, of 3 × 2 pixels
    assert (concat.kind, concat.output_shape) == ("concat", (16, 3, 2))
    assert (concat.reads, concat.writes, concat.macs) == (16 * 6, 16 * 6, 0)
    act = rows["act"]
    assert (act.kind, act.reads, act.writes) == ("activation", 16 * 6, 16 * 6)
    add = summarize(InvertedResidual(4, 4, stride=1, expansion=6), (4, 3, 2)).rows[-1]
    assert (add.name, add.kind, add.reads, add.writes) == ("add", "add", 2 * 4 * 6, 4 * 6)


def test_a_split_into_views_moves_nothing_and_one_that_copies_does():
    viewed = summarize(SplitUnit(4), (4, 3, 2))
    assert {row.kind for row in viewed} == {
        "pointwise", "batch norm", "activation", "depthwise", "shuffle",
    }  # fmt: skip

    class Copying(Layer):
        def forward(self, x):
            a, b = ops.split(x, 1)
            return ops.concat(b, a)

    rows = summarize(Copying(), (4, 3, 2)).rows
    assert [(row.name, row.kind) for row in rows] == [("split", "split"), ("concat", "concat")]
    assert [(row.reads, row.writes) for row in rows] == [(24, 24), (24, 24)]
    assert rows[0].output_shape == (1, 3, 2)


def test_a_network_without_parameters():
    (row,) = summarize(AvgPool2d(2), (4, 6, 6))
    assert (row.params, row.macs, row.output_shape) == (0, 0, (4, 3, 3))


def test_batch_norm_reads_its_statistics_too():
    (row,) = summarize(BatchNorm(5), (5, 3, 2))
    assert (row.reads, row.writes) == (5 * 6 + 4 * 5, 5 * 6)
    assert (row.weights, row.params, row.values) == (0, 2 * 5, 4 * 5)


def test_a_layer_that_is_used_twice_has_its_parameters_once():
    shared = PointwiseConv2d(4, 4, bias=True)
    total = summarize(Sequential(first=shared, second=shared), (4, 3, 3))
    assert [row.params for row in total] == [20, 0]
    assert [row.weights for row in total] == [16, 0]
    assert [row.macs for row in total] == [16 * 9, 16 * 9]
    assert [row.reads for row in total] == [4 * 9 + 20] * 2


def test_a_layer_without_our_operations_has_a_row_too():
    class Doubling(Layer):
        def __init__(self):
            self.factor = Parameter(np.full((1,), 2, np.float32))

        def forward(self, x):
            return x * self.factor.value

    (row,) = summarize(Sequential(double=Doubling()), (4, 3, 2))
    assert (row.name, row.kind, row.output_shape) == ("double", "other", (4, 3, 2))
    assert (row.params, row.macs, row.writes) == (1, 0, 24)


def test_a_csv_has_every_row(tmp_path):
    total = summarize(ShuffleNetV1(0.25, rng=0), (3, 64, 64))
    total.to_csv(tmp_path / "cost.csv")
    with open(tmp_path / "cost.csv", encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["name"] for line in lines] == [row.name for row in total]
    for line, row in zip(lines, total, strict=True):
        for name in ("weights", "params", "values", "macs", "reads", "writes", "bytes"):
            assert int(line[name]) == getattr(row, name)
        assert int(line["elements"]) == row.reads + row.writes
        assert float(line["intensity"]) == pytest.approx(row.intensity, rel=1e-5)
        assert line["output_shape"] == "×".join(map(str, row.output_shape))


def test_a_picture(tmp_path):
    pytest.importorskip("matplotlib", reason='needs Matplotlib: pip install "npnets[train]"')
    summarize(ShuffleNetV2(0.5, rng=0), (3, 64, 64)).plot(tmp_path / "cost.png")
    assert (tmp_path / "cost.png").read_bytes().startswith(b"\x89PNG")


@networks
def test_totals_are_sums_of_rows_and_every_parameter_is_in_one(network, options):
    net = network(**options, num_classes=7, rng=0)
    total = summarize(net, (3, 64, 64))
    assert total.params == sum(p.value.size for p in net.parameters().values())
    buffers = sum(part.value.size for _, part in net.parts(Buffer))
    assert total.values == total.params + buffers
    norms = 2 * sum(isinstance(layer, BatchNorm) and len(layer.beta.value)
                    for layer in net.layers().values())  # fmt: skip
    assert total.weights == total.params - norms - 7
    for name in ("weights", "params", "values", "macs", "reads", "writes", "elements", "bytes"):
        assert getattr(total, name) == sum(getattr(row, name) for row in total)
    assert len(total) == len(total.rows) == len({row.name for row in total})


@networks
def test_the_rows_are_those_of_the_layers_with_and_without_kernels(network, options):
    """Kernels join norm and activation in training; the rows keep them apart."""
    net = network(**options, num_classes=7, rng=0)
    summaries = []
    for kernels in [False, True] if ops.op.has_numba else [False]:
        with ops.use_kernels(kernels):
            summaries += [summarize(net.train(), (3, 64, 64)), summarize(net.eval(), (3, 64, 64))]
    assert all(summary == summaries[0] for summary in summaries)
    layers = net.layers()
    leaves = {name for name in layers if not any(True for _ in layers[name].parts(Layer))}
    assert {"stem.conv", "stem.norm", "stem.act"} <= leaves
    others = {row.name for row in summaries[0]} - leaves
    assert {row.name for row in summaries[0]} >= leaves
    for name in others:  # what units call themselves
        unit, _, op = name.rpartition(".")
        assert op in ("add", "concat")
        assert type(layers[unit]) in (InvertedResidual, ShuffleUnit)


@networks
@pytest.mark.parametrize("training", [True, False])
def test_a_network_is_left_as_it_was_found(network, options, training):
    net = network(**options, num_classes=7, rng=0)
    x = np.random.default_rng(0).standard_normal((2, 3, 64, 64)).astype(np.float32)
    y = net.forward(x)
    net.backward(np.ones_like(y))
    net.classifier.training = not training  # even where modes are mixed
    net.stem.training = training
    modes = {name: layer.training for name, layer in net.layers().items()}
    state, grads = net.state(), {n: p.grad.copy() for n, p in net.parameters().items()}
    summarize(net, (3, 64, 64))
    assert {name: layer.training for name, layer in net.layers().items()} == modes
    assert not any("forward" in vars(layer) for layer in net.layers().values())
    assert all(np.array_equal(array, state[n]) for n, array in net.state().items())
    assert all(np.array_equal(p.grad, grads[n]) for n, p in net.parameters().items())


def test_what_forward_saved_is_still_there_afterwards():
    net = Sequential(conv=Conv2d(3, 4, 3), norm=BatchNorm(4), act=ReLU())
    y = net.forward(np.ones((2, 3, 5, 5), np.float32))
    summarize(net, (3, 8, 8))
    assert net.backward(np.ones_like(y)).shape == (2, 3, 5, 5)


def test_no_random_number_is_drawn():
    net = MobileNetV1(0.25, num_classes=7, rng=0)
    before = str(np.random.get_state())  # noqa: NPY002
    summarize(net, (3, 32, 32))
    assert str(np.random.get_state()) == before  # noqa: NPY002


@networks
def test_images_of_another_number_of_channels(network, options):
    net = network(**options, num_classes=7, rng=0)
    with pytest.raises(ValueError, match="weight must have 1 input channels per filter"):
        summarize(net, (1, 64, 64))
    assert net.training
    assert not any("forward" in vars(layer) for layer in net.layers().values())


@pytest.mark.parametrize("shape", [(64, 64), (1, 3, 64, 64), ()])
def test_the_shape_is_that_of_one_image(shape):
    with pytest.raises(ValueError, match=r"input_shape must be \(C, H, W\), got"):
        summarize(Conv2d(3, 4, 3), shape)


def test_printed_form():
    net = Sequential(conv=Conv2d(3, 64, 3), pool=AvgPool2d(2))
    lines = str(summarize(net, (3, 34, 66))).splitlines()
    assert lines[0].split("  ")[0] == "layer"
    moved = 3 * 34 * 66 + 1728 + 64 * 32 * 64
    conv = ["conv", "convolution", "64×32×64", "1,728", "3,538,944", f"{moved:,}"]
    assert lines[2].split() == [*conv, f"{3538944 / moved:.2f}"]
    assert lines[3].split() == ["pool", "pool", "64×16×32", "0", "0", "163,840", "·"]
    assert lines[-1] == (
        "Sequential on 3×34×66: 1,728 parameters (0.00 M), 3,538,944 multiply-adds (3.5 M), "
        f"{moved + 163840:,} elements moved (0.3 M)"
    )
    assert len({len(line) for line in lines[:4]}) == 1, "columns are aligned"
    kinds = lines[5:-2]
    assert kinds[2].split() == ["convolution", "1", "100.00", "%", "100.00", "%",
                                f"{100 * moved / (moved + 163840):.2f}", "%",
                                f"{3538944 / moved:.2f}"]  # fmt: skip
    assert len({len(line) for line in kinds}) == 1


def test_every_layer_is_in_the_printed_form():
    net = ShuffleNetV2(0.5, rng=0)
    printed = str(summarize(net, (3, 64, 64)))
    assert all(name in printed for name in ("stage3.unit8.branch.pointwise2.conv", "classifier"))


def test_linear_counts_its_inputs():
    net = Sequential(pool=GlobalAvgPool(), classifier=Linear(30, 7))
    pool, classifier = summarize(net, (30, 4, 4))
    assert (classifier.params, classifier.macs) == (30 * 7 + 7, 30 * 7)
    assert (pool.macs, pool.output_shape) == (0, (30,))
