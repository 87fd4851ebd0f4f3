"""Every kernel does what its definition says.

With NUMBA_DISABLE_JIT=1 Python itself runs the loops, and looks at each index, as Numba does not.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import npnets
from npnets import ops
from npnets.ops.op import KERNELS

pytestmark = pytest.mark.kernels
needs_numba = pytest.mark.skipif(not ops.op.has_numba, reason="Numba cannot be imported")

# Shapes of x and weight, and options. Everything that a loop could get wrong comes up: strides
# larger than the kernel, borders larger than it, pixels that no window reaches, sides that differ.
DEPTHWISE = [
    ((2, 3, 7, 5), (3, 1, 3, 3), {"padding": 1}),
    ((1, 1, 1, 1), (1, 1, 1, 1), {}),
    ((1, 2, 4, 6), (2, 1, 3, 3), {"stride": 2, "padding": 1}),
    ((2, 2, 8, 8), (2, 1, 3, 3), {"stride": 2, "padding": (0, 1, 0, 1)}),
    ((3, 2, 7, 8), (2, 1, 2, 3), {"stride": 3, "padding": (2, 0, 1, 3)}),
    ((2, 2, 9, 7), (2, 1, 3, 2), {"dilation": 2, "padding": (1, 2, 0, 1)}),
    ((1, 2, 9, 9), (2, 1, 3, 3), {"stride": 2, "dilation": 3, "padding": 2}),
    ((2, 1, 5, 2), (1, 1, 5, 1), {"stride": 3, "padding": 2}),
    ((2, 2, 3, 3), (2, 1, 1, 1), {"stride": 2, "padding": 3}),
    ((2, 2, 6, 1), (2, 1, 2, 1), {"stride": 4}),
    ((5, 2, 4, 4), (2, 1, 5, 5), {"padding": 2}),
    ((3, 2, 8, 8), (2, 1, 5, 5), {"stride": 2, "padding": 2}),
    ((2, 2, 30, 34), (2, 1, 3, 3), {"padding": 1}),  # one image fills the scratch by itself
    ((3, 2, 40, 60), (2, 1, 3, 3), {"stride": 2, "padding": 1}),
    ((2, 2, 3, 40), (2, 1, 3, 3), {"padding": 4}),
]
GROUPED = [
    ((2, 4, 7, 5), (6, 2, 3, 3), {"padding": 1, "groups": 2}),
    ((1, 2, 1, 1), (2, 1, 1, 1), {"groups": 2}),
    ((1, 4, 4, 6), (2, 2, 3, 3), {"stride": 2, "padding": 1, "groups": 2}),
    ((2, 2, 8, 8), (4, 1, 3, 3), {"stride": 2, "padding": (0, 1, 0, 1), "groups": 2}),
    ((3, 3, 7, 8), (3, 1, 2, 3), {"stride": 3, "padding": (2, 0, 1, 3), "groups": 3}),
    ((2, 4, 9, 7), (2, 2, 3, 2), {"dilation": 2, "padding": (1, 2, 0, 1), "groups": 2}),
    ((1, 2, 9, 9), (2, 1, 3, 3), {"stride": 2, "dilation": 3, "padding": 2, "groups": 2}),
    ((2, 6, 5, 2), (3, 2, 5, 1), {"stride": 3, "padding": 2, "groups": 3}),
    ((2, 2, 3, 3), (2, 1, 1, 1), {"stride": 2, "padding": 3, "groups": 2}),
    ((2, 3, 5, 4), (2, 3, 3, 3), {"padding": 1}),  # one group is a matrix product
    ((2, 3, 8, 9), (4, 3, 3, 3), {"padding": 1, "stride": 2}),
    ((2, 3, 7, 8), (4, 3, 2, 3), {"padding": (2, 0, 1, 3), "stride": 3}),
    ((1, 3, 9, 7), (4, 3, 3, 2), {"padding": 3, "dilation": 2}),
]
POINTWISE = [
    ((2, 3, 7, 5), (4, 3, 1, 1), {}),
    ((1, 2, 1, 1), (3, 2, 1, 1), {}),
    ((9, 6, 3, 2), (3, 2, 1, 1), {"groups": 3}),
    ((1, 4, 40, 30), (6, 4, 1, 1), {}),  # one image, in parts by its pixels
    ((2, 5, 4, 4), (300, 5, 1, 1), {}),  # by its outputs
    ((1, 6, 40, 30), (4, 3, 1, 1), {"groups": 2}),
    ((19, 3, 20, 20), (4, 3, 1, 1), {}),  # sums of more than one image
]
POINTWISE_DEPTHWISE = [  # x, channels between the two, their ceilings, and the second's window
    ((2, 3, 7, 5), (4, 3), (6, None), {"stride": 1, "padding": 1, "dilation": 1}),
    ((1, 2, 1, 1), (1, 1), (None, 6), {"stride": 1, "padding": 0, "dilation": 1}),
    ((9, 2, 8, 6), (3, 3), (np.inf, 6), {"stride": 2, "padding": (0, 1, 0, 1), "dilation": 1}),
    ((3, 2, 9, 7), (3, 2), (None, None), {"stride": 3, "padding": 2, "dilation": 2}),
    ((2, 5, 6, 6), (7, 5), (1.5, np.inf), {"stride": 2, "padding": 2, "dilation": 1}),
    ((1, 20, 56, 58), (33, 3), (6, 6), {"stride": 1, "padding": 1, "dilation": 1}),  # two halves
]
POOLED = [
    ((2, 3, 7, 5), {"kernel_size": 3, "stride": 2, "padding": 1}),
    ((1, 2, 8, 8), {"kernel_size": 2}),
    ((1, 1, 1, 1), {"kernel_size": 1}),
    ((2, 2, 9, 7), {"kernel_size": 3, "stride": 1, "padding": (2, 0, 1, 2)}),
    ((2, 2, 9, 7), {"kernel_size": 2, "stride": 3}),
]
NORM = [(2, 3, 4, 5), (1, 1, 3, 4), (12, 2, 1, 1), (3, 1, 1, 7), (1, 4, 9, 1)]


def convolutions(op, cases, *, backward):
    """Return functions that make the arguments of each case: rng -> (arrays, options)."""

    def make(x, weight, options):
        def arguments(rng):
            arrays = [rng.standard_normal(x), rng.standard_normal(weight)]
            if backward:
                arrays.insert(0, rng.standard_normal(op.definition(*arrays, **options).shape))
            else:
                arrays.append(rng.standard_normal(weight[0]))
            return arrays, options

        return arguments

    return [make(*case) for case in cases]


def pointwise_depthwise():
    """Return functions that make x and the two dicts; every second case has no biases."""

    def make(number, shape, channels, kernel, ceilings, window):
        def arguments(rng):
            weights = (channels, shape[1], 1, 1), (channels, 1, kernel, kernel)
            first, second = (
                {"weight": rng.standard_normal(weight), "ceiling": ceiling, "bias": None}
                for weight, ceiling in zip(weights, ceilings, strict=True)
            )
            if number % 2 == 0:
                first["bias"], second["bias"] = rng.standard_normal((2, channels))
            return [rng.standard_normal(shape)], {"first": first, "second": second | window}

        return arguments

    return [
        make(number, shape, *middle, ceilings, window)
        for number, (shape, middle, ceilings, window) in enumerate(POINTWISE_DEPTHWISE)
    ]


def norms(*, backward):
    """Return functions that make the arguments of each batch normalization."""

    def make(shape):
        def arguments(rng):
            x, (gamma, beta) = rng.normal(1, 2, shape), rng.normal(1, 1, (2, shape[1]))
            if not backward:
                return [x, gamma, beta], {"eps": 0.01}
            mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
            return [rng.standard_normal(shape), x, gamma, mean, var], {"eps": 0.01}

        return arguments

    return [make(shape) for shape in NORM]


def relu_norms(*, backward):
    """The same with an activation that clips some values at either end."""

    def make(plain, ceiling):
        def arguments(rng):
            arrays, options = plain(rng)
            if backward:
                arrays.insert(3, rng.normal(1, 1, arrays[2].shape))
            return arrays, {**options, "ceiling": ceiling}

        return arguments

    return [make(case, c) for case in norms(backward=backward) for c in (np.inf, 1.5)]


def pools(op=None, **more):
    """Return functions that make the arguments of each pooling, of its backward if op is given."""

    def make(shape, options):
        def arguments(rng):
            x = rng.integers(0, 5, shape) + 0.0 if "max" in str(op) else rng.normal(size=shape)
            if op is None:
                return [x], options
            dy = rng.standard_normal(op.definition(x, **options).shape)
            return [dy, x], options

        return arguments

    return [make(shape, options | more) for shape, options in POOLED]


def shapes(*all_shapes, positive=False, **options):
    """Return functions that make arrays of such shapes, a list of them for each case."""

    def make(case):
        def arguments(rng):
            arrays = [rng.normal(0, 4, shape) for shape in case]
            return [abs(a) if positive else a for a in arrays], options

        return arguments

    return [make(case) for case in all_shapes]


same = [((2, 3, 5, 4),), ((7,),), ((1, 1, 1, 1),)]
pairs = [case * 2 for case in same]
linears = [((3, 5), (7, 5)), ((1, 1), (1, 1)), ((4, 3), (300, 3))]
CASES = {
    "pointwise_conv2d": convolutions(ops.pointwise_conv2d, POINTWISE, backward=False),
    "pointwise_conv2d_backward": convolutions(ops.pointwise_conv2d, POINTWISE, backward=True),
    "pointwise_depthwise": pointwise_depthwise(),
    "batch_norm_relu": relu_norms(backward=False),
    "batch_norm_relu_backward": relu_norms(backward=True),
    "normalize": shapes(*[(shape, *[shape[1:2]] * 4) for shape in NORM], positive=True),
    "max_pool2d": pools(),
    "max_pool2d_backward": pools(ops.max_pool2d),
    "avg_pool2d": pools() + pools(count_include_pad=False),
    "avg_pool2d_backward": pools(ops.avg_pool2d) + pools(ops.avg_pool2d, count_include_pad=False),
    "global_avg_pool_backward": shapes(((2, 3), (2, 3, 4, 5)), ((1, 1), (1, 1, 1, 1))),
    "relu": shapes(*same),
    "relu6": shapes(*same),
    "relu_backward": shapes(*pairs),
    "relu6_backward": shapes(*pairs),
    "add": shapes(*pairs),
    "channel_shuffle": shapes(((2, 6, 3, 2),), ((1, 3, 1, 1),), groups=3),
    "split": shapes(((2, 6, 3, 2),), ((1, 3, 1, 1),), channels=2),
    "concat": shapes(((2, 6, 3, 2), (2, 1, 3, 2)), ((1, 1, 1, 1), (1, 2, 1, 1))),
    "concat_shuffle": shapes(
        *[((2, a, 3, 2), (2, b, 3, 2)) for a, b in ((3, 3), (1, 5), (4, 2))], groups=3
    ),
    "concat_shuffle_backward": [
        case
        for channels in (3, 1, 4)
        for case in shapes(((2, 6, 3, 2),), groups=2, channels=channels)
    ],
    "linear": shapes(*[(x, weight, weight[:1]) for x, weight in linears]),
    "linear_backward": shapes(*[((x[0], weight[0]), x, weight) for x, weight in linears]),
    "conv2d": convolutions(ops.conv2d, GROUPED, backward=False),
    "conv2d_backward": convolutions(ops.conv2d, GROUPED, backward=True),
    "depthwise_conv2d": convolutions(ops.depthwise_conv2d, DEPTHWISE, backward=False),
    "depthwise_conv2d_backward": convolutions(ops.depthwise_conv2d, DEPTHWISE, backward=True),
    "batch_norm": norms(backward=False),
    "batch_norm_backward": norms(backward=True),
}
every_case = pytest.mark.parametrize(
    ("name", "arguments"), [(name, case) for name, cases in CASES.items() for case in cases]
)
every_kernel = pytest.mark.parametrize("name", sorted(KERNELS))

LAYOUTS = {
    "contiguous": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "every second": lambda array: np.repeat(array, 2, axis=-1)[..., ::2],
    "backwards": lambda array: array[::-1].copy()[::-1],
}
# Two sums of a hundred terms in different orders differ by a few units in the last place.
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-12}


def results(value):
    return value if isinstance(value, tuple) else (value,)


def assert_close(found, expected, dtype):
    for one, other in zip(results(found), results(expected), strict=True):
        assert one.dtype == other.dtype == dtype
        assert one.shape == other.shape
        largest = max(1, abs(other).max())
        np.testing.assert_allclose(one, other, rtol=0, atol=TOLERANCE[dtype] * largest)


def first_case(name, dtype=np.float32):
    arrays, options = CASES[name][0](np.random.default_rng(0))
    return [array.astype(dtype) for array in arrays], options


def test_every_kernel_has_cases():
    assert set(KERNELS) == set(CASES)


@every_case
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_kernel_does_what_its_definition_says(name, arguments, dtype):
    arrays, options = arguments(np.random.default_rng(0))
    arrays = [array.astype(dtype) for array in arrays]
    operation = KERNELS[name]
    expected = operation.definition(*arrays, **options)
    assert_close(operation.fast(*arrays, **options), expected, dtype)


@every_kernel
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_kernel_takes_arrays_however_they_lie_in_memory(name, layout):
    arrays, options = first_case(name)
    laid_out = [LAYOUTS[layout](array) for array in arrays]
    for one, other in zip(laid_out, arrays, strict=True):
        np.testing.assert_array_equal(one, other)
    found = results(KERNELS[name].fast(*laid_out, **options))
    for one, other in zip(found, results(KERNELS[name].fast(*arrays, **options)), strict=True):
        np.testing.assert_array_equal(one, other)


@every_case
def test_the_number_of_threads_changes_no_bit(name, arguments, monkeypatch):
    monkeypatch.setattr(ops.threads, "SMALL", 0)  # share even the smallest work
    arrays, options = arguments(np.random.default_rng(0))
    arrays, found = [a.astype(np.float32) for a in arrays], []
    for threads in (1, 2, 5):
        with ops.use_threads(threads):
            found.append(results(KERNELS[name].fast(*arrays, **options)))
    for other in found[1:]:
        assert [a.tobytes() for a in found[0]] == [a.tobytes() for a in other]


@every_case
@pytest.mark.parametrize("kernels", [False, True])
def test_an_operation_writes_into_the_array_it_is_given(name, arguments, kernels):
    arrays, options = arguments(np.random.default_rng(0))
    with ops.use_kernels(kernels and ops.op.has_numba):
        first, *others = results(KERNELS[name](*arrays, **options))
        out = np.full_like(first, np.nan)
        found, *found_others = results(KERNELS[name](*arrays, **options, out=out))
    assert found is out
    for one, other in zip([found, *found_others], [first, *others], strict=True):
        np.testing.assert_array_equal(one, other)


@every_kernel
@pytest.mark.parametrize("kernels", [False, True])
def test_an_array_that_does_not_fit_is_not_written_into(name, kernels):
    arrays, options = first_case(name)
    with ops.use_kernels(kernels and ops.op.has_numba):
        first, *_ = results(KERNELS[name](*arrays, **options))
        fits = np.zeros_like(first)
        wrong = {
            "must be an array of shape": [first[:0], fits.astype(np.float64), fits.tolist()],
            "C-contiguous and writable": [fits.copy(), np.repeat(fits, 2, axis=-1)[..., ::2]],
        }
        wrong["C-contiguous and writable"][0].setflags(write=False)
        for message, arrays_out in wrong.items():
            for out in arrays_out:
                with pytest.raises(ValueError, match=message):
                    KERNELS[name](*arrays, **options, out=out)
        for array in arrays:
            if array.shape == first.shape:
                with pytest.raises(ValueError, match="must not share memory"):
                    KERNELS[name](*arrays, **options, out=array)


@pytest.mark.parametrize("name", ["max_pool2d", "relu", "relu6", "batch_norm_relu", "normalize"])
def test_what_is_not_a_number_stays_so(name):
    x = np.random.default_rng(0).standard_normal((1, 2, 5, 6)).astype(np.float32)
    x[0, 1, 2, 3] = np.nan
    per_channel = np.ones((4, 2), np.float32)
    arrays = {"batch_norm_relu": per_channel[:2], "normalize": per_channel}.get(name, ())
    options = {"kernel_size": 3, "stride": 2, "padding": 1} if name == "max_pool2d" else {}
    found, expected = (
        results(run(x, *arrays, **options))[0]
        for run in (KERNELS[name].fast, KERNELS[name].definition)
    )
    assert np.isnan(expected).any()
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))


# Which of the two runs


class KernelRan(Exception):
    pass


@pytest.fixture(params=sorted(KERNELS))
def alarmed(request, monkeypatch):
    """An operation whose kernel raises KernelRan, and the name of the operation."""

    def alarm(*args, **options):
        raise KernelRan

    monkeypatch.setattr(KERNELS[request.param], "fast", alarm)
    return KERNELS[request.param], request.param


@needs_numba
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_with_kernels_the_kernel_runs_and_without_them_the_definition(alarmed, dtype):
    operation, name = alarmed
    arrays, options = first_case(name, dtype)
    with npnets.use_kernels(True), pytest.raises(KernelRan):
        operation(*arrays, **options)
    with npnets.use_kernels(False):
        found = operation(*arrays, **options)
    assert_close(found, operation.definition(*arrays, **options), dtype)


@needs_numba
def test_half_precision_is_left_to_the_definition(alarmed):
    operation, name = alarmed
    arrays, options = first_case(name, np.float16)
    with npnets.use_kernels(True):
        found = operation(*arrays, **options)
    assert {array.dtype for array in results(found)} == {np.dtype(np.float16)}


@needs_numba
def test_use_kernels_in_a_with_block_ends_with_it():
    def on():
        return ops.op._on

    before = on()
    try:
        for outside in (True, False):
            npnets.use_kernels(outside)
            with npnets.use_kernels(not outside):
                assert on() is not outside
                with npnets.use_kernels(outside):
                    assert on() is outside
                assert on() is not outside
            assert on() is outside
            with pytest.raises(KernelRan), npnets.use_kernels(not outside):
                raise KernelRan
            assert on() is outside
    finally:
        npnets.use_kernels(before)


# Other machines: no Numba, no folder to keep compiled kernels in

PROGRAM = """
import sys, numpy as np
{before}
import npnets
from npnets import ops
x = np.arange(2 * 4 * 5 * 5, dtype=np.float64).reshape(2, 4, 5, 5) % 7
weight = np.arange(4 * 9, dtype=np.float64).reshape(4, 1, 3, 3) % 5
y = ops.depthwise_conv2d(x, weight, stride=2, padding=1)
dx, dweight = ops.depthwise_conv2d_backward(y, x, weight, stride=2, padding=1)
print(y.sum(), (dx * x).sum(), (dweight**2).sum(), not ops.op.has_numba, ops.op._on)
"""


def run(before="", **environment):
    """Return the numbers that PROGRAM prints in a fresh Python, and its warnings."""
    root = Path(npnets.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root), **environment}
    command = [sys.executable, "-W", "always", "-c", PROGRAM.format(before=before)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    *numbers, without_numba, on = done.stdout.split()
    return numbers, without_numba == "True", on == "True", done.stderr


@pytest.fixture(scope="module")
def numbers_of_the_definition():
    numbers, _, on, warnings = run(NPNETS_KERNELS="0")
    assert not on, "NPNETS_KERNELS=0 switches the kernels off"
    assert "Warning" not in warnings
    return numbers


def test_without_numba_the_numbers_are_the_same_and_one_warning_says_so(numbers_of_the_definition):
    numbers, without_numba, on, warnings = run("sys.modules['numba'] = None")
    assert without_numba
    assert not on
    assert numbers == numbers_of_the_definition
    assert warnings.count("Warning: Numba cannot be imported") == 1


def test_without_numba_kernels_cannot_be_asked_for(monkeypatch):
    monkeypatch.setattr(ops.op, "has_numba", False)
    with pytest.raises(RuntimeError, match="kernels need Numba: pip install numba"):
        npnets.use_kernels(True)


@needs_numba
def test_without_a_folder_for_compiled_kernels(numbers_of_the_definition, tmp_path):
    (tmp_path / "file").write_text("no folder")
    numbers, *_ = run(NUMBA_CACHE_DIR=str(tmp_path / "file" / "cache"), NPNETS_KERNELS="1")
    assert numbers == numbers_of_the_definition


COMPILED = """
import pathlib
import numpy as np
from npnets import ops
x = np.ones((2, 3, 4, 4), np.float32)
print(ops.relu(x - 2).sum(), ops.normalize(x, *np.ones((4, 3), np.float32)).sum())
"""


@needs_numba
@pytest.mark.parametrize("damage", [b"", b"no index", None])
def test_a_damaged_cache_is_made_anew(tmp_path, damage):
    root = Path(npnets.__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root), "NUMBA_CACHE_DIR": str(tmp_path)}
    environment["NUMBA_DISABLE_JIT"] = "0"
    command = [sys.executable, "-W", "error", "-c", COMPILED]

    def compiled():
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    expected, files = compiled(), sorted(tmp_path.rglob("*.nb[ic]"))
    assert files, "something is kept"
    for file in files:
        file.write_bytes(file.read_bytes()[:-9] if damage is None else damage)
    assert compiled() == expected
    assert all(len(file.read_bytes()) > 20 for file in files), "the damaged files are replaced"
    assert compiled() == expected
