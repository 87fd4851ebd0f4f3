"""Training: a generator of epochs.

train_set, test_set = data.load("digits")
net = create_model("shufflenet_v2_x0_5", num_classes=10, in_channels=1, small_images=True)
run = Run(net, train_set, Recipe(epochs=20))
for epoch in train(run, test_set):
    print(epoch)
"""

import time
from contextlib import nullcontext

import numpy as np

from npnets import ops
from npnets.data import batches
from npnets.extras import require
from npnets.run import Epoch, Recipe, Run, load_network

__all__ = ["Epoch", "Recipe", "Run", "evaluate", "load_network", "train"]


def train(run, test=None, *, progress=False, stop=None):
    """Train, and yield an Epoch after each; go on where the run stands.

    `test` is a Dataset to evaluate on. `progress` draws a bar. `stop`, a threading.Event, ends
    the training between two steps, where the run can be saved. Raises FloatingPointError where
    the loss is not finite; the weights are then those of the step before.
    """
    while not run.finished:
        if run.steps_done < run.steps_per_epoch:
            with _bar(run, progress) as bar:
                for x, labels in run.remaining_batches():
                    if stop is not None and stop.is_set():
                        return
                    _step(run, x, labels)
                    _show(bar, run)
        scores = () if test is None else evaluate(run.net, test, run.normalize)
        yield run.add_epoch(*scores)


def _step(run, x, labels):
    """One step: forward, loss, backward, and a change of the weights."""
    start, smoothing = time.perf_counter(), run.recipe.label_smoothing
    logits = run.net.train().forward(x)
    loss = float(ops.cross_entropy(logits, labels, smoothing))
    if not np.isfinite(loss):
        raise FloatingPointError(
            f"the loss is {loss} at step {run.step} (epoch {len(run.history) + 1}); a smaller lr "
            f"than {run.recipe.lr} may help"
        )
    run.net.backward(ops.cross_entropy_backward(logits, labels, smoothing))
    # Were there several workers, each with a part of the batch, here they would average their
    # gradients: every `parameter.grad` of run.optimizer.parameters, and nothing else.
    run.optimizer.step(run.schedule(run.step))
    correct = int((logits.argmax(axis=1) == labels).sum())
    run.add_step(loss, correct, time.perf_counter() - start)


def evaluate(net, dataset, normalize, batch_size=256):
    """Return (mean loss in nats, accuracy) of a network on a Dataset, at inference."""
    training, loss_sum, correct = net.training, 0.0, 0
    net.eval()
    for images, labels in batches(dataset, batch_size):
        logits = net.forward(normalize(images))
        loss_sum += float(ops.cross_entropy(logits, labels)) * len(labels)
        correct += int((logits.argmax(axis=1) == labels).sum())
    if training:
        net.train()
    return loss_sum / len(dataset), correct / len(dataset)


def _bar(run, progress):
    """Return a progress bar for this epoch, or nothing where none is wanted."""
    if not progress:
        return nullcontext()
    return require("tqdm").tqdm(
        total=run.steps_per_epoch * run.batch_size,
        initial=run.steps_done * run.batch_size,
        desc=f"epoch {len(run.history) + 1}/{run.recipe.epochs}",
        unit=" images",
        leave=False,
        dynamic_ncols=True,
    )


def _show(bar, run):
    """Move the bar on by a step."""
    if bar is not None:
        loss, accuracy = run.loss_sum / run.steps_done, run.correct / run.batch_size
        said = f"loss {loss:.3f}, accuracy {accuracy / run.steps_done:.1%}"
        bar.set_postfix_str(said, refresh=False)
        bar.update(run.batch_size)
