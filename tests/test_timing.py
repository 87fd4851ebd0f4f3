"""Comparisons by a clock that the test turns: what is timed, in which order, and what it says."""

import gc
import json

import numpy as np
import pytest

from npnets.bench import timing
from npnets.bench.timing import Comparison, Ratio, Times, compare


class Bench:
    """A clock, and candidates that turn it forward: by the next of their costs, or the last."""

    def __init__(self):
        self.now, self.log = 100.0, []

    def clock(self):
        return self.now

    def candidate(self, name, *costs):
        waiting = list(costs)

        def run():
            self.log.append(name)
            self.now += waiting.pop(0) if len(waiting) > 1 else waiting[0]

        return run


@pytest.fixture
def bench():
    return Bench()


def comparison(**seconds):
    """The outcome of rounds that took these seconds."""
    times = {name: Times(tuple(values), 1, 9.0) for name, values in seconds.items()}
    return Comparison(times, timing.describe())


def test_the_first_call_and_the_warm_up_are_not_among_the_rounds(bench):
    run = bench.candidate("a", 7.0, 2.0, 0.5)  # compiling, warm-up, and what it takes
    times = compare({"a": run}, rounds=6, clock=bench.clock).times["a"]
    assert times.first == 7
    assert times.seconds == (0.5,) * 6
    assert times.summary == {"count": 6, "median": 0.5, "q1": 0.5, "q3": 0.5, "min": 0.5}


def test_the_first_call_of_a_turn_is_not_timed(bench):
    cold = [5.0, 0.5] * 4  # the others have filled the caches
    run = bench.candidate("a", 7.0, 1.0, *cold)
    assert compare({"a": run}, rounds=4, clock=bench.clock).times["a"].seconds == (0.5,) * 4


def test_a_short_call_is_repeated_until_a_turn_is_long_against_the_clock(bench):
    candidates = {"short": bench.candidate("short", 2**-14), "long": bench.candidate("long", 1.0)}
    found = compare(candidates, rounds=3, clock=bench.clock)
    calls = {name: times.calls for name, times in found.times.items()}
    assert calls == {"short": 32, "long": 1}  # 32 · 61 µs are the first to reach 1 ms
    assert found.times["short"].median == 2**-14
    assert bench.log.count("short") == 1 + (1 + 2 + 4 + 8 + 16 + 32) + 3 * (1 + 32)


def test_a_clock_that_stands_still_does_not_hang_it(bench, monkeypatch):
    monkeypatch.setattr(timing, "MOST_CALLS", 8)
    found = compare({"a": bench.candidate("a", 0.0)}, rounds=2, clock=bench.clock)
    assert found.times["a"].calls == 8


def test_rounds_go_through_all_in_changing_orders_that_the_seed_fixes(bench):
    orders = {}
    for seed in (0, 0, 1):
        bench.log.clear()
        names = "abc"
        candidates = {name: bench.candidate(name, 1.0) for name in names}
        compare(candidates, rounds=60, rng=seed, clock=bench.clock)
        turns = bench.log[-3 * 60 * 2 :: 2]  # each has a call that is timed, and one before it
        assert turns == bench.log[-3 * 60 * 2 + 1 :: 2]
        rounds = ["".join(turns[k : k + 3]) for k in range(0, len(turns), 3)]
        assert {"".join(sorted(each)) for each in rounds} == {names}
        assert len(set(rounds)) == 6, "all orders of three occur in 60 rounds"
        orders.setdefault(seed, rounds)
        assert orders[seed] == rounds
    assert orders[0] != orders[1]


def test_rounds_fill_the_seconds_and_are_never_less_than_five(bench):
    candidates = {"a": bench.candidate("a", 0.25), "b": bench.candidate("b", 0.75)}
    assert len(compare(candidates, seconds=12, clock=bench.clock).times["a"].seconds) == 6
    assert len(compare(candidates, seconds=1e-3, clock=bench.clock).times["a"].seconds) == 5
    one = compare(candidates, seconds=1e3, rounds=1, clock=bench.clock)
    assert len(one.times["b"].seconds) == 1


