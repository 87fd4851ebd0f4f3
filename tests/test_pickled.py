"""Pickles with bad intentions: each is refused, says what it asked for, and is not run."""

import copyreg
import io
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import pytest

from npnets import pickled
from npnets.data.cifar10 import NAMES, read_array
from npnets.pickled import Call, read_pickle


class Attack:
    """Pickles into a program that calls function(*arguments) when it is loaded."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


# What the attacks run: it creates a file called `trace` in the working directory.
TOUCH = "open('trace', 'w').close()"
TEXT = b"U" + bytes([len(TOUCH)]) + TOUCH.encode()  # TOUCH as a string
CALL = b"(" + TEXT + b"tR."  # a call, with TOUCH, of what is on the stack

# fmt: off
ATTACKS = {
    "os":                b"cos\nsystem\n" + CALL,
    "posix":             b"cposix\nsystem\n" + CALL,
    "eval":              b"c__builtin__\neval\n" + CALL,
    "exec":              b"cbuiltins\nexec\n" + CALL,
    "numpy load":        b"cnumpy\nload\n" + CALL,
    "codecs":            b"c_codecs\nencode\n" + CALL,
    "near name":         b"cnumpy.core.multiarray\nscalar\n" + CALL,
    "dotted name":       b"cnumpy\nndarray.__class__\n" + CALL,
    "name split apart":  b"cnumpy.core\nmultiarray._reconstruct\n" + CALL,
    "stack global":      b"\x8c\x08builtins\x8c\x04eval\x93" + CALL,
    "stack global, old": b"U\x08builtinsU\x04eval\x93" + CALL,
    "stack global, Call": b"cnumpy\ndtype\n(tR\x8c\x04eval\x93" + CALL,
    "inst":              b"(" + TEXT + b"i__builtin__\neval\n.",
    "obj":               b"(cnumpy\nndarray\no.",
    "newobj":            b"cnumpy\nndarray\n)\x81.",
    "newobj of a name":  b"cnumpy\nndarray\n(t\x81.",
    "persistent id":     b"Pos.system\n.",
    "binary pers. id":   b"U\x09os.systemQ.",
    "extension code":    b"\x82\xf0" + CALL,
    "call of text":      b"\x8c\x09os system(tR.",
    "call of bytes":     b"U\x09os.system" + CALL,
    "nested call":       b"cnumpy\ndtype\n(tR(tR.",
    "call with a list":  b"cnumpy\ndtype\n]R.",
    "build on a class":  b"cnumpy\nndarray\n}b.",
    "build on a list":   b"]}b.",
    "objects in array":  b"cnumpy.core.multiarray\n_reconstruct\n(tR(K\x01](cos\nsystem\netb.",
}
ASKED = {
    "os": "GLOBAL 'os system'",          "posix": "GLOBAL 'posix system'",
    "eval": "GLOBAL '__builtin__ eval'", "exec": "GLOBAL 'builtins exec'",
    "numpy load": "GLOBAL 'numpy load'", "codecs": "GLOBAL '_codecs encode'",
    "near name": "GLOBAL 'numpy.core.multiarray scalar'",
    "dotted name": "GLOBAL 'numpy ndarray.__class__'",
    "name split apart": "GLOBAL 'numpy.core multiarray._reconstruct'",
    "stack global": "STACK_GLOBAL 'builtins eval'", "stack global, old": "STACK_GLOBAL None",
    "stack global, Call": "STACK_GLOBAL None",
    "inst": "INST '__builtin__ eval'",   "obj": "OBJ",
    "newobj": "NEWOBJ",                  "newobj of a name": "NEWOBJ",
    "persistent id": "PERSID 'os.system'", "binary pers. id": "BINPERSID",
    "extension code": "EXT1 240",        "call of text": "to call a str",
    "call of bytes": "to call a bytes",  "nested call": "to call a Call",
    "call with a list": "to call a Name with a list",
    "build on a class": "BUILD",         "build on a list": "BUILD",
    "objects in array": "GLOBAL 'os system'",
}
# fmt: on


@pytest.fixture(autouse=True)
def working_directory(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def extension_code():
    """Have code 240 stand for eval, as any package that was imported may have done."""
    copyreg.add_extension("builtins", "eval", 240)
    yield
    copyreg.remove_extension("builtins", "eval", 240)
    copyreg.clear_extension_cache()


@pytest.mark.parametrize("name", ATTACKS)
def test_a_hostile_pickle_is_refused_and_not_run(name):
    with pytest.raises(ValueError, match=rf"refused: it asks (for )?{ASKED[name]}"):
        read_pickle(b"\x80\x02" + ATTACKS[name], NAMES)
    assert not Path("trace").exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "attack",
    [Attack(eval, TOUCH), Attack(os.system, "echo > trace"), Attack(Attack, eval, TOUCH)],
    ids=["eval", "os.system", "class"],
)
def test_what_pickle_itself_would_write_is_refused(attack, protocol):
    with pytest.raises(ValueError, match="refused: it asks for"):
        read_pickle(pickle.dumps({b"labels": [attack]}, protocol), NAMES)
    assert not Path("trace").exists()


@pytest.mark.parametrize("name", ["eval", "exec", "stack global", "inst", "extension code"])
def test_the_attacks_are_real(name):
    pickle.loads(b"\x80\x02" + ATTACKS[name])
    assert Path("trace").exists()


def test_calls_are_noted_down_and_never_made():
    call = read_pickle(b"\x80\x02cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R(K\x03Ntb.", NAMES)
    assert call == Call("numpy dtype", (b"O8", 0, 1), (3, None))
    with pytest.raises(ValueError, match="type u1 in 2 dimensions, got Call"):
        read_array(call)


def test_deep_nesting_does_no_harm():
    nested = b"N" + b"\x85" * 20_000  # a tuple in a tuple in a tuple …
    with pytest.raises(ValueError, match="type u1 in 2 dimensions, got tuple"):
        read_array(read_pickle(b"\x80\x02" + nested + b".", NAMES))
    with pytest.raises(ValueError, match=r"a damaged pickle .*a key that is a tuple"):
        read_pickle(b"\x80\x02}(" + nested + b"Nu.", NAMES)  # as a key, which would be hashed


VALUES = {
    "numbers": [0, 255, 256, -1, 2**31, -(2**63), 0x1950A86A20F9469CFC6C, 1.5, True, False, None],
    "text": ["", "ü", "x" * 300, b"", b"\xff" * 300],
    "nested": {"a": {"b": ([1], (2, 3), (4, 5, 6, 7), {})}, 3: ()},
    "one of each": [[1], {"a": 1}, (1,)],
}
VALUES["the same twice"] = [VALUES["text"], VALUES["text"], VALUES["nested"]]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("name", VALUES)
def test_reading_gives_what_running_would(name, protocol):
    value = VALUES[name] if protocol > 2 or name in ("numbers", "nested") else ["text only"]
    program = pickle.dumps(value, protocol)
    read, run = read_pickle(program, ()), pickle.loads(program)
    assert read == run == value
    assert repr(read) == repr(run)  # tells 1 from True and 1.0


def test_what_is_there_twice_is_one_object():
    read = read_pickle(pickle.dumps([VALUES["text"]] * 2, 4), ())
    assert read[0] is read[1]


def test_what_a_call_is_filled_with_is_noted_down():
    filled = OrderedDict(a=1, b=[2])
    filled.note = "x"
    for protocol in (2, 4):
        call = read_pickle(pickle.dumps(filled, protocol), ("collections OrderedDict",))
        assert call == Call("collections OrderedDict", (), {"note": "x"}, {"a": 1, "b": [2]})


def test_persistent_ids_are_looked_up():
    program = b"\x80\x02(X\x01\x00\x00\x00aK\x05tQ."
    assert read_pickle(program, (), lambda identity: ["found", identity]) == ["found", ("a", 5)]


def test_of_a_file_one_pickle_is_read():
    file = io.BytesIO(pickle.dumps([1], 2) + pickle.dumps("second", 4) + b"rest")
    assert read_pickle(file, ()) == [1]
    assert read_pickle(file, ()) == "second"
    assert file.read() == b"rest"


def test_a_pickle_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(pickled, "MOST_INSTRUCTIONS", 1000)
    assert len(read_pickle(b"\x80\x02](" + b"N" * 995 + b"e.", ())) == 995
    with pytest.raises(ValueError, match="more than 1000 instructions"):
        read_pickle(b"\x80\x02](" + b"N" * 996 + b"e.", ())
