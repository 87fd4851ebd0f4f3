"""ShuffleNet V2, arXiv:1807.11164: how each of its numbers is counted."""

from fractions import Fraction
from itertools import pairwise
from math import sqrt

import numpy as np

from npnets import ops
from npnets.blocks import conv_norm_act
from npnets.cost import formulas
from npnets.layers import Layer, PointwiseConv2d, ReLU, Sequential
from npnets.nets import MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2
from npnets.nets.shufflenet_v2 import TABLE_5, SplitUnit
from npnets.papers import others
from npnets.papers.networks import MACS, Count, cost, counts, layer_cost
from npnets.papers.shufflenet_v1 import stages

SIZE = 56  # pixels on a side in the experiments of section 2
BLOCKS = 10
G1 = {
    "GPU": ((128, 128), (90, 180), (52, 312), (36, 432)),
    "ARM": ((32, 32), (22, 44), (13, 78), (9, 108)),
}
G2 = {
    "GPU": ((1, 128), (2, 180), (4, 256), (8, 360)),
    "CPU": ((1, 64), (2, 90), (4, 128)),
}


def stack(*widths, groups=1):
    """Return 1 × 1 convolutions, each from one width to the next, ten times in a row."""
    pairs = list(pairwise(widths))
    return Sequential(**{
        f"block{block}_{k}": PointwiseConv2d(*pair, groups=groups)
        for block in range(1, BLOCKS + 1)
        for k, pair in enumerate(pairs, 1)
    })  # fmt: skip


