"""An ONNX model computes what the network computes, as ONNX Runtime sees it."""

import numpy as np
import pytest
from lively import NAMES, images, lively

import npnets
from npnets import ops
from npnets.layers import (
    AvgPool2d,
    BatchNorm,
    ChannelShuffle,
    Conv2d,
    DepthwiseConv2d,
    Layer,
    MaxPool2d,
    PointwiseConv2d,
    ReLU,
    ReLU6,
    Sequential,
)
from npnets.weights.load import sources_of
from npnets.weights.onnx import OPSET, save_onnx, to_onnx
from npnets.weights.options import SMALLEST

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

# Of these networks, rounding in float32 alone moves the logits by up to 1.3e-5 of the largest.
WHOLE = 5e-5


def run(model, x):
    """Return what ONNX Runtime makes of x, with a model that the checker has passed."""
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (result,) = session.run(None, {"images": x})
    return result


def assert_same(found, expected, tolerance=1e-6):
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert expected.any()
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * abs(expected).max())


@pytest.mark.parametrize("folded", [False, True], ids=["as it is", "folded"])
@pytest.mark.parametrize("size", [32, 64])
@pytest.mark.parametrize("name", NAMES)
def test_all_four_networks_for_any_number_of_images(name, size, folded):
    net = lively(name, size)
    net = net.fold() if folded else net
    model = to_onnx(net, (3, size, size))
    for N in (1, 3):
        x = images(N, size)
        logits = net.forward(x)
        assert abs(logits).max() > 0.1
        assert_same(run(model, x), logits, WHOLE)


def test_the_channels_of_equal_ways_are_sliced_and_shuffled():
    net = lively("shufflenet_v2_x0_5", equal_ways=True)
    assert_same(run(to_onnx(net, (3, 32, 32)), images()), net.forward(images()), WHOLE)


def test_padding_may_differ_from_side_to_side():
    """As TensorFlow pads: nothing before, and one pixel after."""
    net = lively("mobilenet_v2_x0_35", 64)
    strided = [
        layer for layer in net.layers().values() if getattr(layer, "window", {}).get("stride") == 2
    ]
    for layer in strided:
        layer.window["padding"] = (0, 0, 1, 1)
    x = images(2, 64)
    logits = net.forward(x)
    assert len(strided) == 5
    assert_same(run(to_onnx(net, (3, 64, 64)), x), logits, WHOLE)
    for layer in strided:
        layer.window["padding"] = (0, 1, 0, 1)
    other = net.forward(x)
    assert abs(other - logits).max() > 0.01
    assert_same(run(to_onnx(net, (3, 64, 64)), x), other, WHOLE)


@pytest.mark.parametrize(
    ("maker", "network"),
    [
        ("coral", npnets.MobileNetV2),
        ("keras", npnets.MobileNetV1),
        ("megvii", npnets.ShuffleNetV2),
    ],
)
def test_what_a_maker_does_otherwise_is_written(maker, network):
    """Padding "same", batch norm that is folded in already, another eps, other shuffles."""
    source = next(s for s in sources_of(maker) if s.network is network)
    net = source.build(**SMALLEST[network], num_classes=7, rng=0)
    for size in (64, 63):
        x = images(2, size)
        assert_same(run(to_onnx(net, (3, size, size)), x), net.forward(x), WHOLE)


def test_the_eps_of_batch_norm_is_kept():
    net = lively("mobilenet_v1_x0_25")
    before = net.forward(images())
    for layer in net.layers().values():
        if isinstance(layer, BatchNorm):
            layer.eps = 0.1
    logits = net.forward(images())
    assert abs(logits - before).max() > 0.01
    assert_same(run(to_onnx(net, (3, 32, 32)), images()), logits, WHOLE)


def drawn(layer, seed=0):
    rng = np.random.default_rng(seed)
    for part in layer.parameters().values():
        part.value = rng.standard_normal(part.value.shape, dtype=np.float32)
    return layer.eval()


@pytest.mark.parametrize(
    "layer",
    [
        Conv2d(6, 4, 3, stride=2, padding=(0, 1, 2, 1), groups=2, bias=True),
        Conv2d(6, 4, 2, dilation=2),
        DepthwiseConv2d(6, 3, dilation=2, padding=(2, 0, 1, 1), bias=True),
        PointwiseConv2d(6, 4, groups=2, bias=True),
        MaxPool2d(3, stride=2, padding=(1, 0, 0, 1)),
        MaxPool2d(2),
        AvgPool2d(3, stride=2, padding=1),
        ChannelShuffle(3),
        ReLU(),
        ReLU6(),
    ],
    ids=repr,
)
def test_each_layer_with_its_options(layer):
    net, x = Sequential(only=drawn(layer)).eval(), 5 * images(2, 9).repeat(2, axis=1)
    assert_same(run(to_onnx(net, (6, 9, 9)), x), net.forward(x))


class Calling(Layer):
    """A layer that calls a function."""

    def __init__(self, function):
        self.function = function

    def forward(self, x):
        return self.function(x)


def test_an_average_may_leave_out_the_padding():
    net = Calling(lambda x: ops.avg_pool2d(x, 3, 2, (1, 1, 0, 1), count_include_pad=False))
    assert_same(run(to_onnx(net, (3, 8, 8)), images(2, 8)), net.forward(images(2, 8)))


def test_weights_keep_their_names_and_bits(tmp_path):
    net = lively("shufflenet_v1_x0_25_g3")
    save_onnx(net, tmp_path / "net.onnx", (3, 32, 32))
    model = onnx.load(tmp_path / "net.onnx")
    found = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    for name, array in net.state().items():
        assert found[name].tobytes() == array.tobytes(), name
    assert model.opset_import[0].version == OPSET
    assert [path.name for path in tmp_path.iterdir()] == ["net.onnx"]


def test_the_network_is_written_as_it_is_at_inference_and_stays_as_it_is():
    net = lively("mobilenet_v1_x0_25")
    logits, before = net.forward(images()), net.state()
    model = to_onnx(net.train(), (3, 32, 32))
    assert all(layer.training for layer in net.layers().values())
    assert all(before[name].tobytes() == array.tobytes() for name, array in net.state().items())
    assert_same(run(model, images()), logits, WHOLE)


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (Calling(lambda x: ops.split(x, 1)[1]), "no ONNX node is known for the operation split"),
        (Calling(np.tanh), "Calling: no ONNX node is known for Calling"),
        (
            Sequential(own=Calling(lambda x: ops.relu(x[:, ::-1]))),
            "own: gets a view of images that is no range of its channels",
        ),
        (Calling(lambda x: ops.relu(x + 1)), "Calling: gets images that no operation"),
    ],
)
def test_what_cannot_be_written_is_refused(net, said):
    with pytest.raises(ValueError, match=said):
        to_onnx(net.eval(), (3, 8, 8))


def test_images_that_do_not_fit():
    net = npnets.create_model("mobilenet_v1_x0_25", rng=0)
    with pytest.raises(ValueError, match=r"input_shape must be \(C, H, W\), got \(1, 3, 64, 64\)"):
        to_onnx(net, (1, 3, 64, 64))
    with pytest.raises(ValueError, match="channels"):
        to_onnx(net, (4, 64, 64))
