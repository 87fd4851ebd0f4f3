"""The gradient check itself on trial: it must acquit what is right, and convict what is wrong."""

import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from npnets import ops
from npnets.gradcheck import check


def normal(*shape):
    """Return numbers drawn with a seed of their own."""
    return np.random.default_rng(5).standard_normal(shape)


def square(x):
    return x**2


def square_backward(dy, x):
    return 2 * x * dy


def relu_backward(dy, x):
    return ops.relu_backward(dy, ops.relu(x))


def pool(x):
    return ops.max_pool2d(x, 2)


def pool_backward(dy, x):
    return ops.max_pool2d_backward(dy, x, 2)


def add(a, b):
    return a + b


# What is right is acquitted


RIGHT = {
    "square": (square, square_backward, {"x": (3, 4)}),
    "one number": (square, square_backward, {"x": ()}),
    "sum": (lambda x: x.sum(), lambda dy, x: np.full(x.shape, dy), {"x": (2, 3, 4)}),
    "matrix product": (
        lambda a, b: a @ b,
        lambda dy, a, b: (dy @ b.T, a.T @ dy),
        {"a": (3, 4), "b": (4, 2)},
    ),
    "conv2d": (ops.conv2d, ops.conv2d_backward, {"x": (2, 3, 5, 6), "weight": (4, 3, 3, 3)}),
    "relu": (ops.relu, relu_backward, {"x": (2, 3, 4, 5)}),
    "max_pool2d": (pool, pool_backward, {"x": (2, 3, 4, 6)}),
}


@pytest.mark.parametrize(("forward", "backward", "shapes"), RIGHT.values(), ids=RIGHT)
def test_what_is_right_is_acquitted(forward, backward, shapes):
    arrays = {name: normal(*shape) for name, shape in shapes.items()}
    report = check(forward, backward, arrays)
    assert report.ok
    assert report.max_relative_error < 1e-9
    assert report.kinks == 0
    assert report.verdict.startswith("RIGHT: ")


def test_float32_is_taken_in_float64():
    arrays = {"x": normal(3, 4).astype(np.float32)}
    assert check(square, square_backward, arrays).max_relative_error < 1e-9


def test_a_gradient_may_be_left_out():
    report = check(add, lambda dy, a, b: {"b": dy}, {"a": normal(3), "b": normal(3)})
    assert [finding.argument for finding in report.findings] == ["b"]
    assert report.ok


def test_a_strong_curvature_is_no_error():
    """The slope of sin kx over a step of h is off by (kh)²/6: here by 1.15 tolerances."""
    report = check(
        lambda x: np.sin(83 * x),
        lambda dy, x: 83 * np.cos(83 * x) * dy,
        {"x": [1.0]},
        upstream=[1],
    )
    assert "WRONG" not in report.verdict


# What is wrong is convicted


def test_one_wrong_coordinate_in_a_thousand_shows_in_a_random_direction():
    def backward(dy, x):
        dx = square_backward(dy, x)
        dx[3, 5, 8] *= 2
        return dx

    report = check(square, backward, {"x": normal(10, 10, 10)}, coordinates=0)
    assert not report.ok
    assert report.findings[0].tried == 1
    assert report.worst.where == "direction 1"
    assert report.max_relative_error > 100 * report.tolerance


def test_only_the_chosen_coordinates_are_tried():
    def backward(dy, x):
        dx = square_backward(dy, x)
        dx[1, 2] += 1
        return dx

    def checked(*coordinates):
        return check(square, backward, {"x": normal(3, 4)}, coordinates=coordinates, directions=0)

    assert checked((0, 0), (2, 1)).ok
    assert checked((0, 0), (2, 1)).findings[0].tried == 2
    assert not checked((0, 0), (1, 2)).ok
    assert checked((0, 0), (1, 2)).worst.where == "[1, 2]"


@pytest.mark.parametrize(
    ("dx", "note"),
    [
        (lambda x: x.T, r"has shape \(4, 3\), and must have \(3, 4\)"),
        (lambda x: x[:, :1], r"has shape \(3, 1\), and must have \(3, 4\)"),
        (lambda x: 1.0, r"has shape \(\), and must have \(3, 4\)"),
        (lambda x: np.where(x < 0, np.nan, x), "is not finite"),
        (lambda x: np.where(x < 0, np.inf, x), "is not finite"),
    ],
)
def test_a_gradient_of_another_shape_or_not_finite(dx, note):
    report = check(square, lambda dy, x: dx(x), {"x": normal(3, 4)})
    assert not report.ok
    assert report.max_relative_error == np.inf
    assert re.match(f"WRONG: the gradient of x at every coordinate: .*{note}", report.verdict)


def test_writing_into_what_was_given_is_convicted():
    def into_dy(dy, x):
        dy *= 2 * x
        return dy

    def into_x(dy, x):
        x *= 2 * dy
        return x

    def forward_into_x(x):
        x *= x
        return x.copy()

    for backward, name in ((into_dy, "dy"), (into_x, "x")):
        report = check(square, backward, {"x": normal(3, 4)})
        assert not report.ok
        assert report.written == (name,)
        assert report.verdict == f"WRONG: a pass wrote into {name}."
    assert check(forward_into_x, square_backward, {"x": normal(3, 4)}).written == ("x",)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_forward_that_is_not_finite_acquits_nobody(value):
    def forward(x):
        y = square(x)
        y[0, 0] = value
        return y

    with np.errstate(all="ignore"):
        report = check(forward, lambda dy, x: 17 * dy, {"x": normal(3, 4)})
    assert not report.ok


