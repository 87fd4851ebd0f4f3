"""PyTorch's files, written without PyTorch: by hand, so that they can also be wrong."""

import io
import struct
import zipfile

import numpy as np

STORAGES = {"f8": "DoubleStorage", "f4": "FloatStorage", "f2": "HalfStorage", "i8": "LongStorage",
            "i4": "IntStorage", "i2": "ShortStorage", "i1": "CharStorage", "u1": "ByteStorage",
            "b1": "BoolStorage"}  # fmt: skip
MAGIC = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."


class Code(bytes):
    """Instructions of a pickle that leave one value on the stack."""


def code(value):
    """Return the instructions that make a value of dicts, lists, tuples, text, numbers, Code."""
    match value:
        case Code():
            return value
        case None:
            return Code(b"N")
        case bool():
            return Code(b"\x88" if value else b"\x89")
        case int():
            digits = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            return Code(b"\x8a" + bytes([len(digits)]) + digits)
        case float():
            return Code(b"G" + struct.pack(">d", value))
        case str():
            return Code(b"X" + struct.pack("<I", len(value.encode())) + value.encode())
        case bytes():
            return Code(b"T" + struct.pack("<I", len(value)) + value)
        case tuple():
            return Code(b"(" + b"".join(map(code, value)) + b"t")
        case list():
            return Code(b"](" + b"".join(map(code, value)) + b"e")
        case dict():
            pairs = b"".join(code(key) + code(entry) for key, entry in value.items())
            return Code(b"}(" + pairs + b"u")
    raise TypeError(type(value))


def name(module, function):
    """Return the instruction that would look up a class or function."""
    return Code(f"c{module}\n{function}\n".encode())


def call(function, *arguments):
    """Return the instructions that would call it."""
    return Code(function + code(arguments) + b"R")


def storage(kind, key, size):
    """Return the instructions that ask for a storage of so many numbers."""
    identity = ("storage", name("torch", kind), key, "cpu", size)
    return Code(code(identity) + b"Q")


def ordered(entries):
    """Return the instructions that make an OrderedDict, as PyTorch's state_dict() is one."""
    pairs = b"".join(code(key) + code(entry) for key, entry in entries.items())
    return Code(call(name("collections", "OrderedDict")) + b"(" + pairs + b"u")


def tensor(where, offset, shape, strides):
    """Return the instructions that would make a tensor of a storage."""
    rebuild = name("torch._utils", "_rebuild_tensor_v2")
    return call(rebuild, where, offset, shape, strides, False, ordered({}))


def tensors(arrays, new=True):
    """Return ({name: instructions}, {key: bytes}) for arrays, one storage each.

    In the older format, which is not `new`, the number of numbers comes before their bytes.
    """
    entries, storages = {}, {}
    for key, (title, array) in enumerate(arrays.items()):
        strides = tuple(stride // array.itemsize for stride in np.ascontiguousarray(array).strides)
        where = storage(STORAGES[array.dtype.str[1:]], str(key), array.size)
        entries[title] = tensor(where, 0, array.shape, strides[len(strides) - array.ndim :])
        size = b"" if new else struct.pack("<q", array.size)
        storages[str(key)] = size + array.tobytes()
    return entries, storages


def zip_file(value, storages, extra=(("byteorder", b"little"), ("version", b"3\n"))):
    """Return the bytes of a file of PyTorch 1.6 or later."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + code(value) + b".")
        for member, contents in extra:
            archive.writestr(f"archive/{member}", contents)
        for key, contents in storages.items():
            archive.writestr(f"archive/data/{key}", contents)
    return file.getvalue()


def old_file(value, storages, version=1001):
    """Return the bytes of a file of an earlier PyTorch."""
    system = {"protocol_version": version, "little_endian": True, "type_sizes": {"int": 4}}
    parts = [version, system, value, list(storages)]
    pickles = b"".join(b"\x80\x02" + code(part) + b"." for part in parts)
    return MAGIC + pickles + b"".join(storages.values())
