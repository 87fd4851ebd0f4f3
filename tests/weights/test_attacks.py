"""Thousands of files that are damaged, or were made to harm: none may do anything but be refused.

Each case is made from a seed, and is the same in every run. Reading it ends with a ValueError, or
with arrays: those of the undamaged file where the format has a checksum for them, and otherwise
no more than the file can hold. An audit hook of Python watches that nothing is executed, started,
imported by name, written or connected to meanwhile.
"""

import io
import os
import pickle
import random
import struct
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch_files as by_hand
from good_files import ARRAYS, GOOD
from torch_files import Code, call, code, name

from npnets.weights.reading import read

# What Python reports when code is run, found by name, or reaches for something outside.
WATCHED = {"exec", "pickle.find_class", "os.system", "os.exec", "os.fork", "os.posix_spawn",
           "os.spawn", "os.startfile", "subprocess.Popen", "socket.connect", "os.mkdir",
           "os.remove", "os.rename", "os.rmdir", "os.chmod", "ctypes.dlopen"}  # fmt: skip
_seen = None


def _hook(event, arguments):
    if _seen is not None and (event in WATCHED or (event == "open" and arguments[1] not in READ)):
        _seen.append((event, arguments))


READ = ("r", "rb", None)
sys.addaudithook(_hook)  # for good: Python has no way to take one off


@pytest.fixture
def attack(tmp_path):
    """A function that reads bytes as a file, and returns the arrays, or None for a ValueError."""
    path = tmp_path / "file"
    for good in GOOD.values():  # what is imported on the way is imported now
        path.write_bytes(good)
        read(path)

    def attacked(content):
        global _seen
        path.write_bytes(content)
        _seen = []
        try:
            arrays = read(path).arrays
        except ValueError as error:
            assert str(path) in str(error)
            arrays = None
        finally:
            seen, _seen = _seen, None
        assert seen == []
        return arrays

    return attacked


def same(arrays):
    """Whether these are the arrays of the undamaged file, in any order and some of them missing."""
    return all(name in ARRAYS and np.array_equal(ARRAYS[name], arrays[name]) for name in arrays)


def contained(arrays, content):
    """Whether these arrays can have been in the file."""
    return sum(array.nbytes for array in arrays.values()) <= 16 * len(content)


def test_the_hook_sees_what_it_should(tmp_path):
    global _seen
    _seen = []
    pickle.loads(b"cos\ngetcwd\n.")
    exec("1")
    (tmp_path / "x").write_text("")
    seen, _seen = _seen, None
    assert [event for event, _ in seen] == ["pickle.find_class", "exec", "open"]


@pytest.mark.parametrize("kind", GOOD)
def test_every_truncation(kind, attack):
    good = GOOD[kind]
    arrays = [attack(good[:size]) for size in range(len(good))]
    assert all(found is None for found in arrays)


def damaged(content, rng):
    """Return a copy of `content`, which must not be empty, with a few things wrong."""
    content = bytearray(content)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        at, size = rng.randrange(len(content)), rng.choice([1, 2, 4, 8, 16])
        match rng.randrange(6):
            case 0:
                content[at] ^= 1 << rng.randrange(8)
            case 1:
                content[at : at + size] = rng.choice([b"\0", b"\x7f", b"\x80", b"\xff"]) * size
            case 2:
                del content[at : at + size]
            case 3:
                content[at:at] = rng.randbytes(size)
            case 4:
                other = rng.randrange(len(content))
                content[at : at + size] = content[other : other + size]
            case 5:
                number = rng.choice([0, 1, 2**31 - 1, 2**31, 2**40, 2**63 - 1, 2**64 - 1])
                content[at : at + 8] = struct.pack("<Q", number)
        content = content or bytearray(1)
    return bytes(content)


@pytest.mark.parametrize("kind", GOOD)
def test_random_damage(kind, attack):
    refused = 0
    for seed in range(400):
        content = damaged(GOOD[kind], random.Random(seed))
        arrays = attack(content)
        if arrays is None:
            refused += 1
        else:
            has_checksum = zipfile.is_zipfile(io.BytesIO(content))
            assert same(arrays) if has_checksum else contained(arrays, content), seed
    assert refused > 300


