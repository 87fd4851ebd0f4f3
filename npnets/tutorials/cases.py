"""Random convolutions, which of them convict an error, and memory: what chapters check with.

    tests = {"40 cases": [cases.convolution(rng) for _ in range(40)]}
    cases.convictions({"window turned": turned}, tests, ops.conv2d)  # {"40 cases": [33]}

Chapter 1 writes both out.
"""

import tracemalloc

import numpy as np

from npnets.ops import conv2d


def convolution(rng, **fixed):
    """Return (x, weight, options) of a small random convolution, in float64.

    The image is not square as a rule, K, stride, dilation and groups are 1 to 3, padding is 0 to
    2. fixed overrules some of N, wide (the channels per group), H, W, K, stride, padding,
    dilation and groups.
    """
    names = "N", "wide", "H", "W", "K", "stride", "padding", "dilation", "groups"
    lowest, above = (1, 1, 7, 7, 1, 1, 0, 1, 1), (4, 4, 12, 12, 4, 4, 3, 4, 4)
    drawn = dict(zip(names, map(int, rng.integers(lowest, above)), strict=True))
    unknown = fixed.keys() - drawn.keys()
    if unknown:
        raise ValueError(f"fixed must be of {', '.join(names)}, got {', '.join(sorted(unknown))}")
    f = drawn | fixed
    x = rng.standard_normal((f["N"], f["wide"] * f["groups"], f["H"], f["W"]))
    weight = rng.standard_normal((3 * f["groups"], f["wide"], f["K"], f["K"]))
    return x, weight, {name: f[name] for name in ("stride", "padding", "dilation", "groups")}


def convictions(suspects, tests, right):
    """Return {test: [how many of its cases convict each suspect]}.

    suspects are {name: function}, tests {name: cases}; a case is its arrays, then a dict of
    options. A suspect is convicted where its result, an array or a tuple, is not that of `right`.
    """
    return {
        name: [
            sum(not alike(suspect(*a, **o), right(*a, **o)) for *a, o in cases)
            for suspect in suspects.values()
        ]
        for name, cases in tests.items()
    }


def alike(one, other):
    """Return whether two results, arrays or tuples of arrays, have equal shapes and values."""
    ours, theirs = (each if isinstance(each, tuple) else (each,) for each in (one, other))
    return len(ours) == len(theirs) and all(
        np.shape(a) == np.shape(b) and np.allclose(a, b) for a, b in zip(ours, theirs, strict=True)
    )


def with_upstream(rng, convolutions):
    """Return the cases of backward: (dy, x, weight, options), where dy is drawn."""
    shapes = [conv2d(x, weight, **options).shape for x, weight, options in convolutions]
    return [
        (rng.standard_normal(shape), *case)
        for shape, case in zip(shapes, convolutions, strict=True)
    ]


def allocated(run):
    """Return run() and the most bytes that were held at once while it ran, as NumPy reports."""
    tracemalloc.start()
    try:
        result = run()
        return result, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
