"""What every operation promises: its dtype follows x, it writes into nothing that it is given,
what it returns is its own, and it says what is wrong with what it is given.
"""

import inspect

import numpy as np
import pytest

from npnets import ops

DTYPES = [np.float16, np.float32, np.float64]
# How operations are to run
NO_OPERATIONS = {
    "memory_held", "release_memory", "reuse_memory", "thread_count", "use_kernels", "use_threads",
}  # fmt: skip

# The arguments of each operation: the shapes of its arrays, and its options. `labels` are given.
images, channels = (2, 4, 6, 5), (4,)
small, labels = (2, 3), np.array([0, 2])
pooled = {"kernel_size": 2, "stride": 1, "padding": 0}
CASES = {
    # images to images
    "conv2d": {"x": images, "weight": (6, 2, 3, 3), "bias": (6,), "groups": 2},
    "conv2d_backward": {"dy": (2, 6, 4, 3), "x": images, "weight": (6, 2, 3, 3), "groups": 2},
    "depthwise_conv2d": {"x": images, "weight": (4, 1, 3, 3), "bias": channels},
    "depthwise_conv2d_backward": {"dy": (2, 4, 4, 3), "x": images, "weight": (4, 1, 3, 3)},
    "pointwise_conv2d": {"x": images, "weight": (6, 4, 1, 1), "bias": (6,)},
    "pointwise_conv2d_backward": {"dy": (2, 6, 6, 5), "x": images, "weight": (6, 4, 1, 1)},
    "bias_backward": {"dy": images},
    "batch_norm": {"x": images, "gamma": channels, "beta": channels},
    "batch_norm_backward": {"dy": images, "x": images}
    | dict.fromkeys(("gamma", "mean", "var"), channels),
    "batch_norm_relu": {"x": images, "gamma": channels, "beta": channels},
    "batch_norm_relu_backward": {"dy": images, "x": images}
    | dict.fromkeys(("gamma", "beta", "mean", "var"), channels),
    "normalize": {"x": images} | dict.fromkeys(("gamma", "beta", "mean", "var"), channels),
    "normalize_backward": {"dy": images, "x": images}
    | dict.fromkeys(("gamma", "mean", "var"), channels),
    "max_pool2d": {"x": images, **pooled},
    "max_pool2d_backward": {"dy": (2, 4, 5, 4), "x": images, **pooled},
    "avg_pool2d": {"x": images, **pooled},
    "avg_pool2d_backward": {"dy": (2, 4, 5, 4), "x": images, **pooled},
    "global_avg_pool": {"x": images},
    "global_avg_pool_backward": {"dy": (2, 4), "x": images},
    "channel_shuffle": {"x": images, "groups": 2},
    "channel_shuffle_backward": {"dy": images, "groups": 2},
    "split": {"x": images, "channels": 1},
    "split_backward": {"da": images, "db": (2, 3, 6, 5)},
    "concat": {"a": images, "b": (2, 3, 6, 5)},
    "concat_backward": {"dy": images, "channels": 1},
    "concat_shuffle": {"a": images, "b": (2, 2, 6, 5), "groups": 3},
    "concat_shuffle_backward": {"dy": images, "groups": 2, "channels": 1},
    # any shape
    "add": {"a": images, "b": images},
    "relu": {"x": images},
    "relu_backward": {"dy": images, "y": images},
    "relu6": {"x": images},
    "relu6_backward": {"dy": images, "y": images},
    # one row per image
    "linear": {"x": small, "weight": (5, 3), "bias": (5,)},
    "linear_backward": {"dy": (2, 5), "x": small, "weight": (5, 3)},
    "softmax": {"logits": small},
    "cross_entropy": {"logits": small, "labels": labels, "label_smoothing": 0.1},
    "cross_entropy_backward": {"logits": small, "labels": labels, "label_smoothing": 0.1},
}
# Options with which an operation has nothing to do, and might hand x itself back.
IDLE = [
    ("channel_shuffle", {"groups": 1}),
    ("channel_shuffle", {"groups": 4}),
    ("channel_shuffle_backward", {"dy": images, "groups": 1}),
    ("max_pool2d", {"kernel_size": 1}),
    ("avg_pool2d", {"kernel_size": 1}),
    ("max_pool2d_backward", {"dy": images, "kernel_size": 1}),
    ("avg_pool2d_backward", {"dy": images, "kernel_size": 1}),
    ("conv2d", {"weight": (4, 4, 1, 1), "bias": channels, "groups": 1}),
    ("global_avg_pool", {"x": (2, 4, 1, 1)}),
    ("global_avg_pool_backward", {"x": (2, 4, 1, 1)}),
]
LEARNED = "weight", "bias", "gamma", "beta", "mean", "var"
every_op = pytest.mark.parametrize("name", sorted(CASES))
with_and_without_kernels = pytest.mark.parametrize("kernels", [False, True])


