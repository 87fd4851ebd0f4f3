"""ReLU and ReLU6: their corners, and which of dy they let through."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from npnets import ops

x = np.array([-np.inf, -7, -0.5, 0, 0.5, 5.5, 6, 6.5, np.inf])
dy = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 9])


def test_relu_by_hand():
    y = ops.relu(x)
    assert_array_equal(y, [0, 0, 0, 0, 0.5, 5.5, 6, 6.5, np.inf])
    assert_array_equal(ops.relu_backward(dy, y), [0, 0, 0, 0, 5, 6, 7, 8, 9])


def test_relu6_by_hand():
    y = ops.relu6(x)
    assert_array_equal(y, [0, 0, 0, 0, 0.5, 5.5, 6, 6, 6])
    assert_array_equal(ops.relu6_backward(dy, y), [0, 0, 0, 0, 5, 6, 0, 0, 0])


def test_relu6_is_two_relus():
    values = np.random.default_rng(0).normal(3, 5, (2, 3, 4, 5))
    assert_allclose(ops.relu6(values), 6 - ops.relu(6 - ops.relu(values)), atol=1e-14)


@pytest.mark.parametrize("op", [ops.relu, ops.relu6])
def test_once_is_as_good_as_twice(op):
    y = op(np.random.default_rng(0).normal(3, 5, (2, 3, 4, 5)))
    assert_array_equal(op(y), y)


@pytest.mark.parametrize("op", [ops.relu, ops.relu6])
def test_nan_is_not_hidden(op):
    assert np.isnan(op(np.array([np.nan])))


@pytest.mark.parametrize("op", [ops.relu, ops.relu6])
@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 4, 5), ()])
def test_any_shape_will_do(op, shape):
    assert op(np.ones(shape)).shape == shape


@pytest.mark.parametrize("op", [ops.relu, ops.relu6])
@pytest.mark.parametrize("wrong", [[1.0], np.array([1]), np.array([True]), 1.0, None])
def test_only_arrays_of_floating_point_numbers(op, wrong):
    with pytest.raises(ValueError, match="x must hold floating-point numbers, got"):
        op(wrong)


@pytest.mark.parametrize("op", [ops.relu_backward, ops.relu6_backward])
@pytest.mark.parametrize("shape", [(3,), (3, 2), (2, 3, 1)])
def test_dy_wants_the_shape_of_y(op, shape):
    with pytest.raises(ValueError, match=r"dy must have shape \(2, 3\), got"):
        op(np.ones(shape), np.ones((2, 3)))
