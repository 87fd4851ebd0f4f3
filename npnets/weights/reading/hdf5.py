"""What is in an HDF5 file: run as a program of its own, without npnets.

    python hdf5.py weights.h5 arrays.npz

writes all arrays to arrays.npz, and prints, as JSON, the path of each and the texts that hang on
each group. Only what hangs in this file's own tree is read, as it lies there: links to elsewhere,
virtual and compressed arrays are refused.

The library for HDF5 was written for files that mean no harm: damaged ones can send it into a loop
without end, or crash it. Here that ends this program, and not the one that asked.
"""

import json
import sys
from pathlib import Path

import numpy as np

# Groups that hold what is needed to go on training, or for the noise of a dropout.
BESIDE = ("optimizer", "optimizer_weights", "seed_generator")
TEXTS = ("model_config", "layer_names", "name")
DEEPEST = 8
MOST_OBJECTS = 20_000
MOST_TEXT = 2**26  # bytes


def main(source, target):
    """Read the file `source`, write `target`, and print what else there is."""
    import h5py

    with h5py.File(source, "r") as file:
        found = _walk(file)
        datasets = {p: entry for p, entry in found.items() if isinstance(entry, h5py.Dataset)}
        _check(datasets, Path(source).stat().st_size)
        attributes = {
            path: {name: _texts(entry.attrs, name) for name in TEXTS if name in entry.attrs}
            for path, entry in found.items()
            if path not in datasets
        }
        np.savez(target, *(dataset[()] for dataset in datasets.values()))
    print(json.dumps({"paths": list(datasets), "attributes": attributes}))


def _walk(file):
    """Return {path: entry} for the file, at "", and every group and array that hangs in it."""
    import h5py

    found, groups = {"": file}, [""]
    for above in groups:  # which grows while the walk goes on
        for name in found[above]:
            if name in BESIDE:
                continue
            path = f"{above}/{name}".removeprefix("/")
            if len(found) > MOST_OBJECTS or path.count("/") > DEEPEST:
                raise ValueError(f"it has more than {MOST_OBJECTS} objects, or {DEEPEST} levels")
            if found[above].get(name, getclass=True, getlink=True) is not h5py.HardLink:
                raise ValueError(f"{path!r:.80} is a link to elsewhere")
            found[path] = found[above][name]
            if isinstance(found[path], h5py.Group):
                groups.append(path)
    return found


def _check(datasets, most):
    """Raise ValueError where an array is not in the file as it is, or all are larger than it."""
    for path, dataset in datasets.items():
        if dataset.is_virtual or dataset.external or dataset.id.get_create_plist().get_nfilters():
            raise ValueError(f"{path!r:.80} is virtual, external or compressed")
        if dataset.dtype.kind not in "biuf" or dataset.shape is None:
            raise ValueError(f"{path!r:.80} holds {dataset.dtype}, not numbers")
        if dataset.id.get_storage_size() < dataset.nbytes:
            raise ValueError(f"{path!r:.80} promises {dataset.nbytes} bytes")
    total = sum(dataset.nbytes for dataset in datasets.values())
    if total > most:
        raise ValueError(f"its arrays would fill {total} bytes, and it has {most}")


def _texts(attributes, name):
    """Return an attribute, one text or many, as a list; [] where it is something else.

    Many of any length are not read: they could all be one long text, many times.
    """
    import h5py

    attribute = attributes.get_id(name)
    kind = h5py.check_string_dtype(attribute.dtype)
    if kind is None or attribute.get_storage_size() > MOST_TEXT:
        return []
    if kind.length is None and attribute.shape != ():
        return []
    value = np.asarray(attributes[name], object).ravel()
    return [text.decode() if isinstance(text, bytes) else str(text) for text in value]


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Exception as error:  # whatever the library raises of a damaged file
        sys.exit(f"{error}")
