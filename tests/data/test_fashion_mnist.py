"""Fashion-MNIST, from tiny files that are written here, and what may be wrong with them."""

import gzip

import numpy as np
import pytest

from npnets import data
from npnets.data import fashion_mnist


def random_images(N):
    return np.random.default_rng(0).integers(0, 256, (N, 1, 28, 28), dtype=np.uint8)


def idx(array):
    header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    return header + array.tobytes()


def files_of_five():
    images, labels = random_images(5), np.arange(5, dtype=np.uint8)
    train_images, train_labels, test_images, test_labels = fashion_mnist.MD5
    return {
        train_images: idx(images[:, 0]),
        train_labels: idx(labels),
        test_images: idx(images[:2, 0]),
        test_labels: idx(labels[:2]),
    }


@pytest.fixture
def no_network(monkeypatch):
    def fail(*arguments):
        raise AssertionError("with data_dir, nothing is downloaded")

    monkeypatch.setattr(fashion_mnist, "fetch", fail)


def write_files(folder, packed=True, **changed):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {**files_of_five(), **changed}.items():
        path = folder / (name if packed else name.removesuffix(".gz"))
        path.write_bytes(gzip.compress(content, 1) if packed else content)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("folder", [".", "fashion_mnist"])
def test_fashion_mnist_is_read_from_where_it_lies(folder, packed, tmp_path):
    write_files(tmp_path / folder, packed)
    train, test = data.load("fashion_mnist", tmp_path)
    assert np.array_equal(train.images, random_images(5))
    assert np.array_equal(test.images, train.images[:2])
    assert train.labels.tolist() == [0, 1, 2, 3, 4]
    assert test.labels.tolist() == [0, 1]
    assert train.class_names[0] == "T-shirt/top"
    assert train.class_names[9] == "Ankle boot"


@pytest.mark.usefixtures("no_network")
def test_fashion_mnist_says_what_is_missing_and_where_to_put_it(tmp_path):
    write_files(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"no t10k-labels-idx1-ubyte.gz in .*fashion_mnist; put there"
    ):
        data.load("fashion_mnist", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no train-images.*, t10k-labels-idx1-ubyte.gz"):
        data.load("fashion_mnist", tmp_path / "nowhere")


IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


DAMAGED = [
    (IMAGES, b"", r"starts with 0, 0, 8, 3 and 3 sizes, got \[\]"),
    (IMAGES, idx(np.zeros(5, np.uint8)), r"starts with 0, 0, 8, 3 .* got \[0, 0, 8, 1,"),
    (IMAGES, b"\0\0\x0d\3" + bytes(12), r"starts with 0, 0, 8, 3 .* got \[0, 0, 13, 3,"),
    (IMAGES, idx(np.zeros((5, 28, 28), np.uint8))[:-1], r"\(5, 28, 28\) needs 3920 bytes, g"),
    (IMAGES, idx(np.zeros((5, 28, 28), np.uint8)) + b"\0", "needs 3920 bytes, got 3921"),
    (IMAGES, idx(np.zeros((5, 28, 27), np.uint8)), r"must be 28 × 28, got \(28, 27\)"),
    (IMAGES, idx(np.zeros((0, 28, 28), np.uint8)), "at least one image, got none"),
    (LABELS, b"\0\0\x08\1\0\0", r"starts with 0, 0, 8, 1 and 1 sizes, got \[0, 0, 8, 1"),
    (LABELS, idx(np.zeros(4, np.uint8)), r"\(5,\), got int64 of shape \(4,\)"),
    (LABELS, idx(np.full(5, 10, np.uint8)), "indices of the 10 classes, got 10 to 10"),
]


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    ("name", "content", "message"), DAMAGED, ids=[message for _, _, message in DAMAGED]
)
def test_a_damaged_idx_file_is_refused_by_name(name, content, message, packed, tmp_path):
    write_files(tmp_path, packed, **{name: content})
    file = name if packed else name.removesuffix(".gz")
    with pytest.raises(ValueError, match=rf"{file}.*: .*{message}"):
        data.load("fashion_mnist", tmp_path)


@pytest.mark.parametrize("damage", ["cut off", "not gzip", "flipped"])
def test_a_damaged_gz_file_is_refused_by_name(damage, tmp_path):
    write_files(tmp_path)
    content = bytearray((tmp_path / IMAGES).read_bytes())
    if damage == "flipped":
        content[-8] ^= 1
    (tmp_path / IMAGES).write_bytes(
        {"cut off": content[:-20], "not gzip": b"x"}.get(damage, content)
    )
    with pytest.raises(ValueError, match=f"{IMAGES}: a damaged .gz file"):
        data.load("fashion_mnist", tmp_path)


def test_fashion_mnist_is_downloaded_where_no_folder_is_given(monkeypatch, tmp_path):
    write_files(tmp_path)
    asked = []

    def fetch(name, md5, urls):
        asked.append((name, md5, urls))
        return tmp_path / name

    monkeypatch.setattr(fashion_mnist, "fetch", fetch)
    train, test = data.load("fashion_mnist")
    assert (len(train), len(test)) == (5, 2)
    assert dict(fashion_mnist.MD5) == {name: md5 for name, md5, _ in asked}
    assert all(url.endswith(f"/{name}") for name, _, urls in asked for url in urls)


def test_fashion_mnist_has_more_than_one_source():
    assert len({url.split("/")[2] for url in fashion_mnist.URLS}) >= 2
