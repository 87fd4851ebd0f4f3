"""What a program can check of a good chapter. The rest needs a reader."""

import json
import re
import socket

from npnets.tutorials import bar_code
from npnets.tutorials.exercises import KINDS, exercises
from npnets.tutorials.student import HIDDEN, SOLUTION, replace

WORDS = 1500, 3000
EXERCISES = 4, 8
BYTES = 1_500_000
SECONDS = 180
FIRST_SCREEN = "After this chapter you can", "You need", "It takes", "download", "It leaves out"
TAKES = re.compile(r"(?:(\d+) s|(under|about) (a|two|three) minutes?) to run")
MINUTES = {"a": 1, "two": 2, "three": 3}
CAPTION = re.compile(r"\*Figures? \d+\.\d+(?:(?:, | and )\d+\.\d+)*\.")
TAG, ALT = re.compile(r"<img[^>]*>|!\[[^\]]*\]"), re.compile(r'(?:\balt="|!\[)([^"\]]*)')
ENDING = "Exercises", "What we now know", "What was measured", "Next question"
MANNERISMS = re.compile(
    r"\b(simply|let's|let us|obviously|amazing|powerful|beautiful|elegant|blazing)\b", re.I
)
DURATION = re.compile(r"[\d.]+ ?(?:ns|µs|us|ms)\b|[\d.]+ s\b")
IMAGE = re.compile(r"data:image/[^\"]*")
PRIVATE = re.compile(r"(?<![\w./])/\w[\w.-]*/\w|\b[A-Z]:\\\w|\b0x[0-9a-f]{6,}\b")


def problems(notebook, name):
    """Return what is wrong with the notebook of a chapter: a list of sentences.

    00_start_here is held to what all notebooks are; a chapter, to the bar.
    """
    checks = OF_ALL if name.startswith("00") else OF_ALL + OF_CHAPTERS
    return [said for check in checks for said in check(notebook)]


def words(notebook):
    """Return how many words of prose there are: what holds a letter or digit, tags left out."""
    prose = re.sub(r"<[^>]+>", " ", "\n".join(_prose(notebook)))
    return len([word for word in prose.split() if re.search(r"\w", word)])


def _prose(notebook):
    return [c["source"] for c in notebook["cells"] if c["cell_type"] == "markdown"]


def _outputs(notebook):
    """Yield each output with the number of its cell; the first cell is 1."""
    for number, cell in enumerate(notebook["cells"], 1):
        for output in cell.get("outputs", ()):
            yield number, output


def _pictures(output):
    """Return the alt text of each picture in an output."""
    data, about = output.get("data", {}), output.get("metadata", {})
    page = data.get("text/html", "") + data.get("text/markdown", "")
    alts = [found[1] if (found := ALT.search(tag)) else "" for tag in TAG.findall(page)]
    images = [kind for kind in data if kind.startswith("image/")]
    return alts or [about.get(kind, {}).get("alt", "") for kind in images]


def size(notebook):
    """The file is small enough to be opened and sent."""
    count = len(json.dumps(notebook, ensure_ascii=False, indent=1).encode())
    if count > BYTES:
        yield f"{count:,} bytes are more than {BYTES:,}"


def outputs(notebook):
    """Outputs are results: no widgets, errors, warnings; nothing of the machine they come from."""
    host = socket.gethostname()
    for number, output in _outputs(notebook):
        text = "".join(map(str, (output.get("text", ""), *_texts_of(output))))
        if output["output_type"] == "error":
            yield f"cell {number} ends with {output['ename']}"
        if output.get("name") == "stderr":
            yield f"cell {number} writes to stderr: {text.strip()[:80]}"
        if any("widget" in kind for kind in output.get("data", {})):
            yield f"cell {number} shows a widget"
        if found := PRIVATE.search(text):
            yield f"cell {number} shows a path or an address: {found[0]}"
        if len(host) > 5 and host in text:
            yield f"cell {number} shows the name of the machine"


def _texts_of(output):
    data = {kind: str(value) for kind, value in output.get("data", {}).items()}
    return [IMAGE.sub("", value) for kind, value in data.items() if "image" not in kind]


def alternatives(notebook):
    """Each picture says in words what it shows."""
    for number, output in _outputs(notebook):
        if any(len(alt) < 20 for alt in _pictures(output)):
            yield f"cell {number} shows a picture without an alt text"


def first_screen(notebook):
    """The first cell promises; the second imports."""
    first, second = notebook["cells"][:2]
    if not re.match(r"# \d+ · \w", first["source"]):
        yield "the first cell has no title such as # 1 · Sliding windows"
    for phrase in FIRST_SCREEN:
        if phrase not in first["source"]:
            yield f"the first cell does not say {phrase!r}"
    if second["cell_type"] != "code" or "QUICK" not in second["source"]:
        yield "the second cell does not import QUICK"


def time_stated(notebook):
    """The first screen gives the time that was measured, within a factor of two, or a bound."""
    taken = notebook["metadata"].get("npnets", {}).get("seconds")
    stated = TAKES.search(notebook["cells"][0]["source"])
    if not stated:
        yield "the first cell does not say '... s to run' or 'under a minute to run'"
    if taken is None:
        yield "the time of the run is not in the metadata"
    if stated and taken is not None and not _true(taken, *stated.groups()):
        yield f"it says {stated[0]}, and took {taken} s"
    if taken is not None and taken > SECONDS:
        yield f"it takes {taken} s, more than {SECONDS}"


