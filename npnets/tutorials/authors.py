"""What authors do to a chapter. Each returns what was done and what is wrong, in sentences."""

from npnets.tutorials import bar, chapters, execute
from npnets.tutorials.rehearsal import rehearse


def report(act, chapter):
    """Do something to a chapter, and print the outcome; return 1 where something is wrong."""
    try:
        done, wrong = act(chapter)
    except ValueError as error:  # in a cell, say: the other chapters get their turn
        done, wrong = [], [str(error)]
    said = done + (wrong or ["nothing is found wrong"])
    print("\n  ".join([chapter.name, *said]), flush=True)
    return 1 if wrong else 0


def full(chapter):
    """Run a chapter, write its notebook, and say what a program finds wrong with it."""
    made = execute.execute(execute.from_text(chapter.source))
    chapters.write(made, chapter.notebook)
    return [f"ran in {_seconds(made)} s"], bar.problems(made, chapter.name)


def trial(chapter):
    """Run a chapter in the quick mode, rehearse its exercises, and write nothing."""
    made, wrong = rehearse(execute.from_text(chapter.source))
    return [f"ran and rehearsed in {_seconds(made)} s, quick"], wrong


def text(chapter):
    """Write the notebook with the text as it is now, and the outputs as they were."""
    made = execute.with_outputs_of(execute.from_text(chapter.source), chapter.read())
    chapters.write(made, chapter.notebook)
    return ["the outputs are kept"], bar.problems(made, chapter.name)


def check(chapter):
    """Run nothing; say whether notebook and text agree, and what a program finds wrong."""
    wrong = execute.differences(chapter)
    if not chapter.notebook.exists():
        return [], wrong
    notebook = chapter.read()
    return [], wrong + bar.problems(notebook, chapter.name)


def _seconds(notebook):
    return notebook["metadata"]["npnets"]["seconds"]