def table_1():
    """Ten blocks of two convolutions, c1 to c2 and back. The first row has c1 = c2 = c."""
    found = {}
    for device, rows in G1.items():
        c = rows[0][0]
        first = layer_cost(stack(c, c, c), c, SIZE).macs
        for c1, c2 in rows:
            net, ratio = layer_cost(stack(c1, c2, c1), c1, SIZE), c2 // c1
            bound = 2 * BLOCKS * formulas.memory_access_bound(SIZE, SIZE, net.macs // 2 // BLOCKS)
            formula = 2 * BLOCKS * formulas.memory_access(SIZE, SIZE, c1, c2)
            for column, count in {
                "c1": Count(Fraction(c / sqrt(ratio))),
                "c2": Count(Fraction(c * sqrt(ratio)), ratio * c1),
                MACS: Count(net.macs, formula=first),
                "memory access": Count(net.elements, formula=formula),
                "memory access over its bound": Count(Fraction(net.elements / bound)),
            }.items():
                found[f"{device}, 1:{ratio}", column] = count
    return found


def table_2():
    """Ten grouped convolutions, c to c."""
    found = {}
    for device, rows in G2.items():
        c = rows[0][1]
        first = layer_cost(stack(c, c), c, SIZE).macs
        for g, width in rows:
            net, equal = layer_cost(stack(width, width, groups=g), width, SIZE), c * sqrt(g)
            formula = BLOCKS * formulas.memory_access(SIZE, SIZE, width, width, g)
            row = f"{device}, g = {g}"
            found[row, "c"] = Count(Fraction(equal), int(equal) // g * g)
            found[row, MACS] = Count(net.macs, formula=first)
            found[row, "memory access"] = Count(net.elements, formula=formula)
    found["CPU, g = 8", "c"] = Count(Fraction(64 * sqrt(8)))
    return found


def table_3():
    """k fragments of c/√k channels each; what runs in parallel costs what it costs in series."""
    found = {}
    for row in ("1-fragment", "2-fragment-series", "4-fragment-series", "2-fragment-parallel",
                "4-fragment-parallel"):  # fmt: skip
        k = int(row[0])
        for c in (64, 128, 256, 512):
            width = int(c / sqrt(k))
            one = layer_cost(stack(c, c), c, SIZE).macs
            macs = layer_cost(stack(*(k + 1) * [width]), width, SIZE).macs
            found[row, f"c = {c}"] = Count(macs, formula=one)
    return found


class Bottleneck(Layer):
    """A ResNet unit with c/4 channels inside, with or without ReLU and shortcut."""

    def __init__(self, c, act, shortcut):
        self.branch = Sequential(
            reduce=conv_norm_act(c, c // 4, act=act),
            conv=conv_norm_act(c // 4, c // 4, 3, act=act),
            expand=conv_norm_act(c // 4, c, act=None),
        )
        self.shortcut = shortcut
        if act:
            self.act = act()

    def forward(self, x):
        y = self.branch.forward(x)
        y = ops.add(x, y) if self.shortcut else y
        return self.act.forward(y) if hasattr(self, "act") else y


def table_4():
    found = {}
    for relu in ("yes", "no"):
        for shortcut in ("yes", "no"):
            for c in (32, 64, 128):
                unit = Bottleneck(c, ReLU if relu == "yes" else None, shortcut == "yes").fold()
                net, row = layer_cost(unit, c, SIZE), f"ReLU {relu}, short-cut {shortcut}"
                found[row, f"{MACS}, c = {c}"] = Count(net.macs)
                found[row, f"elements moved, c = {c}"] = Count(net.elements)
    return found


def table_5():
    found = {}
    for width in TABLE_5:
        net, column = cost(ShuffleNetV2, width), f"{width:g}x"
        found |= stages(net, column)
        found["FLOPs", column] = Count(net.macs, with_pooling(net))
        found["# of Weights", column] = Count(net.weights)
    return found


def with_pooling(net):
    """Return the multiply-adds, and one addition for each number that the last pooling reads."""
    return net.macs + sum(row.reads for row in net if row.name == "pool")


def section_3():
    c = TABLE_5[1.0][2]
    wrong = Fraction(1 - c // 2, c)
    found = {("r, at c′ = c/2", "formula"): Count(Fraction(c - c // 2, c), formula=wrong)}
    unit = SplitUnit(c).eval()  # its weights are still zero: only the shortcut lets through
    x = np.ones((1, c, 1, 1), np.float32)
    for j in range(1, 8):
        x = unit.forward(x)
        count = Count(int(x.sum()), formula=Fraction(c, 2**j))
        found[f"reused after {j}, c = {c}", "channels"] = count
    return found


def table_6():
    nets = {"ShuffleNet v2-50": others.shufflenet_v2_50(), "ResNet-50": others.resnet50()}
    quarter, half = (others.shufflenet_v1_50(ratio).macs for ratio in (4, 2))
    return counts(nets, [MACS]) | {("ShuffleNet v1-50", MACS): Count(quarter, half)}


def table_8():
    nets = {f"ShuffleNet v2 {w:g}x": cost(ShuffleNetV2, w) for w in (0.5, 1.0, 1.5, 2.0)}
    nets |= {f"{w} MobileNet v1": cost(MobileNetV1, w) for w in (0.25, 0.5, 0.75, 1.0)}
    nets |= {f"{w} MobileNet v2": cost(MobileNetV2, w) for w in (1.0, 1.4)}
    nets |= {f"ShuffleNet v1 {s:g}x (g=3)": cost(ShuffleNetV1, s, 3) for s in (0.5, 1.0, 1.5, 2.0)}
    for w, size in ((0.4, 160), (0.15, 224), (0.75, 192), (0.6, 224), (1.0, 224), (1.4, 224)):
        at = "" if size == 224 else f" at {size} × {size}"
        nets[f"{w} MobileNet v2 (our impl.){at}"] = cost(MobileNetV2, w, size=size)
    half = cost(ShuffleNetV2, 0.5)
    return counts(nets, [MACS]) | {
        ("ShuffleNet v2 0.5x", MACS): Count(half.macs, with_pooling(half))
    }


TABLES = {
    "1": ("Guideline 1: widths at equal cost, and the memory accessed, on 56 × 56", table_1),
    "2": ("Guideline 2: groups at equal cost, and the memory accessed, on 56 × 56", table_2),
    "3": ("Guideline 3: fragments at equal cost", table_3),
    "4": ("Guideline 4: a bottleneck, with c/4 inside, with and without element-wise operations;"
          " batch norm folded in", table_4),
    "5": ("The layers of ShuffleNet v2", table_5),
    "section 3": ("How many channels are used again", section_3),
    "6": ("Large networks", table_6),
    "8": ("Beside other networks", table_8),
}  # fmt: skip
