"""The ladder: every rung gives the definition's answer, and one that does not is caught."""

import itertools
import os
import runpy
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from npnets import ladder
from npnets.ladder import dense_ladder, depthwise_ladder
from npnets.ops import conv2d, depthwise_conv2d, use_kernels

WAYS = "loops", "shifted", "im2col", "naive", "kernel"
NAMES = *ladder.NAMES, "BLAS peak"
COMPILED = ladder._compiles()
CLIMBED = NAMES if COMPILED else (*NAMES[:3], NAMES[-1])
SMALL = {"x_shape": (2, 3, 7, 5), "seconds": 1e-4, "rng": 0}

ways = pytest.mark.parametrize("way", WAYS)
both = pytest.mark.parametrize(
    ("kind", "climb"), [("depthwise", depthwise_ladder), ("dense", dense_ladder)]
)


def arrays(kind, x_shape, K, dtype=np.float32):
    """Return x and weight of a kind of convolution; a dense one has 4 filters."""
    C, rng = x_shape[1], np.random.default_rng(0)
    shapes = x_shape, (C, 1, K, K) if kind == "depthwise" else (4, C, K, K)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


@ways
@pytest.mark.parametrize("kind", ["depthwise", "dense"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("K", [1, 3, 5])
@pytest.mark.parametrize("x_shape", [(2, 3, 7, 5), (1, 1, 2, 9), (3, 2, 1, 1)])
def test_every_rung_gives_the_answer_of_the_definition(kind, way, x_shape, K, dtype):
    x, weight = arrays(kind, x_shape, K, dtype)
    before = x.copy(), weight.copy()
    if way == "naive" and not COMPILED:
        pytest.skip("this rung needs Numba")
    y = getattr(ladder, f"{kind}_{way}")(x, weight)
    definition = (depthwise_conv2d if kind == "depthwise" else conv2d).definition
    exact = definition(x.astype(float), weight.astype(float), padding=K // 2)
    assert y.dtype == dtype
    assert y.shape == exact.shape
    np.testing.assert_allclose(y, exact, rtol=0, atol=1e3 * np.finfo(dtype).eps)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(weight, before[1])


@ways
@both
def test_a_rung_follows_the_dtype_of_x_and_takes_views(kind, climb, way):
    x, weight = arrays(kind, (2, 3, 7, 5), 3)
    rung = getattr(ladder, f"{kind}_{way}")
    if way == "naive" and not COMPILED:
        pytest.skip("this rung needs Numba")
    y = rung(x, weight.astype(np.float64))
    assert y.dtype == np.float32
    assert y.flags.c_contiguous
    turned = np.ascontiguousarray(x.transpose(0, 1, 3, 2)).transpose(0, 1, 3, 2)
    np.testing.assert_allclose(rung(turned, weight), y, atol=1e-5)


@ways
def test_a_weight_that_does_not_fit_is_refused(way):
    x = np.zeros((2, 3, 7, 5), np.float32)
    depthwise, dense = (getattr(ladder, f"{kind}_{way}") for kind in ("depthwise", "dense"))
    for shape in [(4, 1, 3, 3), (3, 3, 3, 3), (3, 1, 3, 5), (3, 1, 2, 2)]:
        with pytest.raises(ValueError, match=r"weight must be \(3, 1, K, K\) with K odd, got"):
            depthwise(x, np.zeros(shape, np.float32))
    for shape in [(4, 2, 3, 3), (4, 4, 3, 3), (4, 3, 3, 5), (4, 3, 4, 4)]:
        with pytest.raises(ValueError, match=r"weight must be \(4, 3, K, K\) with K odd, got"):
            dense(x, np.zeros(shape, np.float32))
    for rung in depthwise, dense:
        with pytest.raises(ValueError, match=r"x must be an array of shape \(N, C, H, W\)"):
            rung(x[0], np.zeros((3, 1, 3, 3), np.float32))


@both
def test_the_rungs_stand_in_order_and_count_what_they_computed(kind, climb):
    rungs = list(climb(**SMALL, kernel_size=5))
    assert tuple(rung.name for rung in rungs) == CLIMBED
    one = 7 * 5 * 25 * (1 if kind == "depthwise" else 3)  # one image, one filter
    outputs = 2 * (3 if kind == "depthwise" else 64)
    assert [rung.macs for rung in rungs[:-1]] == [one, *[one * outputs] * (len(rungs) - 2)]
    assert rungs[-1].macs == 512**3
    assert "Measured on 1 image, 1 filter" in rungs[0].explanation
    for rung in rungs:
        assert rung.milliseconds > 0
        assert rung.cores >= 0
        assert rung.gmacs_per_second == pytest.approx(rung.macs / 1e6 / rung.milliseconds)
    assert rungs[-1].max_error is None
    assert all(0 <= rung.max_error < 75 * 2**-23 for rung in rungs[:-1])


def test_the_filters_of_a_dense_ladder_can_be_chosen():
    climbed = dense_ladder(**SMALL, out_channels=2)
    assert climbed.title == "Dense convolution, 3 × 3, of (2, 3, 7, 5) to 2 channels, float32"
    assert list(climbed)[1].macs == 2 * 2 * 7 * 5 * 3 * 9


@both
def test_the_table_is_aligned_and_says_how_it_was_measured(kind, climb):
    climbed = climb(**SMALL)
    title, _, heads, line, *rest = str(climbed).splitlines()
    table, notes = rest[: len(CLIMBED)], " ".join(rest[len(CLIMBED) :])
    assert title.startswith(kind.capitalize())
    assert set(line) == {"─"}
    assert len(line) == max(map(len, [heads, *table]))
    for name, row, rung in zip(CLIMBED, table, climbed, strict=True):
        assert row.startswith(name)
        assert row[heads.index("how") :] == rung.explanation
        for head, text in [("GMAC/s", f"{rung.gmacs_per_second:.3g}"), ("adds", f"{rung.macs:,}")]:
            assert row[: heads.index(head) + len(head)].endswith(f" {text}")
    ends = heads.index("× faster") + len("× faster")
    steps = [row[:ends].split("  ")[-1].strip() for row in table]
    speeds = [rung.gmacs_per_second for rung in climbed]
    assert steps[1:] == [f"{b / a:.2f}" for a, b in itertools.pairwise(speeds)]
    assert "threads" in notes
    assert "All results agree with the definition" in notes
    assert ("Without naive Numba and kernel" in notes) != COMPILED


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda y: y + np.float32(1e-2) * (np.arange(5) == 0), "off by"),
        (lambda y: np.where(np.arange(5) == 2, np.float32(np.nan), y), "off by nan"),
        (lambda y: y[..., :-1], r"is float32 \(.*, 4\), off by inf"),
        (lambda y: y.astype(np.float64), "is float64 .* off by inf"),
    ],
    ids=["one column a little off", "NaN", "shape", "dtype"],
)
@both
@ways
def test_a_wrong_rung_is_caught(kind, climb, way, wrong, message, monkeypatch):
    name = dict(zip(WAYS, NAMES[:-1], strict=True))[way]
    if name not in CLIMBED:
        pytest.skip("this rung needs Numba")
    rung = getattr(ladder, f"{kind}_{way}")
    monkeypatch.setattr(ladder, f"{kind}_{way}", lambda x, weight: wrong(rung(x, weight)))
    with pytest.raises(ArithmeticError, match=f"{name}: must be float32 .*{message}"):
        climb(**SMALL)


