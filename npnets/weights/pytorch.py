"""A .pth file, as PyTorch's torch.load reads it; `reading.torch_zip` has the other direction.

It is a zip archive of a pickle, which is a program, and of the bytes of each array. The program
builds a dict: for each array it puts the name on a stack, then asks for a call that makes the
tensor, and at the end it gathers all of them. Its instructions are written down one by one, so
neither PyTorch nor `pickle.dumps` has a part in it.
Source: torch/serialization.py, `_save`; the standard library's pickletools.
"""

import pickle
import struct
import zipfile

import numpy as np

from npnets.weights.reading.checkpoint import BFLOAT16
from npnets.weights.reading.tensors import STORAGES

KINDS = {np.dtype(dtype): kind for kind, dtype in STORAGES.items() if dtype is not BFLOAT16}


def write_pth(path, arrays):
    """Write {name: array} to `path`. Raises ValueError for types that PyTorch's files lack."""
    # Views are made contiguous, and numbers little-endian; scalars keep their shape, ().
    plain = {
        name: np.asarray(array, array.dtype.newbyteorder("<"), order="C")
        for name, array in arrays.items()
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", _program(plain))
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/version", "3\n")
        for key, array in enumerate(plain.values()):
            archive.writestr(f"archive/data/{key}", array.tobytes())


def _program(arrays):
    """Return the pickle of a dict of tensors, each with a storage of its own: 0, 1, 2 …"""
    entries = [_text(name) + _tensor(name, a, key) for key, (name, a) in enumerate(arrays.items())]
    start = pickle.PROTO + b"\x02" + pickle.EMPTY_DICT
    return start + pickle.MARK + b"".join(entries) + pickle.SETITEMS + pickle.STOP


def _tensor(name, array, key):
    """torch._utils._rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, hooks)"""
    if array.dtype.newbyteorder("=") not in KINDS:
        raise ValueError(f"{name}: PyTorch's files hold no {array.dtype}")
    kind = _global("torch", KINDS[array.dtype.newbyteorder("=")])
    where = _tuple(_text("storage"), kind, _text(str(key)), _text("cpu"), _int(array.size))
    shape = _tuple(*map(_int, array.shape))
    strides = _tuple(*(_int(stride // array.itemsize) for stride in array.strides))
    hooks = _call("collections", "OrderedDict")
    given = where + pickle.BINPERSID, _int(0), shape, strides, pickle.NEWFALSE, hooks
    return _call("torch._utils", "_rebuild_tensor_v2", *given)


def _call(module, function, *arguments):
    return _global(module, function) + _tuple(*arguments) + pickle.REDUCE


def _global(module, name):
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


def _tuple(*entries):
    return pickle.MARK + b"".join(entries) + pickle.TUPLE


def _text(text):
    return pickle.BINUNICODE + struct.pack("<I", len(text.encode())) + text.encode()


def _int(number):
    return pickle.BININT + struct.pack("<i", number)
