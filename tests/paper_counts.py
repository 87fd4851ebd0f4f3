"""Reads paper_counts.csv, and builds the network of each of its rows.

A row is what a source says, in millions as printed, and the exact numbers: `params` are all that
is learned, `weights` those of convolutions and classifier only, `macs` the multiply-adds. Sources
count parameters one way or the other, and round or cut off. Some published codes have no bias in
the classifier; `bias_not_counted` is what npnets has more. Where a published number is not ours
the note says why. Rows without exact numbers cannot be built, and the note says why not.
"""

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from npnets import MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2
from npnets.blocks import conv_norm_act
from npnets.cost import summarize
from npnets.layers import GlobalAvgPool, Linear, Sequential
from npnets.nets.mobilenet_v1 import TABLE_1, separable_unit

# The table


@dataclass(frozen=True)
class Published:
    """A row of paper_counts.csv; the exact counts are None where the network cannot be built."""

    network: str
    variant: str
    width: str
    groups: str
    resolution: str
    source: str
    published_params: str
    published_macs: str
    params: int | None
    weights: int | None
    macs: int | None
    macs_without_classifier: int | None
    bias_not_counted: int | None
    note: str

    def __str__(self):
        groups = f"g{self.groups}" if self.groups else ""
        what = f"{self.network} {self.variant} {self.width} {groups} @{self.resolution}"
        return " ".join(f"{what}, {self.source or 'unpublished'}".split())


def read():
    """Return all rows of paper_counts.csv."""
    counts = {name for name, kind in Published.__annotations__.items() if kind == int | None}
    with open(Path(__file__).with_name("paper_counts.csv"), encoding="utf-8", newline="") as file:
        return [
            Published(**{k: (int(v) if v else None) if k in counts else v for k, v in row.items()})
            for row in csv.DictReader(file)
        ]


ROWS = read()
BUILT = [row for row in ROWS if row.params]


def rows(network, source, **fields):
    """Return the rows of a network from a source, which begins so."""
    fields["network"] = network
    found = [row for row in BUILT if row.source.startswith(source)]
    return [row for row in found if all(getattr(row, k) == v for k, v in fields.items())]


def agrees(published, exact):
    """Whether a number in millions, as printed, is the exact one, rounded or cut off."""
    decimals = len(published.partition(".")[2])
    unit, printed = 10 ** (6 - decimals), int(published.replace(".", ""))
    return printed in (exact // unit, (exact + unit // 2) // unit)


# The networks


def mobilenet_v1_of(unit, table):
    """Return MobileNet with other units, or fewer: the comparisons of tables 4 and 5."""
    layers, channels = {"stem": conv_norm_act(3, 32, 3, stride=2)}, 32
    for number, (c, s) in enumerate(table, 1):
        layers[f"unit{number}"] = unit(channels, c, s)
        channels = c
    return Sequential(**layers, pool=GlobalAvgPool(), classifier=Linear(channels, 1000))


def full_unit(in_channels, out_channels, stride):
    return conv_norm_act(in_channels, out_channels, 3, stride=stride)


def without_five(table):
    """Remove the five units of stride 1 between maps of 14 × 14 pixels and 512 channels."""
    first = table.index((512, 1))
    assert table[first : first + 5] == ((512, 1),) * 5
    return table[:first] + table[first + 5 :]


@lru_cache(maxsize=2)  # rows of a network stand together
def build(network, variant, width, groups, num_classes=1000):
    if variant == "Conv MobileNet":
        return mobilenet_v1_of(full_unit, TABLE_1)
    if variant == "Shallow MobileNet":
        return mobilenet_v1_of(separable_unit, without_five(TABLE_1))
    if network == "ShuffleNetV1":
        return ShuffleNetV1(float(width), int(groups), num_classes, rng=0)
    if network == "ShuffleNetV2":
        return ShuffleNetV2(float(width), num_classes, equal_ways=variant == "equal_ways", rng=0)
    classes = {"MobileNetV1": MobileNetV1, "MobileNetV2": MobileNetV2}
    return classes[network](float(width), num_classes, rng=0)


def network_of(row, num_classes=1000):
    return build(row.network, row.variant, row.width, row.groups, num_classes)


def cost(net, resolution=224):
    return summarize(net, (3, int(resolution), int(resolution)))


def count_weights(net):
    parameters = net.parameters().items()
    return sum(p.value.size for name, p in parameters if name.endswith(".weight"))
