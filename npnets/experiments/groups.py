"""Does a channel shuffle let information cross between groups, and what is lost without?

Claim (ShuffleNet, arXiv:1707.01083, section 3.1 and figure 1): stacked grouped convolutions never
mix their groups, which weakens what they can represent; with a shuffle between them, input and
output channels are fully related. Its table 3 has the error of networks with and without shuffle.

Reach. By how many inputs an output is reached, counted in two grouped convolutions of npnets and
in its ShuffleNet units, beside a formula: all of them only where m/g ≥ g (see `_reach`).

Learning. In `_sign_product` the product of two inputs of different groups decides. Without a
shuffle at most 75 % of the answers can be right, by proof, whatever is trained; this trains it.

Width. At equal cost a unit with more groups has more channels (section 3.2 and table 1): counted.
Nothing here is timed, so `seconds` is not used.
"""

from dataclasses import asdict

import numpy as np

from npnets.cost import summarize
from npnets.cost.formulas import shufflenet_unit
from npnets.experiments import _sign_product as task
from npnets.experiments._reach import (
    reach_by_gradient,
    reach_of_unit,
    reached,
    unit_of,
    units_until_all,
)
from npnets.experiments.picture import PAPER, SHADES, plain
from npnets.experiments.result import Result, Table, Verdict
from npnets.nets.shufflenet_v1 import TABLE_1, ShuffleNetV1, round_up

PAIRS = (12, 3), (60, 3), (96, 8), (24, 8)  # channels, groups
SEEDS, STEPS = 5, task.STEPS

# Table 3: top-1 error in % on ImageNet, without and with shuffle, by scale and groups.
TABLE_3 = {
    (1.0, 3): (34.5, 32.6),
    (1.0, 8): (37.6, 32.4),
    (0.5, 3): (45.7, 43.2),
    (0.5, 8): (48.1, 42.3),
    (0.25, 3): (56.3, 55.0),
    (0.25, 8): (56.5, 52.7),
}
MILLIONS = {1: 143, 2: 140, 3: 137, 4: 133, 8: 137}  # table 1: multiply-adds, by groups


def stage_channels(scale, groups):
    """Return the channels of the three stages."""
    return [round_up(c * scale, 4 * groups) for c in TABLE_1[groups]]


def widest(groups):
    """Return the channels, a multiple of 4g, of the widest unit that costs no more than the unit
    of one group in stage 2 of table 1."""
    c, step = 0, 4 * groups
    allowed = _cost(TABLE_1[1][0], 1)
    while _cost(c + step, groups) <= allowed:
        c += step
    return c


