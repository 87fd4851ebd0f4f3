"""Every chapter: it runs, its exercises hold, its outputs are its own, and it meets the bar."""

import json

import pytest
from sample import npnets_tutorials

from npnets.tutorials import bar, chapters, execute
from npnets.tutorials.exercises import exercises
from npnets.tutorials.student import student

CHAPTERS = chapters.find()
chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=[c.name for c in CHAPTERS])


@chapter
def test_it_runs_and_its_exercises_are_rehearsed(chapter):
    """Quick, in a fresh kernel, in an empty folder, without a network, each cell within 60 s."""
    done = npnets_tutorials("run", chapter.name, "--quick")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nothing is found wrong" in done.stdout


@chapter
def test_its_text_and_its_outputs_are_those_of_its_code(chapter):
    assert execute.differences(chapter) == []


@chapter
def test_it_meets_the_bar(chapter):
    assert bar.problems(chapter.read(), chapter.name) == []


@chapter
def test_the_students_version_holds_no_line_of_a_solution_or_hidden_test(chapter):
    notebook = chapter.read()
    hidden, open_ = set(), set()
    for cell in notebook["cells"]:
        within = False
        for line in cell["source"].splitlines():
            within |= "### BEGIN" in line
            (hidden if within else open_).add(line.strip())
            within &= "### END" not in line
    cells = [cell["source"] for cell in student(notebook)["cells"]]
    given = {line.strip() for cell in cells for line in cell.splitlines()}
    lines = hidden - open_ - {""}
    assert len(lines) > 2 * len(exercises(notebook)) or not exercises(notebook)
    assert lines & given == set()
    long = [line for line in lines if len(line) > 20]  # shorter ones are parts of others by chance
    assert [line for line in long if any(line in cell for cell in cells)] == []


def test_the_map_and_the_notes_for_teachers_are_of_all_chapters():
    start, *others = [chapter for chapter in CHAPTERS if chapter.notebook.exists()]
    assert start.name == "00_start_here"
    printed = json.dumps([c.get("outputs") for c in start.read()["cells"]], ensure_ascii=False)
    notes = (start.folder / "TEACHING.md").read_text(encoding="utf-8")
    for chapter in others:
        assert f"({chapter.name}.ipynb)" in printed
        title = chapter.read()["cells"][0]["source"].partition("\n")[0]
        assert f"#{title}\n" in notes  # ## 1 · Sliding windows
