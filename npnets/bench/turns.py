"""Who runs when: the peers take turns, so that whatever else the machine does hits all of them.

In each turn a peer runs a workload a few times, and no other does anything. Which one begins
changes from round to round.
"""

import time
from collections import Counter
from contextlib import ExitStack
from itertools import groupby

from npnets.bench import stats, worker
from npnets.bench.machine import peak_memory, physical_memory
from npnets.bench.peers import takes_part
from npnets.bench.process import Worker

TURN_SECONDS = 0.5
MIN_COUNT, MAX_COUNT, MIN_ROUNDS = 3, 100, 2
# Of the largest number, between two float32 computations of the same: in the first run, and in
# the second, where a training step has amplified the roundings of the first.
TOLERANCES = 2e-3, 2e-2
PREPARE_TIMEOUT = 900  # seconds; kernels may have to be compiled
TURN_TIMEOUT = 60  # and twenty times what a turn should take


def measure(workloads, names, threads, seconds, start=Worker):
    """Yield (workload, {peer: measurement}) for each workload, as it is done.

    `seconds` is how long to measure each network, and all the ops together. A measurement has
    the `seconds` of each counted run, and of the `first` one; the memory in bytes, as `baseline`,
    the peak before the first run, and `peak`; and `difference`, how far the peer's results are
    from those of npnets. `start` makes a worker.
    """
    shares = Counter(_network(workload) for workload in workloads)
    for _, members in groupby(workloads, key=_process):
        with ExitStack() as stack:
            at_work = None
            for workload in members:
                at_work = at_work or _start(names, workload, threads, start, stack)
                yield workload, _measure(workload, at_work, seconds / shares[_network(workload)])


def _network(workload):
    return "ops" if workload.kind == "op" else workload.model


def _process(workload):
    """Return the same for workloads that share processes: not for training, whose peak memory is
    of interest."""
    return workload.name if workload.kind == "step" else (_network(workload), workload.kind)


def limits(threads, start=Worker):
    """Return {threads: what the machine can do}, for one thread and for all."""
    found = {}
    for count in sorted({1, threads}):
        with start("npnets", count) as process:
            found[count] = process.ask("limits", PREPARE_TIMEOUT)
    return found


def _start(names, workload, threads, start, stack):
    """Start the peers that can take part; return {name: worker}."""
    names = [name for name in names if takes_part(name, workload)]
    return {name: stack.enter_context(start(name, threads)) for name in names}


def _measure(workload, workers, budget):
    """Prepare one after another, check that they agree, and let them take turns."""
    prepared = {
        name: process.ask("prepare", PREPARE_TIMEOUT, **worker.message(workload))
        for name, process in workers.items()
    }
    differences = check_agreement(workload, {name: r["results"] for name, r in prepared.items()})
    found = {
        name: {
            "seconds": [],
            "first": reply["seconds"][0],
            "estimate": reply["seconds"][1],
            "baseline": reply["baseline"],
            "difference": differences[name],
        }
        for name, reply in prepared.items()
    }
    order, end, rounds = list(workers), time.monotonic() + budget, 0
    while rounds < MIN_ROUNDS or time.monotonic() < end:
        for name in order:
            _turn(workers[name], found[name])
        if rounds == 0:
            _check_memory(workload, found)
        order, rounds = order[1:] + order[:1], rounds + 1
    return found


def _turn(process, measurement):
    """Let one peer run, as often as it can in TURN_SECONDS, and note what it says."""
    estimate = max(measurement["estimate"], 1e-6)
    count = min(MAX_COUNT, max(MIN_COUNT, round(TURN_SECONDS / estimate)))
    reply = process.ask("turn", TURN_TIMEOUT + 20 * count * estimate, count=count)
    measurement["seconds"] += reply["seconds"]
    measurement["peak"] = reply["peak"]
    measurement["estimate"] = stats.summarize(measurement["seconds"])["median"]


def check_agreement(workload, results):
    """Return {peer: how far its first two runs are from those of npnets}, relative.

    The second loss of a training step comes out of the gradients and the update of the first.
    Raises ValueError where a peer is further away than float32 explains.
    """
    differences = {}
    for name, theirs in results.items():
        runs = zip(results["npnets"], theirs, strict=True)
        apart = [stats.disagreement(a, b) for a, b in runs]
        for difference, tolerance in zip(apart, TOLERANCES, strict=True):
            if not difference <= tolerance:
                raise ValueError(
                    f"{workload.name}: {name} differs from npnets by {difference:.1e} of the "
                    f"largest number, more than {tolerance:.0e}: they do not compute the same"
                )
        differences[name] = max(apart)
    return differences


def _check_memory(workload, found):
    """Raise ValueError where all peers at once do not fit into the memory of the machine."""
    needed = sum(m["peak"] or 0 for m in found.values()) + (peak_memory() or 0)
    there = physical_memory()
    if there and needed > 0.95 * there:
        raise ValueError(
            f"{workload.name}: {len(found)} peers need {needed / 1e9:.1f} GB, and there are "
            f"{there / 1e9:.1f}: take a smaller --batch, or fewer peers --against"
        )
