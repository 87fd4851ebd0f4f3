"""Training: a generator of epochs, and runs that can be stopped and resumed at any moment.

    train_set, test_set = data.load("digits")
    net = create_model("mobilenet_v2_x0_35", num_classes=10, in_channels=1, small_images=True)
    run = Run(net, train_set, Recipe(epochs=20))
    for epoch in train(run, test_set):
        print(epoch)

Chance comes from (seed, epoch, step) alone: whoever knows these three knows which images come
next and how they are flipped. So a run that was killed goes on to bitwise the same weights.
"""

import itertools
import time
import zlib
from contextlib import nullcontext
from dataclasses import asdict, dataclass

import numpy as np

from npnets import checkpoint, ops, optim
from npnets.data import Augmentation, Normalization, batches
from npnets.extras import require
from npnets.nets import create_model

OPTIMIZERS = {"sgd": optim.SGD, "rmsprop": optim.RMSProp}
SCHEDULES = {"cosine": optim.Cosine, "linear": optim.Linear}


@dataclass(frozen=True)
class Recipe:
    """How to train: everything that decides the weights, but for the network and the images.

    lr is the highest learning rate, reached after warmup_epochs, from where the schedule falls to
    zero. Raises ValueError for an unknown optimizer or schedule, and for sizes below 1.
    """

    epochs: int = 20
    batch_size: int = 64
    lr: float = 0.1
    optimizer: str = "sgd"
    schedule: str = "cosine"
    warmup_epochs: float = 1.0
    weight_decay: float = 1e-4
    label_smoothing: float = 0.0
    augmentation: Augmentation = Augmentation()  # noqa: RUF009 - frozen
    seed: int = 0

    def __post_init__(self):
        ops.check.at_least(1, epochs=self.epochs, batch_size=self.batch_size)
        ops.check.at_least(0, seed=self.seed)
        for name, known in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}"
                )


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to. Losses are mean nats, accuracies parts of 1; test values are None
    without a test set. Training values are averages over the epoch, while the weights moved."""

    number: int
    loss: float
    accuracy: float
    test_loss: float | None
    test_accuracy: float | None
    lr: float
    images_per_second: float

    def __str__(self):
        test = ""
        if self.test_accuracy is not None:
            test = f"   test: loss {self.test_loss:.4f}, accuracy {self.test_accuracy:.2%}"
        return (
            f"epoch {self.number:3d}   loss {self.loss:.4f}, accuracy {self.accuracy:.2%}{test}"
            f"   {self.images_per_second:.0f} images/s"
        )


class Run:
    """A training run at one moment: the network, what its optimizer remembers, and how far it is.

    `model` says how to build the network anew, {"name": …, "options": {…}}; without it the run
    can be saved, but `load_network` needs it. `history` holds the epochs so far.
    """

    def __init__(self, net, dataset, recipe, model=None):
        self.net, self.dataset, self.recipe, self.model = net, dataset, recipe, model
        self.normalize = Normalization.of(dataset)
        self.batch_size = min(recipe.batch_size, len(dataset))
        self.steps_per_epoch = len(dataset) // self.batch_size  # the rest waits an epoch
        steps = recipe.epochs * self.steps_per_epoch
        warmup = min(round(recipe.warmup_epochs * self.steps_per_epoch), steps - 1)
        self.schedule = SCHEDULES[recipe.schedule](recipe.lr, steps, warmup)
        make_optimizer = OPTIMIZERS[recipe.optimizer]
        self.optimizer = make_optimizer(net.parameters(), weight_decay=recipe.weight_decay)
        self.step, self.loss_sum, self.correct, self.seconds = 0, 0.0, 0, 0.0
        self.history = []

    @property
    def epoch(self):
        """How many epochs are complete."""
        return self.step // self.steps_per_epoch if not self._pending else len(self.history)

    @property
    def _pending(self):
        """Whether the steps of an epoch are done and it has not been concluded yet."""
        return self.step == (len(self.history) + 1) * self.steps_per_epoch

    def remaining_batches(self):
        """Yield what is left of this epoch: (images, labels), augmented and normalized."""
        epoch, seed = len(self.history), self.recipe.seed
        order = np.random.default_rng([seed, epoch])
        images_and_labels = batches(self.dataset, self.batch_size, order, drop_last=True)
        first = self.step - epoch * self.steps_per_epoch
        for images, labels in itertools.islice(images_and_labels, first, None):
            rng = np.random.default_rng([seed, epoch, self.step])
            yield self.normalize(self.recipe.augmentation(images, rng)), labels

    def conclude(self, test):
        """Evaluate at the end of an epoch, and add it to the history."""
        loss, accuracy = (None, None) if test is None else evaluate(self.net, test, self.normalize)
        images = self.steps_per_epoch * self.batch_size
        epoch = Epoch(
            number=len(self.history) + 1,
            loss=self.loss_sum / self.steps_per_epoch,
            accuracy=self.correct / images,
            test_loss=loss,
            test_accuracy=accuracy,
            lr=self.schedule(self.step - 1),
            images_per_second=images / self.seconds,
        )
        self.history.append(epoch)
        self.loss_sum, self.correct, self.seconds = 0.0, 0, 0.0
        return epoch

    def save(self, path):
        """Write all that the run's future depends on to a checkpoint."""
        arrays = {f"net/{name}": array for name, array in self.net.state().items()}
        arrays |= {f"optimizer/{name}": a for name, a in self.optimizer.state().items()}
        progress = {k: getattr(self, k) for k in ("step", "loss_sum", "correct", "seconds")}
        description = {
            "model": self.model,
            "recipe": asdict(self.recipe),
            "data": _fingerprint(self.dataset),
            "normalization": asdict(self.normalize),
            "progress": progress,
            "history": [asdict(epoch) for epoch in self.history],
        }
        checkpoint.save(path, arrays, description)

    @classmethod
    def resume(cls, path, dataset):
        """Return the run that was saved to `path`, ready to go on with the same images.

        Raises ValueError where the file is no checkpoint of a run, or the images are others.
        """
        arrays, description = checkpoint.load(path)
        net = _network(arrays, description, path)
        if description["data"] != _fingerprint(dataset):
            raise ValueError(f"{path} was trained on other images: {description['data']}")
        recipe = description["recipe"]
        recipe["augmentation"] = Augmentation(**recipe["augmentation"])
        run = cls(net, dataset, Recipe(**recipe), description["model"])
        run.optimizer.load_state(_below("optimizer/", arrays))
        for name, value in description["progress"].items():
            setattr(run, name, value)
        run.history = [Epoch(**epoch) for epoch in description["history"]]
        return run


