"""G3: do fragments cost time, at equal multiply-adds?

Claim. One convolution is faster than several small ones of the same cost in all: four in a row or
side by side are 3 times slower on a GPU of that time at 128 channels, and up to 13 % on a phone.
ShuffleNetV2, arXiv:1807.11164, section 2, guideline G3, table 3, and figure 1 of the appendix.

Method. Ten blocks of 1 × 1 convolutions, one image, one thread, without batch norm and activation,
into buffers that are there before: one convolution from c to c; 2 or 4 in a row; 2 or 4 side by
side, of the same input, added up. Fragments have c/√k channels, rounded, for the same
multiply-adds, and speeds are compared per multiply-add. At 56 × 56 as in the paper, and at 7 × 7.

What a CPU may change. Nothing is launched here as on a GPU; but each call has a price, which a
small map shows: there Python's call plays the part of the kernel launch.
"""

import itertools
import math

import numpy as np

from npnets import ops
from npnets.bench.timing import compare, one_thread
from npnets.experiments import picture
from npnets.experiments.result import Result, Table, Verdict
from npnets.experiments.stack import filters, images

BLOCKS, SIZES = 10, (56, 7)
SHAPES = {"1": (1, "series"), "2 in series": (2, "series"), "4 in series": (4, "series"),
          "2 parallel": (2, "parallel"), "4 parallel": (4, "parallel")}  # fmt: skip
PAPER = {  # table 3, images per second on the phone, by channels
    64: (40.2, 38.6, 38.4, 33.4, 35.0),
    128: (10.1, 10.1, 10.1, 9.1, 8.4),
    256: (2.3, 2.2, 2.3, 2.2, 2.1),
}
PAPER_GPU = {  # batches per second
    128: (2446, 1790, 752, 1537, 691),
    256: (1274, 909, 745, 803, 572),
}
PARTS = {  # of the time to measure, by size and channels
    (56, 64): 0.2, (56, 128): 0.2, (56, 256): 0.3, (7, 64): 0.1, (7, 128): 0.1, (7, 256): 0.1,
}  # fmt: skip


def width(channels, fragments):
    """Return the channels of each of so many fragments, for the same multiply-adds."""
    return round(channels / math.sqrt(fragments))


def macs(channels, shape, size):
    """Return the multiply-adds of a block."""
    fragments, _ = SHAPES[shape]
    return size**2 * fragments * width(channels, fragments) ** 2


