"""Checkpoints: named arrays and a description, in one file that nothing can be executed from.

The file is a NumPy .npz archive, not compressed and without pickles. It is written beside its
place and moved there whole, so that a machine that stops at any moment leaves the old file or
the new one, never a half.
"""

import json
import os
import zipfile

import numpy as np

from npnets.archive import DAMAGED, members, read_npy
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
            infos = members(archive)
            description = json.loads(archive.read(infos.pop(DESCRIPTION)))
            if not isinstance(description, dict) or description.pop("format", 0) != FORMAT:
                raise ValueError(f"its description does not say {FORMAT!r}")
            arrays = {n.removesuffix(".npy"): read_npy(archive, i) for n, i in infos.items()}
            return arrays, description
    except DAMAGED as error:
        raise ValueError(
            f"{path} is not a checkpoint of npnets, or is damaged: {error}"
        ) from error
