"""Training: it learns, it stops where it should, and it resumes to bitwise the same weights."""

import dataclasses
import threading

import numpy as np
import pytest

from npnets import checkpoint, create_model, ops
from npnets.data import Augmentation
from npnets.train import Recipe, Run, evaluate, load_network, train

MODEL = "shufflenet_v1_x0_25_g2"
OPTIONS = {"num_classes": 3, "in_channels": 1, "small_images": True}
RECIPE = Recipe(epochs=3, batch_size=12, lr=0.05, augmentation=Augmentation(True, 1, 2), seed=5)


def new_run(dataset, recipe=RECIPE):
    net = create_model(MODEL, rng=recipe.seed, **OPTIONS)
    return Run(net, dataset, recipe, {"model": MODEL, "options": OPTIONS})


def assert_same(one, two):
    """Bitwise the same weights, running statistics and optimizer, and the same losses."""
    for mine, yours in ((one.net, two.net), (one.optimizer, two.optimizer)):
        mine, yours = mine.state(), yours.state()
        assert mine.keys() == yours.keys()
        assert all(mine[name].tobytes() == yours[name].tobytes() for name in mine)
    assert [e.loss for e in one.history] == [e.loss for e in two.history]
    assert [e.test_accuracy for e in one.history] == [e.test_accuracy for e in two.history]


@pytest.fixture(scope="module")
def uninterrupted(shapes):
    run = new_run(shapes)
    assert len(list(train(run, shapes))) == RECIPE.epochs
    return run


def test_a_network_learns(shapes):
    """Batches of 36: the last maps are 1 × 1, and batch norm over 12 values leaps about."""
    recipe = dataclasses.replace(RECIPE, epochs=40, batch_size=36, augmentation=Augmentation())
    epochs = list(train(new_run(shapes, recipe), shapes))
    assert epochs[-1].test_accuracy > 0.95
    assert epochs[-1].test_loss < epochs[0].loss / 2
    assert [epoch.number for epoch in epochs] == list(range(1, 41))


def test_the_same_seed_gives_the_same_weights_and_another_one_others(shapes, uninterrupted):
    again = new_run(shapes)
    list(train(again, shapes))
    assert_same(again, uninterrupted)
    other = new_run(shapes, dataclasses.replace(RECIPE, seed=6, epochs=1))
    assert next(train(other, shapes)).loss != uninterrupted.history[0].loss


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop"])
def test_a_run_that_is_saved_after_any_step_resumes_bitwise(shapes, tmp_path, optimizer):
    recipe = dataclasses.replace(RECIPE, epochs=2, optimizer=optimizer, schedule="linear")
    whole = new_run(shapes, recipe)
    list(train(whole, shapes))
    for steps in (0, 1, 5, 6, 7, 11, 12):
        run = new_run(shapes, recipe)
        go_on_until(run, steps, shapes)
        run.save(tmp_path / "run.npz")
        resumed = Run.resume(tmp_path / "run.npz", shapes)
        list(train(resumed, shapes))
        assert_same(resumed, whole)


def go_on_until(run, steps, test):
    """Train for so many steps, wherever in an epoch that is."""
    stop = threading.Event()
    add_step = run.add_step

    def counted(*args):
        add_step(*args)
        if run.step == steps:
            stop.set()

    run.add_step = counted
    if steps == 0:
        stop.set()
    list(train(run, test, stop=stop))
    assert run.step == steps


def test_label_smoothing_and_schedule_change_the_outcome(shapes, uninterrupted):
    for change in ({"label_smoothing": 0.1}, {"schedule": "linear"}, {"nesterov": True}):
        run = new_run(shapes, dataclasses.replace(RECIPE, **change))
        list(train(run, shapes))
        assert run.history[-1].loss != uninterrupted.history[-1].loss


def test_without_a_test_set_nothing_is_evaluated(shapes):
    epoch = next(train(new_run(shapes)))
    assert epoch.test_loss is None
    assert "test" not in str(epoch)
    assert "test" in str(dataclasses.replace(epoch, test_loss=1.0, test_accuracy=0.5))


