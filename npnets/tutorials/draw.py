"""Drawing for the chapters: arrays as squares with numbers, bars, curves, and words for each.

    figure, axes = draw.figure(columns=2)
    draw.squares(axes[0], x, title="x")
    draw.outline(axes[0], row=0, column=1, rows=3, columns=3)
    draw.picture(figure, alt="A 5 × 5 array; the window lies over rows 0 to 2 ...")

A figure becomes a picture only with axes that say what they show and a text that says it to
those who cannot see it. All styles are in style.mplstyle, beside this file.
"""

import io
from base64 import b64encode
from html import escape
from pathlib import Path

import numpy as np

from npnets.bench import report
from npnets.extras import require
from npnets.ops.window import output_size
from npnets.plots import INK, PAPER

SHADES = INK, PAPER, "#a9c1d9", "#e3c9a8", "#6b7f5a", "#d9d9d9"
HATCHES = "", "///", "...", "xx", "\\\\\\", "ooo"
STYLE = Path(__file__).with_name("style.mplstyle")


class Picture:
    """A PNG and its alternative text, as a page shows them.

    It is shown as an <img> of HTML and not as a bare image: of a bare one, Jupyter and its slides
    would leave the alternative text out.
    """

    def __init__(self, png, alt, width):
        self.png, self.alt, self.width = png, alt, width

    def _repr_html_(self):
        data, alt = b64encode(self.png).decode(), escape(self.alt)
        return f'<img src="data:image/png;base64,{data}" alt="{alt}" width="{self.width}">'

    def __repr__(self):
        return self.alt


def figure(width=7, height=2.6, rows=1, columns=1, **options):
    """Return (figure, axes) in the style of the chapters; axes are an array if there are several.

    width and height are in inches; options are those of matplotlib's `Figure.subplots`.
    """
    require("matplotlib", "tutorials")
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    style.use(STYLE)
    made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(made)
    return made, made.subplots(rows, columns, **options)


def picture(figure, alt, dpi=110):
    """Return the figure as a Picture, with `alt` for those who cannot see it.

    Raises ValueError where alt is no sentence, or where axes do not say what they show.
    """
    if len(alt.split()) < 5:
        raise ValueError(f"alt must say in words what the picture shows, got {alt!r}")
    for axes in figure.axes:
        labels = axes.get_xlabel(), axes.get_ylabel()
        enough = any if axes.get_label() == "<colorbar>" else all
        if axes.axison and not enough(labels):
            raise ValueError(f"axes {axes.get_title()!r} need a label on each axis, got {labels}")
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=dpi, metadata={"Software": None})
    return Picture(png.getvalue(), alt, round(figure.get_figwidth() * 100))


def squares(axes, array, title="", form="g", shade=None, limits=None):
    """Draw a 1-D or 2-D array as squares with their numbers, row 0 on top.

    form is a format such as ".1f"; None writes no numbers. shade says how dark each square is,
    from 0 to 1, an array of the same shape; left out, it follows the absolute values, up to
    `limits`. NaN stays an empty square with a dotted edge: a place where there is no pixel.
    """
    array = np.atleast_2d(np.asarray(array, float))
    if shade is None:
        largest = limits or np.nanmax(np.abs(array), initial=0) or 1
        shade = 0.55 * np.abs(array) / largest
    shade = np.nan_to_num(np.broadcast_to(shade, array.shape))
    for (row, column), value in np.ndenumerate(array):
        _square(axes, row, column, value, shade[row, column], form)
    rows, columns = array.shape
    axes.set(xlim=(-0.6, columns - 0.4), ylim=(rows - 0.4, -0.6), aspect="equal", title=title)
    axes.axis("off")


def coverage(axes, H, K, stride=1, padding=0, dilation=1):
    """Draw a padded row of H pixels, darker where more windows of K see a pixel, and how many.

    Padding is dotted. The arguments are those of a convolution, in pixels.
    """
    count = output_size(H, K, stride, padding, padding, dilation)
    seen = np.zeros(H + 2 * padding, int)
    for i in range(K):
        seen[dilation * i + stride * np.arange(count)] += 1
    row = np.pad(np.arange(H, dtype=float), padding, constant_values=np.nan)
    title = f"H {H}, stride {stride}, padding {padding}, dilation {dilation}\n{count} windows"
    squares(axes, row, title, shade=0.18 * seen)
    axes.set_ylim(1.6, -0.6)
    for column, number in enumerate(seen):
        axes.text(column, 1, f"{number}", ha="center", va="center", fontsize=8, color=PAPER)
    axes.text(-0.9, 1, "seen by", ha="right", va="center", fontsize=8, color=PAPER)


