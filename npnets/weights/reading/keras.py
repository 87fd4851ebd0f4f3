"""Keras' files: HDF5, alone (.h5, .weights.h5) or in a zip archive beside JSON (.keras).

Only what hangs in this file's own tree is read, as it lies there: links to elsewhere, virtual
and compressed arrays are refused. Which array is which, keras_names.py says.
Source: The HDF Group, "HDF5 User Guide"; keras/src/saving/saving_lib.py.
"""

import io
import json
import zipfile

from npnets.archive import members
from npnets.extras import require
from npnets.weights.reading.checkpoint import Checkpoint, plain
from npnets.weights.reading.keras_names import list_layers, name_arrays, texts

WEIGHTS = "model_weights"  # the group of what is wanted, where the whole model was saved
# Groups that hold what is needed to go on training, or for the noise of a dropout.
BESIDE = ("optimizer", "optimizer_weights", "seed_generator")
DEEPEST = 8
MOST_OBJECTS = 20_000


def read(path):
    """Return the Checkpoint in a .h5 or .keras. Raises ValueError where it is not just arrays."""
    h5py = require("h5py", "weights")
    data, config = path.read_bytes(), None
    if data.startswith(b"PK"):
        with zipfile.ZipFile(path) as archive:
            infos = members(archive)
            data = archive.read(infos["model.weights.h5"])
            config = archive.read(infos["config.json"])
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            config = json.loads(config or "".join(texts(file, "model_config")) or "{}")
            datasets = {path[path[0] == WEIGHTS :]: dataset for path, dataset in _walk(file)}
            _check_sizes(datasets, len(data))
            layers = list_layers(config)
            order = layers or texts(file.get(WEIGHTS, file), "layer_names")
            named = name_arrays(datasets, layers, order)
            arrays = {name: plain(name, dataset[()]) for name, dataset in named.items()}
            return Checkpoint(arrays, "keras", {"config": config})
    except OSError as error:
        raise ValueError(f"a damaged HDF5 file ({error})") from error


def _walk(group, path=(), seen=None):
    """Yield (path, dataset) for every array below a group. A path is a tuple of names."""
    h5py, seen = require("h5py", "weights"), [] if seen is None else seen
    for name in group:
        if name in BESIDE:
            continue
        seen.append(name)
        place = "/".join((*path, name))
        if len(seen) > MOST_OBJECTS or len(path) > DEEPEST:
            raise ValueError(f"more than {MOST_OBJECTS} objects, or {DEEPEST} groups deep")
        if group.get(name, getclass=True, getlink=True) is not h5py.HardLink:
            raise ValueError(f"{place!r:.80} is a link to elsewhere")
        entry = group[name]
        if isinstance(entry, h5py.Group):
            yield from _walk(entry, (*path, name), seen)
        elif isinstance(entry, h5py.Dataset):
            yield (*path, name), entry


def _check_sizes(datasets, most):
    """Raise ValueError where an array is not in the file as it is, or all are larger than it."""
    for path, dataset in datasets.items():
        properties = dataset.id.get_create_plist()
        if dataset.is_virtual or dataset.external or properties.get_nfilters():
            raise ValueError(f"{'/'.join(path)!r:.80} is virtual, external or compressed")
        if dataset.dtype.kind not in "biuf" or dataset.shape is None:
            raise ValueError(f"{'/'.join(path)!r:.80} holds {dataset.dtype}, not numbers")
        if dataset.id.get_storage_size() < dataset.nbytes:
            raise ValueError(f"{'/'.join(path)!r:.80} promises {dataset.nbytes} bytes")
    total = sum(dataset.nbytes for dataset in datasets.values())
    if total > most:
        raise ValueError(f"its arrays would fill {total} bytes, and it has {most}")