def _true(taken, seconds, how, minutes):
    """Return whether a run took about so many seconds or minutes, or less."""
    stated = int(seconds) if seconds else 60 * MINUTES[minutes]
    if how == "under":
        return taken < stated
    return taken / 2 - 5 <= stated <= 2 * taken + 5


def prose(notebook):
    """The text is of the right length and manner, and names no duration that it cannot know."""
    count = words(notebook)
    if not WORDS[0] <= count <= WORDS[1]:
        yield f"{count} words are not {WORDS[0]} to {WORDS[1]}"
    for number, cell in enumerate(notebook["cells"], 1):
        if cell["cell_type"] != "markdown":
            continue
        if found := MANNERISMS.search(cell["source"]):
            yield f"cell {number} says {found[0]!r}"
        if number > 1 and (found := DURATION.search(cell["source"])):
            yield f"cell {number} names the digits of a timing: {found[0]!r}"


def sections(notebook):
    """The sections of chapter 1 are numbered 1.1, 1.2 and so on."""
    found = re.findall(r"^## (\d+)\.(\d+) ", "\n".join(_prose(notebook)), re.M)
    yield from _numbered("section", found, notebook)


def captions(notebook):
    """The text after a picture begins with its caption, and figures are numbered in order.

    Two pictures may share one: *Figures 1.2 and 1.3. ...*
    """
    found, waiting = [], []
    for number, cell in enumerate(notebook["cells"], 1):
        if any(_pictures(output) for output in cell.get("outputs", ())):
            waiting.append(number)
        elif cell["cell_type"] == "markdown":
            caption = CAPTION.match(cell["source"])
            named = re.findall(r"(\d+)\.(\d+)", caption[0]) if caption else []
            found += named
            if len(named) != len(waiting):
                yield f"the pictures of cells {waiting} have the captions {named}"
            waiting = []
    if waiting:
        yield f"the pictures of cells {waiting} have no captions"
    yield from _numbered("figure", found, notebook)


def _numbered(kind, pairs, notebook):
    """Say so where pairs such as ("1", "2") are not 1.1, 1.2, ... of the chapter's number."""
    chapter = re.match(r"# (\d+)", notebook["cells"][0]["source"])
    expected = [f"{chapter[1] if chapter else '?'}.{k}" for k in range(1, len(pairs) + 1)]
    found = [".".join(pair) for pair in pairs]
    if not found:
        yield f"there is no {kind}"
    if found != expected:
        yield f"the {kind}s are numbered {', '.join(found)}"


def tasks(notebook):
    """There are enough exercises; each has a hint, a solution, a test, and points that agree."""
    found = exercises(notebook)
    if not EXERCISES[0] <= len(found) <= EXERCISES[1]:
        yield f"{len(found)} exercises are not {EXERCISES[0]} to {EXERCISES[1]}"
    yield from _numbered("exercise", [e.number.split(".") for e in found], notebook)
    if not any(e.test and HIDDEN[0] in e.test["source"] for e in found):
        yield "no test is hidden"
    for exercise in found:
        for said in _of_exercise(exercise):
            yield f"exercise {exercise.number} {said}"


def _of_exercise(exercise):
    solution, test = exercise.solution, exercise.test
    if exercise.kind not in KINDS:
        yield f"is of no known kind: {exercise.kind}"
    if "<summary>Hint</summary>" not in exercise.text:
        yield "has no hint"
    if solution is None or test is None:
        yield "lacks a solution or a test"
        return
    marks = [cell["metadata"]["nbgrader"] for cell in (solution, test)]
    if [mark.get("grade_id") for mark in marks] != [exercise.id, f"{exercise.id}-test"]:
        yield f"is not called {exercise.id} and {exercise.id}-test in its metadata"
    if marks[1].get("points") != exercise.points:
        given = marks[1].get("points")
        yield f"gives {exercise.points} points in its heading, {given} in its test"
    if SOLUTION[0] not in solution["source"]:
        yield "marks no solution"
    if "assert" not in replace(test["source"], HIDDEN, ()):
        yield "shows no assertion"


def ending(notebook):
    """It ends with the exercises, three things known, a table of what was measured, a question."""
    text = "\n".join(_prose(notebook))
    places = [re.search(rf"^(?:##+ |\*\*){title}", text, re.M) for title in ENDING]
    for title, place in zip(ENDING, places, strict=True):
        if not place:
            yield f"there is no heading {title!r}"
    if not all(places):
        return
    starts = [place.start() for place in places]
    if starts != sorted(starts):
        yield f"the last headings are not in the order {', '.join(ENDING)}"
    known = text[places[1].end() : starts[2]].strip()
    if len(re.findall(r"^(?:[-*]|\d\.) ", known, re.M)) != 3:
        yield "'What we now know' is not a list of three"
    yield from _measured(notebook)


def _measured(notebook):
    """Say so where no cell prints a table under 'What was measured'."""
    within, shown = False, False
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            within |= "What was measured" in cell["source"]
            within &= "Next question" not in cell["source"]
        shown |= within and bool(cell.get("outputs"))
    if not shown:
        yield "no cell prints what was measured"


OF_ALL = size, outputs, alternatives, *bar_code.OF_ALL
OF_CHAPTERS = (
    first_screen, time_stated, prose, sections, captions, tasks, ending, *bar_code.OF_CHAPTERS,
)  # fmt: skip
