"""PyTorch as a witness: every operation, forward and backward, in float64.

Optional: pip install "npnets[parity]". To see the largest differences: pytest -s.
"""

import math

import numpy as np
import pytest

import npnets
from npnets import ops

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "npnets[parity]"')
import torch.nn.functional as F  # noqa: E402
from parity import agree, one_thread_and_a_summary, tensors  # noqa: E402, F401


@pytest.fixture(params=[True, False], ids=["kernels", "numpy"])
def kernels(request):
    if request.param:
        pytest.importorskip("numba", reason="kernels need Numba: pip install numba")
    with npnets.use_kernels(request.param):
        yield request.param


def integers(rng, low, high, size=None):
    """Return ints of low … high, both included."""
    drawn = rng.integers(low, high + 1, size)
    return int(drawn) if size is None else [int(n) for n in drawn]


def draw_image(rng, kernel, padding, dilation=1, channels=None):
    """Return a random x, (N, C, H, W), that has room for at least one window."""
    top, bottom, left, right = sides(padding)
    least = [dilation * (K - 1) + 1 for K in kernel]
    rooms = max(1, least[0] - top - bottom), max(1, least[1] - left - right)
    H, W = (integers(rng, room, room + 8) for room in rooms)
    channels = channels or integers(rng, 1, 6)
    return rng.standard_normal((integers(rng, 1, 3), channels, H, W))


def draw_padding(rng, most):
    return integers(rng, 0, most) if rng.random() < 0.5 else tuple(integers(rng, 0, most, 4))


def sides(padding):
    return (padding,) * 4 if isinstance(padding, int) else padding


def torch_pad(x, padding, value=0.0):
    top, bottom, left, right = sides(padding)
    return F.pad(x, (left, right, top, bottom), value=value)


# Convolutions: for each kind 10 seeds of 10 configurations, with kernels and without. Windows have
# up to 5 × 5 taps and need not be square; the four sides of the padding may differ.

CONVOLUTIONS = {
    "conv": (ops.conv2d, ops.conv2d_backward, ("stride", "padding", "dilation", "groups")),
    "depthwise": (
        ops.depthwise_conv2d, ops.depthwise_conv2d_backward, ("stride", "padding", "dilation"),
    ),
    "pointwise": (ops.pointwise_conv2d, ops.pointwise_conv2d_backward, ("groups",)),
}  # fmt: skip


