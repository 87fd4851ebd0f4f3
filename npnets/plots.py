"""Pictures, drawn with matplotlib from the numbers of a run; they read in grey, too."""

from npnets.extras import require
from npnets.files import whole

INK, PAPER = "#1f3b57", "#b5651d"


def learning_curve(history, path, title):
    """Draw loss and accuracy over the epochs of a run's history, as a PNG or SVG at `path`."""
    require("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    losses, accuracies = figure.subplots(1, 2)
    _pair(losses, history, "loss", 1, "loss (nats)")
    _pair(accuracies, history, "accuracy", 100, "accuracy (%)")
    losses.set_ylim(bottom=0)
    accuracies.set_ylim(top=100)
    figure.suptitle(title, fontsize=11)
    with whole(path) as beside:
        figure.savefig(beside, dpi=150)


def _pair(axes, history, field, unit, label):
    """Draw a field while training, dashed, and on the test images, solid."""
    numbers = [epoch.number for epoch in history]
    series = (("training", field, "--", PAPER, "o"), ("test", f"test_{field}", "-", INK, "s"))
    for name, attribute, line, colour, marker in series:
        values = [getattr(epoch, attribute) for epoch in history]
        if None not in values:
            scaled = [unit * value for value in values]
            axes.plot(numbers, scaled, line, color=colour, marker=marker, ms=3, label=name)
    axes.set_xlabel("epoch")
    axes.set_ylabel(label)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
