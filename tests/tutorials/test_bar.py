"""The bar, as far as a program holds it: the sample passes, and each flaw is told, alone."""

import socket

import pytest

from npnets.tutorials import bar
from npnets.tutorials.exercises import exercises

ALT = {"image/png": {"alt": "One pixel, grey, on its own."}}
SEED = "rng = np.random.default_rng(0)\n"


def cell(notebook, part):
    """Return the first cell with this in its source."""
    return next(cell for cell in notebook["cells"] if part in cell["source"])


def change(old, new):
    """Return what changes the first cell that holds a text."""

    def changed(notebook):
        found = cell(notebook, old)
        found["source"] = found["source"].replace(old, new)

    return changed


def add(source, **output):
    """Return what adds a cell of code, and perhaps an output, before the exercises."""

    def changed(notebook):
        place = notebook["cells"].index(cell(notebook, "## Exercises"))
        outputs = [output] if output else []
        made = {"cell_type": "code", "metadata": {}, "source": source, "outputs": outputs}
        notebook["cells"].insert(place, made)

    return changed


def drop(part):
    return lambda notebook: notebook["cells"].remove(cell(notebook, part))


def mark(part, **marks):
    return lambda notebook: cell(notebook, part)["metadata"]["nbgrader"].update(marks)


def took(seconds):
    return lambda notebook: notebook["metadata"].update({"npnets": {"seconds": seconds}})


def printed(text, name="stdout"):
    return add("1", output_type="stream", name=name, text=text)


def shown(kind, data="", metadata=None):
    return add("1", output_type="display_data", data={kind: data}, metadata=metadata or {})


def no_hidden_tests(notebook):
    for exercise in exercises(notebook):
        exercise.test["source"] = exercise.test["source"].replace("HIDDEN TESTS", "")


def silent(notebook):
    cell(notebook, 'print(f"numbers')["outputs"] = []


