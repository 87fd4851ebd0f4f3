"""The comparison as text: a table for each table, and what came out."""

from collections import Counter
from itertools import groupby

from npnets.papers.compare import DIFFERS, NOT_BUILT, TITLES, VERDICTS, caption

HEADS = "", "", "printed", "exact", "", ""


def tables(cells):
    """Return the text of all tables, in the order of the cells."""
    blocks = []
    for (paper, name), group in groupby(cells, key=lambda cell: (cell.paper, cell.table)):
        number = name if name.startswith("section") else f"table {name}"
        head = f"{TITLES[paper]}, {number}. {caption(paper, name)}"
        blocks.append("\n".join([head, *_lines(list(group))]))
    return "\n\n".join(blocks)


def _lines(cells):
    last, lines = None, [HEADS]
    for cell in cells:
        row, last = ("" if cell.row == last else cell.row), cell.row
        lines.append((row, cell.column, _printed(cell), _exact(cell), cell.verdict, why(cell)))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return [_line(line, widths) for line in lines]


def _line(line, widths):
    """Words to the left, numbers to the right; the reason is as long as it is."""
    row, column, printed, exact, verdict, reason = line
    w = widths
    text = f"  {row:<{w[0]}}  {column:<{w[1]}}  {printed:>{w[2]}}  {exact:>{w[3]}}"
    return f"{text}  {verdict:<{w[4]}}  {reason}".rstrip()


def _printed(cell):
    if not cell.printed:
        return "–"
    if cell.formula is not None:
        return f"{cell.printed} = {number(cell.formula)}"
    return f"{cell.printed} {cell.unit}".rstrip()


def _exact(cell):
    return "–" if cell.exact is None else number(cell.exact, cell.unit)


def number(value, unit=""):
    """A count with commas, a share in percent, a ratio with four decimals; text as it is."""
    if isinstance(value, str):
        return value
    if unit == "%":
        return f"{100 * float(value):.3f} %"
    if value == int(value):
        return f"{int(value):,}"
    return f"{float(value):,.4f}" if value < 1000 else f"{float(value):,.1f}"


def why(cell):
    """Return the reason, and what is counted under the reading that it names."""
    if cell.otherwise is None or cell.otherwise == cell.exact:
        return _reason(cell)
    return f"{cell.reason}: {number(cell.otherwise, cell.unit)}"


def _reason(cell):
    """The reason without what the verdict beside it says already."""
    return cell.reason.removeprefix(f"{NOT_BUILT}: ")


def totals(cells):
    """Return the counts of each verdict, for each paper and for all."""
    papers = {name: [c for c in cells if c.paper == name] for name in TITLES}
    rows = {name: part for name, part in papers.items() if part}
    if len(rows) > 1:
        rows["all"] = cells
    heads = ["", "cells", *VERDICTS]
    lines = [heads]
    for name, part in rows.items():
        count = Counter(cell.verdict for cell in part)
        lines.append([name, f"{len(part)}", *(f"{count[verdict]}" for verdict in VERDICTS)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(f"{c:<{w}}" if k == 0 else f"{c:>{w}}" for k, (c, w) in enumerate(pairs))
        for pairs in (list(zip(line, widths, strict=True)) for line in lines)
    )


def reasons(cells):
    """Return why cells differ or are not built, the most frequent reason first."""
    blocks = []
    for verdict in (DIFFERS, NOT_BUILT):
        part = [cell for cell in cells if cell.verdict == verdict]
        if part:
            count = Counter(map(_reason, part)).most_common()
            blocks += [f"{len(part)} {verdict}:", *(f"  {n:>3}  {text}" for text, n in count)]
    differ = [cell for cell in cells if cell.verdict == DIFFERS]
    met, open_ = sum(c.explained for c in differ), sum(c.unexplained for c in differ)
    if differ:
        blocks.append(
            f"Of {len(differ)} that differ, {met} are what npnets counts when it reads them as "
            f"the reason says, and {open_} are unexplained."
        )
    return "\n".join(blocks)
