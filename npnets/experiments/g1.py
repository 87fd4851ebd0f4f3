"""G1: do equal channel widths make a 1 × 1 convolution fastest?

Claim. Of all 1 × 1 convolutions of B multiply-adds, that with as many channels in as out touches
the fewest elements, and so is the fastest: hw (c1 + c2) + c1·c2 ≥ 2 √(hw·B) + B/hw. ShuffleNetV2,
arXiv:1807.11164, section 2, guideline G1, equation 1, and table 1.

Method. Ten blocks of two convolutions, c1 -> c2 -> c1 channels, at 56 × 56, one image, one
thread, without batch norm and activation; c1 : c2 is 1:1, 1:2, 1:6, 1:12, with the widths of the
paper's phone, and those doubled and quadrupled. Two of the widths have 5 % fewer multiply-adds
than 1:1, so that speeds are compared per multiply-add, the paper's as well. Three ways: npnets
into buffers that are there before; bare matrix products into the same; and matrix products whose
results lie in fresh memory, all kept, as in training. Further, widths that are powers of two,
whose multiply-adds are exactly equal.

What a CPU may change. All maps of the narrow list fit into a cache, where an access costs little;
what is fresh is given out by the system page by page, which costs per element too, and is no
property of the convolution. The quadrupled list nearly is the paper's list for its GPU.
"""

import math
from itertools import pairwise

import numpy as np

from npnets.bench.timing import compare, one_thread
from npnets.cost.formulas import memory_access, memory_access_bound
from npnets.experiments import picture
from npnets.experiments.result import Result, Table, Verdict
from npnets.experiments.stack import by_kept_products, by_ops, by_products, stacked

SIZE, BLOCKS = 56, 10
RATIOS = "1:1", "1:2", "1:6", "1:12"
WIDTHS = (32, 32), (22, 44), (13, 78), (9, 108)
PAPER = {  # table 1, images per second on the phone: times the widths
    1: (76.2, 72.9, 69.1, 57.6),
    2: (21.7, 20.5, 17.9, 15.1),
    4: (5.3, 5.1, 4.6, 4.4),
}
PAPER_GPU = 1480, 1296, 876, 748  # batches per second, with about the quadrupled widths
EQUAL = (32, 32), (16, 64), (8, 128), (4, 256)
FRESH = "products, fresh"
WAYS = {"npnets": by_ops, "products": by_products, FRESH: by_kept_products}


def run(seconds=30.0, rng=0):
    """Measure for about so many seconds; return the Result."""
    with one_thread():
        narrow = _measure(WIDTHS, WAYS, 0.4 * seconds, rng)
        equal = _measure(EQUAL, {"products": by_products}, 0.1 * seconds, rng)
        wide = {
            times: _measure(_times(times), {"npnets": by_ops}, 0.25 * seconds, rng)
            for times in (2, 4)
        }
    tables = _counts_table(), _narrow_table(narrow), _wide_table(wide), _equal_table(equal)
    return Result(
        name="g1",
        title="G1: do equal channel widths make a 1 × 1 convolution fastest?",
        source="ShuffleNetV2, arXiv:1807.11164, guideline G1 and table 1 (ARM). "
        f"{BLOCKS} blocks c1 -> c2 -> c1 at {SIZE} × {SIZE}, batch 1.",
        tables=tables,
        verdicts=_verdicts(narrow, equal),
        notes=(
            "Speeds are relative to 1:1 and per multiply-add, medians of rounds with quartiles.",
            "fresh: every result in memory of its own, and all kept to the end, as in training.",
        ),
        measured={
            "narrow": narrow.record(), "equal": equal.record(),
            **{f"x{times}": found.record() for times, found in wide.items()},
        },
        machine=narrow.machine,
        draw=lambda figure: _draw(figure, narrow),
    )  # fmt: skip


def _times(factor):
    return [(factor * c1, factor * c2) for c1, c2 in WIDTHS]


def _measure(pairs, ways, seconds, rng):
    """Return the Comparison of all ways to run all pairs of widths: "npnets 22:44"."""
    candidates = {}
    for c1, c2 in pairs:
        layers = stacked([*(c1, c2) * BLOCKS, c1], SIZE, rng)
        for way, make in ways.items():
            candidates[_name(way, c1, c2)] = make(layers)
    return compare(candidates, seconds=seconds, rng=rng)


def _name(way, c1, c2):
    return f"{way} {c1}:{c2}"


def speed(found, way, pair, base):
    """Return how fast a pair of widths is per multiply-add, relative to the base: a Ratio."""
    ratio = found.ratio(_name(way, *base), over=_name(way, *pair))
    return ratio.scaled(math.prod(pair) / math.prod(base))


def _paper_speeds(numbers, pairs):
    """Return a column of the paper relative to its first row, per multiply-add."""
    macs = [c1 * c2 for c1, c2 in pairs]
    return [n / numbers[0] * m / macs[0] for n, m in zip(numbers, macs, strict=True)]


def _counts_table():
    rows = []
    for ratio, (c1, c2) in zip(RATIOS, WIDTHS, strict=True):
        macs, elements = SIZE**2 * c1 * c2, memory_access(SIZE, SIZE, c1, c2)
        bound = memory_access_bound(SIZE, SIZE, macs)
        rows.append((ratio, f"{c1}, {c2}", macs, elements, round(bound), elements / bound))
    heads = "c1:c2", "c1, c2", "multiply-adds", "elements", "bound", "elements / bound"
    return Table("What one convolution costs, counted", heads, tuple(rows))


