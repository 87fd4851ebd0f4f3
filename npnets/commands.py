"""What the commands of `npnets` do. Each takes the parsed arguments and prints."""

import contextlib
import csv
import dataclasses
import io
import signal
import sys
import threading
from pathlib import Path

import numpy as np

from npnets import data, gradcheck, plots
from npnets.cost import summarize
from npnets.files import write_text
from npnets.nets import create_model, list_models
from npnets.run import Recipe, Run, load_network, read
from npnets.train import evaluate, train

MODEL = "mobilenet_v1_x0_25"
CHECKPOINT = "checkpoint.npz"

# How each data set is trained where no option says otherwise. Digits of 8 × 8 pixels are enlarged
# to 24 × 24, since four halvings leave nothing of less, and shifted by up to 2 of the new pixels.
DEFAULTS = {
    "digits": {"enlarge": 3, "epochs": 20, "batch_size": 32, "lr": 0.03, "shift": 2},
    "cifar10": {"enlarge": 1, "epochs": 30, "batch_size": 128, "lr": 0.1},
    "fashion_mnist": {"enlarge": 1, "epochs": 15, "batch_size": 128, "lr": 0.1},
    "folder": {"enlarge": 1, "epochs": 30, "batch_size": 64, "lr": 0.05},
}


def list_(args):
    """Print all models with their cost on an image of 224 × 224."""
    print(f"{'model':<24}{'parameters':>12}{'multiply-adds at 224 × 224':>30}")
    for name in list_models():
        cost = summarize(create_model(name, rng=0), (3, 224, 224))
        print(f"{name:<24}{cost.params:>12,}{cost.macs:>30,}")


def summary(args):
    """Print the layers of a model."""
    size = args.size
    if size is None:
        size = 32 if args.small_images else 224
    if size < 1:
        raise ValueError(f"--size must be at least 1, got {size}")
    print(summarize(_model(args), (args.channels, size, size)))


def check(args):
    """Check the gradients of a whole model; fail where they are wrong."""
    net = _model(args, rng=args.seed)
    size = 32 if args.small_images else 64
    x = np.random.default_rng(args.seed).standard_normal((4, args.channels, size, size))
    report = gradcheck.check_network(net, x, rng=args.seed)
    print(report)
    return 0 if report.ok else 1


def train_(args):
    """Train a model, and leave its checkpoint, history and learning curve in a folder."""
    folder, run, test = _resumed(Path(args.resume)) if args.resume else _started(args)
    origin, path = run.origin, folder / CHECKPOINT
    print(f"{origin['model']} on {origin['data']}: {len(run.dataset)} images, {run.recipe.epochs} "
          f"epochs, from seed {run.recipe.seed}, into {folder}")  # fmt: skip
    run.save(path)  # so that a folder that cannot be written to is known now
    stop = threading.Event()
    try:
        with _interrupts(stop):
            for epoch in train(run, test, progress=sys.stderr.isatty(), stop=stop):
                run.save(path)
                _write_history(run.history, folder / "history.csv")
                print(epoch, flush=True)
    except FloatingPointError as error:
        raise FloatingPointError(f"{error}. The last good checkpoint is kept: {path}") from error
    if not run.finished:
        run.save(path)
        print(f"stopped at step {run.step}; go on with: npnets train --resume {folder}")
        return 130
    last = run.history[-1]
    title = f"{origin['model']} on {origin['data']}: test accuracy {last.test_accuracy:.2%}"
    plots.learning_curve(run.history, folder / "curve.png", title)
    print(f"{title}. See {folder / 'curve.png'} and {folder / 'history.csv'}")
    return 0


def evaluate_(args):
    """Print loss and accuracy of a checkpoint on the test images of its data."""
    path = _checkpoint(args.checkpoint)
    net, normalize, description = load_network(path)
    origin = description["origin"]
    _, test = _images(origin["data"], args.data_dir or origin["data_dir"], origin["enlarge"])
    loss, accuracy = evaluate(net, test, normalize)
    print(f"{origin['model']} on {len(test)} test images of {origin['data']}: "
          f"loss {loss:.4f}, accuracy {accuracy:.2%}")  # fmt: skip


def _model(args, rng=None):
    options = {"num_classes": args.classes, "in_channels": args.channels}
    return create_model(args.model, small_images=args.small_images, rng=rng, **options)


def _images(name, data_dir, enlarge):
    """Return (train, test), enlarged."""
    return (dataset.enlarged(enlarge) for dataset in data.load(name, data_dir))


def _started(args):
    """Return (folder, run, test set) of a new run, as the arguments say."""
    create_model(args.model, num_classes=2)  # so that a wrong name fails before a download
    enlarge = args.enlarge or DEFAULTS.get(args.data, {}).get("enlarge", 1)
    train_set, test = _images(args.data, args.data_dir, enlarge)
    recipe = _recipe(args)
    options = {
        "num_classes": len(train_set.class_names),
        "in_channels": train_set.images.shape[1],
        "small_images": max(train_set.images.shape[2:]) < 96,
    }
    net = create_model(args.model, rng=recipe.seed, **options)
    data_dir = args.data_dir and str(Path(args.data_dir).absolute())
    origin = {"model": args.model, "options": options}
    origin |= {"data": args.data, "data_dir": data_dir, "enlarge": enlarge}
    return _new_folder(args), Run(net, train_set, recipe, origin), test


def _resumed(folder):
    """Return (folder, run, test set) of a run to go on with."""
    path = _checkpoint(folder)
    origin = read(path)[1]["origin"]
    train_set, test = _images(origin["data"], origin["data_dir"], origin["enlarge"])
    return path.parent, Run.resume(path, train_set), test


def _recipe(args):
    """Return the Recipe: what the arguments say, and else the defaults of the data."""
    given = {name: value for name, value in vars(args).items() if value is not None}
    said = DEFAULTS[args.data] | given

    def only(kind):
        return {f.name: said[f.name] for f in dataclasses.fields(kind) if f.name in said}

    augmentation = dataclasses.replace(data.RECIPES[args.data], **only(data.Augmentation))
    return Recipe(**only(Recipe), augmentation=augmentation)


def _new_folder(args):
    """Make and return the folder of a new run; one that holds a run already is left alone."""
    if args.out:
        folder = Path(args.out)
        if (folder / CHECKPOINT).exists():
            raise ValueError(f"{folder} holds a run already: --resume {folder} goes on with it")
    else:
        folder, number = Path("runs", f"{args.model}-{args.data}"), 1
        while (folder / CHECKPOINT).exists():
            number += 1
            folder = folder.with_name(f"{args.model}-{args.data}-{number}")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _checkpoint(path):
    """Return the checkpoint that is meant: the file, or the one in the folder of a run."""
    path = Path(path)
    return path / CHECKPOINT if path.is_dir() else path


def _write_history(history, path):
    """Write the epochs as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dataclasses.asdict(history[0])), lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(dataclasses.asdict, history))
    write_text(path, text.getvalue())


@contextlib.contextmanager
def _interrupts(stop):
    """Within the block the first Ctrl-C asks to stop after this step; a second one is at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ask(signum, frame):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        stop.set()

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
