"""Checkpoints: what goes in comes out; what was damaged or made to harm is refused."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from npnets import checkpoint

ARRAYS = {
    "net/stem.conv.weight": np.arange(12, dtype=np.float32).reshape(3, 4),
    "empty": np.zeros((0, 3)),
    "number": np.array(7, np.int64),
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.npz"
    checkpoint.save(path, ARRAYS, {"epoch": 3, "name": "ü"})
    return path


def test_what_goes_in_comes_out(path):
    arrays, description = checkpoint.load(path)
    assert description == {"epoch": 3, "name": "ü"}
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        assert np.array_equal(arrays[name], array)


def test_numpy_reads_the_arrays_too(path):
    with np.load(path, allow_pickle=False) as file:
        assert np.array_equal(file["net/stem.conv.weight"], ARRAYS["net/stem.conv.weight"])


def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(path, monkeypatch):
    before = path.read_bytes()

    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        checkpoint.save(path, {"other": np.ones(5)}, {})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_arrays_of_objects_are_not_saved(tmp_path):
    with pytest.raises(ValueError, match=r"[Oo]bject"):
        checkpoint.save(tmp_path / "a.npz", {"x": np.array([{}])}, {})
    assert list(tmp_path.iterdir()) == []


def test_every_truncation_is_refused(path):
    whole = path.read_bytes()
    for size in range(0, len(whole) - 1, 37):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="is not a checkpoint of npnets, or is damaged"):
            checkpoint.load(path)


def test_a_flipped_bit_is_noticed_or_harmless(path):
    whole = bytearray(path.read_bytes())
    refused = 0
    for at in range(0, len(whole), 11):
        whole[at] ^= 64
        path.write_bytes(whole)
        whole[at] ^= 64
        try:
            arrays, _ = checkpoint.load(path)
        except ValueError:
            refused += 1
        else:  # the bit was in a field that says nothing of the contents, such as a date
            assert all(np.array_equal(arrays[name], ARRAYS[name]) for name in arrays)
    assert refused > len(whole) / 11 / 2


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        checkpoint.load(tmp_path / "none.npz")


def write(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, contents in members.items():
            archive.writestr(name, contents)


def npy(array, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, array, **options)
    return file.getvalue()


GOOD = '{"format": "npnets checkpoint 1"}'


@pytest.mark.parametrize(
    "members",
    [
        {"x.npy": npy(np.ones(3))},
        {"description.json": "{", "x.npy": npy(np.ones(3))},
        {"description.json": "[1]"},
        {"description.json": '{"format": "another"}'},
        {"description.json": "[" * 100_000},
        {"description.json": GOOD, "x.npy": b"not an array"},
        {"description.json": GOOD, "x.npy": npy(np.ones(3))[:-1]},
        {"description.json": GOOD, "x.npy": npy(np.ones(3)).replace(b"(3,)", b"(9,)")},
        {"description.json": GOOD, "x.npy": npy(np.ones(3)).replace(b"'<f8'", b"'|O8'")},
    ],
    ids=["foreign", "json", "list", "format", "deep", "magic", "short", "lying", "objects"],
)
def test_foreign_files_are_refused(tmp_path, members):
    path = tmp_path / "a.npz"
    write(path, members)
    with pytest.raises(ValueError, match="is not a checkpoint of npnets"):
        checkpoint.load(path)


def test_a_size_that_would_fill_the_memory_is_refused(tmp_path):
    header = npy(np.ones(3)).replace(b"(3,), }" + b" " * 18, b"(300000000000000,), }    ")
    assert b"300000000000000" in header
    write(tmp_path / "a.npz", {"description.json": GOOD, "x.npy": header})
    with pytest.raises(ValueError, match="promises 2400000000000000 bytes"):
        checkpoint.load(tmp_path / "a.npz")


def test_compressed_members_are_refused(tmp_path):
    members = {"description.json": GOOD, "x.npy": npy(np.zeros(10**6))}
    write(tmp_path / "a.npz", members, zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="is compressed"):
        checkpoint.load(tmp_path / "a.npz")


class Harm:
    def __reduce__(self):
        return os.mkdir, (os.environ["HARM"],)


def test_a_pickle_is_not_executed(tmp_path, monkeypatch):
    monkeypatch.setenv("HARM", str(tmp_path / "harm"))
    pickled = pickle.dumps(Harm())
    objects = npy(np.array([Harm()], dtype=object), allow_pickle=True)
    write(tmp_path / "a.npz", {"description.json": GOOD, "x.npy": objects})
    (tmp_path / "b.npz").write_bytes(pickled)
    for name in "ab":
        with pytest.raises(ValueError, match="is not a checkpoint of npnets"):
            checkpoint.load(tmp_path / f"{name}.npz")
    assert not (tmp_path / "harm").exists()
