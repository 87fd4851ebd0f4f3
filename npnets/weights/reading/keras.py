"""Keras' files: HDF5, alone (.h5, .weights.h5) or in a zip archive beside JSON (.keras)."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from npnets.archive import members
from npnets.extras import require
from npnets.weights.reading import npz
from npnets.weights.reading.checkpoint import Checkpoint
from npnets.weights.reading.keras_names import list_layers, name_arrays

PROGRAM = Path(__file__).with_name("hdf5.py")
SECONDS = 60  # that this program may take; most files take less than one


def read(path):
    """Return the Checkpoint in a .h5 or .keras. Raises ValueError where it is not just arrays."""
    require("h5py", "weights")  # to say so here, and not in the program
    if not zipfile.is_zipfile(path):
        return _read(path, None)
    with zipfile.ZipFile(path) as archive, TemporaryDirectory() as folder:
        infos = members(archive)
        inner = Path(folder) / "weights.h5"
        inner.write_bytes(archive.read(infos["model.weights.h5"]))
        return _read(inner, json.loads(archive.read(infos["config.json"])))


def _read(path, config):
    """Return the Checkpoint in a .h5; `config` is the description of the model, if it has one."""
    arrays, attributes = _read_hdf5(path)
    if config is None:
        config = json.loads("".join(attributes[""].get("model_config", ["{}"])))
    return Checkpoint(name_arrays(arrays, attributes, list_layers(config)), "keras",
                      {"config": config})  # fmt: skip


def _read_hdf5(path):
    """Return ({path: array}, {path of a group: {name: texts}}) of an HDF5 file."""
    with TemporaryDirectory() as folder:
        target = Path(folder) / "arrays.npz"
        # -P: so that safetensors.py, which lies beside the program, is not taken for the library
        command = [sys.executable, "-P", str(PROGRAM), str(path), str(target)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise ValueError(f"the library for HDF5 did not finish in {SECONDS} s") from error
        if done.returncode == 1:
            reason = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise ValueError(f"a damaged HDF5 file ({reason:.200})")
        if done.returncode:
            raise ValueError(f"the library for HDF5 crashed ({done.returncode})")
        found = json.loads(done.stdout)
        arrays = npz.read(target).arrays.values()
        return dict(zip(found["paths"], arrays, strict=True)), found["attributes"]
