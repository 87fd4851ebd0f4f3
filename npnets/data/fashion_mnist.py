"""Fashion-MNIST: 70,000 grey pictures of clothes, shoes and bags, 28 × 28 pixels, ten classes.

Source: Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747; the table of files is the one on
https://github.com/zalandoresearch/fashion-mnist.
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from npnets.data.dataset import Dataset
from npnets.data.download import fetch

# fmt: off
CLASS_NAMES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
               "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")

MD5 = {
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz":  "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz":  "bb300cfdad3c16e7a12a480ee83cd310",
}
# fmt: on

# Both are the makers' own.
URLS = (
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)


def load_fashion_mnist(data_dir=None):
    """Return (train, test): 60,000 and 10,000 images, (N, 1, 28, 28), as their makers split them.

    data_dir, or fashion_mnist in it, holds the four files, as .gz or unpacked; where data_dir is
    None, they are downloaded. Raises FileNotFoundError where a file is missing, and ValueError
    where one is damaged.
    """
    if data_dir is None:
        files = [fetch(name, md5, [url + name for url in URLS]) for name, md5 in MD5.items()]
    else:
        files = _find(Path(data_dir))
    train_images, train_labels, test_images, test_labels = files
    return _read(train_images, train_labels), _read(test_images, test_labels)


def _find(data_dir):
    """Return the paths of the four files in data_dir, in the order of the table."""
    folders = (data_dir, data_dir / "fashion_mnist")
    found, missing = [], []
    for name in MD5:
        paths = [folder / file for folder in folders for file in (name, name.removesuffix(".gz"))]
        existing = [path for path in paths if path.is_file()]
        if existing:
            found.append(existing[0])
        else:
            missing.append(name)
    if missing:
        raise FileNotFoundError(
            f"no {', '.join(missing)} in {folders[0]} or {folders[1]}; "
            f"put there what is missing, from {URLS[0]}"
        )
    return found


def _read(images_file, labels_file):
    images = read_idx(images_file, ndim=3)
    labels = read_idx(labels_file, ndim=1)
    if images.shape[1:] != (28, 28):
        raise ValueError(f"{images_file}: images must be 28 × 28, got {images.shape[1:]}")
    try:
        return Dataset(images[:, None], labels.astype(np.int64), CLASS_NAMES)
    except ValueError as error:
        raise ValueError(f"{images_file}, {labels_file.name}: {error}") from error


def read_idx(file, ndim):
    """Return the array of uint8, with ndim dimensions, in an IDX file, unpacked or .gz.

        0, 0, 8, ndim   four bytes; the 8 stands for unsigned bytes
        N, H, W         the ndim sizes, four bytes each, the highest byte first
        …               the N·H·W bytes of the array, row by row

    Raises ValueError, which names the file, where it is something else or has another length.
    Source: the page of MNIST, http://yann.lecun.com/exdb/mnist, whose format it is.
    """
    content = file.read_bytes()
    if file.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{file}: a damaged .gz file ({error})") from error
    magic, sizes, data = content[:4], content[4 : 4 + 4 * ndim], content[4 + 4 * ndim :]
    if magic != bytes((0, 0, 8, ndim)) or len(sizes) != 4 * ndim:
        raise ValueError(
            f"{file}: an IDX file of bytes in {ndim} dimensions starts with "
            f"0, 0, 8, {ndim} and {ndim} sizes, got {list(content[: 4 + 4 * ndim])}"
        )
    shape = tuple(np.frombuffer(sizes, ">u4").tolist())
    if len(data) != math.prod(shape):
        raise ValueError(f"{file}: shape {shape} needs {math.prod(shape)} bytes, got {len(data)}")
    return np.ndarray(shape, np.uint8, data).copy()
