"""CIFAR-10, from tiny batches that are written here, and what may be wrong with them."""

import io
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest

from npnets import data
from npnets.data import cifar10
from npnets.data.cifar10 import NAMES, read_array
from npnets.pickled import read_pickle

REAL = Path(__file__).parents[3] / "shared" / "data" / "cifar-10-batches-py.tar.xz"


def word(text):
    return b"U" + bytes([len(text)]) + text.encode()


def number(value):
    return b"J" + struct.pack("<i", value)


def pickled(rows, labels, dtype="u1"):
    """A batch as its makers wrote it, with Python 2, NumPy 1, and pickle's protocol 2.

    `python -m pickletools` spells out the original, of which this is a copy.
    """
    N, M = rows.shape
    listed = b"](" + b"".join(map(number, labels)) + b"e"
    kind = b"cnumpy\ndtype\n" + word(dtype) + b"K\x00K\x01\x87R"
    kind += b"(K\x03" + word("|") + b"NNN" + number(-1) + number(-1) + b"K\x00tb"
    empty = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    shape = number(N) + number(M) + b"\x86"
    bytestring = b"T" + struct.pack("<i", rows.size) + rows.tobytes()
    array = empty + b"q\x01(K\x01" + shape + kind + b"\x89" + bytestring + b"tb"
    return b"\x80\x02}(" + word("labels") + listed + word("data") + array + b"u."


def random_rows(N=4, M=3072, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (N, M), dtype=np.uint8)


BATCHES = {
    name: pickled(random_rows(seed=seed), [seed, 1, 2, 9])
    for seed, name in enumerate((*cifar10.TRAIN, cifar10.TEST))
}


def write_batches(folder, **changed):
    folder.mkdir(parents=True, exist_ok=True)
    for name, program in {**BATCHES, **changed}.items():
        if program is not None:
            (folder / name).write_bytes(program)


def write_archive(path, **changed):
    with tarfile.open(path, "w:gz") as tar:
        for name, program in {**BATCHES, "readme.html": b"<html>", **changed}.items():
            if program is not None:
                member = tarfile.TarInfo(f"{cifar10.FOLDER}/{name}")
                member.size = len(program)
                tar.addfile(member, io.BytesIO(program))


@pytest.fixture
def no_network(monkeypatch):
    def fail(*arguments):
        raise AssertionError("with data_dir, nothing is downloaded")

    monkeypatch.setattr(cifar10, "fetch", fail)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("layout", ["batches", "folder", "archive", "str"])
def test_cifar10_is_read_from_where_it_lies(layout, tmp_path):
    if layout == "archive":
        write_archive(tmp_path / cifar10.ARCHIVE)
    else:
        write_batches(tmp_path if layout == "batches" else tmp_path / cifar10.FOLDER)
    files = sorted(tmp_path.rglob("*"))
    train, test = data.load("cifar10", str(tmp_path) if layout == "str" else tmp_path)

    rows = np.concatenate([random_rows(seed=seed) for seed in range(6)])
    images = np.concatenate([train.images, test.images])
    assert images.shape == (24, 3, 32, 32)
    assert np.array_equal(images[:, 0].reshape(24, -1), rows[:, :1024]), "red comes first"
    assert np.array_equal(images.reshape(24, -1), rows)
    assert train.labels.tolist() == [k for seed in range(5) for k in (seed, 1, 2, 9)]
    assert test.labels.tolist() == [5, 1, 2, 9]
    assert train.class_names[:2] == ("airplane", "automobile")
    assert sorted(tmp_path.rglob("*")) == files, "nothing is unpacked to disk"


def test_reading_a_pickle_gives_what_running_it_would():
    program = BATCHES["test_batch"]
    read, run = read_pickle(program, NAMES), pickle.loads(program, encoding="bytes")
    assert read["labels"] == run[b"labels"]
    assert np.array_equal(read_array(read["data"]), run[b"data"])


@pytest.mark.skipif(not REAL.exists(), reason="../shared/data has no CIFAR-10")
def test_the_first_real_batch_is_read(tmp_path):
    with tarfile.open(REAL, "r|xz") as tar:  # unpacking all of it takes too long
        for member in tar:
            if member.isfile():
                (tmp_path / Path(member.name).name).write_bytes(tar.extractfile(member).read())
            if "data_batch" in member.name:
                break
    names = read_pickle((tmp_path / "batches.meta").read_bytes(), NAMES)["label_names"]
    assert tuple(name.decode() for name in names) == cifar10.CLASS_NAMES

    (file,) = tmp_path.glob("data_batch_*")
    batch = cifar10.read_batch(file.read_bytes(), file)
    assert batch.images.shape == (10000, 3, 32, 32)
    assert np.bincount(batch.labels).min() > 900
    normalize = data.Normalization.of(batch)  # of all five: .491 .482 .447 and .247 .243 .262
    np.testing.assert_allclose(normalize.mean, (0.491, 0.482, 0.447), atol=0.005)
    np.testing.assert_allclose(normalize.std, (0.247, 0.243, 0.262), atol=0.005)


@pytest.mark.usefixtures("no_network")
def test_cifar10_says_what_is_missing_and_where_to_put_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no CIFAR-10 in .*put cifar-10-python.tar.gz"):
        data.load("cifar10", tmp_path / "nowhere")
    write_batches(tmp_path / "a", data_batch_1=None, test_batch=None)
    with pytest.raises(FileNotFoundError, match="lacks data_batch_1, test_batch; get it anew"):
        data.load("cifar10", tmp_path / "a")
    (tmp_path / "b").mkdir()
    write_archive(tmp_path / "b" / cifar10.ARCHIVE, data_batch_3=None)
    with pytest.raises(FileNotFoundError, match=r"tar.gz lacks data_batch_3; get it anew"):
        data.load("cifar10", tmp_path / "b")


