"""Why two layers that should make the same do not: sentences, each tried and found to hold."""

import numpy as np

from npnets import ops
from npnets.ops.window import four_sides
from npnets.weights.related import how_images, how_weights, same

GIVEN = "x", "a", "b"  # what operations call the images that they are given
EPS = 1e-3, 1e-5, 1e-6, 1e-8  # of TensorFlow, of PyTorch, and of others


def of_calls(call, twin, tolerance):
    """Return reasons for the results of two Calls of one name, of which both sides are known."""
    if call.op != twin.op:
        return [f"A calls {call.op} and B {twin.op}"]
    ours, theirs = call.arguments, twin.arguments
    if how := _exchanged(ours, theirs, tolerance):
        return [how]
    found, explained = [], False
    for name in ours | theirs:
        a, b = ours.get(name), theirs.get(name)
        if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
            if not same(a, b, tolerance):
                how = "" if name in GIVEN else how_weights(a, b, tolerance)
                given = ", which it is given," if name in GIVEN else ""
                found.append(f"{name}{given} differs" + (f": {how}" if how else ""))
                explained |= bool(how)
        elif a is not b and (_is_array(a, b) or a != b):
            found.append(f"{name} is {_said(a)} in A and {_said(b)} in B")
            explained = True
    how = "" if explained else how_images(call.results()[0], twin.results()[0], tolerance)
    return [f"B is {how}", *found] if how else found


def of_arrays(a, b, call, tolerance):
    """Return reasons why others found b and not a, which `call` made (None: it is the input)."""
    found = [how_images(a, b, tolerance)]
    for words, changed in () if call is None else _otherwise(call.arguments):
        y = getattr(ops, call.op)(**{**call.arguments, **changed})
        if same(y, b, tolerance):
            found.append(words)
    found = [f"B is {how}" for how in found if how]
    return ["B was given another image"] if call is None and not found else found


def _otherwise(arguments):
    """Yield (words, other arguments) for what is often mistaken in an operation."""
    weight = arguments.get("weight")
    if weight is not None and weight.ndim == 4 and weight.shape[3] > 1:
        yield "what comes of transposed filters", {"weight": weight.swapaxes(2, 3)}
        yield "what comes of filters turned by 180°", {"weight": weight[:, :, ::-1, ::-1]}
    if "eps" in arguments:
        for eps in EPS:
            if eps != arguments["eps"]:
                yield f"what comes of eps {eps:g}, not {arguments['eps']:g}", {"eps": eps}
        yield (
            "what comes of gamma and beta exchanged",
            {"gamma": arguments["beta"], "beta": arguments["gamma"]},
        )
    if "groups" in arguments and weight is None:
        channels = sum(a.shape[1] for a in arguments.values() if isinstance(a, np.ndarray))
        yield "what comes of the inverse shuffle", {"groups": channels // arguments["groups"]}
    if "padding" in arguments:
        now = four_sides(arguments["padding"])
        for other in _paddings(max(now)):
            if other != now:
                words = f"what comes of padding {other}, top, bottom, left, right, not {now}"
                yield words, {"padding": other}


def _paddings(most):
    """Return the usual ways to pad: alike on all sides, less before (TensorFlow), less behind."""
    less = max(0, most - 1)
    return [(most,) * 4, (less, most, less, most), (most, less, most, less)]


def _exchanged(ours, theirs, tolerance):
    """Return which two arguments, arrays of one shape, are exchanged in B; "" for none."""
    for name, a in ours.items():
        for other, b in ours.items():
            if not (name < other and _is_array(a) and _is_array(b) and a.shape == b.shape):
                continue
            crossed = same(a, theirs[other], tolerance) and same(b, theirs[name], tolerance)
            if crossed and not same(a, b, tolerance):
                return f"{name} and {other} are exchanged"
    return ""


def _is_array(*values):
    return any(isinstance(value, np.ndarray) for value in values)


def _said(value):
    return "there" if isinstance(value, np.ndarray) else "absent" if value is None else value
