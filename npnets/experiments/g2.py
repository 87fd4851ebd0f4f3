"""G2: what do groups cost, at equal multiply-adds?

Claim. More groups allow more channels for the same multiply-adds, and so touch more elements:
hw (c1 + c2) + c1·c2/g. Eight groups are up to 30 % slower than none on a phone, and less than half
as fast on a GPU. ShuffleNetV2, arXiv:1807.11164, section 2, guideline G2, equation 2, and table 2.

Method. Ten 1 × 1 convolutions from c to c channels, at 56 × 56, one image, one thread, without
batch norm and activation, into buffers that are there before. The phone's widths, and those
doubled and quadrupled. 180 channels have no eight groups, so that they are 184 here, and all
speeds are compared per multiply-add. Two ways: npnets, and bare matrix products, one for each
group.

What a CPU may change. A group is a matrix product of its own, small, and with a price of its own.
"""

from npnets.bench.timing import compare, one_thread
from npnets.experiments import picture
from npnets.experiments.result import Result, Table, Verdict
from npnets.experiments.stack import by_ops, by_products, stacked

SIZE, LAYERS = 56, 10
GROUPS = 1, 2, 4, 8
WIDTHS = {1: (64, 90, 128, 184), 2: (128, 180, 256, 360), 4: (256, 360, 512, 720)}
PRINTED = {1: (64, 90, 128, 180), 2: (128, 180, 256, 360), 4: (256, 360, 512, 720)}
PAPER = {  # table 2, images per second on the phone: times the widths
    1: (40.0, 35.0, 32.9, 27.8),
    2: (10.2, 9.5, 8.7, 7.5),
    4: (2.3, 2.2, 2.1, 1.8),
}
PAPER_GPU = 2451, 1725, 1026, 634  # batches per second, with the doubled widths
WAYS = {"npnets": by_ops, "products": by_products}
PARTS = {1: 0.4, 2: 0.25, 4: 0.35}  # of the time to measure


def run(seconds=30.0, rng=0):
    """Measure for about so many seconds; return the Result."""
    stacks = {
        times: [
            stacked([c] * (LAYERS + 1), SIZE, rng, g) for c, g in zip(widths, GROUPS, strict=True)
        ]
        for times, widths in WIDTHS.items()
    }
    with one_thread():
        found = {
            times: compare(_candidates(stacks[times]), seconds=PARTS[times] * seconds, rng=rng)
            for times in WIDTHS
        }
    speeds = {
        times: {way: [_speed(found[times], way, s, stacks[times][0]) for s in stacks[times]]
                for way in WAYS}
        for times in WIDTHS
    }  # fmt: skip
    return Result(
        name="g2",
        title="G2: what do groups cost, at equal multiply-adds?",
        source="ShuffleNetV2, arXiv:1807.11164, guideline G2 and table 2 (ARM). "
        f"{LAYERS} convolutions c -> c at {SIZE} × {SIZE}, batch 1.",
        tables=tuple(_table(times, stacks[times], speeds[times]) for times in WIDTHS),
        verdicts=_verdicts(speeds),
        notes=(
            "Speeds are relative to one group and per multiply-add, medians of rounds with "
            "quartiles. The paper's: per multiply-add of its printed widths, 180 among them.",
        ),
        measured={f"x{times}": comparison.record() for times, comparison in found.items()},
        machine=found[1].machine,
        draw=lambda figure: _draw(figure, speeds),
    )  # fmt: skip


def _candidates(stacks):
    return {_name(way, layers): make(layers) for layers in stacks for way, make in WAYS.items()}


def _name(way, layers):
    return f"{way}, {layers[0].groups} groups"


def _speed(found, way, layers, base):
    """Return how fast a stack is per multiply-add, relative to the base: a Ratio."""
    ratio = found.ratio(_name(way, base), over=_name(way, layers))
    return ratio.scaled(layers[0].macs / base[0].macs)


def paper_speeds(numbers, widths):
    """Return speeds of the paper relative to one group, per multiply-add of c·c/g."""
    macs = [c * c / g for c, g in zip(widths, GROUPS, strict=True)]
    return [n / numbers[0] * m / macs[0] for n, m in zip(numbers, macs, strict=True)]


def _table(times, stacks, speeds):
    paper = paper_speeds(PAPER[times], PRINTED[times])
    gpu = paper_speeds(PAPER_GPU, PRINTED[2])
    rows = []
    for k, layers in enumerate(stacks):
        layer = layers[0]
        rows.append((
            layer.groups, layer.x.shape[1], layer.macs, layer.elements,
            layer.elements / stacks[0][0].elements,
            PAPER[times][k], paper[k], *([gpu[k]] if times == 2 else []),
            *(str(column[k]) for column in speeds.values()),
        ))  # fmt: skip
    heads = [
        "groups", "c", "multiply-adds", "elements", "elements\nrelative", "paper\nimages/s",
        "paper\nper MAC", *(["paper, GPU\nper MAC"] if times == 2 else []), *WAYS,
    ]  # fmt: skip
    caption = {1: "the phone's widths", 2: "twice as wide, the GPU's", 4: "four times as wide"}
    return Table(f"Table 2, {caption[times]}: one layer", tuple(heads), tuple(rows))


def _verdicts(speeds):
    last = {(times, way): column[-1] for times, ways in speeds.items()
            for way, column in ways.items()}  # fmt: skip
    npnets = {times: last[times, "npnets"].median for times in WIDTHS}
    paper = {times: paper_speeds(PAPER[times], PRINTED[times])[-1] for times in WIDTHS}
    ordered = [ratio.median for ratio in speeds[1]["npnets"]]
    return (
        Verdict(
            "eight groups are slower than none at equal multiply-adds",
            all(ratio.q3 < 1 for ratio in last.values()),
            ", ".join(
                f"{way} ×{times} {ratio.median:.2f}" for (times, way), ratio in last.items()
            ),
            "not in every way and at every width by more than the quartiles",
        ),
        Verdict(
            "each further group makes it slower, at the phone's widths",
            ordered == sorted(ordered, reverse=True),
            ", ".join(f"{g}: {speed:.2f}" for g, speed in zip(GROUPS, ordered, strict=True)),
            "widths that suit the matrix product matter as much as the elements",
        ),
        Verdict(
            "by as much as on the paper's phone, within a tenth",
            all(abs(npnets[times] - paper[times]) <= 0.1 for times in WIDTHS),
            ", ".join(f"×{t}: {npnets[t]:.2f} here, {paper[t]:.2f} there" for t in WIDTHS),
            "the price of a small matrix product is another",
        ),
    )


def _draw(figure, speeds):
    figure.set_size_inches(10, 4)
    panels = figure.subplots(1, 3, sharey=True)
    for axes, (times, ways) in zip(panels, speeds.items(), strict=True):
        labels = [f"{g}\n{c}" for g, c in zip(GROUPS, WIDTHS[times], strict=True)]
        paper = "paper, phone", paper_speeds(PAPER[times], PRINTED[times])
        picture.bars(axes, labels, ways, paper)
        axes.set_xlabel("groups, channels")
        axes.set_title(f"widths × {times}", fontsize=10)
    panels[0].set_ylabel("speed per multiply-add, relative to 1 group")
    picture.legend(figure)
