"""Networks that npnets does not have, counted from their papers' tables: rows of convolutions.

A row is the size of what comes out, in pixels, the kernel, the channels in and out, the groups. A
fully connected layer is a convolution that makes one pixel.
"""

from dataclasses import dataclass
from typing import NamedTuple


class Conv(NamedTuple):
    """A convolution with a square kernel that makes size × size pixels."""

    size: int
    kernel: int
    in_channels: int
    out_channels: int
    groups: int = 1

    @property
    def weights(self):
        return self.out_channels * self.in_channels // self.groups * self.kernel**2

    @property
    def macs(self):
        return self.size**2 * self.weights


@dataclass(frozen=True)
class Listed:
    """A network as its convolutions; with biases, one for each output channel, in `params`."""

    rows: tuple[Conv, ...]

    @property
    def weights(self):
        return sum(row.weights for row in self.rows)

    @property
    def params(self):
        return self.weights + sum(row.out_channels for row in self.rows)

    @property
    def macs(self):
        return sum(row.macs for row in self.rows)

    @property
    def convolution_macs(self):
        """The multiply-adds of what makes more than one pixel."""
        return sum(row.macs for row in self.rows if row.size > 1)


def vgg16():
    """Simonyan and Zisserman, arXiv:1409.1556, table 1, column D."""
    rows, channels = [], 3
    for size, c, n in ((224, 64, 2), (112, 128, 2), (56, 256, 3), (28, 512, 3), (14, 512, 3)):
        for _ in range(n):
            rows.append(Conv(size, 3, channels, c))
            channels = c
    rows += [Conv(1, 7, 512, 4096), Conv(1, 1, 4096, 4096), Conv(1, 1, 4096, 1000)]
    return Listed(tuple(rows))


def alexnet():
    """Krizhevsky et al., 2012, section 3.5; three of its convolutions have two groups."""
    return Listed((
        Conv(55, 11,    3,   96),
        Conv(27,  5,   96,  256, 2),
        Conv(13,  3,  256,  384),
        Conv(13,  3,  384,  384, 2),
        Conv(13,  3,  384,  256, 2),
        Conv( 1,  6,  256, 4096),
        Conv( 1,  1, 4096, 4096),
        Conv( 1,  1, 4096, 1000),
    ))  # fmt: skip


INCEPTION = (
    # size   in  1×1  reduce 3×3  reduce 5×5  pool
    (28, 192,  64,    96, 128,    16,  32,   32),
    (28, 256, 128,   128, 192,    32,  96,   64),
    (14, 480, 192,    96, 208,    16,  48,   64),
    (14, 512, 160,   112, 224,    24,  64,   64),
    (14, 512, 128,   128, 256,    24,  64,   64),
    (14, 512, 112,   144, 288,    32,  64,   64),
    (14, 528, 256,   160, 320,    32, 128,  128),
    ( 7, 832, 256,   160, 320,    32, 128,  128),
    ( 7, 832, 384,   192, 384,    48, 128,  128),
)  # fmt: skip


def googlenet(separable_stem=False):
    """Szegedy et al., arXiv:1409.4842, table 1, without the auxiliary classifiers.

    That table gives the first convolution 2.7 thousand weights and 34 million multiply-adds. A
    full 7 × 7 convolution has 9.4 and 118; a separable one with 8 filters for each channel fits.
    """
    stem = [Conv(112, 7, 3, 64)]
    if separable_stem:
        stem = [Conv(112, 7, 3, 24, 3), Conv(112, 1, 24, 64)]
    rows = [*stem, Conv(56, 1, 64, 64), Conv(56, 3, 64, 192)]
    for size, c, one, reduce3, three, reduce5, five, pool in INCEPTION:
        rows += [Conv(size, 1, c, one), Conv(size, 1, c, pool)]
        rows += [Conv(size, 1, c, reduce3), Conv(size, 3, reduce3, three)]
        rows += [Conv(size, 1, c, reduce5), Conv(size, 5, reduce5, five)]
    return Listed((*rows, Conv(1, 1, 1024, 1000)))


def squeezenet():
    """Iandola et al., arXiv:1602.07360, table 1: version 1.0, on 227 × 227 pixels."""
    rows, channels = [Conv(111, 7, 3, 96)], 96
    fire = (55, 16), (55, 16), (55, 32), (27, 32), (27, 48), (27, 48), (27, 64), (13, 64)
    for size, squeeze in fire:
        rows += [Conv(size, 1, channels, squeeze)]
        rows += [Conv(size, kernel, squeeze, 4 * squeeze) for kernel in (1, 3)]
        channels = 8 * squeeze
    return Listed((*rows, Conv(13, 1, channels, 1000)))


STAGES = (56, 3), (28, 4), (14, 6), (7, 3)  # the size of the image and the units: 50 layers


def resnet50():
    """He et al., arXiv:1512.03385, table 1. The stride is in the first 1 × 1 convolution."""
    rows, channels = [Conv(112, 7, 3, 64)], 64
    for stage, (size, n) in enumerate(STAGES):
        m = 64 * 2**stage
        for unit in range(n):
            rows += [Conv(size, 1, channels, m), Conv(size, 3, m, m), Conv(size, 1, m, 4 * m)]
            if unit == 0:
                rows += [Conv(size, 1, channels, 4 * m)]
            channels = 4 * m
    return Listed((*rows, Conv(1, 1, channels, 1000)))


def shufflenet_v1_50(ratio):
    """ShuffleNet V2, arXiv:1807.11164, appendix table 2: c/ratio channels in the bottleneck."""
    rows, channels, before, g = [Conv(112, 3, 3, 64)], 64, 56, 3
    for stage, (size, n) in enumerate(STAGES):
        c = 360 * 2**stage
        m = c // ratio
        rows += [Conv(before, 1, channels, m, g if stage else 1), Conv(size, 3, m, m, m)]
        rows += [Conv(size, 1, m, c - channels, g)]
        rows += (n - 1) * [Conv(size, 1, c, m, g), Conv(size, 3, m, m, m), Conv(size, 1, m, c, g)]
        channels, before = c, size
    return Listed((*rows, Conv(1, 1, channels, 1000)))


def shufflenet_v2_50():
    """ShuffleNet V2, arXiv:1807.11164, appendix table 2, with units as in `nets`."""
    rows, channels, before = [Conv(112, 3, 3, 64)], 64, 56
    for stage, (size, n) in enumerate(STAGES):
        c = 244 * 2**stage
        half = c // 2
        rows += [Conv(size, 3, channels, channels, channels), Conv(size, 1, channels, channels)]
        rows += [Conv(before, 1, channels, half), Conv(size, 3, half, half, half)]
        rows += [Conv(size, 1, half, c - channels)]
        pointwise, depthwise = Conv(size, 1, half, half), Conv(size, 3, half, half, half)
        rows += (n - 1) * [pointwise, depthwise, pointwise]
        channels, before = c, size
    return Listed((*rows, Conv(7, 1, channels, 2048), Conv(1, 1, 2048, 1000)))
