"""PyTorch's files with pickles that were made to harm: see test_attacks.py."""

import pickletools
import struct
import tracemalloc

import numpy as np
import pytest
import torch_files as by_hand
from torch_files import Code, call, code, name

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
