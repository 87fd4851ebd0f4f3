"""The gradient check of layers and networks: a copy is checked, and nothing in it is trivial."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from zoo import Bug, plant

from npnets import MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2
from npnets.gradcheck import check_layer, check_network
from npnets.init import initialize
from npnets.layers import BatchNorm, Conv2d, Linear, ReLU, Sequential
from npnets.nets import mobilenet_v2

NETWORKS = {
    "MobileNetV1": lambda: MobileNetV1(0.25, 10, small_images=True, rng=0),
    "MobileNetV2": lambda: MobileNetV2(0.35, 10, small_images=True, rng=0),
    "ShuffleNetV1": lambda: ShuffleNetV1(0.25, 2, 10, small_images=True, rng=0),
    "ShuffleNetV2": lambda: ShuffleNetV2(0.5, 10, small_images=True, rng=0),
}
IMAGES = 12, 3, 8, 8  # so small that most of the time is Python's, and yet a batch for batch norm


def normal(*shape):
    """Return numbers drawn with a seed of their own."""
    return np.random.default_rng(5).standard_normal(shape)


def test_a_layer_is_not_touched():
    layer = Sequential(conv=Conv2d(3, 4, 3, bias=True), norm=BatchNorm(4), act=ReLU())
    initialize(layer, 0).forward(normal(2, 3, 5, 4).astype(np.float32))  # moves the statistics
    layer.eval()
    before = layer.state()
    assert check_layer(layer, normal(3, 3, 5, 4)).ok
    assert layer.state().keys() == before.keys()
    for name, array in layer.state().items():
        assert_array_equal(array, before[name])
        assert array.dtype == np.float32
    assert all(parameter.grad is None for parameter in layer.parameters().values())
    assert not any(part.training for part in layer.layers().values())


def test_the_parameters_of_a_layer_are_not_trivial_when_it_is_checked():
    """A backward that forgets gamma is right as long as gamma is 1."""
    bug = Bug("BatchNorm", "(dy, x, gamma, mean,", "(dy, x, 1 + 0 * gamma, mean,", why="No gamma.")
    report = check_layer(plant(bug).BatchNorm(3), normal(3, 3, 2, 4))
    assert not report.ok
    assert report.worst.argument == "x"


def test_every_parameter_is_checked():
    report = check_layer(Linear(4, 3), normal(5, 4), coordinates=10, directions=2)
    assert [f.argument for f in report.findings] == ["x", "weight", "bias"]
    assert [f.tried for f in report.findings] == [12, 12, 5]


def test_a_gradient_that_is_zero_is_acquitted():
    """A bias right before batch norm: the mean takes it away again."""
    layer = Sequential(conv=Conv2d(3, 4, 3, bias=True), norm=BatchNorm(4))
    report = check_layer(initialize(layer, 0), normal(3, 3, 5, 4))
    assert report.ok
    bias = next(f for f in report.findings if f.argument == "conv.bias")
    assert bias.tried == 5
    assert abs(bias.difference) < 1e-8


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_networks_are_acquitted(make):
    net = make()
    report = check_network(net, normal(*IMAGES))
    assert report.ok, report.verdict
    assert len(report.findings) == 1 + len(net.parameters())


def test_a_network_with_a_bug_in_its_units_is_convicted(monkeypatch):
    bug = Bug("InvertedResidual", "ops.add(dy, dx)", "ops.add(dy, 0.9 * dx)", why="Damped.")
    monkeypatch.setattr(mobilenet_v2, "InvertedResidual", plant(bug).InvertedResidual)
    report = check_network(NETWORKS["MobileNetV2"](), normal(*IMAGES))
    assert not report.ok
    assert report.max_relative_error > 100 * report.tolerance


def test_a_network_is_given_images_of_as_many_channels_as_it_takes():
    net = Sequential(conv=initialize(Conv2d(2, 3, 3), 0))
    report = check_network(net)
    assert report.ok
    assert [f.argument for f in report.findings] == ["x", "conv.weight"]
