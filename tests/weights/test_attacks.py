"""Thousands of files that are damaged, or were made to harm: none may do anything but be refused.

Each case is made from a seed, and is the same in every run. Reading it ends with a ValueError, or
with arrays: those of the undamaged file where the format has a checksum for them, and otherwise
no more than the file can hold. An audit hook of Python watches that nothing is executed, started,
imported by name, written or connected to meanwhile. How many they are, `corpus` says.
"""

import functools
import io
import json
import os
import pickle
import random
import struct
import zipfile

import corpus
import numpy as np
import pytest
import torch_files as by_hand
from audit import watching
from good_files import ARRAYS, GOOD


def same(arrays):
    """Whether these are arrays of the undamaged file, in any order, and perhaps not all."""
    return all(name in ARRAYS and np.array_equal(ARRAYS[name], arrays[name]) for name in arrays)


def contained(arrays, content):
    """Whether these arrays can have been in the file."""
    return sum(array.nbytes for array in arrays.values()) <= 16 * len(content)


def test_the_hook_sees_what_it_should(tmp_path):
    with watching() as seen:
        pickle.loads(b"cos\ngetcwd\n.")
        exec("1")
        (tmp_path / "x").write_text("")
    assert [event for event, _ in seen] == ["pickle.find_class", "exec", "open"]


@pytest.mark.parametrize("kind", GOOD)
def test_truncation(kind, attack):
    good = GOOD[kind]
    for size in (*range(0, len(good), 1 if corpus.ALL else 16), *range(len(good) - 40, len(good))):
        assert attack(good[:size]) is None, size


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
    for seed in range(corpus.RANDOM):
        content = damaged(GOOD[kind], random.Random(seed))
        arrays = attack(content)
        if arrays is None:
            refused += 1
        else:
            has_checksum = zipfile.is_zipfile(io.BytesIO(content))
            assert same(arrays) if has_checksum else contained(arrays, content), seed
    assert refused > 0.8 * corpus.RANDOM


