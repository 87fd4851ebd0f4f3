"""HDF5 under attack. Its library is not to be trusted with damaged files: see hdf5.py."""

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import corpus
import hdf5_corpus
import pytest
from good_files import GOOD_KERAS

from npnets.weights.reading import keras, read


def test_random_damage():
    """Read in a program of its own, which goes on behind a file that has ended it."""
    command = [sys.executable, hdf5_corpus.__file__]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    ends, first = [], 0
    while first < corpus.RANDOM:
        numbers = str(first), str(corpus.RANDOM)
        done = subprocess.run([*command, *numbers], env=environment, check=False,
                              capture_output=True, text=True)  # fmt: skip
        read_now = re.findall(r"^\d+ (\w+)$", done.stdout, re.MULTILINE)
        ends += read_now + ["ended"] * (done.returncode != 0)
        first = len(ends)
        assert read_now, done.stderr
    assert len(ends) == corpus.RANDOM
    assert "MemoryError" not in ends
    assert "TooLarge" not in ends
    assert 1 / 6 < ends.count("read") / len(ends) < 2 / 3
    corpus.ends.update("read" if end == "read" else "refused" for end in ends)


def test_a_file_that_sends_the_library_into_a_loop_without_end(tmp_path, monkeypatch):
    """Of HDF5 2.0.0: free space of size 0 in the heap where texts are."""
    content = GOOD_KERAS["keras 2"]
    heap = content.index(b"GCOL")
    first = heap + 16
    free = first + 16 + -(-struct.unpack_from("<Q", content, first + 8)[0] // 8 * 8)
    damaged = bytearray(content)
    assert struct.unpack_from("<H", damaged, free) == (0,)
    struct.pack_into("<Q", damaged, free + 8, 0)
    (tmp_path / "a").write_bytes(damaged)
    monkeypatch.setattr(keras, "SECONDS", 3)
    with pytest.raises(ValueError, match=r"cannot be read: .*(did not finish in 3 s|damaged)"):
        read(tmp_path / "a")


@pytest.mark.parametrize("part", [0, 8, 100, 2000, -1])
def test_truncation(part, tmp_path):
    (tmp_path / "a").write_bytes(GOOD_KERAS["keras 2"][:part])
    with pytest.raises(ValueError, match="a cannot be read"):
        read(tmp_path / "a")
    assert [path.name for path in Path(tmp_path).iterdir()] == ["a"]
