"""What is written for others reads back bit by bit, and PyTorch takes it over."""

import numpy as np
import pytest
from lively import NAMES, images, lively

import npnets
from npnets.layers import ReLU
from npnets.nets.shufflenet_v2 import TABLE_5
from npnets.weights import load_arrays, read
from npnets.weights.export import WRITERS, save, under_names_of
from npnets.weights.load import sources_of
from npnets.weights.options import SMALLEST

SUFFIXES = [".npz", ".safetensors", ".pth"]
TORCHVISION = {
    "mobilenet_v2_x0_35": {},
    "mobilenet_v2_x1_4": {},
    "shufflenet_v2_x0_5": {},
    "shufflenet_v2_x1_0": {"equal_ways": True},
}


def needs(suffix):
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")


def assert_equal_bits(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype, name
        assert found[name].shape == array.shape, name
        assert found[name].tobytes() == array.tobytes(), name


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", NAMES)
def test_under_its_own_names_every_bit_is_kept(tmp_path, name, suffix):
    needs(suffix)
    net, path = lively(name), tmp_path / f"net{suffix}"
    save(net, path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert_equal_bits(read(path).arrays, net.state())


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", TORCHVISION)
def test_under_the_names_of_torchvision_every_bit_comes_back(tmp_path, name, suffix):
    needs(suffix)
    net, path = lively(name, 64, **TORCHVISION[name]), tmp_path / f"net{suffix}"
    save(net, path, "torchvision")
    arrays = read(path).arrays
    counters = [name for name in arrays if name.endswith(".num_batches_tracked")]
    assert len(counters) == sum(name.endswith("running_mean") for name in net.state())
    assert {arrays[name].item() for name in counters} == {0}
    assert {arrays[name].shape for name in counters} == {()}
    assert {arrays[name].dtype for name in counters} == {np.dtype(np.int64)}
    back = load_arrays(arrays, "torchvision")
    assert_equal_bits(back.state(), net.state())
    np.testing.assert_array_equal(back.forward(images(2, 64)), net.forward(images(2, 64)))


def torchvision_twin(name):
    """Return torchvision's network of a name, as its makers build it."""
    import torch_makers
    import torch_shufflenets

    width = float(name.rpartition("x")[2].replace("_", "."))
    if name.startswith("mobilenet"):
        return torch_makers.TvMobileNetV2(width, 7)
    return torch_shufflenets.TvShuffleNetV2(TABLE_5[width], 7)


def torch_reads(torch, path):
    """Return the tensors in a file, as PyTorch reads them."""
    if path.suffix == ".pth":
        return torch.load(path, weights_only=True)
    return pytest.importorskip("safetensors.torch").load_file(path)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
@pytest.mark.parametrize("name", TORCHVISION)
def test_pytorch_takes_them_over_and_computes_the_same(tmp_path, name, suffix):
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    theirs = torchvision_twin(name)
    net = lively(name, 64, **TORCHVISION[name])
    save(net, tmp_path / f"net{suffix}", "torchvision")
    found = torch_reads(torch, tmp_path / f"net{suffix}")
    assert_equal_bits(
        {key: tensor.numpy() for key, tensor in found.items()}, under_names_of("torchvision", net)
    )
    theirs.load_state_dict(found, strict=True)
    exact = net.astype(np.float64).forward(images(2, 64).astype(np.float64))
    with torch.inference_mode():
        found = theirs.double().eval()(torch.from_numpy(images(2, 64)).double()).numpy()
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-10 * abs(exact).max())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_views_are_written_as_they_are_seen(tmp_path, suffix):
    """Of a view, what lies in memory has another order; a library may write that."""
    needs(suffix)
    whole = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    views = {"turned": whole.T, "some": whole[:, ::2], "back": whole[::-1], "one": whole[0, 0, 0]}
    WRITERS[suffix](tmp_path / f"views{suffix}", views)
    assert_equal_bits(read(tmp_path / f"views{suffix}").arrays, views)


def test_a_pth_holds_arrays_of_every_type_and_length(tmp_path):
    """As PyTorch reads it: one storage each, little-endian whatever the array was."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    arrays = {f"{dtype}": rng.integers(0, 2, (2, 3)).astype(dtype) for dtype in "?bBhilefd"}
    arrays |= {"big": np.arange(3, dtype=">f4"), "none": np.zeros((0, 4)), "η": np.float64(np.pi)}
    WRITERS[".pth"](tmp_path / "some.pth", arrays)
    found = torch.load(tmp_path / "some.pth", weights_only=True)
    native = {name: a.astype(a.dtype.newbyteorder("=")) for name, a in arrays.items()}
    assert_equal_bits({name: tensor.numpy() for name, tensor in found.items()}, native)
    for array in (np.zeros(2, np.complex64), np.array(["text"])):
        with pytest.raises(ValueError, match=rf"x: PyTorch's files hold no {array.dtype}"):
            WRITERS[".pth"](tmp_path / "x.pth", {"x": array})


def changed(net, change):
    change(net)
    return net


def double_eps(net):
    net.stem.norm.eps = 1e-3


def pad_as_tensorflow(net):
    net.stem.conv.window["padding"] = "same"


def replace_relu6(net):
    net.head.act = ReLU()


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (lambda: lively("mobilenet_v1_x0_25"), "torchvision has no MobileNetV1; it has MobileNet"),
        (lambda: lively("shufflenet_v1_x0_25_g3"), "torchvision has no ShuffleNetV1"),
        (lambda: lively("shufflenet_v2_x1_0", 64), "stage2.unit1: kept is 24 here and 58 there"),
        (lambda: lively("mobilenet_v2_x0_35"), "stem.conv: stride is 1 here and 2 there"),
        (lambda: lively("shufflenet_v2_x0_5"), "max_pool is there in torchvision alone"),
        (lambda: lively("mobilenet_v2_x0_35", 64).fold(), "batch norm is folded in here"),
        (
            lambda: changed(lively("mobilenet_v2_x0_35", 64), double_eps),
            "stem.norm: eps is 0.001 here and 1e-05 there",
        ),
        (
            lambda: changed(lively("mobilenet_v2_x0_35", 64), pad_as_tensorflow),
            "stem.conv: padding is same here and 1 there",
        ),
        (
            lambda: changed(lively("mobilenet_v2_x0_35", 64), replace_relu6),
            "head.act: kind is ReLU here and ReLU6 there",
        ),
        (lambda: lively("mobilenet_v2_x0_35", 64, always_expand=True), "stage1.unit1.branch.exp"),
    ],
)  # fmt: skip
def test_a_network_that_is_none_of_torchvisions_is_refused_and_told_why(tmp_path, net, said):
    with pytest.raises(ValueError, match=said):
        save(net(), tmp_path / "net.npz", "torchvision")
    assert not list(tmp_path.iterdir())


def test_a_list_of_differences_ends(tmp_path):
    net = lively("mobilenet_v2_x0_35", 64)
    for layer in net.layers().values():
        if hasattr(layer, "eps"):
            layer.eps = 1e-3
    with pytest.raises(ValueError, match="  and 47 more") as error:
        save(net, tmp_path / "net.npz", "torchvision")
    assert str(error.value).count("\n") == 6


@pytest.mark.parametrize(
    "source", sources_of("auto"), ids=lambda s: f"{s.maker} {s.network.__name__}"
)
def test_what_is_written_under_the_names_of_a_maker_is_read_back(source):
    if source.maker == "npnets":
        return
    net = source.build(**SMALLEST[source.network], num_classes=10, rng=0)
    rng = np.random.default_rng(0)
    state = {
        name: rng.uniform(0.5, 1, a.shape).astype(np.float32) for name, a in net.state().items()
    }
    state |= {name: 0 * state[name] for name in source.absent}
    net.load_state(state)
    found = under_names_of(source.maker, net)
    back = load_arrays(found, source.maker)
    assert_equal_bits(back.state(), net.state())


def test_a_file_of_another_kind(tmp_path):
    net = npnets.create_model("mobilenet_v1_x0_25", rng=0)
    with pytest.raises(ValueError, match=r"must end in \.safetensors, \.pth, \.npz or \.onnx"):
        save(net, tmp_path / "net.h5")
    with pytest.raises(
        ValueError, match="unknown source 'torchvison'; did you mean 'torchvision'"
    ):
        under_names_of("torchvison", net)
