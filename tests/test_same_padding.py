"""TensorFlow's padding "same" in layers: against its definition, PyTorch and a change of size."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from npnets import ops
from npnets.blocks import conv_norm_act, depthwise_norm_act
from npnets.cost import summarize
from npnets.gradcheck import check_layer
from npnets.init import initialize
from npnets.layers import AvgPool2d, Conv2d, DepthwiseConv2d, MaxPool2d, Sequential
from npnets.ops.window import output_size, same_padding

few = settings(max_examples=60, deadline=None, derandomize=True)
SAME = {"stride": 2, "padding": "same"}
LAYERS = {
    "Conv2d": lambda: Conv2d(4, 6, 3, groups=2, bias=True, **SAME),
    "Conv2d, dilated": lambda: Conv2d(4, 6, 2, padding="same", dilation=2),
    "DepthwiseConv2d": lambda: DepthwiseConv2d(4, 3, bias=True, **SAME),
    "MaxPool2d": lambda: MaxPool2d(3, **SAME),
    "MaxPool2d, its own stride": lambda: MaxPool2d(2, padding="same"),
    "AvgPool2d": lambda: AvgPool2d(3, **SAME),
}
every_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
every_size = pytest.mark.parametrize("size", [(8, 8), (7, 7), (6, 9), (1, 2)], ids=str)


def images(size, seed=0):
    return np.random.default_rng(seed).standard_normal((2, 4, *size))


def made(make):
    return initialize(make(), rng=0).astype(np.float64)


# The rule


@few
@given(*[st.integers(1, 20)] * 2, *[st.integers(1, 5)] * 2, st.integers(1, 3))
def test_as_many_windows_as_strides_and_not_a_pixel_too_many(H, W, kernel_size, stride, dilation):
    sides = same_padding((H, W), kernel_size, stride, dilation)
    for size, before, after in ((H, *sides[:2]), (W, *sides[2:])):
        assert output_size(size, kernel_size, stride, before, after, dilation) == -(
            -size // stride
        )
        assert 0 <= after - before <= 1
        if after:  # one pixel less, and the last window has no room
            span = dilation * (kernel_size - 1) + 1
            room = size + before + after - 1
            assert room < span or (room - span) // stride + 1 < -(-size // stride)


def test_stride_2_looks_down_and_right_on_an_even_size_and_all_around_on_an_odd_one():
    assert same_padding((224, 225), 3, 2) == (0, 1, 1, 1)
    assert same_padding((224, 224), 3, 1) == (1, 1, 1, 1)
    assert same_padding((224, 224), 1, 2) == (0, 0, 0, 0)  # windows may lie apart


def test_it_needs_a_window_and_a_stride():
    with pytest.raises(ValueError, match="stride must be an int of at least 1, got 0"):
        same_padding((8, 8), 3, 0)
    with pytest.raises(ValueError, match="got 'valid'"):
        Conv2d(4, 4, 3, padding="valid").forward(images((8, 8)))


# The layers


@every_size
def test_conv_sums_what_its_formula_says(size):
    """y[p, q] = Σ weight[i, j] · x[2p + i − top, 2q + j − left], where x has such a pixel."""
    conv, x = made(lambda: Conv2d(4, 3, 3, **SAME)), images(size)
    H, W = size
    P, Q = -(-H // 2), -(-W // 2)
    top, left = max(2 * P + 1 - H, 0) // 2, max(2 * Q + 1 - W, 0) // 2
    y = np.zeros((2, 3, P, Q))
    for p, q, i, j in np.ndindex(P, Q, 3, 3):
        h, w = 2 * p + i - top, 2 * q + j - left
        if 0 <= h < H and 0 <= w < W:
            y[:, :, p, q] += x[:, :, h, w] @ conv.weight.value[:, :, i, j].T
    assert_allclose(conv.forward(x), y, atol=1e-12)


@every_size
@every_layer
def test_gradients(make, size):
    report = check_layer(initialize(make(), rng=0), images(size))
    assert report.ok, report


def test_the_average_leaves_the_padding_out():
    ones = np.ones((1, 1, 6, 6))
    assert_array_equal(AvgPool2d(3, **SAME).forward(ones), np.ones((1, 1, 3, 3)))
    shrunk = AvgPool2d(3, stride=2, padding=(0, 1, 0, 1)).forward(ones)
    assert_allclose(shrunk[0, 0, 2], [6 / 9, 6 / 9, 4 / 9])


def test_one_network_pads_each_size_of_image_as_that_size_needs():
    conv = made(LAYERS["DepthwiseConv2d"])
    for size, sides in (((8, 8), (0, 1, 0, 1)), ((7, 8), (1, 1, 0, 1))):
        x = images(size)
        y = ops.depthwise_conv2d(x, conv.weight.value, conv.bias.value, 2, sides)
        assert_array_equal(conv.forward(x), y)


def test_folded_it_is_the_same_network_and_costs_what_it_costs():
    stem, filters = conv_norm_act(4, 6, 3, stride=2), depthwise_norm_act(6, stride=2)
    for unit in (stem, filters):
        unit.conv.window["padding"] = "same"
    net = initialize(Sequential(stem=stem, filters=filters), rng=0).astype(np.float64).eval()
    for size in ((8, 8), (6, 9)):
        assert_allclose(net.fold().forward(images(size)), net.forward(images(size)), atol=1e-12)
        assert summarize(net.fold(), (4, *size)).macs == summarize(net, (4, *size)).macs
    assert "padding=same" in repr(net)


@every_size
@every_layer
def test_pytorch_agrees_with_the_border_given_to_it(make, size):
    torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "npnets[parity]"')
    F = torch.nn.functional
    layer, x = made(make), images(size)
    K = layer.window.get("kernel_size") or layer.weight.value.shape[2]
    stride, dilation = layer.window["stride"] or K, layer.window.get("dilation", 1)
    top, bottom, left, right = same_padding(size, K, stride, dilation)
    given_x = torch.tensor(x, requires_grad=True)

    def padded(value=0.0):
        return F.pad(given_x, (left, right, top, bottom), value=value)

    if isinstance(layer, Conv2d):
        weight = torch.tensor(layer.weight.value)
        bias = None if layer.bias is None else torch.tensor(layer.bias.value)
        expected = F.conv2d(padded(), weight, bias, stride, 0, dilation, layer.groups)
    elif isinstance(layer, AvgPool2d):
        there = F.pad(torch.ones_like(given_x), (left, right, top, bottom))
        expected = F.avg_pool2d(padded(), K, stride) / F.avg_pool2d(there, K, stride)
    else:
        expected = F.max_pool2d(padded(-np.inf), K, stride)
    dy = images(expected.shape[2:], seed=1)[:, :1].repeat(expected.shape[1], axis=1)
    expected.backward(torch.tensor(dy))
    assert_allclose(layer.forward(x), expected.detach().numpy(), atol=1e-12)
    assert_allclose(layer.backward(dy), given_x.grad.numpy(), atol=1e-12)
