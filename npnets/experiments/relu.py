"""What does a ReLU lose, and how many channels does it take to keep it?

Claim (MobileNetV2, arXiv:1801.04381, section 3.2, figure 1 and appendix A): a ReLU behind a narrow
layer destroys what it cuts off; behind a wide one, other channels still hold it. So the narrow
ends of an inverted residual have no activation.

Figure 1. A spiral in the plane goes through a random T, n × 2, and a ReLU, and back:

    x  ->  y = ReLU(T·x)  ->  x'

by three read-outs. The paper draws x' = pinv(T)·y. The best linear read-out is the matrix that
least squares fits to all points. The third solves, for each point, the equations that its active
channels state: T·x = y in the rows where y > 0.

Lemma 2 says when the third works: where at least 2 of the channels are active. Then any x' with
the same y has the same active channels and solves the same equations, and these have one
solution. With fewer, x can be moved along the line that the one active channel does not see, and
y stays. For x ≠ 0 each channel is active with probability 1/2, independently of the others, as a
row of T is as likely as its negative. So of the points is lost, in the mean over all T,

    P(fewer than 2 of n active)  =  Σ k<2  C(n, k) / 2^n

and the centre of the spiral, x = 0, which activates nothing, whatever n.

Theorem 1 is the same for x in n dimensions and m channels, with Σ k<n C(m, k) / 2^m. It is
compared with random points and random B, m × n. Nothing here is timed, so `seconds` is not used.
"""

import math
from dataclasses import asdict, dataclass

import numpy as np

from npnets import ops
from npnets.experiments._spiral import (
    POINTS,
    back_by_active,
    back_by_best_linear,
    back_by_pinv,
    kept_share,
    lost_share,
    spiral,
)
from npnets.experiments.result import Result, Table, Verdict
from npnets.plots import INK, PAPER

CHANNELS = 2, 3, 5, 15, 30  # those of figure 1
FITTED, COUNTED = 100, 4000  # draws of T: for the errors, and for the share of lost points
SHAPES = (2, 2), (2, 4), (2, 12), (4, 8), (4, 24), (16, 96)  # n, m; MobileNetV2 has m = 6·n
MATRICES, PER_MATRIX = 20_000, 20  # random B, and points for each


@dataclass(frozen=True)
class Row:
    """What a ReLU behind `channels` channels loses of the spiral.

    The errors are |x' − x| / |x| over all points, their median over draws of T; `doubled` is that
    of x' = 2·pinv(T)·y. `lost` is the share of points with fewer than 2 active channels.
    """

    channels: int
    pinv: float
    doubled: float
    linear: float
    active: float
    lost: float

    @property
    def expected(self):
        """The lost share in theory, with the centre of the spiral."""
        return 1 / POINTS + (1 - 1 / POINTS) * lost_share(self.channels, 2)

    @property
    def deviation(self):
        """At most the standard deviation of `lost`: as if a T lost all points, or none."""
        share = lost_share(self.channels, 2)
        return math.sqrt(share * (1 - share) / COUNTED)


