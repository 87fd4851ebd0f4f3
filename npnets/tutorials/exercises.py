"""What a chapter asks: statement, solution and test of each exercise, in nbgrader's format."""

import re
from dataclasses import dataclass, field

KINDS = "warm-up", "derivation", "code", "measurement", "bug hunt", "open"
HEADINGS = re.compile(r"^#+ .*", re.M)
HEADING = re.compile(r"### Exercise (\d+\.\d+) \((.+), (\d+) points?\)")


@dataclass
class Exercise:
    """An exercise, and its cells in their order."""

    number: str
    kind: str
    points: int
    cells: list = field(default_factory=list)

    @property
    def id(self):
        """The name that its cells go by: ex-1-3."""
        return "ex-" + self.number.replace(".", "-")

    @property
    def solution(self):
        """The code cell with the solution, or None."""
        return next((cell for cell in self.cells if is_code(cell, "solution")), None)

    @property
    def test(self):
        """The code cell with the test, or None."""
        return next((cell for cell in self.cells if is_code(cell, "grade")), None)

    @property
    def text(self):
        """Statement and hint."""
        return "\n\n".join(c["source"] for c in self.cells if c["cell_type"] == "markdown")


def is_code(cell, role):
    """Return whether nbgrader knows a code cell as "solution", or as one to "grade"."""
    marks = cell["metadata"].get("nbgrader", {})
    return cell["cell_type"] == "code" and bool(marks.get(role))


def exercises(notebook):
    """Return the exercises of a notebook. One ends where a cell has another heading."""
    found, current = [], None
    for cell in notebook["cells"]:
        headings = HEADINGS.findall(cell["source"]) if cell["cell_type"] == "markdown" else []
        if headings:
            heading = HEADING.match(headings[-1])
            current = heading and Exercise(heading[1], heading[2], int(heading[3]))
            if current:
                found.append(current)
        if current:
            current.cells.append(cell)
    return found
