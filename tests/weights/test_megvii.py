"""megvii's shuffles: what the docstring of names/megvii.py derives holds, for all its widths."""

import numpy as np
import pytest

from npnets import ShuffleNetV1, ShuffleNetV2, ops
from npnets.nets.shufflenet_v2 import TABLE_5
from npnets.weights.names import megvii


def images(channels):
    return np.asarray(channels, float).reshape(1, -1, 1, 1)


def shuffled_back(x, groups):
    """As megvii's blocks do: (n, g) -> (g, n)."""
    return x.reshape(len(x), -1, groups, *x.shape[2:]).swapaxes(1, 2).reshape(x.shape)


@pytest.mark.parametrize("groups", [3, 8])
@pytest.mark.parametrize("scale", [0.5, 1.0, 1.5, 2.0])
def test_depthwise_filters_move_with_the_shuffle(groups, scale):
    net = megvii.SOURCES[0].build(scale=scale, groups=groups, num_classes=1, rng=0)
    orders = megvii.depthwise_orders(net)
    assert len(orders) == 2 * 16
    rng = np.random.default_rng(0)
    for path, unit in megvii.units(net).items():
        order = orders[f"{path}.branch.depthwise.conv"]
        x = rng.standard_normal((1, len(order), 4, 4))
        weight = rng.standard_normal((len(order), 1, 3, 3))
        theirs = shuffled_back(ops.depthwise_conv2d(x, weight, padding=1), groups)
        ours = ops.depthwise_conv2d(unit.branch.shuffle.forward(x), weight[order], padding=1)
        assert np.array_equal(ours, theirs), path


@pytest.mark.parametrize("groups", [2, 3, 8])
def test_back_is_the_inverse_and_the_shuffle_of_the_other_groups(groups):
    x = images(np.arange(24))
    assert np.array_equal(shuffled_back(ops.channel_shuffle(x, groups), groups), x)
    assert np.array_equal(shuffled_back(x, groups), ops.channel_shuffle(x, 24 // groups))


def test_with_eight_groups_no_order_of_filters_turns_the_direction():
    groups = images(np.arange(96) // 12)  # of compress
    dealt = ops.channel_shuffle(groups, 8).reshape(8, 12).astype(int)
    back = shuffled_back(groups, 8).reshape(8, 12).astype(int)
    counts = [{tuple(np.bincount(group, minlength=8)) for group in x} for x in (dealt, back)]
    assert counts == [
        {(2, 2, 2, 2, 1, 1, 1, 1), (1, 1, 1, 1, 2, 2, 2, 2)},
        {(2, 1, 2, 1, 2, 1, 2, 1), (1, 2, 1, 2, 1, 2, 1, 2)},
    ]


def test_with_24_of_116_channels_from_the_shortcut_the_direction_matters():
    from_shortcut = images(np.arange(116) < 24)
    assert ops.channel_shuffle(from_shortcut, 2)[0, :58].sum() == 24
    assert shuffled_back(from_shortcut, 2)[0, :58].sum() == 12


@pytest.mark.parametrize("width_mult", TABLE_5)
def test_shuffles_stand_between_the_units_of_a_stage(width_mult):
    net = megvii.SOURCES[1].build(width_mult=width_mult, num_classes=1, rng=0)
    stages = zip((net.stage2, net.stage3, net.stage4), TABLE_5[width_mult][1:4], strict=True)
    for stage, channels in stages:
        x = np.random.default_rng(0).standard_normal((1, channels, 2, 2))
        *inner, last = stage
        for unit in inner:
            parts = x[:, : unit.shuffle.channels], x[:, unit.shuffle.channels :]
            y = unit.shuffle.forward(*parts)
            assert np.array_equal(y, np.concatenate((x[:, 0::2], x[:, 1::2]), axis=1))
        assert np.array_equal(last.shuffle.forward(x[:, : last.half], x[:, last.half :]), x)


def test_networks_of_the_papers_are_left_as_they_are():
    assert ShuffleNetV1(0.5, 3, rng=0).stage2.unit1.branch.shuffle.groups == 3
    assert ShuffleNetV2(0.5, rng=0).stage2.unit1.shuffle.groups == 2


def test_filters_move_when_weights_are_read_and_back_when_they_are_written():
    source = megvii.SOURCES[0]
    net, rng = source.build(scale=0.5, groups=3, num_classes=1, rng=0), np.random.default_rng(0)
    arrays = {name: rng.random(shape) for name, shape in source.shapes(net).items()}
    state = source.to_ours(net, arrays)
    for ours, theirs in (("conv.weight", "3.weight"), ("norm.running_var", "4.running_var")):
        given = arrays[f"features.0.branch_main_1.{theirs}"]
        moved = shuffled_back(given.reshape(1, len(given), -1, 1), 3).reshape(given.shape)
        assert np.array_equal(state[f"stage2.unit1.branch.depthwise.{ours}"], moved)
        assert not np.array_equal(given, moved)
    back = source.to_theirs(net.astype(np.float64).load_state(state))
    assert all(np.array_equal(back[name], array) for name, array in arrays.items())
