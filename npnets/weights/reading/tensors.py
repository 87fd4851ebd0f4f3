"""From what a pickle of PyTorch notes down to arrays: storages, tensors, and dicts of them.

A storage is a row of numbers. A tensor is a way to look at one: it begins at `offset`, has the
sizes of `shape`, and `strides` say how many numbers on the next one lies along each axis. Many
tensors may look at one storage.
"""

import math
from dataclasses import dataclass

import numpy as np

from npnets.pickled import Call, Name, Refused, read_pickle
from npnets.weights.reading.checkpoint import BFLOAT16, plain

STORAGES = {
    "DoubleStorage": "f8", "FloatStorage": "f4", "HalfStorage": "f2", "BFloat16Storage": BFLOAT16,
    "LongStorage": "i8", "IntStorage": "i4", "ShortStorage": "i2", "CharStorage": "i1",
    "ByteStorage": "u1", "BoolStorage": "?",
}  # fmt: skip
DTYPES = {f"{place} {name}": np.dtype(dtype)
          for place in ("torch", "torch.cuda") for name, dtype in STORAGES.items()}  # fmt: skip

TENSOR = ("torch._utils _rebuild_tensor", "torch._utils _rebuild_tensor_v2")
PARAMETER = ("torch._utils _rebuild_parameter", "torch._utils _rebuild_parameter_with_state")
ORDERED_DICT = "collections OrderedDict"
# What often lies beside weights: the best accuracy so far, as NumPy's number, and the like.
BESIDE = ("numpy.core.multiarray scalar", "numpy._core.multiarray scalar", "numpy dtype",
          "_codecs encode", "torch Size", "torch device")  # fmt: skip
ALLOWED = {*DTYPES, *TENSOR, *PARAMETER, ORDERED_DICT, *BESIDE}

# What a dict of tensors is often wrapped in; the first that is there is opened.
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "state_dict_ema", "model_ema")
MOST_WRAPPERS = 4
MOST_AXES = 32  # as NumPy 1
# Tensors that look at one storage may make more of it than the file is long; but not much more.
MOST_OF_A_BYTE = 16


@dataclass(frozen=True)
class Storage:
    """Where numbers lie: under which key, of which type, and how many."""

    key: str
    dtype: np.dtype
    size: int

    @property
    def nbytes(self):
        """How many bytes the file must have for it."""
        return self.size * self.dtype.itemsize


@dataclass(frozen=True)
class Tensor:
    """How to look at a storage. All but the storage is counted in numbers, not bytes."""

    storage: Storage
    offset: int
    shape: tuple
    strides: tuple


def read_tensors(program, storages):
    """Return ({name: Tensor}, metadata) of a pickle of PyTorch.

    Every Storage that it mentions is put into `storages`, by its key. Raises ValueError where
    the pickle is damaged, or asks for anything but tensors.
    """

    def note_storage(identity):
        storage = _storage(identity)
        return storages.setdefault(storage.key, storage)

    try:
        return _find_tensors(read_pickle(program, ALLOWED, note_storage))
    except Refused as error:
        raise ValueError(
            f"{error}. Only tensors are read from a pickle. If a whole model was saved, load it "
            "with PyTorch where its classes are, and torch.save(model.state_dict(), ...)"
        ) from error


def _storage(identity):
    """Return the Storage that a persistent id speaks of."""
    match identity:
        case (b"storage" | "storage", Name() as kind, key, _, int(size), *view):
            if kind in DTYPES and size >= 0 and view in ([], [None]):
                return Storage(text(key), DTYPES[kind], size)
    raise ValueError("a damaged pickle (an id that is not of a storage)")


def text(value):
    """Return text, which is bytes where Python 2 wrote it, or a number that stands for a name."""
    if isinstance(value, bytes):
        return value.decode()
    if not isinstance(value, str | int):
        raise ValueError(f"a damaged pickle (a key that is a {type(value).__name__})")
    return str(value)


