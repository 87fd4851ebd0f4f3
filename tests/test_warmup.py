"""After a warm-up nothing is compiled any more, and what was compiled is kept."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import npnets
from npnets import cli, warmup

LATER = """
import sys
import numpy as np
import npnets
from npnets.warmup import NETWORKS, warmup, _run

def compiled():
    modules = [m for name, m in sys.modules.items() if name.startswith("npnets.")]
    functions = [f for m in modules for f in vars(m).values() if hasattr(f, "signatures")]
    return {(f.__module__, f.__name__): len(f.signatures) for f in functions}

warmup()
before = compiled()
for name in NETWORKS:
    for N, size, small in (3, 40, True), (2, 96, False):
        net = npnets.create_model(name, num_classes=5, small_images=small, rng=1)
        _run(net, np.random.default_rng(0).standard_normal((N, 3, size, size), dtype=np.float32))
print(len(before), sum(before.values()), before == compiled())
"""


def test_nothing_is_compiled_after_a_warm_up():
    root = str(Path(npnets.__file__).parents[1])
    out = subprocess.run(
        [sys.executable, "-c", LATER], check=True, capture_output=True, text=True, cwd=root
    )
    functions, signatures, same = out.stdout.split()
    assert same == "True"
    assert int(functions) > 3
    assert int(signatures) > 3


@pytest.fixture
def modes(monkeypatch):
    """Tiny networks, and in which modes and dtypes they were run."""
    seen, make = set(), npnets.create_model

    def create(name, **options):
        net = make({"shufflenet_v1": "shufflenet_v1_x0_25_g3"}.get(name, name), **options)
        spy_on(net, name)
        return net

    def spy_on(net, name):
        layer, kind = net, type(net)
        forward = kind.forward

        def spied(self, x):
            seen.add((name, self.training, x.dtype.name, x.shape[2]))
            return forward(self, x)

        layer.__class__ = type(kind.__name__, (kind,), {"forward": spied})

    monkeypatch.setattr(warmup, "create_model", create)
    monkeypatch.setattr(warmup, "IMAGES", ((2, 32, True), (1, 64, False)))
    return seen


def test_every_network_runs_in_training_and_at_inference(modes):
    seconds = warmup.warmup((np.float32, np.float64))
    assert list(seconds) == list(warmup.NETWORKS)
    assert min(seconds.values()) > 0
    for name in warmup.NETWORKS:
        for dtype in ("float32", "float64"):
            wanted = {(name, True, dtype, 32), (name, False, dtype, 32), (name, False, dtype, 64)}
            assert wanted <= modes


def test_the_command_says_how_long_it_took_and_where_the_cache_is(capsys, monkeypatch):
    monkeypatch.setattr(warmup, "IMAGES", ((2, 32, True),))
    asked = []
    real = warmup.warmup
    monkeypatch.setattr(warmup, "warmup", lambda dtypes: asked.append(dtypes) or real(dtypes[:1]))
    assert cli.main(["warmup", "--float64"]) == 0
    assert asked == [(np.float32, np.float64)] * 2
    out = capsys.readouterr().out
    for name in warmup.NETWORKS:
        assert name in out
    folders = warmup.cache_folders()
    assert all(Path(folder).is_dir() for folder in folders)
    assert (folders[0] if folders else "there are no kernels") in out
