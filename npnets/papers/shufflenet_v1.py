"""ShuffleNet, arXiv:1707.01083: how each of its numbers is counted."""

from fractions import Fraction

from npnets.blocks import conv_norm_act
from npnets.cost import formulas
from npnets.layers import Sequential
from npnets.nets import MobileNetV1, ShuffleNetV1
from npnets.nets.shufflenet_v1 import ShuffleUnit
from npnets.papers import others
from npnets.papers.networks import (
    MACS,
    Count,
    cost,
    counts,
    layer_cost,
    layers,
    outputs,
    without_classifier,
)
from npnets.papers.published import said

GROUPS = 1, 2, 3, 4, 8
SIZE = 28  # any will do


def bottleneck(c, m, groups=1):
    """Return the branch of a ResNet unit, or of a ResNeXt unit where there are groups."""
    return Sequential(
        reduce=conv_norm_act(c, m),
        conv=conv_norm_act(m, m, 3, groups=groups),
        expand=conv_norm_act(m, c, act=None),
    )


def section_3_1():
    unit = layer_cost(bottleneck(256, 128, 32), 256, SIZE)
    share = Fraction(unit.of_kind("pointwise").macs, unit.macs)
    return {("ResNeXt, c = 256, m = 128, g = 32", "pointwise share"): Count(share)}


def section_3_2():
    found = {}
    for c, m, g in ((240, 60, 3), (384, 96, 8)):
        shuffle = ShuffleUnit(c, c, stride=1, groups=g)
        size, name = (SIZE, SIZE, c, m), f"c = {c}, m = {m}"
        grouped = f"{name}, g = {g}"
        for row, unit, formula in (
            (f"ResNet unit, {name}", bottleneck(c, m), formulas.resnet_unit(*size)),
            (f"ResNeXt unit, {grouped}", bottleneck(c, m, g), formulas.resnext_unit(*size, g)),
            (f"ShuffleNet unit, {grouped}", shuffle, formulas.shufflenet_unit(*size, g)),
        ):
            found[row, MACS] = Count(layer_cost(unit, c, SIZE).macs, formula=formula)
    return found


def table_1():
    found = {}
    for g in GROUPS:
        net = cost(ShuffleNetV1, 1.0, g)
        found |= stages(net, f"g = {g}")
        found["Complexity", f"g = {g}"] = Count(net.macs, without_classifier(net))
    return found


def stages(net, column):
    """Return what a ShuffleNet's table says of its layers: sizes, units, and channels."""
    out, found = outputs(net), {}
    names = {"stem": "Conv1", "max_pool": "MaxPool", "head": "Conv5", "classifier": "FC"}
    for unit, shape in out.items():
        stage = unit.partition(".")[0]
        if stage == "pool":
            continue
        row = names.get(stage, stage.capitalize())
        if len(shape) == 3:
            found[row, "output size"] = Count(f"{shape[1]}×{shape[2]}")
        if stage != "max_pool":
            found[row, column] = Count(shape[0])
        if "." in unit:
            units = sum(other.startswith(stage + ".") for other in out)
            found[row, "repeat"] = Count(f"1 + {units - 1}")  # the first has stride 2
    return found


def table_2():
    return {
        (f"{scale:g}x", f"g = {g}"): Count(cost(ShuffleNetV1, scale, g).macs)
        for scale in (1.0, 0.5, 0.25)
        for g in GROUPS
    }


def section_4_2():
    """Xception-like is ShuffleNet without groups; table 4 has the ShuffleNet with 4."""
    found = {}
    for row, g in (("Xception-like", 1), ("ShuffleNet", 4)):
        channels = outputs(cost(ShuffleNetV1, 0.5, g))["stage4.unit4"][0]
        found[f"{row} of 38 MFLOPs", "channels of stage 4"] = Count(channels)
    return found


def section_4_3():
    nets = {"ShuffleNet": cost(ShuffleNetV1), "MobileNet": cost(MobileNetV1)}
    return {(row, "layers"): Count(layers(net)) for row, net in nets.items()}


def shuffle_rows(*rows):
    """Return {row: Summary} of (scale, groups), in the words of the tables."""
    return {f"ShuffleNet {s:g}x (g = {g})": cost(ShuffleNetV1, s, g) for s, g in rows}


def table_5():
    nets = shuffle_rows((2.0, 3), (1.5, 3), (1.0, 8), (0.5, 4))
    mobile = {f"{w} MobileNet-224": cost(MobileNetV1, w) for w in (1.0, 0.75, 0.5, 0.25)}
    return counts(nets | mobile, [MACS])


def table_6():
    vgg, google = others.vgg16(), others.googlenet()
    nets = shuffle_rows((2.0, 3), (1.0, 8), (0.5, 4))
    nets |= {"SqueezeNet": others.squeezenet(), "AlexNet": others.alexnet()}
    return counts(nets, [MACS]) | {
        ("VGG-16", MACS): Count(vgg.macs, vgg.convolution_macs),
        ("GoogleNet", MACS): Count(google.macs, others.googlenet(separable_stem=True).macs),
    }


def section_4_5():
    alex, net = others.alexnet(), cost(ShuffleNetV1, 0.5, 3)
    rows = "AlexNet", "ShuffleNet 0.5x (g = 3)"
    printed = Fraction(*(said("shufflenet_v1", "8", row, MACS) for row in rows))
    ratio = Count(Fraction(alex.macs, net.macs), printed)
    return {("AlexNet over ShuffleNet 0.5x", MACS): ratio}


def table_8():
    nets = shuffle_rows((0.5, 3), (1.0, 3), (2.0, 3))
    nets |= {"AlexNet": others.alexnet(), "1.0 MobileNet-224": cost(MobileNetV1)}
    return counts(nets, [MACS])


TABLES = {
    "section 3.1": ("Where the multiply-adds of ResNeXt are", section_3_1),
    "section 3.2": ("What a unit costs, by formula, against the unit as built", section_3_2),
    "1": ("The layers of ShuffleNet; without the classifier every complexity fits", table_1),
    "2": ("Nominal complexity of each scale, whatever the groups", table_2),
    "section 4.2": ("How wide other units can be at the same cost", section_4_2),
    "section 4.3": ("How deep", section_4_3),
    "5": ("Beside MobileNets", table_5),
    "6": ("Beside larger networks", table_6),
    "section 4.5": ("How many times less than AlexNet", section_4_5),
    "8": ("Complexity of what was timed", table_8),
}