def train(run, test=None, *, progress=False, stop=None):
    """Train, and yield an Epoch after each; go on where the run stands.

    `test` is a Dataset to evaluate on. `progress` draws a bar. `stop`, a threading.Event, ends
    the training between two steps, from where the run can be saved. Raises FloatingPointError
    where the loss is not finite; the weights are then those of the step before.
    """
    while len(run.history) < run.recipe.epochs:
        if not run._pending:
            with _bar(run, progress) as bar, ops.one_blas_thread():
                for x, labels in run.remaining_batches():
                    if stop is not None and stop.is_set():
                        return
                    _step(run, x, labels)
                    _show(bar, run)
        yield run.conclude(test)


def _step(run, x, labels):
    """One step: forward, loss, backward, and a change of the weights."""
    start, smoothing = time.perf_counter(), run.recipe.label_smoothing
    logits = run.net.train().forward(x)
    loss = ops.cross_entropy(logits, labels, smoothing)
    if not np.isfinite(loss):
        raise FloatingPointError(
            f"the loss is {loss} at step {run.step} (epoch {len(run.history) + 1}): the weights "
            f"are those before this step; a smaller lr than {run.recipe.lr} may help"
        )
    run.net.backward(ops.cross_entropy_backward(logits, labels, smoothing))
    # Were there several workers, each with a part of the batch, here they would average their
    # gradients: every `parameter.grad` of run.optimizer.parameters, and nothing else.
    run.optimizer.step(run.schedule(run.step))
    run.step += 1
    run.loss_sum += float(loss)
    run.correct += int((logits.argmax(axis=1) == labels).sum())
    run.seconds += time.perf_counter() - start


def evaluate(net, dataset, normalize, batch_size=256):
    """Return (mean loss in nats, accuracy) of a network on a Dataset, at inference."""
    training, loss_sum, correct = net.training, 0.0, 0
    net.eval()
    with ops.one_blas_thread():
        for images, labels in batches(dataset, batch_size):
            logits = net.forward(normalize(images))
            loss_sum += float(ops.cross_entropy(logits, labels)) * len(labels)
            correct += int((logits.argmax(axis=1) == labels).sum())
    if training:
        net.train()
    return loss_sum / len(dataset), correct / len(dataset)


def load_network(path):
    """Return (network in eval mode, its Normalization, class names) from a run's checkpoint."""
    arrays, description = checkpoint.load(path)
    net = _network(arrays, description, path).eval()
    names = tuple(description["data"]["class_names"])
    return net, Normalization(**_tuples(description["normalization"])), names


def _network(arrays, description, path):
    """Return the network that a checkpoint describes, with its weights."""
    model = description.get("model")
    if not {"model", "recipe", "data", "normalization", "progress"} <= description.keys():
        raise ValueError(f"{path} is no checkpoint of a training run")
    if model is None:
        raise ValueError(f"{path} does not say which network it holds")
    return create_model(model["name"], **model["options"]).load_state(_below("net/", arrays))


def _below(prefix, arrays):
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}


def _tuples(fields):
    return {name: tuple(values) for name, values in fields.items()}


def _fingerprint(dataset):
    """Return what tells one set of images from another: shape, classes, and a checksum."""
    return {
        "shape": list(dataset.images.shape),
        "class_names": list(dataset.class_names),
        "crc32": zlib.crc32(dataset.labels.tobytes(), zlib.crc32(dataset.images.tobytes())),
    }


def _bar(run, progress):
    """Return a progress bar for this epoch, or nothing where none is wanted."""
    if not progress:
        return nullcontext()
    epoch = len(run.history)
    done = run.step - epoch * run.steps_per_epoch
    return require("tqdm").tqdm(
        total=run.steps_per_epoch * run.batch_size,
        initial=done * run.batch_size,
        desc=f"epoch {epoch + 1}/{run.recipe.epochs}",
        unit=" images",
        leave=False,
    )


def _show(bar, run):
    if bar is not None:
        done = run.step - len(run.history) * run.steps_per_epoch
        accuracy = run.correct / (done * run.batch_size)
        bar.set_postfix_str(f"loss {run.loss_sum / done:.3f}, acc {accuracy:.1%}", refresh=False)
        bar.update(run.batch_size)
