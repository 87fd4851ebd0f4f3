"""The command `npnets tutorials`: readers list and copy, teachers build, authors run."""

import subprocess
import sys
from pathlib import Path

from npnets.extras import require
from npnets.tutorials import authors, chapters
from npnets.tutorials.exercises import exercises
from npnets.tutorials.overview import Table, glances
from npnets.tutorials.progress import progress
from npnets.tutorials.student import student

FOLDER = "npnets-tutorials"


def add_options(parser):
    """Add the actions of `npnets tutorials` to its parser."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    parser.set_defaults(folder=FOLDER)

    def action(name, help):
        return actions.add_parser(name, help=help, description=help, allow_abbrev=False)

    add = action("list", "list the chapters, and how far you have come (default)").add_argument
    add("folder", nargs="?", default=FOLDER, metavar="DIR", help=f"default: {FOLDER}")
    copied = action("copy", "copy the chapters to a folder, to work there")
    add = copied.add_argument
    add("folder", nargs="?", default=FOLDER, metavar="DIR", help=f"default: {FOLDER}")
    add("--solved", action="store_true", help="with solutions and outputs")
    add("--open", action="store_true", help="then start Jupyter there")
    _add_build(action("build", "for teachers: write the versions for a class"))
    _add_run(action("run", "for authors: run chapters, and write their notebooks"))


def _add_build(parser):
    add = parser.add_argument
    _add_chapters(add)
    add("--student", metavar="OUT", help="here, without solutions, hidden tests and outputs")
    add("--solved", metavar="OUT", help="here, with all of them")
    add("--course", metavar="OUT", help="here, as nbgrader wants its source: a folder for each")


def _add_run(parser):
    add = parser.add_argument
    _add_chapters(add)
    add("--quick", action="store_true", help="try it, and rehearse the exercises; write nothing")
    add("--text", action="store_true", help="only the text has changed: keep the outputs")
    add("--check", action="store_true", help="run nothing; say what is not as it should be")
    add("--from", dest="place", metavar="DIR", help="default: the folder of npnets")


def _add_chapters(add):
    add("chapters", nargs="*", metavar="CHAPTER", help="1, 01, 01_sliding_windows; default: all")


def command(args):
    """Do what was asked; without an action, list the chapters."""
    return ACTIONS[args.action](args)


def list_(args):
    """Print title, time and progress of each chapter."""
    seen = glances(chapters.folder())
    mine = [progress(g.notebook, Path(args.folder, f"{g.name}.ipynb")) for g in seen]
    print(Table({
        "chapter": [g.title for g in seen],
        "to read": [g.read for g in seen],
        "to run": [f"{g.seconds:.0f} s" if g.seconds else "–" for g in seen],
        "exercises": [str(g.exercises or "–") for g in seen],
        f"in {args.folder}": mine,
    }))  # fmt: skip


def _there():
    """Return the chapters that have a notebook."""
    return [chapter for chapter in chapters.find() if chapter.notebook.exists()]


def copy(args):
    """Copy what is not there yet; a file that differs is left alone."""
    jupyter = require("jupyterlab", "tutorials") if args.open else None
    folder = Path(args.folder)
    folder.mkdir(parents=True, exist_ok=True)
    for chapter in _there():
        path = folder / chapter.notebook.name
        made = chapter.read() if args.solved else student(chapter.read())
        if not path.exists():
            chapters.write(made, path)
            print(f"{path}: copied")
        elif path.read_text(encoding="utf-8") == chapters.text(made):
            print(f"{path}: there already")
        else:
            print(f"{path}: kept as it is, since it differs; rename it to get a new copy")
    if jupyter:
        command = [sys.executable, "-m", "jupyterlab"]
        return subprocess.run(command, cwd=folder, check=False).returncode
    return 0


def build(args):
    """Write the versions that were asked for."""
    if not (args.student or args.solved or args.course):
        raise ValueError("say what to build: --student OUT, --solved OUT or --course OUT")
    for chapter in chapters.select(_there(), args.chapters):
        notebook = chapter.read()
        if args.student:
            _write(student(notebook), Path(args.student), chapter)
        if args.solved:
            _write(notebook, Path(args.solved), chapter)
        if args.course and exercises(notebook):
            _write(notebook, Path(args.course, "source", chapter.name), chapter)


def _write(notebook, folder, chapter):
    """Write a version of a chapter, but not over the chapter."""
    if folder.resolve() == chapter.folder.resolve():
        raise ValueError(f"{folder} holds the chapters themselves; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / chapter.notebook.name
    chapters.write(notebook, path)
    print(path)


def run(args):
    """Run chapters, or check them; return 1 where something is wrong."""
    act = (
        authors.check if args.check
        else authors.text if args.text
        else authors.trial if args.quick
        else authors.full
    )  # fmt: skip
    wanted = chapters.select(chapters.find(args.place), args.chapters)
    return max([authors.report(act, chapter) for chapter in wanted], default=0)


ACTIONS = {None: list_, "list": list_, "copy": copy, "build": build, "run": run}
