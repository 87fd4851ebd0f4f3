"""How many channels of a unit of ShuffleNet v2 reach a later unit as they are?

Claim (ShuffleNet V2, arXiv:1807.11164, section 3 and figure 4): half of the channels pass through
a unit untouched and join the next one, "a kind of feature reuse". Of the c channels of unit i,
c·r^j connect directly to unit i + j, with r = 1 − c'/c and c' the channels that the branch gets:
the reuse falls exponentially with the distance, as it was found to do in DenseNet.

It is counted. The units are those of npnets, with their split, concat and shuffle; in the place of
all convolutions stands a layer that makes channels with labels never used before. A label that is
found behind a later unit belongs to a channel that no convolution has touched.

The exact number follows from the shuffle: with two groups, shortcut channel p goes to place 2p. So
channel p gets through j units if p · 2^(j−1) < c/2, and these are

    ⌈c / 2^j⌉      channels, for j ≥ 1

of which channel 0 is always one. What the convolutions of unit i + j get is what was there before
it and is not there behind it. Nothing is timed here, so `seconds` is not used; nor is `rng`.
"""

import itertools
import math

import numpy as np

from npnets.cost import summarize
from npnets.experiments.picture import PAPER, SHADES, plain
from npnets.experiments.result import Result, Table, Verdict
from npnets.layers import Layer
from npnets.nets import ShuffleNetV2
from npnets.nets.shufflenet_v2 import REPEATS, TABLE_5, SplitUnit

RATIO = 0.5  # r = 1 − c'/c, as the branch gets c' = c/2
STAGE = 1  # stage 3, the longest: of TABLE_5's stages the second
FAMILY = (0.5, "s"), (1.0, "o"), (1.5, "^"), (2.0, "D")  # a marker for each width
SIZES = (28, 14, 7)  # height and width of the maps of each stage, for images of 224 × 224


class Fresh(Layer):
    """In the place of convolutions: so many channels, each one number that was never used."""

    def __init__(self, channels, labels):
        self.channels, self.labels = channels, labels

    def forward(self, x):
        made = list(itertools.islice(self.labels, self.channels))
        return np.array(made, np.float32).reshape(1, -1, 1, 1)


def labelled(net):
    """Return the units of a ShuffleNetV2, in order, with Fresh in the place of all convolutions.

    The network itself is changed: its units make labels from now on.
    """
    labels, units = itertools.count(), []
    for unit in itertools.chain(net.stage2, net.stage3, net.stage4):
        if not isinstance(unit, SplitUnit):
            unit.shortcut = Fresh(_made(unit.shortcut), labels)
        unit.branch = Fresh(_made(unit.branch), labels)
        units.append(unit.eval())
    return units


def _made(way):
    """Return the channels that a way through a unit makes."""
    *_, last = way
    return len(last.conv.weight.value)


def count(net):
    """Return a matrix, (units, units): entry i, k says how many channels of unit i are there,
    untouched, behind unit k. The diagonal holds the widths; below it is 0."""
    units = labelled(net)
    x, behind = np.zeros((1, 1, 1, 1), np.float32), []
    for unit in units:
        x = unit.forward(x)
        behind.append(x.reshape(-1))
    found = np.zeros((len(units), len(units)), int)
    for i, k in itertools.combinations_with_replacement(range(len(units)), 2):
        found[i, k] = np.isin(behind[i], behind[k]).sum()
    return found


def stages():
    """Return where the units of each stage lie among all."""
    ends = list(itertools.accumulate(REPEATS))
    return [slice(end - n, end) for end, n in zip(ends, REPEATS, strict=True)]


