"""How the attacks on the readers are made, and counted."""

import codecs

import corpus
import pytest
from audit import watching
from good_files import GOOD

from npnets.weights.reading import read


@pytest.fixture
def attack(tmp_path):
    """A function that reads bytes as a file, and returns the arrays, or None for a ValueError."""
    path = tmp_path / "file"
    codecs.lookup("raw_unicode_escape")  # what is imported on the way is imported now
    for good in GOOD.values():
        path.write_bytes(good)
        read(path)

    def attacked(content):
        path.write_bytes(content)
        arrays, reason = None, str(path)
        with watching() as seen:
            try:
                arrays = read(path).arrays
            except ValueError as error:
                reason = str(error)
        assert seen == []
        assert str(path) in reason
        corpus.ends["refused" if arrays is None else "read"] += 1
        return arrays

    return attacked


def pytest_terminal_summary(terminalreporter):
    """Say how many files attacked the readers."""
    if corpus.ends:
        ends = ", ".join(f"{count} {end}" for end, count in sorted(corpus.ends.items()))
        terminalreporter.write_line(f"{corpus.ends.total()} attacks on the readers: {ends}")
