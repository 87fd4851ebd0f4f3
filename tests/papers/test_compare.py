"""Each printed cell has one verdict, and a reason where it needs one, and only there."""

import csv
import dataclasses
import sys
from collections import Counter
from fractions import Fraction
from importlib.resources import files

import pytest

from npnets.papers import compare, published
from npnets.papers.compare import (
    CUT_OFF,
    DIFFERS,
    EXACT,
    MODULES,
    NOT_BUILT,
    NOT_PRINTED,
    VERDICTS,
    judge,
)
from npnets.papers.networks import Count
from npnets.papers.published import UNITS, Printed, roughly, rounding, said

STEM_SHARE = Fraction(10_838_016, 568_740_352)
REFERENCE_CELLS = {
    ("mobilenet_v1", "2", "Conv 3×3", "multiply-adds"): (DIFFERS, STEM_SHARE),
    ("mobilenet_v1", "4", "Conv MobileNet", "multiply-adds"): (DIFFERS, 4_867_293_184),
    ("mobilenet_v1", "7", "1.0 MobileNet-160", "multiply-adds"): (CUT_OFF, 290_675_200),
    ("mobilenet_v1", "9", "0.50 MobileNet-160", "parameters"): (EXACT, 1_319_648),
    ("shufflenet_v1", "2", "0.5x", "g = 8"): (DIFFERS, 40_469_760),
    ("shufflenet_v1", "6", "SqueezeNet", "multiply-adds"): (EXACT, 832_667_936),
    ("mobilenet_v2", "section 3.3", "all bottlenecks", "multiply-adds"): (DIFFERS, 268_585_856),
    ("mobilenet_v2", "3", "56×56", "MobileNetV2, channels"): (DIFFERS, 24),
    ("mobilenet_v2", "3", "28×28", "ShuffleNet (2x, g = 3), memory"): (DIFFERS, 752_640),
    ("mobilenet_v2", "4", "MobileNetV2", "multiply-adds"): (CUT_OFF, 300_774_272),
    ("shufflenet_v2", "1", "GPU, 1:12", "multiply-adds"): (DIFFERS, 20 * 56 * 56 * 36 * 432),
    ("shufflenet_v2", "1", "ARM, 1:12", "memory access"): (EXACT, 20 * (3136 * 117 + 972)),
    ("shufflenet_v2", "5", "FLOPs", "0.5x"): (DIFFERS, 40_476_448),
    ("shufflenet_v2", "6", "ShuffleNet v2-50", "multiply-adds"): (EXACT, 2_314_702_176),
    ("shufflenet_v2", "section 3", "reused after 5, c = 232", "channels"): (DIFFERS, 8),
}  # fmt: skip


@pytest.fixture(scope="module")
def cells():
    return compare()


def test_every_printed_cell_is_compared_once(cells):
    lines = [(paper, p.table, p.row, p.column) for paper in MODULES for p in published.read(paper)]
    compared = [(c.paper, c.table, c.row, c.column) for c in cells]
    assert Counter(lines) == Counter(compared)
    assert max(Counter(lines).values()) == 1
    assert {c.verdict for c in cells} == set(VERDICTS)


def test_a_reason_is_given_where_it_is_needed_and_only_there(cells):
    for cell in cells:
        assert bool(cell.reason) == (cell.verdict in (DIFFERS, NOT_BUILT)), cell
        assert (cell.verdict == NOT_BUILT) == cell.reason.startswith("not built: "), cell
        assert (cell.exact is None) == (cell.verdict == NOT_BUILT), cell
        assert (cell.verdict == NOT_PRINTED) == (cell.printed == ""), cell


def test_nothing_is_counted_for_a_cell_that_is_not_there():
    for paper, module in MODULES.items():
        printed = {(p.table, p.row, p.column) for p in published.read(paper)}
        assert {table for table, _, _ in printed} == set(module.TABLES)
        for table, (_, count) in module.TABLES.items():
            assert {(table, *key) for key in count()} <= printed


@pytest.mark.parametrize("paper", MODULES)
def test_the_files_are_well_formed(paper):
    text = files("npnets.papers").joinpath(f"{paper}.csv").read_text(encoding="utf-8")
    lines = list(csv.reader(text.splitlines()))
    assert lines[0] == ["table", "row", "column", "printed", "unit", "reason"]
    assert {len(line) for line in lines} == {6}
    for line in lines[1:]:
        assert line[4] in UNITS
        assert all(cell == cell.strip() for cell in line)
        assert all(line[:3])


@pytest.mark.parametrize("key", REFERENCE_CELLS, ids=str)
def test_cells_that_were_counted_elsewhere(key, cells):
    (cell,) = (c for c in cells if (c.paper, c.table, c.row, c.column) == key)
    assert (cell.verdict, cell.exact) == REFERENCE_CELLS[key]