def exact(c, j):
    """Return how many of c channels get through j units of stride 1: c·r^j, rounded up."""
    return -(-c // 2**j)


def run(seconds=30.0, rng=0):
    """Return the Result; neither seconds nor rng changes anything."""
    found = {width: count(ShuffleNetV2(width)) for width in TABLE_5}
    costs = cost_table()
    return Result(
        name="reuse",
        title="How many channels of a unit of ShuffleNet v2 reach a later unit as they are?",
        source="ShuffleNet V2, arXiv:1807.11164, section 3 and figure 4 (a picture, no numbers)",
        tables=(chain_table(found[1.0]), width_table(found), costs),
        verdicts=verdicts(found, costs),
        draw=lambda figure: draw(figure, found),
        notes=NOTES,
        measured={str(width): matrix.tolist() for width, matrix in found.items()},
    )


NOTES = (
    "The shuffle leaves channel 0 in its place: no unit of stride 1 ever touches it. So in a "
    "longer stage one channel would stay, where c·r^j tends to 0.",
    "Figure 4 (a), not drawn here, has the mean weights between the layers of a trained DenseNet; "
    "it comes from the DenseNet paper. Figure 4 (b) is drawn here from what was counted.",
    "Direct channels are what is counted. That their reuse makes a network more accurate is a "
    "claim about ImageNet, and is not shown here.",
)


def chain_table(found):
    """Show how many channels of the first unit of stage 3, at 1x, get how far."""
    matrix = found[stages()[STAGE], stages()[STAGE]]
    first, c = matrix[0].tolist(), int(matrix[0, 0])
    cells = [
        (j, first[j], exact(c, j), c * RATIO**j, first[j] - c * RATIO**j, first[j - 1] - first[j])
        for j in range(1, len(first))
    ]
    heads = (
        "units\nahead, j", "channels\nuntouched", "⌈c/2^j⌉", "paper:\nc·r^j", "difference",
        "of the first unit into\nthe branch of this one",
    )  # fmt: skip
    return Table(f"Stage 3 at 1x: the {c} channels of its first unit, r = 1/2", heads, cells)


def width_table(found):
    """Show the same for all stages of all widths: from the first unit to the others."""
    cells = []
    for width, matrix in found.items():
        for number, where in zip((2, 3, 4), stages(), strict=True):
            c, *rest = matrix[where, where][0].tolist()
            off = max(n - c * RATIO**j for j, n in enumerate(rest, 1))
            beyond = int(matrix[: where.stop, where.stop :].sum())
            cells.append((f"{width:g}x", number, c, ", ".join(map(str, rest)), float(off), beyond))
    heads = (
        "width", "stage", "channels\nc", "untouched\nbehind 1, 2, … units",
        "most above\nc·r^j", "untouched in\na later stage",
    )  # fmt: skip
    return Table("All widths, from the first unit of a stage", heads, cells)


def cost_table():
    """Count a unit of stage 3 at each width: what the split saves, and what the shuffle moves."""
    cells = []
    for width, (_, *widths, _) in TABLE_5.items():
        c, size = widths[STAGE], SIZES[STAGE]
        unit = summarize(SplitUnit(c), (c, size, size))
        joined = [row for row in unit.rows if not row.name.startswith("branch")]
        whole = size**2 * (2 * c * c + 9 * c)
        moved = sum(row.elements for row in joined)
        cells.append(
            (
                f"{width:g}x", c, unit.macs, sum(row.macs for row in joined), whole,
                unit.macs / whole, moved, 100 * moved / unit.elements,
            )
        )  # fmt: skip
    heads = (
        "width", "channels\nc", "unit:\nmultiply-adds", "of it split, concat\nand shuffle",
        "all c convolved:\n2c² + 9c per pixel", "ratio", "elements moved by\nconcat and shuffle",
        "of the\nunit's, %",
    )  # fmt: skip
    return Table("What it costs: a unit of stage 3 with stride 1, per image", heads, cells)


def verdicts(found, costs):
    """Return what holds; all of it is counted, and the same everywhere."""
    c = int(found[1.0][stages()[STAGE].start].max())
    printed = (1 - c // 2) / c
    free = set(costs.column("of it split, concat\nand shuffle")) == {0}
    moved = costs.column("of the\nunit's, %")
    return (
        number_verdict(found),
        Verdict(
            "r = (1 − c')/c, as section 3 prints it",
            math.isclose(printed, RATIO),
            f"that is {printed:.2f} for c = {c} and c' = {c // 2}; counted is {RATIO}",
            "a bracket is misplaced: r = 1 − c'/c fits",
            exact=True,
        ),
        falling_verdict(found),
        Verdict(
            "the untouched half costs no multiply-adds (figure 3 (c))",
            free,
            "the unit has a quarter of those for all channels; but concat and shuffle move "
            f"{min(moved):.0f} to {max(moved):.0f} % of its elements",
            exact=True,
        ),
    )


def number_verdict(found):
    """Return whether c·r^j is the number, for all pairs of units in a stage."""
    pairs = [pair for matrix in found.values() for pair in within_stages(matrix)]
    above = [n - c * RATIO**j for c, j, n in pairs]
    as_said = sum(n == exact(c, j) for c, j, n in pairs)
    return Verdict(
        "c·r^j channels of unit i connect directly to unit i + j of its stage (section 3)",
        as_said == len(pairs) and max(map(abs, above)) < 1,
        f"⌈c/2^j⌉ in {as_said} of {len(pairs)} pairs of units, at all widths: c·r^j, rounded up, "
        f"by {max(above):.2f} at most",
        exact=True,
    )


def falling_verdict(found):
    """Return whether each further unit halves what is left."""
    halved = [
        matrix[i, k + 1] == exact(matrix[i, k], 1)
        for matrix in found.values()
        for where in stages()
        for i in range(where.start, where.stop)
        for k in range(i, where.stop - 1)
    ]
    beyond = sum(matrix[: w.stop, w.stop :].sum() for matrix in found.values() for w in stages())
    return Verdict(
        "the reuse falls exponentially with the distance of two units (section 3)",
        all(halved) and beyond == 0,
        f"each unit of stride 1 leaves half of what it gets, rounded up, in {sum(halved)} of "
        f"{len(halved)} cases; one of stride 2 leaves {beyond} channels, as it convolves all",
        exact=True,
    )


def within_stages(matrix):
    """Yield (c, j, counted) for all pairs of units i and i + j, j ≥ 1, of the same stage."""
    for where in stages():
        for i, k in itertools.combinations(range(where.start, where.stop), 2):
            yield int(matrix[i, i]), k - i, int(matrix[i, k])


def draw(figure, found):
    """Draw figure 4 (b) at 1x, and how the number falls with the distance at all widths."""
    figure.set_size_inches(10.5, 4.6)
    shares, curves = figure.subplots(1, 2, width_ratios=(1.15, 1))
    _matrix(figure, shares, found[1.0])
    for (width, marker), shade in zip(FAMILY, SHADES, strict=False):
        where = stages()[STAGE]
        first = found[width][where, where][0]
        j = np.arange(len(first))
        curves.plot(j, first[0] * RATIO**j, "--", color=PAPER, linewidth=1, zorder=1,
            label="c·r^j" if width == FAMILY[0][0] else None)  # fmt: skip
        curves.plot(j, first, marker, color=shade, ms=6, label=f"{width:g}x, c = {first[0]}")
    curves.set_yscale("log", base=2)
    ticks = [2**k for k in range(10)]
    curves.set_yticks(ticks, list(map(str, ticks)))
    curves.set(xlabel="units ahead, j", ylabel="channels untouched")
    curves.set_title("Stage 3: from its first unit", fontsize=10)
    plain(curves, grid="both")
    curves.legend(frameon=False, fontsize=8)


def _matrix(figure, axes, matrix):
    """Draw shares of channels, from unit s (down) to unit l (across), as figure 4 (b) does."""
    share = matrix / matrix.diagonal()[:, None]
    image = axes.imshow(np.where(matrix > 0, share, np.nan), cmap="Blues", vmin=0, vmax=1)
    for i, k in zip(*np.nonzero(matrix), strict=True):
        dark = share[i, k] > 0.4
        axes.text(k, i, matrix[i, k], ha="center", va="center", fontsize=6.5,
            color="white" if dark else "black")  # fmt: skip
    for where in stages()[:-1]:
        for line in axes.axhline, axes.axvline:
            line(where.stop - 0.5, color="grey", linewidth=0.8, linestyle=":")
    places = [f"{stage}.{unit}" for stage, n in zip((2, 3, 4), REPEATS, strict=True)
        for unit in range(1, n + 1)]  # fmt: skip
    axes.set_xticks(range(len(places)), places, fontsize=7, rotation=90)
    axes.set_yticks(range(len(places)), places, fontsize=7)
    axes.set(xlabel="behind unit l (stage.unit)", ylabel="channels of unit s (stage.unit)")
    axes.set_title("1x: channels of s that are untouched behind l", fontsize=10)
    figure.colorbar(image, ax=axes, label="share of the channels of s", shrink=0.85)
