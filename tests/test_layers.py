"""The machinery of layers: names, state, and what is saved from forward to backward."""

import weakref

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from npnets import MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2, ops
from npnets.blocks import conv_norm_act, depthwise_norm_act
from npnets.init import initialize
from npnets.layers import (
    AvgPool2d,
    BatchNorm,
    ChannelShuffle,
    Conv2d,
    DepthwiseConv2d,
    GlobalAvgPool,
    Linear,
    MaxPool2d,
    PointwiseConv2d,
    ReLU,
    ReLU6,
    Sequential,
)

IMAGES = 2, 4, 6, 5
LAYERS = {
    "Conv2d": lambda: Conv2d(4, 6, 3, stride=2, padding=1, groups=2, bias=True),
    "DepthwiseConv2d": lambda: DepthwiseConv2d(4, 3, padding=1, bias=True),
    "PointwiseConv2d": lambda: PointwiseConv2d(4, 6, groups=2, bias=True),
    "BatchNorm": lambda: BatchNorm(4),
    "ReLU": ReLU,
    "ReLU6": ReLU6,
    "MaxPool2d": lambda: MaxPool2d(3, stride=2, padding=1),
    "AvgPool2d": lambda: AvgPool2d(3, stride=2, padding=1),
    "GlobalAvgPool": GlobalAvgPool,
    "ChannelShuffle": lambda: ChannelShuffle(2),
    "Sequential": lambda: small_net(),
}
every_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