def measure(channels, rng):
    """Return the Row of so many channels, over random T with normal entries."""
    errors = [read_out_errors(rng.standard_normal((channels, 2))) for _ in range(FITTED)]
    lost = 0
    for _ in range(COUNTED // 100):
        y = ops.relu(rng.standard_normal((100, channels, 2)) @ spiral())
        lost += int(((y > 0).sum(axis=1) < 2).sum())
    return Row(channels, *np.median(errors, axis=0).tolist(), lost / (COUNTED * POINTS))


def read_out_errors(T):
    """Return the relative errors by pinv(T), by 2·pinv(T), best linear, and by active channels."""
    x = spiral()
    y = ops.relu(T @ x)
    pinv = back_by_pinv(T, y)
    ways = pinv, 2 * pinv, back_by_best_linear(y, x), back_by_active(T, y)
    return [np.linalg.norm(way - x) / np.linalg.norm(x) for way in ways]


def lost_points(dimensions, channels, rng):
    """Return how many of MATRICES · PER_MATRIX random points have fewer active channels than
    dimensions; each random B, (channels, dimensions), gets PER_MATRIX points of its own."""
    lost = 0
    for _ in range(MATRICES // 1000):
        B = rng.standard_normal((1000, channels, dimensions), dtype=np.float32)
        x = rng.standard_normal((1000, dimensions, PER_MATRIX), dtype=np.float32)
        lost += int(((ops.relu(B @ x) > 0).sum(axis=1) < dimensions).sum())
    return lost


def run(seconds=30.0, rng=0):
    """Return the Result. rng is a seed or a Generator."""
    rng = np.random.default_rng(rng)
    rows = [measure(n, rng) for n in CHANNELS]
    lost = {shape: lost_points(*shape, rng) for shape in SHAPES}
    drawn = {n: rng.standard_normal((n, 2)) for n in CHANNELS}
    return Result(
        name="relu",
        title="What does a ReLU lose, and how many channels does it take to keep it?",
        source="MobileNetV2, arXiv:1801.04381, figure 1 (a picture, without numbers), appendix A",
        tables=(spiral_table(rows), theorem_table(lost)),
        verdicts=verdicts(rows, lost),
        draw=lambda figure: draw(figure, rows, drawn),
        notes=NOTES,
        measured={
            "spiral": [asdict(row) for row in rows],
            "theorem 1": [{"n": n, "m": m, "lost": count} for (n, m), count in lost.items()],
        },
    )


NOTES = (
    "As n grows, pinv(T)·y tends to x/2. Twice that is no way back: its error falls as 1/√n.",
    "With n = 2 the error has no mean over T, as T can be nearly singular: medians are shown.",
    f"The centre is one of {POINTS} points, and always lost: 0.1 % stays for any n.",
    "Whether a network is more accurate with linear bottlenecks (figure 6) takes ImageNet, and is "
    "not shown here.",
)


def spiral_table(rows):
    heads = (
        "channels n", "pinv(T)\nas in figure 1", "2·pinv(T)", "best\nlinear",
        "by active\nchannels", "points lost\n%", "± at most\n%", "in theory\n%",
        "with the\ncentre, %",
    )  # fmt: skip
    cells = [
        (
            row.channels, row.pinv, row.doubled, row.linear, row.active, 100 * row.lost,
            100 * row.deviation, 100 * lost_share(row.channels, 2), 100 * row.expected,
        )
        for row in rows
    ]  # fmt: skip
    return Table("Relative error of the spiral that comes back, and its lost points", heads, cells)


def theorem_table(lost):
    heads = (
        "dimensions\nn",
        "channels\nm",
        "points\nlost",
        "of them all\n%",
        "theorem 1:\n1 − N/2^m, %",
        "closing sentence:\nN/2^m, %",
    )
    total = MATRICES * PER_MATRIX
    cells = [
        (n, m, count, 100 * count / total, 100 * lost_share(m, n), 100 * kept_share(m, n))
        for (n, m), count in lost.items()
    ]
    return Table(f"Theorem 1: what of {total:,} random points is lost", heads, cells)


def verdicts(rows, lost):
    """Return what holds of the claims. All of it is computed, and the same everywhere."""
    few, many = rows[0], rows[-1]
    far = [row for row in rows if abs(row.lost - row.expected) > 4 * row.deviation + 1e-12]
    (n, m), count = (2, 12), lost[2, 12]
    share = count / (MATRICES * PER_MATRIX)
    return (
        Verdict(
            "a ReLU behind few channels loses information, behind many hardly any (figure 1)",
            few.lost > 0.5 and many.lost < 0.002 and many.active < 1e-6,
            f"of the spiral's points {100 * few.lost:.0f} % at n = {few.channels}, "
            f"{100 * many.lost:.2g} % at n = {many.channels}",
            exact=True,
        ),
        Verdict(
            "the lost share is Σ k<2 C(n, k)/2^n, and the centre (lemma 2)",
            not far,
            "within four standard deviations for every n",
            exact=True,
        ),
        Verdict(
            "what pinv(T) brings back, as figure 1 draws it, shows what is left",
            many.pinv < 0.1,
            f"relative error {many.pinv:.2f} at n = {many.channels}, where the best linear "
            f"read-out has {many.linear:.1g} and the active channels {many.active:.0e}",
            "pinv(T)·ReLU(T·x) = x/2 + pinv(T)·|T·x|/2, and only the second part vanishes",
            exact=True,
        ),
        Verdict(
            "N/2^m is the fraction of collapsed space (closing sentence of appendix A)",
            abs(kept_share(m, n) - share) < abs(lost_share(m, n) - share),
            f"n = {n}, m = {m}: {100 * share:.2f} % collapse, N/2^m is "
            f"{100 * kept_share(m, n):.2f} %",
            "N counts the sign patterns with at least n active channels, which are kept; the "
            "theorem itself has it right, V − N·V/2^m, and so has the sentence's conclusion",
            exact=True,
        ),
    )


def draw(figure, rows, drawn):
    """Draw the spirals that come back, as in figure 1, and how the errors fall."""
    figure.set_size_inches(11, 7.4)
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.5, 1))
    panels = upper.subplots(2, 1 + len(drawn))
    x = spiral()
    _spiral(panels[0, 0], x, "input x")
    panels[1, 0].set_axis_off()
    panels[1, 0].text(0, 0.5, LEGEND, va="center", fontsize=9, transform=panels[1, 0].transAxes)
    for column, (n, T) in enumerate(drawn.items(), 1):
        y = ops.relu(T @ x)
        few = (y > 0).sum(axis=0) < 2
        _spiral(panels[0, column], back_by_pinv(T, y), f"n = {n}, by pinv(T)")
        _spiral(panels[1, column], back_by_active(T, y), f"n = {n}, by active channels", few)
    _curves(*lower.subplots(1, 2), rows)


