"""NumPy's .npz: a zip archive of arrays, and npnets' own checkpoints, which are such archives."""

import json
import zipfile

from npnets.archive import members, read_npy
from npnets.weights.reading.checkpoint import Checkpoint, plain


def read(path):
    """Return the Checkpoint in a .npz that np.savez or npnets wrote.

    Raises ValueError where it is compressed (np.savez_compressed), damaged, or holds pickles.
    """
    arrays, metadata = {}, {}
    with zipfile.ZipFile(path) as archive:
        for member, info in members(archive).items():
            name, dot, suffix = member.rpartition(".")
            if suffix == "npy":
                arrays[name] = plain(name, read_npy(archive, info))
            else:
                metadata[name] = json.loads(archive.read(info))
    return Checkpoint(arrays, "npz", metadata)
