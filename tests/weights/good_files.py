"""One good file of each kind, as bytes, for the tests to damage."""

import io
import zipfile

import h5py
import numpy as np
import torch_files as by_hand
from safetensors.numpy import save

ARRAYS = {
    "conv.weight": np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2),
    "bn.num_batches_tracked": np.array(7, np.int64),
    "empty": np.zeros((0, 3), np.float32),
}
CONFIG = """{"class_name": "Functional", "config": {"name": "net", "layers": [
    {"class_name": "InputLayer", "config": {"name": "input"}},
    {"class_name": "Conv2D", "config": {"name": "conv1"}},
    {"class_name": "BatchNormalization", "config": {"name": "conv1_bn"}},
    {"class_name": "DepthwiseConv2D", "config": {"name": "conv_dw_1"}}]}}"""
KERAS = {
    "conv1/kernel": np.arange(24, dtype=np.float32).reshape(2, 2, 3, 2),
    "conv1/bias": np.array([3, 4], np.float32),
    "conv1_bn/gamma": np.array([5, 6], np.float32),
    "conv1_bn/beta": np.array([7, 8], np.float32),
    "conv1_bn/moving_mean": np.array([9, 10], np.float32),
    "conv1_bn/moving_variance": np.array([11, 12], np.float32),
    "conv_dw_1/depthwise_kernel": np.arange(8, dtype=np.float32).reshape(2, 2, 2, 1),
}


def hdf5(fill):
    """Return the bytes of an HDF5 file that fill(file) has filled."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        fill(file)
    return buffer.getvalue()


def fill_keras_2(group, depthwise="depthwise_kernel", names=True):
    """Write the arrays as Keras up to 2 does."""
    if names:
        group.attrs["layer_names"] = np.array([b"input", b"conv1", b"conv1_bn", b"conv_dw_1"])
    for name, array in KERAS.items():
        layer, variable = name.split("/")
        variable = depthwise if variable == "depthwise_kernel" else variable
        group.require_group(layer).require_group(layer)[f"{variable}:0"] = array


def fill_keras_2_whole(file, **options):
    """Write a whole model as Keras up to 2 does, or Keras 3 when it is told to."""
    file.attrs["model_config"] = CONFIG
    fill_keras_2(file.create_group("model_weights"), **options)
    file.create_group("optimizer_weights/adam")["iterations:0"] = 5


def fill_keras_3(file, names=True):
    """Write the arrays as Keras 3 does; its first version wrote no `names`."""
    file["optimizer/vars/0"] = 5
    file["layers/dropout/seed_generator/vars/0"] = np.array([1, 2], np.uint32)
    counts = {}
    groups = {
        "conv1": "conv2d",
        "conv1_bn": "batch_normalization",
        "conv_dw_1": "depthwise_conv2d",
    }
    for name, array in KERAS.items():
        layer, _ = name.split("/")
        group = file.require_group(f"layers/{groups[layer]}/vars")
        if names:
            group.attrs["name"] = layer
        number = counts[layer] = counts.get(layer, -1) + 1
        group[str(number)] = array


def keras_zip(inner):
    """Return the bytes of a .keras with this .h5 in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.0.0"}')
        archive.writestr("config.json", CONFIG)
        archive.writestr("model.weights.h5", inner)
    return buffer.getvalue()


def npz():
    """Return the bytes of a .npz."""
    buffer = io.BytesIO()
    np.savez(buffer, **ARRAYS)
    return buffer.getvalue()


def torch_old():
    """Return the bytes of a .pth as PyTorch wrote it before 1.6."""
    entries, storages = by_hand.tensors(ARRAYS, new=False)
    return by_hand.old_file({"state_dict": by_hand.ordered(entries), "epoch": 3}, storages)


def torch_zip():
    """Return the bytes of a .pth as PyTorch has written it since 1.6."""
    entries, storages = by_hand.tensors(ARRAYS)
    return by_hand.zip_file({"state_dict": by_hand.ordered(entries), "epoch": 3}, storages)


GOOD = {
    "npz": npz(),
    "safetensors": save(ARRAYS, {"format": "np"}),
    "pytorch": torch_old(),
    "pytorch zip": torch_zip(),
}
GOOD_KERAS = {
    "keras 2": hdf5(fill_keras_2_whole),
    "keras 2, weights alone": hdf5(fill_keras_2),
    "keras 3, the older way": hdf5(lambda file: fill_keras_2_whole(file, depthwise="kernel")),
    "keras 3": keras_zip(hdf5(fill_keras_3)),
    "keras 3.0": keras_zip(hdf5(lambda file: fill_keras_3(file, names=False))),
    "keras 3, weights alone": hdf5(fill_keras_3),
}
