"""MobileNetV2, arXiv:1801.04381: how each of its numbers is counted."""

from itertools import pairwise

from npnets.cost import formulas
from npnets.nets import MobileNetV1, MobileNetV2, ShuffleNetV1
from npnets.nets.mobilenet_v2 import TABLE_2
from npnets.papers.networks import MACS, Count, cost, counts, not_built, outputs, unit_macs
from npnets.papers.published import said

FLOAT16 = 2  # bytes: the paper assumes 16-bit floats


def section_3_3():
    """The formula, with d′ and the image as they come into each unit."""
    net = cost(MobileNetV2)
    found, macs = {}, unit_macs(net)
    for (_, before), (unit, after) in pairwise(outputs(net).items()):
        if not unit.startswith("stage"):
            continue
        stage, number = unit.removeprefix("stage").split(".unit")
        expansion = TABLE_2[int(stage) - 1][0]
        formula = formulas.inverted_residual(*before[1:], before[0], after[0], expansion)
        found[f"bottleneck {stage}, unit {number}", MACS] = Count(macs[unit], formula=formula)
    built, by_formula = (sum(getattr(c, k) for c in found.values()) for k in ("exact", "formula"))
    return found | {("all bottlenecks", MACS): Count(built, formula=by_formula)}


def section_4():
    units = sum(name.startswith("stage") for name in outputs(cost(MobileNetV2)))
    return {
        ("MobileNetV2", "residual bottleneck layers"): Count(units),
        **counts({
            "MobileNetV2": cost(MobileNetV2),
            "smallest, 0.35 at 96 × 96": cost(MobileNetV2, 0.35, size=96),
            "largest, 1.4 at 224 × 224": cost(MobileNetV2, 1.4),
        }),
    }  # fmt: skip


def table_2():
    net = cost(MobileNetV2)
    out = outputs(net)
    inside = {r.name.rpartition(".branch")[0]: r.output_shape[0] for r in net.of_kind("depthwise")}
    found, before = {("conv2d", "input"): Count(_size((3, 224, 224)))}, (3, 224, 224)
    for unit, shape in out.items():
        stage = unit.partition(".")[0]
        if stage == "pool":
            row = "avgpool 7x7"
        else:
            names = {"stem": "conv2d", "head": "conv2d 1x1", "classifier": "classifier"}
            row = names.get(stage) or f"bottleneck {stage.removeprefix('stage')}"
        found.setdefault((row, "input"), Count(_size(before)))
        if len(shape) == 3:
            found.setdefault((row, "s"), Count(before[1] // shape[1]))
            found[row, "c"] = Count(shape[0])
            found[row, "n"] = Count(sum(other.partition(".")[0] == stage for other in out))
        if unit in inside:
            found[row, "t"] = Count(inside[unit] // before[0])
        before = shape
    return found


def _size(shape):
    C, H, W = (*shape, 1, 1)[:3]
    return f"{H}×{W}×{C}"


def table_3():
    nets = {
        "MobileNetV1": cost(MobileNetV1),
        "MobileNetV2": cost(MobileNetV2),
        "ShuffleNet (2x, g = 3)": cost(ShuffleNetV1, 2.0, 3),
    }
    found = {}
    for name, net in nets.items():
        memories = []
        for size, channels in widest(net).items():
            row, column = f"{size}×{size}", f"{name}, channels"
            printed = said("mobilenet_v2", "3", row, column)
            memories.append(_memory(size, channels))
            wrong = _memory(size, printed) if printed != channels else None
            found[row, column] = Count(channels)
            found[row, f"{name}, memory"] = Count(memories[-1], wrong)
        found["max", f"{name}, memory"] = Count(max(memories))
    return found


def widest(net):
    """Return {size of the image: the most channels that a unit hands on}.

    A unit keeps nothing of what is inside it. As the paper says, the first layer of MobileNetV2
    is computed in parts, together with the bottleneck that follows; and its last convolution is
    taken here as one with its pooling.
    """
    first = {"stem"} if net.title == "MobileNetV2" else set()
    largest = {}
    for unit, shape in outputs(net).items():
        if unit not in {"head", "classifier"} | first:
            C, H, _ = (*shape, 1, 1)[:3]
            largest[H] = max(C, largest.get(H, 0))
    return largest


def _memory(size, channels):
    return channels * size * size * FLOAT16


def table_4():
    return counts({
        "MobileNetV1": cost(MobileNetV1),
        "ShuffleNet (1.5)": cost(ShuffleNetV1, 1.5, 3),
        "ShuffleNet (x2)": cost(ShuffleNetV1, 2.0, 3),
        "MobileNetV2": cost(MobileNetV2),
        "MobileNetV2 (1.4)": cost(MobileNetV2, 1.4),
    })  # fmt: skip


TABLES = {
    "section 3.3": ("What a bottleneck costs, by formula, against the unit as built", section_3_3),
    "section 4": ("What the text says of the network", section_4),
    "2": ("The layers of MobileNetV2", table_2),
    "3": ("What is kept at each resolution, in 16-bit floats; 1 Kb is 1000 bytes", table_3),
    "4": ("Beside other networks", table_4),
    "5": ("SSD and SSDLite on MobileNetV2", not_built),
    "6": ("Object detection", not_built),
}
