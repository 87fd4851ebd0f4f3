"""npnets: MobileNet and ShuffleNet from scratch, in NumPy and Numba, to be read.

In reading order: `ops`, what each operation means; `layers`, what each saves for its backward;
`nets`, the four networks; `gradcheck`, `cost`, `data`, `optim`, `train`, what is done with them.
"""

from npnets import cost, data, gradcheck, init, layers, nets, ops, optim, train
from npnets.nets import (
    MobileNetV1,
    MobileNetV2,
    ShuffleNetV1,
    ShuffleNetV2,
    create_model,
    list_models,
)
from npnets.ops import reuse_memory, use_kernels, use_threads

__version__ = "0.1.0"
__all__ = [
    "MobileNetV1",
    "MobileNetV2",
    "ShuffleNetV1",
    "ShuffleNetV2",
    "cost",
    "create_model",
    "data",
    "gradcheck",
    "init",
    "layers",
    "list_models",
    "nets",
    "ops",
    "optim",
    "reuse_memory",
    "train",
    "use_kernels",
    "use_threads",
]
