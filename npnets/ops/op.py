"""How a definition and its kernel belong together. Short; read once.

An operation is written twice. Its *definition* is NumPy and says what it means. Where that is
slow, a *kernel* stands right under it: the same function again, its loops compiled by Numba.

    @op
    def double(x):
        return 2 * x

    @double.kernel
    def double_kernel(x):
        ...

`double(x)` then runs the kernel where it can, and the definition elsewhere: without Numba, for
a dtype that is not float32 or float64, and after `use_kernels(False)` or with NPNETS_KERNELS=0
in the environment. `double.definition` is always the NumPy function.
"""

import functools
import os
import threading
import warnings

import numpy as np
from threadpoolctl import ThreadpoolController

# Threads that wait should give their core away: by default they spin, and whatever else wants to
# run, another program or NumPy's own threads, waits for them. It must be set before Numba starts.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

try:
    import numba
    from numba import prange
except ImportError:  # a browser, or a Python newer than Numba
    numba, prange = None, range
    warnings.warn("Numba cannot be imported: npnets runs on NumPy alone, slowly", stacklevel=2)

KERNELS = {}  # name of the operation -> the operation, for the test that walks all kernels
_on = numba is not None and os.environ.get("NPNETS_KERNELS", "1") != "0"
_one_at_a_time = threading.Lock()  # a kernel uses every core, and not every pool can be shared


class use_kernels:  # named like the function that it reads as
    """Switch the kernels on or off, for good, or for the length of a `with` block.

    Raises RuntimeError where kernels are asked for and Numba cannot be imported.
    """

    def __init__(self, on=True):
        global _on
        if on and numba is None:
            raise RuntimeError("kernels need Numba: pip install numba")
        self.before, _on = _on, bool(on)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        global _on
        _on = self.before


def op(definition):
    """Make an operation of its NumPy definition."""

    @functools.wraps(definition)
    def operation(*args, **options):
        if operation.fast is None or not _on or not _of_kernel_dtypes(*args, *options.values()):
            return definition(*args, **options)
        with _one_at_a_time:
            return operation.fast(*args, **options)

    def kernel(fast):
        operation.fast = fast
        KERNELS[definition.__name__] = operation
        return fast

    operation.definition, operation.fast, operation.kernel = definition, None, kernel
    return operation


def _of_kernel_dtypes(*args):
    """Whether all arrays are float32 or float64."""
    arrays = [array for array in args if isinstance(array, np.ndarray)]
    return all(array.dtype in (np.float32, np.float64) for array in arrays)


def one_blas_thread():
    """Return a context in which matrix products run on one thread, and kernels on all.

    The threads of a matrix product keep spinning for a while when it is done, and so do those
    of a kernel: where both want every core, as in a training step, they take turns waiting for
    each other, and the step takes several times as long.
    """
    return ThreadpoolController().limit(limits=1, user_api="blas")


def jit(loops=None, *, parallel=True):
    """Compile `loops` with Numba, over all cores where it says prange, and keep it on disk.

    Sums may be reordered to vectorise them, always in the same way: `loops` shares out whole
    outputs among threads, so that the number of threads changes no bit of a result. What loops
    of the same file share is compiled with parallel=False.
    """
    if loops is None:
        return functools.partial(jit, parallel=parallel)
    if numba is None:
        return loops
    options = {"parallel": parallel, "nogil": True, "error_model": "numpy"}
    options["fastmath"] = {"contract", "nsz", "reassoc"}  # NaN and infinity keep their meaning
    try:
        return numba.njit(cache=True, **options)(loops)
    except RuntimeError:  # no folder for the cache is writable
        return numba.njit(**options)(loops)


def plain(dtype, *arrays):
    """Each array C-contiguous, of `dtype` and writable, copied where it is not: a kernel compiles
    anew for every layout, and for arrays that are read-only."""
    return [np.require(array, dtype, "CW") for array in arrays]
