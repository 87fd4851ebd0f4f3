"""G4: what do element-wise operations cost, though they have few multiply-adds?

Claim. A bottleneck unit without its ReLUs and its shortcut is about 20 % faster, on a GPU and on a
phone. ShuffleNetV2, arXiv:1807.11164, section 2, guideline G4, and table 4.

Method. Ten units of 1 × 1, 3 × 3 and 1 × 1 convolutions at 56 × 56, one image, one thread, without
batch norm, into buffers that are there before: with and without a ReLU behind each convolution,
the last one behind the sum, and with and without the shortcut. The paper does not print how many
channels are inside: c/4, as in ResNet, and c. Three ways: each operation of npnets a pass of its
own; in place, in NumPy; and fused, where the convolution applies the ReLU as it writes.

What a CPU may change. An element-wise pass costs what its memory costs, so that caches decide;
fused, it is spared a way through memory, if there was one.
"""

import functools
import itertools

import numpy as np

from npnets import ops
from npnets.bench.timing import compare, one_thread
from npnets.experiments import picture
from npnets.experiments.result import Result, Table, Verdict
from npnets.experiments.stack import filters, images

SIZE, UNITS = 56, 10
CHOICES = (True, True), (True, False), (False, True), (False, False)  # ReLU, shortcut
PAPER = {  # table 4, images per second on the phone, by channels
    32: (56.7, 61.9, 57.3, 66.3),
    64: (16.9, 18.8, 18.2, 20.2),
    128: (5.0, 5.2, 5.1, 5.4),
}
PAPER_GPU = {32: (2427, 2647, 2672, 2842), 64: (2066, 2256, 2121, 2376),
             128: (1436, 1735, 1458, 1782)}  # fmt: skip
CASES = (32, 8), (64, 16), (128, 32), (32, 32), (64, 64)  # channels, and those inside
PARTS = 0.1, 0.15, 0.25, 0.15, 0.35  # of the time to measure
WAYS = "npnets", "in place", "fused"


def steps(c, inside, choice, way, rng):
    """Return [function] of ten units, with their arrays; each returns what it wrote."""
    (relu, shortcut), rng, made = choice, np.random.default_rng(rng), []
    x = images(rng, c, SIZE)
    wide = itertools.cycle([np.zeros_like(x) for _ in range(4)])
    narrow = itertools.cycle(np.zeros((4, 1, inside, SIZE, SIZE), np.float32))
    fused = way == "fused" and relu

    def add(function, *arrays, out, **options):
        made.append(functools.partial(function, *arrays, out=out, **options))
        return out

    def activated(y, buffers):
        if not relu:
            return y
        if way == "in place":
            return add(np.maximum, y, np.float32(0), out=y)
        return add(ops.relu, y, out=next(buffers))

    for _ in range(UNITS):
        y, ceiling = x, {"ceiling": np.inf} if fused else {}
        first, last = filters(rng, inside, c), filters(rng, c, inside)
        y = add(ops.pointwise_conv2d, y, first, out=next(narrow), **ceiling)
        y = y if fused else activated(y, narrow)
        middle = filters(rng, inside, inside, 3)
        y = add(ops.conv2d, y, middle, out=next(narrow), padding=1, **ceiling)
        y = y if fused else activated(y, narrow)
        alone = {} if shortcut else ceiling  # nothing can follow it before the sum
        y = add(ops.pointwise_conv2d, y, last, out=next(wide), **alone)
        if shortcut and way == "in place":
            y = add(np.add, y, x, out=y)
        elif shortcut:
            y = add(ops.add, x, y, out=next(wide))
        x = y if fused and not shortcut else activated(y, wide)
    return made


def runner(made):
    """Return a function that runs the steps one after another."""

    def run():
        for step in made:
            y = step()
        return y

    return run


def counts(c, inside):
    """Return (multiply-adds, elements of convolutions, of ReLUs, of the sum) of a unit."""
    pixels = SIZE**2
    macs = pixels * (2 * c * inside + 9 * inside**2)
    convolutions = pixels * (2 * c + 4 * inside) + 2 * c * inside + 9 * inside**2
    return macs, convolutions, 2 * pixels * (2 * inside + c), 3 * pixels * c


