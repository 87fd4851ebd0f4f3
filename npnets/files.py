"""Files that are there whole or not at all."""

import os
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path):
    """Yield where to write instead of `path`: beside it. At the end the file is moved there.

    Where the block raises, what was written is removed and `path` stays as it was. So does a
    machine that stops at any moment leave the old file or the new one, never a half. Raises
    FileNotFoundError where there is no folder to write to.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} to write {path.name} to")
    beside = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_text(path, text):
    """Write a text in UTF-8, with the same line ends everywhere."""
    with whole(path) as beside:
        beside.write_text(text, encoding="utf-8", newline="\n")
