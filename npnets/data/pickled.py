"""Pickles, read and not run.

A pickle is a program for a small machine with a stack, and loading one from elsewhere runs
whatever its author wrote. Here nothing is run. `pickletools`, of the standard library, spells
out the instructions; `read_pickle` follows the few that a batch of CIFAR-10 consists of; and
where these ask for a call, it is noted down as a Call and never made.
"""

import pickletools
from dataclasses import dataclass, replace

import numpy as np

# The only names in a batch: how NumPy 1 pickled an array. Here they stay names.
ALLOWED = ("numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype")


@dataclass(frozen=True)
class Call:
    """A call that a pickle asks for, and the state it wants the result to have. Only data."""

    function: str
    arguments: tuple
    state: tuple = ()

    def __post_init__(self):
        if self.function not in ALLOWED:
            raise ValueError(f"refused: it asks to call a {type(self.function).__name__}")


def read_pickle(program):
    """Return what a pickle describes: a value of dicts, lists, ints, bytes, Calls …

    `program` is the pickle, as bytes. Raises ValueError where it is damaged, or has an
    instruction, or a name, that a batch of CIFAR-10 has no need of.
    """
    stack, marks = [], []
    try:
        for instruction, argument, _ in pickletools.genops(program):
            _follow(instruction.name, argument, stack, marks)
        return stack.pop()
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"a damaged pickle ({error})") from error


def read_array(call):
    """Return the array of uint8, (N, M), that NumPy would have made when called so.

    Raises ValueError where it is called otherwise, or for another kind of array.
    """
    match call:
        case Call(
            "numpy.core.multiarray _reconstruct",
            state=(1, (int(N), int(M)), Call("numpy dtype", (b"u1", 0, 1)), False, bytes(data)),
        ):
            return np.frombuffer(data, np.uint8).reshape(N, M)
        case Call(state=(_, tuple(shape), Call("numpy dtype", (bytes(kind), *_)), *_)):
            found = f"type {kind!r:.20} in {len(shape)} dimensions"
        case _:
            found = type(call).__name__
    raise ValueError(f"data must be an array of type u1 in 2 dimensions, got {found}")


# The instructions that put a value on the stack, which they make of their argument.
PUSH = {
    "NONE": lambda _: None,
    "NEWFALSE": lambda _: False,
    "EMPTY_LIST": lambda _: [],
    "EMPTY_DICT": lambda _: {},
    "BININT": int,
    "BININT1": int,
    "BININT2": int,
    "BINSTRING": lambda text: text.encode("latin-1"),
    "SHORT_BINSTRING": lambda text: text.encode("latin-1"),
}


def _follow(name, argument, stack, marks):
    """Do to the stack what the instruction of this name would do; make notes of calls."""
    match name:
        case "PROTO" | "BINPUT" | "LONG_BINPUT" | "STOP":
            pass  # BINPUT keeps a value for BINGET, which a batch never asks for
        case name if name in PUSH:
            stack.append(PUSH[name](argument))
        case "MARK":
            marks.append(len(stack))
        case "TUPLE":
            stack.append(tuple(_take(stack, marks.pop())))
        case "TUPLE1" | "TUPLE2" | "TUPLE3":
            stack.append(tuple(_take(stack, -int(name[-1]))))
        case "APPENDS":
            items = _take(stack, marks.pop())
            stack[-1].extend(items)
        case "SETITEMS":
            items = _take(stack, marks.pop())
            keys = map(bytes.decode, items[::2])
            stack[-1].update(zip(keys, items[1::2], strict=True))
        case "GLOBAL" if argument in ALLOWED:
            stack.append(argument)
        case "REDUCE":
            stack.append(Call(*_take(stack, -2)))
        case "BUILD" if isinstance(stack[-2], Call):
            state = stack.pop()
            stack[-1] = replace(stack[-1], state=state)
        case _:
            raise ValueError(f"refused: it asks for {name} {argument!r:.80}")


def _take(stack, start):
    """Take the values from `start` on off the stack, and return them."""
    taken = stack[start:]
    del stack[start:]
    return taken
