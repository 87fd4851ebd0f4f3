"""Hugging Face's safetensors: a header in JSON, then the numbers.

The library of its makers reads it, and makes sure that what the header says is so.
Source: https://github.com/huggingface/safetensors, README, "Format".
"""

import json

import numpy as np

from npnets.extras import require
from npnets.weights.reading.checkpoint import BFLOAT16, Checkpoint, plain

DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": BFLOAT16,
    "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "<i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "<u1", "BOOL": "?",
}  # fmt: skip


def read(path):
    """Return the Checkpoint in a .safetensors file. Raises ValueError where the header lies."""
    library = require("safetensors", "weights")
    data = path.read_bytes()
    try:
        tensors = dict(library.deserialize(data))
    except library.SafetensorError as error:
        raise ValueError(f"a damaged .safetensors ({error})") from error
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    metadata = header.pop("__metadata__", {})
    return Checkpoint({name: _array(name, tensors[name]) for name in header},
                      "safetensors", metadata)  # fmt: skip


def _array(name, tensor):
    """Return the array that the library describes as {"dtype", "shape", "data"}."""
    if tensor["dtype"] not in DTYPES:
        raise ValueError(f"{name!r:.80} holds {tensor['dtype']}, not any of {', '.join(DTYPES)}")
    values = np.frombuffer(tensor["data"], DTYPES[tensor["dtype"]])
    return plain(name, values.reshape(tensor["shape"]))
