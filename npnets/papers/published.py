"""What the papers print about cost: one CSV file for each, to be read beside the paper.

A line is a cell of a table, or a number of the text: which table and row, what it is a number of,
the number as printed, its unit, and why it is not ours, where it is not. Formulas are printed
numbers, too; and where the paper fixes a quantity without saying it, "the same" is what it says.
"""

import csv
from dataclasses import dataclass
from fractions import Fraction
from importlib.resources import files
from math import floor

UNITS = {
    "": 1,
    "times": 1,
    "%": Fraction(1, 100),
    "kB": 10**3,
    "million": 10**6,
    "billion": 10**9,
}


@dataclass(frozen=True)
class Printed:
    """A line of a CSV file. `printed` is empty where the paper leaves to the reader to count."""

    table: str
    row: str
    column: str
    printed: str
    unit: str
    reason: str


def read(paper):
    """Return the Printed cells of a paper, by the name of its module, in the order of print."""
    file = files("npnets.papers").joinpath(f"{paper}.csv")
    with file.open(encoding="utf-8", newline="") as lines:
        return [Printed(**line) for line in csv.DictReader(lines)]


def said(paper, table, row, column):
    """Return the number printed in a cell, in ones."""
    where = table, row, column
    (cell,) = (c for c in read(paper) if (c.table, c.row, c.column) == where)
    return Fraction(cell.printed) * UNITS[cell.unit]


def rounding(printed, unit, exact):
    """Return how a printed number comes from the exact one: "exact", "cut off" or None.

    "exact" is rounded to the last digit that is printed, "cut off" has the digits behind it left
    out: the papers do both.
    """
    digit = UNITS[unit] / Fraction(10) ** len(printed.partition(".")[2])
    count, number = Fraction(exact) / digit, int(printed.replace(".", ""))
    if number == floor(count + Fraction(1, 2)):
        return "exact"
    return "cut off" if number == floor(count) else None


def roughly(printed, unit, exact):
    """Whether they agree, and zeros at the end of a whole number need not be digits."""
    zeros = len(printed) - len(printed.rstrip("0")) if "." not in printed else 0
    number = printed[: len(printed) - zeros]
    return rounding(number, unit, Fraction(exact) / 10**zeros) is not None
