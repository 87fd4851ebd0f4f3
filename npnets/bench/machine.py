"""What this machine is, and what it can do at most, measured in place."""

import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import numpy as np

PACKAGES = "numpy", "numba", "llvmlite", "torch", "onnxruntime", "npnets"
PREFIXES = (
    "OPENBLAS_", "OMP_", "GOMP_", "KMP_", "MKL_", "BLIS_", "VECLIB_", "NUMBA_", "MALLOC_",
    "GLIBC_TUNABLES", "LD_PRELOAD", "NPNETS_",
)  # fmt: skip
SET_BY_IMPORTS = {"KMP_DUPLICATE_LIB_OK": "True"}  # by threadpoolctl, and without effect here
MATRIX = 2048  # rows and columns of the product that is timed
COPIED = 256 * 2**20  # bytes: far larger than a cache


def describe(threads):
    """Return what a reader needs to know to compare: processor, system, versions, settings."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "cores usable": usable_cores(),
        "threads": threads,
        "memory bytes": physical_memory(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "environment": dict(sorted(_settings())),
    }


def _settings():
    """Yield the variables that matter, but for those that imports of this process have set."""
    for name, value in os.environ.items():
        if name.startswith(PREFIXES) and SET_BY_IMPORTS.get(name) != value:
            yield name, value


def cpu_model():
    """Return the processor's name as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith(("model name", "Model")):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def usable_cores():
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def tunable_malloc():
    """Whether the C library is glibc, whose malloc takes settings from the environment."""
    return platform.system() == "Linux" and platform.libc_ver()[0] == "glibc"


def peak_memory():
    """Return the most memory that this process has held so far, in bytes; None if unknown."""
    try:  # ru_maxrss would count what the parent held when it started this process
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024


def physical_memory():
    """Return the bytes of memory of this machine; None if unknown."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def limits(threads):
    """Return {gflops, gb_per_s}: a float32 matrix product, and a copy, read and write counted.

    NumPy's own threads must have been limited when it was imported; the copy uses `threads`.
    """
    a = np.random.default_rng(0).standard_normal((MATRIX, MATRIX), dtype=np.float32)
    product = _fastest(lambda: a @ a)
    source, target = np.ones(COPIED // 4, np.float32), np.zeros(COPIED // 4, np.float32)
    halves = (np.array_split(array, threads) for array in (target, source))
    parts = list(zip(*halves, strict=True))
    with ThreadPoolExecutor(threads) as pool:
        copy = _fastest(lambda: list(pool.map(lambda part: np.copyto(*part), parts)))
    return {"gflops": 2e-9 * MATRIX**3 / product, "gb_per_s": 2e-9 * COPIED / copy}


def _fastest(run, times=6):
    """Return the seconds of the fastest run; the first is not counted."""
    run()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
