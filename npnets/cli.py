"""The command `npnets`: models, training, weights of others, and what measures."""

import argparse
import difflib
import os
import sys

from npnets import commands, warmup
from npnets.bench import command as bench
from npnets.experiments import command as experiment
from npnets.papers import command as papers
from npnets.roofline import command as roofline
from npnets.tutorials import command as tutorials
from npnets.weights import command as weights

# The commands that say their options themselves.
OTHERS = (
    ("predict", weights.predict, weights.add_predict_options,
     "say what a trained model sees in photos"),
    ("compare", weights.compare_, weights.add_compare_options,
     "find the first layer where two models part"),
    ("export", weights.export_, weights.add_export_options,
     "write a trained model for others to read"),
    ("bench", bench.bench, bench.add_options, "time npnets against PyTorch and others"),
    ("experiment", experiment.command, experiment.add_options,
     "measure again what the papers claim"),
    ("roofline", roofline.command, roofline.add_options,
     "predict what a model takes here, and measure it"),
    ("warmup", warmup.command, warmup.add_options, "compile all that the networks run"),
    ("papers", papers.command, papers.add_options, "check what the papers print of cost"),
    ("tutorials", tutorials.command, tutorials.add_options,
     "list, copy and open the chapters to work through"),
)  # fmt: skip

FAILURES = ValueError, TypeError, OSError, ImportError, FloatingPointError


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that suggests the nearest option or command for one it does not know."""

    def error(self, message):
        words = message.replace("'", " ").replace("=", " ").replace(",", " ").split()
        near = []
        if "choice:" in words:
            chosen, *choices = words[words.index("choice:") + 1 :]
            near = difflib.get_close_matches(chosen, choices, n=1)
        elif words[:2] == ["unrecognized", "arguments:"]:
            known = [o for parser in (self, *_parsers_below(self)) for o in parser.option_names()]
            near = difflib.get_close_matches(words[2], known, n=1)
        super().error(message + (f"; did you mean {near[0]}?" if near else ""))

    def option_names(self):
        """Return all options that this parser knows itself, such as --data-dir."""
        return list(self._option_string_actions)


def _parsers_below(parser):
    """Return the parsers of the commands below a parser."""
    below = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    return [command for action in below for command in action.choices.values()]


def main(argv=None):
    """Run the command; return 0, or 1 where it failed, 130 where it was interrupted."""
    args = parse(argv)
    try:
        return args.run(args) or 0
    except BrokenPipeError:  # whoever was reading, such as `head`, has read enough
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for what Python flushes at the end
        return 0
    except FAILURES as error:
        print(f"npnets {args.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"npnets {args.command}: interrupted", file=sys.stderr)
        return 130


def parse(argv):
    """Return the parsed arguments. Images may stand before an option and after it: argparse
    takes those that come first, and leaves the others over."""
    parser = make_parser()
    args, rest = parser.parse_known_args(argv)
    if rest and ("images" not in args or any(word.startswith("-") for word in rest)):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        args.images += rest
    return args


def make_parser():
    """Return the parser of all commands."""
    parser = Parser(prog="npnets", description="MobileNet and ShuffleNet in NumPy and Numba.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, run, help):
        added = subparsers.add_parser(name, help=help, description=help, allow_abbrev=False)
        added.set_defaults(run=run)
        return added

    command("list", commands.list_, "list all models with their parameters and multiply-adds")
    summary = command("summary", commands.summary, "show the layers of a model and their cost")
    check = command("check", commands.check, "check all gradients of a model")
    _add_model(summary)
    summary.add_argument("--size", type=int, help="height and width of the images, in pixels")
    _add_model(check)
    check.add_argument("--seed", type=int, default=0, help="of the weights and directions")
    _add_train(command("train", commands.train_, "train a model, or go on with a run"))
    evaluate = command(
        "evaluate", commands.evaluate_, "measure a trained model on its test images"
    )
    evaluate.add_argument("checkpoint", help="a checkpoint.npz, or the folder of a run")
    evaluate.add_argument("--data-dir", help="where the images are; default: as in the run")
    for name, run, add_options, help in OTHERS:
        add_options(command(name, run, help))
    return parser


def _add_model(parser):
    parser.add_argument("model", help="a name that `npnets list` shows")
    parser.add_argument("--classes", type=int, default=1000, help="default: 1000")
    parser.add_argument("--channels", type=int, default=3, help="default: 3")
    parser.add_argument("--small-images", action="store_true", help="a stem for 32 × 32 images")


def _add_train(parser):
    """Options of `train`. Those without a default take it from commands.DEFAULTS of the data."""
    add = parser.add_argument
    add("--model", default=commands.MODEL, help=f"default: {commands.MODEL}")
    add("--data", default="digits", help="digits (default), cifar10, fashion_mnist or folder")
    add("--data-dir", help="read the images from here and download nothing")
    add("--out", help="folder for the run; default: a new one below runs/")
    add("--resume", metavar="RUN", help="go on with the run in this folder; others are ignored")
    add("--epochs", type=int)
    add("--batch-size", type=int)
    add("--lr", type=float, help="the highest learning rate")
    add("--optimizer", help="sgd (default) or rmsprop")
    add("--momentum", type=float)
    add("--nesterov", action="store_true", default=None)
    add("--schedule", help="cosine (default) or linear")
    add("--warmup-epochs", type=float)
    add("--weight-decay", type=float)
    add("--label-smoothing", type=float)
    add("--flip", action=argparse.BooleanOptionalAction, help="mirror half of the images")
    add("--shift", type=int, help="move images by up to so many pixels")
    add("--cutout", type=int, help="blacken a square with sides of so many pixels")
    add("--enlarge", type=int, help="make each pixel a square of so many; digits: 3")
    add("--seed", type=int)


if __name__ == "__main__":
    sys.exit(main())