def rezipped(content, change):
    """Return a zip archive whose members are changed: change(name, bytes) -> bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        for member in old.namelist():
            new.writestr(member, change(member, old.read(member)))
    return buffer.getvalue()


def sometimes_damaged(rng, _, old):
    return damaged(old, rng) if old and rng.random() < 0.4 else old


@pytest.mark.parametrize("kind", ["npz", "pytorch zip"])
def test_random_damage_within_an_archive_that_is_whole(kind, attack):
    """The checksums of the archive are right, so that readers see all of it."""
    refused = 0
    for seed in range(corpus.RANDOM):
        change = functools.partial(sometimes_damaged, random.Random(seed))
        content = rezipped(GOOD[kind], change)
        arrays = attack(content)
        refused += arrays is None
        assert arrays is None or contained(arrays, content), seed
    assert refused > 0.6 * corpus.RANDOM


def zip_attacks():
    """Yield (name, bytes) of zip archives that lie."""
    array = io.BytesIO()
    np.save(array, np.zeros(1000))
    data = array.getvalue()
    for title, options in (("deflated", 8), ("bzip2", 12), ("lzma", 14)):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", options) as archive:
            archive.writestr("w.npy", data)
        yield title, buffer.getvalue()
    good = rezipped(GOOD["npz"], lambda _, old: old)
    entry = good.index(b"PK\x01\x02")
    end = good.index(b"PK\x05\x06")
    for title, at, fmt, value in [
        ("encrypted", entry + 8, "<H", 1),
        ("deflated, it says", entry + 10, "<H", 8),
        ("another checksum", entry + 16, "<I", 0),
        ("packed smaller", entry + 20, "<I", 10),
        ("unpacked larger", entry + 24, "<I", 10**9),
        ("both larger", entry + 20, "<Q", 0x0FFFFFFF_0FFFFFFF),
        ("zip64 without", entry + 20, "<Q", 2**64 - 1),
        ("another place", entry + 42, "<I", 7),
        ("the place of the second", entry + 42, "<I", good.index(b"PK\x03\x04", 4)),
        ("beyond the file", entry + 42, "<I", 2**31),
        ("a longer name within", 26, "<H", 1000),
        ("fewer entries", end + 10, "<H", 1),
        ("directory elsewhere", end + 16, "<I", 0),
        ("directory larger", end + 12, "<I", 2**31),
    ]:
        changed = bytearray(good)
        struct.pack_into(fmt, changed, at, value)
        yield title, bytes(changed)


def test_archives_that_lie(attack):
    for title, content in zip_attacks():
        assert attack(content) is None or title == "fewer entries", title


def test_members_within_another(attack):
    """A member that nobody asks for holds the good file, and the directory names its members."""
    good = GOOD["pytorch zip"]
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as archive, zipfile.ZipFile(io.BytesIO(good)) as inner:
        archive.writestr("archive/other", good[: good.index(b"PK\x01\x02")])
        for info in inner.infolist():
            info.header_offset += 30 + len("archive/other")
            archive.filelist.append(info)
    assert attack(outer.getvalue()) is None


def test_members_that_overlap(attack):
    """The zip bomb of D. Fifield: many entries of the directory for one place in the file."""
    good = GOOD["npz"]
    entry, end = good.index(b"PK\x01\x02"), good.index(b"PK\x05\x06")
    size = good.index(b"PK\x01\x02", entry + 4) - entry
    bomb = bytearray(good[:entry] + good[entry : entry + size] * 1000 + good[end:])
    struct.pack_into("<HHI", bomb, len(bomb) - 14, 1000, 1000, 1000 * size)
    assert attack(bytes(bomb)) is None


@pytest.mark.parametrize(
    "member", ["/tmp/w.npy", "../w.npy", "C:\\w.npy", "a/../../w.npy", "w\0.npy"]
)
def test_names_that_lead_elsewhere_are_only_names(member, attack, tmp_path):
    array = io.BytesIO()
    np.save(array, np.ones(3))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, array.getvalue())
    arrays = attack(buffer.getvalue())
    assert arrays is None or [list(array) for array in arrays.values()] == [[1, 1, 1]]
    assert os.listdir(tmp_path) == ["file"]


# Headers of safetensors for 16 bytes of data.
HEADERS = [
    {"w": {"dtype": "F32", "shape": [5], "data_offsets": [0, 16]}},
    {"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 20]}},
    {"w": {"dtype": "F32", "shape": [4], "data_offsets": [16, 0]}},
    {"w": {"dtype": "F32", "shape": [4], "data_offsets": [-16, 0]}},
    {"w": {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 16]}},
    {"w": {"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]}},
    {"w": {"dtype": "F33", "shape": [4], "data_offsets": [0, 16]}},
    {"w": {"dtype": "F8_E4M3", "shape": [16], "data_offsets": [0, 16]}},
    {"w": {"shape": [4], "data_offsets": [0, 16]}},
    {"w": [0, 16]},
    [],
    {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]},
     "b": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}},
    {"a": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]},
     "b": {"dtype": "U8", "shape": [2], "data_offsets": [14, 16]}},
]  # fmt: skip


@pytest.mark.parametrize("header", HEADERS)
def test_headers_that_lie(header, attack):
    text = json.dumps(header).encode()
    assert attack(struct.pack("<Q", len(text)) + text + bytes(16)) is None


@pytest.mark.parametrize("length", [0, 1, 7, 10**6, 2**31, 2**63, 2**64 - 1])
def test_lengths_of_a_header_that_lie(length, attack):
    assert attack(struct.pack("<Q", length) + GOOD["safetensors"][8:]) is None


HOSTILE_NPY = {
    "pickled objects": (b"cos\nsystem\n(X\x01\0\0\0xtR.", "'|O'", "(1,)"),
    "a structure": (b"x" * 8, "[('a', '<f4'), ('b', '<i4')]", "(1,)"),
    "an expression": (b"", "__import__('os').system('x')", "(1,)"),
    "text": (b"x" * 8, "'<U2'", "(1,)"),
    "more than there is": (b"x" * 8, "'<f8'", "(1000000000000,)"),
    "negative": (b"x" * 8, "'<f8'", "(-1,)"),
    "negative twice": (b"x" * 8, "'<f8'", "(-1, -1)"),
    "huge and empty": (b"", "'<f8'", f"({2**70}, 0)"),
    "no numbers": (b"", "'V0'", "(5,)"),
    "deep": (b"", "'<f8'", "(" * 3000 + ")" * 3000),
    "times": (b"x" * 8, "'<M8[s]'", "(1,)"),
}


@pytest.mark.parametrize("kind", HOSTILE_NPY)
def test_hostile_arrays_of_numpy(kind, attack):
    data, dtype, shape = HOSTILE_NPY[kind]
    header = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    array = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data
    assert attack(rezipped(GOOD["npz"], lambda _, old: array)) is None


NOT_WEIGHTS = {
    "nothing": b"",
    "text": b"These are no weights.\n" * 9,
    "an archive of tar": bytes(257) + b"ustar\x0000" + bytes(500),
    "a plain pickle": pickle.dumps({"w": [1, 2]}, 2),
    "an empty archive": b"PK\x05\x06" + bytes(18),
    "an archive of text": rezipped(by_hand.zip_file({}, {}), lambda *_: b""),
}


@pytest.mark.parametrize("kind", NOT_WEIGHTS)
def test_other_files(kind, attack):
    arrays = attack(NOT_WEIGHTS[kind])
    assert arrays is None or kind == "an empty archive"
