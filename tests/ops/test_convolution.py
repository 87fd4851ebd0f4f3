"""Convolution, depthwise, pointwise, bias: each is held to loops, and to the other three."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from npnets import ops
from npnets.ops.conv import col2im, im2col
from npnets.ops.window import output_shape, pad

few = settings(max_examples=20, deadline=None, derandomize=True)
small = st.integers(1, 3)
sides = st.tuples(*[st.integers(0, 2)] * 4)


def normal(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


@st.composite
def convolutions(draw, channels=small, filters=small, kernel=small):
    """Return x, weight and the window of a random convolution that fits, and its groups.

    `channels` are those of a group, and `filters` too.
    """
    groups, images = draw(small), draw(small)
    C, O, KH, KW = draw(channels), draw(filters), draw(kernel), draw(kernel)
    stride, dilation, padding = draw(small), draw(st.integers(1, 2)), draw(sides)
    height = max(1, dilation * (KH - 1) + 1 - padding[0] - padding[1]) + draw(st.integers(0, 4))
    width = max(1, dilation * (KW - 1) + 1 - padding[2] - padding[3]) + draw(st.integers(0, 4))
    x, weight = normal(
        (images, groups * C, height, width), (groups * O, C, KH, KW), seed=draw(st.integers(0, 9))
    )
    return x, weight, {"stride": stride, "padding": padding, "dilation": dilation}, groups


depthwise = convolutions(channels=st.just(1), filters=st.just(1))
pointwise = convolutions(kernel=st.just(1))


def close(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def six_loops(x, weight, stride, padding, dilation, groups):
    """Convolution as the equation says it, one multiply-add after the other."""
    (top, bottom, left, right), (O, C_group, KH, KW) = padding, weight.shape
    x = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    P = (x.shape[2] - dilation * (KH - 1) - 1) // stride + 1
    Q = (x.shape[3] - dilation * (KW - 1) - 1) // stride + 1
    y = np.zeros((len(x), O, P, Q))
    for n, o, p, q in np.ndindex(y.shape):
        first = o // (O // groups) * C_group
        for c, i, j in np.ndindex(C_group, KH, KW):
            pixel = x[n, first + c, stride * p + dilation * i, stride * q + dilation * j]
            y[n, o, p, q] += weight[o, c, i, j] * pixel
    return y


# What a convolution is


@few
@given(convolutions())
def test_conv2d_is_the_loops_of_its_equation(case):
    x, weight, window, groups = case
    expected = six_loops(x, weight, **window, groups=groups)
    close([ops.conv2d(x, weight, **window, groups=groups)], [expected])


def test_conv2d_by_hand():
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    filters = np.ones((1, 1, 3, 3))
    assert_array_equal(ops.conv2d(x, filters), [[[[45, 54], [81, 90]]]])
    same_of_tensorflow = ops.conv2d(x, filters, stride=2, padding=(0, 1, 0, 1))
    assert_array_equal(same_of_tensorflow, [[[[45, 39], [66, 50]]]])
    assert_array_equal(ops.conv2d(x, filters, stride=2, padding=1), [[[[10, 24], [51, 90]]]])


@few
@given(depthwise)
def test_depthwise_is_conv2d_with_a_group_per_channel(case):
    x, weight, window, groups = case
    y = ops.conv2d(x, weight, **window, groups=groups)
    (dy,) = normal(y.shape, seed=1)
    close([ops.depthwise_conv2d(x, weight, **window)], [y])
    close(
        ops.depthwise_conv2d_backward(dy, x, weight, **window),
        ops.conv2d_backward(dy, x, weight, **window, groups=groups),
    )


@few
@given(pointwise)
def test_pointwise_is_conv2d_with_a_kernel_of_one_pixel(case):
    x, weight, _, groups = case
    y = ops.conv2d(x, weight, groups=groups)
    (dy,) = normal(y.shape, seed=1)
    close([ops.pointwise_conv2d(x, weight, groups=groups)], [y])
    close(
        ops.pointwise_conv2d_backward(dy, x, weight, groups),
        ops.conv2d_backward(dy, x, weight, groups=groups),
    )


def test_pointwise_is_a_matrix_product_per_pixel():
    x, weight, dy = normal((2, 3, 4, 5), (6, 3, 1, 1), (2, 6, 4, 5))
    matrix = weight[:, :, 0, 0]
    close([ops.pointwise_conv2d(x, weight)], [np.einsum("oc,nchw->nohw", matrix, x)])
    dx, dweight = ops.pointwise_conv2d_backward(dy, x, weight)
    close([dx], [np.einsum("oc,nohw->nchw", matrix, dy)])
    close([dweight[:, :, 0, 0]], [np.einsum("nohw,nchw->oc", dy, x)])


@few
@given(convolutions())
def test_grouped_conv2d_is_one_convolution_per_group_side_by_side(case):
    x, weight, window, groups = case
    y = ops.conv2d(x, weight, **window, groups=groups)
    (dy,) = normal(y.shape, seed=1)
    dx, dweight = ops.conv2d_backward(dy, x, weight, **window, groups=groups)
    images = (np.split(array, groups, axis=1) for array in (x, y, dy, dx))
    filters = (np.split(array, groups) for array in (weight, dweight))
    for gx, gy, gdy, gdx, gweight, gdweight in zip(*images, *filters, strict=True):
        close([ops.conv2d(gx, gweight, **window)], [gy])
        close(ops.conv2d_backward(gdy, gx, gweight, **window), (gdx, gdweight))


# Stride, padding, dilation


@few
@given(convolutions())
def test_padding_is_that_of_numpy_before_and_cut_off_after(case):
    x, weight, window, groups = case
    top, bottom, left, right = window["padding"]
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    valid = {**window, "padding": 0, "groups": groups}
    y = ops.conv2d(padded, weight, **valid)
    close([ops.conv2d(x, weight, **window, groups=groups)], [y])
    (dy,) = normal(y.shape, seed=1)
    dpadded, dweight = ops.conv2d_backward(dy, padded, weight, **valid)
    inner = dpadded[:, :, top : top + x.shape[2], left : left + x.shape[3]]
    close(ops.conv2d_backward(dy, x, weight, **window, groups=groups), (inner, dweight))


@pytest.mark.parametrize("conv", [ops.conv2d, ops.depthwise_conv2d])
def test_same_of_tensorflow_is_padding_1_of_the_image_moved_by_one(conv):
    x, weight = normal((2, 1, 6, 8), (1, 1, 3, 3))
    moved = np.pad(x, ((0, 0), (0, 0), (1, 0), (1, 0)))  # a pixel down and to the right
    y = conv(x, weight, stride=2, padding=(0, 1, 0, 1))
    assert y.shape == conv(x, weight, stride=2, padding=1).shape
    close([conv(moved, weight, stride=2, padding=1)[:, :, 1:, 1:]], [y])


@few
@given(convolutions())
def test_dilation_is_a_kernel_with_zeros_put_in(case):
    x, weight, window, groups = case
    d, (O, C, KH, KW) = window["dilation"], weight.shape
    spread = np.zeros((O, C, d * (KH - 1) + 1, d * (KW - 1) + 1))
    spread[:, :, ::d, ::d] = weight
    y = ops.conv2d(x, weight, **window, groups=groups)
    (dy,), dense = normal(y.shape, seed=1), {**window, "dilation": 1, "groups": groups}
    close([ops.conv2d(x, spread, **dense)], [y])
    dx, dspread = ops.conv2d_backward(dy, x, spread, **dense)
    found = ops.conv2d_backward(dy, x, weight, **window, groups=groups)
    close(found, (dx, dspread[:, :, ::d, ::d]))


@few
@given(convolutions())
def test_stride_keeps_every_sth_output(case):
    x, weight, window, groups = case
    s, y = window["stride"], ops.conv2d(x, weight, **{**window, "stride": 1}, groups=groups)
    close([ops.conv2d(x, weight, **window, groups=groups)], [y[:, :, ::s, ::s]])


@pytest.mark.parametrize(
    ("conv", "backward"),
    [
        (ops.conv2d, ops.conv2d_backward),
        (ops.depthwise_conv2d, ops.depthwise_conv2d_backward),
    ],
)
def test_stride_2_leaves_the_last_row_and_column_of_an_even_size_untouched(conv, backward):
    x, weight = normal((1, 1, 6, 8), (1, 1, 3, 3))
    y, changed = conv(x, weight, stride=2), x.copy()
    changed[:, :, -1], changed[..., -1] = 7, 7
    assert_array_equal(conv(changed, weight, stride=2), y)
    dx, _ = backward(np.ones_like(y), x, weight, stride=2)
    reached = np.zeros((6, 8), bool)
    reached[:5, :7] = True
    assert_array_equal(dx[0, 0] != 0, reached)


# Transposes: what is linear forward goes back by its transpose


@few
@given(convolutions())
def test_col2im_is_the_transpose_of_im2col(case):
    x, weight, window, _ = case
    kernel, stride, dilation = weight.shape[2:], window["stride"], window["dilation"]
    padded, out = pad(x, window["padding"]), output_shape(x, kernel, **window)
    columns = im2col(padded, kernel, stride, dilation, out)
    (dcolumns,) = normal(columns.shape, seed=1)
    dpadded = col2im(dcolumns, padded.shape, kernel, stride, dilation, out)
    assert_allclose(np.vdot(dpadded, padded), np.vdot(dcolumns, columns), atol=1e-11)


@few
@given(convolutions())
def test_backward_of_conv2d_is_its_transpose(case):
    x, weight, window, groups = case
    y = ops.conv2d(x, weight, **window, groups=groups)
    (dy,) = normal(y.shape, seed=1)
    dx, dweight = ops.conv2d_backward(dy, x, weight, **window, groups=groups)
    assert_allclose([np.vdot(dx, x), np.vdot(dweight, weight)], np.vdot(dy, y), atol=1e-11)


@few
@given(depthwise)
def test_backward_of_depthwise_is_its_transpose(case):
    x, weight, window, _ = case
    y = ops.depthwise_conv2d(x, weight, **window)
    (dy,) = normal(y.shape, seed=1)
    dx, dweight = ops.depthwise_conv2d_backward(dy, x, weight, **window)
    assert_allclose([np.vdot(dx, x), np.vdot(dweight, weight)], np.vdot(dy, y), atol=1e-11)


@few
@given(convolutions())
def test_backward_of_the_bias_is_its_transpose(case):
    x, weight, window, groups = case
    y = ops.conv2d(x, weight, **window, groups=groups)
    dy, bias = normal(y.shape, y.shape[1:2], seed=1)
    added = ops.conv2d(x, weight, bias, **window, groups=groups) - y
    assert_allclose(added, np.broadcast_to(bias[:, None, None], y.shape), atol=1e-12)
    assert_allclose(np.vdot(ops.bias_backward(dy), bias), np.vdot(dy, added), atol=1e-11)


def test_bias_of_depthwise_and_pointwise_is_added_to_every_pixel():
    x, weight, bias = normal((2, 3, 4, 5), (3, 1, 1, 1), (3,))
    every_pixel = bias[:, None, None]
    y = ops.depthwise_conv2d(x, weight)
    close([ops.depthwise_conv2d(x, weight, bias)], [y + every_pixel])
    close([ops.pointwise_conv2d(x, weight, bias, groups=3)], [y + every_pixel])
