"""Chapters are found in a copy of the repository and in what was installed."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import npnets
from npnets.tutorials import chapters

ROOT = Path(npnets.__file__).parents[1]


def test_the_chapters_lie_beside_npnets():
    assert chapters.folder() == ROOT / "tutorials"
    assert chapters.find()[0].name == "00_start_here"


def test_installed_they_lie_within_it(tmp_path, monkeypatch):
    monkeypatch.setattr(chapters, "PACKAGE", tmp_path / "npnets" / "tutorials")
    with pytest.raises(FileNotFoundError, match="no chapters in "):
        chapters.folder()
    (tmp_path / "tutorials").mkdir()
    assert chapters.folder() == tmp_path / "tutorials"
    (tmp_path / "npnets" / "tutorials" / "notebooks").mkdir(parents=True)
    assert chapters.folder() == tmp_path / "npnets" / "tutorials" / "notebooks"


def test_a_wheel_holds_them(tmp_path):
    pytest.importorskip("hatchling")
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("npnets", "tutorials"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("*.nb?"))
    left = tmp_path / "tutorials" / ".ipynb_checkpoints" / "00_start_here-checkpoint.ipynb"
    left.parent.mkdir(exist_ok=True)
    left.write_text("{}", encoding="utf-8")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run(build, cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(tmp_path / "installed")
    installed = tmp_path / "installed" / "npnets"
    code = "from npnets.tutorials import chapters; print(*[c.notebook for c in chapters.find()])"
    environment = {**os.environ, "PYTHONPATH": str(installed.parent)}
    done = subprocess.run([sys.executable, "-c", code], cwd=installed.parent, env=environment,
                          check=True, capture_output=True, text=True)  # fmt: skip
    expected = [installed / "tutorials" / "notebooks" / c.notebook.name for c in chapters.find()]
    assert done.stdout.split() == list(map(str, expected))
    assert all(path.exists() for path in expected)
    assert not list(installed.rglob("*checkpoint*.ipynb"))
    assert not (installed.parent / "tutorials").exists()


def test_chapters_come_in_order_and_other_files_do_not(tmp_path):
    (tmp_path / "py").mkdir()
    names = "02_b.ipynb", "01_a.ipynb", "notes.ipynb", "TEACHING.md", "py/03_c.py", "py/x.py"
    for name in names:
        (tmp_path / name).touch()
    assert [chapter.name for chapter in chapters.find(tmp_path)] == ["01_a", "02_b", "03_c"]


def test_chapters_are_selected_by_number_and_name(tmp_path):
    found = [chapters.Chapter(name, tmp_path) for name in ("01_sliding", "02_columns", "11_thin")]
    assert chapters.select(found, []) == found
    assert chapters.select(found, ["2", "01", "11_thin"]) == [found[1], found[0], found[2]]
    with pytest.raises(ValueError, match="no chapter is called '01_slide'; did you mean 01_slidi"):
        chapters.select(found, ["01_slide"])
    with pytest.raises(ValueError, match="there are 01_sliding, 02_columns, 11_thin"):
        chapters.select(found, ["backward"])


def test_a_notebook_is_written_and_read_whole(tmp_path):
    data = {"text/plain": "a\nb", "image/png": "AAA\n", "image/svg+xml": "<svg>\n</svg>"}
    output = {"output_type": "display_data", "data": data, "metadata": {}}
    stream = {"output_type": "stream", "name": "stdout", "text": "1\n2\n"}
    code = {"cell_type": "code", "source": "π = 3\nπ\n", "outputs": [output, stream]}
    notebook = {"cells": [code, {"cell_type": "markdown", "source": ""}], "nbformat": 4}
    chapters.write(notebook, tmp_path / "n.ipynb")
    assert chapters.read(tmp_path / "n.ipynb") == notebook
    lines = (tmp_path / "n.ipynb").read_text(encoding="utf-8").splitlines()
    assert '    "π = 3\\n",' in lines
    assert '      "image/png": "AAA\\n",' in lines
    assert [path.name for path in tmp_path.iterdir()] == ["n.ipynb"]
