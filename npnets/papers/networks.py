"""What is counted: the networks of npnets, and stacks of its blocks that the papers compare."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache

from npnets.blocks import conv_norm_act
from npnets.cost import summarize
from npnets.layers import GlobalAvgPool, Linear, Sequential
from npnets.nets.mobilenet_v1 import TABLE_1, separable_unit

MACS, WEIGHTS = "multiply-adds", "parameters"


@dataclass(frozen=True)
class Count:
    """What npnets counts for a cell: a number, or text such as 112×112×32.

    `formula` is what a printed formula comes to, `otherwise` what is counted under the reading
    that the cell's reason names: that then is the printed number.
    """

    exact: int | Fraction | str
    otherwise: int | Fraction | None = None
    formula: int | Fraction | None = None


def counts(summaries, columns=(MACS, WEIGHTS)):
    """Return {(row, column): Count} of {row: summary}.

    Parameters are the weights of convolutions and the classifier: so do all four papers count.
    """
    number = {MACS: lambda summary: summary.macs, WEIGHTS: lambda summary: summary.weights}
    return {
        (row, column): Count(number[column](summary))
        for row, summary in summaries.items()
        for column in columns
    }


@cache
def cost(network, *arguments, size=224):
    """Return the Summary of network(*arguments) on an image of size × size. Counted once."""
    return summarize(_built(network, *arguments), (3, size, size))


@lru_cache(maxsize=4)  # the sizes of a network are mostly asked for together
def _built(network, *arguments):
    return network(*arguments)


def layer_cost(layer, channels, size):
    """Return the Summary of a layer or unit on an image of this size."""
    return summarize(layer, (channels, size, size))


def without_classifier(summary):
    """Return the multiply-adds of all but the fully connected layer."""
    return summary.macs - summary.of_kind("fully connected").macs


def layers(summary):
    """Return how many layers have weights: so do the papers count them."""
    return sum(row.weights > 0 for row in summary)


def outputs(summary):
    """Return {unit: the shape that comes out}, (C, H, W) or (C,); the stem and pools are units."""
    return {_unit(row.name): row.output_shape for row in summary}


def unit_macs(summary):
    """Return {unit: its multiply-adds}."""
    macs = dict.fromkeys(outputs(summary), 0)
    for row in summary:
        macs[_unit(row.name)] += row.macs
    return macs


def _unit(name):
    """stage2.unit1.branch.expand.conv -> stage2.unit1; stem.conv -> stem"""
    return ".".join(name.split(".")[: 2 if name.startswith("stage") else 1])


def not_built():
    """Return the counts of a table that has nothing that could be built."""
    return {}


# MobileNet v1 with other units, or fewer: tables 4 and 5 of its paper


def conv_mobilenet():
    """Return MobileNet of full convolutions: table 4. Its weights are zero."""
    return _mobilenet_of(full_unit, TABLE_1)


def shallow_mobilenet():
    """Return MobileNet without the five units of stride 1 on 14 × 14 × 512: table 5."""
    first = TABLE_1.index((512, 1))
    return _mobilenet_of(separable_unit, TABLE_1[:first] + TABLE_1[first + 5 :])


def full_unit(in_channels, out_channels, stride):
    """Return a full 3 × 3 convolution: figure 3, left."""
    return conv_norm_act(in_channels, out_channels, 3, stride=stride)


def _mobilenet_of(unit, table):
    units, channels = {"stem": full_unit(3, 32, 2)}, 32
    for number, (c, s) in enumerate(table, 1):
        units[f"unit{number}"] = unit(channels, c, s)
        channels = c
    return Sequential(**units, pool=GlobalAvgPool(), classifier=Linear(channels, 1000))
