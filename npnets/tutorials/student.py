"""The student's version of a chapter: nothing is solved, nothing has run, no test is hidden."""

import re

from npnets.tutorials.exercises import exercises

SOLUTION = "### BEGIN SOLUTION", "### END SOLUTION"
HIDDEN = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"
STUBS = {
    "code": ("# YOUR CODE HERE", "raise NotImplementedError()"),  # nbgrader's own words
    "markdown": ("YOUR ANSWER HERE",),
}


def student(notebook):
    """Return a notebook without solutions, hidden tests and outputs.

    One without exercises, such as 00_start_here, is for reading: it is returned as it is. Raises
    ValueError where a region begins twice, or does not end.
    """
    if not exercises(notebook):
        return notebook
    metadata = {name: v for name, v in notebook["metadata"].items() if name != "npnets"}
    return {**notebook, "metadata": metadata, "cells": [unsolved(c) for c in notebook["cells"]]}


def unsolved(cell):
    """Return a cell as a student gets it."""
    stub = STUBS.get(cell["cell_type"], ())
    source = replace(cell["source"], SOLUTION, stub)
    marks = cell["metadata"].get("nbgrader", {})
    if marks.get("solution") and source == cell["source"]:  # no region: all of it is the solution
        source = "\n".join(stub)
    cell = {**cell, "source": replace(source, HIDDEN, ())}
    if cell["cell_type"] == "code":
        cell |= {"execution_count": None, "outputs": []}
    return cell


def replace(source, marks, instead):
    """Return a text with other lines for each region between two marks, the marks included."""
    begin, end = marks
    lines, within = [], False
    for line in source.split("\n"):
        if begin in line:
            if within:
                raise ValueError(f"{begin!r} comes twice without {end!r} between")
            within, indent = True, re.match(r"\s*", line)[0]
            lines += [indent + other for other in instead]
        elif end in line:
            if not within:
                raise ValueError(f"{end!r} comes before {begin!r}")
            within = False
        elif not within:
            lines.append(line)
    if within:
        raise ValueError(f"{begin!r} has no {end!r}")
    return "\n".join(lines).rstrip("\n")