def run(seconds=30.0, rng=0):
    """Measure for about so many seconds; return the Result."""
    found = {}
    with one_thread():
        for case, part in zip(CASES, PARTS, strict=True):
            candidates = {
                _name(way, choice): runner(steps(*case, choice, way, rng))
                for way in WAYS
                for choice in CHOICES
            }
            found[case] = compare(candidates, seconds=part * seconds, rng=rng)
    return Result(
        name="g4",
        title="G4: what do element-wise operations cost?",
        source="ShuffleNetV2, arXiv:1807.11164, guideline G4 and table 4 (ARM). "
        f"{UNITS} bottleneck units at {SIZE} × {SIZE}, batch 1.",
        tables=(_counts_table(), *(_table(c, inside, found[c, inside]) for c, inside in CASES)),
        verdicts=_verdicts(found),
        notes=(
            "Speeds are relative to the unit with ReLU and shortcut of the same way, medians of "
            "rounds with quartiles. How many channels are inside is our choice.",
            "in place: NumPy writes where it read. fused: the ReLU is applied as a convolution "
            "writes; the one behind the sum stays a pass of its own.",
        ),
        measured={f"{c}, {inside}": found[c, inside].record() for c, inside in CASES},
        machine=found[CASES[0]].machine,
        draw=lambda figure: _draw(figure, found),
    )


def _name(way, choice):
    return f"{way}, ReLU {choice[0]}, shortcut {choice[1]}"


def _speeds(found, way):
    """Return how fast each choice is, relative to the whole unit: Ratios."""
    return [found.ratio(_name(way, CHOICES[0]), over=_name(way, each)) for each in CHOICES]


def _counts_table():
    rows = []
    for c, inside in CASES:
        macs, convolutions, relus, sums = counts(c, inside)
        share = (relus + sums) / (convolutions + relus + sums)
        rows.append((c, inside, macs, convolutions, relus, sums, f"{share:.0%}"))
    heads = (
        "c", "inside", "multiply-adds", "elements:\nconvolutions", "ReLUs", "sum",
        "share of\nelement-wise",
    )  # fmt: skip
    return Table(
        "What a unit costs, counted, each operation a pass of its own", heads, tuple(rows)
    )


def _table(c, inside, found):
    rows = []
    for k, (relu, shortcut) in enumerate(CHOICES):
        paper = (column[c][k] / column[c][0] for column in (PAPER, PAPER_GPU))
        words = ("yes" if has else "no" for has in (relu, shortcut))
        rows.append((*words, *paper, *(str(_speeds(found, way)[k]) for way in WAYS)))
    heads = "ReLU", "shortcut", "paper\nphone", "paper\nGPU", *WAYS
    return Table(f"Table 4: c = {c}, {inside} channels inside", heads, tuple(rows))


def _verdicts(found):
    gain = {way: [_speeds(found[case], way)[-1] for case in CASES] for way in WAYS}
    listed = {
        way: ", ".join(
            f"{c}/{inside} {ratio.median:.2f}"
            for (c, inside), ratio in zip(CASES, ratios, strict=True)
        )
        for way, ratios in gain.items()
    }
    whole = _name("npnets", CHOICES[0])
    fused = [found[case].ratio(_name("fused", CHOICES[0]), over=whole) for case in CASES]
    return (
        Verdict(
            "without ReLU and shortcut the unit is faster",
            all(ratio.q1 > 1 for ratio in gain["npnets"]),
            f"by c and channels inside: {listed['npnets']} times as fast",
            "not at all widths by more than the quartiles",
        ),
        Verdict(
            "by about 20 %, as in the paper",
            all(1.1 <= ratio.median <= 1.3 for ratio in gain["npnets"]),
            f"{min(r.median for r in gain['npnets']) - 1:.0%} to "
            f"{max(r.median for r in gain['npnets']) - 1:.0%}; the paper: 8 to 24 %",
            "it depends on how many channels are inside, which the paper does not print: the "
            "fewer, the less the convolutions cost beside the passes over the wide ends",
        ),
        Verdict(
            "ReLUs that the convolutions apply as they write make the whole unit faster",
            all(ratio.q3 < 1 for ratio in fused),
            "fused, it takes " + ", ".join(f"{ratio.median:.2f}" for ratio in fused) + " of the "
            f"time; without ReLU and shortcut it is still {listed['fused']} times as fast",
            "the maps stay in a cache, where a pass of its own is as cheap; and the sum, and the "
            "ReLU behind it, stay passes anyway",
        ),
    )


def _draw(figure, found):
    figure.set_size_inches(12, 4)
    panels = figure.subplots(1, len(CASES), sharey=True)
    labels = ["both", "ReLU\nonly", "shortcut\nonly", "none"]
    for axes, (c, inside) in zip(panels, CASES, strict=True):
        series = {way: _speeds(found[c, inside], way) for way in WAYS}
        paper = "paper, phone", [number / PAPER[c][0] for number in PAPER[c]]
        picture.bars(axes, labels, series, paper)
        axes.tick_params(axis="x", labelsize=7)
        axes.set_title(f"c = {c}, {inside} inside", fontsize=10)
        axes.set_xlabel("what the unit has")
    panels[0].set_ylabel("speed, relative to the whole unit")
    picture.legend(figure)
