"""Gradient checking: a backward pass on trial, with finite differences as the witness.

    report = check(relu, lambda dy, x: relu_backward(dy, relu(x)), {"x": x})
    print(report)
    assert report.ok

A forward pass gives y; a random dy makes one number of it, φ = Σ dy · y. Along a direction v in
one argument the slope of φ is known twice: from backward, as Σ gradient · v, and from forward, as

    (φ(+h) − φ(−h)) / 2h

which is off by h² and by rounding / h: with h = 1e-5, in float64, by some 1e-10 in all. A single
coordinate is a direction, too: ops are checked coordinate by coordinate; in a network, whose
coordinates are too many, random directions move all of an argument at once.

ReLU, ReLU6 and max pooling have kinks: where one lies between −h and +h, neither slope is wrong
and yet they differ. Such directions are recognized from forward alone, by evaluating it halfway
too (see `_slope`), and left out and counted: a wrong backward finds no excuse there.
"""

import itertools

import numpy as np

from npnets.verdict import Finding, Report

__all__ = ["Finding", "Report", "check", "check_layer", "check_network"]

STEP = 1e-5
TOLERANCE = 1e-7
REDRAWN = 8  # how often at most a random direction is drawn until it crosses no kink


def check(
    forward, backward, arrays, *, upstream="random", coordinates=100, directions=1, step=STEP,
    tolerance=TOLERANCE, rng=0,
):  # fmt: skip
    """Check backward against finite differences of forward. Return a Report.

    forward(**arrays) returns y, backward(dy, **arrays) the gradient of each array: a dict by
    name, a tuple in the order of `arrays`, or the only one. arrays are {name: array}, taken in
    float64; each is probed at `coordinates`, and along `directions` random directions. Where
    `coordinates` is an int, so many are drawn, or all of a small array; a list of index tuples
    chooses them. upstream is dy: "random", "ones" (the loss is then the sum of y, which hides
    many bugs), or an array. rng is a seed or a Generator.
    """
    rng = _stream(rng, 1)
    arrays = {name: np.array(array, np.float64) for name, array in arrays.items()}
    given = {name: array.copy() for name, array in arrays.items()}
    y = np.asarray(forward(**arrays), np.float64)
    dy = _upstream(upstream, y.shape, rng)
    dy_given = dy.copy()
    answer = backward(dy if dy.ndim else float(dy), **arrays)
    gradients = _by_name(answer, arrays)
    pairs = itertools.chain([("dy", dy, dy_given)], ((n, arrays[n], given[n]) for n in arrays))
    written = tuple(name for name, now, then in pairs if not np.array_equal(now, then))
    trial = _Trial(forward, given, y, dy_given, step, tolerance)
    findings = tuple(
        trial.find(name, gradient, coordinates, directions, rng)
        for name, gradient in gradients.items()
    )
    return Report(findings, step, tolerance, written)


def check_layer(layer, x, **options):
    """Check a layer or block, in training mode: dx and the gradient of every parameter.

    It is a copy of the layer that is checked, in float64, its parameters moved a little so that
    no gamma is 1 and no beta 0. x is a batch of images; options are those of `check`.
    """
    rng = _stream(options.get("rng", 0), 2)
    twin = layer.astype(np.float64).train()
    parameters = twin.parameters()
    arrays = {"x": x}
    for name, parameter in parameters.items():
        spread = parameter.value.std() or 0.3
        arrays[name] = parameter.value + spread * rng.standard_normal(parameter.value.shape)

    def forward(x, **values):
        for name, value in values.items():
            parameters[name].value = value
        return twin.forward(x)

    def backward(dy, x, **values):
        forward(x, **values)
        dx = twin.backward(dy)
        return {"x": dx, **{name: p.grad for name, p in parameters.items()}}

    return check(forward, backward, arrays, **options)


def check_network(net, x=None, *, coordinates=0, step=3e-8, tolerance=1e-5, **options):
    """Check a whole network: one random direction through each parameter, and through x.

    x is a batch of images, drawn where None: four of 32 × 32. A network has so many ReLUs that a
    long step always crosses a kink somewhere: hence a shorter one than for an op, and more
    rounding, which the tolerance allows for. Options are those of `check`.
    """
    if x is None:
        channels = next(iter(net.parameters().values())).value.shape[1]
        x = np.random.default_rng(0).standard_normal((4, channels, 32, 32))
    options |= {"coordinates": coordinates, "step": step, "tolerance": tolerance}
    return check_layer(net, x, **options)