def planted(monkeypatch, paper, where, **wrong):
    """Let the file of a paper say something else in a cell; return that cell as compared."""
    right = published.read

    def read(name):
        return [
            dataclasses.replace(p, **wrong) if (p.table, p.row, p.column) == where else p
            for p in right(name)
        ]

    monkeypatch.setattr(sys.modules["npnets.papers.compare"], "read", read)
    (cell,) = (c for c in compare(paper, where[0]) if (c.row, c.column) == where[1:])
    return cell


@pytest.mark.parametrize(
    ("paper", "where", "wrong"),
    [
        ("mobilenet_v1", ("6", "0.5 MobileNet-224", "multiply-adds"), "150"),
        ("mobilenet_v1", ("6", "0.5 MobileNet-224", "multiply-adds"), "148"),
        ("mobilenet_v1", ("1", "Conv dw 13", "input size"), "7×7×512"),
        ("mobilenet_v1", ("2", "Fully Connected", "multiply-adds"), "0.19"),
        ("shufflenet_v1", ("1", "Stage2", "g = 3"), "248"),
        ("mobilenet_v2", ("2", "bottleneck 4", "s"), "1"),
        ("shufflenet_v2", ("5", "# of Weights", "2x"), "7.2"),
    ],
)
def test_a_wrong_number_is_found(monkeypatch, paper, where, wrong):
    assert planted(monkeypatch, paper, where).verdict == EXACT
    monkeypatch.undo()
    assert planted(monkeypatch, paper, where, printed=wrong).verdict == DIFFERS


def test_the_misprint_put_right_is_exact(monkeypatch):
    where = "2", "Conv 3×3", "multiply-adds"
    assert planted(monkeypatch, "mobilenet_v1", where, printed="1.91").verdict == EXACT


def test_a_reading_that_does_not_give_what_is_printed_is_refused(monkeypatch):
    where = "4", "Conv MobileNet", "multiply-adds"
    with pytest.raises(ValueError, match=r"'4868'.* leads to 4866269184"):
        planted(monkeypatch, "mobilenet_v1", where, printed="4868")


@pytest.mark.parametrize(
    ("printed", "unit", "exact", "verdict"),
    [
        ("569", "million", 568_740_352, EXACT),
        ("290", "million", 290_675_200, CUT_OFF),
        ("291", "million", 290_675_200, EXACT),
        ("289", "million", 290_675_200, DIFFERS),
        ("292", "million", 290_675_200, DIFFERS),
        ("1.32", "million", 1_319_648, EXACT),
        ("1.31", "million", 1_319_648, CUT_OFF),
        ("2.50", "million", 2_450_000, DIFFERS),  # a zero behind the point is a digit
        ("1.5", "million", 1_450_000, EXACT),  # half is rounded up
        ("3.8", "billion", 3_857_973_248, CUT_OFF),
        ("94.86", "%", Fraction(94857, 100000), EXACT),
        ("27", "times", Fraction(272, 10), EXACT),
        ("62", "kB", 62_720, CUT_OFF),
    ],
)
def test_the_papers_round_or_cut_off(printed, unit, exact, verdict):
    cell = Printed("1", "row", "column", printed, unit, "")
    assert judge(cell, Count(exact)) == verdict
    assert (rounding(printed, unit, exact) or DIFFERS) == verdict


def test_zeros_at_the_end_may_be_no_digits():
    assert roughly("15300", "million", 15_346_630_656)
    assert not roughly("15300", "million", 15_470_264_320)
    assert roughly("720", "million", 724_406_816)
    assert not roughly("720", "million", 730_000_000)
    assert not roughly("1.30", "million", 1_319_648)


def test_what_a_formula_comes_to_must_be_equal():
    cell = Printed("1", "row", "column", "h·w", "", "")
    assert judge(cell, Count(12, formula=12)) == EXACT
    assert judge(cell, Count(12, formula=13)) == DIFFERS


def test_said_is_in_ones():
    assert said("mobilenet_v1", "9", "0.50 MobileNet-160", "parameters") == 1_320_000
    assert said("mobilenet_v2", "3", "1×1", "MobileNetV2, memory") == 2000


def test_one_paper_or_one_table(cells):
    assert compare("mobilenet_v2", "4") == [
        c for c in cells if (c.paper, c.table) == ("mobilenet_v2", "4")
    ]
    assert compare(table="4") == [c for c in cells if c.table == "4"]
    assert {c.paper for c in compare(table="4")} == {
        "mobilenet_v1", "mobilenet_v2", "shufflenet_v2",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("paper", "table", "match"),
    [
        ("mobilenetv1", None, "unknown paper 'mobilenetv1'; did you mean 'mobilenet_v1'"),
        ("mobilenet_v1", "44", "unknown table '44'; did you mean '4'"),
        (None, "section 3.22", r"unknown table 'section 3.22'; did you mean 'section 3\.2'"),
        ("mobilenet_v1", 4.5, "unknown table 4.5"),
    ],
)
def test_what_is_unknown_is_refused_with_the_nearest(paper, table, match):
    with pytest.raises(ValueError, match=match):
        compare(paper, table)
