"""What every reader returns."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Checkpoint:
    """The arrays of a file, by the names and in the order that it has for them.

    Each array is C-contiguous and in the byte order of this machine; halves are float32 here.
    Names that one tensor had in common may share one array. `format` is "pytorch zip",
    "pytorch", "safetensors", "keras" or "npz", and `metadata` is what the file says of itself.
    """

    arrays: dict[str, np.ndarray]
    format: str
    metadata: dict = field(default_factory=dict)


# The types of array there are, by the names that they have in PyTorch's files and in safetensors.
# bfloat16, which NumPy lacks, is the upper half of a float32: it is read as whole numbers of two
# bytes, and `plain` puts the lower half, of zeros, under them.
BFLOAT16 = np.dtype([("bfloat16", "<u2")])


def plain(name, array):
    """Return an array as a Checkpoint holds it: numbers, contiguous, in native byte order."""
    if array.dtype.names == BFLOAT16.names:
        array = (array["bfloat16"].astype(np.uint32) << 16).view(np.float32)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name!r:.80} holds {array.dtype}, not numbers")
    dtype = np.float32 if array.dtype == np.float16 else array.dtype.newbyteorder("=")
    return np.ascontiguousarray(array, dtype).reshape(array.shape)
