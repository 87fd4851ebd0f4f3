"""Information that crosses groups: by formula, through built units, and in what is learned."""

import math
from itertools import product

import numpy as np
import pytest

from npnets import ops
from npnets.experiments import _sign_product as task
from npnets.experiments import groups
from npnets.experiments._reach import (
    reach_by_gradient,
    reach_of_unit,
    reached,
    unit_of,
    units_until_all,
)
from npnets.layers import BatchNorm, Conv2d
from npnets.nets import ShuffleNetV1
from npnets.nets.shufflenet_v1 import TABLE_1

SHORT = 200  # steps of training
sizes = [(c, g) for g, n in product((1, 2, 3, 4, 8), (1, 2, 3, 5, 8, 12)) for c in [g * n]]


@pytest.fixture(scope="module")
def learned():
    """Two seeds of each way, trained for a short time."""
    return {
        name: [task.learn(*way, seed, SHORT) for seed in range(2)]
        for name, way in groups.WAYS.items()
    }


@pytest.fixture(scope="module")
def result():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "SEEDS", 1)
        patch.setattr(groups, "STEPS", SHORT)
        yield groups.run(rng=0)


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize(("channels", "g"), sizes)
def test_gradients_reach_as_many_inputs_as_the_formula_says(channels, g, shuffled):
    reach = reach_by_gradient(channels, g, shuffled, np.random.default_rng(0))
    assert set(reach.sum(axis=1)) == {reached(channels, g, shuffled=shuffled)}
    assert reach.all() == ((shuffled and channels // g >= g) or g == 1)


def test_without_shuffle_the_reach_is_the_group_itself():
    reach = reach_by_gradient(12, 3, False, np.random.default_rng(0))
    np.testing.assert_array_equal(reach, np.kron(np.eye(3), np.ones((4, 4))) == 1)


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize(
    ("channels", "g"), [(16, 1), (24, 3), (96, 3), (64, 4), (96, 8), (192, 8)]
)
def test_a_built_unit_is_reached_as_the_formula_says(channels, g, shuffled):
    reach = reach_of_unit(unit_of(channels, g, shuffled).branch, channels)
    assert reach.shape == (channels, channels)
    assert set(reach.sum(axis=1)) == {reached(channels, g, channels // 4, shuffled)}


def test_a_whole_unit_is_reached_by_its_shortcut_too():
    branch = reach_of_unit(unit_of(96, 8).branch, 96)
    whole = reach_of_unit(unit_of(96, 8), 96)
    np.testing.assert_array_equal(whole, branch | np.eye(96, dtype=bool))
    assert not branch.diagonal().all()


def test_units_in_a_row_relate_all_and_never_without_shuffle():
    assert [units_until_all(c, g) for c, g in [(240, 3), (96, 8), (192, 8)]] == [1, 2, 2]
    step = reach_of_unit(unit_of(96, 8, shuffled=False), 96)
    assert (step @ step == step).all()


def test_the_proof_holds_for_any_weights_and_statistics():
    """The four values of d add up as the proof says, and one answer of the four is wrong."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        net = task.network(False, rng).astype(np.float64).eval()
        for layer in net.layers().values():
            if isinstance(layer, BatchNorm):
                layer.running_mean.value += rng.standard_normal(task.CHANNELS)
                layer.beta.value += rng.standard_normal(task.CHANNELS)
        x = task.all_signs(task.draw_inputs(500, rng).astype(np.float64), task.B_APART)
        logits = net.forward(x)
        plus_plus, plus_minus, minus_plus, minus_minus = (logits @ [-1, 1]).reshape(4, 500)
        np.testing.assert_allclose(
            plus_plus + minus_minus, plus_minus + minus_plus, rtol=0, atol=1e-12
        )
        right = logits.argmax(axis=1) == task.label(x, task.B_APART)
        assert right.reshape(4, 500).sum(axis=0).max() <= 3
        assert ops.cross_entropy(logits, task.label(x, task.B_APART)) >= task.LOWEST_LOSS - 1e-12


def test_with_shuffle_the_values_do_not_add_up():
    rng = np.random.default_rng(0)
    net = task.network(True, rng).eval()
    x = task.all_signs(task.draw_inputs(500, rng), task.B_APART)
    plus_plus, plus_minus, minus_plus, minus_minus = (net.forward(x) @ [-1, 1]).reshape(4, 500)
    off = np.abs(plus_plus + minus_minus - plus_minus - minus_plus)
    assert np.median(off) > 1e-3


def test_all_four_patterns_are_asked_and_labelled():
    x = task.draw_inputs(7, np.random.default_rng(0))
    for b in task.B_APART, task.B_TOGETHER:
        four = task.all_signs(x, b)
        assert four.shape == (28, task.IN_CHANNELS, 1, 1)
        np.testing.assert_array_equal(task.label(four, b), np.repeat([1, 0, 0, 1], 7))
        np.testing.assert_array_equal(np.abs(four), np.abs(np.tile(x, (4, 1, 1, 1))))
        rest = np.delete(four, [task.A, b], axis=1)
        np.testing.assert_array_equal(rest, np.delete(np.tile(x, (4, 1, 1, 1)), [0, b], axis=1))
    assert task.B_TOGETHER < task.IN_CHANNELS // task.GROUPS <= task.B_APART


def test_the_bound_is_reached_by_a_rule_that_adds_up():
    assert task.best_additive_accuracy(np.random.default_rng(0)) == task.BOUND == 0.75
    assert math.log(2) == task.LOWEST_LOSS


def test_a_network_learns_the_task_only_where_information_can_cross(learned):
    without, shuffled, together = learned.values()
    assert all(len(course) == 1 + SHORT // task.EVERY for course in without + shuffled)
    assert max(o.accuracy for course in without for o in course) <= 0.75
    assert min(o.loss for course in without for o in course) >= task.LOWEST_LOSS - 1e-6
    assert max(course[0].accuracy for course in shuffled) < 0.75
    assert min(course[-1].accuracy for course in shuffled + together) > 0.95


def test_a_seed_decides(learned):
    way = groups.WAYS["a, b apart, shuffle"]
    first, second = learned["a, b apart, shuffle"]
    assert task.learn(*way, 1, SHORT) == second
    assert first != second


def test_the_widths_of_table_1_are_the_widest_that_the_cost_allows(result):
    widths = result.tables[3]
    assert widths.column("channels c\ntable 1") == [144, 200, 240, 272, 384]
    assert widths.column("most channels\nat the cost of g = 1") == [144, 200, 240, 272, 384]
    for row in widths.rows:
        assert round(row[5]) == row[6]
        unit = ShuffleNetV1(groups=row[0]).stage2.unit2
        convs = [layer for layer in unit.layers().values() if isinstance(layer, Conv2d)]
        assert row[3] == sum(layer.weight.value.size for layer in convs)  # per pixel
        assert TABLE_1[row[0]][0] == row[1]


def test_the_tables_and_verdicts_of_a_run(result):
    reach, units, learned, _ = result.tables
    assert reach.column("inputs reached\nshuffle") == [12, 60, 96, 9]
    assert reach.column("inputs reached\nno shuffle") == [4, 20, 12, 3]
    assert units.rows[-1][:6] == (
        "0.25x g8",
        "12 of 96",
        "36 of 96",
        "144 of 192",
        "384 of 384",
        2,
    )
    assert learned.column("at most,\nby proof") == [75.0, None, None]
    assert [verdict.holds for verdict in result.verdicts] == [True, False, True, True, True]
    assert "not those of 0.5x g8 stage 2, 0.25x g8 stage 2, 0.25x g8 stage 3" in (
        result.verdicts[1].found
    )


def test_it_is_saved_with_a_picture(result, tmp_path):
    paths = [path.name for path in result.save(tmp_path)]
    assert paths == [
        "groups.json",
        *(f"groups{k}.csv" for k in ("", "-2", "-3", "-4")),
        "groups.png",
    ]
