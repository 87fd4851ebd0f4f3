"""The times as horizontal bars, one panel for each workload."""

from npnets.bench.report import ms
from npnets.extras import require
from npnets.files import whole

COLOURS = {
    "npnets": "#1f3b57",
    "npnets-folded": "#5b84ad",
    "torch": "#b5651d",
    "torch-channels-last": "#d99a5b",
    "torch-folded": "#8a6d3b",
    "onnxruntime": "#6b7f5a",
}
TUNED_HATCH = "////"


def draw(grid, path, title):
    """Draw lists of workloads, each a list of rows, as a PNG at `path`: a row for each list."""
    require("matplotlib", "bench")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = max(map(len, grid))
    places = [max(len(rows) for rows in line) for line in grid]
    heights = [count + 2.6 for count in places]
    size = (max(8.0, 5.2 * columns), 0.27 * sum(heights) + 0.8)
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(grid), columns, squeeze=False, height_ratios=heights)
    for line, axes, count in zip(grid, panels, places, strict=True):
        for k, axis in enumerate(axes):
            if k < len(line):
                _panel(axis, line[k])
                axis.set_ylim(count - 0.5, -0.6)
            else:
                axis.set_visible(False)
    figure.suptitle(f"{title}: median milliseconds, shorter is better", fontsize=11)
    with whole(path) as beside:
        figure.savefig(beside, dpi=130)


def _panel(axis, rows):
    """Draw the median of each peer, and a thin line from quartile to quartile."""
    for place, row in enumerate(rows):
        base = row.peer.removesuffix("-tuned")
        axis.barh(
            place, row.median_ms, height=0.72, color=COLOURS[base], edgecolor="white",
            linewidth=0, hatch=TUNED_HATCH if base != row.peer else None,
        )  # fmt: skip
        axis.plot([row.q1_ms, row.q3_ms], [place, place], color="black", linewidth=1.2)
        axis.annotate(
            ms(row.median_ms), (max(row.median_ms, row.q3_ms), place), xytext=(4, 0),
            textcoords="offset points", va="center", fontsize=8,
        )  # fmt: skip
    axis.set_yticks(range(len(rows)), [row.peer for row in rows], fontsize=8)
    axis.set_xlim(0, 1.15 * max(max(row.median_ms, row.q3_ms) for row in rows))
    axis.set_xticks([])
    axis.tick_params(length=0)
    axis.set_title(f"{rows[0].group}\n{rows[0].title}", fontsize=9, loc="left")
    for side in ("top", "right", "bottom"):
        axis.spines[side].set_visible(False)
