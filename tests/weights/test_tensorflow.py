"""Weights from TensorFlow: PyTorch says the same of them, whatever the size of the image."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from npnets.weights import load_arrays
from npnets.weights.names import coral

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "npnets[parity]"')
import tensorflow_nets as witness  # noqa: E402

LISTINGS = Path(__file__).parents[3] / "shared" / "reference" / "state_dict"
NETS = {
    "v1, half": lambda: witness.mobilenet_v1(0.5, num_classes=7),
    "v1": witness.mobilenet_v1,
    "v2": witness.mobilenet_v2,
}
every_net = pytest.mark.parametrize("make", NETS.values(), ids=NETS)
# even throughout, odd from the first layer on, and even before it turns odd
every_size = pytest.mark.parametrize("size", [(64, 64), (65, 47), (44, 72)], ids=str)


def images(size, seed=0):
    return np.random.default_rng(seed).standard_normal((1, 3, *size))


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def arrays_of(net):
    return {name: tensor.numpy().copy() for name, tensor in net.state_dict().items()}


def logits(net, x):
    with torch.no_grad():
        return net(torch.from_numpy(x)).numpy()


@every_size
@every_net
def test_hugging_face(make, size):
    theirs = witness.trained(make())
    ours = load_arrays(arrays_of(theirs), dtype=np.float64)
    assert ours.source.maker == "huggingface"
    expected, x = logits(theirs, images(size)), images(size)
    assert_allclose(ours.forward(x), expected, rtol=0, atol=1e-10 * np.abs(expected).max())
    assert_allclose(ours.fold().forward(x), expected, rtol=0, atol=1e-10 * np.abs(expected).max())


def keras_layers(file):
    """Return the names and shapes of a listing: one dict a layer."""
    listing = json.loads((LISTINGS / file).read_text(encoding="utf-8"))
    return [layer["weights"] for layer in listing["layers"] if layer["weights"]]


def keras_arrays(file, tensors):
    """Return {Keras' name: array}: the tensors, in the order of the listing, as Keras has them."""
    arrays, tensors = {}, iter(tensors)
    for layer in keras_layers(file):
        for name, shape in layer.items():
            array = next(tensors)
            if array.ndim == 4:  # O I H W -> H W I O, or H W O I of one filter each
                depthwise = "dw" in name or "depthwise" in name
                array = array.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
            arrays[name] = (array.T if array.ndim == 2 else array).reshape(shape)
    assert next(tensors, None) is None
    return arrays


@pytest.mark.skipif(not LISTINGS.exists(), reason="../shared/reference/state_dict is not there")
@pytest.mark.parametrize("keras_2", [False, True])
@pytest.mark.parametrize(
    ("file", "make"),
    [("keras_mobilenet_v1.json", witness.mobilenet_v1),
     ("keras_mobilenet_v2.json", witness.mobilenet_v2)],
)  # fmt: skip
def test_keras(file, make, keras_2):
    """The order of the layers, not their names, says which array is which."""
    theirs = witness.trained(make(num_classes=1000))
    arrays = keras_arrays(file, [a for a in arrays_of(theirs).values() if a.ndim])
    if keras_2:
        arrays = {
            name.replace("/kernel", "/depthwise_kernel") if a.shape[3:] == (1,) else name: a
            for name, a in arrays.items()
        }
    ours, x = load_arrays(arrays, dtype=np.float64), images((64, 96))
    assert ours.source.maker == "keras"
    assert ours.source.options["num_classes"] == len(ours.preprocessing.class_names) == 1000
    expected = logits(theirs, x)
    assert_allclose(ours.forward(x), expected, rtol=0, atol=1e-10 * np.abs(expected).max())


@pytest.mark.skipif(not LISTINGS.exists(), reason="../shared/reference/state_dict is not there")
@pytest.mark.parametrize("file", ["hf_mobilenet_v1_1.0_224.json", "hf_mobilenet_v2_1.0_224.json"])
def test_the_witness_has_the_names_and_shapes_of_hugging_face(file):
    listing = json.loads((LISTINGS / file).read_text(encoding="utf-8"))["state_dict"]
    net = witness.mobilenet_v1() if "v1" in file else witness.mobilenet_v2()
    assert {name: list(tensor.shape) for name, tensor in net.state_dict().items()} == dict(listing)
    assert load_arrays(arrays_of(net)).source.maker == "huggingface"


def quantised(arrays, per_channel, rng):
    """Return arrays of 8 bits with scales and zero points, and the weights they stand for."""
    whole, real = {}, {}
    for layer, (weight, bias) in arrays.items():
        axis = 3 if weight.shape[0] == 1 else 0
        channels = weight.shape[axis] if per_channel else 1
        scale = rng.uniform(0.001, 0.01, channels).astype(np.float32)
        zero = rng.integers(100, 150, channels, np.int32)
        q = rng.integers(0, 256, weight.shape, np.uint8)
        whole |= {f"{layer}/weight_q": q, f"{layer}/weight_scale": scale}
        whole |= {f"{layer}/weight_zero_point": zero, f"{layer}/bias_scale": scale}
        whole[f"{layer}/bias_q"] = rng.integers(-99, 99, bias.shape, np.int32)
        weight = np.zeros(weight.shape)
        for at in np.ndindex(weight.shape):
            k = at[axis] if per_channel else 0
            weight[at] = (int(q[at]) - int(zero[k])) * float(scale[k])
        real[layer] = weight, whole[f"{layer}/bias_q"] * np.float64(scale)
    return whole, real


@pytest.mark.parametrize("per_channel", [False, True], ids=["per tensor", "per channel"])
def test_whole_numbers_stand_for_q_minus_zero_times_scale(per_channel):
    rng = np.random.default_rng(0)
    shapes = {"conv": (np.zeros((5, 3, 3, 2)), np.zeros(5)),
              "depthwise": (np.zeros((1, 3, 3, 4)), np.zeros(4))}  # fmt: skip
    whole, real = quantised(shapes, per_channel, rng)
    found = coral.dequantise(whole)
    assert found.keys() == {f"{layer}/{kind}" for layer in real for kind in ("weight", "bias")}
    for layer, (weight, bias) in real.items():
        assert_allclose(found[f"{layer}/weight"], weight, rtol=1e-15, atol=1e-18)
        assert_allclose(found[f"{layer}/bias"], bias, rtol=1e-15)


def test_whole_numbers_without_a_scale_are_refused():
    arrays = {
        "conv/weight_q": np.zeros((1, 1, 1, 1), np.uint8),
        "conv/weight_zero_point": np.ones(1),
    }
    with pytest.raises(ValueError, match="in whole numbers, but no 'conv/weight_scale'"):
        coral.dequantise(arrays)


def test_other_arrays_are_left_as_they_are():
    arrays = {"a.weight": np.ones(3)}
    assert coral.dequantise(arrays) is arrays