def draw_convolution(rng, kind):
    """Return x, weight, bias (or None), and all options."""
    groups = integers(rng, 1, 4)
    C, O = (groups * integers(rng, 1, 3) for _ in range(2))
    if kind == "depthwise":
        groups, O = C, C
    kernel, stride, padding, dilation = (1, 1), 1, 0, 1
    if kind != "pointwise":
        kernel = integers(rng, 1, 5, 2)
        stride, padding, dilation = integers(rng, 1, 3), draw_padding(rng, 3), integers(rng, 1, 2)
    x = draw_image(rng, kernel, padding, dilation, C)
    weight = rng.standard_normal((O, C // groups, *kernel))
    bias = rng.standard_normal(O) if rng.random() < 0.5 else None
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return x, weight, bias, options


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_convolutions(kind, seed, kernels):
    forward, backward, takes = CONVOLUTIONS[kind]
    rng = np.random.default_rng(seed)
    for _ in range(10):
        x, weight, bias, options = draw_convolution(rng, kind)
        leaves = tensors(x, weight, bias)
        padded = torch_pad(leaves[0], options["padding"])
        theirs = F.conv2d(padded, *leaves[1:], **{**options, "padding": 0})
        dy = rng.standard_normal(theirs.shape)
        theirs.backward(torch.from_numpy(dy))
        options = {name: options[name] for name in takes}
        agree(f"{kind} y", forward(x, weight, bias, **options), theirs)
        dx, dweight = backward(dy, x, weight, **options)
        agree(f"{kind} dx", dx, leaves[0].grad)
        agree(f"{kind} dweight", dweight, leaves[1].grad)
        if bias is not None:
            agree(f"{kind} dbias", ops.bias_backward(dy), leaves[2].grad)


# Pooling. Half of the images hold few different numbers, so that windows have many winners.


def draw_pool(rng):
    """Return x, kernel_size, stride and padding (smaller than kernel_size)."""
    K = integers(rng, 1, 4)
    padding = draw_padding(rng, K - 1)
    x = draw_image(rng, (K, K), padding)
    return np.round(x) if rng.random() < 0.5 else x, K, integers(rng, 1, 3), padding


@pytest.mark.parametrize("seed", range(5))
def test_max_pool(seed, kernels):
    rng = np.random.default_rng(seed)
    for _ in range(10):
        x, K, stride, padding = draw_pool(rng)
        (leaf,) = tensors(x)
        theirs = F.max_pool2d(torch_pad(leaf, padding, -math.inf), K, stride)
        dy = rng.standard_normal(theirs.shape)
        theirs.backward(torch.from_numpy(dy))
        agree("max_pool2d y", ops.max_pool2d(x, K, stride, padding), theirs)
        agree("max_pool2d dx", ops.max_pool2d_backward(dy, x, K, stride, padding), leaf.grad)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count_include_pad", [True, False])
def test_avg_pool(count_include_pad, seed, kernels):
    rng = np.random.default_rng(seed)
    for _ in range(10):
        x, K, stride, padding = draw_pool(rng)
        ones = torch_pad(torch.ones(1, 1, *x.shape[2:], dtype=torch.float64), padding)
        (leaf,) = tensors(x)
        theirs = F.avg_pool2d(torch_pad(leaf, padding), K, stride)
        if not count_include_pad:  # by hand: PyTorch knows no four sides
            theirs = theirs / F.avg_pool2d(ones, K, stride)
        dy = rng.standard_normal(theirs.shape)
        theirs.backward(torch.from_numpy(dy))
        window = K, stride, padding, count_include_pad
        agree("avg_pool2d y", ops.avg_pool2d(x, *window), theirs)
        agree("avg_pool2d dx", ops.avg_pool2d_backward(dy, x, *window), leaf.grad)


@pytest.mark.parametrize("count_include_pad", [True, False])
@pytest.mark.parametrize("K", [2, 3, 4, 5])
def test_pools_with_pytorchs_own_padding(K, count_include_pad):
    x = np.random.default_rng(K).standard_normal((2, 3, 8, 11))
    window = K, 2, K // 2
    theirs = F.avg_pool2d(torch.tensor(x), *window, count_include_pad=count_include_pad)
    agree("avg_pool2d y", ops.avg_pool2d(x, *window, count_include_pad), theirs)
    agree("max_pool2d y", ops.max_pool2d(x, *window), F.max_pool2d(torch.tensor(x), *window))


# Batch norm


@pytest.mark.parametrize("seed", range(10))
def test_batch_norm(seed, kernels):
    rng = np.random.default_rng(seed)
    x = 3 * rng.standard_normal((integers(rng, 2, 4), 5, *integers(rng, 1, 9, 2))) + 10
    gamma, beta, dy = rng.standard_normal(5), rng.standard_normal(5), rng.standard_normal(x.shape)
    eps = 10.0 ** -integers(rng, 3, 5)
    leaves, running = tensors(x, gamma, beta), torch.zeros(2, 5, dtype=torch.float64)
    theirs = F.batch_norm(
        leaves[0], *running, *leaves[1:], training=True, momentum=1.0, eps=eps
    )  # a momentum of 1 leaves in `running` the statistics of this batch
    theirs.backward(torch.from_numpy(dy))
    y, mean, var = ops.batch_norm(x, gamma, beta, eps)
    count = x.size // 5
    agree("batch_norm y", y, theirs)
    agree("batch_norm mean", mean, running[0])
    agree("batch_norm var", var * count / (count - 1), running[1])
    grads = ops.batch_norm_backward(dy, x, gamma, mean, var, eps)
    for name, grad, leaf in zip(("dx", "dgamma", "dbeta"), grads, leaves, strict=True):
        agree(f"batch_norm {name}", grad, leaf.grad)


@pytest.mark.parametrize("seed", range(10))
def test_normalize(seed, kernels):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((integers(rng, 1, 4), 5, *integers(rng, 1, 9, 2)))
    gamma, beta, mean = rng.standard_normal((3, 5))
    var, eps, dy = rng.random(5), 10.0 ** -integers(rng, 3, 5), rng.standard_normal(x.shape)
    leaves = tensors(x, gamma, beta)
    running = torch.from_numpy(mean), torch.from_numpy(var)
    theirs = F.batch_norm(leaves[0], *running, *leaves[1:], eps=eps)
    theirs.backward(torch.from_numpy(dy))
    agree("normalize y", ops.normalize(x, gamma, beta, mean, var, eps), theirs)
    grads = ops.normalize_backward(dy, x, gamma, mean, var, eps)
    for name, grad, leaf in zip(("dx", "dgamma", "dbeta"), grads, leaves, strict=True):
        agree(f"normalize {name}", grad, leaf.grad)


# What is left: activations (also at their kinks), channels, average, fully connected, loss


@pytest.mark.parametrize("name", ["relu", "relu6"])
def test_activations(name):
    rng = np.random.default_rng(0)
    x = np.concatenate([np.arange(-2.0, 9.0), 4 * rng.standard_normal(500)])  # with 0 and 6
    dy = rng.standard_normal(x.shape)
    (leaf,) = tensors(x)
    theirs = getattr(F, name)(leaf)
    theirs.backward(torch.from_numpy(dy))
    y = getattr(ops, name)(x)
    agree(f"{name} y", y, theirs)
    agree(f"{name} dx", getattr(ops, f"{name}_backward")(dy, y), leaf.grad)


@pytest.mark.parametrize(("channels", "groups"), [(12, 3), (12, 4), (60, 3), (10, 1), (16, 8)])
def test_channel_shuffle(channels, groups):
    rng = np.random.default_rng(channels)
    x, dy = rng.standard_normal((2, 2, channels, 3, 4))
    (leaf,) = tensors(x)
    theirs = F.channel_shuffle(leaf, groups)
    theirs.backward(torch.from_numpy(dy))
    agree("channel_shuffle y", ops.channel_shuffle(x, groups), theirs)
    agree("channel_shuffle dx", ops.channel_shuffle_backward(dy, groups), leaf.grad)


def test_split_and_concat():
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, 2, 7, 3, 4))
    (leaf,) = tensors(x)
    a, b = leaf.split([3, 4], dim=1)
    theirs = torch.cat([2 * b, a], dim=1)  # other halves, in another order
    theirs.backward(torch.from_numpy(dy))
    ours_a, ours_b = ops.split(x, 3)
    agree("concat y", ops.concat(2 * ours_b, ours_a), theirs)
    db, da = ops.concat_backward(dy, 4)
    agree("split dx", ops.split_backward(da, 2 * db), leaf.grad)


