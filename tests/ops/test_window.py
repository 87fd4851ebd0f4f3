"""The window: how often it fits, what each tap of it sees, and the border around the image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from npnets.ops.window import four_sides, output_shape, output_size, pad, taps, unpad

few = settings(max_examples=40, deadline=None, derandomize=True)
sides = st.tuples(*[st.integers(0, 2)] * 4)


@st.composite
def windows(draw):
    """Return a batch of images and (kernel, stride, dilation) of a window that fits in them."""
    kernel = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    spans = [dilation * (K - 1) + 1 for K in kernel]
    height, width = (span + draw(st.integers(0, 4)) for span in spans)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return rng.standard_normal((2, 3, height, width)), (kernel, stride, dilation)


# How many windows fit


@few
@given(*[st.integers(1, 12)] * 4, *[st.integers(0, 3)] * 2)
def test_output_size_is_the_number_of_places_where_the_kernel_fits(
    size, kernel_size, stride, dilation, before, after
):
    last = before + size + after - 1
    starts = range(0, last + 1, stride)
    fit = sum(start + dilation * (kernel_size - 1) <= last for start in starts)
    if fit:
        assert output_size(size, kernel_size, stride, before, after, dilation) == fit
    else:
        with pytest.raises(ValueError, match="the kernel spans"):
            output_size(size, kernel_size, stride, before, after, dilation)


@pytest.mark.parametrize(
    ("size", "before", "after", "expected"),
    [
        (224, 1, 1, 112),  # padding 1: the last padded column is left over
        (224, 0, 1, 112),  # TensorFlow's SAME, for an even size
        (225, 1, 1, 113),  # for an odd size both are the same
        (7, 1, 1, 4),
        (1, 1, 1, 1),
    ],
)
def test_output_size_of_stride_2_is_the_size_halved_and_rounded_up(size, before, after, expected):
    assert output_size(size, 3, 2, before, after) == expected


def test_output_shape_takes_padding_as_top_bottom_left_right():
    x = np.zeros((1, 1, 10, 20))
    assert output_shape(x, (3, 5), 1, (1, 2, 3, 4)) == (10 + 1 + 2 - 2, 20 + 3 + 4 - 4)


def test_output_size_says_how_large_the_padded_image_is():
    with pytest.raises(ValueError, match=r"spans 5 pixels, more than .* \(1 \+ 2 \+ 1\)"):
        output_size(2, 3, 1, 1, 1, dilation=2)


@pytest.mark.parametrize("wrong", [0, -1, 1.0, True, "1", None])
@pytest.mark.parametrize("name", ["kernel_size", "stride", "dilation"])
def test_output_size_wants_positive_ints(name, wrong):
    arguments = {"kernel_size": 1, "stride": 1, "dilation": 1, name: wrong}
    with pytest.raises(ValueError, match=f"{name} must be an int of at least 1, got {wrong!r}"):
        output_size(9, **arguments)


# The border


@pytest.mark.parametrize(
    ("padding", "expected"),
    [(0, (0, 0, 0, 0)), (2, (2, 2, 2, 2)), ((0, 1, 2, 3), (0, 1, 2, 3)), ([1] * 4, (1, 1, 1, 1))],
)
def test_four_sides(padding, expected):
    assert four_sides(padding) == expected


def test_four_sides_takes_numpy_ints_and_returns_python_ints():
    found = four_sides(np.int64(1)) + four_sides(np.arange(4, dtype=np.uint8))
    assert found == (1, 1, 1, 1, 0, 1, 2, 3)
    assert {type(side) for side in found} == {int}


@pytest.mark.parametrize("padding", [(1,), (1, 1), (1, 1, 1), (1,) * 5, ()])
def test_four_sides_wants_one_number_or_four(padding):
    with pytest.raises(ValueError, match=r"an int or \(top, bottom, left, right\), got"):
        four_sides(padding)


@pytest.mark.parametrize("padding", [-1, 0.5, 1.0, True, None, "1", (0, 0, 0, -1), (1, 1.0, 1, 1)])
def test_four_sides_wants_ints_from_zero(padding):
    with pytest.raises(ValueError, match="padding must be an int of at least 0, got"):
        four_sides(padding)


def test_pad_by_hand():
    x = np.array([[[[1.0, 2.0]]]])
    expected = [[9, 9, 9, 9, 9], [1, 2, 9, 9, 9], [9, 9, 9, 9, 9], [9, 9, 9, 9, 9]]
    assert_array_equal(pad(x, (1, 2, 0, 3), value=9), [[expected]])


@few
@given(sides)
def test_pad_is_that_of_numpy_and_unpad_undoes_it(padding):
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 5))
    top, bottom, left, right = padding
    padded = pad(x, padding)
    assert_array_equal(padded, np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right))))
    assert_array_equal(unpad(padded, padding), x)


@few
@given(sides)
def test_unpad_is_the_transpose_of_pad(padding):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 4, 5))
    dpadded = rng.standard_normal(pad(x, padding).shape)
    assert_allclose(np.vdot(dpadded, pad(x, padding)), np.vdot(unpad(dpadded, padding), x))


def test_pad_without_a_border_is_x_itself_and_otherwise_a_new_array():
    x = np.ones((1, 1, 2, 2))
    assert pad(x, 0) is x
    assert not np.shares_memory(pad(x, (0, 0, 0, 1)), x)


# The taps


@few
@given(windows())
def test_a_tap_is_what_one_position_of_the_window_sees_from_every_output_pixel(window):
    x, (kernel, stride, dilation) = window
    P, Q = output_shape(x, kernel, stride, 0, dilation)
    positions = []
    for i, j, tap in taps(x, kernel, stride, dilation, (P, Q)):
        positions.append((i, j))
        assert tap.shape == (2, 3, P, Q)
        for p, q in np.ndindex(P, Q):
            seen = x[:, :, p * stride + i * dilation, q * stride + j * dilation]
            assert_array_equal(tap[:, :, p, q], seen)
    assert positions == list(np.ndindex(kernel))


@few
@given(windows())
def test_adding_into_the_taps_is_the_transpose_of_reading_them(window):
    x, (kernel, stride, dilation) = window
    out = output_shape(x, kernel, stride, 0, dilation)
    dseen = np.random.default_rng(1).standard_normal((*kernel, 2, 3, *out))
    dx, forward = np.zeros_like(x), 0
    for i, j, tap in taps(x, kernel, stride, dilation, out):
        forward += np.vdot(dseen[i, j], tap)
    for i, j, dtap in taps(dx, kernel, stride, dilation, out):
        dtap += dseen[i, j]
    assert_allclose(np.vdot(dx, x), forward, atol=1e-12)
