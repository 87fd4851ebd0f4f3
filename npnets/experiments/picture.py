"""How the experiments draw: bars with quartiles, points with names; they read in grey, too."""

import numpy as np

from npnets.plots import INK, PAPER

SHADES = INK, "#5b84ad", "#a9c1d9", "#6b7f5a", "#8a6d3b", "#d99a5b"
HATCHES = "", "//", "", "..", "\\\\", "xx"
FAMILIES = {
    "mobilenet_v1": ("MobileNet v1", SHADES[0], "o"),
    "mobilenet_v2": ("MobileNet v2", SHADES[1], "s"),
    "shufflenet_v1": ("ShuffleNet v1", PAPER, "^"),
    "shufflenet_v2": ("ShuffleNet v2", SHADES[3], "D"),
}


def bars(axes, places, series, paper=None):
    """Draw groups of bars: `series` is {label: Ratios, one per place}, with their quartiles.

    `paper` is (label, numbers), drawn as a short line across each group; None leaves a gap.
    """
    width = 0.8 / len(series)
    for k, (label, ratios) in enumerate(series.items()):
        at = np.arange(len(ratios)) - 0.4 + width * (k + 0.5)
        medians = [ratio.median for ratio in ratios]
        below = [ratio.median - ratio.q1 for ratio in ratios]
        above = [ratio.q3 - ratio.median for ratio in ratios]
        axes.bar(
            at, medians, 0.92 * width, label=label, color=SHADES[k], hatch=HATCHES[k],
            edgecolor="white", linewidth=0, yerr=[below, above], error_kw={"linewidth": 0.9},
        )  # fmt: skip
    if paper is not None:
        label, numbers = paper
        known = [k for k, number in enumerate(numbers) if number is not None]
        axes.hlines(
            [numbers[k] for k in known], np.subtract(known, 0.44), np.add(known, 0.44),
            color=PAPER, linewidth=2, label=label,
        )  # fmt: skip
    axes.set_xticks(range(len(places)), places)
    axes.set_ylim(bottom=0)
    plain(axes)


def plain(axes, grid="y"):
    """Leave out what says nothing: the upper and the right side; a light grid behind."""
    axes.grid(axis=grid, alpha=0.3)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def legend(figure, columns=5):
    """Add one legend below all panels, without a frame."""
    found = [axes.get_legend_handles_labels() for axes in figure.axes]
    handles = {label: h for hs, labels in found for h, label in zip(hs, labels, strict=True)}
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=columns, fontsize=8,
        frameon=False,
    )  # fmt: skip


def logarithmic(axes, side, ticks):
    """Make the side "x" or "y" logarithmic, with these ticks, written as they are."""
    axes.set(**{f"{side}scale": "log"})
    axis = axes.xaxis if side == "x" else axes.yaxis
    axis.set_ticks(ticks, list(map(str, ticks)))
    axis.set_ticks([], minor=True)
