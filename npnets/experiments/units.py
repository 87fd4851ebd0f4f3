"""Whose unit is fastest at equal multiply-adds? Ten of each, stacked.

Claim. Ten units of ShuffleNet v2 are faster than ten of ShuffleNet v1, MobileNet v2 and Xception
of the same cost, on a GPU and on a phone. ShuffleNetV2, arXiv:1807.11164, appendix, table 1 (b).

Method. Ten units of stride 1, one image of 56 × 56 or 28 × 28, one thread, taken from the networks
of this package, as they are written and folded. ShuffleNet v2 has 64, 128 or 256 channels. The
paper does not print the others' widths: here they have the width whose multiply-adds are nearest,
and speeds are compared per multiply-add. There is no Xception here: MobileNet v1 stands beside it,
whose unit has the same two convolutions, an activation between them, and no shortcut.

What a CPU may change. Each operation has a price of its own here, and MobileNet v1's unit has the
fewest operations.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from npnets.bench.timing import compare, one_thread
from npnets.cost import formulas, summarize
from npnets.experiments import picture
from npnets.experiments.result import Result, Table, Verdict
from npnets.experiments.stack import images
from npnets.init import initialize
from npnets.layers import Sequential
from npnets.nets.mobilenet_v1 import separable_unit
from npnets.nets.mobilenet_v2 import InvertedResidual
from npnets.nets.shufflenet_v1 import ShuffleUnit
from npnets.nets.shufflenet_v2 import SplitUnit

UNITS, GROUPS, EXPANSION = 10, 3, 6
SIZES, CHANNELS = (56, 28), (64, 128, 256)
WAYS = "as written", "folded"
PAPER = {  # images per second on the phone, by size and v2's channels; the last is Xception's
    (56, 64): (34.8, 24.3, 25.8, 27.0), (56, 128): (12.3, 9.4, 10.0, 9.7),
    (56, 256): (3.9, 3.0, 3.0, 3.1), (28, 64): (174.5, 139.7, 118.3, 117.0),
    (28, 128): (53.4, 43.9, 46.2, 45.8), (28, 256): (16.6, 13.2, 13.3, 14.0),
}  # fmt: skip


@dataclass(frozen=True)
class Family:
    """A network's unit: how it is built from c channels, its multiply-adds per pixel, and what
    its channels must be a multiple of."""

    build: Callable
    macs: Callable
    multiple: int


FAMILIES = {
    "ShuffleNet v2": Family(SplitUnit, lambda c: 2 * (c // 2) ** 2 + 9 * (c // 2), 2),
    "ShuffleNet v1": Family(
        lambda c: ShuffleUnit(c, c, stride=1, groups=GROUPS),
        lambda c: formulas.shufflenet_unit(1, 1, c, c // 4, GROUPS),
        4 * GROUPS,
    ),
    "MobileNet v2": Family(
        lambda c: InvertedResidual(c, c, stride=1, expansion=EXPANSION),
        lambda c: formulas.inverted_residual(1, 1, c, c, EXPANSION),
        1,
    ),
    "MobileNet v1": Family(lambda c: separable_unit(c, c, 1), lambda c: c * (9 + c), 1),
}


def width(family, macs):
    """Return the channels whose unit has the multiply-adds per pixel nearest to `macs`."""
    of = FAMILIES[family]
    choices = range(of.multiple, 4 * int(macs**0.5) + of.multiple, of.multiple)
    return min(choices, key=lambda c: abs(of.macs(c) - macs))


def widths(channels):
    """Return {family: channels} for so many channels of ShuffleNet v2."""
    macs = FAMILIES["ShuffleNet v2"].macs(channels)
    return {family: width(family, macs) for family in FAMILIES}


def stacked(family, channels, rng):
    """Return ten units of a family, drawn from rng, in eval mode."""
    units = {f"unit{k}": FAMILIES[family].build(channels) for k in range(1, UNITS + 1)}
    net = Sequential(**units)
    initialize(net, rng)
    return net.eval()


def run(seconds=30.0, rng=0):
    """Measure for about so many seconds; return the Result."""
    nets = {
        (family, channels): stacked(family, c, rng)
        for channels in CHANNELS
        for family, c in widths(channels).items()
    }
    work = {(size, c): size**2 * c**2 for size in SIZES for c in CHANNELS}
    with one_thread():
        found = {
            (size, c): _measure(nets, size, c, seconds * macs / sum(work.values()), rng)
            for (size, c), macs in work.items()
        }
    speeds = {key: _speeds(comparison, key[1]) for key, comparison in found.items()}
    return Result(
        name="units",
        title="Whose unit is fastest at equal multiply-adds?",
        source="ShuffleNetV2, arXiv:1807.11164, appendix, table 1 (b) (ARM). "
        f"{UNITS} units, batch 1.",
        tables=(_counts(nets), *(_table(size, speeds) for size in SIZES)),
        verdicts=_verdicts(speeds),
        notes=(
            "Speeds are relative to ShuffleNet v2 and per multiply-add, medians of rounds with "
            "quartiles. The paper's are as printed, its widths are not printed.",
            "MobileNet v1: the paper's numbers beside it are those of Xception.",
        ),
        measured={f"{size}, {c}": found[size, c].record() for size, c in found},
        machine=next(iter(found.values())).machine,
        draw=lambda figure: _draw(figure, speeds),
    )


def _measure(nets, size, channels, seconds, rng):
    candidates = {}
    for family, c in widths(channels).items():
        x, written = images(np.random.default_rng(rng), c, size), nets[family, channels]
        for way, net in zip(WAYS, (written, written.fold()), strict=True):
            candidates[f"{family}, {way}"] = lambda net=net, x=x: net.forward(x)
    return compare(candidates, seconds=seconds, rng=rng)


def _speeds(found, channels):
    """Return {way: Ratios by family}: speed per multiply-add, relative to ShuffleNet v2."""
    macs = {family: FAMILIES[family].macs(c) for family, c in widths(channels).items()}
    first = next(iter(FAMILIES))
    return {
        way: [
            found.ratio(f"{first}, {way}", over=f"{family}, {way}").scaled(
                macs[family] / macs[first]
            )
            for family in FAMILIES
        ]
        for way in WAYS
    }


def _counts(nets):
    rows = []
    for family in FAMILIES:
        cells = []
        for channels in CHANNELS:
            c = widths(channels)[family]
            cost = summarize(nets[family, channels], (c, SIZES[0], SIZES[0]))
            cells += [c, cost.macs, cost.elements]
        rows.append((family, len(cost) // UNITS, *cells))
    heads = [
        f"{what}\n{c}" for c in CHANNELS for what in ("channels", "multiply-adds", "elements")
    ]
    heads = ("unit", "operations\nin a unit", *heads)
    return Table(f"{UNITS} units at {SIZES[0]} × {SIZES[0]}, counted", heads, tuple(rows))


def _table(size, speeds):
    rows = []
    for k, family in enumerate(FAMILIES):
        cells = []
        for channels in CHANNELS:
            paper = PAPER[size, channels]
            cells.append(paper[k] / paper[0])
            cells += [column[k].median for column in speeds[size, channels].values()]
        rows.append((family, *cells))
    heads = [f"c = {c}\n{what}" for c in CHANNELS for what in ("paper", "written", "folded")]
    return Table(f"At {size} × {size}", ("unit", *heads), tuple(rows))


def _verdicts(speeds):
    others = list(FAMILIES)[1:]
    best = {
        way: {
            family: max(ways[way][k].median for ways in speeds.values())
            for k, family in enumerate(others, 1)
        }
        for way in WAYS
    }
    listed = "; ".join(
        f"{way}: " + ", ".join(f"{family} at most {speed:.2f}" for family, speed in row.items())
        for way, row in best.items()
    )
    return (
        Verdict(
            "ShuffleNet v2 is faster than ShuffleNet v1 and MobileNet v2 at every width and size",
            all(row[family] < 1 for row in best.values() for family in others[:2]),
            f"relative to it, {listed}",
            "in the smallest units the calls take most of the time, and both have as many",
        ),
        Verdict(
            "and than a depthwise separable unit",
            all(row[others[2]] < 1 for row in best.values()),
            f"MobileNet v1 reaches up to {max(row[others[2]] for row in best.values()):.2f} of "
            "its speed",
            "that unit has the fewest operations, one large matrix product, and not the shortcut "
            "of Xception; in section 4 the paper, too, finds MobileNet v1 the fastest on a GPU",
        ),
    )


def _draw(figure, speeds):
    figure.set_size_inches(11, 6)
    panels = figure.subplots(2, 3, sharey=True)
    labels = [family.replace(" v", "\nv") for family in FAMILIES]
    for line, size in zip(panels, SIZES, strict=True):
        for axes, channels in zip(line, CHANNELS, strict=True):
            paper = [number / PAPER[size, channels][0] for number in PAPER[size, channels]]
            series = {f"npnets, {way}": r for way, r in speeds[size, channels].items()}
            picture.bars(axes, labels, series, ("paper, phone (Xception beside v1)", paper))
            axes.tick_params(axis="x", labelsize=8)
            axes.set_title(f"{size} × {size}, {channels} channels in v2", fontsize=10)
        line[0].set_ylabel("speed per multiply-add,\nrelative to ShuffleNet v2")
    for axes in panels[1]:
        axes.set_xlabel("unit")
    picture.legend(figure)
