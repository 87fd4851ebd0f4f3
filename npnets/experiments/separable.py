"""How much of 1/c2 + 1/k² becomes time when a convolution is made depthwise separable?

Claim. A k × k convolution to c2 channels, split into a depthwise and a 1 × 1 convolution, costs
1/c2 + 1/k² of the multiply-adds: an eighth to a ninth where k is 3. MobileNets,
arXiv:1704.04861, sections 3.1 and 3.2, table 3.

Method. One image, one thread, without batch norm and activation, into arrays that are there
before. The full convolution runs in three ways: npnets, which copies what each pixel sees into
columns and multiplies matrices; the same written in NumPy; and the matrix product alone, with the
columns given. The separable one runs in npnets, in NumPy, and as its matrix product alone.

What a CPU may change. The copy is charged to the full convolution alone, as a 1 × 1 convolution
needs none: so the gain may be larger than that of the multiply-adds. The depthwise half has too
few multiply-adds per number for the processor's peak: so it may be smaller.
"""

from dataclasses import dataclass

import numpy as np

from npnets import ops
from npnets.bench.timing import compare, one_thread
from npnets.cost.formulas import separable_ratio
from npnets.experiments import picture
from npnets.experiments.result import Result, Table, Verdict
from npnets.experiments.stack import filters, images

LAYERS = "by layer", (
    (112, 32, 64, 3), (56, 128, 128, 3), (28, 256, 256, 3), (14, 512, 512, 3), (7, 1024, 1024, 3),
)  # fmt: skip
WIDTHS = "by output channels", tuple((28, 128, c2, 3) for c2 in (8, 32, 128, 512))
KERNELS = "by kernel size", tuple((28, 64, 64, k) for k in (3, 5, 7))
TABLE_3 = 14, 512, 512, 3  # of the paper: 462 million multiply-adds become 52.3 million
PAPER = {TABLE_3: (462e6, 52.3e6)}


@dataclass(frozen=True)
class Case:
    """A convolution of one image of size × size, from c1 to c2 channels."""

    size: int
    c1: int
    c2: int
    k: int

    def __str__(self):
        return f"{self.size}², {self.c1} -> {self.c2}, {self.k} × {self.k}"

    @property
    def macs(self):
        """The multiply-adds of the full convolution."""
        return self.size**2 * self.c1 * self.c2 * self.k**2

    @property
    def depthwise_macs(self):
        """Those of the depthwise half."""
        return self.size**2 * self.c1 * self.k**2

    @property
    def separable_macs(self):
        """Those of both halves."""
        return self.depthwise_macs + self.size**2 * self.c1 * self.c2

    @property
    def fewer(self):
        """How many times fewer multiply-adds the separable one has, by the formula."""
        return 1 / separable_ratio(self.c2, self.k)


def candidates(case, rng):
    """Return {way: function} of all ways to run a case, with their arrays."""
    rng, pad = np.random.default_rng(rng), case.k // 2
    x, inside = images(rng, case.c1, case.size), images(rng, case.c1, case.size)
    full, narrow = filters(rng, case.c2, case.c1, case.k), filters(rng, case.c2, case.c1)
    per_channel = filters(rng, case.c1, 1, case.k)
    y = np.zeros((1, case.c2, case.size, case.size), np.float32)
    matrix, flat_y = full.reshape(case.c2, -1), y.reshape(case.c2, -1)
    columns = rng.standard_normal((matrix.shape[1], case.size**2), np.float32)
    mixing, flat_x = narrow.reshape(case.c2, -1), x.reshape(case.c1, -1)

    def separable():
        ops.depthwise_conv2d(x, per_channel, padding=pad, out=inside)
        return ops.pointwise_conv2d(inside, narrow, out=y)

    def separable_numpy():
        made = ops.depthwise_conv2d.definition(x, per_channel, padding=pad)
        return ops.pointwise_conv2d.definition(made, narrow)

    return {
        "full": lambda: ops.conv2d(x, full, padding=pad, out=y),
        "full, NumPy": lambda: ops.conv2d.definition(x, full, padding=pad),
        "full, product": lambda: np.matmul(matrix, columns, out=flat_y),
        "separable": separable,
        "separable, NumPy": separable_numpy,
        "separable, product": lambda: np.matmul(mixing, flat_x, out=flat_y),
        "depthwise": lambda: ops.depthwise_conv2d(x, per_channel, padding=pad, out=inside),
    }


