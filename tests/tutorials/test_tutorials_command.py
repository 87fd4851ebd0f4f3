"""npnets tutorials, as readers and teachers use it."""

import subprocess
import sys

import pytest

from npnets import cli
from npnets.tutorials import chapters, progress
from npnets.tutorials.student import student


@pytest.fixture(autouse=True)
def a_folder_of_its_own(tmp_path, monkeypatch, ran):
    """The sample is the only chapter, and the current folder is empty."""
    monkeypatch.setattr(chapters, "folder", lambda: ran[0].folder)
    monkeypatch.chdir(tmp_path)


def tutorials(*arguments):
    return cli.main(["tutorials", *map(str, arguments)])


def test_chapters_are_listed_with_their_times(capsys):
    assert tutorials() == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["chapter", "to", "read", "to", "run", "exercises", "in",
                            "npnets-tutorials"]  # fmt: skip
    assert row.startswith("98 · Sums  a minute  ")
    assert row.split()[-2:] == ["4", "–"]


def test_a_copy_is_the_students_version(ran, tmp_path, capsys):
    assert tutorials("copy", "mine") == 0
    path = tmp_path / "mine" / "98_sums.ipynb"
    assert chapters.read(path) == student(ran[0].read())
    assert tutorials("list", "mine") == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(" copied")


def test_a_solved_copy_is_the_chapter(ran, tmp_path, capsys):
    assert tutorials("copy", "mine", "--solved") == 0
    assert (tmp_path / "mine" / "98_sums.ipynb").read_bytes() == ran[0].notebook.read_bytes()
    assert tutorials("list", "mine") == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(" copied, with solutions")


def test_what_was_changed_is_kept(tmp_path, capsys):
    assert tutorials("copy") == tutorials("copy") == 0
    out = capsys.readouterr().out
    path = tmp_path / "npnets-tutorials" / "98_sums.ipynb"
    assert ": copied" in out
    assert ": there already" in out
    mine = path.read_text(encoding="utf-8").replace("# YOUR CODE HERE", "# mine")
    path.write_text(mine, encoding="utf-8")
    for options in ([], ["--solved"]):
        assert tutorials("copy", *options) == 0
        assert "98_sums.ipynb: kept as it is" in capsys.readouterr().out
        assert path.read_text(encoding="utf-8") == mine


def test_open_starts_jupyter_in_the_folder(tmp_path, monkeypatch):
    def start(command, cwd, check):
        started.append((command, cwd.resolve()))
        return subprocess.CompletedProcess(command, 3)

    started = []
    monkeypatch.setitem(sys.modules, "jupyterlab", sys)
    monkeypatch.setattr(subprocess, "run", start)
    assert tutorials("copy", "mine", "--open") == 3
    assert started == [([sys.executable, "-m", "jupyterlab"], tmp_path / "mine")]
    assert (tmp_path / "mine" / "98_sums.ipynb").exists()


def test_open_without_jupyter_names_the_extra_and_copies_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    assert tutorials("copy", "mine", "--open") == 1
    assert 'pip install "npnets[tutorials]"' in capsys.readouterr().err
    assert not (tmp_path / "mine").exists()


def solve(mine, notebook, count):
    """Let the first exercises of a student's copy be solved, and all cells have run."""
    solved = 0
    for number, (cell, original) in enumerate(
        zip(mine["cells"], notebook["cells"], strict=True), 1
    ):
        if cell["cell_type"] != "code":
            continue
        cell["execution_count"] = number
        marks = cell["metadata"].get("nbgrader", {})
        if marks.get("solution"):
            solved += 1
            if solved <= count:
                cell["source"] = original["source"].replace("###", "#")
        elif marks.get("grade") and solved > count:
            cell["outputs"] = [{"output_type": "error", "ename": "NotImplementedError"}]
    return mine


def test_what_asks_nothing_is_copied_as_it_is(notebook, tmp_path):
    notebook["cells"] = [c for c in notebook["cells"] if "### Exercise" not in c["source"]]
    assert student(notebook) == notebook
    path = tmp_path / "98_sums.ipynb"
    chapters.write(student(notebook), path)
    assert progress.progress(notebook, path) == "copied"


def test_progress_is_what_the_file_tells(notebook, tmp_path):
    path = tmp_path / "98_sums.ipynb"
    assert progress.progress(notebook, path) == "–"
    for count in (0, 2, 4):
        mine = solve(student(notebook), notebook, count)
        chapters.write(mine, path)
        said = f"12 of 12 code cells run, {count} of 4 exercises solved"
        assert progress.progress(notebook, path) == said
    path.write_text("{}", encoding="utf-8")
    assert progress.progress(notebook, path) == "no notebook that can be read"
    path.write_text("words", encoding="utf-8")
    assert progress.progress(notebook, path) == "no notebook that can be read"


def test_a_solution_that_ran_after_its_test_does_not_count(notebook):
    mine = solve(student(notebook), notebook, 4)
    assert progress.passed(notebook, mine) == ["98.1", "98.2", "98.3", "98.4"]
    next(c for c in mine["cells"] if "def add" in c["source"])["execution_count"] = 99
    assert progress.passed(notebook, mine) == ["98.2", "98.3", "98.4"]


@pytest.mark.parametrize("change", ["assert True", ""])
def test_a_test_that_was_changed_does_not_count(notebook, change):
    mine = solve(student(notebook), notebook, 4)
    test = next(c for c in mine["cells"] if "assert triangle" in c["source"])
    test["source"] = change
    assert progress.passed(notebook, mine) == ["98.1", "98.3", "98.4"]


def test_a_test_that_did_not_run_does_not_count(notebook):
    mine = solve(student(notebook), notebook, 4)
    next(c for c in mine["cells"] if "assert total" in c["source"])["execution_count"] = None
    assert progress.passed(notebook, mine) == ["98.1", "98.2", "98.4"]


def test_teachers_build_all_versions(ran, tmp_path, capsys):
    assert tutorials("build", "98", "--student", "s", "--solved", "t", "--course", "c") == 0
    made = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*.ipynb")}
    assert set(made) == {"s/98_sums.ipynb", "t/98_sums.ipynb", "c/source/98_sums/98_sums.ipynb"}
    original = ran[0].read()
    assert chapters.read(made["s/98_sums.ipynb"]) == student(original)
    assert chapters.read(made["t/98_sums.ipynb"]) == original
    assert chapters.read(made["c/source/98_sums/98_sums.ipynb"]) == original
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["build"], "say what to build: --student OUT"),
        (["build", "7", "--student", "s"], "no chapter is called '7'"),
        (["run", "7", "--check"], "no chapter is called '7'"),
    ],
)
def test_mistakes_of_teachers_end_with_one_line(arguments, said, capsys):
    assert tutorials(*arguments) == 1
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_the_chapters_themselves_are_not_overwritten(ran, capsys):
    before = ran[0].notebook.read_bytes()
    assert tutorials("build", "--student", ran[0].folder) == 1
    assert "holds the chapters themselves" in capsys.readouterr().err
    assert ran[0].notebook.read_bytes() == before


def test_check_runs_nothing_and_says_what_is_wrong(ran, capsys):
    assert tutorials("run", "--check", "--from", ran[0].folder) == 0
    assert "nothing is found wrong" in capsys.readouterr().out