def _narrow_table(found):
    rows, paper = [], _paper_speeds(PAPER[1], WIDTHS)
    for k, (c1, c2) in enumerate(WIDTHS):
        speeds = [speed(found, way, (c1, c2), WIDTHS[0]) for way in WAYS]
        printed = PAPER[1][k], PAPER[1][k] / PAPER[1][0]
        rows.append((RATIOS[k], f"{c1}, {c2}", *printed, paper[k], *map(str, speeds)))
    heads = (
        "c1:c2", "c1, c2", "paper\nimages/s", "paper\nrelative", "paper\nper MAC", *WAYS,
    )  # fmt: skip
    return Table("Table 1, the phone's widths: speed per multiply-add", heads, tuple(rows))


def _wide_table(wide):
    heads, columns = ["c1:c2"], [RATIOS]
    for times, found in wide.items():
        pairs = _times(times)
        speeds = [str(speed(found, "npnets", pair, pairs[0])) for pair in pairs]
        heads += [
            f"×{times}\n{what}" for what in ("elements\n/ bound", "paper\nper MAC", "npnets")
        ]
        columns += [_over_bound(pairs), _paper_speeds(PAPER[times], pairs), speeds]
    gpu = [(128, 128), (90, 180), (52, 312), (36, 432)]
    heads.append("paper\nGPU, ×4\nper MAC")
    columns.append(_paper_speeds(PAPER_GPU, gpu))
    rows = tuple(zip(*columns, strict=True))
    return Table("Table 1, twice and four times as wide", tuple(heads), rows)


def _equal_table(found):
    rows = [
        (f"{c1}, {c2}", 2 * BLOCKS * SIZE**2 * c1 * c2, over,
         str(speed(found, "products", (c1, c2), EQUAL[0])))
        for (c1, c2), over in zip(EQUAL, _over_bound(EQUAL), strict=True)
    ]  # fmt: skip
    heads = "c1, c2", "multiply-adds", "elements / bound", "products, speed"
    return Table("Multiply-adds exactly equal, widths that suit the processor", heads, tuple(rows))


def _over_bound(pairs):
    """Return the elements of each pair, as a multiple of the fewest for its multiply-adds."""
    return [
        memory_access(SIZE, SIZE, c1, c2) / memory_access_bound(SIZE, SIZE, SIZE**2 * c1 * c2)
        for c1, c2 in pairs
    ]


def _verdicts(narrow, equal):
    speeds = {way: [speed(narrow, way, pair, WIDTHS[0]) for pair in WIDTHS] for way in WAYS}
    exact = [speed(equal, "products", pair, EQUAL[0]) for pair in EQUAL]
    last = {way: column[-1] for way, column in speeds.items()}
    longer = {way: 1 / ratio.median - 1 for way, ratio in last.items()}
    elements, times = _over_bound(EQUAL), [1 / ratio.median for ratio in exact]
    slope, constant = np.polyfit(elements, times, 1)
    return (
        Verdict(
            "of equal multiply-adds, equal widths are fastest",
            all(_falls(column) for column in (*speeds.values(), exact)),
            f"1:12 reaches {last['npnets'].median:.2f} of the speed of 1:1 in npnets, "
            f"{last['products'].median:.2f} as bare products, and the widths whose multiply-adds "
            "are equal " + ", ".join(f"{ratio.median:.2f}" for ratio in exact),
            "not all ways fall from 1:1 to 1:12, and there by more than their quartiles",
        ),
        Verdict(
            "the time grows as the elements do",
            times[-1] >= 0.9 * elements[-1],
            f"{elements[-1]:.2f} times the elements take {times[-1]:.2f} times as long; over the "
            f"four equal costs time ≈ {constant:.2f} + {slope:.2f} · elements / bound",
            "arithmetic takes its part of the time whatever the widths, and the maps stay in a "
            "cache",
        ),
        Verdict(
            "in fresh memory unequal widths look worse than they are",
            last[FRESH].q3 < last["products"].q1,
            f"1:12 takes {longer[FRESH]:.0%} longer than 1:1 there, {longer['products']:.0%} in "
            f"buffers: {longer[FRESH] / max(longer['products'], 1e-9):.1f} times as much",
            "the system hands out pages at little cost here",
        ),
    )


def _falls(speeds):
    """Whether each is slower than the one before it, and the last one surely than the first."""
    return speeds[-1].q3 < 1 and all(a.median > b.median for a, b in pairwise(speeds))


def _draw(figure, found):
    axes = figure.subplots()
    series = {way: [speed(found, way, pair, WIDTHS[0]) for pair in WIDTHS] for way in WAYS}
    labels = [f"{ratio}\n{c1}, {c2}" for ratio, (c1, c2) in zip(RATIOS, WIDTHS, strict=True)]
    picture.bars(axes, labels, series, ("paper, phone", _paper_speeds(PAPER[1], WIDTHS)))
    fewest = [1 / over for over in _over_bound(WIDTHS)]
    axes.plot(fewest, "k:", marker="_", label="if only elements counted")
    axes.set_xlabel("c1 : c2, and the widths")
    axes.set_ylabel("speed per multiply-add, relative to 1:1")
    axes.set_title("G1: equal widths and others, 10 blocks at 56 × 56", fontsize=11)
    picture.legend(figure)
