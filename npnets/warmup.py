"""Compile once what the four networks run: Numba keeps it on disk for all later runs."""

import sys
import time

import numpy as np

from npnets import ops
from npnets.nets import create_model

NETWORKS = "mobilenet_v1", "mobilenet_v2", "shufflenet_v1", "shufflenet_v2"
IMAGES = (4, 32, True), (2, 64, False), (1, 224, False)  # how many, how large, a small stem


def warmup(dtypes=(np.float32,)):
    """Run every network in training, at inference and folded; return {name: seconds}.

    A network comes after those before it: what they share is compiled already.
    """
    seconds = {}
    for name in NETWORKS:
        start = time.perf_counter()
        for dtype in dtypes:
            for N, size, small_images in IMAGES:
                net = create_model(name, num_classes=10, small_images=small_images, rng=0)
                x = np.random.default_rng(0).standard_normal((N, 3, size, size))
                _run(net.astype(dtype), x.astype(dtype))
        seconds[name] = time.perf_counter() - start
    return seconds


def _run(net, x):
    """One training step, where a batch is more than one image, and inference in every form."""
    labels = np.arange(len(x))
    if len(x) > 1:
        logits = net.train().forward(x)
        ops.cross_entropy(logits, labels)
        net.backward(ops.cross_entropy_backward(logits, labels))
    net.eval().forward(x)
    net.fold().forward(x)


def cache_folders():
    """Return where Numba keeps what it has compiled for npnets, sorted."""
    found = set()
    for name in [name for name in sys.modules if name.startswith("npnets.")]:
        for value in vars(sys.modules[name]).values():
            path = getattr(getattr(value, "stats", None), "cache_path", None)
            if isinstance(path, str):
                found.add(path)
    return sorted(found)


def add_options(parser):
    """Add the options of `npnets warmup` to its parser."""
    parser.add_argument("--float64", action="store_true", help="kernels for float64, too")


def command(args):
    """Print how long each network took, how long it takes when all is there, and the cache."""
    dtypes = (np.float32, np.float64) if args.float64 else (np.float32,)
    first, again = warmup(dtypes), warmup(dtypes)
    print(f"{'network':<16}{'first s':>10}{'again s':>10}")
    for name in NETWORKS:
        print(f"{name:<16}{first[name]:>10.2f}{again[name]:>10.2f}")
    print(f"{'all':<16}{sum(first.values()):>10.2f}{sum(again.values()):>10.2f}")
    folders = cache_folders()
    print("compiled code is kept in " + ", ".join(folders) if folders else "there are no kernels")
