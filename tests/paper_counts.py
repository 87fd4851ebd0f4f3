"""Reads paper_counts.csv and code_counts.csv, and builds the network of each row.

paper_counts.csv has the exact counts of every variant that is published: `params` are all that is
learned, `weights` those of convolutions and classifier only, `macs` the multiply-adds. What the
papers print of them is in npnets/papers; code_counts.csv has what is said in published code, in
millions as printed. It counts parameters one way or the other, and rounds or cuts off. Some of it
has no bias in the classifier; `bias_not_counted` is what npnets has more. Where a published number
is not ours the note says why; where nothing can be built, why not.
"""

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from npnets import MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2
from npnets.cost import summarize
from npnets.papers.networks import conv_mobilenet, shallow_mobilenet
from npnets.papers.published import rounding


@dataclass(frozen=True)
class Variant:
    """A row of paper_counts.csv."""

    network: str
    variant: str
    width: str
    groups: str
    resolution: str
    params: int
    weights: int
    macs: int
    macs_without_classifier: int

    @property
    def key(self):
        return self.network, self.variant, self.width, self.groups, self.resolution

    def __str__(self):
        return " ".join(f"{' '.join(filter(None, self.key[:-1]))} @{self.resolution}".split())


@dataclass(frozen=True)
class InCode:
    """A row of code_counts.csv; `exact` is its Variant, None where it cannot be built."""

    network: str
    variant: str
    width: str
    groups: str
    resolution: str
    source: str
    published_params: str
    published_macs: str
    bias_not_counted: int
    note: str

    @property
    def exact(self):
        key = self.network, self.variant, self.width, self.groups, self.resolution
        return next((variant for variant in VARIANTS if variant.key == key), None)

    def __str__(self):
        return f"{self.exact or self.variant}, {self.source}"


def read(kind, name):
    """Return all rows of a file beside this one."""
    ints = {field for field, type_ in kind.__annotations__.items() if type_ is int}
    with open(Path(__file__).with_name(name), encoding="utf-8", newline="") as file:
        return [
            kind(**{k: int(v or 0) if k in ints else v for k, v in row.items()})
            for row in csv.DictReader(file)
        ]


VARIANTS = read(Variant, "paper_counts.csv")
IN_CODE = read(InCode, "code_counts.csv")
BUILT_IN_CODE = [row for row in IN_CODE if row.exact]


def in_code(network, source, **fields):
    """Return the rows of a network from a source, which begins so."""
    fields["network"] = network
    found = [row for row in BUILT_IN_CODE if row.source.startswith(source)]
    return [row for row in found if all(getattr(row, k) == v for k, v in fields.items())]


def agrees(published, exact):
    """Whether a number in millions, as printed, is the exact one, rounded or cut off."""
    return rounding(published, "million", exact) is not None


@lru_cache(maxsize=2)  # rows of a network stand together
def build(network, variant, width, groups, num_classes=1000):
    if variant == "Conv MobileNet":
        return conv_mobilenet()
    if variant == "Shallow MobileNet":
        return shallow_mobilenet()
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
