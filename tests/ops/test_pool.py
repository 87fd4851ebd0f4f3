"""Pooling: held to loops over windows, to a depthwise convolution, and to numbers by hand."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from npnets import ops

few = settings(max_examples=20, deadline=None, derandomize=True)
POOLS = [ops.max_pool2d, ops.avg_pool2d]


@st.composite
def pools(draw, values=None):
    """Return x and the options of a random pooling that fits; x holds `values` if they are given.

    Whole numbers from 0 to 3 make ties in nearly every window.
    """
    K, stride = draw(st.integers(1, 3)), draw(st.none() | st.integers(1, 3))
    padding = draw(st.tuples(*[st.integers(0, K - 1)] * 4))
    height, width = draw(st.integers(K, K + 4)), draw(st.integers(K, K + 4))
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    shape = draw(st.integers(1, 2)), 2, height, width
    x = rng.standard_normal(shape) if values is None else rng.choice(values, shape)
    return x, {"kernel_size": K, "stride": stride, "padding": padding}


def windows(x, y, kernel_size, stride, padding):
    """Yield (n, c, p, q) and the pixels (h, w) of the image, not of its border, that y sees."""
    stride = stride or kernel_size
    top, _, left, _ = padding
    for n, c, p, q in np.ndindex(y.shape):
        rows = range(p * stride - top, p * stride - top + kernel_size)
        columns = range(q * stride - left, q * stride - left + kernel_size)
        inside = [
            (h, w) for h in rows for w in columns if 0 <= h < x.shape[2] and 0 <= w < x.shape[3]
        ]
        yield (n, c, p, q), inside


# The largest


@few
@given(pools())
def test_max_pool_is_the_largest_pixel_of_each_window(case):
    x, options = case
    y = ops.max_pool2d(x, **options)
    for (n, c, p, q), inside in windows(x, y, **options):
        assert y[n, c, p, q] == max(x[n, c, h, w] for h, w in inside)


@few
@given(pools(values=[0.0, 1.0, 2.0, 3.0]))
def test_max_pool_goes_back_to_the_winner_and_among_equals_to_the_first(case):
    x, options = case
    y = ops.max_pool2d(x, **options)
    dy, dx = np.random.default_rng(1).standard_normal(y.shape), np.zeros_like(x)
    for (n, c, p, q), inside in windows(x, y, **options):
        winner = max(inside, key=lambda pixel, image=x[n, c]: image[pixel])  # the first of equals
        dx[n, c][winner] += dy[n, c, p, q]
    assert_allclose(ops.max_pool2d_backward(dy, x, **options), dx, atol=1e-12)


def test_ties_by_hand():
    x, dy = np.ones((1, 1, 2, 4)), np.array([[[[5.0, 7.0]]]])
    assert_array_equal(ops.max_pool2d_backward(dy, x, 2), [[[[5, 0, 7, 0], [0, 0, 0, 0]]]])


def test_what_is_padded_never_wins():
    x = np.full((1, 1, 2, 2), -3.0)
    dy = np.ones((1, 1, 3, 3))
    assert_array_equal(ops.max_pool2d(x, 2, stride=1, padding=1), np.full((1, 1, 3, 3), -3.0))
    dx = ops.max_pool2d_backward(dy, x, 2, stride=1, padding=1)
    assert_array_equal(dx, [[[[4, 2], [2, 1]]]])


# The average


def test_average_by_hand():
    x = np.arange(64.0).reshape(1, 1, 8, 8)
    with_border = ops.avg_pool2d(x, 3, stride=2, padding=1)
    without = ops.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
    assert_allclose(with_border[0, 0, :2], [[18 / 9, 36 / 9, 48 / 9, 60 / 9], [11, 18, 20, 22]])
    assert_allclose(without[0, 0, :2], [[18 / 4, 6, 8, 10], [99 / 6, 18, 20, 22]])


def test_average_of_ones_says_how_much_of_a_window_is_image():
    x = np.ones((1, 1, 4, 4))
    window = {"kernel_size": 3, "stride": 2, "padding": 1}
    assert_allclose(ops.avg_pool2d(x, **window), [[[[4 / 9, 6 / 9], [6 / 9, 1]]]])
    assert_allclose(ops.avg_pool2d(x, **window, count_include_pad=False), np.ones((1, 1, 2, 2)))


@few
@given(pools(), st.booleans())
def test_average_is_the_mean_over_each_window(case, count_include_pad):
    x, options = case
    y = ops.avg_pool2d(x, **options, count_include_pad=count_include_pad)
    for (n, c, p, q), inside in windows(x, y, **options):
        count = options["kernel_size"] ** 2 if count_include_pad else len(inside)
        assert_allclose(y[n, c, p, q], sum(x[n, c, h, w] for h, w in inside) / count, atol=1e-12)


@few
@given(pools())
def test_average_is_a_depthwise_convolution_with_equal_weights(case):
    x, options = case
    K, stride, padding = options["kernel_size"], options["stride"], options["padding"]
    weight, window = np.full((2, 1, K, K), 1 / K**2), {"stride": stride or K, "padding": padding}
    y = ops.avg_pool2d(x, **options)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    assert_allclose(y, ops.depthwise_conv2d(x, weight, **window), atol=1e-12)
    dx, _ = ops.depthwise_conv2d_backward(dy, x, weight, **window)
    assert_allclose(ops.avg_pool2d_backward(dy, x, **options), dx, atol=1e-12)


@few
@given(pools(), st.booleans())
def test_backward_of_the_average_is_its_transpose(case, count_include_pad):
    x, options = case
    y = ops.avg_pool2d(x, **options, count_include_pad=count_include_pad)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    dx = ops.avg_pool2d_backward(dy, x, **options, count_include_pad=count_include_pad)
    assert_allclose(np.vdot(dx, x), np.vdot(dy, y), atol=1e-12)


def test_global_average_is_a_window_as_large_as_the_image():
    x, dy = np.random.default_rng(0).standard_normal((2, 3, 5, 5)), np.ones((2, 3))
    dy[0, 0] = 7
    y = ops.global_avg_pool(x)
    assert_allclose(y[:, :, None, None], ops.avg_pool2d(x, 5))
    dx = ops.global_avg_pool_backward(dy, x)
    assert_allclose(dx, ops.avg_pool2d_backward(dy[:, :, None, None], x, 5))
    assert_allclose(np.vdot(dx, x), np.vdot(dy, y))


# Bad input


@pytest.mark.parametrize("op", POOLS)
@pytest.mark.parametrize("padding", [2, 3, (0, 0, 0, 2)])
def test_padding_must_not_fill_a_window(op, padding):
    message = re.escape(f"padding must be smaller than kernel_size=2, got {padding}")
    with pytest.raises(ValueError, match=message):
        op(np.ones((1, 1, 4, 4)), 2, padding=padding)


@pytest.mark.parametrize("op", POOLS)
@pytest.mark.parametrize("padding", [-1, 0.5, True, (1, 1, 1), (0, 0, 0, -1)])
def test_padding_wants_one_int_or_four(op, padding):
    with pytest.raises(ValueError, match="padding must be an int"):
        op(np.ones((1, 1, 4, 4)), 3, padding=padding)


@pytest.mark.parametrize("op", POOLS)
@pytest.mark.parametrize("name", ["kernel_size", "stride"])
@pytest.mark.parametrize("wrong", [0, -1, 2.0, True, (2, 2)])
def test_kernel_size_and_stride_want_positive_ints(op, name, wrong):
    options = {"kernel_size": 2, "stride": 1, name: wrong}
    with pytest.raises(ValueError, match=f"{name} must be an int of at least 1, got"):
        op(np.ones((1, 1, 4, 4)), **options)


@pytest.mark.parametrize("op", POOLS)
def test_a_window_larger_than_the_padded_image(op):
    with pytest.raises(ValueError, match="the kernel spans 5 pixels"):
        op(np.ones((1, 1, 4, 4)), 5)


@pytest.mark.parametrize("op", [ops.max_pool2d_backward, ops.avg_pool2d_backward])
@pytest.mark.parametrize("shape", [(1, 2, 2, 2), (2, 1, 2, 2), (2, 2, 2, 1), (2, 2, 4, 4), (2, 2)])
def test_dy_wants_the_shape_of_y(op, shape):
    with pytest.raises(ValueError, match=r"dy must have shape \(2, 2, 2, 2\), got"):
        op(np.ones(shape), np.ones((2, 2, 4, 4)), 2)


@pytest.mark.parametrize("shape", [(2, 3, 1, 1), (3, 2), (2,)])
def test_dy_of_the_global_average_wants_one_number_per_channel(shape):
    with pytest.raises(ValueError, match=r"dy must have shape \(2, 3\), got"):
        ops.global_avg_pool_backward(np.ones(shape), np.ones((2, 3, 4, 4)))
