"""A folded network is the same network at inference, without batch norm."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import npnets
from npnets import layers, ops
from npnets.cost import summarize
from npnets.init import initialize
from npnets.layers import (
    AvgPool2d,
    BatchNorm,
    Buffer,
    Conv2d,
    DepthwiseConv2d,
    GlobalAvgPool,
    Linear,
    PointwiseConv2d,
    ReLU,
    ReLU6,
    Sequential,
)
from npnets.ops import threads
from npnets.optim import SGD

NETWORKS = (
    "mobilenet_v1_x0_25",
    "mobilenet_v2_x0_35",
    "shufflenet_v1_x0_25_g3",
    "shufflenet_v2_x0_5",
)
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-10}
every_network = pytest.mark.parametrize("name", NETWORKS)
every_dtype = pytest.mark.parametrize("dtype", TOLERANCE)
needs_numba = pytest.mark.skipif(not ops.op.has_numba, reason="Numba cannot be imported")
with_and_without_kernels = pytest.mark.parametrize(
    "kernels", [False, pytest.param(True, marks=needs_numba)]
)


def images(N=5, size=16, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal((N, 3, size, size)).astype(dtype)


def train(net, steps=4):
    optimizer = SGD(net.parameters())
    for step in range(steps):
        logits = net.forward(images(8, seed=step))
        net.backward(ops.cross_entropy_backward(logits, np.arange(8)))
        optimizer.step(0.05)
    return net


@pytest.fixture(scope="module")
def trained():
    """The four networks after a few steps, by name: not to be changed."""
    return {
        name: train(npnets.create_model(name, num_classes=10, small_images=True, rng=0))
        for name in NETWORKS
    }


def assert_close(found, expected, dtype):
    assert found.dtype == expected.dtype == dtype
    assert found.shape == expected.shape
    tolerance = TOLERANCE[dtype] * abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


def assert_same_state(state, other):
    assert list(state) == list(other)
    for name, array in state.items():
        assert array.tobytes() == other[name].tobytes(), name


def kinds(net):
    return [type(layer) for layer in net.layers().values()]


# The four networks


@every_network
@every_dtype
@with_and_without_kernels
@pytest.mark.parametrize("N", [1, 5, 19])
def test_a_folded_network_gives_the_same_logits(name, dtype, kernels, N, trained):
    net, x = trained[name].astype(dtype).eval(), images(N, seed=9, dtype=dtype)
    folded = net.fold()
    with ops.use_kernels(kernels):
        assert_close(folded.forward(x), net.forward(x), dtype)


@every_network
def test_a_network_for_large_images_too(name):
    net = npnets.create_model(name, num_classes=4, rng=0).astype(np.float64)
    x = images(2, 64, dtype=np.float64)
    for _ in range(3):
        net.forward(x)
    assert_close(net.fold().forward(x), net.eval().forward(x), np.float64)


@every_network
@with_and_without_kernels
def test_the_number_of_threads_changes_no_bit_at_inference(name, kernels, trained, monkeypatch):
    monkeypatch.setattr(threads, "SMALL", 0)  # even the smallest work is shared
    folded, x, found = trained[name].fold(), images(19), []
    with ops.use_kernels(kernels):
        for n in (1, 2, 3):
            with ops.use_threads(n):
                found.append(folded.forward(x).tobytes())
    assert found[0] == found[1] == found[2]


@every_network
def test_folding_changes_nothing_in_the_network(name, trained):
    net = trained[name].astype(np.float32)
    before, printed = net.state(), repr(net)
    folded = net.fold()
    assert_same_state(net.state(), before)
    assert repr(net) == printed
    assert all(layer.training and not layer.is_folded for layer in net.layers().values())
    for parameter in folded.parameters().values():
        parameter.value += 1e-3
    folded.forward(images())
    assert_same_state(net.state(), before)


@every_network
def test_the_network_trains_on_as_if_it_had_not_been_folded(name):
    states = []
    for fold in (False, True):
        net = npnets.create_model(name, num_classes=10, small_images=True, rng=0)
        train(net, 1)
        logits = net.forward(images(8))
        if fold:  # in the midst of a step
            net.fold().forward(images(2))
        net.backward(logits)
        gradients = {key: parameter.grad for key, parameter in net.parameters().items()}
        states.append(gradients | train(net, 1).state())
    assert_same_state(*states)


@every_network
def test_no_batch_norm_is_left(name, trained):
    net = trained[name]
    folded = net.fold()
    before, after = kinds(net), kinds(folded)
    assert BatchNorm in before
    assert BatchNorm not in after
    assert len(after) <= len(before) - before.count(BatchNorm)
    assert not list(folded.parts(Buffer))
    for kind in (Conv2d, DepthwiseConv2d, PointwiseConv2d, Linear):
        assert after.count(kind) == before.count(kind)
    # What is left of the activations follows an addition or a concatenation.
    joined = 16 if name.startswith("shufflenet_v1") else 0
    assert after.count(ReLU) + after.count(ReLU6) == joined


@every_network
def test_the_names_of_a_folded_network(name, trained):
    before, after = trained[name].state(), trained[name].fold().state()
    norms = {key.rpartition(".")[0] for key in before if ".norm." in key}
    assert norms
    expected = {key for key in before if ".norm." not in key}
    expected |= {norm.removesuffix("norm") + "conv.bias" for norm in norms}
    assert set(after) == expected
    for key, array in after.items():
        assert array.dtype == np.float32
        if key in before:
            assert array.shape == before[key].shape


@every_network
def test_a_folded_network_takes_the_state_of_another(name, trained):
    folded = trained[name].fold()
    other = npnets.create_model(name, num_classes=10, small_images=True, rng=1).fold()
    x = images()
    assert_array_equal(other.load_state(folded.state()).forward(x), folded.forward(x))
    with pytest.raises(ValueError, match=r"missing: stem\.conv\.bias(.|\n)*unexpected: .*gamma"):
        folded.load_state(trained[name].state())


@every_network
def test_folding_twice_is_folding_once(name, trained):
    once = trained[name].fold()
    twice = once.fold()
    assert twice is not once
    assert repr(twice) == repr(once)
    assert_same_state(twice.state(), once.state())
    x = images()
    assert_array_equal(twice.forward(x), once.forward(x))


@every_network
def test_a_folded_network_in_double_precision(name, trained):
    x = images(dtype=np.float64)
    folded = trained[name].fold().astype(np.float64)
    found = folded.forward(x)
    assert found.dtype == np.float64
    expected = trained[name].astype(np.float64).eval().forward(x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * abs(expected).max())


@every_network
def test_what_training_left_behind_does_not_come_along(name, trained):
    net = trained[name].astype(np.float32)
    net.backward(net.forward(images(8)))
    net.forward(images(8))
    folded = net.fold()
    assert all(parameter.grad is not None for parameter in net.parameters().values())
    assert all(parameter.grad is None for parameter in folded.parameters().values())
    folded.forward(images())
    for layer in folded.layers().values():
        assert layer._saved is None
        assert not layer.training


@every_network
def test_a_folded_network_costs_the_same_multiply_adds(name, trained):
    net = trained[name]
    folded = net.fold()
    whole, less = summarize(net, (3, 32, 32)), summarize(folded, (3, 32, 32))
    assert less.macs == whole.macs > 0
    channels = sum(
        len(layer.beta.value) for layer in net.layers().values() if isinstance(layer, BatchNorm)
    )
    assert less.params == whole.params - channels, "gamma is gone, and beta is a bias"
    assert len(less) < len(whole)
    assert_array_equal(folded.forward(images()), net.fold().forward(images()))


@every_network
def test_the_printed_form(name, trained):
    folded = repr(trained[name].fold())
    assert folded.startswith(type(trained[name]).__name__)
    assert "BatchNorm" not in folded
    ceiling = "ceiling=6" if name.startswith("mobilenet_v2") else "ceiling=inf"
    assert ceiling in folded
    assert "ceiling" not in repr(trained[name])


# Two convolutions in one go


def count_pairs(monkeypatch):
    """Return a list that grows with each pair of convolutions that is computed in one go."""
    pairs, together = [], layers.pointwise_depthwise
    monkeypatch.setattr(
        layers, "pointwise_depthwise", lambda *given: pairs.append(given) or together(*given)
    )
    return pairs


@pytest.mark.parametrize(
    ("name", "pairs"), list(zip(NETWORKS, (12, 16, 0, 16), strict=True))
)  # all depthwise convolutions but those that follow none, or a shuffle
def test_a_pointwise_convolution_takes_the_depthwise_one_after_it_along(
    name, pairs, trained, monkeypatch
):
    folded, x, found = trained[name].fold(), images(2), count_pairs(monkeypatch)
    y = folded.forward(x)
    assert len(found) == pairs
    with threads.layer_by_layer():
        assert_close(folded.forward(x), y, np.float32)
    assert len(found) == pairs, "layer by layer nothing is taken along"


@every_network
def test_who_watches_sees_both_convolutions(name, trained):
    folded, seen = trained[name].fold(), []
    with ops.op.watch(lambda name, *_: seen.append(name)):
        folded.forward(images(2))
    assert seen.count("depthwise_conv2d") == kinds(folded).count(DepthwiseConv2d)
    assert seen.count("pointwise_conv2d") == kinds(folded).count(PointwiseConv2d)
    assert "pointwise_depthwise" not in seen


def test_a_sequential_that_goes_a_way_of_its_own_is_asked_to():
    class Residual(Sequential):
        def forward(self, x):
            return ops.add(x, super().forward(x))

    inner = Residual(first=PointwiseConv2d(3, 3), second=DepthwiseConv2d(3, 3, padding=1))
    net = initialize(Sequential(inner=inner, last=DepthwiseConv2d(3, 3, padding=1)), 0)
    assert_close(net.fold().forward(images()), net.eval().forward(images()), np.float32)


def test_convolutions_that_do_not_fit_say_so():
    net = Sequential(first=PointwiseConv2d(3, 4), second=DepthwiseConv2d(5, 3)).fold()
    with pytest.raises(ValueError, match=r"one filter per channel, \(4, 1, K, K\), got \(5, 1"):
        net.forward(images())


# What cannot be done any more


@every_network
def test_a_folded_network_cannot_be_trained(name, trained):
    folded = trained[name].fold()
    for layer in (folded, folded.stem, folded.fold(), folded.astype(np.float64), folded.eval()):
        with pytest.raises(RuntimeError, match="a folded network has no batch norm to train; tr"):
            layer.train()
    folded.forward(images())
    with pytest.raises(RuntimeError, match="has nothing to go back from"):
        folded.backward(np.ones((5, 10), np.float32))


def test_no_layer_of_a_folded_network_can_be_trained(trained):
    for name, layer in trained[NETWORKS[1]].fold().layers().items():
        with pytest.raises(RuntimeError, match="train the network it was made of"):
            layer.train()
        assert not layer.training, name


def test_a_folded_network_within_another_gives_no_wrong_gradients(trained):
    """A convolution that has absorbed an activation has no way back through it."""
    net = Sequential(backbone=trained[NETWORKS[0]].fold(), head=Linear(10, 2))

    def train():
        net.train()
        net.backward(net.forward(images()))

    with pytest.raises(RuntimeError):
        train()


# Layers in a row


def drawn(**layers):
    """Return a Sequential with weights, and statistics and gammas of either sign, as drawn."""
    net, rng = initialize(Sequential(**layers), 0).astype(np.float64), np.random.default_rng(0)
    for name, part in net.parts((npnets.layers.Parameter, Buffer)):
        part.value = rng.normal(0, 1, part.value.shape)
        if name.endswith("var"):
            part.value **= 2
    return net


def assert_folds(net, names, x=None):
    """The folded network is equal, and has layers of these names."""
    x = images(dtype=np.float64) if x is None else x
    before, folded = net.state(), net.fold()
    assert " ".join(name for name in folded.layers() if name) == names
    assert_close(folded.forward(x), net.eval().forward(x), np.float64)
    assert_same_state(net.state(), before)
    return folded


CONVOLUTIONS = {
    "convolution": lambda bias: Conv2d(3, 4, 3, padding=1, stride=2, bias=bias),
    "groups": lambda bias: Conv2d(3, 6, 3, dilation=2, groups=3, bias=bias),
    "depthwise": lambda bias: DepthwiseConv2d(3, 3, padding=1, bias=bias),
    "pointwise": lambda bias: PointwiseConv2d(3, 5, bias=bias),
    "pointwise groups": lambda bias: PointwiseConv2d(3, 6, groups=3, bias=bias),
}
every_convolution = pytest.mark.parametrize("conv", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
with_and_without_bias = pytest.mark.parametrize("bias", [False, True])


def norm_of(conv, **options):
    return BatchNorm(len(conv.weight.value), **options)


@every_convolution
@with_and_without_bias
@with_and_without_kernels
@pytest.mark.parametrize("act", [None, ReLU, ReLU6])
def test_convolution_norm_and_activation_become_one(conv, bias, kernels, act):
    layer = conv(bias)
    following = {} if act is None else {"act": act()}
    net = drawn(conv=layer, norm=norm_of(layer, eps=0.1), **following)
    with ops.use_kernels(kernels):
        folded = assert_folds(net, "conv")
    assert folded.conv.ceiling == (None if act is None else act.ceiling)
    assert set(folded.state()) == {"conv.weight", "conv.bias"}


@every_convolution
@with_and_without_bias
@with_and_without_kernels
@pytest.mark.parametrize("act", [ReLU, ReLU6])
def test_convolution_and_activation_become_one(conv, bias, kernels, act):
    with ops.use_kernels(kernels):
        folded = assert_folds(drawn(conv=conv(bias), act=act()), "conv")
    assert set(folded.state()) == ({"conv.weight", "conv.bias"} if bias else {"conv.weight"})


def test_two_norms_in_a_row_both_fold():
    net = drawn(conv=Conv2d(3, 4, 3), norm1=BatchNorm(4), norm2=BatchNorm(4), act=ReLU())
    assert_folds(net, "conv")


def test_a_norm_after_the_activation_stays():
    net = drawn(conv=Conv2d(3, 4, 3), act=ReLU(), norm=BatchNorm(4))
    assert_folds(net, "conv norm")


def test_a_second_activation_stays():
    assert_folds(drawn(conv=Conv2d(3, 4, 3), act1=ReLU6(), act2=ReLU()), "conv act2")


def test_a_norm_that_no_convolution_precedes_stays():
    assert_folds(drawn(norm=BatchNorm(3), conv=Conv2d(3, 4, 3)), "norm conv")
    assert_folds(drawn(norm=BatchNorm(3), act=ReLU()), "norm act")
    net = drawn(conv=Conv2d(3, 4, 3), pool=AvgPool2d(2), norm=BatchNorm(4), act=ReLU())
    assert_folds(net, "conv pool norm act")


def test_an_activation_at_the_start_or_after_another_layer_stays():
    net = drawn(act=ReLU(), conv=Conv2d(3, 4, 3), pool=GlobalAvgPool(), linear=Linear(4, 2))
    assert_folds(net, "act conv pool linear")


def test_rows_within_rows_fold_by_themselves():
    net = drawn(
        features=Sequential(
            first=Sequential(conv=Conv2d(3, 4, 3), norm=BatchNorm(4), act=ReLU6()),
            second=Sequential(conv=Conv2d(4, 4, 3)),
            norm=BatchNorm(4),
        ),
        act=ReLU(),
    )
    names = "features features.first features.first.conv features.second features.second.conv "
    assert_folds(net, names + "features.norm act")


def test_several_convolutions_in_a_row():
    net = drawn(
        conv1=Conv2d(3, 4, 3), norm1=BatchNorm(4), conv2=PointwiseConv2d(4, 5), act2=ReLU(),
        conv3=DepthwiseConv2d(5, 3), norm3=BatchNorm(5), act3=ReLU6(),
    )  # fmt: skip
    assert_folds(net, "conv1 conv2 conv3")


def test_a_layer_that_is_used_twice():
    conv, norm = PointwiseConv2d(3, 3), BatchNorm(3)
    net = drawn(conv1=conv, norm1=norm, act1=ReLU(), conv2=conv, norm2=BatchNorm(3), norm3=norm)
    assert_folds(net, "conv1 conv2")


@pytest.mark.parametrize("make", [lambda: Conv2d(3, 4, 3), lambda: BatchNorm(3), ReLU])
def test_a_layer_alone_folds_to_itself(make):
    net = drawn(layer=make()).layer
    x = images(dtype=np.float64)
    assert_close(net.fold().forward(x), net.eval().forward(x), np.float64)


def test_tiny_variances_are_kept_apart_by_eps():
    net = drawn(conv=Conv2d(3, 4, 3, bias=True), norm=BatchNorm(4, eps=1e-3))
    net.norm.running_var.value[:] = 0, 1e-12, 1e-3, 1e6
    assert_folds(net, "conv")