@both
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x_shape": (3, 7, 5)}, r"x_shape must be \(N, C, H, W\), got \(3, 7, 5\)"),
        ({"x_shape": 8}, r"x_shape must be \(N, C, H, W\), got 8"),
        ({"x_shape": (2, 3, 0, 5)}, "H must be an int of at least 1, got 0"),
        ({"x_shape": (2.5, 3, 7, 5)}, "N must be an int of at least 1, got 2.5"),
        ({"kernel_size": 4}, "kernel_size must be odd, .* got 4"),
        ({"kernel_size": -1}, "kernel_size must be an int of at least 1, got -1"),
        ({"seconds": 0}, "seconds must be a number above 0, and finite, got 0"),
        ({"seconds": np.nan}, "seconds must be a number above 0, and finite, got nan"),
        ({"seconds": "1"}, "seconds must be a number above 0, and finite, got '1'"),
    ],
)
def test_bad_arguments_are_refused(kind, climb, options, message):
    with pytest.raises(ValueError, match=message):
        climb(**SMALL | options)


def test_a_dense_ladder_needs_filters():
    with pytest.raises(ValueError, match="out_channels must be an int of at least 1, got 0"):
        dense_ladder(**SMALL, out_channels=0)


def test_the_first_call_is_not_counted_and_the_median_is_taken(monkeypatch):
    calls = []
    # The start; before and after each call; whether it is time after the fourth; the end
    ticks = iter([0, 0, 90, 90, 97, 97, 98, 98, 100, 100, 100])  # 90 seconds, then 7, 1 and 2
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    monkeypatch.setattr(time, "process_time", itertools.count(0, 200).__next__)
    milliseconds, cores = ladder._time(lambda: calls.append(1), 5)
    assert (milliseconds, cores, len(calls)) == (2000, 2, 4)


@both
def test_the_rung_named_kernel_runs_the_kernel_and_leaves_the_switch_alone(
    kind, climb, monkeypatch
):
    if not COMPILED:
        pytest.skip("there is no compiler")
    operation = depthwise_conv2d if kind == "depthwise" else conv2d
    ran, fast = [], operation.fast
    monkeypatch.setattr(operation, "fast", lambda *a, **k: ran.append(1) or fast(*a, **k))
    with use_kernels(False):
        climb(**SMALL)
        assert len(ran) >= 4
        operation(*arrays(kind, (1, 1, 3, 3), 3))
        seen = len(ran)
        operation(*arrays(kind, (1, 1, 3, 3), 3))
        assert len(ran) == seen


def test_without_numba_the_compiled_rungs_are_left_out():
    program = (
        "import sys, warnings; warnings.simplefilter('ignore'); sys.modules['numba'] = None\n"
        "from npnets.ladder import *\n"
        "for climb in depthwise_ladder, dense_ladder:\n"
        "    print(climb((2, 3, 7, 5), seconds=1e-4))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(ladder.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Without naive Numba and kernel: Numba is missing") == 2
    assert "BLAS peak" in done.stdout
    assert "\nnaive Numba " not in done.stdout
    assert "\nkernel " not in done.stdout


def test_the_module_prints_both_ladders(monkeypatch, capsys):
    monkeypatch.setattr(time, "perf_counter", itertools.count().__next__)  # three calls each
    runpy.run_path(ladder.__file__, run_name="__main__")
    printed = capsys.readouterr().out
    assert "Depthwise convolution, 3 × 3, of (8, 32, 56, 56) to 32 channels" in printed
    assert "Dense convolution, 3 × 3, of (8, 32, 28, 28) to 64 channels" in printed
