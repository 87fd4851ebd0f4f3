"""Imports run one way, and what is optional is imported where it is used."""

import ast
from pathlib import Path

import pytest

import npnets

ROOT = Path(npnets.__file__).parent
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}

# Each part of npnets, and what it may import of it; parts that are not named here are not bound.
MAY_IMPORT = {
    "ops": {"ops"},
    "layer": {"ops"},
    "layers": {"ops", "layer"},
    "blocks": {"ops", "layer", "layers"},
    "init": {"ops", "layer", "layers"},
    "optim": {"ops", "layer", "layers"},
    "files": set(),
    "archive": set(),
    "pickled": set(),
    "download": {"extras"},
    "checkpoint": {"ops", "layer", "layers", "files", "archive"},
    "cost": {"ops", "layer", "layers", "files", "extras", "cost"},
    "nets": {"ops", "layer", "layers", "blocks", "init", "nets"},
    "extras": set(),
    "papers": {"ops", "layers", "blocks", "nets", "cost", "files", "papers"},
    # what measures stands above what it measures
    "ladder": {"ops"},
    "warmup": {"ops", "nets"},
    "bench": {
        "ops", "layers", "init", "optim", "cost", "nets", "files", "extras", "weights", "bench"
    },
    "experiments": {
        "ops",
        "layer",
        "layers",
        "blocks",
        "init",
        "optim",
        "nets",
        "cost",
        "bench",
        "plots",
        "files",
        "extras",
        "experiments",
    },
    "roofline": {"ops", "cost", "nets", "files", "extras", "bench", "roofline"},
    "weights": {
        "ops",
        "layer",
        "layers",
        "nets",
        "data",
        "cost",
        "checkpoint",
        "run",
        "files",
        "archive",
        "pickled",
        "download",
        "extras",
        "weights",
    },
}  # fmt: skip
OPTIONAL = {"matplotlib", "tqdm", "sklearn", "pooch", "PIL", "torch", "jupytext"}
OPTIONAL |= {"h5py", "safetensors", "requests", "onnx"}


def imports(module, *, everywhere):
    """Return the full names of what a module imports; at its top level only, or everywhere."""
    names, nodes = set(), [ast.parse(MODULES[module].read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif everywhere or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            nodes += ast.iter_child_nodes(node)
    return names


def part(name):
    """npnets.ops.conv.conv2d -> ops; what is no part of npnets -> None."""
    package, *rest = name.split(".")
    if package != "npnets":
        return None
    return rest[0] if rest and f"npnets.{rest[0]}" in MODULES else "npnets"


BOUND = [module for module in MODULES if part(module) in MAY_IMPORT]


def test_the_walk_finds_modules_and_what_they_import():
    assert {"npnets", "npnets.ops", "npnets.ops.conv", "npnets.nets.mobilenet_v1"} <= set(MODULES)
    assert {part(module) for module in BOUND} == set(MAY_IMPORT)
    assert "npnets.ops.bias.finish" in imports("npnets.ops.conv", everywhere=True)
    assert part("npnets.ops") == part("npnets.ops.bias.finish") == "ops"
    assert part("npnets.create_model") == part("npnets") == "npnets"
    assert part("numpy") is None


@pytest.mark.parametrize("module", BOUND)
def test_imports_run_one_way(module):
    imported = {part(name) for name in imports(module, everywhere=True)} - {None}
    assert imported <= MAY_IMPORT[part(module)]


def test_the_directions_allow_no_circle():
    below = {name: uses - {name} for name, uses in MAY_IMPORT.items()}
    while below:
        free = [name for name, uses in below.items() if not uses & below.keys()]
        assert free, f"a circle among {sorted(below)}"
        for name in free:
            del below[name]


def test_nothing_imports_the_command_line():
    users = {m for m in MODULES for name in imports(m, everywhere=True) if part(name) == "cli"}
    assert users <= {"npnets.cli", "npnets.__main__"}


MEASURES = ["ladder", "warmup", "bench", "experiments", "roofline"]


@pytest.mark.parametrize("above", MEASURES)
def test_only_the_command_line_and_what_measures_imports_what_measures(above):
    users = {part(m) for m in MODULES for n in imports(m, everywhere=True) if part(n) == above}
    assert users <= {"cli", *MEASURES}


@pytest.mark.parametrize("module", MODULES)
def test_what_is_optional_is_imported_within_functions(module):
    packages = {name.partition(".")[0] for name in imports(module, everywhere=False)}
    assert not packages & OPTIONAL


def test_numba_is_imported_in_one_place():
    """So that npnets runs without it."""
    users = [
        module
        for module in MODULES
        if any(name.partition(".")[0] == "numba" for name in imports(module, everywhere=True))
        and part(module) in MAY_IMPORT
    ]
    assert users == ["npnets.ops.op"]
