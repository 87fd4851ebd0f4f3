"""Weights that others trained, as a network of npnets that is ready to use."""

import difflib

import numpy as np

from npnets.weights.guess import guess
from npnets.weights.names import SOURCES, own
from npnets.weights.reading import read
from npnets.weights.recognize import recognize
from npnets.weights.record import Record


def load(path, source="auto", dtype=np.float32):
    """Return the network that a file holds, in eval mode, with its weights.

    source is the name of a maker, such as "torchvision", or "auto": then names and shapes of the
    arrays tell; or "guess", if all else fails: shapes and order alone. The network has
    .preprocessing, which belongs to the weights, and .source, a Record of where they are from:
    print it. dtype is that of the network's arrays; dequantised weights need float64 to be exact,
    and answers in float64 an x that is.
    Raises ValueError where the file is damaged, or fits no source.
    """
    checkpoint = read(path)
    if source in ("auto", own.MAKER) and own.is_run(checkpoint):
        return own.load_run(path, dtype)
    try:
        return load_arrays(checkpoint.arrays, source, dtype)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def load_arrays(arrays, source="auto", dtype=np.float32):
    """Return the network of arrays, {the maker's name: array}, as `load` does."""
    arrays = {n: a for n, a in arrays.items() if not n.endswith("num_batches_tracked")}
    if source == "guess":
        fit, given_names = guess(arrays)
    else:
        fit, given_names = _recognized(arrays, source), {}
    net = _network(fit, dtype)
    net.source = _record(fit, net, given_names)
    if source == "guess":
        print(f"{net.source}\n{net.source.table()}")
    return net


def _recognized(arrays, maker):
    """Return the Fit to a source of this maker; where another maker's fits, the error says so."""
    sources = sources_of(maker)
    try:
        return recognize(arrays, sources)
    except ValueError as error:
        try:
            other = recognize(arrays, SOURCES).source.maker
        except ValueError:
            raise error from None
        raise ValueError(f"{error}\nThey are recognised as those of {other!r}") from error


def list_sources():
    """Return the names of all makers whose weights npnets knows."""
    return list(dict.fromkeys(source.maker for source in SOURCES))


def sources_of(maker):
    """Return the sources of a maker, or all of them for "auto"; ValueError where it is unknown."""
    if maker == "auto":
        return SOURCES
    makers = list_sources()
    if maker not in makers:
        near = difflib.get_close_matches(str(maker), makers, n=1, cutoff=0)
        raise ValueError(
            f"unknown source {maker!r}; did you mean {near[0]!r}? There are {', '.join(makers)}"
        )
    return tuple(source for source in SOURCES if source.maker == maker)


def _network(fit, dtype):
    """Return the network with its weights and its preprocessing."""
    net = fit.source.build(**fit.options, rng=0).astype(dtype)
    check_shapes(fit.source.shapes(net), fit.arrays)
    net.load_state(fit.source.to_ours(net, fit.arrays))
    net.preprocessing = fit.source.preprocessing
    if net.preprocessing is not None:
        net.preprocessing = net.preprocessing.named(fit.options["num_classes"])
    return net


def _record(fit, net, given_names):
    """Return what was done; given_names are the file's, where the fit has others."""
    rows = [
        (ours, given_names.get(theirs, theirs), fit.arrays[theirs].shape)
        for ours, theirs in fit.source.names(net).items()
    ]
    return Record(
        maker=fit.source.maker,
        how=fit.how,
        network=fit.source.network.__name__,
        options={**fit.options, **fit.source.options},
        changes=tuple(fit.source.changes),
        zero=fit.source.absent,
        rows=tuple(rows),
    )


def check_shapes(shapes, arrays):
    """Raise ValueError, with a list, where arrays have not the shapes that they must have."""
    wrong = [
        f"misshapen: {name} must be {shape}, got {arrays[name].shape}"
        for name, shape in shapes.items()
        if arrays[name].shape != shape
    ]
    if wrong:
        raise ValueError("these weights fit no network:\n  " + "\n  ".join(wrong))
