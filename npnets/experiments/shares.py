"""Where does the time of a forward pass go? Runtime shares by kind of operation.

Claim. Convolutions take most of the time, but what is not counted in multiply-adds takes 11 to
50 %: ShuffleNetV2, arXiv:1807.11164, figure 2, for ShuffleNet v1 and MobileNet v2 on a GPU and on
a phone.

Method. Inference of one image of 224 × 224 on one thread, the networks taking turns. Each
operation of npnets is timed where it runs; what is left of a forward pass that nobody watches is
Python's way from one to the next. A median is taken of each operation over the passes, and they
are summed by kind. As the networks are written, and folded, where batch norm is part of the
convolution and the activation is applied as it writes.

What a CPU may change. The paper's parts are not defined: here "element-wise" is activations, batch
norm and additions, "data" concatenations and splits, "other" pooling, the classifier and Python.
On a GPU each small operation waits to be launched, and so weighs more.
"""

import time
from dataclasses import dataclass

import numpy as np

from npnets.bench.timing import describe, one_thread, without_collector
from npnets.cost import kinds
from npnets.cost.summary import multiply_adds
from npnets.cost.trace import traced
from npnets.experiments import picture
from npnets.experiments.result import Result, Table, Verdict
from npnets.nets import create_model
from npnets.ops.op import watch

MODELS = "mobilenet_v1", "mobilenet_v2", "shufflenet_v1_x1_0_g3", "shufflenet_v2_x1_0"
SIZE, FEWEST_ROUNDS = 224, 3
PYTHON = "between"
PARTS = {
    "conv": (
        kinds.STEM, kinds.CONVOLUTION, kinds.POINTWISE, kinds.GROUPED_POINTWISE, kinds.DEPTHWISE,
    ),
    "element-wise": (kinds.BATCH_NORM, kinds.ACTIVATION, kinds.ADD),
    "data": (kinds.CONCAT, kinds.SPLIT),
    "shuffle": (kinds.SHUFFLE,),
    "other": (kinds.POOL, kinds.FULLY_CONNECTED, kinds.OTHER, PYTHON),
}  # fmt: skip
PAPER = {  # figure 2: percent of the time, on the GPU and on the phone
    "shufflenet_v1_x1_0_g3": ((50, 15, 20, 5, 10), (87, 4, 1, 0, 8)),
    "mobilenet_v2": ((54, 23, 22, 0, 1), (89, 10.5, 0.3, 0, 0.2)),
}


@dataclass(frozen=True)
class Pie:
    """The seconds and the multiply-adds of each kind in a forward pass; and `slower`, how much
    longer a pass takes because the times are noted, as a share."""

    seconds: dict[str, float]
    macs: dict[str, int]
    slower: float

    def share(self, *names):
        """Return the share of the time, from 0 to 1, of these kinds together."""
        return sum(self.seconds.get(name, 0.0) for name in names) / sum(self.seconds.values())


def measure(nets, seconds, rng=0, clock=time.perf_counter):
    """Return {name: Pie} of {name: network in eval mode}, which take turns for `seconds`."""
    rng = np.random.default_rng(rng)
    x = rng.standard_normal((1, 3, SIZE, SIZE), np.float32)
    calls = {name: _calls(net, x) for name, net in nets.items()}
    passes = {name: [] for name in nets}
    end = clock() + seconds
    while len(passes[next(iter(nets))]) < FEWEST_ROUNDS or clock() < end:
        for k in rng.permutation(len(nets)):
            name = list(nets)[k]
            nets[name].forward(x)  # the caches hold what the one before it worked on
            passes[name].append(_timed(nets[name], x, clock))
    return {name: _pie(calls[name], rows) for name, rows in passes.items()}


def _calls(net, x):
    """Return [(kind, multiply-adds)] of each operation in a forward pass."""
    with traced(net) as calls:
        net.forward(x)
    return [(kinds.kind_of(call), multiply_adds(call)) for call in calls]


def _timed(net, x, clock):
    """Return [seconds] of each operation of a pass, of what is between them, and of noting.

    No result is kept while it runs: it would take the memory that the next ones use again.
    """
    noted, start = [], clock()
    with watch(lambda op, arguments, result, seconds: noted.append(seconds)):
        net.forward(x)
    with_notes, start = clock() - start, clock()
    net.forward(x)
    whole = clock() - start
    return [*noted, whole - sum(noted), with_notes - whole]


def _pie(calls, passes):
    """Return the Pie of the medians of each operation over the passes."""
    *medians, between, noting = np.median(passes, axis=0).tolist()
    seconds, macs = {}, {}
    for (kind, count), median in zip(calls, medians, strict=True):
        seconds[kind] = seconds.get(kind, 0.0) + median
        macs[kind] = macs.get(kind, 0) + count
    seconds[PYTHON] = max(between, 0.0)
    return Pie(seconds, macs, noting / sum(seconds.values()))


