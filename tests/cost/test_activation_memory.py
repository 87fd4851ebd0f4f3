"""Memory of activations: the numbers of MobileNet v2's section 5.1, and what Python holds."""

import weakref

import numpy as np
import pytest
from smallest import networks

from npnets import MobileNetV1, MobileNetV2, ShuffleNetV1, ops
from npnets.cost import memory
from npnets.cost.trace import memory_of
from npnets.layers import BatchNorm, Conv2d, Layer, PointwiseConv2d, ReLU, Sequential
from npnets.nets.mobilenet_v2 import InvertedResidual
from npnets.nets.shufflenet_v1 import ShuffleUnit
from npnets.nets.shufflenet_v2 import DownUnit, SplitUnit
from npnets.ops.op import watch

IMAGE = 3, 224, 224
UNITS = InvertedResidual, ShuffleUnit, SplitUnit, DownUnit


class Shortcut(Layer):
    """x -> relu(conv(x)) + x"""

    def __init__(self, channels):
        self.branch = Sequential(conv=PointwiseConv2d(4, channels), act=ReLU())
        self.join = PointwiseConv2d(channels, 4)

    def forward(self, x):
        return ops.add(x, self.join.forward(self.branch.forward(x)))


def test_a_shortcut_by_hand():
    found = memory.inference(Shortcut(10), (4, 3, 2))
    steps = [(s.name, s.inputs // 6, s.outputs // 6, s.alive // 6) for s in found.steps]
    assert steps == [
        ("branch.conv", 4, 10, 14),
        ("branch.act", 10, 10, 24),  # and x, which waits
        ("join", 10, 4, 18),
        ("add", 8, 4, 12),
    ]
    assert (found.largest, found.alive, found.held) == (20 * 6, 24 * 6, 24 * 6)


def test_what_is_read_no_more_is_gone():
    net = Sequential(first=Conv2d(4, 2, 1), second=Conv2d(2, 8, 1), third=Conv2d(8, 1, 1))
    steps = memory.inference(net, (4, 1, 1)).steps
    assert [step.alive for step in steps] == [4 + 2, 2 + 8, 8 + 1]
    # the argument of net.forward stays until net.forward returns
    assert [step.held for step in steps] == [4 + 2, 4 + 2 + 8, 4 + 8 + 1]


def test_a_result_that_nobody_reads():
    class Wasteful(Layer):
        def forward(self, x):
            a, b = ops.split(x, 1)
            return ops.relu(b)

    split, relu = memory.inference(Wasteful(), (4, 1, 1)).steps
    assert (split.inputs, split.outputs, split.alive) == (4, 4, 8)
    assert (relu.inputs, relu.outputs, relu.alive) == (3, 3, 6)


@networks
@pytest.mark.parametrize("folded", [False, True])
def test_held_is_what_python_holds(network, options, folded):
    """After each operation of a real pass: all arrays of images that are there."""
    net = network(**options, num_classes=5, rng=0).eval()
    net = net.fold() if folded else net
    x = np.zeros((2, 3, 32, 32), np.float32)
    there, held = {id(x): weakref.ref(x)}, []

    def count(name, arguments, result, seconds):
        owner = memory_of(result)
        there[id(owner)] = weakref.ref(owner)
        held.append(sum(owner().size for owner in there.values() if owner() is not None))

    with ops.use_kernels(False), ops.reuse_memory(False), watch(count):
        net.forward(x)
    steps = memory.inference(net, (3, 32, 32)).steps
    assert [2 * step.held for step in steps] == held
    assert all(step.alive <= step.held for step in steps)
    assert all(step.inputs + step.outputs <= step.alive for step in steps)


def test_section_5_1():
    """A wide tensor inside each unit: more memory than MobileNet v1, unless it is disposable."""
    v1, v2 = MobileNetV1(rng=0).fold(), MobileNetV2(rng=0).fold()
    assert memory.inference(v1, IMAGE).largest == 112 * 112 * (32 + 64) == 1204224
    assert memory.inference(v2, IMAGE).largest == 112 * 112 * 96 + 56 * 56 * 96 == 1505280
    assert memory.inference(v2, IMAGE, UNITS).largest == 112 * 112 * (32 + 16) == 602112
    for net in (v1, v2):  # a shortcut waits only where there is less than this
        assert memory.inference(net, IMAGE).alive == memory.inference(net, IMAGE).largest


# The channels of table 3, and their memory in kB of 16-bit numbers, as they should be. Printed are
# other widths: of MobileNet v2 the next stage's, of ShuffleNet those for two groups.
TABLE_3 = {
    (112, 112): ((64, 1605), (16, 401), (48, 1204)),
    (56, 56): ((128, 802), (24, 150), (48, 301)),
    (28, 28): ((256, 401), (32, 50), (480, 752)),
    (14, 14): ((512, 200), (96, 37), (960, 376)),
    (7, 7): ((1024, 100), (320, 31), (1920, 188)),
    (1, 1): ((1024, 2), (1280, 2), (1920, 3)),
}


def test_table_3():
    nets = MobileNetV1(rng=0), MobileNetV2(rng=0), ShuffleNetV1(2.0, 3, rng=0)
    found = [memory.inference(net.fold(), IMAGE, UNITS) for net in nets]
    widths = [f.widest() for f in found]
    # The paper leaves out stem and head of MobileNet v2, and all classifiers.
    assert (widths[1][112, 112], widths[1][7, 7]) == (32, 1280)
    for k, inference in enumerate(found):
        kept = [s for s in inference.steps if s.name != "classifier"]
        if k == 1:
            kept = [s for s in kept if s.name.startswith(("stage", "pool"))]
        widest = memory.Inference(kept).widest()
        for (H, W), row in TABLE_3.items():
            assert (widest[H, W], widest[H, W] * H * W * 2 // 1000) == row[k]


def test_units_that_are_joined():
    net = MobileNetV2(rng=0)
    steps = memory.inference(net, IMAGE, [InvertedResidual]).steps
    names = [step.name for step in steps]
    assert names[:4] == ["stem.conv", "stem.norm", "stem.act", "stage1.unit1"]
    assert sum(name.startswith("stage") for name in names) == 17
    (first,) = (step for step in steps if step.name == "stage2.unit2")
    assert (first.output_shape, first.inputs) == ((24, 56, 56), 24 * 56 * 56)
    assert first.inputs == first.outputs == first.alive // 2
    (whole,) = memory.inference(net, IMAGE, [MobileNetV2]).steps
    assert (whole.inputs, whole.outputs) == (3 * 224 * 224, 1000)


def test_what_training_keeps_by_hand():
    conv, norm, act = 4 * 6 * 5, 3 * 6 * 5, 3 * 6 * 5
    net = Sequential(conv=PointwiseConv2d(4, 3), norm=BatchNorm(3), act=ReLU())
    found = memory.training(net, (4, 6, 5))
    assert [(k.name, k.per_image, k.per_batch) for k in found.layers] == [
        ("conv", conv, 0),  # x
        ("norm", norm, 6),  # what came, its mean and its variance
        ("act", act, 0),  # y
    ]
    assert found.elements(batch=7) == 7 * (conv + norm + act) + 6
    assert found.bytes(batch=7) == 4 * found.elements(batch=7)
    double = memory.training(net.astype(np.float64), (4, 6, 5))
    assert double.bytes(7) == 2 * found.bytes(7)


def test_an_array_that_two_layers_keep_counts_once():
    net = Sequential(act=ReLU(), conv=PointwiseConv2d(4, 3), last=PointwiseConv2d(3, 2))
    found = memory.training(net, (4, 1, 1))
    assert [(k.name, k.per_image) for k in found.layers] == [("act", 4), ("last", 3)]


def test_half_of_an_array_keeps_all_of_it():
    (kept, *_) = memory.training(SplitUnit(4), (4, 3, 2)).layers
    assert (kept.name, kept.per_image) == ("branch.pointwise1.conv", 4 * 6)


@networks
@pytest.mark.parametrize("kernels", [False, True] if ops.op.has_numba else [False])
def test_training_keeps_what_is_there_after_forward(network, options, kernels):
    net = network(**options, num_classes=5, rng=0)
    with ops.use_kernels(kernels), ops.reuse_memory(False):
        found = memory.training(net, (3, 64, 64))
        x = np.zeros((3, 3, 64, 64), np.float32)
        there = {id(x): x}

        def note(name, arguments, result, seconds):
            results = result if isinstance(result, tuple) else (result,)
            there.update(
                (id(memory_of(array)), weakref.ref(memory_of(array))) for array in results
            )

        with watch(note):
            net.forward(x)
    owners = [x, *(ref() for ref in there.values() if ref is not x)]
    assert sum(owner.size for owner in owners if owner is not None) == found.elements(batch=3)


@networks
def test_a_network_is_left_as_it_was_found(network, options):
    net = network(**options, num_classes=5, rng=0).eval()
    state = net.state()
    memory.training(net, (3, 64, 64))
    memory.inference(net, (3, 64, 64))
    assert all(np.array_equal(array, state[name]) for name, array in net.state().items())
    assert not any(layer.training for layer in net.layers().values())
    assert all(layer._saved is None for layer in net.layers().values())
