"""Rearranging channels: nothing is lost, and each backward is the inverse and the transpose."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from npnets import ops

few = settings(max_examples=40, deadline=None, derandomize=True)


def images(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def channel_numbers(C):
    """One image of one pixel whose channel c holds the number c."""
    return np.arange(C, dtype=np.float32).reshape(1, C, 1, 1)


# The channel shuffle


@pytest.mark.parametrize(
    ("groups", "dealt"),
    [
        (1, [0, 1, 2, 3, 4, 5]),
        (2, [0, 3, 1, 4, 2, 5]),
        (3, [0, 2, 4, 1, 3, 5]),
        (6, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_shuffle_of_six_channels(groups, dealt):
    assert ops.channel_shuffle(channel_numbers(6), groups).ravel().tolist() == dealt


@few
@given(st.integers(1, 5), st.integers(1, 5))
def test_shuffle_sends_channel_c_of_group_g_to_channel_g_of_group_c(groups, channels):
    x = images(2, groups * channels, 2, 3)
    y = ops.channel_shuffle(x, groups)
    for g, c in np.ndindex(groups, channels):
        assert_array_equal(y[:, c * groups + g], x[:, g * channels + c])


@few
@given(st.integers(1, 5), st.integers(1, 5))
def test_backward_of_shuffle_undoes_it_and_is_its_transpose(groups, channels):
    x, dy = images(2, groups * channels, 2, 3), images(2, groups * channels, 2, 3, seed=1)
    y = ops.channel_shuffle(x, groups)
    assert_array_equal(ops.channel_shuffle_backward(y, groups), x)
    assert_array_equal(ops.channel_shuffle(ops.channel_shuffle_backward(dy, groups), groups), dy)
    assert_allclose(np.vdot(dy, y), np.vdot(ops.channel_shuffle_backward(dy, groups), x))


@pytest.mark.parametrize(("C", "groups"), [(12, 3), (60, 3), (96, 8)])
def test_after_a_shuffle_each_group_holds_channels_of_every_group(C, groups):
    came_from = ops.channel_shuffle(channel_numbers(C), groups).reshape(groups, -1) // (
        C // groups
    )
    assert all(set(row) == set(range(groups)) for row in came_from)


def test_a_shuffle_of_too_few_channels_cannot_reach_every_group():
    came_from = ops.channel_shuffle(channel_numbers(24), 8).reshape(8, 3) // 3
    assert all(len(set(row)) == 3 for row in came_from)


# Split and concat


@few
@given(st.integers(1, 4), st.integers(1, 4))
def test_split_and_concat_are_inverses_both_ways(A, B):
    x, a, b = images(2, A + B, 2, 3), images(2, A, 2, 3, seed=1), images(2, B, 2, 3, seed=2)
    assert_array_equal(ops.concat(*ops.split(x, A)), x)
    found_a, found_b = ops.split(ops.concat(a, b), A)
    assert_array_equal(found_a, a)
    assert_array_equal(found_b, b)


def test_split_takes_the_first_channels_first():
    a, b = ops.split(channel_numbers(5), 2)
    assert a.ravel().tolist() == [0, 1]
    assert b.ravel().tolist() == [2, 3, 4]


@few
@given(st.integers(1, 4), st.integers(1, 4))
def test_backward_of_concat_is_its_transpose(A, B):
    a, b, dy = images(2, A, 2, 3), images(2, B, 2, 3, seed=1), images(2, A + B, 2, 3, seed=2)
    da, db = ops.concat_backward(dy, A)
    assert_allclose(np.vdot(dy, ops.concat(a, b)), np.vdot(da, a) + np.vdot(db, b))


@few
@given(st.integers(1, 4), st.integers(1, 4))
def test_backward_of_split_is_its_transpose(A, B):
    x, da, db = images(2, A + B, 2, 3), images(2, A, 2, 3, seed=1), images(2, B, 2, 3, seed=2)
    a, b = ops.split(x, A)
    dx = ops.split_backward(da, db)
    assert_allclose(np.vdot(dx, x), np.vdot(da, a) + np.vdot(db, b))


# Bad input


@pytest.mark.parametrize("op", [ops.channel_shuffle, ops.channel_shuffle_backward])
@pytest.mark.parametrize("groups", [2, 4, 8])
def test_shuffle_wants_groups_of_equal_size(op, groups):
    with pytest.raises(ValueError, match=f"divisible by groups={groups}, got 9 channels"):
        op(images(1, 9, 2, 2), groups)


@pytest.mark.parametrize("op", [ops.channel_shuffle, ops.channel_shuffle_backward])
@pytest.mark.parametrize("groups", [0, -3, 3.0, True, None])
def test_shuffle_wants_a_positive_int_of_groups(op, groups):
    with pytest.raises(ValueError, match="groups must be an int of at least 1, got"):
        op(images(1, 9, 2, 2), groups)


@pytest.mark.parametrize("op", [ops.split, ops.concat_backward])
@pytest.mark.parametrize("channels", [4, 5])
def test_split_leaves_something_for_both(op, channels):
    with pytest.raises(ValueError, match=f"less than the 4 channels of x, got {channels}"):
        op(images(1, 4, 2, 2), channels)


@pytest.mark.parametrize("op", [ops.split, ops.concat_backward])
@pytest.mark.parametrize("channels", [0, -1, 1.0, True])
def test_split_wants_a_positive_int(op, channels):
    with pytest.raises(ValueError, match="channels must be an int of at least 1, got"):
        op(images(1, 4, 2, 2), channels)


@pytest.mark.parametrize("op", [ops.concat, ops.split_backward])
@pytest.mark.parametrize("shape", [(3, 4, 2, 2), (2, 4, 3, 2), (2, 4, 2, 3)])
def test_concat_wants_the_same_images_but_for_the_channels(op, shape):
    with pytest.raises(ValueError, match=r"b must have shape \(2, 4, 2, 2\), got"):
        op(images(2, 3, 2, 2), images(*shape))