def _cost(c, groups):
    """Return the multiply-adds per pixel of a unit of stride 1 with c channels, c/4 inside."""
    return shufflenet_unit(1, 1, c, c // 4, groups)


def run(seconds=30.0, rng=0):
    """Return the Result. rng is a seed or a Generator."""
    rng = np.random.default_rng(rng)
    reaches = {
        (c, g, shuffled): reach_by_gradient(c, g, shuffled, rng)
        for c, g in PAIRS
        for shuffled in (False, True)
    }
    seeds = rng.integers(2**31, size=SEEDS).tolist()
    courses = {
        name: [task.learn(*way, seed, STEPS) for seed in seeds] for name, way in WAYS.items()
    }
    learned = {name: [course[-1] for course in found] for name, found in courses.items()}
    reach, units = reach_table(reaches), unit_table()
    return Result(
        name="groups",
        title="Does a channel shuffle let information cross between groups, and what is lost "
        "without?",
        source="ShuffleNet, arXiv:1707.01083, sections 3.1 and 3.2, tables 1 and 3",
        tables=(reach, units, learned_table(learned), width_table()),
        verdicts=(*reach_verdicts(reach, units), *learned_verdicts(learned), width_verdict()),
        draw=lambda figure: draw(figure, reaches, courses),
        notes=NOTES,
        measured={
            "seeds": seeds,
            "every": task.EVERY,
            "learned": {
                name: [[asdict(outcome) for outcome in course] for course in found]
                for name, found in courses.items()
            },
        },
    )


WAYS = {
    "a, b apart, no shuffle": (False, task.B_APART),
    "a, b apart, shuffle": (True, task.B_APART),
    "a, b together, no shuffle": (False, task.B_TOGETHER),
}

NOTES = (
    "The bound is exact, as each test image is asked with all four signs of x_a and x_b. With a "
    "and b in one group the same network learns the task without shuffle: groups alone are no "
    "obstacle.",
    "The errors of table 3 are the paper's, on ImageNet: they are quoted, not measured here.",
)


def reach_table(reaches):
    cells = [
        (c, g, c // g, _count(reaches[c, g, False]), _count(reaches[c, g, True]), reached(c, g))
        for c, g in PAIRS
    ]
    heads = (
        "channels\nc", "groups\ng", "c/g", "inputs reached\nno shuffle", "inputs reached\nshuffle",
        "formula: c/g · min(g, c/g)",
    )  # fmt: skip
    return Table("Two grouped 1 × 1 convolutions: inputs that reach an output", heads, cells)


def unit_table():
    """Count in built units of stride 1, of the networks of table 3, by their branch."""
    cells = []
    for (scale, g), errors in TABLE_3.items():
        stages = stage_channels(scale, g)
        found = [_count(reach_of_unit(unit_of(c, g).branch, c)) for c in stages]
        alone = _count(reach_of_unit(unit_of(stages[0], g, shuffled=False).branch, stages[0]))
        pairs = zip([alone, *found], [stages[0], *stages], strict=True)
        counts = [f"{count} of {c}" for count, c in pairs]
        cells.append((f"{scale}x g{g}", *counts, units_until_all(stages[0], g), *errors))
    heads = (
        "network", "no shuffle\nstage 2", "shuffle\nstage 2", "shuffle\nstage 3",
        "shuffle\nstage 4", "units until\nall, stage 2", "paper: error %\nno shuffle",
        "paper: error %\nshuffle",
    )  # fmt: skip
    return Table("A ShuffleNet unit: inputs that reach an output of its branch", heads, cells)


def _count(reach):
    """Return by how many inputs every output is reached; they all are by as many."""
    counts = set(reach.sum(axis=1).tolist())
    if len(counts) > 1:
        raise ArithmeticError(f"outputs are reached by different numbers of inputs: {counts}")
    return counts.pop()


def learned_table(learned):
    cells = []
    for name, outcomes in learned.items():
        accuracies = [100 * o.accuracy for o in outcomes]
        bound = 100 * task.BOUND if WAYS[name] == (False, task.B_APART) else None
        loss = float(np.mean([o.loss for o in outcomes]))
        cells.append(
            (name, *(f"{a:.1f}" for a in accuracies), float(np.mean(accuracies)), bound, loss)
        )
    heads = (
        "network",
        *(f"seed {k}" for k in range(1, SEEDS + 1)),
        "mean",
        "at most,\nby proof",
        "loss, nats\n(ln 2 = 0.693)",
    )
    return Table("y = [x_a · x_b > 0], 8 groups, 3 layers: test accuracy in %", heads, cells)


def width_table():
    """Count the widths of table 1 against their cost: in units of stage 2, and in networks."""
    cells = []
    for g, (c, *_) in TABLE_1.items():
        costs = summarize(ShuffleNetV1(groups=g), (3, 224, 224))
        without_fc = sum(row.macs for row in costs if row.kind != "fully connected")
        cells.append(
            (g, c, c / TABLE_1[1][0], _cost(c, g), widest(g), without_fc / 1e6, MILLIONS[g])
        )
    heads = (
        "groups\ng",
        "channels c\ntable 1",
        "÷ those\nof g = 1",
        "cost per pixel\n2cm/g + 9m",
        "most channels\nat the cost of g = 1",
        "network, millions\nof multiply-adds",
        "paper:\ntable 1",
    )
    return Table(
        "Wider maps at equal cost: the units of stage 2, and whole networks", heads, cells
    )


def reach_verdicts(reach, units):
    """Return whether outputs are reached as section 3.1 says."""
    full = [row[4] == row[0] for row in reach.rows]
    narrow = [
        f"{row[0]} stage {stage}"
        for row in units.rows
        for stage, cell in enumerate(row[2:5], 2)
        if len(set(cell.split(" of "))) > 1
    ]
    return (
        Verdict(
            "without shuffle an output is derived from the inputs of its group only (section 3.1)",
            reach.column("inputs reached\nno shuffle") == reach.column("c/g"),
            "c/g of c, for every c and g",
            exact=True,
        ),
        Verdict(
            "with shuffle, input and output channels are fully related (section 3.1)",
            all(full) and not narrow,
            f"{sum(full)} of {len(full)} pairs of c and g are; of the units not those of "
            f"{', '.join(narrow)}",
            "it takes c/g ≥ g channels in a group, within a unit m/g ≥ g; where there are fewer, "
            "a second unit relates the rest",
            exact=True,
        ),
    )


def learned_verdicts(learned):
    """Return whether the trained networks keep to the proof, and learn with a shuffle."""
    worst = {name: min(o.accuracy for o in found) for name, found in learned.items()}
    best = {name: max(o.accuracy for o in found) for name, found in learned.items()}
    without, shuffled, together = WAYS
    return (
        Verdict(
            "without shuffle at most 75 % are right where the groups of a and b differ",
            best[without] <= task.BOUND,
            f"the best of {SEEDS} networks has {100 * best[without]:.1f} %: it guesses, which is "
            "all that cross-entropy asks for",
        ),
        Verdict(
            "with shuffle the same network learns the task",
            worst[shuffled] > 0.95,
            f"the worst of {SEEDS} has {100 * worst[shuffled]:.1f} %; without shuffle, but with a "
            f"and b in one group, {100 * worst[together]:.1f} %",
        ),
    )


def width_verdict():
    """Return whether the widths of table 1 are those that equal cost allows."""
    widths = {g: c for g, (c, *_) in TABLE_1.items()}
    return Verdict(
        "more groups allow wider maps at the cost of one group (section 3.2, table 1)",
        sorted(set(widths.values())) == [widest(g) for g in widths],
        f"each width of stage 2, {', '.join(map(str, widths.values()))}, is the most that this "
        "cost allows, in multiples of 4g; the paper does not state that rule",
        exact=True,
    )


def draw(figure, reaches, courses):
    """Draw which inputs reach which outputs, and what the networks get right as they learn."""
    figure.set_size_inches(10, 6.6)
    upper, lower = figure.subfigures(2, 1, height_ratios=(1, 1.1))
    shown = [(12, 3, False), (12, 3, True), (24, 8, False), (24, 8, True)]
    for axes, way in zip(upper.subplots(1, len(shown)), shown, strict=True):
        c, g, shuffled = way
        axes.imshow(reaches[way], cmap="Greys", vmin=0, vmax=1.4)
        axes.set_title(f"c = {c}, g = {g}, {'' if shuffled else 'no '}shuffle", fontsize=10)
        axes.set(xlabel="input channel", ylabel="output channel")
        axes.set(xticks=range(0, c, c // 4), yticks=range(0, c, c // 4))
    upper.suptitle("dark: the input reaches the output of two grouped convolutions", fontsize=10)
    _curves(lower.subplots(), courses)


def _curves(axes, courses):
    """Draw a line for each network, and the bound."""
    styles = (PAPER, "-"), (SHADES[0], "-"), (SHADES[1], "--")
    for (name, found), (colour, line) in zip(courses.items(), styles, strict=True):
        accuracies = 100 * np.array([[o.accuracy for o in course] for course in found]).T
        steps = task.EVERY * np.arange(len(accuracies))
        labels = [name] + [None] * (len(found) - 1)
        axes.plot(steps, accuracies, line, color=colour, linewidth=1.2, label=labels)
    axes.axhline(100 * task.BOUND, color="black", linewidth=1, linestyle="-.")
    for height, text in (100 * task.BOUND, "at most, if a, b apart, no shuffle"), (50, "a guess"):
        axes.annotate(text, (steps[-1], height), (0, 6), ha="right", textcoords="offset points",
            fontsize=9)  # fmt: skip
    axes.set(xlim=(0, steps[-1]), ylim=(40, 102), xlabel="steps of training")
    axes.set_ylabel("test accuracy (%)")
    axes.set_title("learning y = [x_a · x_b > 0]: one line for each seed", fontsize=10)
    axes.legend(frameon=False, fontsize=9, loc="center right", bbox_to_anchor=(1, 0.42))
    plain(axes)
