"""The command `npnets bench`."""

from itertools import groupby
from pathlib import Path

from npnets.bench import chart, files, machine, peers, report, turns, workloads
from npnets.extras import require

LEGEND = """\
npnets ÷, folded ÷: the median of npnets, of npnets-folded, over the peer's; below 1 we are faster.
limit: the share of the matrix product that NumPy reaches on this machine (P), or of its memory
bandwidth (B) where that is nearer. A training step counts as three forward passes.
-tuned: with glibc set to keep the memory that is freed. quartiles: half of all runs lie between.
before, peak: memory before the first run, and at most. first: the first run, with compiling."""


def add_options(parser):
    """Add the options of `npnets bench` to its parser."""
    add = parser.add_argument
    add("models", nargs="*", metavar="MODEL", help="default: all four networks, at 1x")
    add("--against", default=peers.AGAINST, metavar="LIST",
        help=f"{peers.AGAINST} (default); or none")  # fmt: skip
    add("--workloads", default=workloads.WORKLOADS, metavar="LIST",
        help="step,forward (default), ops; finer: step:16, forward:1, ops:depthwise")  # fmt: skip
    add("--small-images", action="store_true", help="128 images of 32 × 32, not 32 of 224 × 224")
    add("--batch", type=int, help="images in a batch; forward runs one image, too")
    add("--size", type=int, help="height and width of the images, in pixels")
    add("--threads", type=int, default=machine.usable_cores(), help="default: one for each core")
    add("--seconds", type=float, default=120, help="to measure each network (default: 120)")
    add("--out", default="bench", help="folder for results and charts (default: bench)")


def bench(args):
    """Time npnets and its peers; print tables, and leave numbers and charts in a folder."""
    if args.threads < 1 or not args.seconds > 0:
        raise ValueError("--threads must be at least 1, and --seconds positive")
    options = {"batch": args.batch, "size": args.size, "small_images": args.small_images}
    wanted = workloads.parse(args.workloads, args.models or workloads.MODELS, **options)
    names = peers.select(args.against)
    require("matplotlib", "bench")
    folder = Path(args.out)
    folder.mkdir(parents=True, exist_ok=True)
    about = machine.describe(args.threads)
    limits = turns.limits(args.threads)
    print(report.about(about, limits) + "\n", flush=True)
    measured, turn = [], turns.measure(wanted, names, args.threads, args.seconds)
    for workload, found in turn:
        rows = report.rows(workload, found, args.threads, limits[args.threads])
        measured.append((rows, found))
        _show(workload, rows)
        files.write_json(folder / "results.json", about, limits, measured)
        files.write_csv(folder / "results.csv", measured)
    _finish([rows for rows, _ in measured], about, folder)


def _show(workload, rows):
    """Print the table of a network's workload; of an op, that it is done."""
    if workload.kind == "op":
        print(f"{workload.name}: {report.ms(rows[0].median_ms)} ms", flush=True)
    else:
        print(report.network_table(rows) + "\n", flush=True)


def _finish(measured, about, folder):
    """Print the table of the ops, draw the charts, and say where all is."""
    title = f"{about['cpu']}, {about['threads']} threads"
    nets = [rows for rows in measured if rows[0].kind != "op"]
    ops = [rows for rows in measured if rows[0].kind == "op"]
    if ops:
        print("\n" + report.ops_table(ops) + "\n")
    made = ["results.json", "results.csv"]
    for name, part in (("networks.png", nets), ("ops.png", ops)):
        if part:
            grid = [list(g) for _, g in groupby(part, key=lambda rows: rows[0].group)]
            chart.draw(grid, folder / name, title)
            made.append(name)
    print(LEGEND)
    print(f"{folder}: {', '.join(made)}")
