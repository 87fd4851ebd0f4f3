"""The chapters at a glance, and tables of words for terminals and notebooks."""

import re
from dataclasses import dataclass

from npnets.tutorials.chapters import find
from npnets.tutorials.exercises import exercises

READ = re.compile(r"It takes\W+(?:about )?(.+?)(?:,| to read| with )")
ABLE = re.compile(r"^- ((?:.|\n(?! *(?:-|\n)))+)", re.M)


@dataclass(frozen=True)
class Glance:
    """What the first screen of a chapter says, and its notebook."""

    name: str
    title: str
    able: tuple
    read: str
    seconds: float | None
    exercises: int
    notebook: dict


def glances(place=None):
    """Return a Glance of each chapter that was run, in their order."""
    return [glance(chapter) for chapter in find(place) if chapter.notebook.exists()]


def glance(chapter):
    """Return what the first screen of a chapter says."""
    notebook = chapter.read()
    first = notebook["cells"][0]["source"]
    read = READ.search(first)
    return Glance(
        name=chapter.name,
        title=first.partition("\n")[0].removeprefix("# "),
        able=tuple(" ".join(line.split()).rstrip(";.") for line in ABLE.findall(first)),
        read=read[1] if read else "–",
        seconds=notebook["metadata"].get("npnets", {}).get("seconds"),
        exercises=len(exercises(notebook)),
        notebook=notebook,
    )


class Table:
    """Columns of words, {heading: cells}: aligned as text, and as a table where Jupyter asks."""

    def __init__(self, columns):
        self.rows = [list(columns), *map(list, zip(*columns.values(), strict=True))]

    def __repr__(self):
        widths = [max(map(len, column)) for column in zip(*self.rows, strict=True)]
        lines = [
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
            for row in self.rows
        ]
        return "\n".join(line.rstrip() for line in lines)

    def _repr_markdown_(self):
        rows = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in self.rows]
        rows.insert(1, ["---"] * len(rows[0]))
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)
