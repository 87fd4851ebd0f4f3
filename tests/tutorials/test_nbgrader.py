"""nbgrader makes the same student's version, and grades what comes back."""

import os
import shutil
import subprocess
import sys
import sysconfig

import pytest

from npnets.tutorials import chapters
from npnets.tutorials.exercises import exercises
from npnets.tutorials.student import student

pytest.importorskip("nbgrader")


@pytest.fixture(scope="module")
def course(ran, tmp_path_factory):
    """A course whose source are the sample and all chapters with exercises, graded for two.

    Anna hands in the solutions, Bo what he was given. The hidden tests are back when nbgrader
    grades. Only the sample is graded, since grading runs all cells twice.
    """
    folder = tmp_path_factory.mktemp("course")
    for chapter in with_exercises(ran):
        source = folder / "source" / chapter.name
        source.mkdir(parents=True)
        shutil.copy(chapter.notebook, source)
        nbgrader("generate_assignment", chapter.name, course=folder)
    name = ran[0].name
    for who, handed_in in (("anna", "source"), ("bo", "release")):
        place = folder / "submitted" / who
        shutil.copytree(folder / handed_in / name, place / name)
    nbgrader("autograde", name, course=folder)
    nbgrader("export", course=folder)
    return folder


def with_exercises(ran):
    there = [c for c in chapters.find() if c.notebook.exists() and exercises(c.read())]
    return [ran[0], *there]


def nbgrader(action, *arguments, course):
    """Run nbgrader, which looks for programs of its own environment in the PATH."""
    command = [sys.executable, "-m", "nbgrader", action, *arguments, f"--course={course}"]
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    done = subprocess.run(command, cwd=course, env={**os.environ, "PATH": path},
                          capture_output=True, encoding="utf-8", check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_it_gives_students_the_same_cells(course, ran):
    for chapter in with_exercises(ran):
        theirs = chapters.read(course / "release" / chapter.name / chapter.notebook.name)
        ours = student(chapter.read())
        for cell, other in zip(ours["cells"], theirs["cells"], strict=True):
            assert cell["source"] == other["source"]
            assert cell.get("outputs") == other.get("outputs")


def test_it_grades_solutions_in_full_and_stubs_with_nothing(course):
    head, *rows = (course / "grades.csv").read_text(encoding="utf-8").splitlines()
    columns = head.split(",")
    scores = {}
    for row in rows:
        cells = dict(zip(columns, row.split(","), strict=True))
        if cells["assignment"] == "98_sums":
            scores[cells["student_id"]] = float(cells["raw_score"]), float(cells["max_score"])
    assert scores == {"anna": (6.0, 6.0), "bo": (0.0, 6.0)}
