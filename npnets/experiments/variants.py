"""What predicts the time of a network: multiply-adds, or the elements that it moves?

Claim. Multiply-adds are an indirect metric: networks of equal multiply-adds differ in speed, and
memory access is one reason. ShuffleNetV2, arXiv:1807.11164, section 1, figure 1, and guideline
G1. And ShuffleNet, arXiv:1707.01083, section 4.5 and table 8: four times the complexity gave
about 2.6 times the time.

Method. Inference of one image of 224 × 224 on one thread, of all published variants, as they are
written and folded. The times are compared with the multiply-adds, the elements that convolutions
and the classifier move, the elements that all operations move, each read or written once, and the
number of operations: by rank (Spearman), by the correlation of logarithms (Pearson), and by how
far the best law time = a · metric^p is off. And with a price for each operation, multiply-add and
element, added up.

What a CPU may change. A network that is written in Python has a price per operation, too; a phone
with small caches pays more for memory.
"""

import itertools
import time
from dataclasses import dataclass

import numpy as np

from npnets.bench.timing import Comparison, compare, one_thread
from npnets.cost import kinds, summarize
from npnets.experiments import picture
from npnets.experiments.correlation import off_by, pearson, power_law, spearman
from npnets.experiments.result import Result, Table, Verdict
from npnets.nets import create_model, list_models

SIZE = 224
SHORTEST = 5.0  # seconds; with less, FEW of the networks run
FEW = (
    "mobilenet_v1_x0_25", "mobilenet_v2_x0_35", "shufflenet_v1_x0_5_g3", "shufflenet_v1_x1_0_g3",
    "shufflenet_v1_x2_0_g3", "shufflenet_v2_x0_5",
)  # fmt: skip
TIMES = "as written", "folded"
METRICS = {
    "multiply-adds": lambda cost: cost.macs,
    "elements, convolutions": lambda cost: cost.of_kind(*kinds.MULTIPLYING).elements,
    "elements, all": lambda cost: cost.elements,
    "operations": lambda cost: len(cost),
}
ADDED = "operations", "multiply-adds", "elements, all"
# ShuffleNet table 8: complexity in millions, and ms at 224 × 224, 480 × 640, 720 × 1280.
TABLE_8 = {
    "shufflenet_v1_x0_5_g3": (38, (15.2, 87.4, 260.1)),
    "shufflenet_v1_x1_0_g3": (140, (37.8, 222.2, 684.5)),
    "shufflenet_v1_x2_0_g3": (524, (108.8, 617.0, 1857.6)),
}


@dataclass(frozen=True)
class Network:
    """A variant: its metrics, as written and folded, and its times in seconds."""

    name: str
    metrics: dict[str, dict[str, int]]  # time -> metric -> number
    seconds: dict[str, float]  # time -> median


def prices(networks, key):
    """Return (prices, seconds): of an operation, a multiply-add and an element, in seconds, by
    least squares of the relative error; and what they say of each network.
    """
    counts = np.stack([_columns(networks, key, metric)[0] for metric in ADDED], axis=1)
    seconds = np.array([network.seconds[key] for network in networks])
    relative = counts / seconds[:, None]
    scale = np.linalg.norm(relative, axis=0)
    found, *_ = np.linalg.lstsq(relative / scale, np.ones(len(seconds)), rcond=None)
    return found / scale, counts @ (found / scale)


def run(seconds=30.0, rng=0):
    """Measure for about so many seconds; return the Result."""
    names = FEW if seconds < SHORTEST else list_models()
    start, nets, metrics = time.perf_counter(), {}, {}
    for name in names:
        written = create_model(name, rng=rng).eval()
        nets[name] = dict(zip(TIMES, (written, written.fold()), strict=True))
        costs = {key: summarize(net, (3, SIZE, SIZE)) for key, net in nets[name].items()}
        metrics[name] = {
            key: {metric: count(cost) for metric, count in METRICS.items()}
            for key, cost in costs.items()
        }
    left = max(seconds - (time.perf_counter() - start), seconds / 3)
    found = _measure(nets, left, rng)
    networks = [
        Network(name, metrics[name], {key: found.times[f"{name}, {key}"].median for key in TIMES})
        for name in names
    ]
    return Result(
        name="variants",
        title="What predicts the time of a network: multiply-adds, or the elements that it moves?",
        source="ShuffleNetV2, arXiv:1807.11164, section 1 and figure 1; ShuffleNet, "
        "arXiv:1707.01083, table 8. One image of 224 × 224.",
        tables=(_correlations(networks), _laws(networks), _all(networks)),
        verdicts=_verdicts(networks),
        notes=(
            "off: the median of how far time = a · metric^p is from the time measured.",
            "elements: read or written once by each operation. A folded network has fewer "
            "operations, and moves fewer elements.",
        ),
        measured=found.record(),
        machine=found.machine,
        draw=lambda figure: _draw(figure, networks),
    )


