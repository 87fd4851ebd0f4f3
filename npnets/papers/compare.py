"""Each printed number beside the exact one, and a verdict on it."""

import difflib
from dataclasses import asdict, dataclass
from fractions import Fraction
from math import isclose

from npnets.papers import mobilenet_v1, mobilenet_v2, shufflenet_v1, shufflenet_v2
from npnets.papers.published import read, roughly, rounding

MODULES = {
    "mobilenet_v1": mobilenet_v1,
    "shufflenet_v1": shufflenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "shufflenet_v2": shufflenet_v2,
}
TITLES = {
    "mobilenet_v1": "MobileNets, arXiv:1704.04861",
    "shufflenet_v1": "ShuffleNet, arXiv:1707.01083",
    "mobilenet_v2": "MobileNetV2, arXiv:1801.04381",
    "shufflenet_v2": "ShuffleNet V2, arXiv:1807.11164",
}
EXACT, CUT_OFF, DIFFERS = "exact", "cut off", "differs"
NOT_BUILT, NOT_PRINTED = "not built", "not printed"
VERDICTS = EXACT, CUT_OFF, DIFFERS, NOT_BUILT, NOT_PRINTED


@dataclass(frozen=True)
class Cell:
    """A cell of a table: what is printed, what is counted, and how one comes from the other.

    `verdict` is one of VERDICTS. Where they differ, or there is nothing to count, `reason` says
    why; and `otherwise` is what is counted under the reading that it names, if it is a number.
    `formula` is what a printed formula comes to. Numbers are in ones, whatever `unit` is.
    """

    paper: str
    table: str
    row: str
    column: str
    printed: str
    unit: str
    exact: int | Fraction | str | None
    formula: int | Fraction | float | None
    otherwise: int | Fraction | None
    verdict: str
    reason: str

    @property
    def explained(self):
        """Whether the printed number is what is counted under another reading."""
        return self.verdict == DIFFERS and self.otherwise is not None

    @property
    def unexplained(self):
        """Whether nobody knows how they printed it."""
        return self.verdict == DIFFERS and self.reason.startswith("unexplained: ")


def compare(paper=None, table=None):
    """Return the Cells of one paper, or of all; of one table or section of it, or of all.

    Counts what it returns, and nothing else. Raises ValueError for an unknown paper or table, and
    suggests the nearest; and where a reason names a reading that does not give what is printed.
    """
    if paper is not None:
        _check_known(paper, list(MODULES), "paper")
    papers = MODULES if paper is None else [paper]
    tables = [(name, key) for name in papers for key in MODULES[name].TABLES]
    if table is not None:
        _check_known(table, [key for _, key in tables], "table")
    wanted = [pair for pair in tables if table in (None, pair[1])]
    return [cell for pair in wanted for cell in _cells(*pair)]


def caption(paper, table):
    """Return what a table is about, in our words."""
    return MODULES[paper].TABLES[table][0]


def _check_known(name, names, what):
    if name not in names:
        near = difflib.get_close_matches(str(name), names, n=1, cutoff=0)
        known = ", ".join(dict.fromkeys(names))
        raise ValueError(f"unknown {what} {name!r}; did you mean {near[0]!r}? There are: {known}")


def _cells(paper, table):
    counted = MODULES[paper].TABLES[table][1]()
    return [
        _cell(paper, printed, counted.get((printed.row, printed.column)))
        for printed in read(paper)
        if printed.table == table
    ]


def _cell(paper, printed, count):
    verdict = NOT_BUILT if count is None else judge(printed, count)
    otherwise = _reading(printed, count) if verdict == DIFFERS else None
    if otherwise is not None and not roughly(printed.printed, printed.unit, otherwise):
        raise ValueError(f"the reason for {printed} leads to {otherwise}")
    exact, formula = (None, None) if count is None else (count.exact, count.formula)
    return Cell(
        paper, **asdict(printed), exact=exact, formula=formula, otherwise=otherwise,
        verdict=verdict,
    )  # fmt: skip


def _reading(printed, count):
    """Return what is counted under the reading that the reason names; None if it names none."""
    return count.exact if printed.reason.startswith("rounded to ") else count.otherwise


def judge(printed, count):
    """Return the verdict on a printed cell for which there is a count."""
    if not printed.printed:
        return NOT_PRINTED
    if isinstance(count.exact, str):
        return EXACT if printed.printed == count.exact else DIFFERS
    if count.formula is not None:
        return EXACT if isclose(count.formula, count.exact, rel_tol=1e-12) else DIFFERS
    return rounding(printed.printed, printed.unit, count.exact) or DIFFERS
