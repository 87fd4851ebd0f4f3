"""Random convolutions for the chapters, what convicts an error, and how memory is counted."""

import numpy as np
import pytest

from npnets import ops
from npnets.tutorials import cases, draw


def turned(x, weight, **options):
    return ops.conv2d(x, weight[..., ::-1, ::-1], **options)


def test_cases_vary_and_all_can_be_convolved():
    rng = np.random.default_rng(0)
    drawn = [cases.convolution(rng) for _ in range(60)]
    shapes = [ops.conv2d(x, weight, **options).shape for x, weight, options in drawn]
    assert {options["stride"] for _, _, options in drawn} == {1, 2, 3}
    assert {options["padding"] for _, _, options in drawn} == {0, 1, 2}
    assert {options["groups"] for _, _, options in drawn} == {1, 2, 3}
    assert {weight.shape[2] for _, weight, _ in drawn} == {1, 2, 3}
    assert any(x.shape[2] != x.shape[3] for x, _, _ in drawn)
    assert min(min(shape) for shape in shapes) >= 1


def test_what_is_fixed_is_so_and_the_rest_is_as_it_was():
    x, weight, options = cases.convolution(np.random.default_rng(1), K=2, N=5, stride=3)
    other, *_, free = cases.convolution(np.random.default_rng(1))
    assert weight.shape[2:] == (2, 2)
    assert len(x) == 5
    assert options == free | {"stride": 3}
    assert x.shape[1:] == other.shape[1:]


def test_an_unknown_size_is_refused():
    with pytest.raises(ValueError, match=r"fixed must be of N, wide, H, .* got kernel"):
        cases.convolution(np.random.default_rng(0), kernel=3)


def test_convictions_count_the_cases_that_tell():
    rng = np.random.default_rng(2)
    tests = {
        "K 1": [cases.convolution(rng, K=1) for _ in range(5)],
        "K 3": [cases.convolution(rng, K=3) for _ in range(5)],
    }
    found = cases.convictions({"none": ops.conv2d, "turned": turned}, tests, ops.conv2d)
    assert found == {"K 1": [0, 0], "K 3": [0, 5]}


def test_results_are_alike_only_in_shape_and_value():
    one = np.ones((2, 3))
    assert cases.alike(one, one + 1e-12)
    assert cases.alike((one, one), (one, one))
    assert not cases.alike(one, one + 1e-3)
    assert not cases.alike(one, one[:1])  # which NumPy would broadcast
    assert not cases.alike((one, one), (one,))
    assert not cases.alike((one, one), (one, 2 * one))


def test_upstream_has_the_shape_of_the_output_and_is_drawn():
    rng = np.random.default_rng(3)
    convolutions = [cases.convolution(rng) for _ in range(3)]
    for (dy, x, weight, options), case in zip(
        cases.with_upstream(rng, convolutions), convolutions, strict=True
    ):
        assert dy.shape == ops.conv2d(x, weight, **options).shape
        assert abs(dy).max() > 0.1
        assert case[0] is x


def test_allocated_is_what_was_held_at_once():
    array, most = cases.allocated(lambda: np.zeros(10**6))
    view, little = cases.allocated(lambda: array[::2])
    assert 8e6 <= most < 8.1e6
    assert little < 1e5
    assert np.shares_memory(view, array)


def test_a_tint_is_a_colour_and_none_is_an_empty_square():
    figure, axes = draw.figure()
    draw.tinted(axes, [[1, 2, 3]], [[0, 1, -1]], "x", rows="a", columns="bcd")
    light, dark, empty = axes.patches
    assert sum(light.get_facecolor()[:3]) > sum(dark.get_facecolor()[:3])
    assert empty.get_facecolor()[:3] == (1, 1, 1)
    assert empty.get_linestyle() == ":"
    assert [text.get_text() for text in axes.texts] == ["1", "2", "3", "a", "b", "c", "d"]