def _measure(nets, seconds, rng) -> Comparison:
    x = np.random.default_rng(rng).standard_normal((1, 3, SIZE, SIZE), np.float32)
    candidates = {
        f"{name}, {key}": (lambda net=net: net.forward(x))
        for name, pair in nets.items()
        for key, net in pair.items()
    }
    with one_thread():
        return compare(candidates, seconds=seconds, rng=rng)


def _columns(networks, key, metric):
    """Return (metric, seconds) of all networks, as arrays."""
    counts = [network.metrics[key][metric] for network in networks]
    return np.array(counts, float), np.array([network.seconds[key] for network in networks])


def _correlations(networks):
    rows = []
    for key in TIMES:
        for k, metric in enumerate(METRICS):
            counts, seconds = _columns(networks, key, metric)
            p, off = power_law(counts, seconds)
            cells = spearman(counts, seconds), pearson(np.log(counts), np.log(seconds)), p
            rows.append((key if k == 0 else "", metric, *cells, f"{off:.1%}"))
        _, said = prices(networks, key)
        cells = spearman(said, seconds), pearson(np.log(said), np.log(seconds)), None
        rows.append(
            ("", "a price for each of three, added", *cells, f"{off_by(said, seconds):.1%}")
        )
    heads = "network", "metric", "Spearman", "Pearson\nof logarithms", "exponent p", "off"
    return Table(f"Time against what can be counted, {len(networks)} networks", heads, tuple(rows))


def exponents(complexities, milliseconds):
    """Return the exponent of time = a · complexity^p."""
    return power_law(complexities, milliseconds)[0]


def _laws(networks):
    """Return the table of ShuffleNet table 8: how time grows with complexity in one family."""
    ours = {network.name: network for network in networks if network.name in TABLE_8}
    rows = []
    for k, pixels in enumerate(("224 × 224", "480 × 640", "720 × 1280")):
        macs, times = zip(*((m, ms[k]) for m, ms in TABLE_8.values()), strict=True)
        rows.append((f"paper, phone, {pixels}", *map(float, times), exponents(macs, times)))
    for key in TIMES:
        chosen = [ours[name] for name in TABLE_8]
        macs, times = _columns(chosen, key, "multiply-adds")
        rows.append((f"npnets, {key}", *map(float, 1e3 * times), exponents(macs, times)))
    rows = [(*row, 4 ** row[-1]) for row in rows]
    heads = "", "0.5x, ms", "1x, ms", "2x, ms", "exponent p", "4 × the MACs:\n× the time"
    return Table("ShuffleNet v1, three groups (its table 8)", heads, tuple(rows))


def _all(networks):
    rows = []
    for network in sorted(networks, key=lambda network: network.seconds["folded"]):
        plain, fast = (network.metrics[key] for key in TIMES)
        ms = [1e3 * network.seconds[key] for key in TIMES]
        rate = plain["multiply-adds"] / network.seconds["folded"] / 1e9
        rows.append((
            network.name, plain["multiply-adds"], plain["elements, all"], fast["elements, all"],
            plain["operations"], *ms, rate,
        ))  # fmt: skip
    heads = (
        "network", "multiply-adds", "elements", "elements\nfolded", "operations", "ms",
        "ms\nfolded", "GMAC/s\nfolded",
    )  # fmt: skip
    return Table("All networks, the fastest first", heads, tuple(rows))


