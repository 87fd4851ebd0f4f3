"""The rehearsal of the exercises convicts tests that see nothing, and solutions that lean."""

import pytest
from sample import npnets_tutorials, write_sample

NEEDED = "return sum(numbers) / len(numbers)", "return total(numbers) / len(numbers)"

# What is changed in the sample, and what is said of it
FLAWS = {
    "01_empty": (
        ("assert add(1, 2) == 3", "pass"),
        "the test of exercise 98.1 passes without its solution",
    ),
    "02_there": (
        ("assert add(1, 2) == 3", "assert callable(add)"),
        "the test of exercise 98.1 passes without its solution",
    ),
    "03_hidden": (
        ("assert triangle(3) == 6", "assert True"),
        "the test of exercise 98.2 passes without its solution",
    ),
    "04_leaning": (
        NEEDED,
        "exercise 98.4 needs the solution of an earlier one: NotImplementedError: ",
    ),
    "05_ahead": (
        ("return a + b", "return total([a, b])"),
        "name 'total' is not defined",
    ),
    "06_wrong": (("return a + b", "return a - b"), "assert add(1, 2) == 3"),
    "07_right": (("", "\n# %%\nassert QUICK\n"), "nothing is found wrong"),
    "09_exit": (("", "\n# %%\nimport os\n\nos._exit(3)\n"), "Kernel died"),
    "08_failing": (("", "\n# %%\nraise KeyError('no such key')\n"), "KeyError: 'no such key'"),
}


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What is said of each chapter, in one run of all."""
    folder = tmp_path_factory.mktemp("flaws")
    for name, ((old, new), _) in FLAWS.items():
        write_sample(folder, name, old, new)
    done = npnets_tutorials("run", "--quick", "--from", folder)
    assert done.returncode == 1
    assert not list(folder.glob("*.ipynb"))
    parts = done.stdout.split("\n0")
    return {name: next(part for part in parts if name[1:] in part) for name in FLAWS}


@pytest.mark.parametrize("name", FLAWS)
def test_each_flaw_is_told_and_no_other(said, name):
    _, expected = FLAWS[name]
    assert expected in said[name]
    assert "\x1b" not in said[name]
    assert sum(f"exercise 98.{k}" in said[name] for k in range(1, 5)) == ("exercise" in expected)
