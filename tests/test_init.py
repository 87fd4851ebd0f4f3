"""Where weights come from: how they are spread, and that a seed decides them."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from npnets import MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2, ops
from npnets.init import initialize
from npnets.layers import BatchNorm, Conv2d, DepthwiseConv2d, Linear, PointwiseConv2d

networks = pytest.mark.parametrize(
    "network", [MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2]
)


def bits(net):
    return b"".join(array.tobytes() for array in net.state().values())


@pytest.mark.parametrize(
    ("layer", "std"),
    [
        (Conv2d(32, 64, 3), math.sqrt(2 / (32 * 9))),
        (Conv2d(64, 128, 3, groups=4), math.sqrt(2 / (16 * 9))),
        (DepthwiseConv2d(4000, 3), math.sqrt(2 / 9)),
        (PointwiseConv2d(128, 256, groups=2), math.sqrt(2 / 64)),
        (Linear(200, 100), 0.01),
    ],
    ids=repr,
)
def test_weights_are_normal_with_the_spread_of_their_kind(layer, std):
    weight = initialize(layer, rng=0).weight.value
    assert weight.dtype == np.float32
    assert weight.size >= 16_000  # so that these bounds are four standard errors or more
    assert_allclose(weight.mean() / std, 0, atol=4 / math.sqrt(weight.size))
    assert_allclose(weight.std() / std, 1, atol=0.025)
    assert_allclose((abs(weight) < std).mean(), 0.6827, atol=0.02)


def test_biases_are_zero_and_batch_norm_does_nothing():
    for layer in (Linear(3, 4), Conv2d(3, 4, 1, bias=True)):
        layer.bias.value += 1
        assert_array_equal(initialize(layer).bias.value, np.zeros(4))
    norm = BatchNorm(5)
    norm.gamma.value, norm.beta.value = norm.gamma.value + 1, norm.beta.value + 1
    initialize(norm)
    assert_array_equal([norm.gamma.value, norm.beta.value], [np.ones(5), np.zeros(5)])


def test_after_a_relu_a_convolution_neither_fades_nor_explodes():
    x = np.random.default_rng(0).standard_normal((4, 256, 8, 8)).astype(np.float32)
    for seed in range(5):
        conv = initialize(PointwiseConv2d(256, 256), seed)
        x = conv.forward(ops.relu(x))
    assert_allclose(x.std(), 1, atol=0.2)


@networks
def test_a_seed_decides_every_bit(network):
    first = bits(network(0.5, num_classes=2, rng=1))
    assert bits(network(0.5, num_classes=2, rng=1)) == first
    assert bits(network(0.5, num_classes=2, rng=np.random.default_rng(1))) == first
    assert bits(network(0.5, num_classes=2, rng=2)) != first


@networks
def test_without_a_seed_each_draw_differs(network):
    assert bits(network(0.5, num_classes=2)) != bits(network(0.5, num_classes=2))


def test_a_generator_goes_on_from_network_to_network():
    rng = np.random.default_rng(0)
    one, other = (initialize(Linear(3, 4), rng).weight.value for _ in range(2))
    assert (one != other).all()


def test_a_network_without_training_gives_all_classes_about_the_same_chance():
    net = MobileNetV1(0.25, num_classes=10, small_images=True, rng=0)
    x = np.random.default_rng(0).standard_normal((4, 3, 32, 32)).astype(np.float32)
    loss = ops.cross_entropy(net.forward(x), np.array([0, 3, 5, 9]))
    assert_allclose(loss, np.log(10), atol=0.2)
