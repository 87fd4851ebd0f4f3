"""PyTorch's files: written by hand, and, where it is at hand, by PyTorch itself."""

import struct
from collections import OrderedDict

import numpy as np
import pytest
import torch_files as by_hand
from test_reading import ARRAYS, assert_same

from npnets.weights.reading import read

WRITE = {
    "pytorch zip": lambda value, storages: by_hand.zip_file(value, storages),
    "pytorch": lambda value, storages: by_hand.old_file(value, storages),
}


@pytest.fixture(params=WRITE)
def save(request, tmp_path):
    """A function that writes arrays, in a wrapping, and returns what `read` makes of the file."""

    def saved(arrays, wrap=lambda entries: entries):
        entries, storages = by_hand.tensors(arrays, new=request.param == "pytorch zip")
        path = tmp_path / "weights.pth"
        path.write_bytes(WRITE[request.param](wrap(entries), storages))
        found = read(path)
        assert found.format == request.param
        return found

    return saved


def module(entries):
    return {f"module.{name}": entry for name, entry in entries.items()}


WRAPS = {
    "dict": (dict, [], []),
    "OrderedDict": (by_hand.ordered, [], []),
    "DataParallel": (module, [], []),
    "state_dict": (lambda entries: {"epoch": 3, "state_dict": entries, "optimizer": {0: {}}},
                   ["state_dict"], ["epoch", "optimizer"]),
    "both": (lambda entries: {"model": {"state_dict": by_hand.ordered(module(entries))}},
             ["model", "state_dict"], []),
    "beside": (lambda entries: {"arch": "x", **entries, "scores": [0.5, 1]},
               [], ["arch", "scores"]),
    "model_ema": (lambda entries: {"model_ema": {}, "model": entries}, ["model"], ["model_ema"]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRAPS)
def test_wrappers_are_taken_off(name, save):
    wrap, opened, left_out = WRAPS[name]
    found = save(ARRAYS, wrap)
    assert_same(found.arrays, ARRAYS)
    assert found.metadata == {"opened": opened, "left_out": left_out}


def test_python_2_wrote_text_as_bytes_and_ordered_dicts_at_once(save):
    def wrap(entries):
        pairs = [[name.encode(), entry] for name, entry in entries.items()]
        return by_hand.call(by_hand.name("collections", "OrderedDict"), pairs)

    assert_same(save(ARRAYS, wrap).arrays, ARRAYS)


def test_halves_become_float32(save):
    halves = np.array([1.5, -0.0, 2**-24, np.inf], np.float16)
    assert_same(save({"h": halves}).arrays, {"h": halves.astype(np.float32)})


def one_storage(**tensors):
    """Return a file of one storage, with the numbers 0 to 11, and of tensors that look at it."""
    where = by_hand.storage("FloatStorage", "0", 12)
    entries = {name: by_hand.tensor(where, *view) for name, view in tensors.items()}
    return by_hand.zip_file(entries, {"0": np.arange(12, dtype=np.float32).tobytes()})


def test_views(tmp_path):
    (tmp_path / "a").write_bytes(
        one_storage(
            whole=(0, (3, 4), (4, 1)),
            transposed=(0, (4, 3), (1, 4)),
            every_second=(1, (2, 2), (8, 2)),
            expanded=(5, (2, 3), (0, 0)),
            empty=(12, (2, 0), (1, 1)),
            number=(11, (), ()),
        )
    )
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    expected = {
        "whole": x,
        "transposed": x.T,
        "every_second": x[::2, 1::2],
        "expanded": np.full((2, 3), 5, np.float32),
        "empty": np.zeros((2, 0), np.float32),
        "number": np.float32(11),
    }
    assert_same(read(tmp_path / "a").arrays, expected)


def test_what_looks_at_the_same_numbers_is_one_array(tmp_path):
    whole = (0, (3, 4), (4, 1))
    (tmp_path / "a").write_bytes(one_storage(a=whole, b=whole, c=(0, (12,), (1,))))
    arrays = read(tmp_path / "a").arrays
    assert arrays["a"] is arrays["b"]
    assert not np.shares_memory(arrays["a"], arrays["c"])


def test_the_other_byte_order(tmp_path):
    where = by_hand.storage("FloatStorage", "0", 3)
    half = by_hand.storage("BFloat16Storage", "1", 2)
    entries = {"w": by_hand.tensor(where, 0, (3,), (1,)), "b": by_hand.tensor(half, 0, (2,), (1,))}
    storages = {"0": np.array([1, 2, 3], ">f4").tobytes(), "1": b"\x3f\xc0\xff\x80"}
    order = [("byteorder", b"big")]
    (tmp_path / "a").write_bytes(by_hand.zip_file(entries, storages, order))
    expected = {"w": np.float32([1, 2, 3]), "b": np.float32([1.5, -np.inf])}
    assert_same(read(tmp_path / "a").arrays, expected)


# fmt: off
REFUSED = {
    "no dict":       ([1], "it holds a list, not a dict of tensors"),
    "no tensors":    ({"epoch": 1, "lr": 0.1}, "none of its entries is a tensor: epoch, lr"),
    "whole model":   (by_hand.call(by_hand.name("torchvision.models", "MobileNetV2")),
                      r"refused.*GLOBAL 'torchvision.models MobileNetV2'.*model.state_dict\(\)"),
    "other storage": ({"w": by_hand.storage("ComplexFloatStorage", "0", 1)},
                      "refused.*torch ComplexFloatStorage"),
    "no storage":    ({"w": by_hand.Code(by_hand.code(("module", "x")) + b"Q")},
                      "an id that is not of a storage"),
    "view of one":   ({"w": by_hand.Code(by_hand.code(
                          ("storage", by_hand.name("torch", "FloatStorage"), "0", "cpu", 3,
                           ("1", 0, 2))) + b"Q")}, "an id that is not of a storage"),
    "cycle":         (by_hand.Code(b"}q\x00X\x05\x00\x00\x00modelh\x00s"),
                      "none of its entries is a tensor"),
}
# fmt: on


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_just_tensors_is_refused(name, tmp_path):
    value, reason = REFUSED[name]
    for path, write in (
        (tmp_path / "new", by_hand.zip_file),
        (tmp_path / "old", by_hand.old_file),
    ):
        path.write_bytes(write(value, {}))
        with pytest.raises(ValueError, match=f"{path} cannot be read: .*({reason})"):
            read(path)


# What a tensor of a storage of 12 numbers may not be: offset, shape, strides.
OUTSIDE = {
    "one too far": (1, (3, 4), (4, 1)),
    "offset": (12, (), ()),
    "negative offset": (-1, (2,), (1,)),
    "negative stride": (11, (12,), (-1,)),
    "negative size": (0, (-3, -4), (4, 1)),
    "wide strides": (0, (2, 2), (12, 1)),
    "huge": (0, (2**40, 2**40), (1, 1)),
    "huge stride": (0, (2,), (2**80,)),
    "huge and empty": (0, (2**70, 0), (1, 1)),
    "huge and repeated": (0, (2**40,), (0,)),
    "axes": (0, (1,) * 33, (1,) * 33),
    "fewer strides": (0, (3, 4), (1,)),
    "text": (0, ("3", 4), (4, 1)),
    "fractions": (0, (3.0, 4), (4, 1)),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_tensor_must_lie_in_its_storage(name, tmp_path):
    (tmp_path / "a").write_bytes(one_storage(w=OUTSIDE[name]))
    reasons = "reaches number|whole numbers from 0|axes and|would fill|dimension|too large"
    with pytest.raises(ValueError, match=f"a cannot be read: .*({reasons})"):
        read(tmp_path / "a")


def test_the_last_number_that_a_tensor_reaches_is_named(tmp_path):
    (tmp_path / "a").write_bytes(one_storage(w=(1, (3, 4), (4, 1))))
    with pytest.raises(ValueError, match="reaches number 12 of a storage of 12"):
        read(tmp_path / "a")


def test_a_storage_that_has_another_size_than_it_says_is_refused(tmp_path):
    where = by_hand.storage("FloatStorage", "0", 12)
    entries = {"w": by_hand.tensor(where, 0, (12,), (1,))}
    (tmp_path / "a").write_bytes(
        by_hand.old_file(entries, {"0": struct.pack("<q", 11) + bytes(48)})
    )
    with pytest.raises(ValueError, match="storage '0' has 11 numbers, not 12"):
        read(tmp_path / "a")


@pytest.mark.parametrize("size", [0, 11, 13, 2**40, 2**70, -1])
def test_a_storage_must_have_its_size(size, tmp_path):
    entries = {"w": by_hand.tensor(by_hand.storage("FloatStorage", "0", size), 0, (0,), (1,))}
    numbers = np.arange(12, dtype=np.float32).tobytes()
    (tmp_path / "new").write_bytes(by_hand.zip_file(entries, {"0": numbers}))
    (tmp_path / "old").write_bytes(
        by_hand.old_file(entries, {"0": struct.pack("<q", min(size, 2**62)) + numbers})
    )
    for name in ("new",) if size == 0 or size == 11 else ("new", "old"):
        with pytest.raises(ValueError, match="cannot be read"):
            read(tmp_path / name)


def torch_state(torch):
    """Return a state_dict of all that may be in one."""
    x = torch.arange(24.0).reshape(2, 3, 4)
    return OrderedDict(
        {
            "whole": x,
            "view": x[1:, ::2],
            "transposed": x.permute(2, 0, 1),
            "parameter": torch.nn.Parameter(x[0]),
            "double": x.double() / 3,
            "half": x.half() / 3,
            "bfloat16": x.bfloat16() / 3,
            "empty": torch.zeros(0, 3),
            "expanded": torch.ones(1).expand(3),
            "tied": x,
            **{str(t)[6:]: x.to(t) for t in (torch.int64, torch.int32, torch.int16, torch.int8)},
            "bytes": x.byte(),
            "flags": x > 3,
            "num_batches_tracked": torch.tensor(5),
        }
    )


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("new", [True, False])
def test_what_pytorch_saves(new, protocol, tmp_path):
    torch = pytest.importorskip("torch")
    state = torch_state(torch)
    state._metadata = {"": {"version": 1}}
    whole = {"state_dict": state, "best_acc1": np.float64(71.5), "epoch": 3}
    torch.save(whole, tmp_path / "a", pickle_protocol=protocol,
               _use_new_zipfile_serialization=new)  # fmt: skip
    found = read(tmp_path / "a")
    expected = {
        name: (value.float() if value.dtype in (torch.half, torch.bfloat16) else value)
        for name, value in state.items()
    }
    assert_same(found.arrays, {name: value.detach().numpy() for name, value in expected.items()})
    assert found.arrays["tied"] is found.arrays["whole"]
    assert all(array.flags.writeable for array in found.arrays.values())


@pytest.mark.parametrize("new", [True, False])
def test_what_an_optimizer_saves_lies_beside(new, tmp_path):
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.ones(2, 3, 5, 5)).sum().backward()
    optimizer.step()
    whole = {"model": net.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save(whole, tmp_path / "a", _use_new_zipfile_serialization=new)
    expected = {name: value.numpy() for name, value in net.state_dict().items()}
    assert_same(read(tmp_path / "a").arrays, expected)


@pytest.mark.parametrize("new", [True, False])
def test_whole_modules_are_refused(new, tmp_path):
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Linear(2, 3), tmp_path / "a", _use_new_zipfile_serialization=new)
    with pytest.raises(ValueError, match=r"refused.*Linear'.*torch\.save\(model\.state_dict\(\)"):
        read(tmp_path / "a")
