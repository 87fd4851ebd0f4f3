"""Passes over memory that have been joined do what each of them does alone."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from npnets import ops
from npnets.blocks import ConvNormAct, conv_norm_act, depthwise_norm_act
from npnets.layers import Buffer, ReLU, ReLU6

needs_numba = pytest.mark.skipif(not ops.op.has_numba, reason="Numba cannot be imported")
TOLERANCE = {np.float32: 1e-5, np.float64: 1e-10}
UNITS = {
    "3 × 3": lambda act: conv_norm_act(4, 6, 3, act=act),
    "3 × 3, stride 2": lambda act: conv_norm_act(4, 6, 3, stride=2, act=act),
    "1 × 1": lambda act: conv_norm_act(4, 6, act=act),
    "1 × 1, groups": lambda act: conv_norm_act(4, 6, groups=2, act=act),
    "1 × 1, stride 2": lambda act: conv_norm_act(4, 6, stride=2, act=act),
    "3 × 3, groups": lambda act: conv_norm_act(4, 6, 3, groups=2, act=act),
    "depthwise": lambda act: depthwise_norm_act(4, act=act),
    "depthwise, 5 × 5, stride 2": lambda act: depthwise_norm_act(4, 5, stride=2, act=act),
}
every_unit = pytest.mark.parametrize("make", UNITS.values(), ids=UNITS)
every_act = pytest.mark.parametrize("act", [ReLU, ReLU6])
every_dtype = pytest.mark.parametrize("dtype", TOLERANCE)


def build(make, act, dtype):
    """Return a unit whose numbers are cut off at either end of ReLU6."""
    rng, unit = np.random.default_rng(0), make(act)
    for name, parameter in unit.parameters().items():
        parameter.value = rng.normal(2 if "norm" in name else 0, 3, parameter.value.shape)
    return unit.astype(dtype)


def inputs(unit, dtype, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(1, 2, (3, 4, 9, 7)).astype(dtype)
    return x, rng.normal(0, 1, unit.forward(x).shape).astype(dtype)


def one_pass(unit, x, dy, forward, backward):
    """Return all that a training pass makes, with kernels in either direction or not."""
    with ops.use_kernels(forward):
        y = unit.forward(x)
    with ops.use_kernels(backward):
        dx = unit.backward(dy)
    gradients = {name: parameter.grad for name, parameter in unit.parameters().items()}
    statistics = {name: buffer.value.copy() for name, buffer in unit.parts(Buffer)}
    return {"y": y, "dx": dx, **gradients, **statistics}


def assert_close(found, expected, dtype):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype == dtype, name
        tolerance = TOLERANCE[dtype] * max(1, abs(array).max())
        np.testing.assert_allclose(found[name], array, rtol=0, atol=tolerance, err_msg=name)


@needs_numba
@every_unit
@every_act
@every_dtype
@pytest.mark.parametrize(
    ("forward", "backward"), [(True, True), (True, False), (False, True)],
    ids=["kernels", "kernels forward", "kernels backward"],
)  # fmt: skip
def test_joined_and_layered_passes_agree(make, act, dtype, forward, backward):
    layered, joined = build(make, act, dtype), build(make, act, dtype)
    assert isinstance(joined, ConvNormAct)
    x, dy = inputs(build(make, act, dtype), dtype)
    before = x.copy(), dy.copy()
    for _ in range(2):  # the second pass starts from what the first has tracked
        expected = one_pass(layered, x, dy, False, False)
        assert_close(one_pass(joined, x, dy, forward, backward), expected, dtype)
    y = expected["y"]
    assert (y == 0).any(), "something is cut off"
    assert (y > 6).any() if act is ReLU else (y == 6).any()
    assert_array_equal(x, before[0])
    assert_array_equal(dy, before[1])


class LayerRan(Exception):
    pass


def alarm(*_):
    raise LayerRan


@needs_numba
@every_act
def test_with_kernels_the_activation_has_no_pass_of_its_own(act):
    unit = build(UNITS["1 × 1"], act, np.float32)
    x, dy = inputs(unit, np.float32)
    unit.act.forward = unit.act.backward = alarm
    with ops.use_kernels(True):
        unit.forward(x)
        unit.backward(dy)
        with pytest.raises(LayerRan):
            unit.eval().forward(x)
    with ops.use_kernels(False), pytest.raises(LayerRan):
        unit.train().forward(x)


@needs_numba
def test_half_precision_goes_layer_by_layer():
    unit = build(UNITS["1 × 1"], ReLU, np.float16)
    x, dy = inputs(unit, np.float16)
    with ops.use_kernels(True):
        y, dx = unit.forward(x), unit.backward(dy)
    assert y.dtype == dx.dtype == np.float16
    layered = build(UNITS["1 × 1"], ReLU, np.float16)
    with ops.use_kernels(False):
        assert_array_equal(layered.forward(x), y)
        assert_array_equal(layered.backward(dy), dx)


@every_unit
@pytest.mark.parametrize("kernels", [False, pytest.param(True, marks=needs_numba)])
def test_one_backward_for_each_forward(make, kernels):
    unit = build(make, ReLU, np.float32)
    x, dy = inputs(unit, np.float32)
    with ops.use_kernels(kernels):
        unit.forward(x)
        unit.backward(dy)
        assert all(layer._saved is None for layer in unit.layers().values())
        with pytest.raises(RuntimeError, match="has nothing to go back from"):
            unit.backward(dy)
        unit.eval().forward(x)
        with pytest.raises(RuntimeError, match="has nothing to go back from"):
            unit.backward(dy)


@needs_numba
@every_act
@pytest.mark.parametrize("folded", [False, True])
def test_inference_is_the_same_with_kernels(act, folded):
    unit = build(UNITS["3 × 3"], act, np.float64)
    x, dy = inputs(unit, np.float64)
    one_pass(unit, x, dy, True, True)
    unit = unit.fold() if folded else unit.eval()
    results = []
    for kernels in (False, True):
        with ops.use_kernels(kernels):
            results.append({"y": unit.forward(x)})
    assert_close(results[1], results[0], np.float64)


# Convolutions that end with a bias and an activation

CONVOLUTIONS = {
    "conv2d": (ops.conv2d, (2, 4, 7, 6), (6, 4, 3, 3), {"padding": 1}),
    "conv2d, stride 2": (ops.conv2d, (3, 4, 7, 6), (6, 4, 3, 3), {"padding": 1, "stride": 2}),
    "conv2d, groups": (ops.conv2d, (2, 4, 7, 6), (6, 2, 3, 3), {"padding": 1, "groups": 2}),
    "depthwise": (ops.depthwise_conv2d, (2, 4, 7, 6), (4, 1, 3, 3), {"padding": 1}),
    "depthwise, stride 2": (
        ops.depthwise_conv2d, (9, 4, 8, 8), (4, 1, 3, 3), {"padding": 1, "stride": 2},
    ),
    "depthwise, 5 × 5": (ops.depthwise_conv2d, (2, 4, 9, 9), (4, 1, 5, 5), {"dilation": 2}),
    "depthwise, large": (ops.depthwise_conv2d, (2, 4, 50, 60), (4, 1, 3, 3), {"padding": 1}),
    "pointwise": (ops.pointwise_conv2d, (2, 4, 7, 6), (6, 4, 1, 1), {}),
    "pointwise, groups": (ops.pointwise_conv2d, (2, 4, 7, 6), (6, 2, 1, 1), {"groups": 2}),
    "pointwise, joined": (ops.pointwise_conv2d, (19, 4, 3, 2), (6, 4, 1, 1), {}),
    "pointwise, joined groups": (ops.pointwise_conv2d, (9, 6, 3, 2), (3, 2, 1, 1), {"groups": 3}),
    "pointwise, by pixels": (ops.pointwise_conv2d, (1, 4, 40, 30), (6, 4, 1, 1), {}),
    "pointwise, by outputs": (ops.pointwise_conv2d, (2, 4, 5, 5), (300, 4, 1, 1), {}),
    "pointwise, many images": (ops.pointwise_conv2d, (17, 4, 12, 12), (6, 4, 1, 1), {}),
}  # fmt: skip
every_convolution = pytest.mark.parametrize("case", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
every_way = pytest.mark.parametrize("way", ["definition", pytest.param("fast", marks=needs_numba)])


def arguments(case, dtype, *, bias=True):
    """Return the operation, its arrays and its options."""
    operation, x, weight, options = case
    rng = np.random.default_rng(0)
    arrays = [rng.normal(1, 2, x), rng.normal(0, 1, weight)]
    arrays += [rng.normal(0, 3, weight[0])] if bias else []
    return operation, [array.astype(dtype) for array in arrays], options


@every_convolution
@every_way
@every_dtype
@pytest.mark.parametrize("bias", [False, True], ids=["no bias", "bias"])
def test_a_ceiling_is_an_activation(case, way, dtype, bias, monkeypatch):
    monkeypatch.setattr(ops.threads, "SMALL", 0)
    operation, arrays, options = arguments(case, dtype, bias=bias)
    convolve = getattr(operation, way)
    plain = convolve(*arrays, **options)
    assert plain.min() < 0
    assert plain.max() > 6
    for ceiling, expected in (
        (None, plain),
        (np.inf, ops.relu.definition(plain)),
        (6, ops.relu6.definition(plain)),
        (0.5, np.clip(plain, 0, dtype(0.5))),
    ):
        y = convolve(*arrays, **options, ceiling=ceiling)
        assert y.dtype == dtype
        assert_array_equal(y, expected)


@every_convolution
@every_dtype
def test_a_bias_is_added_to_each_output_channel(case, dtype):
    operation, (x, weight, bias), options = arguments(case, dtype)
    expected = operation.definition(x, weight, **options) + bias[:, None, None]
    found = operation(x, weight, bias, **options)
    assert_close({"y": found}, {"y": expected}, dtype)


@needs_numba
@every_convolution
@pytest.mark.parametrize("ceiling", [np.inf, 6])
def test_definition_and_kernel_end_alike(case, ceiling):
    operation, arrays, options = arguments(case, np.float64)
    expected = operation.definition(*arrays, **options, ceiling=ceiling)
    found = operation.fast(*arrays, **options, ceiling=ceiling)
    assert_close({"y": found}, {"y": expected}, np.float64)


@every_convolution
@every_way
def test_what_is_not_a_number_stays_so(case, way):
    operation, arrays, options = arguments(case, np.float32)
    arrays[0][0, 1] = np.nan
    convolve = getattr(operation, way)
    plain = convolve(*arrays, **options)
    assert np.isnan(plain).any()
    y = convolve(*arrays, **options, ceiling=6)
    assert_array_equal(np.isnan(y), np.isnan(plain))


@every_convolution
@every_way
def test_a_bias_of_another_length_is_refused(case, way):
    operation, (x, weight, bias), options = arguments(case, np.float32)
    with pytest.raises(ValueError, match=rf"bias must have shape \({len(bias)},\)"):
        getattr(operation, way)(x, weight, bias[1:], **options, ceiling=6)
