"""What `npnets.bench.gpu` times: networks by name, and ten equal units of each in a stack.

A Subject is built twice: in npnets, where its cost is counted, and in PyTorch, where it runs.
"""

from collections.abc import Callable
from dataclasses import dataclass

from npnets.cost import summarize
from npnets.extras import require
from npnets.init import initialize
from npnets.layers import Sequential
from npnets.nets import create_model, list_models
from npnets.nets.mobilenet_v1 import separable_unit
from npnets.nets.mobilenet_v2 import InvertedResidual
from npnets.nets.shufflenet_v1 import ShuffleUnit
from npnets.nets.shufflenet_v2 import SplitUnit

IMAGE = 224  # height and width in all four papers
UNITS, SIZES, WIDTHS = 10, (56, 28), (64, 128, 256)  # arXiv:1807.11164, appendix, table 1 (b)
GROUPS, EXPANSION = 3, 6


def pytorch():
    """Return the module, or raise ImportError that says how to install it."""
    return require("torch", "bench")


@dataclass(frozen=True)
class Subject:
    """A network, or a stack: `build` makes it in npnets, `build_twin` in PyTorch."""

    name: str
    channels: int
    size: int
    build: Callable
    build_twin: Callable

    def cost(self):
        """Return the Summary of one image."""
        return summarize(self.build(), (self.channels, self.size, self.size))

    def twin(self):
        """Return it in PyTorch, with the weights that npnets draws."""
        from npnets.bench.torch_twin import copy_into

        return copy_into(self.build_twin(), self.build())


def all_of(models=None, units=True):
    """Return the Subjects: models by name, all published ones where None; and the stacks.

    Raises ValueError for an unknown name.
    """
    for name in models or ():
        create_model(name)  # so that a wrong name fails now
    networks = [network(name) for name in (list_models() if models is None else models)]
    return networks + (stacks() if units else [])


def network(name):
    """Return the Subject of a network."""

    def twin():
        from npnets.bench.torch_twin import twin_of

        return twin_of(name)

    return Subject(name, 3, IMAGE, lambda: create_model(name, rng=0), twin)


def stacks():
    """Return ten units of stride 1 of each network, at the widths of ShuffleNet v2 that the paper
    gives, and for the others the width whose multiply-adds are nearest."""
    return [
        stack(family, width(family, channels), size)
        for size in SIZES
        for channels in WIDTHS
        for family in UNIT_OF
    ]


def stack(family, channels, size):
    """Return the Subject of ten units of a family in a row."""
    name = f"units: {UNITS} of {family}, {channels} channels"
    return Subject(
        name, channels, size, lambda: _stacked(family, channels), lambda: _twin(family, channels)
    )


def _separable(c):
    return separable_unit(c, c, 1)


def _inverted(c):
    return InvertedResidual(c, c, stride=1, expansion=EXPANSION)


def _shuffle(c):
    return ShuffleUnit(c, c, stride=1, groups=GROUPS)


# Each unit by its channels, and what these must be a multiple of.
UNIT_OF = {
    "mobilenet_v1": (_separable, 1),
    "mobilenet_v2": (_inverted, 1),
    "shufflenet_v1": (_shuffle, 4 * GROUPS),
    "shufflenet_v2": (SplitUnit, 2),
}


def width(family, channels):
    """Return the channels of a family at the cost of `channels` channels of ShuffleNet v2."""
    if family == "shufflenet_v2":
        return channels
    target, step = _weights("shufflenet_v2", channels), UNIT_OF[family][1]
    choices = range(step, 2 * channels, step)
    return min(choices, key=lambda c: abs(_weights(family, c) - target))


def _weights(family, channels):
    """Return the weights of a unit: at stride 1 they are its multiply-adds per pixel."""
    parameters = UNIT_OF[family][0](channels).parameters().values()
    return sum(part.value.size for part in parameters if part.value.ndim > 1)


def _stacked(family, channels):
    build, _ = UNIT_OF[family]
    units = {f"unit{k}": build(channels) for k in range(1, UNITS + 1)}
    return initialize(Sequential(**units), 0)


def _twin(family, channels):
    from npnets.bench import torch_twin as t

    def unit():
        if family == "mobilenet_v1":
            convs = t.depthwise_bn(channels, 1), t.conv_bn(channels, channels)
            return t.nn.Sequential(convs[0], t.nn.ReLU(True), convs[1], t.nn.ReLU(True))
        if family == "mobilenet_v2":
            return t.Bottleneck(channels, channels, 1, EXPANSION)
        if family == "shufflenet_v1":
            return t.ShuffleUnit1(channels, channels, 1, GROUPS)
        return t.ShuffleUnit2(channels, channels, 1)

    return t.nn.Sequential(*(unit() for _ in range(UNITS)))
