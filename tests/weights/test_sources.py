"""Name maps: what the tables say, in both directions, for every source there is."""

import dataclasses

import numpy as np
import pytest

from npnets import MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2
from npnets.weights import load_arrays
from npnets.weights.kinds import kind_of
from npnets.weights.names import SOURCES
from npnets.weights.names.pytorchcv import Swap
from npnets.weights.options import SMALLEST, options_of
from npnets.weights.recognize import smallest
from npnets.weights.source import table, unit_numbers

each_source = pytest.mark.parametrize(
    "source", SOURCES, ids=lambda source: f"{source.maker} {source.network.__name__}"
)


def randomized(source, rng, **options):
    """Return a network of a source, with numbers in all its arrays but those that it lacks."""
    net = source.build(**{**SMALLEST[source.network], "num_classes": 7, **options})
    state = {name: rng.random(a.shape).astype(np.float32) for name, a in net.state().items()}
    for name in source.absent:
        state[name][:] = 0
    return net.load_state(state)


@each_source
def test_what_goes_out_under_their_names_comes_back(source):
    classes = 10 if source.maker == "chenyaofo cifar" else 7  # which has torchvision's names
    net = randomized(source, np.random.default_rng(0), num_classes=classes)
    arrays = source.to_theirs(net)
    assert {name: a.shape for name, a in arrays.items()} == source.shapes(net)

    loaded = load_arrays(arrays, source.maker)
    state, back = net.state(), loaded.state()
    assert state.keys() == back.keys()
    for name in state:
        assert np.array_equal(state[name], back[name]), name
    assert repr(loaded) == repr(net)


@each_source
def test_every_line_of_a_table_is_read(source):
    names = source.names(smallest(source))
    for line in source.rows:
        changed = dataclasses.replace(source, rows=source.rows | {line: "else"})
        assert changed.names(smallest(source)) != names, line


@each_source
def test_no_two_arrays_have_one_name(source):
    names = source.names(smallest(source))
    assert len(set(names.values())) == len(names) > 50


def test_a_table_is_lines_of_two_words():
    assert table("""
        npnets    others
        stem      first

        *.branch  block.{n}
    """) == {"stem": "first", "*.branch": "block.{n}"}
    with pytest.raises(ValueError, match="has length 3; 2 is required"):
        table("npnets others\nstem first second")


def test_numbers_of_units():
    numbers = unit_numbers(MobileNetV2(0.35, rng=0))
    assert len(numbers) == 17
    assert numbers["stage1.unit1"] == {"stage": 1, "unit": 1, "n": 1, "level": 1, "step": 1}
    assert numbers["stage5.unit1"] == {"stage": 5, "unit": 1, "n": 11, "level": 4, "step": 5}
    assert numbers["stage7.unit1"] == {"stage": 7, "unit": 1, "n": 17, "level": 5, "step": 4}
    numbers = unit_numbers(MobileNetV1(0.25, rng=0))
    assert numbers["unit13"] == {"stage": 0, "unit": 13, "n": 13, "level": 5, "step": 2}


def test_braces_hold_sums_and_products():
    rows = {"*.depthwise.conv": "layer.{2n-2}.conv", "*.depthwise.norm": "layer.{2n-1}.{level+1}"}
    rows |= {"stem.conv": "a", "stem.norm": "b", "*.pointwise.conv": "c{unit}"}
    rows |= {"*.pointwise.norm": "d", "classifier": "e"}
    source = dataclasses.replace(SOURCES[0], network=MobileNetV1, rows=rows)
    names = source.names(MobileNetV1(0.25, rng=0))
    assert names["unit3.depthwise.conv.weight"] == "layer.4.conv.weight"
    assert names["unit3.depthwise.norm.gamma"] == "layer.5.3.weight"
    assert names["unit3.pointwise.conv.weight"] == "c3.weight"


def test_axes():
    conv = MobileNetV1(0.25, rng=0).stem.conv
    keras = kind_of({"conv.weight": "/kernel H W I O"}, conv, "weight")
    ours = np.arange(8 * 3 * 2 * 4).reshape(8, 3, 2, 4)
    theirs = keras.to_theirs(ours)
    assert theirs.shape == keras.shape(ours.shape) == (2, 4, 3, 8)
    assert theirs[1, 2, 0, 5] == ours[5, 0, 1, 2]
    assert np.array_equal(keras.to_ours(theirs), ours)

    linear = MobileNetV1(0.25, rng=0).classifier
    ones = kind_of({"linear.weight": ".weight O I 1 1"}, linear, "weight")
    assert ones.to_theirs(ours[0, 0]).shape == (2, 4, 1, 1)
    assert np.array_equal(ones.to_ours(ours[0, 0].reshape(2, 4, 1, 1)), ours[0, 0])
    for wrong in (np.zeros((2, 4, 1)), np.zeros((2, 4, 1, 3))):
        with pytest.raises(ValueError, match=r"axes O I 1 1 expected, got shape \(2, 4, 1"):
            ones.to_ours(wrong)
    with pytest.raises(TypeError, match="no kind of array is known for a ReLU"):
        kind_of({}, MobileNetV1(0.25, rng=0).stem.act, "weight")


def test_what_moves_channels_moves_their_gradients_back():
    swap, rng = Swap(2), np.random.default_rng(0)
    x, dy = rng.standard_normal((2, 1, 5, 2, 2))
    assert np.array_equal(swap.forward(x), np.roll(x, -2, axis=1))
    assert np.array_equal(swap.backward(dy), np.roll(dy, 2, axis=1))


def test_a_bias_is_not_dropped_where_the_maker_has_none():
    source = next(s for s in SOURCES if s.maker == "megvii" and s.network is ShuffleNetV2)
    net = randomized(source, np.random.default_rng(0))
    net.classifier.bias.value[3] = 1
    with pytest.raises(ValueError, match=r"megvii has no classifier\.bias, and .* is not 0"):
        source.to_theirs(net)


@pytest.mark.parametrize(
    ("network", "options"),
    [
        (MobileNetV1, {"width_mult": 0.75}),
        (MobileNetV2, {"width_mult": 0.35}),
        (MobileNetV2, {"width_mult": 0.05}),  # and not 0.06 …, which have the same widths
        (MobileNetV2, {"widths": (4, 4, 4, 4, 8, 12, 16, 32, 64)}),
        (ShuffleNetV1, {"scale": 1.5, "groups": 8}),
        (ShuffleNetV1, {"groups": 1, "widths": (24, 144, 288, 568)}),
        (ShuffleNetV2, {"width_mult": 1.0}),
        (ShuffleNetV2, {"width_mult": 1.0, "equal_ways": True}),
        (ShuffleNetV2, {"widths": (24, 48, 96, 192, 100)}),
    ],
    ids=str,
)
def test_options_are_read_off_shapes(network, options):
    net = network(**options, num_classes=3, in_channels=2, rng=0)
    state = net.state()
    read = options_of(network, lambda name: state[name].shape)
    assert read == options | {"num_classes": 3, "in_channels": 2}
