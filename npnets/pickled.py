"""Pickles, read and not run.

A pickle is a program for a small machine with a stack, and loading one from elsewhere runs
whatever its author wrote. Here nothing is run. `pickletools`, of the standard library, spells
out the instructions; `read_pickle` follows the few that data consist of; and where these ask
for a call, it is noted down as a Call and never made.
"""

import pickletools
from dataclasses import dataclass, field

# More than any file of weights or images has need of; what follows them takes seconds.
MOST_INSTRUCTIONS = 1_000_000


class Refused(ValueError):
    """A pickle asks for something that what is read from it has no need of."""


class Name(str):
    """The name of a class or function, "module name". It stays a name: nothing is imported."""

    __slots__ = ()


@dataclass
class Call:
    """A call that a pickle asks for, and what it wants to do to the result. Only data."""

    function: str
    arguments: tuple
    state: object = ()
    items: dict = field(default_factory=dict)  # what it puts into the result, as into a dict


def read_pickle(program, allowed, persistent=None):
    """Return what a pickle describes: a value of dicts, lists, tuples, numbers, text, Calls …

    `program` is the pickle, as bytes, or a file, of which one pickle is read. Only names that
    are among `allowed` may be in it. `persistent` is a function that returns what a persistent
    id stands for. Text that Python 2 wrote is bytes, save in the keys of dicts. Raises
    ValueError where the pickle is damaged, and Refused, which is one, where it has an
    instruction or a name that is not for data.
    """
    machine = _Machine(allowed, persistent)
    try:
        for count, (instruction, argument, _) in enumerate(pickletools.genops(program)):
            if count == MOST_INSTRUCTIONS:
                raise Refused(f"refused: it has more than {MOST_INSTRUCTIONS} instructions")
            machine.follow(instruction.name, argument)
        return machine.stack.pop()
    except (LookupError, TypeError, AttributeError, DeprecationWarning) as error:
        # the warning is of pickletools, for some of the names that it takes apart
        raise ValueError(f"a damaged pickle ({error})") from error


# The instructions that put a value on the stack, which they make of their argument.
PUSH = {
    "NONE": lambda _: None,
    "NEWTRUE": lambda _: True,
    "NEWFALSE": lambda _: False,
    "EMPTY_TUPLE": lambda _: (),
    "EMPTY_LIST": lambda _: [],
    "EMPTY_DICT": lambda _: {},
    **dict.fromkeys(["BININT", "BININT1", "BININT2", "LONG1"], int),
    **dict.fromkeys(["BINUNICODE", "SHORT_BINUNICODE"], str),
    **dict.fromkeys(["BINBYTES", "SHORT_BINBYTES"], bytes),
    **dict.fromkeys(["BINSTRING", "SHORT_BINSTRING"], lambda text: text.encode("latin-1")),
    "BINFLOAT": float,
}
# Those that change nothing here. STOP ends the program, and so the loop above.
IGNORED = {"PROTO", "FRAME", "STOP"}


class _Machine:
    """The stack, and what each instruction does to it."""

    def __init__(self, allowed, persistent):
        self.allowed, self.persistent = allowed, persistent
        self.stack, self.marks, self.memo = [], [], {}

    def follow(self, instruction, argument):
        """Do to the stack what this instruction would do; make notes of calls."""
        if instruction in PUSH:
            self.stack.append(PUSH[instruction](argument))
        elif instruction in CONTAINERS:
            CONTAINERS[instruction](self)
        elif instruction not in IGNORED and not self._remember(instruction, argument):
            self._note(instruction, argument)

    def _remember(self, instruction, argument):
        """Keep the top of the stack in the memo, or get from it; False for what does neither."""
        match instruction:
            case "BINPUT" | "LONG_BINPUT":
                self.memo[argument] = self.stack[-1]
            case "MEMOIZE":
                self.memo[len(self.memo)] = self.stack[-1]
            case "BINGET" | "LONG_BINGET":
                self.stack.append(self.memo[argument])
            case _:
                return False
        return True

    def _note(self, instruction, argument):
        """Names, calls, states and persistent ids: noted where they are allowed."""
        stack = self.stack
        if instruction == "STACK_GLOBAL":
            module, name = self.take(-2)
            argument = f"{module} {name}" if type(module) is type(name) is str else None
        match instruction:
            case "GLOBAL" | "STACK_GLOBAL" if argument in self.allowed:
                stack.append(Name(argument))
            case "REDUCE" if isinstance(stack[-2], Name) and isinstance(stack[-1], tuple):
                stack.append(Call(*self.take(-2)))
            case "REDUCE":
                kinds = [type(value).__name__ for value in stack[-2:]]
                raise Refused(f"refused: it asks to call a {kinds[0]} with a {kinds[-1]}")
            case "BUILD" if isinstance(stack[-2], Call):
                state = stack.pop()
                stack[-1].state = state
            case "BINPERSID" if self.persistent:
                stack.append(self.persistent(stack.pop()))
            case _:
                raise Refused(f"refused: it asks for {instruction} {argument!r:.80}")

    def take(self, start):
        """Take the values from `start` on off the stack, and return them."""
        taken = self.stack[start:]
        if len(taken) < -start:
            raise IndexError("nothing is left on its stack")
        del self.stack[start:]
        return taken

    def pack(self, count):
        """Make a tuple of the last `count` values."""
        self.stack.append(tuple(self.take(-count)))

    def extend(self, items):
        """Put items into the list that is then on top of the stack."""
        if not isinstance(self.stack[-1], list):
            raise TypeError(f"it would append to a {type(self.stack[-1]).__name__}")
        self.stack[-1].extend(items)

    def update(self, items):
        """Put items, a key and a value by turns, into what is then on top of the stack."""
        into = self.stack[-1]
        entries = into.items if isinstance(into, Call) else into
        if not isinstance(entries, dict):
            raise TypeError(f"it would set items of a {type(into).__name__}")
        entries.update(zip(map(_key, items[::2]), items[1::2], strict=True))


# What makes and fills tuples, lists and dicts.
CONTAINERS = {
    "MARK": lambda machine: machine.marks.append(len(machine.stack)),
    "TUPLE": lambda machine: machine.stack.append(tuple(machine.take(machine.marks.pop()))),
    "TUPLE1": lambda machine: machine.pack(1),
    "TUPLE2": lambda machine: machine.pack(2),
    "TUPLE3": lambda machine: machine.pack(3),
    "APPEND": lambda machine: machine.extend(machine.take(-1)),
    "APPENDS": lambda machine: machine.extend(machine.take(machine.marks.pop())),
    "SETITEM": lambda machine: machine.update(machine.take(-2)),
    "SETITEMS": lambda machine: machine.update(machine.take(machine.marks.pop())),
}


def _key(key):
    """Return the key of a dict: text or a whole number. Others are refused before hashing."""
    if isinstance(key, bytes):
        return key.decode()
    if not isinstance(key, str | int):
        raise TypeError(f"a key that is a {type(key).__name__}")
    return key
