"""PyTorch's files before 1.6: five pickles on end, and then the storages.

    magic number, version of the format, sizes of C's types, what there is, keys of the storages
    per storage: how many numbers it has, in 8 bytes, and the numbers; always little-endian

Source: torch/serialization.py, `_legacy_save`.
"""

import io
import struct

from npnets.pickled import read_pickle
from npnets.weights.reading.checkpoint import Checkpoint
from npnets.weights.reading.tensors import arrays, read_tensors, text

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
VERSION = 1001


def read(path):
    """Return the Checkpoint in a .pth or .pt. Raises ValueError where it is not just tensors."""
    data = path.read_bytes()
    file, storages = io.BytesIO(data), {}
    if read_pickle(file, ()) != MAGIC_NUMBER:
        raise ValueError("it is a pickle, but not one that torch.save wrote")
    if (version := read_pickle(file, ())) != VERSION:
        raise ValueError(f"its format has version {version!r:.80}, and not {VERSION}")
    read_pickle(file, ())  # the sizes of C's types, which nothing depends on
    tensors, metadata = read_tensors(file, storages)
    keys, contents = read_pickle(file, ()), {}
    if not isinstance(keys, list):
        raise ValueError(f"the keys of its storages are a {type(keys).__name__}, not a list")
    for key in map(text, keys):
        contents[key] = _contents(file, storages[key], memoryview(data))
    found = arrays(tensors, lambda storage: contents[storage.key], "<")
    return Checkpoint(found, "pytorch", metadata)


def _contents(file, storage, data):
    """Return the bytes of the storage that comes next in the file, and go on behind it."""
    (size,) = struct.unpack("<q", file.read(8))
    if size != storage.size:
        raise ValueError(f"storage {storage.key!r:.80} has {size} numbers, not {storage.size}")
    start = file.tell()
    end = file.seek(min(start + storage.nbytes, len(data)))
    return data[start:end]