def _verdicts(networks):
    scores = {key: {m: spearman(*_columns(networks, key, m)) for m in METRICS} for key in TIMES}
    fits = {key: (key, *_fit(networks, key)) for key in TIMES}
    listed = "; ".join(
        f"{key}: " + ", ".join(f"{metric} {score:.3f}" for metric, score in row.items())
        for key, row in scores.items()
    )
    slow, fast = unlike_pair(networks, "folded")
    chosen = [network for name in TABLE_8 for network in networks if network.name == name]
    p = exponents(*_columns(chosen, "folded", "multiply-adds"))
    return (
        Verdict(
            "the elements moved rank the networks by time better than multiply-adds do",
            all(row["elements, all"] > row["multiply-adds"] for row in scores.values()),
            f"Spearman, {listed}",
            "what the elements explain is not what keeps these networks apart here",
        ),
        Verdict(
            "a price per operation, per multiply-add and per element says it within a tenth",
            all(off < 0.1 for _, off, _ in fits.values()),
            "; ".join(f"{key}: {text}, off by {off:.1%}" for key, off, text in fits.values()),
            "a multiply-add has no one price: a depthwise one costs more than a pointwise one",
        ),
        Verdict(
            "equal multiply-adds do not mean equal time",
            slow.seconds["folded"] >= 1.25 * fast.seconds["folded"],
            f"folded, {slow.name} takes {1e3 * slow.seconds['folded']:.1f} ms and {fast.name} "
            f"{1e3 * fast.seconds['folded']:.1f} ms, with {_millions(slow)} and {_millions(fast)} "
            "million multiply-adds",
            "those of equal multiply-adds are within a quarter of each other",
        ),
        Verdict(
            "four times the multiply-adds of ShuffleNet v1 take less than three times as long",
            4**p < 3,
            f"folded, time grows as multiply-adds to the power of {p:.2f}: {4**p:.2f} times",
        ),
    )


def unlike_pair(networks, key):
    """Return (slower, faster): the two networks within 5 % of each other's multiply-adds whose
    times are furthest apart."""
    near = [
        (a, b)
        for a, b in itertools.permutations(networks, 2)
        if abs(np.log(_macs(a) / _macs(b))) < np.log(1.05)
    ]
    return max(near, key=lambda pair: pair[0].seconds[key] / pair[1].seconds[key])


def _macs(network):
    return network.metrics["folded"]["multiply-adds"]


def _millions(network):
    return f"{_macs(network) / 1e6:.0f}"


def _fit(networks, key):
    """Return how far the added prices are off, and the prices in words."""
    (operation, mac, element), said = prices(networks, key)
    off = off_by(said, np.array([network.seconds[key] for network in networks]))
    return off, f"{1e6 * operation:.1f} µs, {1e12 * mac:.1f} ps and {1e12 * element:.0f} ps"


def _draw(figure, networks):
    figure.set_size_inches(11, 4.4)
    panels = figure.subplots(1, 3, sharey=True)
    _, said = prices(networks, "folded")
    seconds = np.array([network.seconds["folded"] for network in networks])
    shown = (
        ("multiply-adds (millions)", _columns(networks, "folded", "multiply-adds")[0] / 1e6),
        ("elements moved (millions)", _columns(networks, "folded", "elements, all")[0] / 1e6),
        ("prices of operations, multiply-adds\nand elements, added (ms)", 1e3 * said),
    )
    ticks = (10, 30, 100, 300), (3, 10, 30), (5, 10, 20, 30)
    for axes, (label, x), places in zip(panels, shown, ticks, strict=True):
        for family, (name, colour, marker) in picture.FAMILIES.items():
            members = [n.name.startswith(family) for n in networks]
            axes.plot(
                x[members], 1e3 * seconds[members], marker, color=colour, ms=5, label=name,
                fillstyle="none" if family == "shufflenet_v1" else "full",
            )  # fmt: skip
        axes.set_title(f"Spearman {spearman(x, seconds):.3f}", fontsize=10)
        axes.set_xlabel(label)
        picture.logarithmic(axes, "x", places)
        picture.plain(axes, grid="both")
    picture.logarithmic(panels[0], "y", (5, 10, 20, 30))
    panels[2].axline((10, 10), (20, 20), color="black", linewidth=0.8, linestyle=":")
    panels[0].set_ylabel("time of one image, folded (ms)")
    picture.legend(figure)
