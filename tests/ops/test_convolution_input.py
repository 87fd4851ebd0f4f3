"""What the convolutions are given wrong, and what they say about it."""

import re

import numpy as np
import pytest

from npnets import ops


def zeros(*shape):
    return np.zeros(shape, np.float32)


x = zeros(2, 6, 5, 5)
CONVOLUTIONS = [
    (ops.conv2d, zeros(4, 6, 3, 3)),
    (ops.depthwise_conv2d, zeros(6, 1, 3, 3)),
    (ops.pointwise_conv2d, zeros(4, 6, 1, 1)),
]
WINDOWED = CONVOLUTIONS[:2]
BACKWARD = [
    (ops.conv2d_backward, zeros(4, 6, 3, 3), (2, 4, 3, 3)),
    (ops.depthwise_conv2d_backward, zeros(6, 1, 3, 3), (2, 6, 3, 3)),
    (ops.pointwise_conv2d_backward, zeros(4, 6, 1, 1), (2, 4, 5, 5)),
]


@pytest.mark.parametrize(
    ("op", "shape", "options", "message"),
    [
        (ops.conv2d, (4, 5, 3, 3), {}, "weight must have 6 input channels per filter"),
        (ops.conv2d, (4, 6, 3, 3), {"groups": 2}, r"3 input .* \(6 channels in 2 groups\), got 6"),
        (ops.conv2d, (4, 1, 3, 3), {"groups": 4}, "the input's channels .* groups=4, got 6"),
        (ops.conv2d, (4, 2, 3, 3), {"groups": 3}, "the filters of weight .* groups=3, got 4"),
        (
            ops.conv2d,
            (4, 6, 3),
            {},
            r"weight must have shape \(O, C/groups, K, K\), got .*\(4, 6,",
        ),
        (ops.depthwise_conv2d, (5, 1, 3, 3), {}, r"one filter per channel, \(6, 1, K, K\), got"),
        (ops.depthwise_conv2d, (6, 2, 3, 3), {}, r"one filter per channel, \(6, 1, K, K\), got"),
        (ops.depthwise_conv2d, (6, 3, 3), {}, r"weight must have shape \(O, C/groups, K, K\)"),
        (ops.pointwise_conv2d, (4, 6, 3, 3), {}, r"pointwise, \(O, C/groups, 1, 1\), got"),
        (ops.pointwise_conv2d, (4, 6, 1, 2), {}, r"pointwise, \(O, C/groups, 1, 1\), got"),
        (ops.pointwise_conv2d, (4, 6), {}, r"weight must have shape \(O, C/groups, K, K\)"),
        (ops.pointwise_conv2d, (4, 2, 1, 1), {"groups": 3}, "the filters of weight"),
        (ops.pointwise_conv2d, (4, 1, 1, 1), {"groups": 4}, "the input's channels"),
    ],
)
def test_weights_of_another_shape(op, shape, options, message):
    with pytest.raises(ValueError, match=message):
        op(x, zeros(*shape), **options)


@pytest.mark.parametrize(("op", "weight"), CONVOLUTIONS)
@pytest.mark.parametrize("kind", [list, np.int64, bool])
def test_weights_that_are_no_array_of_floating_point_numbers(op, weight, kind):
    wrong = weight.tolist() if kind is list else weight.astype(kind)
    with pytest.raises(ValueError, match=f"weight must .* got .*{kind.__name__}"):
        op(x, wrong)


@pytest.mark.parametrize(("op", "weight"), CONVOLUTIONS)
@pytest.mark.parametrize("shape", [(1,), (7,), (1, 6), (6, 1, 1), ()])
def test_bias_wants_one_number_per_filter(op, weight, shape):
    message = re.escape(f"bias must have shape ({len(weight)},), got {shape}")
    with pytest.raises(ValueError, match=message):
        op(x, weight, zeros(*shape))


@pytest.mark.parametrize(("op", "weight"), WINDOWED)
@pytest.mark.parametrize("name", ["stride", "dilation"])
@pytest.mark.parametrize("wrong", [0, -1, 1.0, 1.5, True, (1, 1), None])
def test_stride_and_dilation_want_positive_ints(op, weight, name, wrong):
    with pytest.raises(ValueError, match=f"{name} must be an int of at least 1, got"):
        op(x, weight, **{name: wrong})


@pytest.mark.parametrize(("op", "weight"), WINDOWED)
@pytest.mark.parametrize("wrong", [-1, 0.5, True, (1, 1), (1, 1, 1), (0, 0, 0, -1)])
def test_padding_wants_one_int_or_four(op, weight, wrong):
    with pytest.raises(ValueError, match="padding must be an int"):
        op(x, weight, padding=wrong)


@pytest.mark.parametrize(("op", "weight"), WINDOWED)
@pytest.mark.parametrize("options", [{"dilation": 3}, {"padding": (0, 1, 3, 3), "dilation": 3}])
def test_a_kernel_larger_than_the_padded_image(op, weight, options):
    with pytest.raises(ValueError, match="the kernel spans 7 pixels, more than the padded image"):
        op(x, weight, **options)


@pytest.mark.parametrize("op", [ops.conv2d, ops.pointwise_conv2d])
@pytest.mark.parametrize("groups", [0, -2, 2.0, True])
def test_groups_want_a_positive_int(op, groups):
    with pytest.raises(ValueError, match="groups must be an int of at least 1, got"):
        op(x, zeros(4, 6, 1, 1), groups=groups)


@pytest.mark.parametrize(("op", "weight", "shape"), BACKWARD)
@pytest.mark.parametrize("axis", range(4))
def test_dy_wants_the_shape_of_y(op, weight, shape, axis):
    wrong = tuple(size + (a == axis) for a, size in enumerate(shape))
    with pytest.raises(ValueError, match=re.escape(f"dy must have shape {shape}, got {wrong}")):
        op(zeros(*wrong), x, weight)


@pytest.mark.parametrize("dy", [zeros(2, 3), zeros(3), [[[[1.0]]]], np.zeros((1, 1, 1, 1), int)])
def test_bias_backward_wants_images(dy):
    with pytest.raises(ValueError, match="dy must"):
        ops.bias_backward(dy)
