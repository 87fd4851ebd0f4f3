"""Single operations to time, at shapes that occur in the four networks."""

from dataclasses import dataclass
from math import prod

import numpy as np


@dataclass(frozen=True)
class OpCase:
    """One operation on x of shape (N, C, H, W), padded so that a stride of 1 keeps the size."""

    op: str
    shape: tuple[int, int, int, int]
    out_channels: int
    kernel_size: int = 1
    stride: int = 1
    groups: int = 1

    @property
    def name(self):
        """A name such as depthwise3-32x96x112x112-s2."""
        size = "x".join(map(str, self.shape))
        to = f"-o{self.out_channels}" if self.op in ("pointwise", "conv") else ""
        groups = f"-g{self.groups}" if self.op in ("pointwise", "shuffle") else ""
        kernel = self.kernel_size if self.kernel_size > 1 else ""
        return f"{self.op}{kernel}-{size}{to}-s{self.stride}{groups}"

    @property
    def title(self):
        """A name for people, such as depthwise 3×3 s2 32×96×112×112."""
        K, parts = self.kernel_size, [self.op.replace("norm", "batch norm").replace("_", " + ")]
        parts += [f"{K}×{K} s{self.stride}"] if K > 1 else []
        parts += [f"g{self.groups}"] if self.op in ("pointwise", "shuffle") else []
        size = "×".join(map(str, self.shape))
        to = f"→{self.out_channels}" if self.op in ("pointwise", "conv") else ""
        return " ".join([*parts, size + to])

    @property
    def output_shape(self):
        N, _, H, W = self.shape
        K, s, p = self.kernel_size, self.stride, self.padding
        return N, self.out_channels, (H + 2 * p - K) // s + 1, (W + 2 * p - K) // s + 1

    @property
    def padding(self):
        return self.kernel_size // 2

    @property
    def weight_shape(self):
        """The shape of the weight of a convolution; None where the op has none."""
        if self.op not in ("depthwise", "pointwise", "conv"):
            return None
        K, groups = self.kernel_size, self.convolution_groups
        return self.out_channels, self.shape[1] // groups, K, K

    @property
    def convolution_groups(self):
        return self.shape[1] if self.op == "depthwise" else self.groups

    def macs(self, backward):
        """Return the multiply-adds: of a convolution three times as many with its backward."""
        if self.weight_shape is None:
            return 0
        return (3 if backward else 1) * prod(self.output_shape) * prod(self.weight_shape[1:])

    def bytes(self, backward):
        """Return the bytes in float32 of what must be read and written, each once per pass."""
        x, y, weight = prod(self.shape), prod(self.output_shape), prod(self.weight_shape or (0,))
        numbers = x + weight + y
        if backward:  # dy and dx; and what the op's backward asks for
            asked = {"norm_relu6": x + y, "max_pool": x, "shuffle": 0}.get(self.op, x + weight)
            numbers += y + x + weight + asked
        return 4 * numbers


# fmt: off
CASES = {case.name: case for case in (
    #       op            N   C    H    W     O     K  s  g
    OpCase("depthwise",  ( 32,  32, 112, 112),   32, 3, 1),
    OpCase("depthwise",  ( 32,  96, 112, 112),   96, 3, 2),
    OpCase("depthwise",  ( 32, 144,  56,  56),  144, 3, 1),
    OpCase("depthwise",  ( 32, 144,  56,  56),  144, 3, 2),
    OpCase("depthwise",  ( 32, 192,  28,  28),  192, 3, 1),
    OpCase("depthwise",  ( 32, 384,  14,  14),  384, 3, 1),
    OpCase("depthwise",  ( 32, 576,  14,  14),  576, 3, 2),
    OpCase("depthwise",  ( 32, 960,   7,   7),  960, 3, 1),
    OpCase("depthwise",  (128, 384,   4,   4),  384, 3, 1),
    OpCase("depthwise",  ( 32, 144,  28,  28),  144, 5, 1),
    OpCase("depthwise",  ( 32, 240,  28,  28),  240, 5, 2),
    OpCase("pointwise",  ( 32,  96,  56,  56),   24),
    OpCase("pointwise",  ( 32,  24,  56,  56),  144),
    OpCase("pointwise",  ( 32, 384,  14,  14),   64),
    OpCase("pointwise",  ( 32, 320,   7,   7), 1280),
    OpCase("pointwise",  ( 32, 240,  28,  28),   60, 1, 1, 3),
    OpCase("conv",       (  8,  32,  28,  28),   64, 3, 1),
    OpCase("conv",       ( 32,   3, 224, 224),   32, 3, 2),
    OpCase("norm_relu6", ( 32, 144,  56,  56),  144),
    OpCase("max_pool",   ( 32,  24, 112, 112),   24, 3, 2),
    OpCase("shuffle",    ( 32, 240,  28,  28),  240, 1, 1, 3),
)}
# fmt: on


def arrays(case):
    """Return (x, the op's learned arrays, dy) in float32, the same for every peer."""
    rng = np.random.default_rng(0)

    def normal(shape):
        return rng.standard_normal(shape, dtype=np.float32)

    x, dy, learned = normal(case.shape), normal(case.output_shape), []
    if case.weight_shape is not None:
        learned = [normal(case.weight_shape)]
    elif case.op == "norm_relu6":
        # y stays between the kinks: on which side of one a rounding falls would decide its dx
        learned = [0.25 + normal(case.shape[1]) / 40, 3 + normal(case.shape[1]) / 40]
    return x, learned, dy
