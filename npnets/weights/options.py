"""Which of its family a network is: read off the shapes of its arrays, not off a file's name."""

from npnets.nets import MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2
from npnets.nets.shufflenet_v1 import STEM, TABLE_1
from npnets.nets.shufflenet_v2 import TABLE_5

# The smallest of each family, for the names that all its members have.
SMALLEST = {
    MobileNetV1: {"width_mult": 0.25},
    MobileNetV2: {"width_mult": 0.35},
    ShuffleNetV1: {"scale": 0.25, "groups": 1},
    ShuffleNetV2: {"width_mult": 0.5},
}
PUBLISHED_V2 = 0.35, 0.5, 0.75, 1.0, 1.3, 1.4


def options_of(network, shape):
    """Return the options of the network; shape is a function: array of npnets -> its shape."""
    read = {
        MobileNetV1: mobilenet_v1,
        MobileNetV2: mobilenet_v2,
        ShuffleNetV1: shufflenet_v1,
        ShuffleNetV2: shufflenet_v2,
    }
    classes = shape("classifier.weight")[0]
    in_channels = shape("stem.conv.weight")[1]
    return read[network](shape) | {"num_classes": classes, "in_channels": in_channels}


def mobilenet_v1(shape):
    """The last of its widths is 1024 times the multiplier."""
    return {"width_mult": shape("classifier.weight")[1] / 1024}


def mobilenet_v2(shape):
    """Several multipliers give the same widths: the published come first, then round numbers."""
    stages = (f"stage{n}.unit1.branch.project.conv.weight" for n in range(1, 8))
    widths = _made(shape, "stem.conv.weight", *stages, "head.conv.weight")
    hundredths = sorted(range(5, 201), key=lambda n: (n % 25 > 0, n % 5 > 0))
    for width_mult in (*PUBLISHED_V2, *(n / 100 for n in hundredths)):
        if MobileNetV2.widths(width_mult) == widths:
            return {"width_mult": width_mult}
    return {"widths": widths}


def shufflenet_v1(shape):
    """A grouped convolution takes a part of the channels only: so are groups counted."""
    stages = (f"stage{n}.unit2.branch.expand.conv.weight" for n in (2, 3, 4))
    widths = _made(shape, "stem.conv.weight", *stages)
    groups = widths[1] // max(1, shape("stage2.unit2.branch.compress.conv.weight")[1])
    for scale in STEM if groups in TABLE_1 else ():
        if ShuffleNetV1.widths(scale, groups) == widths:
            return {"scale": scale, "groups": groups}
    return {"groups": groups, "widths": widths}


def shufflenet_v2(shape):
    """A branch has half of a stage's channels; the shortcut of a strided unit may have fewer."""
    branches = (f"stage{n}.unit2.branch.pointwise1.conv.weight" for n in (2, 3, 4))
    stem, *halves, head = _made(shape, "stem.conv.weight", *branches, "head.conv.weight")
    widths = (stem, *(2 * half for half in halves), head)
    kept = shape("stage2.unit1.shortcut.pointwise.conv.weight")[0]
    ways = {"equal_ways": True} if kept == halves[0] != stem else {}
    for width_mult, column in TABLE_5.items():
        if column == widths:
            return {"width_mult": width_mult, **ways}
    return {"widths": widths, **ways}


def _made(shape, *names):
    """Return how many channels each of these convolutions makes."""
    return tuple(shape(name)[0] for name in names)
