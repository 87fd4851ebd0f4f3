"""A small chapter that meets the bar, to be written into a folder of its own."""

import os
import subprocess
import sys
from pathlib import Path

import npnets
from npnets.tutorials.chapters import Chapter

TEXT = Path(__file__).with_name("sample.txt")
WORDS = "# The window moves on by one step and the sum is taken again over what it sees.\n"


def write_sample(folder, name="98_sums", old="", new=""):
    """Write the sample's text, with one place changed; return it as a chapter without notebook."""
    chapter, text = Chapter(name, folder), sample_text()
    chapter.source.parent.mkdir(parents=True, exist_ok=True)
    assert not old or text.count(old) == 1
    chapter.source.write_text(text.replace(old, new) if old else text + new, encoding="utf-8")
    return chapter


def sample_text():
    """Return the sample; one word of it, FILLER, stands for the length that a chapter has."""
    return TEXT.read_text(encoding="utf-8").replace("# FILLER\n", 90 * WORDS)


def npnets_tutorials(*arguments):
    """Run `npnets tutorials` in a process of its own, since a kernel's client warns on Windows."""
    here = str(Path(npnets.__file__).parents[1])
    paths = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", "npnets.cli", "tutorials", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths, "PYTHONUTF8": "1"},
        capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
