"""The inverted residual in parts is the inverted residual."""

import numpy as np
import pytest

from npnets import ops
from npnets.cost import in_parts, inner_elements
from npnets.init import initialize
from npnets.nets.mobilenet_v2 import InvertedResidual
from npnets.ops.op import watch

CASES = [
    # in, out, stride, expansion
    (16, 16, 1, 6),  # with a shortcut
    (16, 24, 2, 6),
    (32, 16, 1, 1),  # without an expansion
    (8, 8, 1, 1),
]
cases = pytest.mark.parametrize(("C", "O", "stride", "expansion"), CASES)


def unit_of(C, O, stride, expansion):
    """Return a unit whose batch norms have learned something, in float64."""
    unit, rng = (
        InvertedResidual(C, O, stride=stride, expansion=expansion),
        np.random.default_rng(1),
    )
    initialize(unit, 0)
    unit = unit.astype(np.float64).eval()
    state = unit.state()
    for name, array in state.items():
        if array.ndim == 1:
            offset = 1 if name.endswith(("gamma", "running_var")) else 0
            state[name] = offset + rng.uniform(-0.5, 0.5, array.shape)
    return unit.load_state(state)


@cases
@pytest.mark.parametrize("folded", [False, True])
def test_equal_for_any_number_of_parts(C, O, stride, expansion, folded):
    unit = unit_of(C, O, stride, expansion)
    unit = unit.fold() if folded else unit
    x = np.random.default_rng(0).standard_normal((2, C, 7, 6))
    y, E = unit.forward(x), C * expansion
    for parts in sorted({1, 2, 3, 5, 6, E // 2, E}):
        close = in_parts(unit, x, parts)
        assert np.abs(close - y).max() <= 1e-12 * np.abs(y).max()
        assert close.dtype == y.dtype


def multiply_adds(run):
    """Run, and count the multiply-adds of all operations, for real arrays."""
    total = 0

    def count(name, arguments, result, seconds):
        nonlocal total
        if name in ("pointwise_conv2d", "depthwise_conv2d", "conv2d"):
            total += result.size * arguments["weight"][0].size

    with watch(count):
        run()
    return total


@cases
def test_as_many_multiply_adds(C, O, stride, expansion):
    unit, x = unit_of(C, O, stride, expansion), np.zeros((1, C, 8, 6))
    whole = multiply_adds(lambda: unit.forward(x))
    assert whole > 0
    for parts in (1, 3, C * expansion):
        assert multiply_adds(lambda parts=parts: in_parts(unit, x, parts)) == whole


@pytest.mark.parametrize("parts", [1, 2, 5, 96])
def test_inner_elements_are_those_of_the_largest_expansion(parts):
    unit, x = unit_of(16, 24, 2, 6), np.zeros((1, 16, 8, 6))
    largest = 0

    def look(name, arguments, result, seconds):
        nonlocal largest
        if name == "depthwise_conv2d":
            largest = max(largest, arguments["x"].size)

    with ops.use_kernels(False), watch(look):
        in_parts(unit, x, parts)
    assert inner_elements(unit, (16, 8, 6), parts) == largest == -(-96 // parts) * 48


def test_a_unit_of_mobilenet_v2():
    """64 channels, 384 inside, 14 × 14: in 96 parts the inner tensor is 1/96."""
    unit = InvertedResidual(64, 64, stride=1, expansion=6)
    assert inner_elements(unit, (64, 14, 14), 1) == 75264
    assert inner_elements(unit, (64, 14, 14), 96) == 784


def test_what_is_not_for_parts():
    unit, x = unit_of(4, 4, 1, 2), np.zeros((1, 4, 3, 3))
    with pytest.raises(ValueError, match="parts must be at most the 8 channels inside, got 9"):
        in_parts(unit, x, 9)
    with pytest.raises(ValueError, match="parts must be an int of at least 1, got 0"):
        in_parts(unit, x, 0)
    with pytest.raises(ValueError, match="must be in eval mode"):
        in_parts(unit.train(), x, 2)


def test_the_unit_is_left_as_it_was():
    unit = unit_of(4, 4, 1, 2)
    state = unit.state()
    in_parts(unit, np.ones((1, 4, 3, 3)), 3)
    assert all(np.array_equal(array, state[name]) for name, array in unit.state().items())
