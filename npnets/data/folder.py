"""Images of your own: one folder per class, called as the class is."""

from pathlib import Path

import numpy as np

from npnets.data.dataset import Dataset
from npnets.extras import require


def load_folder(data_dir=None):
    """Return (train, test) from data_dir/train/CLASS/* and data_dir/test/CLASS/*.

    Where there are no such two folders: from data_dir/CLASS/*, where every fifth file of a
    class, in the order of their names, goes to the test. Classes are sorted by name. The images
    are grey, (N, 1, H, W), where all of them are, else RGB, (N, 3, H, W). Hidden files do not
    count. Raises FileNotFoundError where there is no such folder, and ValueError for an empty
    class, a file that is no image of 8 bits per channel, and images of different sizes.
    """
    if data_dir is None:
        raise ValueError("'folder' needs data_dir, a folder with one folder of images per class")
    data_dir = Path(data_dir)
    if (data_dir / "train").is_dir() and (data_dir / "test").is_dir():
        train, test = _classes(data_dir / "train"), _classes(data_dir / "test")
    else:
        train, test = _split(_classes(data_dir))
    if list(train) != list(test):
        raise ValueError(
            f"{data_dir}: train and test need the same classes, got {list(train)} and {list(test)}"
        )
    return _read(train, test)


def _classes(folder):
    """Return {name of the class: its files}, both in the order of their names."""
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}")
    classes = {
        path.name: [file for file in _visible(path) if file.is_file()]
        for path in _visible(folder)
        if path.is_dir()
    }
    if not classes:
        raise ValueError(f"{folder}: needs one folder of images per class, got none")
    for name, files in classes.items():
        if not files:
            raise ValueError(f"{folder / name}: needs at least one image, got none")
    return classes


def _visible(folder):
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _split(classes):
    """Return (train, test): every fifth file of a class, from the first on, is for the test."""
    for files in classes.values():
        if len(files) < 2:
            raise ValueError(
                f"{files[0].parent}: needs at least two images, one to train and one to test "
                f"with, got {len(files)}"
            )
    test = {name: files[::5] for name, files in classes.items()}
    train = {
        name: [file for number, file in enumerate(files) if number % 5]
        for name, files in classes.items()
    }
    return train, test


def _read(train, test):
    """Return the Datasets of two such splits, which have the same classes."""
    files = [file for part in (train, test) for name in part for file in part[name]]
    images = [_pixels(file) for file in files]
    _, H, W = images[0].shape
    for file, image in zip(files, images, strict=True):
        if image.shape[1:] != (H, W):
            raise ValueError(
                f"{file}: is {image.shape[1]} × {image.shape[2]} pixels, height × width, but "
                f"{files[0]} is {H} × {W}; resize them to one size"
            )
    C = max(len(image) for image in images)
    labels = [k for part in (train, test) for k, name in enumerate(part) for _ in part[name]]
    both = Dataset(
        np.stack([np.broadcast_to(image, (C, H, W)) for image in images]),  # grey: R = G = B
        np.array(labels, np.int64),
        tuple(train),
    )
    border = sum(map(len, train.values()))
    return both.subset(slice(border)), both.subset(slice(border, None))


def read_image(file, channels, size):
    """Return the image in this file as (channels, H, W) uint8, resized to size, (H, W).

    channels is 1, grey, or 3, RGB. Raises ValueError where the file is no image.
    """
    Image = require("PIL.Image")
    pixels = _pixels(file).transpose(1, 2, 0)
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    image = image.convert("L" if channels == 1 else "RGB")
    resized = image.resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.atleast_3d(np.array(resized)).transpose(2, 0, 1)


def _pixels(file):
    """Return the image in this file: (1, H, W) uint8 where it is grey, else (3, H, W)."""
    image = open_image(file)
    pixels = np.array(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    return np.atleast_3d(pixels).transpose(2, 0, 1)


def open_image(file, extra="train"):
    """Return the image in this file, a PIL image, upright. `extra` is what brings Pillow.

    Raises ValueError where the file is no image, or has more than 8 bits per channel.
    """
    Image, operations = require("PIL.Image", extra), require("PIL.ImageOps", extra)
    try:
        with Image.open(file) as opened:
            image = operations.exif_transpose(opened)  # cameras note how they were held
            if image.mode.startswith(("I", "F")):
                raise ValueError(f"8 bits per channel are needed, got mode {image.mode}")
            return image  # a copy, all of it read
    except Exception as error:  # of a broken file, Pillow raises whatever it stumbles over
        raise ValueError(f"{file}: no image that can be read ({error})") from error
