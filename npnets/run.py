"""A training run: all that its future depends on, so that it can stop and go on at any moment.

Chance comes from (seed, epoch, step) alone: whoever knows these three knows which images come
next and how they are flipped. So a run that was killed goes on to bitwise the same weights.
"""

import itertools
import zlib
from dataclasses import asdict, dataclass

import numpy as np

from npnets import checkpoint, optim
from npnets.data import Augmentation, Normalization, batches
from npnets.nets import create_model
from npnets.ops import check

OPTIMIZERS = {"sgd": optim.SGD, "rmsprop": optim.RMSProp}
SCHEDULES = {"cosine": optim.Cosine, "linear": optim.Linear}
PROGRESS = "step", "loss_sum", "correct", "seconds"  # of a run, beside its arrays


@dataclass(frozen=True)
class Recipe:
    """How to train: everything that decides the weights, but for the network and the images.

    lr is the highest learning rate, reached after warmup_epochs, from where the schedule falls to
    zero. Raises ValueError for an unknown optimizer or schedule, and for sizes below 1.
    """

    epochs: int = 20
    batch_size: int = 64
    lr: float = 0.05
    optimizer: str = "sgd"
    momentum: float = 0.9
    nesterov: bool = False
    schedule: str = "cosine"
    warmup_epochs: float = 1.0
    weight_decay: float = 1e-4
    label_smoothing: float = 0.0
    augmentation: Augmentation = Augmentation()  # noqa: RUF009 - it is frozen
    seed: int = 0

    def __post_init__(self):
        check.at_least(1, epochs=self.epochs, batch_size=self.batch_size)
        check.at_least(0, seed=self.seed)
        for name, known in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}"
                )
        for name in ("momentum", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must lie in [0, 1), got {getattr(self, name)}")
        if self.nesterov and self.optimizer != "sgd":
            raise ValueError(f"nesterov goes with sgd, got optimizer {self.optimizer!r}")

    def make_optimizer(self, parameters):
        """Return the optimizer for these parameters."""
        options = {"momentum": self.momentum, "weight_decay": self.weight_decay}
        if self.nesterov:
            options["nesterov"] = True
        return OPTIMIZERS[self.optimizer](parameters, **options)

    def make_schedule(self, steps_per_epoch):
        """Return the learning rate as a function of the step."""
        steps = self.epochs * steps_per_epoch
        warmup = min(round(self.warmup_epochs * steps_per_epoch), steps - 1)
        return SCHEDULES[self.schedule](self.lr, steps, warmup)


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
    """A training run at one moment: the network, what its optimizer remembers, how far it is.

    `origin` says in JSON what the run was made from; with {"model": name, "options": {…}} in it
    the network can be built anew from a checkpoint. `history` holds the epochs so far.
    """

    def __init__(self, net, dataset, recipe, origin=None):
        self.net, self.dataset, self.recipe, self.origin = net, dataset, recipe, origin or {}
        self.normalize = Normalization.of(dataset)
        self.batch_size = min(recipe.batch_size, len(dataset))
        self.steps_per_epoch = len(dataset) // self.batch_size  # the rest waits an epoch
        self.schedule = recipe.make_schedule(self.steps_per_epoch)
        self.optimizer = recipe.make_optimizer(net.parameters())
        self.step, self.history = 0, []
        self.loss_sum, self.correct, self.seconds = 0.0, 0, 0.0

    @property
    def steps_done(self):
        """How many steps of the current epoch are done."""
        return self.step - len(self.history) * self.steps_per_epoch

    @property
    def finished(self):
        """Whether all epochs of the recipe are done."""
        return len(self.history) >= self.recipe.epochs

    def remaining_batches(self):
        """Yield what is left of this epoch: (x, labels), the images augmented and normalized."""
        epoch, seed = len(self.history), self.recipe.seed
        order = np.random.default_rng([seed, epoch])
        images_and_labels = batches(self.dataset, self.batch_size, order, drop_last=True)
        for images, labels in itertools.islice(images_and_labels, self.steps_done, None):
            rng = np.random.default_rng([seed, epoch, self.step])
            yield self.normalize(self.recipe.augmentation(images, rng)), labels

    def add_step(self, loss, correct, seconds):
        """Count a step: its loss, how many images were right, and how long it took."""
        self.step += 1
        self.loss_sum += loss
        self.correct += correct
        self.seconds += seconds

    def add_epoch(self, test_loss=None, test_accuracy=None):
        """Conclude an epoch: add it to the history, and return it."""
        images = self.steps_per_epoch * self.batch_size
        epoch = Epoch(
            number=len(self.history) + 1,
            loss=self.loss_sum / self.steps_per_epoch,
            accuracy=self.correct / images,
            test_loss=test_loss,
            test_accuracy=test_accuracy,
            lr=self.schedule(self.step - 1),
            images_per_second=images / self.seconds,
        )
        self.history.append(epoch)
        self.loss_sum, self.correct, self.seconds = 0.0, 0, 0.0
        return epoch

    def save(self, path):
        """Write all that the run's future depends on, and its history, to a checkpoint."""
        arrays = {f"net/{name}": array for name, array in self.net.state().items()}
        arrays |= {f"optimizer/{name}": a for name, a in self.optimizer.state().items()}
        description = {
            "origin": self.origin,
            "recipe": asdict(self.recipe),
            "images": fingerprint(self.dataset),
            "normalization": asdict(self.normalize),
            "progress": {name: getattr(self, name) for name in PROGRESS},
            "history": [asdict(epoch) for epoch in self.history],
        }
        checkpoint.save(path, arrays, description)

    @classmethod
    def resume(cls, path, dataset):
        """Return the run that was saved to `path`, ready to go on with the same images.

        Raises ValueError where the file is no checkpoint of a run, or the images are others.
        """
        arrays, description = read(path)
        if description["images"] != fingerprint(dataset):
            raise ValueError(f"{path} was trained on other images: {description['images']}")
        net = _network(path, arrays, description)
        recipe = dict(description["recipe"])
        recipe["augmentation"] = Augmentation(**recipe["augmentation"])
        run = cls(net, dataset, Recipe(**recipe), description["origin"])
        run.optimizer.load_state(_below("optimizer/", arrays))
        for name in PROGRESS:
            setattr(run, name, description["progress"][name])
        run.history = [Epoch(**epoch) for epoch in description["history"]]
        return run


def load_network(path):
    """Return (network in eval mode, its Normalization, description) from a run's checkpoint."""
    arrays, description = read(path)
    mean, std = (tuple(description["normalization"][name]) for name in ("mean", "std"))
    return _network(path, arrays, description).eval(), Normalization(mean, std), description


def read(path):
    """Return (arrays, description) of a run's checkpoint; ValueError for any other file."""
    arrays, description = checkpoint.load(path)
    parts = {"origin", "recipe", "images", "normalization", "progress", "history"}
    if not parts <= description.keys():
        raise ValueError(f"{path} is no checkpoint of a training run")
    return arrays, description


def fingerprint(dataset):
    """Return what tells one set of images from another: shape, classes, and a checksum."""
    return {
        "shape": list(dataset.images.shape),
        "class_names": list(dataset.class_names),
        "crc32": zlib.crc32(dataset.labels.tobytes(), zlib.crc32(dataset.images.tobytes())),
    }


def _network(path, arrays, description):
    """Return the network that a checkpoint describes, with its weights."""
    origin = description["origin"]
    if not {"model", "options"} <= origin.keys():
        raise ValueError(f"{path} does not say which network it holds")
    net = create_model(origin["model"], **origin["options"])
    return net.load_state(_below("net/", arrays))


def _below(prefix, arrays):
    return {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
