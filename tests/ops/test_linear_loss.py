"""The fully connected layer, and the loss that training starts from."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from npnets import ops

few = settings(max_examples=20, deadline=None, derandomize=True)
sizes = st.integers(1, 5)
smoothings = st.sampled_from([0.0, 0.1, 0.5])


def normal(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


@st.composite
def predictions(draw):
    """Return logits and labels of a few images."""
    N, classes = draw(sizes), draw(sizes)
    rng = np.random.default_rng(draw(st.integers(0, 9)))
    return 3 * rng.standard_normal((N, classes)), rng.integers(classes, size=N)


# Fully connected


def test_linear_by_hand():
    x, weight = np.array([[1.0, 2, 3]]), np.array([[1.0, 0, 0], [0, 1, 10]])
    assert_array_equal(ops.linear(x, weight, np.array([100.0, 200])), [[101, 232]])


@few
@given(sizes, sizes, sizes)
def test_linear_is_a_pointwise_convolution_of_one_pixel(N, I, O):
    x, weight, bias, dy = normal((N, I), (O, I), (O,), (N, O))
    pixel, filters, dpixel = (array[:, :, None, None] for array in (x, weight, dy))
    y = ops.pointwise_conv2d(pixel, filters, bias)
    assert_allclose(ops.linear(x, weight, bias), y[:, :, 0, 0], atol=1e-12)
    dx, dweight, dbias = ops.linear_backward(dy, x, weight)
    expected = *ops.pointwise_conv2d_backward(dpixel, pixel, filters), ops.bias_backward(dpixel)
    for found, array in zip((dx, dweight, dbias), expected, strict=True):
        assert_allclose(found, array.reshape(found.shape), atol=1e-12)


@few
@given(sizes, sizes, sizes)
def test_backward_of_linear_is_its_transpose(N, I, O):
    x, weight, bias, dy = normal((N, I), (O, I), (O,), (N, O))
    dx, dweight, dbias = ops.linear_backward(dy, x, weight)
    without = np.vdot(dy, ops.linear(x, weight, np.zeros(O)))
    assert_allclose([np.vdot(dx, x), np.vdot(dweight, weight)], without, atol=1e-12)
    assert_allclose(np.vdot(dbias, bias) + without, np.vdot(dy, ops.linear(x, weight, bias)))


# Softmax cross-entropy


@pytest.mark.parametrize("classes", [1, 2, 10, 1000])
@pytest.mark.parametrize("logit", [0.0, -3.0, 1e6])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_network_that_knows_nothing_has_a_loss_of_log_classes(classes, logit, smoothing):
    logits, labels = np.full((4, classes), logit), np.arange(4) % classes
    assert_allclose(ops.cross_entropy(logits, labels, smoothing), math.log(classes), atol=1e-12)


@few
@given(predictions(), smoothings)
def test_cross_entropy_is_its_definition(case, smoothing):
    logits, labels = case
    N, classes = logits.shape
    loss = 0.0
    for n in range(N):
        total = sum(math.exp(logit) for logit in logits[n])
        for k in range(classes):
            target = (1 - smoothing) * (k == labels[n]) + smoothing / classes
            loss -= target * math.log(math.exp(logits[n, k]) / total) / N
    assert_allclose(ops.cross_entropy(logits, labels, smoothing), loss, atol=1e-12)


def test_label_smoothing_by_hand():
    logits, labels = np.log([[0.5, 0.25, 0.25]]), [0]
    losses = [ops.cross_entropy(logits, labels, smoothing) for smoothing in (0, 0.3)]
    assert_allclose(losses / np.log(2), [1, 0.8 * 1 + 0.1 * 2 + 0.1 * 2])  # in bits
    dlogits = ops.cross_entropy_backward(logits, labels, label_smoothing=0.3)
    assert_allclose(dlogits, [[0.5 - 0.8, 0.25 - 0.1, 0.25 - 0.1]])


@few
@given(predictions(), smoothings, st.sampled_from([-1e4, 1.0, 1e4]))
def test_a_shift_of_all_logits_of_an_image_changes_nothing(case, smoothing, shift):
    logits, labels = case
    loss = ops.cross_entropy(logits, labels, smoothing)
    assert_allclose(ops.cross_entropy(logits + shift, labels, smoothing), loss, atol=1e-10)
    dlogits = ops.cross_entropy_backward(logits, labels, smoothing)
    assert_allclose(dlogits.sum(axis=1), 0, atol=1e-12)  # so there is no slope in that direction


@few
@given(predictions(), smoothings)
def test_backward_is_what_was_said_less_what_should_have_been_said(case, smoothing):
    logits, labels = case
    N, classes = logits.shape
    target = (1 - smoothing) * np.eye(classes)[labels] + smoothing / classes
    expected = (ops.softmax(logits) - target) / N
    assert_allclose(ops.cross_entropy_backward(logits, labels, smoothing), expected, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_logits_stay_finite(dtype):
    huge = np.finfo(dtype).max / 4
    logits = np.array([[huge, -huge, 0], [-huge, huge, 0]], dtype)
    assert_allclose(ops.softmax(logits), [[1, 0, 0], [0, 1, 0]])
    assert ops.cross_entropy(logits, [0, 1]) == 0
    assert ops.cross_entropy(logits, [0, 0]) == huge
    assert_array_equal(ops.cross_entropy_backward(logits, [0, 0]), [[0, 0, 0], [-0.5, 0.5, 0]])


def test_softmax_sums_to_one_and_keeps_the_order():
    (logits,) = normal((5, 7))
    probabilities = ops.softmax(logits)
    assert_allclose(probabilities.sum(axis=1), 1)
    assert_array_equal(probabilities.argsort(axis=1), logits.argsort(axis=1))


def test_the_loss_is_the_mean_over_images():
    (logits,) = normal((3, 4))
    labels = np.array([0, 3, 3])
    each = [ops.cross_entropy(logits[n : n + 1], labels[n : n + 1]) for n in range(3)]
    assert_allclose(ops.cross_entropy(logits, labels), np.mean(each))


# Bad input


@pytest.mark.parametrize(
    ("x", "weight", "bias", "message"),
    [
        ((2, 4), (5, 3), (5,), r"x must have shape \(N, 3\), got \(2, 4\)"),
        ((2, 3, 1), (5, 3), (5,), r"x must have shape \(N, 3\), got \(2, 3, 1\)"),
        ((3,), (5, 3), (5,), r"x must have shape \(N, 3\), got \(3,\)"),
        ((2, 3), (5, 3, 1), (5,), r"weight must have shape \(O, I\), got \(5, 3, 1\)"),
        ((2, 3), (5, 3), (3,), r"bias must have shape \(5,\), got \(3,\)"),
        ((2, 3), (5, 3), (1, 5), r"bias must have shape \(5,\), got \(1, 5\)"),
    ],
)
def test_linear_wants_shapes_that_fit(x, weight, bias, message):
    with pytest.raises(ValueError, match=message):
        ops.linear(np.ones(x), np.ones(weight), np.ones(bias))


@pytest.mark.parametrize("shape", [(3, 5), (2, 3), (5,), (2, 5, 1)])
def test_dy_of_linear_wants_the_shape_of_y(shape):
    with pytest.raises(ValueError, match=r"dy must have shape \(2, 5\), got"):
        ops.linear_backward(np.ones(shape), np.ones((2, 3)), np.ones((5, 3)))


LOSSES = pytest.mark.parametrize("op", [ops.cross_entropy, ops.cross_entropy_backward])


@LOSSES
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 3], r"labels must lie in 0 … 2, got 0 … 3"),
        ([-1, 0], r"labels must lie in 0 … 2, got -1 … 0"),
        ([0.0, 1.0], "labels must be integers, got float64"),
        ([True, False], "labels must be integers, got bool"),
        ([0], r"labels must have shape \(2,\), got \(1,\)"),
        ([0, 1, 2], r"labels must have shape \(2,\), got \(3,\)"),
        ([[0], [1]], r"labels must have shape \(2,\), got \(2, 1\)"),
        (1, r"labels must have shape \(2,\), got \(\)"),
    ],
)
def test_labels_are_one_class_per_image(op, labels, message):
    with pytest.raises(ValueError, match=message):
        op(np.zeros((2, 3)), labels)


@LOSSES
@pytest.mark.parametrize("smoothing", [-0.1, 1.0, 2, math.nan])
def test_label_smoothing_lies_from_0_to_below_1(op, smoothing):
    with pytest.raises(ValueError, match=r"label_smoothing must lie in \[0, 1\), got"):
        op(np.zeros((2, 3)), [0, 1], smoothing)


@LOSSES
@pytest.mark.parametrize("shape", [(2,), (2, 3, 1), (0, 3), (2, 0)])
def test_logits_are_one_row_per_image(op, shape):
    with pytest.raises(ValueError, match=r"logits must have shape \(N, classes\), got"):
        op(np.zeros(shape), np.zeros(shape[:1], int))


@LOSSES
@pytest.mark.parametrize("wrong", [[[0.0, 1.0]], np.zeros((1, 2), int)])
def test_logits_are_floating_point_numbers(op, wrong):
    with pytest.raises(ValueError, match="logits must hold floating-point numbers, got"):
        op(wrong, [0])
