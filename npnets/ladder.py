"""A speed ladder: one convolution, the same arrays, the same answer, and six speeds.

`python -m npnets.ladder` prints the multiply-adds per second of each way. A rung is a short
function of (x, weight), to be copied, with stride 1, padding K // 2. Not each is a step up.
"""

import contextlib
import functools
import inspect
import os
import time
from dataclasses import dataclass, field

import numpy as np
from threadpoolctl import threadpool_info

from npnets.ops import check, conv2d, depthwise_conv2d, use_kernels
from npnets.ops.op import jit

NAMES = "python loops", "shifted additions", "im2col", "naive Numba", "kernel"


def _checked(rung, per_channel):
    """Ask first whether weight fits x: compiled code tests no index."""

    @functools.wraps(rung)
    def checked(x, weight):
        C, (O, _, K, _) = check.images(x)[1], check.filters(weight)
        O, C = (C, 1) if per_channel else (O, C)
        if weight.shape != (O, C, K, K) or K % 2 == 0:
            raise ValueError(f"weight must be ({O}, {C}, K, K) with K odd, got {weight.shape}")
        return rung(x, weight.astype(x.dtype, copy=False))

    return checked


depthwise, dense = (functools.partial(_checked, per_channel=each) for each in (True, False))


def taps(x, K):
    """Yield (i, j, view): what position (i, j) of the window sees from all pixels at once."""
    (_, _, H, W), P = x.shape, (K // 2, K // 2)
    padded = np.pad(x, [(0, 0), (0, 0), P, P])
    for i, j in np.ndindex(K, K):
        yield i, j, padded[:, :, i : i + H, j : j + W]


def _depthwise(x, weight):
    """The formula, one number at a time.

    y[n, c, p, q]  =  Σ i,j   weight[c, 0, i, j] · x[n, c, p + i − K//2, q + j − K//2]
    """
    (_, _, H, W), K = x.shape, weight.shape[2]
    y = np.empty_like(x)
    for n, c, p, q in np.ndindex(x.shape):  # six nested loops, four of them here
        total = x.dtype.type(0)
        for i in range(K):
            for j in range(K):
                h, w = p + i - K // 2, q + j - K // 2
                if 0 <= h < H and 0 <= w < W:  # all else is padding, zero
                    total += weight[c, 0, i, j] * x[n, c, h, w]
        y[n, c, p, q] = total
    return y


depthwise_loops, _depthwise = depthwise(_depthwise), jit(_depthwise)  # by Python, and by Numba


@depthwise
def depthwise_shifted(x, weight):
    """Add K · K shifted images, each times its weight: the loop over pixels is NumPy's."""
    y = np.zeros_like(x)
    for i, j, tap in taps(x, weight.shape[2]):
        y += weight[:, 0, i, j, None, None] * tap
    return y


@depthwise
def depthwise_im2col(x, weight):
    """Multiply a row and a matrix per channel: K · K copies, each used once."""
    (N, C, H, W), K = x.shape, weight.shape[2]
    columns = np.stack([tap for _, _, tap in taps(x, K)], axis=2).reshape(N, C, K * K, H * W)
    return (weight.reshape(C, 1, K * K) @ columns).reshape(N, C, H, W)


@depthwise
def depthwise_naive(x, weight):
    """Compile the Python loops as they stand, tests for the padding and all."""
    return _depthwise(x, weight)


@depthwise
def depthwise_kernel(x, weight):
    """Call npnets.ops.depthwise_conv2d, what npnets ships."""
    return depthwise_conv2d(x, weight, padding=weight.shape[2] // 2)


def _dense(x, weight):
    """The formula, one number at a time.

    y[n, o, p, q]  =  Σ c,i,j   weight[o, c, i, j] · x[n, c, p + i − K//2, q + j − K//2]
    """
    (N, C, H, W), O, K = x.shape, weight.shape[0], weight.shape[2]
    y = np.empty((N, O, H, W), x.dtype)
    for n, o, p, q in np.ndindex(y.shape):
        total = x.dtype.type(0)
        for c in range(C):
            for i in range(K):
                for j in range(K):
                    h, w = p + i - K // 2, q + j - K // 2
                    if 0 <= h < H and 0 <= w < W:
                        total += weight[o, c, i, j] * x[n, c, h, w]
        y[n, o, p, q] = total
    return y


dense_loops, _dense = dense(_dense), jit(_dense)


@dense
def dense_shifted(x, weight):
    """Add K · K matrix products of shifted images: o c, n c h w -> o n h w."""
    N, _, H, W = x.shape
    y = np.zeros((len(weight), N, H, W), x.dtype)
    for i, j, tap in taps(x, weight.shape[2]):
        y += np.tensordot(weight[:, :, i, j], tap, axes=(1, 1))
    return np.ascontiguousarray(y.swapaxes(0, 1))


@dense
def dense_im2col(x, weight):
    """Multiply two matrices per image: K · K copies, each used O times."""
    (N, C, H, W), (O, _, K, _) = x.shape, weight.shape
    columns = np.stack([tap for _, _, tap in taps(x, K)], axis=2).reshape(N, C * K * K, H * W)
    return (weight.reshape(O, C * K * K) @ columns).reshape(N, O, H, W)


@dense
def dense_naive(x, weight):
    """Compile the Python loops as they stand, tests for the padding and all."""
    return _dense(x, weight)


@dense
def dense_kernel(x, weight):
    """Call npnets.ops.conv2d, what npnets ships."""
    return conv2d(x, weight, padding=weight.shape[2] // 2)


@dataclass(frozen=True)
class Rung:
    """One way to compute: `macs` multiply-adds, those on padding too, in `milliseconds`, a median.
    cores: processor time over time; max_error: over the largest Σ |weight · x|, or None."""

    name: str
    explanation: str
    macs: int
    milliseconds: float
    cores: float
    max_error: float | None

    @property
    def gmacs_per_second(self):
        """Billions of multiply-adds in a second."""
        return self.macs / self.milliseconds / 1e6


@dataclass(frozen=True)
class Ladder:
    """The rungs from the slowest idea to the roof; prints as a table."""

    title: str
    rungs: tuple[Rung, ...] = field(repr=False)
    notes: tuple[str, ...] = field(repr=False)

    def __iter__(self):
        return iter(self.rungs)

    def __str__(self):
        rows = [("rung", "GMAC/s", "× faster", "ms", "multiply-adds", "cores", "max error", "how")]
        for r, before in zip(self.rungs, (None, *self.rungs[:-1]), strict=True):
            step = f"{r.gmacs_per_second / before.gmacs_per_second:.2f}" if before else ""
            cells = f"{r.gmacs_per_second:.3g}", step, f"{r.milliseconds:.3f}", f"{r.macs:,}"
            error = "" if r.max_error is None else f"{r.max_error:.0e}"
            rows.append((r.name, *cells, f"{r.cores:.1f}", error, r.explanation))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        sides = zip("<>>>>>><", widths, strict=True)  # words to the left, numbers to the right
        form = "  ".join(f"{{:{side}{width}}}" for side, width in sides)
        lines = [form.format(*row).rstrip() for row in rows]
        lines.insert(1, "─" * max(map(len, lines)))
        return "\n".join([self.title, "", *lines, "", *self.notes])


def depthwise_ladder(x_shape=(8, 32, 56, 56), kernel_size=3, seconds=0.3, rng=None):
    """Climb with a depthwise convolution of x_shape, (N, C, H, W), for `seconds` on each rung.

    Return a Ladder, or raise ArithmeticError where a rung is off by more than rounding.
    """
    arrays = _draw(x_shape, None, kernel_size, seconds, rng)
    rungs = depthwise_loops, depthwise_shifted, depthwise_im2col, depthwise_naive, depthwise_kernel
    return _climb("Depthwise", rungs, depthwise_conv2d.definition, *arrays, seconds)


def dense_ladder(x_shape=(8, 32, 28, 28), out_channels=64, kernel_size=3, seconds=0.3, rng=None):
    """Climb with an ordinary convolution to `out_channels`; the rest as in `depthwise_ladder`."""
    check.at_least(1, out_channels=out_channels)
    arrays = _draw(x_shape, out_channels, kernel_size, seconds, rng)
    rungs = dense_loops, dense_shifted, dense_im2col, dense_naive, dense_kernel
    return _climb("Dense", rungs, conv2d.definition, *arrays, seconds)


def _compiles():
    """Return whether Numba is there, and compiles what it is given."""
    with contextlib.suppress(RuntimeError, ImportError), use_kernels():
        depthwise_naive(*np.ones((2, 1, 1, 1, 1), np.float32))
    return not inspect.isfunction(_depthwise)


def _draw(x_shape, out_channels, K, seconds, rng):
    """Return x and weight, or raise ValueError; without out_channels, a filter per channel."""
    if np.ndim(x_shape) != 1 or len(x_shape) != 4:
        raise ValueError(f"x_shape must be (N, C, H, W), got {x_shape!r}")
    check.at_least(1, **dict(zip("NCHW", x_shape, strict=True)), kernel_size=K)
    if K % 2 == 0:
        raise ValueError(f"kernel_size must be odd, for an output as large as x, got {K}")
    if not isinstance(seconds, int | float) or not 0 < seconds < np.inf:
        raise ValueError(f"seconds must be a number above 0, and finite, got {seconds!r}")
    C, rng = x_shape[1], np.random.default_rng(rng)
    weight_shape = (C, 1, K, K) if out_channels is None else (out_channels, C, K, K)
    return [rng.standard_normal(shape, np.float32) for shape in (x_shape, weight_shape)]


def _climb(kind, rungs, definition, x, weight, seconds):
    """Return the Ladder of these rungs: each first compared with the definition, then timed."""
    K, terms, compiles = weight.shape[2], weight[0].size, _compiles()
    exact = definition(np.float64(x), np.float64(weight), padding=K // 2)
    scale = definition(np.abs(x), np.abs(weight), padding=K // 2).max()
    tolerance = terms * float(np.finfo(x.dtype).eps)  # what sums in any order may round by
    notes, measured = _notes(tolerance), []
    if not compiles:
        rungs = rungs[:3]
        notes += ["Without naive Numba and kernel: Numba is missing, or switched off."]
    with use_kernels(compiles):
        for name, rung in zip(NAMES, rungs, strict=False):
            arrays, y, how = (x, weight), exact, (rung.__doc__ or "").partition("\n")[0]
            if name == "python loops":  # one filter, and what it sees of one image
                arrays, y = (x[:1, : weight.shape[1]], weight[:1]), exact[:1, :1]
                how += " Measured on 1 image, 1 filter."
            error = _error(name, rung(*arrays), y, scale, tolerance)
            spent = _time(functools.partial(rung, *arrays), seconds)
            measured.append(Rung(name, how, y.size * terms, *spent, error))
    measured.append(_peak(exact.size * terms, seconds))
    title = f"{kind} convolution, {K} × {K}, of {x.shape} to {exact.shape[1]} channels, {x.dtype}"
    return Ladder(title, tuple(measured), tuple(notes))


def _error(name, y, exact, scale, tolerance):
    """Return the largest error over `scale`, or raise ArithmeticError."""
    alike = y.shape == exact.shape and y.dtype == np.float32
    error = float(np.abs(y - exact).max() / scale) if alike else np.inf
    if not error <= tolerance:  # NaN is not
        gave = f"is {y.dtype} {y.shape}, off by {error:.1e}"
        raise ArithmeticError(f"{name}: must be float32 {exact.shape} to {tolerance:.0e}, {gave}")
    return error


def _time(run, seconds):
    """Return the median milliseconds of all calls but the first, and the cores at work."""
    times, start, processor = [], time.perf_counter(), time.process_time()
    while len(times) < 4 or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        run()
        times.append(time.perf_counter() - before)
    elapsed, processor = time.perf_counter() - start, time.process_time() - processor
    return 1e3 * float(np.median(times[1:])), processor / elapsed


def _peak(macs, seconds):
    """Return the Rung of a square matrix product of as many multiply-adds, within bounds."""
    n = int(np.clip(round(macs ** (1 / 3)), 512, 1024))  # a smaller one stays below the roof
    a, b = np.random.default_rng(0).standard_normal((2, n, n), np.float32)
    spent = _time(lambda: a @ b, seconds)
    return Rung("BLAS peak", f"Multiply {n} × {n} matrices, and nothing else.", n**3, *spent, None)


def _notes(tolerance):
    """Return what the table does not say."""
    pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    return [
        "× faster: than the rung before. ms: the median. cores: how many were at work, of "
        f"{os.cpu_count()}; matrix products may use {max(pools, default=1)} threads.",
        "All results agree with the definition in float64. max error: over the largest "
        f"Σ |weight · x|; rounding explains {tolerance:.0e}.",
    ]


if __name__ == "__main__":
    print(depthwise_ladder(), dense_ladder(), sep="\n\n\n")