@pytest.mark.parametrize("seed", range(5))
def test_global_avg_pool_and_linear(seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((integers(rng, 1, 3), 6, *integers(rng, 1, 9, 2)))
    weight, bias = rng.standard_normal((4, 6)), rng.standard_normal(4)
    dy = rng.standard_normal((len(x), 4))
    leaves = tensors(x, weight, bias)
    theirs = F.linear(F.adaptive_avg_pool2d(leaves[0], 1).flatten(1), *leaves[1:])
    theirs.backward(torch.from_numpy(dy))
    pooled = ops.global_avg_pool(x)
    agree("linear y", ops.linear(pooled, weight, bias), theirs)
    dpooled, dweight, dbias = ops.linear_backward(dy, pooled, weight)
    agree("global_avg_pool dx", ops.global_avg_pool_backward(dpooled, x), leaves[0].grad)
    agree("linear dweight", dweight, leaves[1].grad)
    agree("linear dbias", dbias, leaves[2].grad)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("size", [1.0, 1000.0])  # exp(1000) overflows
def test_cross_entropy(size, label_smoothing):
    rng = np.random.default_rng(0)
    logits, labels = size * rng.standard_normal((8, 10)), rng.integers(0, 10, 8)
    (leaf,) = tensors(logits)
    options = {"label_smoothing": label_smoothing}
    theirs = F.cross_entropy(leaf, torch.from_numpy(labels), **options)
    theirs.backward()
    agree("cross_entropy y", ops.cross_entropy(logits, labels, **options), theirs)
    dlogits = ops.cross_entropy_backward(logits, labels, **options)
    agree("cross_entropy dlogits", dlogits, leaf.grad)
    agree("softmax y", ops.softmax(logits), leaf.softmax(dim=1))
