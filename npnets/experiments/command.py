"""The command `npnets experiment`."""

from npnets import experiments


def add_options(parser):
    """Add the options of `npnets experiment` to its parser."""
    add = parser.add_argument
    add("name", nargs="?", metavar="NAME", help="an experiment, or all; without: list them")
    add("--seconds", type=float, default=30.0, help="to measure for, about (default: 30)")
    add("--seed", type=int, default=0, help="of numbers and orders that are drawn (default: 0)")
    add("--out", default="experiments", metavar="DIR",
        help="folder for numbers and picture (default: experiments)")  # fmt: skip


def command(args):
    """List the experiments; or run one, or all, print what was found, and leave it in a folder."""
    if args.name is None:
        for name in experiments.NAMES:
            print(f"{name:<12}{experiments.headline(name)}")
        return
    if not 0 < args.seconds < float("inf"):
        raise ValueError(f"--seconds must be above 0, and finite, got {args.seconds}")
    names = experiments.NAMES if args.name == "all" else [args.name]
    modules = [experiments.load(name) for name in names]
    for module in modules:
        result = module.run(seconds=args.seconds, rng=args.seed)
        print(result, flush=True)
        try:
            paths = result.save(args.out)
            print(f"\n{args.out}: {', '.join(path.name for path in paths)}\n", flush=True)
        except ImportError as error:
            print(f"\n{args.out}: the numbers, without a picture: {error}\n", flush=True)
