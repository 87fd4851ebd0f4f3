"""The command `npnets roofline`."""

from pathlib import Path

import numpy as np

from npnets.bench import timing
from npnets.bench.machine import usable_cores
from npnets.nets import create_model
from npnets.ops import check, use_threads
from npnets.roofline import ceilings, chart, report
from npnets.roofline.measure import measure


def add_options(parser):
    """Add the options of `npnets roofline` to its parser."""
    add = parser.add_argument
    add("model", help="a name that `npnets list` shows")
    add("--size", type=int, default=224, help="height and width of the images (default: 224)")
    add("--batch", type=int, default=1, help="images at once (default: 1)")
    add("--threads", type=int, default=usable_cores(), help="default: one for each core")
    add("--seconds", type=float, default=10, help="to measure each of two passes (default: 10)")
    add("--out", default="roofline", metavar="DIR",
        help="folder for numbers and pictures (default: roofline)")  # fmt: skip


def command(args):
    """Measure the machine, and a network as it is and folded; print it all, and keep it."""
    check.at_least(1, **{"--size": args.size, "--batch": args.batch, "--threads": args.threads})
    if not 0 < args.seconds < float("inf"):
        raise ValueError(f"--seconds must be above 0, and finite, got {args.seconds}")
    net = create_model(args.model, rng=0).eval()
    shape = args.batch, 3, args.size, args.size
    x = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    with use_threads(args.threads):
        about = {"machine": timing.describe(), "model": args.model, "images": shape}
        print(timing.machine_line(about["machine"]), flush=True)
        found = ceilings.measure(args.threads)
        print(report.ceilings_text(found) + "\n", flush=True)
        passes = []
        for title, variant in (("as it is", net), ("folded", net.fold())):
            title = f"{args.model}, {title}, {args.batch} × {args.size} × {args.size}"
            passes.append(measure(variant, x, found, args.seconds, title))
            print(report.pass_text(passes[-1]) + "\n", flush=True)
    print(report.LEGEND)
    _save(Path(args.out), args.model, about, found, passes)


def _save(folder, model, about, found, passes):
    """Leave the numbers and, where matplotlib is installed, the pictures; say where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    report.write_json(folder / f"{model}.json", about, found, passes)
    made, title = [f"{model}.json"], timing.machine_line(about["machine"])
    try:
        chart.draw_roofline(passes, found, folder / f"{model}-roofline.png", title)
        chart.draw_times(passes, folder / f"{model}-times.png", title)
        made += [f"{model}-roofline.png", f"{model}-times.png"]
    except ImportError as error:
        print(f"without pictures: {error}")
    print(f"{folder}: {', '.join(made)}")