FLAWS = [
    (printed("x" * 1_500_000), "bytes are more than 1,500,000"),
    (printed("in /home/me/npnets"), "cell 7 shows a path or an address: /home/m"),
    (printed("File 'C:\\Users'"), "cell 7 shows a path or an address: C:\\U"),
    (printed("<Figure at 0x7f3a10b2c0>"), "cell 7 shows a path or an address: 0x7f3a10b2c0"),
    (printed("on " + "of " + "machine-of-mine"), "cell 7 shows the name of the machine"),
    (printed("a warning", "stderr"), "cell 7 writes to stderr: a warning"),
    (add("1", output_type="error", ename="KeyError", evalue=""), "cell 7 ends with KeyError"),
    (shown("application/vnd.jupyter.widget-view+json"), "cell 7 shows a widget"),
    (add(f"x = '{'x' * 99}'"), "cell 7 has a line of 105 characters, more than 99"),
    (add("!ls"), "cell 7 is no plain Python: invalid syntax"),
    (add("import torch.nn"), "cell 7 imports torch.nn"),
    (add("from scipy import signal"), "cell 7 imports scipy"),
    (add("x = 1\n" * 31), "cell 7 has 31 lines, more than 30"),
    (add("np.random.seed(0)"), "cell 7 uses np.random.seed"),
    (add(SEED.replace("0", "")), "cell 7 makes a generator without a seed"),
    (add("rng.normal()"), "cell 7 draws from rng, which another cell has made"),
    (add("def f():\n    return rng.normal()"), "draws from rng, which another cell has made"),
    (change("# 98 · Sums", "# Sums"), "the first cell has no title such as"),
    (change("It leaves out", "Without"), "the first cell does not say 'It leaves out'"),
    (change("QUICK", "quick"), "the second cell does not import QUICK"),
    (change("3 s to run", "3 s"), "does not say '... s to run' or"),
    (took(90), "it says 3 s to run, and took 90 s"),
    (change("3 s to run", "90 s to run"), "it says 90 s to run, and took"),
    (took(None), "the time of the run is not in the metadata"),
    (change("The window moves", "Obviously the window moves"), "cell 3 says 'Obviously'"),
    (change("## 98.1 The", "## 98.2 The"), "the sections are numbered 98.2"),
    (change("## 98.1 The", "## The"), "there is no section"),
    (change("*Figure 98.1.", "*Figure 98.3."), "the figures are numbered 98.3"),
    (change("*Figure 98.1.", "Figure 98.1:"), "the pictures of cells [4] have the captions []"),
    (change("is a sign", "is, in 3 ms, a sign"), "names the digits of a timing: '3 ms'"),
    (change("a sign", "after 12 s a sign"), "names the digits of a timing: '12 s'"),
    (drop("98.4 (bug hunt"), "3 exercises are not 4 to 8"),
    (change("98.4 (bug hunt", "98.5 (bug hunt"), "numbered 98.1, 98.2, 98.3, 98.5"),
    (change("(bug hunt", "(riddle"), "exercise 98.4 is of no known kind: riddle"),
    (change("<summary>Hint</summary>", ""), "exercise 98.1 has no hint"),
    (drop("assert add"), "exercise 98.1 lacks a solution or a test"),
    (mark("assert add", points=3), "exercise 98.1 gives 1 points in its heading, 3 in its test"),
    (mark("assert add", grade_id="x"), "exercise 98.1 is not called ex-98-1 and ex-98-1-test"),
    (change("### BEGIN SOLUTION\n    return a", "return a"), "exercise 98.1 marks no solution"),
    (no_hidden_tests, "no test is hidden"),
    (change("assert add(1, 2) == 3", "add"), "exercise 98.1 shows no assertion"),
    (change("**What was measured**", "Measured"), "there is no heading 'What was measured'"),
    (change("3. Nothing was", "Nothing was"), "'What we now know' is not a list of three"),
    (silent, "no cell prints what was measured"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def host(monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: "machine-of-mine")


def test_the_sample_meets_the_bar(notebook):
    assert bar.problems(notebook, "98_sums") == []


@pytest.mark.parametrize(("flaw", "said"), FLAWS, ids=[said for _, said in FLAWS])
def test_each_flaw_is_told(notebook, flaw, said):
    flaw(notebook)
    found = bar.problems(notebook, "98_sums")
    assert any(said in problem for problem in found), found


def test_a_picture_needs_an_alternative(notebook):
    shown("image/gif", "R0lGOD")(notebook)
    found = bar.problems(notebook, "00_start_here")
    assert found == ["cell 7 shows a picture without an alt text"]
    notebook["cells"][6]["outputs"][0]["metadata"] = {"image/gif": ALT["image/png"]}
    assert bar.problems(notebook, "00_start_here") == []


@pytest.mark.parametrize(
    ("kind", "form"),
    [("text/html", '<p><img src="data:," alt="{}"></p>'), ("text/markdown", "![{}](data:,)")],
)
def test_a_picture_in_a_page_needs_an_alternative(notebook, kind, form):
    shown(kind, form.format("One pixel, grey, on its own."))(notebook)
    assert bar.problems(notebook, "00_start_here") == []
    notebook["cells"][6]["outputs"][0]["data"] = {kind: form.format("A pixel.")}
    found = bar.problems(notebook, "00_start_here")
    assert found == ["cell 7 shows a picture without an alt text"]
    assert any("[7] have the captions []" in said for said in bar.problems(notebook, "98_sums"))


def test_two_pictures_may_share_a_caption(notebook):
    picture = cell(notebook, "Picture()")
    notebook["cells"].insert(4, {**picture, "source": "0"})
    found = bar.problems(notebook, "98_sums")
    assert found == ["the pictures of cells [4, 5] have the captions [('98', '1')]"]
    change("*Figure 98.1.", "*Figures 98.1 and 98.2.")(notebook)
    assert bar.problems(notebook, "98_sums") == []


def test_too_many_and_too_few_words(notebook):
    count = bar.words(notebook)
    assert 1500 < count < 3000
    change("Each stands", "word " * 10 + "Each stands")(notebook)
    assert bar.words(notebook) == count + 10
    change("word ", "word word\t<b>9</b> – * ")(notebook)  # a dash and a star are no words
    assert bar.words(notebook) == count + 30
    change("<b>9</b>", "word " * 1600)(notebook)
    assert "words are not 1500 to 3000" in bar.problems(notebook, "98_sums")[0]
    change("word ", "")(notebook)
    assert bar.problems(notebook, "98_sums") == []
    cell(notebook, "The window")["source"] = "## 98.1 Nothing"
    assert "words are not 1500 to 3000" in bar.problems(notebook, "98_sums")[0]


def test_too_many_lines_in_all(notebook):
    for _ in range(9):
        add("x = 1\n" * 30)(notebook)
    found = bar.problems(notebook, "98_sums")
    assert len(found) == 1
    assert "lines of code are more than 250" in found[0]


@pytest.mark.parametrize(
    ("said", "seconds", "true"),
    [
        ("under a minute", 59, True),
        ("under a minute", 61, False),
        ("under two minutes", 61, True),
        ("about a minute", 70, True),
        ("about a minute", 20, False),
        ("40 s", 70, True),
        ("40 s", 100, False),
    ],
)
def test_the_time_on_the_first_screen(notebook, said, seconds, true):
    took(seconds)(notebook)
    change("3 s to run", f"{said} to run")(notebook)
    expected = [] if true else [f"it says {said} to run, and took {seconds} s"]
    assert bar.problems(notebook, "98_sums") == expected


def test_a_run_that_takes_too_long(notebook):
    took(200)(notebook)
    change("3 s to run", "200 s to run")(notebook)
    assert bar.problems(notebook, "98_sums") == ["it takes 200 s, more than 180"]


def test_the_last_headings_have_an_order(notebook):
    cells = notebook["cells"]
    question = cell(notebook, "## Next question")
    cells.remove(question)
    cells.insert(cells.index(cell(notebook, "## Exercises")), question)
    found = bar.problems(notebook, "98_sums")
    assert found == [f"the last headings are not in the order {', '.join(bar.ENDING)}"]


@pytest.mark.parametrize("code", [
    SEED + "def f():\n    return rng.normal()",
    "def f(rng):\n    return rng.normal()",
    "np.random.default_rng(2).normal(size=numbers.shape)",
    "drawn = np.random.default_rng(2).normal(size=3)",
    "# a word on the next line\n" * 40,
    "def f():\n    rng = np.random.default_rng(1)\n    return rng.normal()",
    "import math\nfrom numba import njit\nimport matplotlib.pyplot as plt",
])  # fmt: skip
def test_what_is_allowed(notebook, code):
    add(code)(notebook)
    assert bar.problems(notebook, "98_sums") == []