def normal(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def small_net(rng=0):
    return initialize(
        Sequential(
            stem=conv_norm_act(4, 6, 3, stride=2),
            unit=Sequential(depthwise=depthwise_norm_act(6), pointwise=conv_norm_act(6, 8)),
            pool=GlobalAvgPool(),
            classifier=Linear(8, 3),
        ),
        rng,
    )


def same(state, other):
    return state.keys() == other.keys() and all(
        np.array_equal(state[name], other[name]) for name in state
    )


# Names


def test_names_are_the_path_and_then_the_kind():
    net = small_net()
    assert list(net.parameters()) == [
        "stem.conv.weight", "stem.norm.gamma", "stem.norm.beta",
        "unit.depthwise.conv.weight", "unit.depthwise.norm.gamma", "unit.depthwise.norm.beta",
        "unit.pointwise.conv.weight", "unit.pointwise.norm.gamma", "unit.pointwise.norm.beta",
        "classifier.weight", "classifier.bias",
    ]  # fmt: skip
    buffers = set(net.state()) - set(net.parameters())
    paths = "stem", "unit.depthwise", "unit.pointwise"
    assert buffers == {f"{p}.norm.running_{kind}" for p in paths for kind in ("mean", "var")}


def test_layers_are_itself_and_all_within():
    net = Sequential(a=Sequential(b=ReLU()), c=ReLU6())
    assert list(net.layers()) == ["", "a", "a.b", "c"]
    assert net.layers()[""] is net
    assert net.layers()["a.b"] is net.a.b


# State


def test_state_is_a_copy_and_load_state_takes_a_copy():
    net = small_net()
    state = net.state()
    state["classifier.weight"] += 1
    assert not same(state, net.state())
    assert net.load_state(state) is net
    assert same(state, net.state())
    state["classifier.weight"] += 1
    assert not same(state, net.state())


def test_load_state_carries_everything_over():
    net, other, x = small_net(rng=0), small_net(rng=1), normal(IMAGES)
    net.forward(x)  # moves the running statistics
    assert_array_equal(other.load_state(net.state()).eval().forward(x), net.eval().forward(x))


def test_load_state_keeps_the_dtype_of_the_network():
    doubles = small_net().astype(np.float64).state()
    net = small_net().load_state(doubles)
    assert {array.dtype for array in net.state().values()} == {np.dtype(np.float32)}


def test_load_state_lists_all_that_is_wrong_and_changes_nothing():
    net = small_net()
    before, state = net.state(), small_net(rng=1).state()
    del state["stem.norm.running_var"]
    state["unit.extra.weight"] = np.zeros(1)
    state["classifier.bias"] = np.zeros(4)
    state["stem.conv.weight"] = state["stem.conv.weight"].astype(int)
    with pytest.raises(ValueError, match="this state does not fit the network") as error:
        net.load_state(state)
    assert set(str(error.value).splitlines()[1:]) == {
        "  missing: stem.norm.running_var",
        "  unexpected: unit.extra.weight",
        "  misshapen: classifier.bias must be (3,), got (4,)",
        "  not floating-point: stem.conv.weight is int64",
    }
    assert same(net.state(), before)


def test_astype_is_an_independent_copy():
    net, x = small_net(), normal(IMAGES)
    net.backward(np.ones_like(net.forward(x)))
    before, twin = net.state(), net.astype(np.float64)
    assert {array.dtype for array in twin.state().values()} == {np.dtype(np.float64)}
    assert all(parameter.grad is None for parameter in twin.parameters().values())
    twin.classifier.weight.value += 1
    twin.stem.norm.running_mean.value[:] = 7
    assert same(net.state(), before)
    assert net.classifier.weight.grad is not None


def test_astype_computes_the_same_in_another_precision():
    net, x = small_net().eval(), normal(IMAGES)
    y = net.astype(np.float64).forward(x.astype(np.float64))
    assert_allclose(net.forward(x), y, rtol=1e-4)


def test_astype_does_not_take_along_what_was_saved():
    net = small_net()
    net.forward(normal(IMAGES))
    twin = net.astype(np.float64)
    assert all(layer._saved is None for layer in twin.layers().values())
    with pytest.raises(RuntimeError, match="call forward first"):
        twin.backward(np.ones((2, 3)))
    assert net.backward(np.ones((2, 3), np.float32)).shape == IMAGES


# Forward and backward


@every_layer
def test_backward_without_forward(make):
    with pytest.raises(RuntimeError, match=r"nothing to go back from: call forward first"):
        make().backward(normal(IMAGES))


@every_layer
def test_backward_twice(make):
    layer = make()
    dy = np.ones_like(layer.forward(normal(IMAGES)))
    layer.backward(dy)
    with pytest.raises(RuntimeError, match="backward once for each forward"):
        layer.backward(dy)


@every_layer
def test_at_inference_nothing_is_saved(make):
    layer = make().eval()
    dy = np.ones_like(layer.forward(normal(IMAGES)))
    assert all(part._saved is None for part in layer.layers().values())
    with pytest.raises(RuntimeError, match="in training mode"):
        layer.backward(dy)


@every_layer
def test_backward_sets_gradients_rather_than_adding_to_them(make):
    layer, x = initialize(make(), rng=0), normal(IMAGES)
    dy, found = normal(layer.forward(x).shape, seed=1), []
    for _ in range(2):
        layer.forward(x)
        dx = layer.backward(dy)
        gradients = {name: p.grad.copy() for name, p in layer.parameters().items()}
        found.append({"dx": dx, **gradients})
    assert same(*found)
    assert all(p.grad.shape == p.value.shape for p in layer.parameters().values())
    assert found[0]["dx"].shape == IMAGES


@every_layer
def test_backward_lets_go_of_what_forward_saved(make):
    layer, x = make(), normal(IMAGES)
    reference = weakref.ref(x)
    y = layer.forward(x)
    dy = np.ones_like(y)
    del x, y
    layer.backward(dy)
    assert reference() is None
    assert all(part._saved is None for part in layer.layers().values())


def test_train_and_eval_switch_all_layers_and_drop_what_was_saved():
    net = small_net()
    assert all(layer.training for layer in net.layers().values()), "a new network is for training"
    net.forward(normal(IMAGES))
    assert net.eval() is net
    assert not any(layer.training for layer in net.layers().values())
    assert all(layer._saved is None for layer in net.layers().values())
    assert net.train() is net
    assert all(layer.training for layer in net.layers().values())


def test_a_layer_is_its_operation():
    x, conv = normal(IMAGES), initialize(Conv2d(4, 6, 3, stride=2, padding=1, groups=2), rng=0)
    window = {"stride": 2, "padding": 1, "groups": 2}
    y = conv.forward(x)
    assert_array_equal(y, ops.conv2d(x, conv.weight.value, **window))
    dx, dweight = ops.conv2d_backward(y, x, conv.weight.value, **window)
    assert_array_equal(conv.backward(y), dx)
    assert_array_equal(conv.weight.grad, dweight)


# Batch norm


def test_batch_norm_tracks_mean_and_unbiased_variance():
    norm = BatchNorm(1, momentum=0.25)
    first, second = np.array([1.0, 3.0]), np.array([5.0, 5.0])  # means 2 and 5, variances 2 and 0
    norm.forward(first.reshape(2, 1, 1, 1))
    assert_array_equal(norm.running_mean.value, [0.75 * 0 + 0.25 * 2])
    assert_array_equal(norm.running_var.value, [0.75 * 1 + 0.25 * 2])
    norm.forward(second.reshape(1, 1, 2, 1))
    assert_array_equal(norm.running_mean.value, [0.75 * 0.5 + 0.25 * 5])
    assert_array_equal(norm.running_var.value, [0.75 * 1.25 + 0.25 * 0])
    assert norm.running_mean.value.dtype == norm.running_var.value.dtype == np.float32


def test_batch_norm_at_inference_uses_what_it_tracked_and_leaves_it():
    norm = BatchNorm(4, eps=0.5)
    norm.forward(normal(IMAGES))
    before, x = norm.state(), 3 + normal(IMAGES, seed=1)
    y = norm.eval().forward(x)
    mean, var = before["running_mean"], before["running_var"]
    assert_array_equal(y, ops.normalize(x, np.ones(4), np.zeros(4), mean, var, 0.5))
    assert same(norm.state(), before)


# Weight decay, printed forms, Sequential


@pytest.mark.parametrize("network", [MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2])
def test_weights_decay_but_for_depthwise_ones_and_nothing_else_does(network):
    parameters = network(0.5, num_classes=3, rng=0).parameters()
    decaying = {name for name, parameter in parameters.items() if parameter.decay}
    weights = {name for name in parameters if name.endswith(".weight")}
    depthwise = {name for name in weights if ".depthwise." in name}
    assert decaying == weights - depthwise
    assert len(depthwise) > 10
    assert all(parameters[name].value.shape[1] == 1 for name in depthwise)


@pytest.mark.parametrize(
    ("layer", "printed"),
    [
        (Conv2d(3, 8, 3), "Conv2d(3, 8, kernel_size=3)"),
        (Conv2d(4, 8, 3, stride=2, padding=(0, 1, 0, 1), dilation=2, groups=2),
         "Conv2d(4, 8, kernel_size=3, stride=2, padding=(0, 1, 0, 1), dilation=2, groups=2)"),
        (PointwiseConv2d(4, 8), "PointwiseConv2d(4, 8, kernel_size=1)"),
        (Linear(8, 3), "Linear(8, 3)"),
        (BatchNorm(8), "BatchNorm(8)"),
        (ReLU6(), "ReLU6()"),
        (MaxPool2d(3, stride=2, padding=1), "MaxPool2d(kernel_size=3, stride=2, padding=1)"),
        (ChannelShuffle(3), "ChannelShuffle(3)"),
        (Sequential(a=Sequential(b=ReLU()), c=ReLU6()),
         "Sequential(\n  a: Sequential(\n    b: ReLU()\n  )\n  c: ReLU6()\n)"),
    ],
)  # fmt: skip
def test_printed_forms(layer, printed):
    assert repr(layer) == printed


@pytest.mark.parametrize("wrong", [None, ReLU, "ReLU", lambda x: x, np.zeros(1)])
def test_sequential_takes_layers_only(wrong):
    with pytest.raises(ValueError, match=f"act must be a Layer, got {type(wrong).__name__}"):
        Sequential(conv=ReLU(), act=wrong)