def run(seconds=30.0, rng=0):
    """Measure for about so many seconds; return the Result."""
    groups = LAYERS, WIDTHS, KERNELS
    cases = {name: [Case(*numbers) for numbers in rows] for name, rows in groups}
    each = seconds / sum(map(len, cases.values()))
    with one_thread():
        found = {
            case: compare(candidates(case, rng), seconds=each, rng=rng)
            for case in dict.fromkeys(case for rows in cases.values() for case in rows)
        }
    return Result(
        name="separable",
        title="How much of 1/c2 + 1/k² becomes time in a depthwise separable convolution?",
        source="MobileNets, arXiv:1704.04861, sections 3.1, 3.2 and table 3. One image.",
        tables=(_counted(cases), *(_timed(name, rows, found) for name, rows in cases.items())),
        verdicts=_verdicts(cases["by layer"], found),
        notes=(
            "Times fewer, times faster: full over separable; medians of rounds with quartiles.",
            "npnets and NumPy lay columns out for the full one; product: matrix products alone, "
            "of the separable one only its 1 × 1 half. depthwise: its share of the separable one.",
        ),
        measured={str(case): comparison.record() for case, comparison in found.items()},
        machine=next(iter(found.values())).machine,
        draw=lambda figure: _draw(figure, cases, found),
    )  # fmt: skip


def _counted(cases):
    rows = [
        (str(case), case.macs, case.separable_macs, case.fewer, case.depthwise_macs,
         PAPER[key][0] / PAPER[key][1]
         if (key := (case.size, case.c1, case.c2, case.k)) in PAPER else None)
        for case in cases["by layer"]
    ]  # fmt: skip
    heads = (
        "convolution", "full\nmultiply-adds", "separable\nmultiply-adds", "times\nfewer",
        "of these\ndepthwise", "paper\ntable 3",
    )  # fmt: skip
    return Table("What the layers of MobileNet v1 cost, counted", heads, tuple(rows))


def _timed(name, cases, found):
    rows = []
    for case in cases:
        faster = [str(r) for r in _faster(found[case]).values()]
        time = found[case].ratio("depthwise", over="separable").median
        share = case.depthwise_macs / case.separable_macs
        rows.append((str(case), case.fewer, *faster, f"{share:.1%}", f"{time:.1%}"))
    heads = (
        "convolution", "times\nfewer", "times faster\nnpnets", "\nNumPy", "\nproduct",
        "depthwise\nof MACs", "\nof time",
    )  # fmt: skip
    return Table(f"Times faster, {name}", heads, tuple(rows))


def _faster(comparison):
    """Return {way: how many times faster the separable convolution is}."""
    ways = {"npnets": "", "NumPy": ", NumPy", "product": ", product"}
    return {
        way: comparison.ratio(f"full{end}", over=f"separable{end}") for way, end in ways.items()
    }


def _verdicts(layers, found):
    faster = {case: _faster(found[case])["npnets"] for case in layers}
    shares = [found[case].ratio("depthwise", over="separable").median for case in layers]
    macs = [case.depthwise_macs / case.separable_macs for case in layers]
    parts = [ratio.median / case.fewer for case, ratio in faster.items()]
    slow = [_faster(found[case])["NumPy"].median for case in layers]
    listed = ", ".join(
        f"{case.size}²: {case.fewer:.2f} times fewer, {ratio.median:.2f} times faster"
        for case, ratio in faster.items()
    )
    return (
        Verdict(
            "3 × 3 separable convolutions have 8 to 9 times fewer multiply-adds",
            all(8 <= case.fewer <= 9 for case in layers),
            ", ".join(f"c2 = {case.c2}: {case.fewer:.2f}" for case in layers),
            "with less than 72 output channels it is less than 8",
            exact=True,
        ),
        Verdict(
            "the time falls as the multiply-adds do, within a fifth",
            all(0.8 <= part <= 1.25 for part in parts),
            listed,
            "the depthwise half runs far below the rate of matrix products, and the full "
            "convolution pays for its columns",
        ),
        Verdict(
            "where nine shifted additions are its depthwise half, a quarter is lost or more",
            all(speed < 0.75 * case.fewer for speed, case in zip(slow, layers, strict=True)),
            f"all in NumPy, the separable one is {min(slow):.1f} to {max(slow):.1f} times faster",
        ),
        Verdict(
            "the depthwise half takes more of the time than of the multiply-adds",
            all(time > share for time, share in zip(shares, macs, strict=True)),
            f"{min(shares):.0%} to {max(shares):.0%} of the time for {min(macs):.1%} to "
            f"{max(macs):.1%} of the multiply-adds",
        ),
    )


def _draw(figure, cases, found):
    figure.set_size_inches(10, 4.2)
    panels = figure.subplots(1, 3, sharey=True, width_ratios=[5, 4, 3])
    for axes, (name, rows) in zip(panels, cases.items(), strict=True):
        faster = [_faster(found[case]) for case in rows]
        series = {way: [each[way] for each in faster] for way in faster[0]}
        labels = [f"{c.size}²\n{c.c1}\n-> {c.c2}\n{c.k} × {c.k}" for c in rows]
        counted = "multiply-adds: 1 / (1/c2 + 1/k²)", [case.fewer for case in rows]
        picture.bars(axes, labels, series, counted)
        axes.tick_params(axis="x", labelsize=8)
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("pixels, channels, kernel")
    panels[0].set_ylabel("times faster than a full convolution")
    picture.logarithmic(panels[0], "y", (0.5, 1, 2, 5, 10, 20, 50))
    panels[0].set_ylim(bottom=0.5)
    picture.legend(figure)