def steps(channels, shape, size, rng):
    """Return [(a, b, y)] of ten blocks: y = b · a where b is a weight, and else y = a + b."""
    (fragments, order), rng = SHAPES[shape], np.random.default_rng(rng)
    c = width(channels, fragments)
    side_by_side = fragments if order == "parallel" else 1
    scale = np.float32(1 / math.sqrt(side_by_side))  # keeps the variance of the sum
    made, x = [], images(rng, c, size)
    # what is written is read in the same block or the next
    buffers = itertools.cycle([np.zeros_like(x) for _ in range(2 * side_by_side)])
    for _ in range(BLOCKS):
        for _ in range(fragments // side_by_side):
            parts = [(x, scale * filters(rng, c, c), next(buffers)) for _ in range(side_by_side)]
            made += parts
            x = parts[0][2]
            for _, _, y in parts[1:]:
                made.append((x, y, next(buffers)))
                x = made[-1][2]
    return made


def by_ops(made):
    """Return a function that runs the steps with npnets."""

    def run():
        for a, b, y in made:
            if b.shape[2:] == (1, 1):
                ops.pointwise_conv2d(a, b, out=y)
            else:
                ops.add(a, b, out=y)
        return made[-1][2]

    return run


def by_products(made):
    """Return a function that runs the steps as matrix products and sums."""
    flat = [
        (np.matmul, (b[:, :, 0, 0], a[0].reshape(len(b), -1)), y[0].reshape(len(b), -1))
        if b.shape[2:] == (1, 1)
        else (np.add, (a, b), y)
        for a, b, y in made
    ]

    def run():
        for compute, arguments, y in flat:
            compute(*arguments, out=y)
        return made[-1][2]

    return run


WAYS = {"npnets": by_ops, "products": by_products}


def run(seconds=30.0, rng=0):
    """Measure for about so many seconds; return the Result."""
    with one_thread():
        found = {
            (size, channels): _measure(channels, size, part * seconds, rng)
            for (size, channels), part in PARTS.items()
        }
    speeds = {key: _speeds(*key, comparison) for key, comparison in found.items()}
    return Result(
        name="g3",
        title="G3: do fragments cost time, at equal multiply-adds?",
        source="ShuffleNetV2, arXiv:1807.11164, guideline G3 and table 3 (ARM). "
        f"{BLOCKS} blocks, batch 1.",
        tables=(_counts(), *(_table(size, speeds) for size in SIZES)),
        verdicts=_verdicts(speeds),
        notes=(
            "Speeds are relative to one fragment and per multiply-add of convolutions, medians of "
            f"rounds; half of the rounds lie within {_spread(speeds):.0%} of them. The paper's "
            "speeds are as printed; its widths of fragments are not printed.",
        ),
        measured={f"{size}, {c}": comparison.record() for (size, c), comparison in found.items()},
        machine=found[56, 64].machine,
        draw=lambda figure: _draw(figure, speeds),
    )


def _measure(channels, size, seconds, rng):
    candidates = {}
    for shape in SHAPES:
        made = steps(channels, shape, size, rng)
        for way, make in WAYS.items():
            candidates[f"{way}, {shape}"] = make(made)
    return compare(candidates, seconds=seconds, rng=rng)


def _speeds(size, channels, found):
    """Return {way: Ratios of the shapes}: speed per multiply-add, relative to one fragment."""
    first = next(iter(SHAPES))
    more = {shape: macs(channels, shape, size) / macs(channels, first, size) for shape in SHAPES}
    return {
        way: [
            found.ratio(f"{way}, {first}", over=f"{way}, {shape}").scaled(more[shape])
            for shape in SHAPES
        ]
        for way in WAYS
    }


def _counts():
    rows = [
        (shape, *(n for c in PAPER for n in (width(c, SHAPES[shape][0]), macs(c, shape, 56))))
        for shape in SHAPES
    ]
    heads = [f"c = {c}\n{what}" for c in PAPER for what in ("width", "multiply-adds")]
    return Table("A block at 56 × 56, counted", ("fragments", *heads), tuple(rows))


def _table(size, speeds):
    rows = []
    for k, shape in enumerate(SHAPES):
        cells = []
        for channels, printed in PAPER.items():
            gpu = PAPER_GPU.get(channels)
            cells.append(printed[k] / printed[0] if size == 56 else gpu and gpu[k] / gpu[0])
            cells += [column[k].median for column in speeds[size, channels].values()]
        rows.append((shape, *cells))
    heads = [f"c = {c}\n{what}" for c in PAPER for what in ("paper", *WAYS)]
    about = "the paper's phone beside it" if size == 56 else "beside the paper's GPU"
    return Table(f"At {size} × {size}, {about}", ("fragments", *heads), tuple(rows))


def _verdicts(speeds):
    slowest = {key: min(r.median for r in ways["npnets"]) for key, ways in speeds.items()}
    surely = {key: min(r.q3 for r in ways["npnets"][1:]) for key, ways in speeds.items()}
    listed = {
        size: ", ".join(f"{c} channels {slowest[size, c]:.2f}" for c in PAPER) for size in SIZES
    }
    _, *series, two, four = [ratio.median for ratio in speeds[56, 64]["npnets"]]
    return (
        Verdict(
            "at 56 × 56 fragments cost time",
            all(surely[56, c] < 1 for c in PAPER),
            f"the slowest shape: {listed[56]}; on the paper's phone 0.83, 0.83, 0.91",
            "with many channels a fragment is still a large matrix product",
        ),
        Verdict(
            "side by side costs more than in a row, as it also adds",
            two < series[0] and four < series[1],
            f"64 channels: two in series {series[0]:.2f}, parallel {two:.2f}; four in series "
            f"{series[1]:.2f}, parallel {four:.2f}",
            "calls weigh more than the sums",
        ),
        Verdict(
            "at 7 × 7, where a call weighs most, it costs more, as on the GPU",
            all(slowest[7, c] < slowest[56, c] for c in PAPER),
            f"{listed[7]}; on the paper's GPU 128 channels 0.28, 256 channels 0.45",
            "large products hide the calls there, too",
        ),
    )


def _spread(speeds):
    """Return the largest distance of a quartile from its median, as a share of it."""
    ratios = [ratio for ways in speeds.values() for column in ways.values() for ratio in column]
    return max(max(r.q3 / r.median - 1, 1 - r.q1 / r.median) for r in ratios)


def _draw(figure, speeds):
    figure.set_size_inches(11, 6)
    panels = figure.subplots(2, 3, sharey=True)
    for line, size in zip(panels, SIZES, strict=True):
        for axes, channels in zip(line, PAPER, strict=True):
            table = PAPER if size == 56 else PAPER_GPU
            label = "paper, phone (above), GPU (below)"
            paper = table.get(channels)
            paper = paper and (label, [number / paper[0] for number in paper])
            labels = [shape.replace(" in ", "\nin ").replace(" p", "\np") for shape in SHAPES]
            picture.bars(axes, labels, speeds[size, channels], paper)
            axes.tick_params(axis="x", labelsize=8)
            axes.set_title(f"{size} × {size}, c = {channels}", fontsize=10)
        line[0].set_ylabel("speed per multiply-add,\nrelative to one fragment")
    for axes in panels[1]:
        axes.set_xlabel("fragments in a block")
    picture.legend(figure)