def test_a_ratio_is_taken_within_each_round():
    found = comparison(a=[1, 1, 1, 10, 10], b=[2, 2, 2, 20, 30])  # two rounds were disturbed
    assert found.ratio("b") == found.ratio("b", "a") == Ratio(2.0, 2.0, 2.0, 5)
    assert found.ratio("a", "b").median == 0.5
    spread = comparison(a=[1, 1, 1, 1, 1], b=[5, 1, 4, 2, 3]).ratio("b")
    assert spread == Ratio(3.0, 2.0, 4.0, 5)
    assert str(spread) == "3.00 (2.00 – 4.00)"
    assert spread.scaled(0.5) == Ratio(1.5, 1.0, 2.0, 5)
    # the ratio of the medians is another number
    assert comparison(a=[1, 2, 9], b=[9, 4, 1]).ratio("b").median == 2
    assert comparison(a=[1, 2, 3], b=[6, 2, 1]).ratio("b").median == 1
    with pytest.raises(ValueError, match="no candidate 'c'; measured were: a, b"):
        found.ratio("c")


def test_the_garbage_collector_rests_during_rounds_and_comes_back(bench):
    states = []

    def run():
        states.append(gc.isenabled())
        bench.now += 1

    assert gc.isenabled()
    compare({"a": run}, rounds=2, clock=bench.clock)
    assert gc.isenabled()
    assert states == [True, *[False] * 5]  # the first call, the warm-up, the rounds

    def fail():
        if len(states) > 8:
            raise ArithmeticError("in a round")
        run()

    with pytest.raises(ArithmeticError, match="in a round"):
        compare({"a": fail}, rounds=50, clock=bench.clock)
    assert gc.isenabled()


def test_the_record_is_json_and_says_what_and_where(bench):
    candidates = {"a": bench.candidate("a", 0.5), "b": bench.candidate("b", 1.5)}
    record = compare(candidates, rounds=4, clock=bench.clock).record()
    assert json.loads(json.dumps(record))["candidates"].keys() == {"a", "b"}
    b = record["candidates"]["b"]
    assert b["ratio"] == {"median": 3.0, "q1": 3.0, "q3": 3.0, "count": 4}
    assert (b["median"], b["min"], b["first"], b["calls"]) == (1.5, 1.5, 1.5, 1)
    assert b["seconds"] == (1.5,) * 4
    assert record["machine"]["packages"]["numpy"] == np.__version__
    assert record["machine"]["threads"] >= 1
    assert record["machine"]["blas threads"] >= 1


def test_it_prints_as_a_table(bench):
    candidates = {"full": bench.candidate("full", 2.0, 0.02), "other": bench.candidate("o", 0.005)}
    found = compare(candidates, rounds=5, clock=bench.clock)
    heads, rule, full, other, about = str(found).splitlines()
    assert set(rule) == {"─"}
    assert heads.split()[:3] == ["candidate", "median", "quartiles"]
    assert full.split()[:3] == ["full", "20.0", "ms"]
    assert full.endswith("2000 ms")
    assert "0.25 (0.25 – 0.25)" in other
    assert "5 × 1" in other
    assert f"numpy {np.__version__}" in about
    many = found.machine | {"threads": 3, "blas threads": 2}
    assert "3 threads (BLAS alone: 2)" in timing.machine_line(many)
    with timing.one_thread():
        assert ", 1 thread; Python" in timing.machine_line(timing.describe())
    assert timing.describe() == found.machine


def test_durations_have_three_digits():
    seconds = 4e-8, 1.23e-5, 0.000_999_4, 0.000_999_6, 0.01234, 0.09996, 1.2
    shown = "0.04 µs", "12.3 µs", "999 µs", "1.00 ms", "12.3 ms", "100 ms", "1200 ms"
    assert tuple(map(timing.duration, seconds)) == shown


@pytest.mark.parametrize(
    ("candidates", "options", "message"),
    [
        ({}, {}, "candidates must be .*, with at least one"),
        ({"a": int}, {"seconds": 0}, "seconds must be above 0, and finite, got 0"),
        ({"a": int}, {"seconds": float("nan")}, "seconds must be above 0, and finite, got nan"),
        ({"a": int}, {"seconds": float("inf")}, "seconds must be above 0, and finite, got inf"),
        ({"a": int}, {"rounds": 0}, "rounds must be at least 1, got 0"),
    ],
)
def test_nothing_to_time_or_no_time_is_refused(candidates, options, message):
    with pytest.raises(ValueError, match=message):
        compare(candidates, **options)


def test_the_real_clock_moves():
    found = compare({"sum": lambda: sum(range(100))}, rounds=2)
    assert all(seconds > 0 for seconds in found.times["sum"].seconds)
