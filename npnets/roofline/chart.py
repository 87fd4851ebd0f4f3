"""Two pictures: the operations below the roofline, and predicted against measured times."""

import numpy as np

from npnets.cost import kinds
from npnets.cost.chart import COLOURS
from npnets.extras import require
from npnets.files import whole
from npnets.roofline.placed import PARTS

MARKERS = {
    kinds.STEM: "*",
    kinds.CONVOLUTION: "X",
    kinds.POINTWISE: "o",
    kinds.GROUPED_POINTWISE: "s",
    kinds.DEPTHWISE: "^",
    kinds.FULLY_CONNECTED: "D",
    kinds.BATCH_NORM: "v",
    kinds.ACTIVATION: "<",
    kinds.ADD: "P",
    kinds.CONCAT: "h",
    kinds.SPLIT: "H",
    kinds.SHUFFLE: "d",
    kinds.POOL: "p",
    kinds.OTHER: ".",
}
PART_LOOKS = {  # label, colour, hatch
    "predicted": ("predicted by the roofline", "#1f3b57", ""),
    "small": ("small matrix products", "#5b84ad", "//"),
    "calling": ("calling", "#d99a5b", ""),
    "cold": ("cold caches", "#9a9a9a", "\\\\"),
    "rest": ("rest", "#e5ddd0", ".."),
    "between": ("between the operations", "#8a6d3b", "xx"),
}
LINES = "--", "-.", ":"


def draw_roofline(passes, ceilings, path, title):
    """Draw each Pass as a row: what multiplies below the roofline, what only moves beside it."""
    figure = _figure(4.6 * len(passes))
    panels = figure.subplots(len(passes), 2, squeeze=False, width_ratios=(1, 2.6))
    for (moving, roofline), found in zip(panels, passes, strict=True):
        _moving(moving, found, ceilings)
        _roofline(roofline, found, ceilings)
        roofline.set_title(found.title, fontsize=10, loc="left")
    _finish(figure, path, title)


def draw_times(passes, path, title):
    """Draw each Pass as a row: every operation, and what the time of each kind is made of."""
    figure = _figure(4.6 * len(passes))
    panels = figure.subplots(len(passes), 2, squeeze=False, width_ratios=(1, 1.6))
    for (points, parts), found in zip(panels, passes, strict=True):
        _against(points, found)
        _parts(parts, found)
        parts.set_title(f"{found.title}: {1e3 * found.whole:.1f} ms", fontsize=10, loc="left")
    _finish(figure, path, title)


def _figure(height):
    require("matplotlib", "bench")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _finish(figure, path, title):
    found = [axes.get_legend_handles_labels() for axes in figure.axes]
    handles = {label: h for hs, labels in found for h, label in zip(hs, labels, strict=True)}
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=8, fontsize=8,
        frameon=False,
    )  # fmt: skip
    figure.suptitle(title, fontsize=11)
    with whole(path) as beside:
        figure.savefig(beside, dpi=120)


def _points(axes, layers, x, y):
    """Draw a point for each operation, by kind; x and y are functions of it."""
    for kind in kinds.KINDS:
        of = [layer for layer in layers if layer.kind == kind]
        if of:
            axes.scatter(
                [x(k) for k in of], [y(k) for k in of], s=70 if kind == kinds.STEM else 26,
                marker=MARKERS[kind], color=COLOURS[kind], edgecolor="black", linewidth=0.4,
                label=kind, zorder=3,
            )  # fmt: skip