def rezipped(content, change):
    """Return a zip archive whose members are changed: change(name, bytes) -> bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for member in old.namelist():
            new.writestr(member, change(member, old.read(member)))
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["npz", "pytorch zip"])
def test_random_damage_within_an_archive_that_is_whole(kind, attack):
    """The checksums of the archive are right, so that readers see all of it."""
    refused = 0
    for seed in range(400):
        rng = random.Random(seed)
        content = rezipped(
            GOOD[kind],
            lambda member, old: damaged(old, rng) if old and rng.random() < 0.4 else old,
        )
        arrays = attack(content)
        refused += arrays is None
        assert arrays is None or contained(arrays, content), seed
    assert refused > 200


# fmt: off
HARMFUL = [
    "os system", "posix system", "nt system", "os popen", "os execv", "subprocess Popen",
    "subprocess check_output", "builtins eval", "builtins exec", "__builtin__ eval",
    "builtins __import__", "builtins getattr", "builtins open", "builtins compile", "pickle loads",
    "importlib import_module", "runpy run_path", "operator attrgetter", "functools partial",
    "types FunctionType", "ctypes CDLL", "shutil rmtree", "socket create_connection", "pty spawn",
    "numpy load", "numpy.testing._private.utils runstring", "torch load", "torch.hub load",
    "torch.storage _load_from_bytes", "torch._utils __builtins__", "torch serialization.os.system",
    "collections OrderedDict.__class__", "torch FloatStorage.__init__.__globals__",
]
# Ways to have something called, with the argument "x".
WAYS = {
    "reduce":       lambda m, n: call(name(m, n), "x"),
    "stack global": lambda m, n: Code(code(m) + code(n) + b"\x93" + code(("x",)) + b"R"),
    "inst":         lambda m, n: Code(b"(" + code("x") + f"i{m}\n{n}\n".encode()),
    "obj":          lambda m, n: Code(b"(" + name(m, n) + code("x") + b"o"),
    "newobj":       lambda m, n: Code(name(m, n) + code(("x",)) + b"\x81"),
    "newobj_ex":    lambda m, n: Code(name(m, n) + code(("x",)) + code({}) + b"\x92"),
    "build":        lambda m, n: Code(name(m, n) + code({"__setstate__": "x"}) + b"b"),
    "only named":   name,
}
GOOD_TENSOR = by_hand.tensor(by_hand.storage("FloatStorage", "0", 1), 0, (1,), (1,))
# Places to put what is harmful.
PLACES = {
    "whole":      lambda harm: harm,
    "an entry":   lambda harm: {"w": GOOD_TENSOR, "x": harm},
    "a wrapper":  lambda harm: {"state_dict": harm},
    "a key":      lambda harm: {harm: GOOD_TENSOR} if False else Code(b"}(" + harm + GOOD_TENSOR + b"u"),
    "storage":    lambda harm: {"w": by_hand.tensor(harm, 0, (1,), (1,))},
    "shape":      lambda harm: {"w": by_hand.tensor(GOOD_TENSOR, 0, harm, (1,))},
    "identity":   lambda harm: {"w": Code(harm + b"Q")},
    "function":   lambda harm: {"w": Code(harm + code(("x",)) + b"R")},
    "state":      lambda harm: Code(by_hand.ordered({"w": GOOD_TENSOR}) + harm + b"b"),
}
# fmt: on
ONE = {"0": b"\0\0\x80?"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", PLACES)
def test_hostile_pickles(place, way, attack):
    for harm in HARMFUL:
        value = PLACES[place](WAYS[way](*harm.split(" ")))
        assert attack(by_hand.zip_file(value, ONE)) is None, harm
    assert attack(by_hand.old_file(value, {"0": struct.pack("<q", 1) + ONE["0"]})) is None
