"""How fast this machine multiplies, and how fast it moves bytes: from L2, L3 and DRAM."""

import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from npnets.bench import machine
from npnets.ops.op import jit, kernels_run

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")  # of Linux
ASSUMED = {"L2": (512 * 2**10, 1), "L3": (8 * 2**20, 1 << 20)}  # where the system says nothing
MOVED = 2**29  # bytes that a timed loop moves at least
COMPUTE, MEMORY = "compute", "memory"


@dataclass(frozen=True)
class Level:
    """A level of memory: how many bytes fit, for all threads together, and its rate,
    reads and writes counted."""

    name: str
    capacity: float
    bytes_per_s: float


@dataclass(frozen=True)
class Ceilings:
    """The highest rates of a machine; levels from the smallest to DRAM, which holds anything."""

    macs_per_s: float
    levels: tuple[Level, ...]

    def level(self, size):
        """Return the smallest level that holds so many bytes."""
        return next(level for level in self.levels if size <= level.capacity)

    def predict(self, macs, size):
        """Return (seconds, what bounds them): the multiply-adds, or the bytes, if that is more.

        The bytes come from the smallest level that holds all that the operation touches.
        """
        compute, memory = macs / self.macs_per_s, size / self.level(size).bytes_per_s
        return (compute, COMPUTE) if compute >= memory else (memory, MEMORY)

    def ridge(self, level):
        """Return the multiply-adds per byte from which on an operation is bound by compute."""
        return self.macs_per_s / level.bytes_per_s


def measure(threads):
    """Return the Ceilings of this machine on so many threads: the best of a few runs each."""
    with threadpool_limits(threads, "blas"):
        limits = machine.limits(threads)
    levels = [
        Level(name, capacity, rate(capacity / 2, threads))
        for name, capacity in cache_sizes(threads).items()
    ]
    dram = Level("DRAM", math.inf, 1e9 * limits["gb_per_s"])
    return Ceilings(1e9 * limits["gflops"] / 2, (*levels, dram))


def cache_sizes(threads, folder=CACHES):
    """Return {"L2": bytes, "L3": bytes}: what so many threads have, each on a core of its own.

    Sizes are those that the system tells, or else assumed ones: 512 kB for each core, and 8 MB.
    """
    found = _told(folder) or ASSUMED
    return {name: size * -(-threads // shared) for name, (size, shared) in sorted(found.items())}


def _told(folder):
    """Return {"L2": (bytes, how many cores share it)} as Linux tells it; {} elsewhere."""
    found = {}
    try:
        for cache in folder.glob("index*"):
            said = {file: (cache / file).read_text().strip() for file in ("level", "size")}
            cores = (cache / "shared_cpu_list").read_text().strip()
            if said["level"] in ("2", "3"):
                size = int(said["size"].removesuffix("K")) * 2**10
                found[f"L{said['level']}"] = size, _count(cores)
    except (OSError, ValueError):
        return {}
    return found


def _count(cores):
    """0-1,4 -> 3"""
    ends = [part.split("-") for part in cores.split(",")]
    return sum(int(end[-1]) - int(end[0]) + 1 for end in ends)


def rate(size, threads, times=5):
    """Return the bytes per second of loops that read and write `size` bytes, over and over.

    Each thread works within a part of its own. Half of the bytes are read, the other half are
    written: x + 1, as a copy would be the C library's, whose speed depends on addresses.
    """
    n = max(1, int(size / 8 / threads))  # numbers of float32 that are read
    parts = [(np.ones(n, np.float32), np.ones(n, np.float32)) for _ in range(threads)]
    repeats = max(1, int(MOVED / (8 * n * threads)))
    loops = _add_repeatedly if kernels_run(parts[0][0]) else _add_with_numpy
    loops(*parts[0], 1)  # to compile it
    seconds = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(times):
            start = time.perf_counter()
            list(pool.map(lambda part: loops(*part, repeats), parts))
            seconds.append(time.perf_counter() - start)
    return 8 * n * threads * repeats / min(seconds)


def _add_with_numpy(x, y, repeats):
    for k in range(repeats):
        np.add(x, np.float32(k), out=y)


@jit
def _add_repeatedly(x, y, repeats):
    for k in range(repeats):
        number = x.dtype.type(k)  # another one each time, so that no repeat can be left out
        for i in range(x.size):
            y[i] = x[i] + number
