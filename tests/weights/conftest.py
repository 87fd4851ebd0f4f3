"""How the attacks on the readers are made."""

import codecs

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
        return arrays

    return attacked