def test_a_loss_that_is_not_finite_stops_before_the_weights_change(shapes):
    run = new_run(shapes)
    go_on_until(run, 2, shapes)
    run.net.classifier.weight.value[...] = np.inf
    stem = run.net.stem.conv.weight.value.copy()
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(FloatingPointError, match=r"the loss is nan at step 2 \(epoch 1\)"),
    ):
        list(train(run, shapes))
    assert np.array_equal(run.net.stem.conv.weight.value, stem)


def test_resuming_with_other_images_is_refused(shapes, tmp_path):
    new_run(shapes).save(tmp_path / "run.npz")
    other = dataclasses.replace(shapes, images=255 - shapes.images)
    with pytest.raises(ValueError, match="was trained on other images"):
        Run.resume(tmp_path / "run.npz", other)


def test_a_checkpoint_of_another_model_says_what_differs(shapes, tmp_path):
    run = new_run(shapes)
    run.origin = {"model": "mobilenet_v1_x0_25", "options": OPTIONS}
    run.save(tmp_path / "run.npz")
    with pytest.raises(ValueError, match="does not fit the network") as error:
        load_network(tmp_path / "run.npz")
    said = str(error.value)
    assert "missing: unit1.depthwise.conv.weight" in said
    assert "unexpected: stage2.unit1.branch.compress.conv.weight" in said
    assert r"misshapen: stem.conv.weight must be (8, 1, 3, 3), got (6, 1, 3, 3)" in said


def test_a_checkpoint_that_is_no_run_is_refused(shapes, tmp_path):
    checkpoint.save(tmp_path / "a.npz", {}, {"epoch": 1})
    with pytest.raises(ValueError, match="no checkpoint of a training run"):
        Run.resume(tmp_path / "a.npz", shapes)
    run = new_run(shapes)
    run.origin = {}
    run.save(tmp_path / "b.npz")
    with pytest.raises(ValueError, match="does not say which network it holds"):
        load_network(tmp_path / "b.npz")


def test_a_loaded_network_says_what_the_run_measured(shapes, uninterrupted, tmp_path):
    uninterrupted.save(tmp_path / "run.npz")
    net, normalize, description = load_network(tmp_path / "run.npz")
    assert not net.training
    assert description["images"]["class_names"] == ["left", "right", "below"]
    last = uninterrupted.history[-1]
    assert evaluate(net, shapes, normalize) == (last.test_loss, last.test_accuracy)


def test_evaluation_leaves_mode_and_state_alone(shapes):
    run = new_run(shapes)
    run.net.train()
    before = run.net.state()
    loss, accuracy = evaluate(run.net, shapes, run.normalize, batch_size=7)
    assert run.net.training
    assert all(np.array_equal(before[name], now) for name, now in run.net.state().items())
    logits = run.net.eval().forward(run.normalize(shapes.images))
    assert loss == pytest.approx(ops.cross_entropy(logits, shapes.labels), rel=1e-5)
    assert accuracy == (logits.argmax(axis=1) == shapes.labels).mean()


def test_the_last_images_of_an_odd_batch_wait(shapes):
    run = new_run(shapes, dataclasses.replace(RECIPE, batch_size=50))
    assert run.steps_per_epoch == 1
    assert new_run(shapes, dataclasses.replace(RECIPE, batch_size=1000)).batch_size == 72


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs must be an int of at least 1, got 0"),
        ({"batch_size": 2.5}, "batch_size must be an int of at least 1, got 2.5"),
        ({"seed": -1}, "seed must be an int of at least 0, got -1"),
        ({"optimizer": "adam"}, "optimizer must be one of sgd, rmsprop, got 'adam'"),
        ({"schedule": "step"}, "schedule must be one of cosine, linear, got 'step'"),
        ({"momentum": 1.0}, r"momentum must lie in \[0, 1\), got 1.0"),
        ({"label_smoothing": 1.0}, r"label_smoothing must lie in \[0, 1\), got 1.0"),
        ({"optimizer": "rmsprop", "nesterov": True}, "nesterov goes with sgd"),
    ],
)
def test_recipes_that_cannot_be(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(RECIPE, **change)


def test_a_learning_rate_that_cannot_be(shapes):
    with pytest.raises(ValueError, match="lr must be positive and finite, got -1"):
        new_run(shapes, dataclasses.replace(RECIPE, lr=-1))
