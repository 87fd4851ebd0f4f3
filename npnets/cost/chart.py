"""A summary as a picture: each layer along the network, and each kind."""

from npnets.cost import kinds
from npnets.cost.table import shape
from npnets.extras import require
from npnets.files import whole

COLOURS = {
    kinds.STEM: "#7b2d26",
    kinds.CONVOLUTION: "#000000",
    kinds.POINTWISE: "#1f3b57",
    kinds.GROUPED_POINTWISE: "#5b84ad",
    kinds.DEPTHWISE: "#b5651d",
    kinds.FULLY_CONNECTED: "#6b7f5a",
    kinds.BATCH_NORM: "#d9b38c",
    kinds.ACTIVATION: "#f0dcc0",
    kinds.ADD: "#8a6d3b",
    kinds.CONCAT: "#9a9a9a",
    kinds.SPLIT: "#b8b8b8",
    kinds.SHUFFLE: "#6e6e6e",
    kinds.POOL: "#c3d0db",
    kinds.OTHER: "#e0e0e0",
}
SHARES = (
    ("share_of_params", "parameters", "#b8b8b8"),
    ("share_of_macs", "multiply-adds", "#1f3b57"),
    ("share_of_elements", "elements moved", "#b5651d"),
)


def draw(summary, path):
    """Draw a Summary, as a PNG or SVG at `path`."""
    require("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 6.4), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplot_mosaic([["macs", "kinds"], ["elements", "kinds"]], width_ratios=(2, 1))
    _layers(panels["macs"], summary, "macs", "multiply-adds (millions)")
    _layers(panels["elements"], summary, "elements", "elements moved (millions)")
    panels["macs"].tick_params(labelbottom=False)
    _legend(panels["macs"], summary)
    _kinds(panels["kinds"], summary.by_kind())
    figure.suptitle(
        f"{summary.title}, one image of {shape(summary.input_shape)}: "
        f"{summary.macs / 1e6:.1f} M multiply-adds, {summary.elements / 1e6:.1f} M elements "
        f"moved, {summary.params / 1e6:.2f} M parameters",
        fontsize=11,
    )
    with whole(path) as beside:
        figure.savefig(beside, dpi=130)


def _layers(axes, summary, count, label):
    """Draw a bar for each row, in the order of the forward pass."""
    heights = [getattr(row, count) / 1e6 for row in summary]
    colours = [COLOURS[row.kind] for row in summary]
    axes.bar(
        range(len(heights)), heights, width=1, color=colours, edgecolor="black", linewidth=0.25
    )
    starts, last = {}, None
    for k, row in enumerate(summary):
        part = row.name.partition(".")[0]
        if part != last:
            if starts and k - max(starts) < len(heights) / 60:  # the labels would overlap
                del starts[max(starts)]
            starts[k] = last = part
    axes.set_xticks([k - 0.5 for k in starts], starts.values(), rotation=90, fontsize=7)
    axes.set_xlim(-0.5, len(heights) - 0.5)
    axes.set_ylabel(label)
    axes.grid(axis="x", alpha=0.25)
    _open(axes)


def _legend(axes, summary):
    from matplotlib.patches import Patch

    there = [share.kind for share in summary.by_kind()]
    handles = [Patch(facecolor=COLOURS[k], edgecolor="black", linewidth=0.4) for k in there]
    axes.legend(
        handles, there, fontsize=7, ncols=6, frameon=False, loc="lower left",
        bbox_to_anchor=(0, 1), borderaxespad=0,
    )  # fmt: skip


def _kinds(axes, shares):
    """Draw three bars for each kind: its shares of the network."""
    for k, (name, label, colour) in enumerate(SHARES):
        values = [100 * getattr(share, name) for share in shares]
        places = [place + 0.27 * (k - 1) for place in range(len(shares))]
        bars = axes.barh(places, values, height=0.27, color=colour, label=label)
        axes.bar_label(bars, [f"{v:.1f}" if v else "" for v in values], fontsize=7, padding=2)
    axes.set_yticks(range(len(shares)), [share.kind for share in shares])
    axes.invert_yaxis()
    axes.set_xlim(0, 108)
    axes.set_xlabel("share of the network (%)")
    axes.legend(frameon=False, loc="lower right", fontsize=8)
    _open(axes)


def _open(axes):
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
