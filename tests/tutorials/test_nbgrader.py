"""nbgrader makes the same student's version, and grades what comes back."""

import csv
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
    """A course of the sample and all chapters with exercises.

    Anna hands in all solutions. Bo hands in the sample as it was given to him. The hidden tests
    are back when nbgrader grades, and everything runs.
    """
    folder = tmp_path_factory.mktemp("course")
    for chapter in with_exercises(ran):
        source = folder / "source" / chapter.name
        source.mkdir(parents=True)
        shutil.copy(chapter.notebook, source)
        nbgrader("generate_assignment", chapter.name, course=folder)
        shutil.copytree(source, folder / "submitted" / "anna" / chapter.name)
        if chapter is ran[0]:
            released = folder / "release" / chapter.name
            shutil.copytree(released, folder / "submitted" / "bo" / chapter.name)
        nbgrader("autograde", chapter.name, "--Execute.timeout=120", course=folder)
    nbgrader("export", course=folder)
    return folder


def with_exercises(ran):
    there = [c for c in chapters.find() if c.notebook.exists() and exercises(c.read())]
    return [ran[0], *there]


def nbgrader(action, *arguments, course):
    """Run nbgrader, which looks for programs of its own environment in the PATH."""
    command = [sys.executable, "-m", "nbgrader", action, *arguments, f"--course={course}"]
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "NPNETS_QUICK": "1"}
    done = subprocess.run(command, cwd=course, env=environment,
                          capture_output=True, encoding="utf-8", check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_it_gives_students_the_same_cells(course, ran):
    for chapter in with_exercises(ran):
        theirs = chapters.read(course / "release" / chapter.name / chapter.notebook.name)
        ours = student(chapter.read())
        for cell, other in zip(ours["cells"], theirs["cells"], strict=True):
            assert cell["source"] == other["source"]
            assert cell.get("outputs") == other.get("outputs")


def test_it_grades_solutions_in_full_and_stubs_with_nothing(course, ran):
    with open(course / "grades.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    scores = {
        (row["student_id"], row["assignment"]): (float(row["raw_score"]), float(row["max_score"]))
        for row in rows
    }
    for chapter in with_exercises(ran):
        points = sum(exercise.points for exercise in exercises(chapter.read()))
        assert scores["anna", chapter.name] == (points, points)
    assert scores["bo", ran[0].name] == (0, 6)