def _square(axes, row, column, value, dark, form):
    """Draw one number in its square; the digits are white where the square is dark."""
    from matplotlib.patches import Rectangle

    empty = np.isnan(value)
    look = {"facecolor": "white", "edgecolor": "#999999", "linestyle": ":" if empty else "-"}
    if not empty:
        look["facecolor"] = _mixed(dark)
    axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, linewidth=0.7, **look))
    if form is not None:
        text = "0" if empty else format(value, form)
        colour = "#999999" if empty else "white" if dark > 0.6 else "black"
        axes.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)


def _mixed(dark):
    """Return a colour between white (0) and INK (1)."""
    ink = np.array([int(INK[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return tuple(1 - dark * (1 - ink))


def outline(axes, row, column, rows=1, columns=1, color=PAPER, **options):
    """Draw a thick frame around the squares from (row, column) on."""
    from matplotlib.patches import Rectangle

    corner = column - 0.5, row - 0.5
    options = {"linewidth": 2.2, "edgecolor": color, "fill": False, "zorder": 3, **options}
    axes.add_patch(Rectangle(corner, columns, rows, **options))


def bars(axes, names, values, form=".3g", shades=None, horizontal=False):
    """Draw a bar for each name with its number at the end. Label the axes yourself.

    shades picks the shade and hatch of each bar, by index; left out, all are alike.
    """
    at = np.arange(len(names))
    shades = [0] * len(names) if shades is None else shades
    bar, ticks = (axes.barh, axes.set_yticks) if horizontal else (axes.bar, axes.set_xticks)
    drawn = bar(
        at, values, 0.7, color=[SHADES[k] for k in shades],
        hatch=[HATCHES[k] for k in shades], edgecolor="black", linewidth=0.6,
    )  # fmt: skip
    axes.bar_label(drawn, [format(value, form) for value in values], padding=2, fontsize=8)
    ticks(at, names)
    axes.grid(axis="y" if horizontal else "x", visible=False)
    if horizontal:
        axes.invert_yaxis()
    axes.margins(**{"x" if horizontal else "y": 0.15})


def heat(axes, array, labels, form=None, scale=None, limits=None):
    """Draw a 2-D array as shades of grey, dark for large.

    labels are those of the x axis and of the y axis. What a shade means is said by the numbers
    where form is a format, and by a scale where `scale` is its label. limits are the values that
    are white and black; left out, the smallest and the largest.
    """
    low, high = (np.min(array), np.max(array)) if limits is None else limits
    image = axes.imshow(array, cmap="Greys", vmin=low, vmax=high, interpolation="nearest")
    if form is not None:
        for (row, column), value in np.ndenumerate(array):
            colour = "white" if value > (low + high) / 2 else "black"
            text = format(value, form)
            axes.text(column, row, text, ha="center", va="center", fontsize=7.5, color=colour)
    axes.set(xlabel=labels[0], ylabel=labels[1])
    axes.grid(visible=False)
    if scale is not None:
        axes.figure.colorbar(image, ax=axes, label=scale)


def table(columns):
    """Return {heading: cells} as aligned text, the first column to the left."""
    return "\n".join(report.table({head: [*map(str, cells)] for head, cells in columns.items()}))


def tinted(axes, array, tint, title="", form="g", rows=(), columns=()):
    """Draw a 2-D array as squares whose colour is said by `tint`, so that it goes along with them.

    tint is an array of the same shape, from 0, light, to 1, dark: a number that is copied to
    another array keeps its colour if its tint is copied, too. Below 0, or NaN, it is an empty
    square with a dotted edge. rows and columns are words to the left of each row and above each
    column.
    """
    from matplotlib import colormaps
    from matplotlib.patches import Rectangle

    array, tint = np.atleast_2d(array), np.atleast_2d(tint)
    for (row, column), value in np.ndenumerate(array):
        dark = tint[row, column]
        empty = not dark >= 0  # NaN is neither
        face = "white" if empty else colormaps["YlGnBu"](0.05 + 0.75 * dark)
        look = {"edgecolor": "#777777", "linestyle": ":" if empty else "-", "linewidth": 0.7}
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=face, **look))
        ink = "#999999" if empty else "white" if dark > 0.55 else "black"
        axes.text(column, row, format(value, form), ha="center", va="center", color=ink)
    for row, word in enumerate(rows):
        axes.text(-0.7, row, word, ha="right", va="center", fontsize=8)
    for column, word in enumerate(columns):
        axes.text(column, -0.6, word, ha="center", va="bottom", fontsize=8)
    height, width = array.shape
    left, top = (1.6 if len(rows) else 0), (0.7 if len(columns) else 0)
    axes.set(xlim=(-0.6 - left, width - 0.4), ylim=(height - 0.4, -0.6 - top), aspect="equal")
    axes.set_title(title)
    axes.axis("off")
