"""What the readers make of good files."""

import sys

import numpy as np
import pytest
from good_files import GOOD, GOOD_KERAS
from safetensors.numpy import save_file

from npnets import checkpoint
from npnets.weights.reading import read

ARRAYS = {
    "stem.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "doubles": np.linspace(0, 1, 5),
    "bytes": np.arange(6, dtype=np.uint8).reshape(3, 2),
    "signed": np.array([[-3, 5]], np.int8),
    "flags": np.array([True, False]),
    "empty": np.zeros((0, 3), np.float32),
    "steps": np.array(7, np.int64),
}


def assert_same(arrays, expected):
    """Names, order, types and values are the same, and the arrays are as a Checkpoint has them."""
    assert list(arrays) == list(expected)
    for name, array in arrays.items():
        assert array.dtype == expected[name].dtype
        assert array.dtype.isnative
        assert array.flags.c_contiguous
        assert array.shape == expected[name].shape
        assert np.array_equal(array, expected[name])


def test_npz(tmp_path):
    np.savez(tmp_path / "weights", **ARRAYS)
    found = read(tmp_path / "weights.npz")
    assert_same(found.arrays, ARRAYS)
    assert (found.format, found.metadata) == ("npz", {})


def test_the_suffix_does_not_matter(tmp_path):
    with open(tmp_path / "weights.pth", "wb") as file:
        np.savez(file, **ARRAYS)
    assert read(tmp_path / "weights.pth").format == "npz"


def test_npz_as_numpy_may_write_it(tmp_path):
    matrix = np.arange(6, dtype=">f4").reshape(2, 3)
    np.savez(tmp_path / "a.npz", columns=matrix.T, half=np.array([0.5, 6e-8], np.float16))
    expected = {"columns": matrix.T.astype(np.float32), "half": np.float32([0.5, 2**-24])}
    assert_same(read(tmp_path / "a.npz").arrays, expected)


def test_a_checkpoint_of_npnets(tmp_path):
    checkpoint.save(tmp_path / "a.npz", ARRAYS, {"epoch": 3})
    found = read(tmp_path / "a.npz")
    assert_same(found.arrays, ARRAYS)
    assert found.metadata["description"]["epoch"] == 3


def test_safetensors(tmp_path):
    save_file(ARRAYS, tmp_path / "a.safetensors", {"format": "np"})
    found = read(tmp_path / "a.safetensors")
    assert_same(found.arrays, {name: ARRAYS[name] for name in found.arrays})
    assert set(found.arrays) == set(ARRAYS)
    assert (found.format, found.metadata) == ("safetensors", {"format": "np"})


def test_halves_of_safetensors_become_float32(tmp_path):
    halves = np.array([1.5, -0.0, 2**-24, np.inf], np.float16)
    bits = np.array([0x3FC0, 0x8000, 0x0001, 0x7F80], "<u2")  # 1.5, −0, 2^−133, ∞
    header = (b'{"b":{"dtype":"BF16","shape":[2,2],"data_offsets":[0,8]},'
              b'"h":{"dtype":"F16","shape":[4],"data_offsets":[8,16]}}')  # fmt: skip
    data = len(header).to_bytes(8, "little") + header + bits.tobytes() + halves.tobytes()
    (tmp_path / "a").write_bytes(data)
    expected = {"b": np.float32([[1.5, -0.0], [2.0**-133, np.inf]]), "h": halves.astype("f4")}
    assert_same(read(tmp_path / "a").arrays, expected)


def test_there_is_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.pth")


def test_a_folder_is_answered_with_the_files_in_it(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder, without a file of weights"):
        read(tmp_path)
    for name in ("b.pth", "a.npz", "README.md"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(
        IsADirectoryError, match=r"is a folder, give a file in it: a\.npz, b\.pth$"
    ):
        read(tmp_path)


def test_half_a_download_is_called_that(tmp_path):
    content = GOOD["pytorch zip"]
    (tmp_path / "a.pth").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"a\.pth cannot be read: .* half a download"):
        read(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("kind", "library"), [("safetensors", "safetensors"), ("keras 2", "h5py")]
)
def test_a_missing_library_is_named_and_how_to_install_it(kind, library, tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes((GOOD | GOOD_KERAS)[kind])
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf'{library}.*pip install "npnets\[weights\]"'):
        read(tmp_path / "a")