def run(seconds=30.0, rng=0):
    """Measure for about so many seconds; return the Result."""
    nets = {name: create_model(name, rng=rng).eval() for name in MODELS}
    folded = {name: net.fold() for name, net in nets.items()}
    with one_thread(), without_collector():
        plain = measure(nets, seconds / 2, rng)
        fast = measure(folded, seconds / 2, rng)
        machine = describe()
    return Result(
        name="shares",
        title="Where does the time of a forward pass go?",
        source="ShuffleNetV2, arXiv:1807.11164, figure 2. One image of 224 × 224.",
        tables=(
            _paper_table(plain, fast),
            _kinds_table("As the networks are written: percent of the time, by kind", plain),
            _kinds_table("Folded: percent of the time, by kind", fast),
            _rates_table(fast),
        ),
        verdicts=_verdicts(plain, fast),
        notes=(
            "element-wise: activations, batch norm, additions; data: concatenations, splits; "
            "other: pooling, classifier, and Python between the operations.",
            f"{PYTHON}: a pass without a watch, less its operations. To note their times makes it "
            f"up to {max(pie.slower for pie in fast.values()):.0%} longer.",
            "The shuffle of ShuffleNet v2 is done in the copy that concatenates.",
        ),
        measured={
            name: {"plain seconds": plain[name].seconds, "folded seconds": fast[name].seconds}
            for name in MODELS
        },
        machine=machine,
        draw=lambda figure: _draw(figure, plain, fast),
    )


def _paper_table(plain, fast):
    rows = []
    for name, (gpu, phone) in PAPER.items():
        for k, (part, members) in enumerate(PARTS.items()):
            shares = (100 * pies[name].share(*members) for pies in (plain, fast))
            rows.append((name if k == 0 else "", part, gpu[k], phone[k], *shares))
    heads = "network", "part", "paper\nGPU", "paper\nphone", "npnets\nas written", "npnets\nfolded"
    return Table("Figure 2: percent of the time", heads, tuple(rows))


def _kinds_table(caption, pies):
    present = {name for pie in pies.values() for name in pie.seconds}
    rows = [
        (name, *(100 * p.share(name) if name in p.seconds else None for p in pies.values()))
        for name in (*kinds.KINDS, PYTHON)
        if name in present
    ]
    total = ("milliseconds", *(1e3 * sum(pies[model].seconds.values()) for model in MODELS))
    return Table(caption, ("kind", *map(_heads, MODELS)), (*rows, total))


def _rates_table(pies):
    """What a kind reaches: its share of multiply-adds, and how many in a second."""
    rows = []
    for name in kinds.MULTIPLYING:
        cells = []
        for model in MODELS:
            macs, time = pies[model].macs.get(name, 0), pies[model].seconds.get(name)
            whole = sum(pies[model].macs.values())
            cells += [100 * macs / whole, macs / time / 1e9] if macs else [None, None]
        if any(cell is not None for cell in cells):
            rows.append((name, *cells))
    heads = [f"{_heads(model)}\n{what}" for model in MODELS for what in ("% of MACs", "GMAC/s")]
    return Table("Folded: what convolutions reach", ("kind", *heads), tuple(rows))


def _heads(model):
    family, _, rest = model.partition("_")
    short = {"mobilenet": "MobileNet", "shufflenet": "ShuffleNet"}[family]
    return f"{short}\n{rest.split('_')[0]}"


def _verdicts(plain, fast):
    uncounted = {  # what has no multiply-adds
        kind: {name: 1 - pie.share(*kinds.MULTIPLYING) for name, pie in pies.items()}
        for kind, pies in (("as written", plain), ("folded", fast))
    }
    listed = "; ".join(
        f"{kind}: " + ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
        for kind, shares in uncounted.items()
    )
    depthwise = {
        name: (pie.share(kinds.DEPTHWISE), pie.macs[kinds.DEPTHWISE] / sum(pie.macs.values()))
        for name, pie in fast.items()
    }
    return (
        Verdict(
            "convolutions take more than half of the time",
            all(p.share(*PARTS["conv"]) > 0.5 for pies in (plain, fast) for p in pies.values()),
            ", ".join(
                f"{name} {plain[name].share(*PARTS['conv']):.0%}, folded "
                f"{fast[name].share(*PARTS['conv']):.0%}"
                for name in MODELS
            ),
            "batch norm and activation are passes over memory of their own, unless folded",
        ),
        Verdict(
            "what has no multiply-adds takes a tenth of the time or more",
            all(share >= 0.1 for shares in uncounted.values() for share in shares.values()),
            listed,
            "folded into the convolutions, little of it is left",
        ),
        Verdict(
            "depthwise convolutions take more of the time than of the multiply-adds",
            all(time > macs for time, macs in depthwise.values()),
            ", ".join(f"{name} {t:.0%} for {m:.1%}" for name, (t, m) in depthwise.items()),
        ),
    )


def _draw(figure, plain, fast):
    figure.set_size_inches(9, 4.6)
    axes = figure.subplots()
    labels, bars, places = [], [], []
    for number, model in enumerate(MODELS):
        rows = {"npnets": plain[model], "npnets, folded": fast[model]}
        rows = {name: [100 * pie.share(*p) for p in PARTS.values()] for name, pie in rows.items()}
        if model in PAPER:
            rows = dict(zip(("paper, GPU", "paper, phone"), PAPER[model], strict=True)) | rows
        title = _heads(model).replace("\n", " ")
        labels += [f"{title}: {name}" if k == 0 else name for k, name in enumerate(rows)]
        places += [len(bars) + k + 0.6 * number for k in range(len(rows))]
        bars += rows.values()
    left = np.zeros(len(bars))
    for k, part in enumerate(PARTS):
        widths = np.array([bar[k] for bar in bars])
        axes.barh(
            places, widths, 0.8, left, label=part, color=picture.SHADES[k],
            hatch=picture.HATCHES[k], edgecolor="white", linewidth=0.5,
        )  # fmt: skip
        left += widths
    axes.set_yticks(places, labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("share of the time of a forward pass (%)")
    axes.set_xlim(0, 100)
    picture.plain(axes, grid="x")
    axes.set_title("Where the time goes, one image of 224 × 224", fontsize=11)
    picture.legend(figure)
