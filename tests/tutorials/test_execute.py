"""A text becomes a notebook whose outputs are those of its code."""

import json
import subprocess
import sys

import pytest

from npnets.tutorials import QUICK, authors, execute
from npnets.tutorials.chapters import read, write


def printed(notebook):
    outputs = [o for c in notebook["cells"] for o in c.get("outputs", ())]
    return "".join(output.get("text", "") for output in outputs)


def test_a_full_run_writes_the_notebook(ran):
    chapter, said = ran
    assert "nothing is found wrong" in said
    notebook = chapter.read()
    assert "4 numbers, " in printed(notebook)
    assert notebook["metadata"]["npnets"]["quick"] is False
    assert 0 < notebook["metadata"]["npnets"]["seconds"] < 180
    assert execute.differences(chapter) == []


def test_no_other_machine_is_reached(ran):
    assert "a chapter tried to connect to ('192.0.2.1', 80)" in printed(ran[0].read())


def test_a_notebook_is_laid_out_as_jupyter_does(ran):
    nbformat = pytest.importorskip("nbformat")
    text = ran[0].notebook.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    assert nbformat.writes(notebook) + "\n" == text


@pytest.mark.parametrize(("value", "quick"), [("1", True), ("0", False), ("", False)])
def test_quick_is_what_the_environment_says(value, quick, monkeypatch):
    code = "from npnets.tutorials import QUICK; print(QUICK)"
    monkeypatch.setenv("NPNETS_QUICK", value)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(quick)
    assert isinstance(QUICK, bool)


def changed(chapter, old, new):
    """Change one place in the text of a chapter."""
    text = chapter.source.read_text(encoding="utf-8")
    assert old in text
    chapter.source.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def copy(ran, sample):
    """The sample with its notebook, to be changed at will."""
    write(ran[0].read(), sample.notebook)
    return sample


def test_a_changed_text_is_told_and_taken_over_with_the_outputs(copy, capsys):
    changed(copy, "It leaves out infinite sums.", "It leaves out sums without an end.")
    assert execute.differences(copy) == ["the notebook and 98_sums.py differ"]
    before = copy.read()
    assert authors.report(authors.text, copy) == 0
    assert "the outputs are kept" in capsys.readouterr().out
    assert execute.differences(copy) == []
    after = copy.read()
    assert "without an end" in after["cells"][0]["source"]
    for now, then in zip(after["cells"], before["cells"], strict=True):
        assert now.get("outputs") == then.get("outputs")


def test_changed_code_is_told_and_no_outputs_are_kept(copy):
    changed(copy, "NUMBERS = 3 if QUICK else 4", "NUMBERS = 5")
    assert execute.differences(copy) == ["the notebook and 98_sums.py differ"]
    with pytest.raises(ValueError, match="the code is not what ran"):
        execute.with_outputs_of(execute.from_text(copy.source), copy.read())


def test_a_notebook_whose_code_was_edited_is_told(copy):
    changed(copy, "NUMBERS = 3 if QUICK else 4", "NUMBERS = 5")
    text = copy.notebook.read_text(encoding="utf-8")
    edited = text.replace("NUMBERS = 3 if QUICK else 4", "NUMBERS = 5")
    copy.notebook.write_text(edited, encoding="utf-8")
    assert execute.differences(copy) == ["the outputs are not those of the code"]


def test_changed_metadata_of_a_cell_is_told(copy):
    changed(copy, '"points": 1', '"points": 7')
    assert execute.differences(copy) == ["the notebook and 98_sums.py differ"]


def test_the_outputs_of_a_quick_run_are_told(copy):
    notebook = read(copy.notebook)
    notebook["metadata"]["npnets"]["quick"] = True
    write(notebook, copy.notebook)
    assert execute.differences(copy) == ["the outputs are not those of a full run"]


def test_a_chapter_that_was_never_run_is_told(sample):
    assert execute.differences(sample) == ["was never run"]


def test_ids_of_cells_are_their_own_and_stay(ran):
    ids = [[cell["id"] for cell in execute.from_text(ran[0].source)["cells"]] for _ in range(2)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0])


def test_equal_cells_have_different_ids(sample):
    sample.source.write_text("# %%\n1\n\n# %%\n1\n", encoding="utf-8")
    one, two = execute.from_text(sample.source)["cells"]
    assert one["id"] != two["id"]
    assert json.dumps(one["source"]) == json.dumps(two["source"])


def test_without_nbclient_the_extra_is_named(sample, monkeypatch):
    monkeypatch.setitem(sys.modules, "nbclient", None)
    with pytest.raises(ImportError, match=r'pip install "npnets\[tutorials\]"'):
        execute.execute(execute.from_text(sample.source))
