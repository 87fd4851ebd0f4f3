"""What in a photo a network goes by: how far its answer falls where a patch hides a part of it.

Source: Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks",
arXiv:1311.2901, section 4.2.
"""

import textwrap
from dataclasses import dataclass

import numpy as np

from npnets.extras import require
from npnets.files import whole
from npnets.ops import check, softmax

BATCH = 32
INK = "#1f3b57"


@dataclass(frozen=True)
class Occlusion:
    """How much less probable a class is with a patch over the photo.

    `drops` is (rows, columns): `probability`, that of the whole photo, less that with the centre
    of the patch in a cell of `stride` × `stride` pixels; below 0 where what is hidden misled.
    `patch` is the side of the patch in pixels; at the border of the photo less of it is inside.
    """

    label: int
    probability: float
    drops: np.ndarray
    patch: int
    stride: int

    @property
    def centre(self):
        """(y, x), in pixels, of the centre of the patch that costs the most."""
        row, column = np.unravel_index(np.argmax(self.drops), self.drops.shape)
        return self.stride * (row + 0.5), self.stride * (column + 0.5)


def occlude(net, x, grey=0.0, *, patch=None, stride=None, progress=False):
    """Return the Occlusion of the most probable class.

    x is what the network sees of one photo, (1, C, H, W), and `grey` what it sees of a grey
    pixel: a number, or (C, 1, 1). Where nothing else is said, the patch is a quarter of the
    shorter side and moves by a quarter of itself: so it takes 256 images. Raises ValueError where
    x is not one photo.
    """
    N, C, H, W = check.images(x)
    if N != 1:
        raise ValueError(f"x must be one photo, (1, C, H, W), got {x.shape}")
    if patch is None:
        patch = max(1, min(H, W) // 4)
        patch += (patch - max(1, patch // 4)) % 2  # so that it lies evenly around its cell
    stride = max(1, patch // 4) if stride is None else stride
    check.at_least(1, patch=patch, stride=stride)
    folded = net if net.is_folded else net.fold()
    probabilities = softmax(folded.forward(x))[0]
    label = int(np.argmax(probabilities))
    rows, columns = max(1, H // stride), max(1, W // stride)
    drops = np.empty(rows * columns)
    for start in _steps(range(0, len(drops), BATCH), progress):
        places = range(start, min(start + BATCH, len(drops)))
        hidden = np.repeat(x, len(places), axis=0)
        for image, place in zip(hidden, places, strict=True):
            y0, x0 = (stride * k - (patch - stride) // 2 for k in divmod(place, columns))
            image[:, max(0, y0) : max(0, y0 + patch), max(0, x0) : max(0, x0 + patch)] = grey
        drops[places.start : places.stop] = softmax(folded.forward(hidden))[:, label]
    drops = probabilities[label] - drops.reshape(rows, columns)
    return Occlusion(label, float(probabilities[label]), drops, patch, stride)


def draw(occlusion, pixels, path, name):
    """Draw the photo, (3, H, W) or (1, H, W) uint8, and the map beside it, as PNG or SVG.

    `name` is that of the class. On both, a line encloses where at least half of the largest drop
    is lost, and a square is the patch that costs the most.
    """
    require("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    photo, map_ = figure.subplots(1, 2, sharex=True, sharey=True)
    _, H, W = pixels.shape
    photo.imshow(np.broadcast_to(pixels, (3, H, W)).transpose(1, 2, 0), extent=(0, W, H, 0))
    bar = figure.colorbar(_map(map_, occlusion), ax=map_, shrink=0.85)
    bar.set_label("drop of the probability (percentage points)")
    for axes, colour in ((photo, "white"), (map_, INK)):
        _mark(axes, occlusion, colour)
        axes.set_xlabel("x (pixels)")
    photo.set_ylabel("y (pixels)")
    photo.set_title("what the network sees", fontsize=10, loc="left")
    photo.set(xlim=(0, W), ylim=(H, 0))  # whose axes the map shares
    figure.legend(handles=_legend(), loc="outside lower center", ncols=2, frameon=False)
    name = textwrap.shorten(name, 80, placeholder=" …")
    figure.suptitle(f"{name}: {occlusion.probability:.1%}", fontsize=11)
    with whole(path) as beside:
        figure.savefig(beside, dpi=150)


def _map(axes, occlusion):
    """Draw the cells; return the image, for a bar of its colours."""
    (rows, columns), stride, side = occlusion.drops.shape, occlusion.stride, occlusion.patch
    cost = f"what a grey patch of {side} × {side} pixels costs, centred there"
    axes.set_title(cost, fontsize=10, loc="left")
    extent = 0, columns * stride, rows * stride, 0
    return axes.imshow(100 * occlusion.drops, cmap="Greys", extent=extent)


def _mark(axes, occlusion, colour):
    """Draw the line around what costs half of the most, and the patch that costs the most."""
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    points = occlusion.drops
    around = [withStroke(linewidth=2.8, foreground="black" if colour == "white" else "white")]
    if points.max() > max(0, points.min()):
        # from the centres of the cells to the border of the photo
        rows, columns = (
            occlusion.stride * np.array([0, *np.arange(0.5, n), n]) for n in points.shape
        )
        level = [points.max() / 2]
        lines = axes.contour(columns, rows, np.pad(points, 1, "edge"), level, colors=colour)
        lines.set(linewidth=1.4, path_effects=around)
    y, x = (place - occlusion.patch / 2 for place in occlusion.centre)
    side = occlusion.patch
    square = Rectangle((x, y), side, side, fill=False, ls="--", ec=colour, lw=1.4)
    square.set_path_effects(around)
    axes.add_patch(square)


def _legend():
    from matplotlib.lines import Line2D

    labels = {"-": "within: at least half of the largest drop", "--": "the patch that costs most"}
    return [Line2D([], [], ls=line, color=INK, label=label) for line, label in labels.items()]


def _steps(steps, progress):
    return require("tqdm").tqdm(steps, leave=False, desc="occlusion") if progress else steps
