"""Who is timed: npnets, and PyTorch and ONNX Runtime in the forms that a user may run."""

import difflib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path

from npnets.bench.machine import tunable_malloc
from npnets.extras import require

TUNED = "-tuned"

# glibc gives large arrays back to the system and asks for them anew, page by page; PyTorch spends
# up to half of a training step on that. With these, memory that is free is kept and used again.
MALLOC = {
    "MALLOC_MMAP_THRESHOLD_": str(2**32),
    "MALLOC_TRIM_THRESHOLD_": str(2**34),
    "MALLOC_TOP_PAD_": str(2**26),
}

THREADS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS", "NPNETS_THREADS",
)  # fmt: skip


@dataclass(frozen=True)
class Peer:
    """One way to run a network: a library, its layout, and whether batch norm is folded away."""

    library: str
    channels_last: bool = False
    folded: bool = False


PEERS = {
    "npnets": Peer("npnets"),
    "npnets-folded": Peer("npnets", folded=True),
    "torch": Peer("torch"),
    "torch-channels-last": Peer("torch", channels_last=True),
    "torch-folded": Peer("torch", channels_last=True, folded=True),
    "onnxruntime": Peer("onnxruntime", folded=True),
}
AGAINST = "torch,torch-channels-last,torch-folded,onnxruntime"
NEEDS = {"npnets": (), "torch": ("torch",), "onnxruntime": ("onnx", "onnxruntime")}


def peer_of(name):
    """Return the Peer of a name, with or without -tuned."""
    return PEERS[name.removesuffix(TUNED)]


def select(against):
    """Return the names to time: those of npnets, then those of a list such as "torch,…".

    Where malloc can be tuned, each layout of PyTorch is timed as it is and tuned. "none" is
    npnets alone. Raises ValueError for an unknown name, ImportError where a package is missing.
    """
    names = ["npnets", "npnets-folded"]
    for wanted in [] if against == "none" else against.split(","):
        names += [name for name in _variants(wanted.strip()) if name not in names]
    for name in names:
        for module in NEEDS[peer_of(name).library]:
            if importlib.util.find_spec(module) is None:
                require(module, "bench")
    return names


def _variants(name):
    """torch -> torch, torch-tuned; what is said to be tuned, or has no other form -> itself."""
    known = [*PEERS, *(peer + TUNED for peer in PEERS if peer.startswith("torch"))]
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0)
        raise ValueError(f"unknown peer {name!r}; did you mean {near[0]!r}? Known: {AGAINST}")
    if name.endswith(TUNED) and not tunable_malloc():
        raise ValueError(f"{name} needs glibc, whose malloc can be tuned; use {name[:-6]}")
    if name.startswith("torch") and not name.endswith(TUNED) and tunable_malloc():
        return [name, name + TUNED]
    return [name]


def takes_part(name, workload):
    """Whether a peer can run a workload: what is folded can neither train nor run single ops."""
    return workload.kind == "forward" or not peer_of(name).folded


def environment(name, threads):
    """Return the environment of a peer's process: this one's, with threads and malloc set."""
    here = str(Path(__file__).parents[2])
    paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"}
    variables |= dict.fromkeys(THREADS, str(threads))
    return variables | (MALLOC if name.endswith(TUNED) else {})
