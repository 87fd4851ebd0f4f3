"""Which of these is faster? Candidates in one process that take turns; ratios within a round.

    found = compare({"full": f, "separable": g}, seconds=2)
    print(found)
    found.ratio("separable", "full")  # Ratio(median=0.14, q1=0.13, q3=0.15, count=300)

Whatever else the machine does comes and goes within seconds. A round has a turn of every
candidate, so that all meet the same disturbance, and a ratio is taken within each round. To time
the operation and not the memory it asks for, a candidate writes into arrays that were made
before: lambda: ops.relu(x, out=y).
"""

import gc
import math
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import repeat

import numpy as np
from threadpoolctl import threadpool_info

from npnets.bench import machine, stats
from npnets.bench.report import table
from npnets.ops import thread_count, use_threads
from npnets.ops.threads import one_blas_thread

TURN = 1e-3  # seconds that a turn should last at least, thousands of ticks of any clock
MOST_CALLS = 1 << 20  # in a turn, however fast
FEWEST_ROUNDS = 5  # with fewer, quartiles mean little


@dataclass(frozen=True)
class Times:
    """What a candidate took: `seconds` per call, one number for each round, each the mean of
    `calls` calls; and its `first` call, which compiles kernels and touches memory, apart."""

    seconds: tuple[float, ...]
    calls: int
    first: float

    @property
    def summary(self):
        """{count, median, q1, q3, min} of the rounds, in seconds."""
        return stats.summarize(self.seconds)

    @property
    def median(self):
        """The median of the rounds, in seconds per call."""
        return self.summary["median"]


@dataclass(frozen=True)
class Ratio:
    """The median of the ratios of all rounds, and the quartiles: half of them lie between."""

    median: float
    q1: float
    q3: float
    count: int

    def scaled(self, factor):
        """Return this ratio times a number, such as that of the multiply-adds of the two."""
        return Ratio(factor * self.median, factor * self.q1, factor * self.q3, self.count)

    def __str__(self):
        return f"{self.median:.2f} ({self.q1:.2f} – {self.q3:.2f})"


@dataclass(frozen=True)
class Comparison:
    """The times of all candidates by name, and the machine; prints as a table.

    In the table, ÷ is the time of a candidate over that of the first one.
    """

    times: dict[str, Times]
    machine: dict

    def ratio(self, name, over=None):
        """Return how long `name` takes, as a multiple of `over` or of the first candidate.

        Raises ValueError for a name that was not measured.
        """
        above, below = (self._seconds(each) for each in (name, over or next(iter(self.times))))
        summary = stats.summarize(np.divide(above, below))
        return Ratio(**{key: summary[key] for key in ("median", "q1", "q3", "count")})

    def _seconds(self, name):
        if name not in self.times:
            raise ValueError(f"no candidate {name!r}; measured were: {', '.join(self.times)}")
        return self.times[name].seconds

    def record(self):
        """Return all of it as numbers, strings, lists and dicts, for JSON."""
        candidates = {
            name: {**asdict(times), **times.summary, "ratio": asdict(self.ratio(name))}
            for name, times in self.times.items()
        }
        return {"candidates": candidates, "machine": self.machine}

    def __str__(self):
        rows = [(name, times, times.summary) for name, times in self.times.items()]
        columns = {
            "candidate": [name for name, _, _ in rows],
            "median": [duration(s["median"]) for _, _, s in rows],
            "quartiles": [f"{duration(s['q1'])} – {duration(s['q3'])}" for _, _, s in rows],
            "min": [duration(s["min"]) for _, _, s in rows],
            "÷": [str(self.ratio(name)) for name, _, _ in rows],
            "rounds × calls": [f"{s['count']} × {times.calls}" for _, times, s in rows],
            "first call": [duration(times.first) for _, times, _ in rows],
        }
        return "\n".join([*table(columns), machine_line(self.machine)])


def machine_line(about):
    """Return the processor, the threads of npnets and of BLAS, and the versions, on a line."""
    packages = [f"{name} {about['packages'][name]}" for name in ("numpy", "numba")]
    counts = about["threads"], about["blas threads"]
    threads = "1 thread" if counts == (1, 1) else "{} threads (BLAS alone: {})".format(*counts)
    return f"{about['cpu']}, {threads}; Python {about['python']}, {', '.join(packages)}"


def duration(seconds):
    """Return a time to three digits: 0.12 µs, 12.3 µs, 1.23 ms, 1234 ms."""
    if seconds < 9.995e-4:
        return f"{_three_digits(1e6 * seconds)} µs"
    return f"{_three_digits(1e3 * seconds)} ms"


def _three_digits(value):
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"


def compare(candidates, seconds=1.0, rounds=None, rng=0, clock=time.perf_counter):
    """Time `candidates`, {name: function without arguments}, and return a Comparison.

    Each is called once, then called until it is warm and it is known how many calls make a turn;
    then follow rounds for `seconds`, at least 5, or exactly `rounds` of them. Each round goes
    through all candidates in an order drawn anew from rng, without the garbage collector; a turn
    begins with a call that is not timed. `clock` returns seconds. Raises ValueError where there
    is nothing to time, or no time for it.
    """
    if not candidates:
        raise ValueError("candidates must be {name: function}, with at least one")
    if not 0 < seconds < math.inf:
        raise ValueError(f"seconds must be above 0, and finite, got {seconds!r}")
    if rounds is not None and rounds < 1:
        raise ValueError(f"rounds must be at least 1, got {rounds!r}")
    first = {name: _turn(run, 1, clock) for name, run in candidates.items()}
    with without_collector():
        calls = {name: _warm_up(run, clock) for name, run in candidates.items()}
        measured = _rounds(candidates, calls, (seconds, rounds), np.random.default_rng(rng), clock)
    times = {name: Times(tuple(measured[name]), calls[name], first[name]) for name in candidates}
    return Comparison(times, describe())


@contextmanager
def one_thread():
    """Compute on one thread within the block, npnets and NumPy's matrix products alike."""
    with use_threads(1), one_blas_thread:
        yield


def describe():
    """Return the machine as npnets.bench.machine does, with the threads that would run now.

    Of several BLAS libraries, that counts which NumPy brings along: SciPy has one of its own.
    """
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    pools = [pool for pool in pools if "numpy" in pool["filepath"]] or pools
    threads = max((pool["num_threads"] for pool in pools), default=1)
    return machine.describe(thread_count()) | {"blas threads": threads}


def _turn(run, calls, clock):
    """Return the seconds that a call takes, the mean of so many."""
    start = clock()
    for _ in repeat(None, calls):
        run()
    return (clock() - start) / calls


def _warm_up(run, clock):
    """Double the calls until they last a turn; return how many that are."""
    calls = 1
    while _turn(run, calls, clock) * calls < TURN and calls < MOST_CALLS:
        calls *= 2
    return calls


def _rounds(candidates, calls, length, rng, clock):
    """Return {name: [seconds per call of each round]}; length is (seconds, rounds or None)."""
    (seconds, rounds), names = length, list(candidates)
    measured = {name: [] for name in names}
    done, end = 0, clock() + seconds
    while done < (rounds or FEWEST_ROUNDS) or (rounds is None and clock() < end):
        for k in rng.permutation(len(names)):
            name = names[k]
            candidates[name]()  # the caches hold what the one before it worked on
            measured[name].append(_turn(candidates[name], calls[name], clock))
        done += 1
    return measured


@contextmanager
def without_collector():
    """Collect now, and not within the block."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