class _Trial:
    """One forward pass and one dy: what every comparison of a check shares."""

    def __init__(self, forward, arrays, y, dy, step, tolerance):
        self.forward, self.arrays, self.y, self.dy = forward, arrays, y, dy
        self.step, self.tolerance = step, tolerance
        self.noise = self._rounding()

    def find(self, name, gradient, coordinates, directions, rng):
        """Return the Finding for one argument."""
        shape, gradient = self.arrays[name].shape, np.asarray(gradient, np.float64)
        note = ""
        if gradient.shape != shape:
            note = f"its gradient has shape {gradient.shape}, and must have {shape}"
        elif not np.isfinite(gradient).all():
            note = "its gradient is not finite"
        if note:
            return Finding(name, 0, 0, np.inf, "every coordinate", np.nan, np.nan, note)
        probes = self._probe(name, coordinates, directions, rng)
        return self._judge(name, gradient, probes)

    def _probe(self, name, coordinates, directions, rng):
        """Return [(where, v, slope, bend, noise)]: the coordinates, then random directions.

        Of those, one that crosses a kink is drawn anew, a few times.
        """
        shape = self.arrays[name].shape
        probes = []
        for index in _choose(shape, coordinates, rng):
            v = np.zeros(shape)
            v[index] = 1
            probes.append((str(list(index)), v, *self._slope(name, v)))
        clean, drawn = 0, 0
        while clean < directions and drawn < REDRAWN * directions:
            v, drawn = rng.standard_normal(shape), drawn + 1
            probes.append((f"direction {drawn}", v, *self._slope(name, v)))
            *_, slope, bend, noise = probes[-1]
            clean += bend <= self.tolerance * max(abs(slope), noise / self.tolerance)
        return probes

    def _judge(self, name, gradient, probes):
        """Return the Finding: every slope beside what backward says of it."""
        # what a slope of this argument usually is, by which one that happens to be small is judged
        squares = [(slope / np.linalg.norm(v)) ** 2 for _, v, slope, *_ in probes]
        usual = np.sqrt(np.mean(squares)) if squares else 0.0
        tried, kinks, worst = 0, 0, (0.0, "", 0.0, 0.0)
        for where, v, slope, bend, noise in probes:
            said = float((gradient * v).sum())
            scale = max(abs(slope), usual * np.linalg.norm(v), noise / self.tolerance)
            if bend > self.tolerance * scale:
                kinks += 1
                continue
            tried += 1
            error = float(abs(said - slope) / max(scale, abs(said))) if scale or said else 0.0
            if np.isnan(error):  # forward is not finite here, and nothing is proven
                error = np.inf
            worst = max(worst, (error, where, said, slope), key=lambda w: w[0])
        return Finding(name, tried, kinks, *worst)

    def _slope(self, name, v):
        """Return the slope of φ along v, how far it bends, and what rounding may do to both.

        With φ(t) at t = ±h and ±h/2, less φ(0), a smooth φ has almost the same slope at both
        distances (of the error at h a quarter is left at h/2, so 4/3 of the difference is all of
        it), and a curvature that halves. A kink between −h and h disturbs at least one of the
        two: the slope, or, in the middle, the curvature.
        """
        h = self.step * float(np.sqrt(np.mean(self.arrays[name] ** 2)) or 1.0)
        far, near = self._phi(name, v, h), self._phi(name, v, h / 2)
        slopes = (far[1] - far[0]) / (2 * h), (near[1] - near[0]) / h
        curves = (far[1] + far[0]) / h, (near[1] + near[0]) / (h / 2)
        bend = max(4 / 3 * abs(slopes[0] - slopes[1]), abs(curves[0] - 2 * curves[1]))
        return slopes[0], bend, self.noise / h

    def _rounding(self):
        """Return how far rounding may move φ: what the last bit of every input does to it."""
        eps = np.finfo(np.float64).eps
        signs = np.random.default_rng(0)  # all inputs nudged alike would cancel in a batch norm
        nudged = {
            n: a * (1 + eps * signs.choice((-1, 1), a.shape)) for n, a in self.arrays.items()
        }
        moved = np.linalg.norm(self.dy * (self.forward(**nudged) - self.y))
        return 16 * max(moved, eps * np.linalg.norm(self.dy * self.y))

    def _phi(self, name, v, h):
        """Return φ(−h) − φ(0) and φ(h) − φ(0), the outputs subtracted before they are summed."""
        moved = (self.arrays | {name: self.arrays[name] + t * v} for t in (-h, h))
        return [float((self.dy * (self.forward(**arrays) - self.y)).sum()) for arrays in moved]


def _stream(rng, number):
    """Return a Generator. A seed is mixed with a number: callers often draw x with the same seed,
    and a dy that equals x would hide a bug that takes the one for the other."""
    return np.random.default_rng([rng, number] if isinstance(rng, int | np.integer) else rng)


def _upstream(upstream, shape, rng):
    """Return dy."""
    if isinstance(upstream, str) and upstream in ("random", "ones"):
        return rng.standard_normal(shape) if upstream == "random" else np.ones(shape)
    dy = None if isinstance(upstream, str) else np.array(upstream, np.float64)
    if dy is None or dy.shape != shape:
        raise ValueError(
            f"upstream must be 'random', 'ones' or an array of y's shape {shape}, got {upstream!r}"
        )
    return dy


def _by_name(answer, arrays):
    """Return what backward gave as {name: gradient}."""
    if isinstance(answer, dict):
        if not answer or answer.keys() - arrays.keys():
            raise ValueError(
                f"backward must give gradients of {', '.join(arrays)}, got {list(answer)}"
            )
        return answer
    answer = answer if isinstance(answer, tuple | list) else (answer,)
    if len(answer) != len(arrays):
        raise ValueError(
            f"backward must give a gradient for each of {', '.join(arrays)}, got {len(answer)}"
        )
    return dict(zip(arrays, answer, strict=True))


def _choose(shape, coordinates, rng):
    """Return the coordinates to probe, as index tuples: so many drawn, or those that are given."""
    if not isinstance(coordinates, int | np.integer):
        return coordinates
    size = int(np.prod(shape))
    flat = sorted(rng.choice(size, min(coordinates, size), replace=False))
    return [tuple(int(i) for i in np.unravel_index(k, shape)) for k in flat]
