"""Does each test notice that its solution is missing, and does each solution stand alone?

Both are asked in one kernel. After the whole chapter has run, solved, each exercise in turn loses
its solution, and its test must fail. Then, from the last exercise to the first, one solution comes
back while all earlier ones are missing, its test must pass, and it is taken away again. (That none
needs a later one was seen when the chapter ran from top to bottom.)
"""

import symtable

from npnets.tutorials.execute import execute
from npnets.tutorials.exercises import exercises
from npnets.tutorials.student import unsolved

FAIL, PASS = "must fail", "must pass"


def rehearse(notebook, quick=True, timeout=60):
    """Run a notebook and the rehearsal of its exercises; return (run, what went wrong).

    `run` is the notebook with outputs, as from execute; what went wrong is a list of sentences.
    """
    asked = [e for e in exercises(notebook) if e.solution and e.test]
    added = [cell for exercise in asked for cell in _taken_away(exercise)]
    added += [cell for exercise in reversed(asked) for cell in _put_back(exercise)]
    added = [{**cell, "id": f"rehearsal-{number}"} for number, cell in enumerate(added)]
    count = len(notebook["cells"])
    run = execute({**notebook, "cells": notebook["cells"] + added}, quick, timeout)
    wrong = [said for cell in run["cells"][count:] if (said := _verdict(cell))]
    return {**run, "cells": run["cells"][:count]}, wrong


def _taken_away(exercise):
    test = unsolved(exercise.test)["source"]
    return [_without(exercise), _cell(test, exercise, FAIL)]


def _put_back(exercise):
    solution, test = exercise.solution["source"], exercise.test["source"]
    return [_cell(solution, exercise), _cell(test, exercise, PASS), _without(exercise)]


def _without(exercise):
    """Return a cell that forgets what the solution has defined, and runs the student's cell."""
    names = _defined(exercise.solution["source"])
    forget = f"for _name in {names}:\n    globals().pop(_name, None)\n"
    return _cell(forget + unsolved(exercise.solution)["source"], exercise)


def _defined(source):
    """Return the global names that code defines."""
    symbols = symtable.symtable(source, "solution", "exec").get_symbols()
    return sorted(s.get_name() for s in symbols if s.is_assigned() or s.is_imported())


def _cell(source, exercise, expected=None):
    """Return a cell that may fail without ending the run."""
    metadata = {"tags": ["raises-exception"], "rehearsal": [exercise.number, expected]}
    return {
        "cell_type": "code", "metadata": metadata, "source": source,
        "execution_count": None, "outputs": [],
    }  # fmt: skip


def _verdict(cell):
    """Return what is wrong with how a cell of the rehearsal ended, or None."""
    number, expected = cell["metadata"]["rehearsal"]
    errors = [o for o in cell["outputs"] if o["output_type"] == "error"]
    if expected == FAIL and not errors:
        return f"the test of exercise {number} passes without its solution"
    if expected == PASS and errors:
        name, value = errors[0]["ename"], errors[0]["evalue"]
        return f"exercise {number} needs the solution of an earlier one: {name}: {value}"
    return None
