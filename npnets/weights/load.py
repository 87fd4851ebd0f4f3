"""Weights that others trained, as a network of npnets that is ready to use."""

import difflib

import numpy as np

from npnets.weights.names import SOURCES
from npnets.weights.reading import read
from npnets.weights.recognize import recognize
from npnets.weights.record import Record


def load(path, source="auto", dtype=np.float32):
    """Return the network that a file holds, in eval mode, with its weights.

    source is the name of a maker, or "auto": then names and shapes of the arrays tell. The
    network has .preprocessing, which belongs to the weights, and .source, a Record of where they
    are from; print it. Raises ValueError where the file is damaged, or fits no source.
    """
    checkpoint = read(path)
    try:
        return load_arrays(checkpoint.arrays, source, dtype)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def load_arrays(arrays, source="auto", dtype=np.float32):
    """Return the network of arrays, {the maker's name: array}, as `load` does."""
    arrays = {n: a for n, a in arrays.items() if not n.endswith("num_batches_tracked")}
    source, options, arrays = recognize(arrays, sources_of(source))
    net = source.build(**options).astype(dtype)
    check_shapes(source.shapes(net), arrays)
    net.load_state(source.to_ours(net, arrays))
    net.preprocessing = source.preprocessing.named(options["num_classes"])
    rows = [(ours, theirs, arrays[theirs].shape) for ours, theirs in source.names(net).items()]
    net.source = Record(
        maker=source.maker,
        network=source.network.__name__,
        options={**options, **source.options},
        changes=tuple(source.changes),
        rows=tuple(rows),
    )
    return net


def sources_of(maker):
    """Return the sources of a maker, or all of them for "auto"; ValueError where it is unknown."""
    makers = {source.maker: None for source in SOURCES}
    if maker == "auto":
        return SOURCES
    if maker not in makers:
        near = difflib.get_close_matches(str(maker), makers, n=1, cutoff=0)
        raise ValueError(
            f"unknown source {maker!r}; did you mean {near[0]!r}? There are {', '.join(makers)}"
        )
    return tuple(source for source in SOURCES if source.maker == maker)


def check_shapes(shapes, arrays):
    """Raise ValueError, with a list, where arrays have not the shapes that they must have."""
    wrong = [
        f"misshapen: {name} must be {shape}, got {arrays[name].shape}"
        for name, shape in shapes.items()
        if arrays[name].shape != shape
    ]
    if wrong:
        raise ValueError("these weights fit no network:\n  " + "\n  ".join(wrong))
