"""The command `npnets tutorials`."""

from npnets.tutorials import chapters, execute


def add_options(parser):
    """Add the actions of `npnets tutorials` to its parser."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    _add_run(actions)


def _add_run(actions):
    help = "for authors: run chapters, and write their notebooks from tutorials/py"
    add = actions.add_parser("run", help=help, description=help).add_argument
    add("chapters", nargs="*", metavar="CHAPTER", help="1, 01, 01_sliding_windows; default: all")
    add("--quick", action="store_true", help="a trial in the quick mode; nothing is written")
    add("--text", action="store_true", help="only the text has changed: keep the outputs")
    add("--check", action="store_true", help="run nothing; say what is not as it should be")


def command(args):
    """Do what was asked; without an action, list the chapters."""
    return ACTIONS[args.action](args)


def run(args):
    """Run chapters, or check them."""
    act = check if args.check else text if args.text else trial if args.quick else full
    wanted = chapters.select(chapters.find(), args.chapters)
    return max([act(chapter) or 0 for chapter in wanted], default=0)


def full(chapter):
    """Run a chapter and write its notebook."""
    made = execute.execute(execute.from_text(chapter.source))
    chapters.write(made, chapter.notebook)
    print(f"{chapter.name}: {made['metadata']['npnets']['seconds']} s", flush=True)


def trial(chapter):
    """Run a chapter in the quick mode, and write nothing."""
    made = execute.execute(execute.from_text(chapter.source), quick=True, timeout=60)
    print(f"{chapter.name}: {made['metadata']['npnets']['seconds']} s, quick", flush=True)


def text(chapter):
    """Write the notebook with the text as it is now, and the outputs as they were."""
    made = execute.with_outputs_of(execute.from_text(chapter.source), chapter.read())
    chapters.write(made, chapter.notebook)
    print(f"{chapter.name}: the outputs are kept", flush=True)


def check(chapter):
    """Print what is wrong with a chapter; return 1 where something is."""
    found = execute.differences(chapter)
    print(f"{chapter.name}: " + ("; ".join(found) or "as it should be"), flush=True)
    return 1 if found else 0


ACTIONS = {"run": run}
