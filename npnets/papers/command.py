"""The command `npnets papers`."""

import csv
import dataclasses
import io

from npnets.files import write_text
from npnets.papers import report
from npnets.papers.compare import DIFFERS, MODULES, Cell, compare

LEGEND = """\
exact: rounded to the digits printed. cut off: the digits behind them left out. not built: there
is nothing to count. not printed: the paper leaves it to the reader to count it."""


def add_options(parser):
    """Add the options of `npnets papers` to its parser."""
    add = parser.add_argument
    add("paper", nargs="?", metavar="PAPER", help=f"{', '.join(MODULES)}; default: all four")
    add("--table", metavar="N", help='one table, such as 4, or "section 3.2"')
    add("--differences", action="store_true", help="only the cells that differ")
    add("--csv", metavar="FILE", help="write all cells to this file, too")


def command(args):
    """Print each table beside what npnets counts, how many agree, and why others do not."""
    cells = compare(args.paper, args.table)
    shown = [c for c in cells if c.verdict == DIFFERS] if args.differences else cells
    for text in (report.tables(shown), report.totals(cells), LEGEND, report.reasons(cells)):
        if text:
            print(text + "\n")
    if args.csv:
        write_csv(cells, args.csv)
        print(f"{len(cells)} cells are in {args.csv}")


def write_csv(cells, path):
    """Write one line for each cell; shares and ratios as decimal numbers."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in dataclasses.fields(Cell)]
    writer.writerow(names)
    for cell in cells:
        writer.writerow([_plain(getattr(cell, name)) for name in names])
    write_text(path, text.getvalue())


def _plain(value):
    if value is None or isinstance(value, str | int):
        return value
    return int(value) if value == int(value) else f"{float(value):.6g}"
