"""Checkpoints: named arrays and a description, in one file that nothing can be executed from.

The file is a NumPy .npz archive, not compressed and without pickles. It is written beside its
place and moved there whole, so that a machine that stops at any moment leaves the old file or
the new one, never a half.
"""

import json
import os
import zipfile
import zlib

import numpy as np

from npnets.files import whole

FORMAT = "npnets checkpoint 1"
DESCRIPTION = "description.json"


def save(path, arrays, description):
    """Write arrays, {name: array}, and a description, anything that JSON can hold, to `path`.

    Raises OSError where the folder cannot be written to; then nothing has changed.
    """
    text = json.dumps({"format": FORMAT, **description})
    with whole(path) as beside, open(beside, "wb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(DESCRIPTION, text)
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def load(path):
    """Return (arrays, description) of a file that `save` wrote.

    Raises ValueError for a file that is truncated, damaged or something else, and refuses
    compressed members, pickles and sizes that lie; FileNotFoundError where there is none.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            description = json.loads(archive.read(_checked(archive, DESCRIPTION)))
            if not isinstance(description, dict) or description.pop("format", 0) != FORMAT:
                raise ValueError(f"its description does not say {FORMAT!r}")
            names = [name for name in archive.namelist() if name != DESCRIPTION]
            return {n.removesuffix(".npy"): _read(archive, n) for n in names}, description
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, NotImplementedError,
            RuntimeError, RecursionError, MemoryError) as error:  # fmt: skip
        raise ValueError(
            f"{path} is not a checkpoint of npnets, or is damaged: {error}"
        ) from error


def _checked(archive, name):
    """Return the entry, having made sure that it takes no more room unpacked than packed."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
        raise ValueError(f"{name} is compressed")
    return info


def _read(archive, name):
    """Return one array, having made sure that the file holds as much as its header promises."""
    info = _checked(archive, name)
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        if version != (1, 0):
            raise ValueError(f"{name} has an unknown version, {version}")
        shape, _, dtype = np.lib.format.read_array_header_1_0(member)
        if dtype.hasobject or np.dtype(dtype).itemsize == 0:
            raise ValueError(f"{name} holds {dtype}, not numbers")
        promised = dtype.itemsize * int(np.prod(shape, dtype=object))
        if promised != info.file_size - member.tell():
            raise ValueError(f"{name} promises {promised} bytes and has another number")
    with archive.open(info) as member:
        return np.lib.format.read_array(member, allow_pickle=False)
