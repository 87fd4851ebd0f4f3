"""PyTorch's files since 1.6: a zip archive of one pickle and, per storage, its bytes.

    archive/data.pkl        what there is, and which storage each tensor looks at
    archive/byteorder       "little" or "big"; where it is absent, little
    archive/data/0 …        the storages, by their keys

Source: torch/serialization.py, `_save`.
"""

import functools
import zipfile

from npnets.archive import members
from npnets.weights.reading.checkpoint import Checkpoint
from npnets.weights.reading.tensors import arrays, read_tensors

ORDERS = {b"little": "<", b"big": ">"}


def read(path):
    """Return the Checkpoint in a .pth or .pt. Raises ValueError where it is not just tensors."""
    with zipfile.ZipFile(path) as archive:
        infos = members(archive)
        root = next(name for name in infos if name.endswith("/data.pkl")).removesuffix("data.pkl")
        storages = {}
        tensors, metadata = read_tensors(archive.read(infos[f"{root}data.pkl"]), storages)
        byteorder = infos.get(f"{root}byteorder")
        order = ORDERS[archive.read(byteorder)] if byteorder else "<"

        @functools.cache
        def contents(storage):
            return archive.read(infos[f"{root}data/{storage.key}"])

        return Checkpoint(arrays(tensors, contents, order), "pytorch zip", metadata)
