"""How a definition and its kernel belong together. Short; read once.

An operation is written twice. Its *definition* is NumPy and says what it means. Where that is
slow, a *kernel* stands right under it: the same function again, its loops compiled by Numba, its
parts shared out among threads (`threads.py`), its result in memory that is reused (`memory.py`).

    @op
    def double(x):
        return 2 * x

    @double.kernel
    def double_kernel(x, *, out=None):
        y = into(out, x.shape, x.dtype, x)
        share(lambda first, last: _double(x, y, first, last), len(x), x.size)
        return y

`double(x)` then runs the kernel where it can, and the definition elsewhere: without Numba, for
a dtype that is not float32 or float64, and after `use_kernels(False)` or with NPNETS_KERNELS=0
in the environment. `double.definition` is always the NumPy function. `double(x, out=y)` writes
its result, of several the first, into y.
"""

import contextlib
import functools
import importlib.util
import os
import threading
import time
import warnings

import numpy as np

from npnets.ops.memory import into
from npnets.ops.threads import layer_by_layer

KERNELS = {}  # name of the operation -> the operation, for the test that walks all kernels


def _is_installed(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # somebody has said that there is none
        return False


def _warn_without_numba():
    warnings.warn("Numba cannot be imported: npnets runs on NumPy alone, slowly", stacklevel=3)


_KERNEL_DTYPES = frozenset({np.dtype(np.float32), np.dtype(np.float64)})
_compiler = threading.Lock()
has_numba = _is_installed("numba")  # to import it takes as long as all the rest: see `_compile`
_on = has_numba and os.environ.get("NPNETS_KERNELS", "1") != "0"
if not has_numba:  # a browser, or a Python newer than Numba
    _warn_without_numba()


class use_kernels:  # named like the function that it reads as
    """Switch the kernels on or off, for good, or for the length of a `with` block.

    Raises RuntimeError where kernels are asked for and Numba cannot be imported.
    """

    def __init__(self, on=True):
        global _on
        if on and not has_numba:
            raise RuntimeError("kernels need Numba: pip install numba")
        self.before, _on = _on, bool(on)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        global _on
        _on = self.before


def kernels_run(*arrays):
    """Return whether kernels are on and can take these arrays: all float32 or float64."""
    return _on and all(array.dtype in _KERNEL_DTYPES for array in arrays)


class _Watch(threading.local):
    callback = None


_watch = _Watch()


@contextlib.contextmanager
def watch(callback):
    """Within the block, call callback(name, arguments, result, seconds) after each operation.

    arguments is a dict by parameter name, of what was given. An operation that runs as a part of
    another is not told of, nor one that another thread calls, nor one of the callback itself. Of
    two blocks, the inner one watches. A folded network goes layer by layer here, on this thread.
    """
    before, _watch.callback = _watch.callback, callback
    try:
        with layer_by_layer():
            yield
    finally:
        _watch.callback = before


def _watched(definition, run, args, out, options):
    callback, _watch.callback = _watch.callback, None
    try:
        start = time.perf_counter()
        result = run(*args, out=out, **options)
        seconds = time.perf_counter() - start
        arguments = dict(zip(definition.__code__.co_varnames, args, strict=False)) | options
        callback(definition.__name__, arguments, result, seconds)
    finally:
        _watch.callback = callback
    return result


def op(definition):
    """Make an operation of its NumPy definition."""

    @functools.wraps(definition)
    def operation(*args, out=None, **options):
        if _watch.callback is not None:
            return _watched(definition, operation, args, out, options)
        arrays = [a for a in (*args, *options.values()) if isinstance(a, np.ndarray)]
        if operation.fast is not None and kernels_run(*arrays):
            try:
                return operation.fast(*args, out=out, **options)
            except _NoNumba:
                pass
        return _written(definition(*args, **options), out, arrays)

    def kernel(fast):
        operation.fast = fast
        KERNELS[definition.__name__] = operation
        return fast

    operation.definition, operation.fast, operation.kernel = definition, None, kernel
    return operation


def _written(result, out, arrays):
    """Copy the result of a definition, or the first of several, into `out`, if there is one."""
    if out is None:
        return result
    first, *others = result if isinstance(result, tuple) else (result,)
    into(out, first.shape, first.dtype, *arrays)[...] = first
    return (out, *others) if others else out


class _NoNumba(ImportError):
    """Numba is there, and cannot be imported: it does not know this NumPy or this Python."""


def jit(loops):
    """Compile `loops` with Numba, when they are first called, and keep the result on disk.

    Sums may be reordered to vectorise them, always in the same way. Loops that call each other
    live in one file and are all compiled together, as Numba's cache sees changes of one file.
    """

    @functools.wraps(loops)
    def first_call(*args):
        _compile(loops.__globals__)
        return loops.__globals__[loops.__name__](*args)

    first_call.loops = loops
    return first_call


def _compile(names):
    """Put Numba's function in the place of every `first_call` among the names of a file."""
    global _on, has_numba
    with _compiler:
        try:
            from numba import njit
        except ImportError as error:
            _on = has_numba = False
            _warn_without_numba()
            raise _NoNumba(str(error)) from error
        # NaN and infinity keep their meaning, so that not all of fastmath is wanted
        options = {"nogil": True, "error_model": "numpy"}
        options["fastmath"] = {"contract", "nsz", "reassoc"}
        for name, value in list(names.items()):
            if loops := getattr(value, "loops", None):
                names[name] = _cached(njit(**options)(loops))


def _cached(function):
    """Keep what Numba compiles on disk where a folder for it is writable, and mend the cache."""
    try:
        function.enable_caching()
    except (RuntimeError, AttributeError):  # nowhere to write, or JIT is switched off
        return function
    cache = function._cache
    load = cache.load_overload

    def load_or_forget(*args):
        try:
            return load(*args)
        except Exception:  # half a file, or one of another Numba: compile again, and write anew
            with contextlib.suppress(OSError):
                cache.flush()
            return None

    cache.load_overload = load_or_forget
    return function


def plain(dtype, *arrays):
    """Each array C-contiguous, of `dtype` and writable, copied where it is not: a kernel compiles
    anew for every layout, and for arrays that are read-only."""
    return [
        array if array.flags.carray and array.dtype == dtype else np.require(array, dtype, "CW")
        for array in arrays
    ]
