"""Reads damaged HDF5 files, one after the other, and prints of each how it ended.

    python hdf5_corpus.py FIRST LAST

A file on which the library for HDF5 does not come to an end within five seconds ends this program.
"""

import faulthandler
import random
import sys
import tempfile
from pathlib import Path

import numpy as np
from good_files import GOOD_KERAS
from test_attacks import damaged

from npnets.weights.reading import hdf5

GOOD = [content for content in GOOD_KERAS.values() if content.startswith(b"\x89HDF")]


def main(first, last):
    """Read files number `first` to `last`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.h5"
        for seed in range(first, last):
            rng = random.Random(seed)
            content = damaged(rng.choice(GOOD), rng)
            if rng.random() < 0.2:
                content = content[: rng.randrange(len(content))]
            path.write_bytes(content)
            faulthandler.dump_traceback_later(5, exit=True)
            try:
                hdf5.main(path, path.with_suffix(".npz"))
                arrays = np.load(path.with_suffix(".npz"))
                total = sum(arrays[name].nbytes for name in arrays.files)
                end = "read" if total <= len(content) else "TooLarge"
            except Exception as error:
                end = type(error).__name__
            print(f"\n{seed} {end}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
