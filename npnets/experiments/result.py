"""What an experiment found: tables beside the paper's, verdicts, and a picture."""

import csv
import io
import json
import textwrap
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from npnets.bench import timing
from npnets.extras import require
from npnets.files import whole, write_text

WIDTH = 99  # of what is printed, in characters; a table may be wider


@dataclass(frozen=True)
class Table:
    """Rows of cells under heads. A cell is a str, an int, a float, or None: not known.

    Printed floats have three digits; units belong into the heads. Raises ValueError where a row
    is not as long as the heads.
    """

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple, ...]

    def __post_init__(self):
        for row in self.rows:
            if len(row) != len(self.heads):
                raise ValueError(f"a row needs {len(self.heads)} cells, {self.heads}, got {row}")

    def column(self, head):
        """Return the cells under a head, as they are, not as they are printed."""
        return [row[self.heads.index(head)] for row in self.rows]

    def __str__(self):
        lines = [tuple(map(shown, row)) for row in self.rows]
        heads = [head.split("\n") for head in self.heads]  # a head may have several lines
        tall = max(map(len, heads))
        heads = list(zip(*([""] * (tall - len(head)) + head for head in heads), strict=True))
        widths = [max(map(len, column)) for column in zip(*heads, *lines, strict=True)]
        sides = ["<" if _is_text(self.column(head)) else ">" for head in self.heads]
        form = "  ".join(f"{{:{s}{w}}}" for s, w in zip(sides, widths, strict=True))
        text = [form.format(*line).rstrip() for line in (*heads, *lines)]
        text.insert(tall, "─" * max(map(len, text)))
        return "\n".join([self.caption, *text])


@dataclass(frozen=True)
class Verdict:
    """Whether a claim holds, and the numbers found; where it does not, the reason found.

    An exact verdict follows from counting and is the same everywhere; the others were measured.
    """

    claim: str
    holds: bool
    found: str
    reason: str = ""
    exact: bool = False

    def __str__(self):
        says = "holds" if self.holds else "does not hold"
        where = "" if self.exact else " on this machine"
        because = f", because {self.reason}" if self.reason and not self.holds else ""
        return f"{says}{where}: {self.claim} ({self.found}){because}"


@dataclass(frozen=True)
class Result:
    """An experiment's outcome; prints as text. `measured` is what the tables came from, as
    JSON can hold it; `draw` draws the picture on a matplotlib figure of 8 × 4 inches."""

    name: str
    title: str
    source: str
    tables: tuple[Table, ...]
    verdicts: tuple[Verdict, ...]
    draw: Callable = field(repr=False, compare=False)
    notes: tuple[str, ...] = ()
    measured: dict = field(default_factory=dict, repr=False)
    machine: dict = field(default_factory=timing.describe, repr=False)

    def __str__(self):
        parts = ["\n".join([*_wrapped(self.title), *_wrapped(self.source)])]
        parts += map(str, self.tables)
        parts.append("\n".join(line for v in self.verdicts for line in _wrapped(str(v), "▸ ")))
        notes = [*self.notes, timing.machine_line(self.machine)]
        parts.append("\n".join(line for note in notes for line in _wrapped(note)))
        return "\n\n".join(part for part in parts if part)

    def save(self, folder):
        """Write NAME.json, NAME.csv (NAME-2.csv, … for further tables) and NAME.png.

        Return the paths. Raises ImportError without matplotlib, after the numbers are written.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / f"{self.name}.json"]
        write_text(paths[0], json.dumps(self.record(), indent=1, ensure_ascii=False) + "\n")
        for number, table in enumerate(self.tables, 1):
            paths.append(folder / f"{self.name}{f'-{number}' if number > 1 else ''}.csv")
            write_text(paths[-1], _csv(table))
        paths.append(folder / f"{self.name}.png")
        self._draw(paths[-1])
        return paths

    def record(self):
        """Return everything but the picture as numbers, strings, lists and dicts, for JSON."""
        names = "name", "title", "source", "notes", "measured", "machine"
        parts = {name: getattr(self, name) for name in names}
        parts["tables"] = [asdict(table) for table in self.tables]
        verdicts = [{**asdict(v), "holds": bool(v.holds)} for v in self.verdicts]  # not NumPy's
        return parts | {"verdicts": verdicts}

    def _draw(self, path):
        require("matplotlib")
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 4), layout="constrained")
        FigureCanvasAgg(figure)
        self.draw(figure)
        with whole(path) as beside:
            figure.savefig(beside, dpi=150)


def shown(cell):
    """Return a cell as it is printed: 1,234 for an int, three digits for a float, – for None."""
    if cell is None:
        return "–"
    if not isinstance(cell, float):
        return str(cell) if isinstance(cell, str | bool) else f"{cell:,}"
    size = abs(cell)
    if cell and size < 0.001:
        return f"{cell:.1e}"
    return f"{cell:,.{3 if size < 0.9995 else 2 if size < 9.995 else 1 if size < 99.95 else 0}f}"


def _is_text(cells):
    return all(isinstance(cell, str) or cell is None for cell in cells)


def _wrapped(text, mark=""):
    return textwrap.wrap(
        text, WIDTH, initial_indent=mark, subsequent_indent=" " * len(mark), break_long_words=False
    )


def _csv(table):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head.replace("\n", " ") for head in table.heads)
    writer.writerows(table.rows)
    return text.getvalue()
