"""Thousands of files that are damaged, or were made to harm: none may do anything but be refused.

Each case is made from a seed, and is the same in every run. Reading it ends with a ValueError, or
with arrays: those of the undamaged file where the format has a checksum for them, and otherwise
no more than the file can hold. An audit hook of Python watches that nothing is executed, started,
imported by name, written or connected to meanwhile.
"""

import codecs
import functools
import io
import json
import os
import pickle
import pickletools
import random
import struct
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
    codecs.lookup("raw_unicode_escape")  # what is imported on the way is imported now
    for good in GOOD.values():
        path.write_bytes(good)
        read(path)

    def attacked(content):
        global _seen
        path.write_bytes(content)
        _seen = []
        try:
            arrays = read(path).arrays
        except ValueError as error:
            arrays, reason = None, str(error)
        else:
            reason = str(path)
        finally:
            seen, _seen = _seen, None
        assert seen == []
        assert str(path) in reason
        return arrays

    return attacked


def same(arrays):
    """Whether these are arrays of the undamaged file, in any order, and perhaps not all."""
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
    for size in (*range(0, len(good), 4), *range(len(good) - 40, len(good))):
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
    for seed in range(250):
        content = damaged(GOOD[kind], random.Random(seed))
        arrays = attack(content)
        if arrays is None:
            refused += 1
        else:
            has_checksum = zipfile.is_zipfile(io.BytesIO(content))
            assert same(arrays) if has_checksum else contained(arrays, content), seed
    assert refused > 200


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
    for seed in range(250):
        change = functools.partial(sometimes_damaged, random.Random(seed))
        content = rezipped(GOOD[kind], change)
        arrays = attack(content)
        refused += arrays is None
        assert arrays is None or contained(arrays, content), seed
    assert refused > 150


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
    "a key":      lambda harm: Code(b"}(" + harm + GOOD_TENSOR + b"u"),
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


# What may lie on the stack when an instruction comes, as instructions that put it there.
STACKS = {
    "nothing": b"",
    "a mark": b"(",
    "text": code("torch") + code("FloatStorage"),
    "marked text": b"(" + code("os") + code("system"),
    "name and tuple": name("torch", "FloatStorage") + code((1,)),
    "call and dict": by_hand.ordered({"w": GOOD_TENSOR}) + code({"w": 1}),
    "list and pairs": code([1]) + b"(" + code(1) + code(2),
    "tensor and mark": GOOD_TENSOR + b"(" + code("w") + code(1),
}
REST = {"zeros": bytes(16), "text": b"os\nsystem\n1\n", "ones": b"\xff" * 16}


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("rest", REST)
def test_every_instruction_on_every_stack(stack, rest, attack):
    unknown = [0, 127, 128 + 64, 255]
    for opcode in (*(ord(known.code) for known in pickletools.opcodes), *unknown):
        for wanted in (b"", b"}(" + code("w") + GOOD_TENSOR):  # alone, or on the way to tensors
            program = wanted + STACKS[stack] + bytes([opcode]) + REST[rest] + b"u"
            arrays = attack(by_hand.zip_file(Code(program), ONE))
            assert arrays is None or list(arrays) == ["w"]


PAIRS = code([(str(number), number) for number in range(5000)])
ORDERED = name("collections", "OrderedDict")
BOMBS = {
    "deep tuples": code({"w": Code(b"N" + b"\x85" * 60_000)}),
    "deep lists": Code(b"]" * 60_000 + b"a" * 59_999),
    "deep as a key": Code(b"}(N" + b"\x85" * 60_000 + b"Nu"),
    "deep as a shape": code({"w": by_hand.tensor(by_hand.storage("FloatStorage", "0", 1), 0,
                                                 Code(b"N" + b"\x85" * 60_000), (1,))}),
    "a list doubled 60 times": Code(b"]q\0" + b"".join(
        b"](h" + bytes([n]) + b"h" + bytes([n]) + b"eq" + bytes([n + 1]) for n in range(60))),
    "pairs copied 1000 times": Code(PAIRS + b"q\0" + b"".join(
        ORDERED + b"h\0\x85R" for _ in range(1000))),
    "a list in itself": Code(b"]q\0h\0a"),
    "wrappers in wrappers": Code(b"}q\0" + code("state_dict") + b"h\0s"),
    "parameters in parameters": code({"w": Code(
        name("torch._utils", "_rebuild_parameter") * 10_000 + GOOD_TENSOR + b"\x85R" * 10_000)}),
    "a call with itself": Code(b"}q\2" + code("w") + name("torch._utils", "_rebuild_parameter") +
                               b"]q\0Rq\1sh\0h\1ah\2"),
    "huge text": Code(b"X\xff\xff\xff\xff" + b"x" * 100),
    "huger text": Code(b"\x8d" + b"\xff" * 7 + b"\x7f" + b"x" * 100),
    "huge bytes": Code(b"\x8e" + b"\xff" * 7 + b"\x7f" + b"x" * 100),
    "huge frame": Code(b"\x95" + b"\xff" * 7 + b"\x7f" + b"N"),
    "huge number": Code(b"\x8b\xff\xff\xff\x7f" + b"x" * 100),
    "long number": Code(b"\x8b\0\0\x10\0" + b"\x7f" * 2**20),
    "long decimal": Code(b"L" + b"9" * 10**6 + b"L\n"),
    "huge place in the memo": Code(b"Nr\xff\xff\xff\xff"),
    "no end": Code(b"N0" * 10),
    "many marks": Code(b"(" * 60_000),
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs(bomb, attack):
    content = by_hand.zip_file(BOMBS[bomb], ONE)
    tracemalloc.start()
    arrays = attack(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert arrays is None or all(np.array_equal(array, [1]) for array in arrays.values())
    assert peak < 2**26


def test_many_views_of_one_storage_do_not_fill_the_memory(attack):
    where = by_hand.storage("ByteStorage", "0", 10**5)
    entries = {str(n): by_hand.tensor(where, 0, (10**5 - n,), (1,)) for n in range(1000)}
    assert attack(by_hand.zip_file(entries, {"0": bytes(10**5)})) is None


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
    good = by_hand.zip_file({"w": GOOD_TENSOR}, ONE, ())
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
