"""npnets' weights for others: files that they read, under the names that they use.

    save(net, "net.safetensors", names="torchvision")

PyTorch then takes them over, with safetensors.torch.load_file, or with torch.load from a .pth:

    torchvision.models.mobilenet_v2().load_state_dict(load_file("net.safetensors"))
"""

from pathlib import Path

import numpy as np

from npnets.extras import require
from npnets.files import whole
from npnets.layers import Buffer, Layer, Parameter
from npnets.nets import ShuffleNetV2
from npnets.weights.kinds import PYTORCH
from npnets.weights.load import check_shapes, sources_of
from npnets.weights.pytorch import write_pth
from npnets.weights.recognize import read_options

OWN = "npnets"
# What networks of some makers always are, where shapes could also mean another network.
ALWAYS = {("torchvision", ShuffleNetV2): {"equal_ways": True}}
NOT_COMPARED = {"training", "momentum", "preprocessing", "source"}
SHOWN = 5


def save(net, path, names=OWN):
    """Write the arrays of `net` to `path`, a .safetensors, .pth or .npz file.

    `names` are "npnets" or those of a maker, such as "torchvision"; PyTorch's counters of batches
    are written, too, as 0. Every bit is kept. Raises ValueError where the maker has no such
    network, or one that computes something else, and for other kinds of file. `onnx.save_onnx`
    writes .onnx.
    """
    path = Path(path)
    if path.suffix not in WRITERS:
        raise ValueError(f"{path}: the name must end in {', '.join(WRITERS)} or .onnx")
    arrays = net.state() if names == OWN else under_names_of(names, net)
    with whole(path) as beside:
        WRITERS[path.suffix](beside, arrays)


def under_names_of(maker, net):
    """Return {the maker's name: array} of `net`, for a network that computes the same there.

    Raises ValueError, with the reasons, where the maker has none.
    """
    kind, sources = type(net), sources_of(maker)
    source = next((source for source in sources if source.network is kind), None)
    if source is None:
        has = ", ".join(dict.fromkeys(source.network.__name__ for source in sources))
        raise ValueError(f"{maker} has no {kind.__name__}; it has {has}")
    check_same(net, source)
    arrays = source.to_theirs(net)
    if source.kinds is PYTORCH:
        means = [name for name in arrays if name.endswith("running_mean")]
        counters = [name.replace("running_mean", "num_batches_tracked") for name in means]
        arrays |= dict.fromkeys(counters, np.array(0, np.int64))
    return arrays


def check_same(net, source):
    """Raise ValueError unless the network of the source computes what `net` does.

    It is built with the options that the shapes tell, and set beside `net`, layer by layer.
    """
    try:
        arrays = source.to_theirs(net)
        options = read_options(source, arrays, source.names(net))
        twin = source.build(**options | ALWAYS.get((source.maker, type(net)), {}))
    except KeyError as error:
        wrong = [f"{error} has no name there"]
    else:
        wrong = differences(net, twin, source.maker)
    if wrong:
        rest = [f"and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
        lines = [f"{source.maker}'s {type(net).__name__} is another network:"]
        raise ValueError("\n  ".join(lines + wrong[:SHOWN] + rest))
    check_shapes(source.shapes(twin), arrays)


def differences(net, twin, maker):
    """Return what differs between the layers of two networks, a sentence each."""
    if net.is_folded != twin.is_folded:
        return [
            "batch norm is folded in here" if net.is_folded else "batch norm is folded in there"
        ]
    ours, theirs = net.layers(), twin.layers()
    wrong = []
    for path in ours | theirs:
        if path not in ours or path not in theirs:
            wrong.append(f"{path} is there in {'npnets' if path in ours else maker} alone")
            continue
        a, b = _options(ours[path]), _options(theirs[path])
        for name in a | b:
            if a.get(name) != b.get(name):
                wrong.append(f"{path}: {name} is {a.get(name)} here and {b.get(name)} there")
    return wrong


def _options(layer):
    """Return all that says what a layer computes, but for its arrays and its parts."""
    values = {"kind": type(layer).__name__, **vars(layer)}
    window = values.pop("window", {})
    return {
        name: value
        for name, value in {**values, **window}.items()
        if name not in NOT_COMPARED
        and not name.startswith("_")
        and not isinstance(value, Parameter | Buffer | Layer)
    }


def _write_safetensors(path, arrays):
    """Arrays are made contiguous first: of a view, the library would write the wrong numbers."""
    library = require("safetensors.numpy", "export")
    plain = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    library.save_file(plain, path, metadata={"format": "pt"})


def _write_npz(path, arrays):
    with open(path, "wb") as file:
        np.savez(file, **arrays)


WRITERS = {".safetensors": _write_safetensors, ".pth": write_pth, ".npz": _write_npz}