def arguments(case, dtype, **others):
    """Return the arguments by name; arrays of positive numbers, so that each can be a variance.

    `others` are dtypes of arrays, by name, if not that of x.
    """
    rng, drawn = np.random.default_rng(0), {}
    for name, value in case.items():
        if isinstance(value, tuple):
            value = rng.uniform(0.5, 1.5, value).astype(others.get(name, dtype))
        drawn[name] = value
    return drawn


def arrays(value):
    """Return the arrays among arguments or results."""
    values = value if isinstance(value, (tuple, list)) else [value]
    return [array for array in values if isinstance(array, (np.ndarray, np.floating))]


def run(name, given, kernels):
    if kernels and not ops.op.has_numba:
        pytest.skip("kernels need Numba")
    with ops.use_kernels(kernels):
        return getattr(ops, name)(**given)


def test_every_operation_has_a_case_with_all_its_arrays():
    assert set(CASES) == set(ops.__all__) - NO_OPERATIONS
    for name, case in CASES.items():
        signature = inspect.signature(getattr(ops, name))
        optional = {n for n, p in signature.parameters.items() if p.default is not p.empty}
        assert set(case) - optional == set(signature.parameters) - optional, name


@every_op
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_dtype_follows_x(name, dtype):
    results = arrays(getattr(ops, name)(**arguments(CASES[name], dtype)))
    assert {array.dtype for array in results} == {np.dtype(dtype)}


@every_op
@with_and_without_kernels
def test_the_dtype_follows_x_whatever_the_weights_are(name, kernels):
    given = arguments(CASES[name], np.float32, **dict.fromkeys(LEARNED, np.float64))
    assert {array.dtype for array in arrays(run(name, given, kernels))} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    "name", [name for name in sorted(CASES) if {"dy", "x"} <= set(CASES[name])]
)
@pytest.mark.parametrize(("dtype", "other"), [(np.float32, np.float64), (np.float16, np.float32)])
@with_and_without_kernels
def test_the_dtype_follows_x_whatever_dy_is(name, dtype, other, kernels):
    given = arguments(CASES[name], dtype, dy=other)
    assert {array.dtype for array in arrays(run(name, given, kernels))} == {np.dtype(dtype)}


@every_op
def test_nothing_is_written_into_what_is_given(name):
    given = arguments(CASES[name], np.float32)
    copies = arguments(CASES[name], np.float32)
    getattr(ops, name)(**given)
    for one, other in zip(
        arrays(list(given.values())), arrays(list(copies.values())), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@every_op
def test_what_is_given_may_be_read_only(name):
    given = arguments(CASES[name], np.float32)
    for array in arrays(list(given.values())):
        array.setflags(write=False)
    assert arrays(run(name, given, kernels=False))  # a kernel would be compiled anew for these


@pytest.mark.parametrize(
    ("name", "options"), [*((name, {}) for name in sorted(CASES)), *IDLE], ids=str
)
def test_what_is_returned_shares_no_memory_with_what_was_given(name, options):
    given = arguments(CASES[name] | options, np.float32)
    results = arrays(getattr(ops, name)(**given))
    for result in results:
        others = [a for a in arrays(list(given.values())) + results if a is not result]
        assert not any(np.shares_memory(result, other) for other in others)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        (name, array)
        for name in sorted(CASES)
        for array, shape in CASES[name].items()
        if isinstance(shape, tuple)
    ],
)
def test_a_list_is_no_array(name, array):
    given = arguments(CASES[name], np.float32)
    given[array] = given[array].tolist()
    with pytest.raises(ValueError, match="must"):
        getattr(ops, name)(**given)


@pytest.mark.parametrize("name", [name for name in sorted(CASES) if "x" in CASES[name]])
def test_whole_numbers_are_no_images(name):
    given = arguments(CASES[name], np.float32)
    given["x"] = given["x"].astype(np.uint8)
    with pytest.raises(ValueError, match=r"x must hold .* dtype uint8; convert it with \.astype"):
        getattr(ops, name)(**given)


@pytest.mark.parametrize("name", [name for name in sorted(CASES) if "x" in CASES[name]])
@pytest.mark.parametrize("shape", [(4, 6, 5), (2, 4, 6, 5, 1), (4,), ()])
def test_images_have_four_axes(name, shape):
    given = arguments(CASES[name] | {"x": shape}, np.float32)
    if name in ("relu", "relu6"):
        assert getattr(ops, name)(**given).shape == shape
    else:
        with pytest.raises(ValueError, match=r"x must (be an array of|have) shape \(N, .*, got"):
            getattr(ops, name)(**given)
