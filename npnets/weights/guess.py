"""A guess whose weights these are, by shapes and order alone: only for those who ask for it.

The arrays must come in the order of the forward pass, shortcut before branch, with PyTorch's
axes, and of each batch norm gamma, beta, mean and variance in this order. What has no shape, such
as the size of a stride, ReLU or ReLU6, eps, or how photos are prepared, no one can guess: the
network is the paper's, and has no .preprocessing.
"""

from npnets.nets import MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2
from npnets.weights.adapt import add_bias
from npnets.weights.kinds import NPNETS
from npnets.weights.recognize import Fit, expected, read_options
from npnets.weights.source import Source


def _candidates():
    """Return the sources to try: each network, and what ports have added or left out."""
    sources = []
    for network in (MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2):
        for absent in ((), ("classifier.bias",)):
            for changes in ({}, {"convolutions have a bias": add_bias}):
                options = {"absent": absent, "changes": changes, "kinds": NPNETS}
                sources.append(Source("guess", network, {}, None, **options))
                if network is MobileNetV2:
                    options["options"] = {"always_expand": True}
                    sources.append(Source("guess", network, {}, None, **options))
    return sources


CANDIDATES = _candidates()


def guess(arrays):
    """Return (Fit, {npnets' name: the name in the file}). Raises ValueError unless one fits."""
    fits = []
    for source in CANDIDATES:
        ours = expected(source)
        if len(ours) == len(arrays):
            renamed = dict(zip(ours, arrays.values(), strict=True))
            options = _fitting(source, renamed)
            if options is not None:
                fit = Fit(source, options, renamed, "by a guess: shapes and order alone")
                fits.append((fit, dict(zip(ours, arrays, strict=True))))
    if len(fits) != 1:
        found = ", ".join(fit.source.network.__name__ for fit, _ in fits) or "none"
        raise ValueError(
            f"shapes and order must fit one network to guess; they fit {found}. The order must be "
            "that of the forward pass: most files have it, .safetensors are often sorted by name"
        )
    return fits[0]


def _fitting(source, arrays):
    """Return the options of the network that has these very shapes; None if there is none."""
    try:
        options = read_options(source, arrays, {name: name for name in arrays})
        shapes = source.shapes(source.build(**options, rng=0))
    except ValueError:  # no network has such widths
        return None
    if any(arrays[name].shape != shape for name, shape in shapes.items()):
        return None
    if any(a.min() < 0 for name, a in arrays.items() if name.endswith("running_var")):
        return None
    return options
