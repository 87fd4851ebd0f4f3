"""Who computes: one rule for all threads.

An operation is cut into parts, of images or of channels, and `share` deals them out to a few
Python threads. That is enough: NumPy's matrix products and our kernels let go of the interpreter
while they run. Each part runs on the one thread that took it, matrix products too, so that no
two pools of threads ever want the same core; a part is the same whoever takes it, so that the
number of threads changes no bit of a result. Any thread may call, and several at once.

The number of threads is that of the cores this process may use, unless NPNETS_THREADS or
OMP_NUM_THREADS says otherwise, or `use_threads(n)`.
"""

import contextlib
import itertools
import os
import queue
import threading
from functools import cache

import numpy as np

from npnets.ops import check

SMALL = 400_000  # numbers to touch: with fewer, waking a thread takes longer than it saves
IMAGES = 8  # that a folded network takes at a time: see by_images


def _cores():
    """Return how many threads the environment asks for, or how many cores there are."""
    for name in ("NPNETS_THREADS", "OMP_NUM_THREADS"):
        if os.environ.get(name, "").isdecimal():
            return max(1, int(os.environ[name]))
    if hasattr(os, "sched_getaffinity"):  # what a container or `taskset` leaves us
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class use_threads:  # named like the function that it reads as
    """Compute on n threads, for good, or for the length of a `with` block."""

    def __init__(self, n):
        global _threads
        check.at_least(1, threads=n)
        self.before, _threads = _threads, int(n)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        global _threads
        _threads = self.before


_threads = _cores()
_calls = queue.SimpleQueue()  # what helpers wait for: jobs with parts to take
_helpers = []
_hiring = threading.Lock()


class _Here(threading.local):
    """What each thread knows of itself: is it at work on a part, does it go layer by layer?"""

    in_a_part = layer_by_layer = False


_here = _Here()


def thread_count():
    """Return on how many threads operations run."""
    return _threads


def share(work, count, size):
    """Call work(first, last) for ranges that together are 0 … count − 1, on all threads.

    size says about how many numbers there are to touch in all. What work raises is raised here.
    Within a part, what is shared again is the work of the same thread.
    """
    with one_blas_thread:
        if _threads == 1 or count < 2 or size < SMALL or _here.in_a_part:
            if count:
                work(0, count)
            return
        job = _Job(work, count, parts=min(count, 4 * _threads))
        _call_helpers(job, min(_threads, count) - 1)
        job.run()
        job.done.acquire()
        job.work = None  # a helper who comes late finds the job, and must not keep its arrays
    if job.error is not None:
        raise job.error


def by_images(forward, x):
    """Return forward(x), (N, …), computed a few images at a time: at inference none looks at
    another, so that a thread can take its images through all layers before it looks up.

    To share each operation out instead has threads meet a hundred times for one network. With
    fewer images at a time they want the interpreter at once, and wait for it: 32 of them through
    MobileNet v2 take 458 ms layer by layer, 344 by 8, 394 by 4, and 565 one by one.
    """
    parts = [x[n : n + IMAGES] for n in range(0, len(x), IMAGES)]
    if len(parts) < 2 or _here.layer_by_layer:
        with one_blas_thread:  # once, not for each operation: 15 µs
            return forward(x)
    results = [None] * len(parts)

    def work(first, last):
        for k in range(first, last):
            results[k] = forward(parts[k])

    share(work, len(parts), size=SMALL)
    return np.concatenate(results)


@contextlib.contextmanager
def layer_by_layer():
    """Within the block `by_images` takes all images of this thread at once, so that whoever
    watches the operations sees each once."""
    before, _here.layer_by_layer = _here.layer_by_layer, True
    try:
        yield
    finally:
        _here.layer_by_layer = before


def goes_layer_by_layer():
    """Return whether this thread is within a block of `layer_by_layer`."""
    return _here.layer_by_layer


class _Job:
    """Work to share: its parts are taken one by one, and the last to finish says so."""

    def __init__(self, work, count, parts):
        bounds = [count * part // parts for part in range(parts + 1)]
        self.work, self.error = work, None
        self.waiting = list(itertools.pairwise(bounds))
        self.left, self.lock, self.done = parts, threading.Lock(), threading.Semaphore(0)

    def run(self):
        while True:
            try:
                first, last = self.waiting.pop()  # of two threads, each gets another one
            except IndexError:
                return
            _here.in_a_part = True
            try:
                if self.error is None:
                    self.work(first, last)
            except BaseException as error:  # it belongs to whoever called share
                self.error = error
            finally:
                _here.in_a_part = False
            with self.lock:
                self.left -= 1
                if self.left == 0:
                    self.done.release()


def _call_helpers(job, wanted):
    """Ask `wanted` helpers to join; they live as long as the process, and wait asleep."""
    with _hiring:
        while len(_helpers) < wanted:
            helper = threading.Thread(target=_help, daemon=True, name="npnets")
            helper.start()
            _helpers.append(helper)
    for _ in range(wanted):
        _calls.put(job)


def _help():
    while True:
        _calls.get().run()


class _OneBlasThread:
    """A context in which matrix products run on the thread that asks for them.

    BLAS has one number of threads for the whole process: the first who comes in notes it down,
    and the last who leaves puts it back.
    """

    def __init__(self):
        self.inside, self.lock, self.before = 0, threading.Lock(), []

    def __enter__(self):
        with self.lock:
            if self.inside == 0:
                self.before = [(library, library.num_threads) for library in _blas()]
                for library, _ in self.before:
                    _set_threads(library, 1)
            self.inside += 1

    def __exit__(self, *_):
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                for library, threads in self.before:
                    _set_threads(library, threads)


def _set_threads(library, threads):
    """Set the number of threads of a BLAS, whichever thread asks.

    Since version 3.8 threadpoolctl hears only the thread that set the number first, so that two
    do not undo each other's. Here a lock and a count see to that, and the last who leaves may be
    another than the first who came: so each makes itself heard, and nobody stays in control.
    """
    release = getattr(library, "clear_controlling_thread", lambda force: None)
    release(force=True)
    library.set_num_threads(threads)
    release(force=True)


@cache
def _blas():
    """Return the handles of the BLAS libraries that NumPy uses."""
    from threadpoolctl import ThreadpoolController  # it sets environment variables

    return ThreadpoolController().select(user_api="blas").lib_controllers


def _after_fork():
    """A forked process has none of its parent's threads: start anew."""
    global _calls, _hiring, one_blas_thread
    _calls, _hiring, one_blas_thread = queue.SimpleQueue(), threading.Lock(), _OneBlasThread()
    _helpers.clear()


one_blas_thread = _OneBlasThread()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
