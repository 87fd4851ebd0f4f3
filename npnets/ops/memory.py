"""Where results live: memory that is used again.

A training step makes the same large arrays as the step before. Fresh ones are slow: the system
hands out their pages one by one and fills each with zeros, which can take longer than the
operation itself. So every kernel asks here for its result:

    y = empty(shape, dtype)

and gets a piece of memory that no array uses any more, where there is one of that size. Whether
an array is still used is known to Python: all views of one block of memory hold a reference to
it, wherever they are. So an array that anybody keeps is never overwritten; it is only when the
last view is gone that its block serves again. `reuse_memory(False)` or NPNETS_REUSE_MEMORY=0 has
every result in fresh memory.
"""

import itertools
import math
import os
import sys
import threading

import numpy as np

SMALL = 1 << 16  # bytes; less comes from the allocator fast enough
ALIGNMENT = 64  # bytes: a cache line, and the widest vector a core knows
SPARE = 1.5  # how much may be held, as a multiple of the most that was ever in use at once: with
# 1.25 each step of ShuffleNet v1 drops 32 MB of 280 and makes them anew, with 1.5 nothing

ALWAYS = 32 << 20  # bytes that may be held in any case: a single image passes through arrays of
# many sizes, each in use for a moment; in ShuffleNet v2 thirteen were made anew for every image

# Counting references needs CPython, and threads that take turns.
_counts = hasattr(sys, "getrefcount") and getattr(sys, "_is_gil_enabled", lambda: True)()
_on = _counts and os.environ.get("NPNETS_REUSE_MEMORY", "1") != "0"
_blocks = {}  # size in bytes -> blocks of that size
_lock = threading.Lock()
_draws = itertools.count()
_most = 0  # bytes in use at once, so far


class _Block:
    def __init__(self, size):
        self.memory, self.drawn = np.empty(size + ALIGNMENT, np.uint8), 0
        self.start = -self.memory.ctypes.data % ALIGNMENT

    def references(self):
        """Return how many there are to the memory: ours, and one for every view of it."""
        return sys.getrefcount(self.memory)


class reuse_memory:  # named like the function that it reads as
    """Switch the reuse on or off, for good, or for the length of a `with` block."""

    def __init__(self, on=True):
        global _on
        self.before, _on = _on, bool(on) and _counts
        if not on:
            release_memory()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        global _on
        _on = self.before


def empty(shape, dtype):
    """Return an array whose numbers are whatever was there before."""
    shape = (shape,) if isinstance(shape, int) else shape
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if not _on or size < SMALL:
        return np.empty(shape, dtype)
    with _lock:
        block = _unused(_rounded(size))
        block.drawn = next(_draws)
        return block.memory[block.start : block.start + size].view(dtype).reshape(shape)


def _rounded(size):
    """Round up by at most an eighth, so that sizes that are nearly equal share their blocks."""
    step = 1 << max(0, size.bit_length() - 4)
    return -(-size // step) * step


def _unused(size):
    """Return a block that no array uses, an old one or a new one."""
    alike = _blocks.setdefault(size, [])
    for block in alike:
        if block.references() == _UNUSED:
            return block
    _trim(size)
    alike.append(_Block(size))
    return alike[-1]


def _trim(more):
    """Give back what was unused the longest, where `more` bytes would be too much to hold."""
    global _most
    unused = [block for block in _all_blocks() if block.references() == _UNUSED]
    waiting = sum(block.memory.nbytes for block in unused)
    used = more + sum(block.memory.nbytes for block in _all_blocks()) - waiting
    _most = max(_most, used)
    for block in sorted(unused, key=lambda block: block.drawn):
        if used + waiting <= max(SPARE * _most, ALWAYS):
            break
        waiting -= block.memory.nbytes
        _blocks[block.memory.nbytes - ALIGNMENT].remove(block)


def _all_blocks():
    return [block for alike in _blocks.values() for block in alike]


def zeros(shape, dtype):
    """Return an array of zeros."""
    array = empty(shape, dtype)
    array.fill(0)
    return array


def into(out, shape, dtype, *inputs):
    """Return `out`, or where it is None a new array; ValueError where out is not fit for it."""
    if out is None:
        return empty(shape, dtype)
    if not isinstance(out, np.ndarray) or out.shape != tuple(shape) or out.dtype != dtype:
        came = f"{out.shape}, {out.dtype}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ValueError(f"out must be an array of shape {tuple(shape)}, {dtype}, got {came}")
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise ValueError("out must be C-contiguous and writable")
    if any(np.may_share_memory(out, array) for array in inputs):
        raise ValueError("out must not share memory with what the operation reads")
    return out


def release_memory():
    """Give all memory that waits to be used again back to the system."""
    with _lock:
        for alike in _blocks.values():
            alike[:] = [block for block in alike if block.references() != _UNUSED]


def memory_held():
    """Return how many bytes arrays use, and how many wait to be used again."""
    with _lock:
        sizes = [(b.memory.nbytes, b.references() == _UNUSED) for b in _all_blocks()]
    waiting = sum(size for size, unused in sizes if unused)
    return sum(size for size, _ in sizes) - waiting, waiting


_UNUSED = _Block(1).references() if _counts else 0


def _after_fork():
    """A forked process has no thread that could open a lock that was closed."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
