"""The four networks once more, in PyTorch: a witness for the tests, written from the papers.

They are those that `npnets bench` times.
"""

from npnets.bench.torch_twin import (
    MobileNetV1,
    MobileNetV2,
    ShuffleNetV1,
    ShuffleNetV2,
    copy_into,
    pairs,
)

__all__ = ["MobileNetV1", "MobileNetV2", "ShuffleNetV1", "ShuffleNetV2", "copy_into", "pairs"]