LEGEND = """\
dark to light:
from the centre
outwards

orange crosses:
lost, as fewer
than 2 channels
are active"""


def _spiral(axes, x, title, lost=None):
    """Draw points; those that are lost as crosses."""
    kept = np.ones(x.shape[1], bool) if lost is None else ~lost
    order = np.linspace(0, 0.85, x.shape[1])
    axes.scatter(*x[:, kept], c=order[kept], cmap="cividis", vmin=0, vmax=1, s=2)
    axes.scatter(*x[:, ~kept], color=PAPER, marker="x", s=9, linewidths=0.6)
    axes.set_title(title, fontsize=9)
    axes.set_aspect("equal")
    axes.set(xticks=[], yticks=[])
    reach = 1.1 * max(1.0, float(np.abs(x).max()))
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach))


def _curves(errors, shares, rows):
    """Draw the errors of the read-outs, and the lost share beside the theory."""
    n = [row.channels for row in rows]
    errors.plot(n, [row.pinv for row in rows], "--o", color=PAPER, label="pinv(T), as in figure 1")
    errors.plot(n, [row.linear for row in rows], "-s", color=INK, label="best linear")
    errors.axhline(0.5, color="grey", linewidth=0.8, linestyle=":")
    errors.annotate("1/2: where pinv(T) tends to", (n[-1], 0.5), (0, -4), ha="right", va="top",
        textcoords="offset points", fontsize=8)  # fmt: skip
    errors.set_ylabel("relative error |x' − x| / |x|")
    every = np.arange(n[0], n[-1] + 1)
    theory = [100 / POINTS + 100 * (1 - 1 / POINTS) * lost_share(int(k), 2) for k in every]
    shares.plot(every, theory, "-", color=INK, label="Σ k<2 C(n, k)/2^n, and the centre")
    shares.plot(n, [100 * row.lost for row in rows], "o", color=PAPER, label="counted")
    shares.set_ylabel("points lost (%)")
    for axes in errors, shares:
        axes.set_xlabel("channels n")
        axes.set_yscale("log")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=8)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
