"""How far a reader has come in a copy of a chapter, as far as the file tells."""

from npnets.tutorials.chapters import read
from npnets.tutorials.execute import same_text
from npnets.tutorials.exercises import exercises
from npnets.tutorials.student import student


def progress(original, path):
    """Return a few words on the copy at `path` of the notebook `original`."""
    if not path.exists():
        return "–"
    try:
        mine = read(path)
        return _words(original, mine)
    except (ValueError, KeyError, TypeError, AttributeError):
        return "no notebook that can be read"


def _words(original, mine):
    if same_text(mine, original):
        return "copied, with solutions" if exercises(original) else "copied"
    cells = [c for c in mine["cells"] if c["cell_type"] == "code" and c["source"].strip()]
    ran = sum(cell["execution_count"] is not None for cell in cells)
    if not ran and same_text(mine, student(original)):
        return "copied"
    asked, solved = len(exercises(original)), len(passed(original, mine))
    return f"{ran} of {len(cells)} code cells run, {solved} of {asked} exercises solved"


def passed(original, mine):
    """Return the numbers of the exercises whose test, unchanged, passed after their solution ran.

    It tells what is in the file: what was changed since and did not run again is not known.
    """
    by_id = {c["metadata"].get("nbgrader", {}).get("grade_id"): c for c in mine["cells"]}
    found = []
    for exercise in exercises(student(original)):
        solution, test = by_id.get(exercise.id), by_id.get(f"{exercise.id}-test")
        if (
            solution
            and test
            and test["source"] == exercise.test["source"]
            and (test["execution_count"] or 0) > (solution["execution_count"] or 0) > 0
            and not any(o["output_type"] == "error" for o in test["outputs"])
        ):
            found.append(exercise.number)
    return found
