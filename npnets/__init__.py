"""npnets: MobileNet and ShuffleNet from scratch, in NumPy and Numba, to be read."""

from npnets import ops
from npnets.nets import (
    MobileNetV1,
    MobileNetV2,
    ShuffleNetV1,
    ShuffleNetV2,
    create_model,
    list_models,
)
from npnets.ops import use_kernels

__version__ = "0.1.0"
__all__ = [
    "MobileNetV1",
    "MobileNetV2",
    "ShuffleNetV1",
    "ShuffleNetV2",
    "create_model",
    "list_models",
    "ops",
    "use_kernels",
]