def _roofline(axes, found, ceilings):
    layers = [layer for layer in found.layers if layer.macs]
    peak = ceilings.macs_per_s / 1e9
    _points(axes, layers, lambda k: k.intensity, lambda k: k.macs / k.measured / 1e9)
    x = np.geomspace(0.1, 200, 200)
    for level, line in zip(ceilings.levels, LINES, strict=False):
        rate = level.bytes_per_s / 1e9
        y = np.minimum(peak, rate * x)
        axes.plot(x, y, line, color="black", lw=1, label=f"{level.name}: {rate:.0f} GB/s")
    axes.axhline(peak, color="black", lw=1.4)
    axes.annotate(
        f"matrix product: {peak:.0f} G multiply-adds/s", (200, peak), xytext=(-4, 4),
        textcoords="offset points", fontsize=8, ha="right",
    )  # fmt: skip
    slowest = min(k.macs / k.measured / 1e9 for k in layers) if layers else peak / 100
    axes.set(xscale="log", yscale="log", xlim=(0.1, 200), ylim=(slowest / 2, peak * 1.8))
    axes.set_xlabel("multiply-adds per byte that must be moved")
    axes.set_ylabel("multiply-adds per second (billions)")
    _open(axes)


def _moving(axes, found, ceilings):
    """Draw the bytes per second of what multiplies nothing, and has no place on a roofline."""
    layers = [layer for layer in found.layers if not layer.macs]
    _points(axes, layers, lambda k: k.bytes / 1e6, lambda k: k.bytes / k.measured / 1e9)
    for level, line in zip(ceilings.levels, LINES, strict=False):
        axes.axhline(level.bytes_per_s / 1e9, ls=line, color="black", lw=1)
    fastest = max(level.bytes_per_s for level in ceilings.levels) / 1e9
    axes.set(xscale="log", yscale="log")
    axes.set_ylim(top=1.8 * fastest)
    if layers:  # whole powers of ten, so that there are at least two labels
        sizes = np.log10([k.bytes / 1e6 for k in layers])
        axes.set_xlim(10 ** np.floor(sizes.min()), 10 ** np.floor(sizes.max() + 1))
    axes.xaxis.set_minor_formatter("")
    axes.set_xlabel("bytes that must be moved (MB)")
    axes.set_ylabel("bytes per second (GB/s)")
    axes.set_title("without multiply-adds", fontsize=10, loc="left")
    _open(axes)


def _against(axes, found):
    _points(axes, found.layers, lambda k: 1e3 * k.predicted, lambda k: 1e3 * k.measured)
    times = [1e3 * t for k in found.layers for t in (k.predicted, k.measured)]
    ends = min(times) / 1.5, max(times) * 1.5
    for factor, line, label in ((1, "-", "as predicted"), (10, ":", "10 times as long")):
        axes.plot(ends, [factor * end for end in ends], line, color="black", lw=1, label=label)
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    axes.set_xlabel("predicted (ms)")
    axes.set_ylabel("measured (ms)")
    axes.set_title("each operation", fontsize=10, loc="left")
    _open(axes)


def _parts(axes, found):
    """Draw a bar for each kind; where parts overlap, the rest is negative, and not drawn."""
    groups = found.by_kind()
    for place, group in enumerate(groups):
        left = 0.0
        for part in PARTS:
            left += _bar(axes, place, 1e3 * max(0.0, getattr(group, part)), left, part)
        axes.annotate(
            f"{group.measured / group.predicted:.1f} ×", (left, place), xytext=(4, 0),
            textcoords="offset points", va="center", fontsize=8,
        )  # fmt: skip
    _bar(axes, len(groups), 1e3 * max(0.0, found.between), 0.0, "between")
    names = [f"{group.kind} ({group.count})" for group in groups]
    axes.set_yticks(range(len(groups) + 1), [*names, "between"])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlim(left=0)
    axes.set_xlabel("measured (ms); beside it, as a multiple of what was predicted")
    _open(axes)


def _bar(axes, place, width, left, part):
    """Draw a piece of a bar; return its width."""
    label, colour, hatch = PART_LOOKS[part]
    axes.barh(
        place, width, left=left, height=0.7, color=colour, hatch=hatch, edgecolor="black",
        linewidth=0.4, label=label,
    )  # fmt: skip
    return width


def _open(axes):
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
