"""The process that one peer lives in: python -m npnets.bench.worker PEER THREADS

It reads one JSON object a line and answers each with one. Whatever fails ends the process, and
its traceback is what the parent shows.
"""

import dataclasses
import json
import os
import sys
import time
from importlib import import_module

from npnets.bench import machine, stats, workloads
from npnets.bench.peers import peer_of

BUILDERS = {"npnets": "ours", "torch": "theirs", "onnxruntime": "onnx_peer"}
UNCOUNTED_SECONDS = 0.02  # how long to run, at least, before times count


class Bench:
    """One peer, and the workload that it has at hand."""

    def __init__(self, name, threads):
        self.peer, self.threads, self.run = peer_of(name), threads, None

    def prepare(self, kind, fields):
        """Build a workload and run it twice. Return what that took and what came out."""
        self.run = None  # gives its memory back first
        workload = getattr(workloads, kind)(**fields)
        builder = import_module(f"npnets.bench.{BUILDERS[self.peer.library]}")
        self.run = builder.build(workload, self.peer, self.threads)
        reply = {"baseline": machine.peak_memory(), "seconds": [], "results": []}
        for _ in range(2):
            start = time.perf_counter()
            results = self.run()
            reply["seconds"].append(time.perf_counter() - start)
            reply["results"].append([stats.sample(array) for array in results])
        return reply

    def turn(self, count):
        """Run the workload; return the seconds of the last `count` runs, and the peak memory.

        The runs before those wake this process's threads, and let those of the others fall asleep.
        """
        start = time.perf_counter()
        self.run()
        while time.perf_counter() - start < UNCOUNTED_SECONDS:
            self.run()
        seconds = [self._timed() for _ in range(count)]
        return {"seconds": seconds, "peak": machine.peak_memory()}

    def limits(self):
        """Return what this machine can do at most with so many threads."""
        return machine.limits(self.threads)

    def _timed(self):
        start = time.perf_counter()
        results = self.run()
        end = time.perf_counter()
        del results  # alive until here, as with a user who looks at them
        return end - start


def message(workload):
    """Return what `prepare` must be told of a workload."""
    return {"kind": type(workload).__name__, "fields": dataclasses.asdict(workload)}


def _take_stdout():
    """Return the way back to the parent; what libraries print goes to stderr from now on."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return replies


def main():
    replies, bench = _take_stdout(), Bench(sys.argv[1], int(sys.argv[2]))
    for line in sys.stdin:
        request = json.loads(line)
        reply = getattr(bench, request.pop("do"))(**request)
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
