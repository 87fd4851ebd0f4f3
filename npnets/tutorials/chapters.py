"""Where the chapters are: beside npnets in a copy of the repository, within it once installed."""

import difflib
import json
import re
from dataclasses import dataclass
from pathlib import Path

from npnets.files import write_text

PACKAGE = Path(__file__).parent
NAME = re.compile(r"\d\d_\w+")
TEXTS = "text/", "image/svg+xml"


@dataclass(frozen=True)
class Chapter:
    """A chapter, such as 01_sliding_windows: a notebook, and the text that it was made from."""

    name: str
    folder: Path

    @property
    def notebook(self):
        """The notebook, with outputs."""
        return self.folder / f"{self.name}.ipynb"

    @property
    def source(self):
        """The text that authors write, in the py:percent format."""
        return self.folder / "py" / f"{self.name}.py"

    def read(self):
        """Return the notebook. Raises FileNotFoundError where it was never run."""
        return read(self.notebook)


def folder():
    """Return the folder of the chapters. Raises FileNotFoundError where there is none."""
    places = PACKAGE / "notebooks", PACKAGE.parents[1] / "tutorials"
    for place in places:
        if place.is_dir():
            return place
    raise FileNotFoundError(f"no chapters in {' or '.join(map(str, places))}")


def find(place=None):
    """Return all chapters of a folder in their order; by default those of npnets."""
    place = folder() if place is None else Path(place)
    files = [*place.glob("*.ipynb"), *place.glob("py/*.py")]
    names = {file.stem for file in files if NAME.fullmatch(file.stem)}
    return [Chapter(name, place) for name in sorted(names)]


def select(chapters, words):
    """Return the chapters that are meant by 1, 01, 01_sliding_windows; all where no word is said.

    Raises ValueError for a word that means none.
    """
    by_word = {}
    for chapter in chapters:
        number = chapter.name[:2]
        by_word |= dict.fromkeys((chapter.name, number, str(int(number))), chapter)
    for word in words:
        if word not in by_word:
            near = difflib.get_close_matches(word, by_word, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {_names(chapters)}"
            raise ValueError(f"no chapter is called {word!r}; {hint}")
    return [by_word[word] for word in words] if words else list(chapters)


def _names(chapters):
    return ", ".join(chapter.name for chapter in chapters) or "none"


def read(path):
    """Return a notebook as the dicts and lists that its JSON says, each text as one string."""
    notebook = json.loads(Path(path).read_text(encoding="utf-8"))
    return {**notebook, "cells": [_texts(cell, "".join) for cell in notebook["cells"]]}


def write(notebook, path):
    """Write a notebook whole."""
    write_text(path, text(notebook))


def text(notebook):
    """Return a notebook as Jupyter lays it out: JSON, and each text a list of lines."""
    lines = {**notebook, "cells": [_texts(cell, _lines) for cell in notebook["cells"]]}
    return json.dumps(lines, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _lines(text):
    return "".join(text).splitlines(keepends=True)


def _texts(cell, change):
    """Return a cell with its source, and the texts of its outputs, changed."""
    cell = {**cell, "source": change(cell["source"])}
    if "outputs" in cell:
        cell["outputs"] = [_output_texts(output, change) for output in cell["outputs"]]
    return cell


def _output_texts(output, change):
    """Return an output with its texts changed; pictures in bytes stay one long string."""
    output = dict(output)
    if "text" in output:
        output["text"] = change(output["text"])
    if "data" in output:
        output["data"] = {
            kind: change(value) if kind.startswith(TEXTS) else value
            for kind, value in output["data"].items()
        }
    return output