def test_dy_is_not_x_where_both_are_drawn_with_the_same_seed():
    x = np.random.default_rng(0).standard_normal((3, 4))
    assert not check(ops.relu, lambda dy, x: dy * (dy > 0), {"x": x}, rng=0).ok


def test_the_sum_of_y_hides_what_a_random_dy_shows():
    """Batch norm: the sum of y does not depend on x, and a dx of zero would do."""

    def forward(x):
        return ops.batch_norm(x, np.array([2.0, 3]), np.array([1.0, -1]))[0]

    arrays = {"x": normal(3, 2, 4, 2)}
    assert check(forward, lambda dy, x: 0 * dy, arrays, upstream="ones").ok
    assert not check(forward, lambda dy, x: 0 * dy, arrays).ok


# Kinks


def test_a_kink_within_the_step_is_left_out_and_counted():
    x = normal(4, 5)
    x[1, 2] = 1e-6
    report = check(ops.relu, relu_backward, {"x": x})
    assert report.ok
    assert report.kinks >= 1
    assert f"; {report.kinks} that crossed a kink were left out." in report.verdict
    at_kink = check(ops.relu, relu_backward, {"x": x}, coordinates=[(1, 2)], directions=0)
    assert (at_kink.findings[0].tried, at_kink.findings[0].kinks) == (0, 1)


@pytest.mark.parametrize("mask", [-0.3, 0.3])
def test_a_wrong_backward_is_not_excused_as_a_kink(mask):
    report = check(ops.relu, lambda dy, x: dy * (x > mask), {"x": normal(4, 5)})
    assert not report.ok
    assert report.kinks == 0
    assert report.max_relative_error > 0.5


def test_a_near_tie_in_a_maximum_is_a_kink():
    x = normal(1, 2, 4, 4)
    x[0, 0, :2, :2] = 9, 9 + 1e-7
    report = check(pool, pool_backward, {"x": x}, coordinates=[(0, 0, 0, 0), (0, 0, 1, 1)])
    assert report.kinks >= 2
    assert check(pool, pool_backward, {"x": x}).ok


def test_where_kinks_leave_too_little_nothing_is_proven():
    report = check(ops.relu, relu_backward, {"x": np.full((2, 3), 1e-9)}, step=10)
    assert not report.ok
    assert report.unproven == ["x"]
    assert report.verdict.startswith("NOT PROVEN: ")


# The report


def test_the_report_says_what_is_wrong_where_and_by_how_much():
    def backward(dy, a, b):
        return dy, np.where(np.arange(3) == 1, 3 * dy, dy)

    arrays = {"a": normal(3), "b": normal(3)}
    report = check(add, backward, arrays, upstream=[1, 2, 3], directions=0)
    assert not report.ok
    head, of_a, of_b, verdict = str(report).splitlines()
    assert head.split() == ["argument", "tried", "kinks", "worst", "error", "at"]
    assert of_a.split()[:3] == ["a", "3", "0"]
    assert of_b.split() == ["b", "3", "0", "6.7e-01", "[1]"]
    assert verdict == report.verdict
    assert verdict == (
        "WRONG: the gradient of b at [1]: backward says 6, the finite difference 2, "
        "a relative error of 6.7e-01."
    )


def test_the_same_seed_gives_the_same_report():
    def checked(rng):
        return check(square, square_backward, {"x": normal(20, 20)}, rng=rng)

    assert checked(3) == checked(3) != checked(4)
    assert checked(np.random.default_rng(3)) == checked(np.random.default_rng(3))


def test_dy_may_be_given():
    seen = []

    def backward(dy, x):
        seen.append(dy)
        return square_backward(dy, x)

    dy = np.arange(3.0)
    assert check(square, backward, {"x": normal(3)}, upstream=dy).ok
    assert_array_equal(seen, [dy])
    assert check(square, backward, {"x": normal(3)}, upstream="ones").ok
    assert_array_equal(seen[1], np.ones(3))


# What it is given wrong


@pytest.mark.parametrize("upstream", ["zeros", np.ones(4), np.ones((3, 1)), 1.0])
def test_upstream_is_random_or_ones_or_of_the_shape_of_y(upstream):
    with pytest.raises(ValueError, match="upstream must be"):
        check(square, square_backward, {"x": normal(3)}, upstream=upstream)


def test_a_gradient_for_each_argument():
    arrays = {"a": normal(3), "b": normal(3)}
    with pytest.raises(ValueError, match="a gradient for each of a, b, got 1"):
        check(add, lambda dy, a, b: dy, arrays)
    with pytest.raises(ValueError, match="a gradient for each of a, b, got 3"):
        check(add, lambda dy, a, b: (dy, dy, dy), arrays)
    with pytest.raises(ValueError, match=r"must give gradients of a, b, got \['a', 'c'\]"):
        check(add, lambda dy, a, b: {"a": dy, "c": dy}, arrays)
