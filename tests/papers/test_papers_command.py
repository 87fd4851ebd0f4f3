"""The command `npnets papers`, and what it writes."""

import csv
import re

import pytest

from npnets import cli
from npnets.papers import compare, report
from npnets.papers.compare import DIFFERS, VERDICTS

TWO_SPACES = re.compile(r"  +")


@pytest.fixture(scope="module")
def cells():
    return compare()


def test_the_counts_printed_are_those_of_the_cells(capsys, cells):
    assert cli.main(["papers"]) == 0
    out = capsys.readouterr().out
    heads = ["", "cells", *VERDICTS]
    (at,) = (k for k, line in enumerate(out.splitlines()) if TWO_SPACES.split(line) == heads)
    table = {line.split()[0]: line.split()[1:] for line in out.splitlines()[at + 1 : at + 6]}
    assert list(table)[-1] == "all"
    for name, numbers in table.items():
        part = [c for c in cells if name in ("all", c.paper)]
        counts = [sum(c.verdict == verdict for c in part) for verdict in VERDICTS]
        assert list(map(int, numbers)) == [len(part), *counts]


def test_each_reason_is_printed_with_how_often(cells):
    text = report.reasons(cells)
    listed = re.findall(r"^ +(\d+)  (.+)$", text, re.MULTILINE)
    assert {reason for _, reason in listed} == {
        c.reason.removeprefix("not built: ") for c in cells if c.reason
    }
    assert sum(int(count) for count, _ in listed) == sum(bool(c.reason) for c in cells)
    differ = [c for c in cells if c.verdict == DIFFERS]
    met, unexplained = sum(c.explained for c in differ), sum(c.unexplained for c in differ)
    assert f"Of {len(differ)} that differ, {met} are what npnets counts" in text
    assert text.endswith(f"and {unexplained} are unexplained.")
    assert not any(c.explained and c.unexplained for c in cells)


def test_a_table(capsys):
    assert cli.main(["papers", "mobilenet_v1", "--table", "4"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "MobileNets, arXiv:1704.04861, table 4. Full against separable convolutions"
    )
    assert TWO_SPACES.split(lines[2].strip()) == [
        "Conv MobileNet", "multiply-adds", "4866 million", "4,867,293,184", "differs",
        "counted without the classifier; the 569 below is with it: 4,866,269,184",
    ]  # fmt: skip
    assert TWO_SPACES.split(lines[5].strip())[:4] == [
        "parameters", "4.2 million", "4,209,088", "exact",
    ]  # fmt: skip
    ends = {line.index(word) + len(word) for line, word in zip(
        lines[2:6], ("4,867,293,184", "29,281,120", "568,740,352", "4,209,088"), strict=True
    )}  # fmt: skip
    assert len(ends) == 1  # numbers stand one below the other


def test_only_the_differences(capsys, cells):
    assert cli.main(["papers", "shufflenet_v1", "--differences"]) == 0
    tables = capsys.readouterr().out.partition("  cells  ")[0].splitlines()
    lines = [line for line in tables if line.startswith("  ") and not line.endswith("exact")]
    differ = [c for c in cells if c.paper == "shufflenet_v1" and c.verdict == DIFFERS]
    assert [TWO_SPACES.split(line)[-1] for line in lines if line.strip()] == [
        report.why(c) for c in differ
    ]


def test_all_cells_as_csv(tmp_path, capsys, cells):
    path = tmp_path / "cells.csv"
    assert cli.main(["papers", "--csv", str(path)]) == 0
    assert f"{len(cells)} cells are in {path}" in capsys.readouterr().out
    with open(path, encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(cells)
    for line, cell in zip(lines, cells, strict=True):
        assert [line["paper"], line["printed"], line["verdict"]] == [
            cell.paper, cell.printed, cell.verdict,
        ]  # fmt: skip
        if isinstance(cell.exact, int):
            assert line["exact"] == str(cell.exact)
        elif cell.exact is not None and not isinstance(cell.exact, str):
            assert float(line["exact"]) == pytest.approx(float(cell.exact), rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["papers", "mobilnet_v1"], "did you mean 'mobilenet_v1'"),
        (["papers", "shufflenet_v2", "--table", "section 33"], "did you mean 'section 3'"),
    ],
)
def test_mistakes(capsys, arguments, match):
    assert cli.main(arguments) == 1
    assert match in capsys.readouterr().err


def test_a_network_is_counted_once(monkeypatch):
    from npnets.papers import networks

    compare()  # all are counted now

    def never(*arguments):
        raise AssertionError(f"counted again: {arguments}")

    monkeypatch.setattr(networks, "_built", never)
    assert compare("mobilenet_v1", "7")
