"""The student's version: what is missing from it, what is not, and what is refused."""

import json

import pytest

from npnets.tutorials import student
from npnets.tutorials.exercises import exercises


def test_a_region_becomes_a_stub_with_the_same_indent():
    region = "    ### BEGIN SOLUTION\n    y = x\n    ### END SOLUTION\n"
    source = f"def f(x):\n    y = 1\n{region}    return y"
    cell = {"cell_type": "code", "metadata": {}, "source": source, "outputs": [1]}
    made = student.unsolved(cell)
    assert made["source"] == (
        "def f(x):\n    y = 1\n    # YOUR CODE HERE\n    raise NotImplementedError()\n    return y"
    )
    assert made["outputs"] == []
    assert made["execution_count"] is None
    assert cell["source"] == source
    assert cell["outputs"] == [1]


def test_a_solution_without_a_region_is_a_solution_as_a_whole():
    marks = {"nbgrader": {"solution": True}}
    cell = {"cell_type": "markdown", "metadata": marks, "source": "dx is dy, flipped."}
    assert student.unsolved(cell)["source"] == "YOUR ANSWER HERE"
    assert student.unsolved({**cell, "metadata": {}})["source"] == "dx is dy, flipped."


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("### BEGIN SOLUTION\n1", "'### BEGIN SOLUTION' has no '### END SOLUTION'"),
        ("1\n### END SOLUTION", "'### END SOLUTION' comes before '### BEGIN SOLUTION'"),
        ("### BEGIN SOLUTION\n### BEGIN SOLUTION", "comes twice without"),
        ("### BEGIN HIDDEN TESTS\n1", "'### BEGIN HIDDEN TESTS' has no"),
    ],
)
def test_marks_that_do_not_pair_are_refused(source, said):
    cell = {"cell_type": "code", "metadata": {}, "source": source, "outputs": []}
    with pytest.raises(ValueError, match=said):
        student.unsolved(cell)


def test_the_sample_loses_its_solutions_hidden_tests_and_outputs(notebook):
    before = json.dumps(notebook)
    text = json.dumps(student.student(notebook))
    assert json.dumps(notebook) == before
    kept = "def add(a, b)", "assert add(1, 2) == 3", "result = 0", "98.4 (bug hunt", "PIXEL = ("
    lost = "# the sign", "a hidden number", "5050", "def triangle", "4 numbers, ", "SOLUTION"
    for part in kept + lost:
        assert part in before
        assert (part in text) == (part in kept)


def test_exercises_are_found_with_their_cells(notebook):
    found = exercises(notebook)
    assert [(e.number, e.kind, e.points) for e in found] == [
        ("98.1", "warm-up", 1),
        ("98.2", "derivation", 2),
        ("98.3", "code", 2),
        ("98.4", "bug hunt", 1),
    ]
    assert found[1].id == "ex-98-2"
    assert found[1].solution["source"].startswith("### BEGIN SOLUTION\ndef triangle")
    assert "triangle(3) == 6" in found[1].test["source"]
    assert "Pair the first" in found[1].text
    assert len(found[3].cells) == 3
