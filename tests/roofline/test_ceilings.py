"""Rates, and what they predict; that a rate is high is nothing a test can know."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from npnets import ops
from npnets.roofline import ceilings
from npnets.roofline.ceilings import Ceilings, Level

ROOF = Ceilings(1000.0, (Level("L2", 64, 400.0), Level("DRAM", math.inf, 50.0)))


@pytest.mark.parametrize(
    ("macs", "size", "seconds", "bound"),
    [
        (5000, 40, 5.0, "compute"),
        (100, 40, 0.1, "compute"),  # as long as the bytes take
        (99, 40, 0.1, "memory"),
        (0, 64, 64 / 400, "memory"),
        (0, 65, 65 / 50, "memory"),  # does not fit, and comes from DRAM
        (1300, 65, 1.3, "compute"),
    ],
)
def test_whatever_takes_longer(macs, size, seconds, bound):
    assert ROOF.predict(macs, size) == (pytest.approx(seconds), bound)


def test_the_ridge_is_where_both_take_equally_long():
    l2, dram = ROOF.levels
    assert (ROOF.ridge(l2), ROOF.ridge(dram)) == (2.5, 20)
    assert ROOF.predict(2.5 * 64, 64) == (pytest.approx(64 / 400), "compute")


def caches(folder, *lines):
    for k, (level, size, cores) in enumerate(lines):
        cache = folder / f"index{k}"
        cache.mkdir()
        for file, text in (("level", level), ("size", size), ("shared_cpu_list", cores)):
            (cache / file).write_text(f"{text}\n")
    return folder


def test_caches_as_the_system_tells_them(tmp_path):
    folder = caches(
        tmp_path, ("1", "32K", "0"), ("3", "16384K", "0-3,8-11"), ("2", "1024K", "0,8")
    )
    sizes = {1: 1, 2: 1, 3: 2, 8: 4, 9: 5}  # threads -> caches of the second level
    for threads, number in sizes.items():
        found = ceilings.cache_sizes(threads, folder)
        assert list(found) == ["L2", "L3"]
        assert found["L2"] == number * 2**20
        assert found["L3"] == -(-threads // 8) * 16 * 2**20


@pytest.mark.parametrize("lines", [(), (("2", "large", "0"),), (("2", "64K", ""),)])
def test_caches_are_assumed_where_the_system_says_nothing(tmp_path, lines):
    found = ceilings.cache_sizes(3, caches(tmp_path, *lines))
    assert found == {"L2": 3 * 512 * 2**10, "L3": 8 * 2**20}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kernels", [False, True] if ops.op.has_numba else [False])
def test_a_rate_counts_what_was_read_and_written(monkeypatch, threads, kernels):
    monkeypatch.setattr(ceilings, "MOVED", 8 * 2**12 * 5)
    clock = iter(range(100))
    seconds = SimpleNamespace(perf_counter=lambda: next(clock))
    monkeypatch.setattr(ceilings, "time", seconds)  # which passes with every look
    with ops.use_kernels(kernels):
        assert ceilings.rate(8 * 2**12, threads) == 8 * 2**12 * 5


@pytest.mark.parametrize("loops", [ceilings._add_with_numpy, ceilings._add_repeatedly])
def test_all_repeats_are_run(loops):
    if loops is ceilings._add_repeatedly and not ops.op.has_numba:
        pytest.skip("Numba cannot be imported")
    x, y = np.arange(10, dtype=np.float32), np.zeros(10, np.float32)
    loops(x, y, 4)
    assert y.tolist() == (np.arange(10) + 3).tolist()


def test_a_machine_has_ceilings(monkeypatch):
    monkeypatch.setattr(ceilings, "MOVED", 2**16)
    monkeypatch.setattr(ceilings.machine, "limits", lambda threads: {"gflops": 8, "gb_per_s": 3})
    found = ceilings.measure(1)
    assert found.macs_per_s == 4e9
    assert found.levels[-1] == Level("DRAM", math.inf, 3e9)
    assert all(level.bytes_per_s > 0 for level in found.levels)
    assert [level.name for level in found.levels] == [*ceilings.cache_sizes(1), "DRAM"]
