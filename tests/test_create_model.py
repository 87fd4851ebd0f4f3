"""Options of the four networks, and networks by name; and what is said of wrong ones."""

import numpy as np
import pytest

from npnets import MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2, create_model, list_models
from npnets.layers import ReLU6
from npnets.nets.shufflenet_v2 import SplitUnit

networks = pytest.mark.parametrize(
    "network", [MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2]
)

# Options


@networks
@pytest.mark.parametrize("name", ["num_classes", "in_channels"])
@pytest.mark.parametrize("wrong", [0, -1, 2.0, "2", True])
def test_classes_and_channels_are_positive_ints(network, name, wrong):
    with pytest.raises(ValueError, match=f"{name} must be an int of at least 1, got {wrong!r}"):
        network(**{name: wrong})


@pytest.mark.parametrize("network", [MobileNetV1, MobileNetV2])
@pytest.mark.parametrize("wrong", [0, -0.5, float("inf"), float("nan"), "1.0", None, True])
def test_width_of_a_mobilenet_is_any_positive_number(network, wrong):
    with pytest.raises(ValueError, match=f"width_mult must be a positive number, got {wrong!r}"):
        network(wrong)


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        (ShuffleNetV1, {"scale": 0.75}, r"scale must be one of 0.25, 0.5, .*, 2.0, got 0.75"),
        (ShuffleNetV1, {"groups": 5}, r"groups must be one of 1, 2, 3, 4, 8, got 5"),
        (ShuffleNetV2, {"width_mult": 0.75}, r"width_mult must be one of 0.5, .*, got 0.75"),
    ],
)
def test_a_shufflenet_has_the_columns_of_its_table(network, options, message):
    with pytest.raises(ValueError, match=message):
        network(**options)


@pytest.mark.parametrize("channels", [1, 7])
def test_a_split_unit_wants_two_halves(channels):
    with pytest.raises(ValueError, match=f"must be even to be split in half, got {channels}"):
        SplitUnit(channels)


# By name


@pytest.mark.parametrize("name", list_models())
def test_every_model_can_be_created(name):
    net = create_model(name, num_classes=2, rng=0)
    assert net.classifier.bias.value.shape == (2,)
    assert type(net).__name__.lower() == name.split("_x")[0].replace("_", "")


def test_models_are_listed_in_order_and_are_all_that_the_papers_cost():
    names = list_models()
    assert names == sorted(set(names))
    assert len(names) == 4 + 6 + 5 * 5 + 4
    some = {"mobilenet_v1", "mobilenet_v2_x0_35", "shufflenet_v1_x1_0_g3", "shufflenet_v2_x0_5"}
    assert some < set(names)


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("mobilenet_v1_x1_0", "mobilenet_v1"),
        ("mobilenet_v2_x1_0", "mobilenet_v2"),
        ("shufflenet_v1", "shufflenet_v1_x1_0_g3"),
        ("shufflenet_v2", "shufflenet_v2_x1_0"),
    ],
)
def test_a_name_without_its_width_is_the_network_at_1x(alias, name):
    nets = [create_model(n, num_classes=2, rng=0) for n in (alias, name)]
    states = [net.state() for net in nets]
    assert states[0].keys() == states[1].keys()
    assert all(np.array_equal(states[0][n], states[1][n]) for n in states[0])


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [("mobilenet_v3", "mobilenet_v2"), ("MobileNetV2", "mobilenet_v2"), ("", ""), (None, "")],
)
def test_an_unknown_model_suggests_the_nearest(wrong, nearest):
    with pytest.raises(ValueError, match=f"unknown model {wrong!r}; did you mean '{nearest}"):
        create_model(wrong)


@pytest.mark.parametrize(
    ("option", "nearest"), [("classes", "num_classes"), ("rgn", "rng"), ("relu", "relu6")]
)
def test_an_unknown_option_suggests_the_nearest(option, nearest):
    message = f"mobilenet_v1 has no option '{option}'; did you mean '{nearest}"
    with pytest.raises(TypeError, match=message):
        create_model("mobilenet_v1", **{option: 1})


def test_what_the_name_says_is_no_option():
    with pytest.raises(TypeError, match="mobilenet_v1_x0_5 has no option 'width_mult'"):
        create_model("mobilenet_v1_x0_5", width_mult=0.25)


def test_options_go_to_the_network():
    net = create_model("mobilenet_v1_x0_25", in_channels=1, small_images=True, relu6=True, rng=0)
    assert net.stem.conv.weight.value.shape == (8, 1, 3, 3)
    assert net.stem.conv.window["stride"] == 1
    assert isinstance(net.stem.act, ReLU6)
