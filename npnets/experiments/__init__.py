"""What the four papers claim about cost, measured again on the reader's machine.

Each experiment is a module of this folder: its docstring says the claim, the paper, how it is
tested here and what a CPU may change; `run(seconds, rng)` returns a `result.Result`, with tables
that have the paper's numbers beside those found. `npnets experiment` is in `command`.
"""

import difflib
import importlib

NAMES = (
    "separable", "g1", "g2", "g3", "g4", "shares", "units", "variants",  # measured
    "relu", "groups", "reuse",  # counted and computed
)  # fmt: skip


def load(name):
    """Return the module of an experiment; ValueError with the nearest name for an unknown one."""
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0)
        raise ValueError(
            f"unknown experiment {name!r}; did you mean {near[0]!r}? There are: {', '.join(NAMES)}"
        )
    return importlib.import_module(f"npnets.experiments.{name}")


def headline(name):
    """Return the first line of an experiment's docstring: what it asks."""
    return load(name).__doc__.partition("\n")[0]
