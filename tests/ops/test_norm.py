"""Batch normalization: what the batch looks like afterwards, and what it cannot see."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from npnets import ops

few = settings(max_examples=20, deadline=None, derandomize=True)
SHAPE = 3, 4, 5, 2
shapes = st.tuples(*[st.integers(1, 4)] * 4).filter(lambda s: s[0] * s[2] * s[3] > 1)


def batch(shape=SHAPE, seed=0):
    """Return x, gamma and beta: channels of different means and spreads."""
    rng, C = np.random.default_rng(seed), shape[1]
    spread, middle = rng.uniform(1, 3, (2, C, 1, 1))
    x = spread * rng.standard_normal(shape) + middle
    return x, rng.uniform(0.5, 2, C) * rng.choice([-1, 1], C), rng.standard_normal(C)


@few
@given(shapes)
def test_mean_and_var_are_those_of_each_channel(shape):
    x, gamma, beta = batch(shape)
    _, mean, var = ops.batch_norm(x, gamma, beta)
    for c in range(shape[1]):
        channel = x[:, c].ravel()
        assert_allclose(mean[c], sum(channel) / channel.size)
        assert_allclose(var[c], sum((channel - mean[c]) ** 2) / channel.size, atol=1e-14)


def test_afterwards_the_batch_has_mean_beta_and_standard_deviation_gamma():
    x, gamma, beta = batch()
    y, _, _ = ops.batch_norm(x, gamma, beta, eps=0)
    assert_allclose(y.mean(axis=(0, 2, 3)), beta, atol=1e-12)
    assert_allclose(y.std(axis=(0, 2, 3)), abs(gamma))


def test_eps_by_hand():
    x = np.array([1.0, 3.0]).reshape(2, 1, 1, 1)  # mean 2, variance 1
    y, mean, var = ops.batch_norm(x, np.array([10.0]), np.array([5.0]), eps=3)
    assert_array_equal([mean, var], [[2], [1]])
    assert_array_equal(y.ravel(), [0, 10])  # 10 · ∓1 / √(1 + 3) + 5


@few
@given(shapes, st.sampled_from([0, 1e-5, 0.5]))
def test_normalize_with_the_statistics_of_the_batch_is_batch_norm(shape, eps):
    x, gamma, beta = batch(shape)
    y, mean, var = ops.batch_norm(x, gamma, beta, eps)
    assert_allclose(y, ops.normalize(x, gamma, beta, mean, var, eps), atol=1e-12)


def test_shift_and_scale_of_a_channel_change_nothing_but_the_statistics():
    x, gamma, beta = batch()
    scale, shift = np.array([2, 3, 0.5, 7]), np.array([1, -2, 5, 0])
    y, mean, var = ops.batch_norm(x, gamma, beta, eps=0)
    moved = scale[:, None, None] * x + shift[:, None, None]
    moved_y, moved_mean, moved_var = ops.batch_norm(moved, gamma, beta, eps=0)
    assert_allclose(moved_y, y, atol=1e-12)
    assert_allclose(moved_mean, scale * mean + shift)
    assert_allclose(moved_var, scale**2 * var)


def test_so_dx_is_orthogonal_to_a_shift_and_to_a_scaling_of_x():
    x, gamma, beta = batch()
    _, mean, var = ops.batch_norm(x, gamma, beta, eps=0)
    dy = np.random.default_rng(1).standard_normal(SHAPE)
    dx, _, _ = ops.batch_norm_backward(dy, x, gamma, mean, var, eps=0)
    assert_allclose(dx.sum(axis=(0, 2, 3)), 0, atol=1e-12)
    assert_allclose((dx * x).sum(axis=(0, 2, 3)), 0, atol=1e-12)
    assert abs(dx).max() > 0.1


def test_dgamma_and_dbeta_are_transposes_of_scaling_and_shifting():
    x, gamma, beta = batch()
    y, mean, var = ops.batch_norm(x, gamma, beta)
    dy = np.random.default_rng(1).standard_normal(SHAPE)
    _, dgamma, dbeta = ops.batch_norm_backward(dy, x, gamma, mean, var)
    assert_allclose(dgamma @ gamma + dbeta @ beta, np.vdot(dy, y))  # y is linear in both
    assert_allclose(dbeta, dy.sum(axis=(0, 2, 3)))


def test_backward_of_normalize_is_its_transpose():
    x, gamma, beta = batch()
    mean, var = np.array([1.0, 2, -1, 0]), np.array([1.0, 4, 2, 9])
    dy, still = np.random.default_rng(1).standard_normal(SHAPE), np.zeros(4)
    dx, dgamma, dbeta = ops.normalize_backward(dy, x, gamma, mean, var)
    y = ops.normalize(x, gamma, beta, mean, var)
    assert_allclose(np.vdot(dx, x), np.vdot(dy, ops.normalize(x, gamma, still, still, var)))
    assert_allclose(dgamma @ gamma + dbeta @ beta, np.vdot(dy, y))


def test_normalize_by_hand():
    x, two, three = np.full((1, 1, 1, 1), 5.0), np.array([2.0]), np.array([3.0])
    y = ops.normalize(x, gamma=three, beta=two, mean=two, var=two, eps=7)
    assert y.item() == 3 * (5 - 2) / 3 + 2


# Bad input


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (0, 3, 2, 2)])
def test_one_value_per_channel_has_no_variance(shape):
    x, channels = np.ones(shape), np.ones(3)
    with pytest.raises(ValueError, match=r"more than one value per channel .* larger batches"):
        ops.batch_norm(x, channels, channels)
    with pytest.raises(ValueError, match="more than one value per channel"):
        ops.batch_norm_backward(x, x, channels, channels, channels)


def test_one_value_per_channel_can_be_normalized():
    channels = np.ones(3)
    assert ops.normalize(np.ones((1, 3, 1, 1)), *[channels] * 4).shape == (1, 3, 1, 1)


CALLS = [
    (ops.batch_norm, 2),
    (ops.normalize, 4),
    (lambda x, *channels: ops.batch_norm_backward(x, x, *channels), 3),
    (lambda x, *channels: ops.normalize_backward(x, x, *channels), 3),
]


@pytest.mark.parametrize(("op", "number"), CALLS)
@pytest.mark.parametrize("shape", [(3,), (5,), (1,), (4, 1), (4, 1, 1), ()])
def test_gamma_beta_mean_and_var_want_one_number_per_channel(op, number, shape):
    for wrong in range(number):
        channels = [np.ones(4)] * number
        channels[wrong] = np.ones(shape)
        with pytest.raises(ValueError, match=r"gamma, beta, mean and var must have shape \(4,\)"):
            op(np.ones(SHAPE), *channels)


@pytest.mark.parametrize("op", [ops.batch_norm_backward, ops.normalize_backward])
@pytest.mark.parametrize("shape", [(1, 4, 5, 2), (3, 1, 5, 2), (3, 4, 5, 1), (4,)])
def test_dy_wants_the_shape_of_x(op, shape):
    with pytest.raises(ValueError, match=r"dy must have shape \(3, 4, 5, 2\), got"):
        op(np.ones(shape), np.ones(SHAPE), *[np.ones(4)] * 3)
