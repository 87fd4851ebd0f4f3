"""A file of weights, opened: the network, how a photo comes to it, and what its answers mean."""

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path

import numpy as np

from npnets import checkpoint, data
from npnets.layer import Layer
from npnets.run import load_network
from npnets.weights.catalogue import CATALOGUE, download
from npnets.weights.load import load

RUN = "checkpoint.npz"  # what a run calls its checkpoint, in its folder


@dataclass(frozen=True)
class Opened:
    """A network in eval mode. `pixels` of a file are what it sees of a photo, (C, H, W) uint8, and
    `normalize` makes of those, (N, C, H, W), what it wants; None where that is not known. `shape`
    is (C, H, W), or None, and class_names may be empty."""

    path: Path
    net: Layer
    pixels: Callable | None = None
    normalize: Callable | None = None
    shape: tuple[int, int, int] | None = None
    class_names: tuple[str, ...] = ()

    def look(self, file):
        """Return x, (1, C, H, W): what the network is given of a photo."""
        if self.pixels is None:
            raise ValueError(f"{self.path}: it does not say what photos its network wants to see")
        if not Path(file).is_file():
            raise FileNotFoundError(f"there is no file {file}")
        return self.normalize(self.pixels(file)[None])

    def grey(self):
        """Return what the network is given of a grey pixel, (C, 1, 1)."""
        C, _, _ = self.shape
        return self.normalize(np.full((1, C, 1, 1), 128, np.uint8))[0]

    def name(self, label):
        """Return the name of a class; its number where it has none."""
        return self.class_names[label] if self.class_names else f"class {label}"


def open_weights(path, source="auto"):
    """Return what is Opened: the checkpoint of a run, its folder, or weights of others.

    The name of a checkpoint that can be downloaded will do. Raises ValueError where the file is
    none of these; FileNotFoundError where there is none.
    """
    path = _found(path)
    file = path / RUN if (path / RUN).is_file() else path
    if _is_run(file):
        net, normalize, description = load_network(file)
        _, C, H, W = description["images"]["shape"]
        names = tuple(description["images"]["class_names"])
        pixels = partial(data.read_image, channels=C, size=(H, W))
        return Opened(path, net, pixels, normalize, (C, H, W), names)
    net = load(path, source)
    view = net.preprocessing
    if view is None:
        return Opened(path, net)
    shape = 3, view.size, view.size

    def pixels(file):
        return view.pixels(data.open_image(file, "weights").convert("RGB"))

    return Opened(path, net, pixels, view.normalize, shape, view.class_names)


def _found(name):
    """Return the path of what is there, or of a published checkpoint, which is downloaded."""
    if Path(name).exists():
        return Path(name)
    if str(name) in CATALOGUE:
        return download(str(name))
    near = get_close_matches(str(name), CATALOGUE, n=1)
    hint = f"; did you mean {near[0]}, which can be downloaded?" if near else ""
    raise FileNotFoundError(f"there is no file {name}{hint}")


def _is_run(path):
    """Whether a file is a checkpoint that npnets wrote; weights of others have no description."""
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return checkpoint.DESCRIPTION in archive.namelist()
    except zipfile.BadZipFile:  # `load` says what is wrong with it
        return False