def test_a_link_in_the_archive_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_bytes(BATCHES["data_batch_2"])
    link = tarfile.TarInfo(f"{cifar10.FOLDER}/data_batch_2")
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "elsewhere")
    with tarfile.open(tmp_path / cifar10.ARCHIVE, "w:gz") as tar:
        tar.addfile(link)
    with pytest.raises(FileNotFoundError, match="lacks data_batch_1, data_batch_2"):
        data.load("cifar10", tmp_path)


@pytest.mark.parametrize("keep", [0, 2, 100, 0.5, 0.99])
def test_a_truncated_archive_is_refused(keep, tmp_path):
    archive = tmp_path / cifar10.ARCHIVE
    write_archive(archive)
    whole = archive.read_bytes()
    archive.write_bytes(whole[: keep if isinstance(keep, int) else int(keep * len(whole))])
    with pytest.raises(ValueError, match=r"cifar-10-python.tar.gz: a damaged archive \("):
        data.load("cifar10", tmp_path)


def test_an_archive_with_one_flipped_bit_is_refused(tmp_path):
    archive = tmp_path / cifar10.ARCHIVE
    write_archive(archive)
    content = bytearray(archive.read_bytes())
    content[-8] ^= 1  # in the checksum
    archive.write_bytes(content)
    with pytest.raises(ValueError, match=r"cifar-10-python.tar.gz: a damaged archive \(CRC"):
        data.load("cifar10", tmp_path)


@pytest.mark.parametrize("place", ["folder", "archive"])
def test_the_message_names_the_batch(place, tmp_path):
    broken = {"data_batch_4": BATCHES["data_batch_4"][:-40]}
    if place == "folder":
        write_batches(tmp_path / cifar10.FOLDER, **broken)
    else:
        write_archive(tmp_path / cifar10.ARCHIVE, **broken)
    with pytest.raises(ValueError, match="data_batch_4: "):
        data.load("cifar10", tmp_path)


def test_a_batch_cut_off_anywhere_is_refused():
    program = BATCHES["test_batch"]
    cuts = {*range(200), *range(200, len(program), 97), *range(len(program) - 100, len(program))}
    for cut in cuts:
        with pytest.raises(ValueError, match=r"^test_batch: "):
            cifar10.read_batch(program[:cut], "test_batch")


REFUSED = [
    (pickled(random_rows(2, 3071), [0, 1]), "rows of 3 × 32 × 32 bytes, got 3071"),
    (pickled(random_rows(2), [0]), r"one int64 per image, \(2,\), got int64 of shape \(1,\)"),
    (pickled(random_rows(2), [0, 10]), "indices of the 10 classes, got 0 to 10"),
    (pickled(random_rows(2), [-1, 0]), "indices of the 10 classes, got -1 to 0"),
    (pickled(random_rows(2), []), "labels that are a list of int, got a dict"),
    (b"\x80\x02].", "a batch must be a dict .* got a list"),
    (b"\x80\x02}(" + word("data") + b"Nu.", "a batch must be a dict .* got a dict"),
    (
        b"\x80\x02}(" + word("labels") + b"](" + word("3") + b"e" + word("data") + b"Nu.",
        "labels that are a list of int",
    ),
    (
        b"\x80\x02}(" + word("labels") + b"](K\x01e" + word("data") + b"Nu.",
        "data must be an array of type u1 in 2 dimensions, got NoneType",
    ),
    (pickled(random_rows(2), [0, 1], dtype="i1"), "got type b'i1' in 2 dimensions"),
    (pickled(random_rows(2), [0, 1], dtype="O8"), "got type b'O8' in 2 dimensions"),
    (
        pickled(random_rows(2), [0, 1]).replace(number(2), number(3)),
        r"cannot reshape array of size 6144 into shape \(3,3072\)",
    ),
    (b"\x80\x02u.", "a damaged pickle"),
    (b"\x80\x02}(Nu.", "a damaged pickle"),
    (b"\x80\x02}(" + word("data") + b"u.", "zip"),
    (b"\x80\x02}((ttNu.", "a damaged pickle"),
    (b"\x80\x02N(Ne.", "a damaged pickle"),
    (b"\x80\x02NNb.", "it asks for BUILD"),
    (b"not a pickle at all", "opcode"),
    (b"", "STOP"),
]


@pytest.mark.parametrize(("program", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_a_batch_of_another_kind_is_refused(program, message):
    with pytest.raises(ValueError, match=rf"^batch: .*{message}"):
        cifar10.read_batch(program, "batch")


def test_hostile_batches_are_refused_by_name_too(tmp_path):
    write_batches(tmp_path, data_batch_5=b"\x80\x02cos\nsystem\n" + word("true") + b"\x85R.")
    with pytest.raises(ValueError, match="data_batch_5: refused: it asks for GLOBAL 'os system'"):
        data.load("cifar10", tmp_path)


def test_cifar10_is_downloaded_where_no_folder_is_given(monkeypatch, tmp_path):
    write_archive(tmp_path / cifar10.ARCHIVE)
    asked = []

    def fetch(name, md5, urls):
        asked.append((name, md5, urls))
        return tmp_path / name

    monkeypatch.setattr(cifar10, "fetch", fetch)
    train, test = data.load("cifar10")
    assert (len(train), len(test)) == (20, 4)
    assert asked == [(cifar10.ARCHIVE, cifar10.MD5, cifar10.URLS)]


def test_cifar10_has_more_than_one_source():
    assert len({url.split("/")[2] for url in cifar10.URLS}) >= 2
    assert all(cifar10.ARCHIVE in url for url in cifar10.URLS)
