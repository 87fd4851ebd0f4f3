"""The framework of `npnets experiment`: what results print and save, and how to ask for one."""

import csv
import json
import sys
import types

import numpy as np
import pytest
from PIL import Image

from npnets import cli, experiments
from npnets.experiments.result import Result, Table, Verdict, shown

TABLE = Table(
    "Two ways", ("way", "multiply-adds", "paper\nratio"), (("a", 12_345, 1.0), ("bb", 7, None))
)


def draw(figure):
    axes = figure.subplots()
    axes.bar(["a", "bb"], [3, 1])


def result(**changes):
    holds = Verdict("a is slower", True, "3.1 times")
    fails = Verdict("bb is best", False, "0.9", "it waits for memory")
    parts = {
        "name": "toy",
        "title": "What is slower?",
        "source": "A paper, arXiv:0000.00000, table 1.",
        "tables": (TABLE, Table("One more", ("n",), ((1,),))),
        "verdicts": (holds, fails),
        "draw": draw,
        "notes": ("Measured with care.",),
        "measured": {"a": [0.5, 0.25]},
    }
    return Result(**(parts | changes))


def test_a_table_aligns_words_left_and_numbers_right():
    caption, *lines = str(TABLE).splitlines()
    assert caption == "Two ways"
    assert lines == [
        "                    paper",
        "way  multiply-adds  ratio",
        "─────────────────────────",
        "a           12,345   1.00",
        "bb               7      –",
    ]
    assert TABLE.column("multiply-adds") == [12_345, 7]
    assert str(Table("None", ("a", "b"), ())).splitlines() == ["None", "a  b", "────"]


def test_a_row_must_be_as_long_as_the_heads():
    with pytest.raises(ValueError, match=r"a row needs 2 cells, \('a', 'b'\), got \(1,\)"):
        Table("", ("a", "b"), ((1, 2), (1,)))


def test_cells_have_three_digits_or_all_of_an_int():
    cells = 0, 1234567, True, "x", None, 0.0, 0.12345, 0.9994, 0.9996, 9.996, 99.96, 1234.5, 5e-7
    texts = [
        "0", "1,234,567", "True", "x", "–", "0.000", "0.123", "0.999", "1.00", "10.0", "100",
        "1,234", "5.0e-07",
    ]  # fmt: skip
    assert [shown(cell) for cell in cells] == texts
    assert shown(-0.5) == "-0.500"


def test_verdicts_say_where_and_why():
    assert str(Verdict("a is slower", True, "3.1 times", "unused")) == (
        "holds on this machine: a is slower (3.1 times)"
    )
    assert str(Verdict("so", False, "0.9", "it waits")) == (
        "does not hold on this machine: so (0.9), because it waits"
    )
    assert str(Verdict("n = 2", True, "2", exact=True)) == "holds: n = 2 (2)"


def test_a_result_prints_all_its_parts_in_order():
    text = str(result())
    parts = (
        "What is slower?", "A paper, arXiv:0000.00000", "Two ways", "One more",
        "▸ holds on this machine: a is slower", "▸ does not hold on this machine: bb",
        "Measured with care.", f"numpy {np.__version__}",
    )  # fmt: skip
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    long = str(result(notes=("word " * 60,)))
    assert max(map(len, long.splitlines())) <= 99


def test_a_result_is_saved_as_numbers_and_a_picture(tmp_path):
    paths = result().save(tmp_path / "new")
    names = ["toy.json", "toy.csv", "toy-2.csv", "toy.png"]
    assert [path.name for path in paths] == names
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(names)
    record = json.loads(paths[0].read_text(encoding="utf-8"))
    assert record["tables"][0]["rows"] == [["a", 12345, 1.0], ["bb", 7, None]]
    assert record["verdicts"][1]["holds"] is False
    assert record["measured"] == {"a": [0.5, 0.25]}
    assert record["machine"]["packages"]["numpy"] == np.__version__
    with open(paths[1], encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["way", "multiply-adds", "paper ratio"],
        ["a", "12345", "1.0"],
        ["bb", "7", ""],
    ]
    with Image.open(paths[3]) as picture:
        assert picture.size == (1200, 600)
        assert len(np.unique(np.asarray(picture.convert("L")))) > 10


@pytest.fixture
def toy(monkeypatch):
    """An experiment of two that exist, and what it was called with."""
    calls = []

    def run(seconds=30.0, rng=0):
        calls.append((seconds, rng))
        return result()

    module = types.ModuleType("npnets.experiments.toy", "What is slower?\n\nMore.")
    module.run = run
    monkeypatch.setattr(experiments, "NAMES", ("toy", "toys"))
    for name in experiments.NAMES:
        monkeypatch.setitem(sys.modules, f"npnets.experiments.{name}", module)
    return calls


def test_the_command_lists_what_there_is(toy, capsys):
    assert cli.main(["experiment"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=1) for line in lines] == [
        ["toy", "What is slower?"], ["toys", "What is slower?"],
    ]  # fmt: skip
    assert toy == []


def test_the_command_runs_one_or_all(toy, capsys, tmp_path):
    folder = str(tmp_path / "found")
    assert cli.main(["experiment", "toy", "--seconds", "2.5", "--seed", "3", "--out", folder]) == 0
    out = capsys.readouterr().out
    assert toy == [(2.5, 3)]
    assert "What is slower?" in out
    assert f"{folder}: toy.json, toy.csv, toy-2.csv, toy.png" in out
    assert cli.main(["experiment", "all", "--out", folder]) == 0
    assert toy[1:] == [(30.0, 0)] * 2
    assert capsys.readouterr().out.count("What is slower?") == 2


def test_without_matplotlib_the_numbers_are_there(toy, capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert cli.main(["experiment", "toy", "--out", str(tmp_path)]) == 0
    assert "the numbers, without a picture: this needs matplotlib" in capsys.readouterr().out
    assert not (tmp_path / "toy.png").exists()
    assert (tmp_path / "toy.csv").exists()


def test_an_unknown_name_gets_the_nearest_and_nothing_runs(toy, capsys):
    assert cli.main(["experiment", "toyz"]) == 1
    assert "unknown experiment 'toyz'; did you mean 'toy" in capsys.readouterr().err
    assert cli.main(["experiment", "toy", "--seconds", "0"]) == 1
    assert "--seconds must be above 0, and finite, got 0.0" in capsys.readouterr().err
    assert toy == []


@pytest.mark.parametrize("name", experiments.NAMES)
def test_every_experiment_asks_something_in_one_line_and_can_be_run(name):
    headline = experiments.headline(name)
    assert 20 < len(headline) <= 87, "it is listed behind its name, in a line"
    assert callable(experiments.load(name).run)