def _find_tensors(value):
    """Return ({name: Tensor}, metadata), with the wrappers taken off."""
    opened, left_out = [], []
    while len(opened) <= MOST_WRAPPERS:
        entries = _entries(value)
        wrapper = next((w for w in WRAPPERS if _is_dict(entries.get(w))), None)
        if wrapper is None:
            break
        opened.append(wrapper)
        left_out += [str(name) for name in entries if name != wrapper]
        value = entries[wrapper]
    tensors = {str(name): _tensor(entry) for name, entry in entries.items()}
    left_out += [name for name, tensor in tensors.items() if tensor is None]
    tensors = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    if not tensors:
        raise ValueError(f"none of its entries is a tensor: {', '.join(map(str, entries))[:200]}")
    if all(name.startswith("module.") for name in tensors):  # saved from a DataParallel
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    return tensors, {"opened": opened, "left_out": left_out}


def _is_dict(value):
    return isinstance(value, dict) or (isinstance(value, Call) and value.function == ORDERED_DICT)


def _entries(value):
    """Return a dict, or what notes say of an OrderedDict, as a dict."""
    if not _is_dict(value):
        raise ValueError(f"it holds a {type(value).__name__}, not a dict of tensors")
    if isinstance(value, dict):
        return value
    match value.arguments:
        case ():
            return value.items
        case (list(pairs),) if all(isinstance(p, list | tuple) and len(p) == 2 for p in pairs):
            return {text(name): entry for name, entry in pairs} | value.items  # Python 2
    raise ValueError("a damaged pickle (an OrderedDict of something else than pairs)")


def _tensor(value):
    """Return the Tensor that a note speaks of, or None for anything else."""
    while isinstance(value, Call) and value.function in PARAMETER and value.arguments:
        value = value.arguments[0]
    match value:
        case Call(function, (Storage() as storage, int(offset), tuple(shape), tuple(strides), *_)):
            if function in TENSOR:
                _check(storage, offset, shape, strides)
                return Tensor(storage, offset, shape, strides)
    return None


def _check(storage, offset, shape, strides):
    """Raise ValueError where a tensor would look at anything outside of its storage."""
    if not len(shape) == len(strides) <= MOST_AXES:
        raise ValueError(f"a tensor has {len(shape)} axes and {len(strides)} strides")
    if not all(isinstance(n, int) and n >= 0 for n in [offset, *shape, *strides]):
        raise ValueError("the shape, strides and offset of a tensor must be whole numbers from 0")
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if 0 not in shape and last >= storage.size:
        raise ValueError(
            f"a tensor of shape {shape} reaches number {last} of a storage of {storage.size}"
        )


def arrays(tensors, contents, order):
    """Return {name: array} of tensors. Those that look at the same numbers share one array.

    `contents(storage)` returns the bytes of a Storage, and `order` is their order, "<" or ">".
    """
    held = sum(storage.nbytes for storage in {tensor.storage for tensor in tensors.values()})
    wanted = sum(math.prod(t.shape) * t.storage.dtype.itemsize for t in set(tensors.values()))
    if wanted > MOST_OF_A_BYTE * held:
        raise ValueError(f"its tensors would fill {wanted} bytes, and it holds {held}")
    made = {}
    for name, tensor in tensors.items():
        if tensor not in made:
            made[tensor] = plain(name, _array(tensor, contents(tensor.storage), order))
    return {name: made[tensor] for name, tensor in tensors.items()}


def _array(tensor, data, order):
    """Return a contiguous copy of what a tensor looks at."""
    dtype = tensor.storage.dtype.newbyteorder(order)
    strides = [stride * dtype.itemsize for stride in tensor.strides]
    if len(data) != tensor.storage.nbytes:
        raise ValueError(f"a storage has {len(data)} bytes and not {tensor.storage.nbytes}")
    offset = tensor.offset * dtype.itemsize if math.prod(tensor.shape) else 0
    return np.ndarray(tensor.shape, dtype, data, offset, strides).copy()
