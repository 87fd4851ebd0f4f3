"""How each operation is checked: its forward and its backward as functions of the same arrays.

Every pair takes `code`, a namespace with the true operations or with a planted bug, and the
options of the operation, and returns forward(**arrays) and backward(dy, **arrays).
"""

import numpy as np


def convolution(name):
    """Return the pair of a convolution with a bias."""

    def pair(code, **options):
        op, op_backward = getattr(code, name), getattr(code, f"{name}_backward")

        def forward(x, weight, bias):
            return op(x, weight, bias, **options)

        def backward(dy, x, weight, bias):
            return *op_backward(dy, x, weight, **options), code.bias_backward(dy)

        return forward, backward

    return pair


def bias(code):
    def forward(y, bias):
        return code.add_bias(y, bias)

    def backward(dy, y, bias):
        return {"bias": code.bias_backward(dy)}

    return forward, backward


def batch_norm(code, eps=1e-5):
    def forward(x, gamma, beta):
        y, _, _ = code.batch_norm(x, gamma, beta, eps)
        return y

    def backward(dy, x, gamma, beta):
        _, mean, var = code.batch_norm(x, gamma, beta, eps)
        return code.batch_norm_backward(dy, x, gamma, mean, var, eps)

    return forward, backward


def batch_norm_relu(code, eps=1e-5, ceiling=np.inf):
    def forward(x, gamma, beta):
        y, _, _ = code.batch_norm_relu(x, gamma, beta, eps, ceiling)
        return y

    def backward(dy, x, gamma, beta):
        _, mean, var = code.batch_norm_relu(x, gamma, beta, eps, ceiling)
        return code.batch_norm_relu_backward(dy, x, gamma, beta, mean, var, eps, ceiling)

    return forward, backward


def normalize(code, eps=1e-5):
    def statistics(C):
        return np.linspace(-1, 2, C), np.linspace(0.2, 3, C)

    def forward(x, gamma, beta):
        return code.normalize(x, gamma, beta, *statistics(len(beta)), eps)

    def backward(dy, x, gamma, beta):
        return code.normalize_backward(dy, x, gamma, *statistics(len(beta)), eps)

    return forward, backward


def activation(name):
    """Return the pair of an operation whose backward wants y."""

    def pair(code):
        op, op_backward = getattr(code, name), getattr(code, f"{name}_backward")
        return op, lambda dy, x: op_backward(dy, op(x))

    return pair


def add(code):
    """Its backward is no operation: each of the two is given all of dy."""
    return lambda a, b: code.add(a, b), lambda dy, a, b: (dy, dy)


def pool(name):
    """Return the pair of an operation whose backward wants x."""

    def pair(code, **options):
        op, op_backward = getattr(code, name), getattr(code, f"{name}_backward")
        return lambda x: op(x, **options), lambda dy, x: op_backward(dy, x, **options)

    return pair


def tied_pool(name):
    """Return the pair of a pool over an image that is first enlarged: each pixel four times.

    At equal pixels a maximum has a kink; but the four pixels move together, and there is none.
    """

    def pair(code, **options):
        op, op_backward = pool(name)(code, **options)

        def enlarge(x):
            return x.repeat(2, axis=2).repeat(2, axis=3)

        def backward(dy, x):
            N, C, H, W = x.shape
            return op_backward(dy, enlarge(x)).reshape(N, C, H, 2, W, 2).sum(axis=(3, 5))

        return lambda x: op(enlarge(x)), backward

    return pair


def channel_shuffle(code, groups):
    return (
        lambda x: code.channel_shuffle(x, groups),
        lambda dy, x: code.channel_shuffle_backward(dy, groups),
    )


def split(code, channels):
    """Return the pair of a split, whose two outputs are laid out in one row."""

    def forward(x):
        a, b = code.split(x, channels)
        return np.concatenate((a.ravel(), b.ravel()))

    def backward(dy, x):
        a, b = code.split(x, channels)
        da, db = dy[: a.size].reshape(a.shape), dy[a.size :].reshape(b.shape)
        return code.split_backward(da, db)

    return forward, backward


def concat(code):
    def forward(a, b):
        return code.concat(a, b)

    def backward(dy, a, b):
        return code.concat_backward(dy, a.shape[1])

    return forward, backward


def concat_shuffle(code, groups):
    def forward(a, b):
        return code.concat_shuffle(a, b, groups)

    def backward(dy, a, b):
        return code.concat_shuffle_backward(dy, groups, a.shape[1])

    return forward, backward


def linear(code):
    def forward(x, weight, bias):
        return code.linear(x, weight, bias)

    def backward(dy, x, weight, bias):
        return code.linear_backward(dy, x, weight)

    return forward, backward


def cross_entropy(code, labels, label_smoothing=0.0):
    def forward(logits):
        return code.cross_entropy(logits, labels, label_smoothing)

    def backward(dloss, logits):
        return dloss * code.cross_entropy_backward(logits, labels, label_smoothing)

    return forward, backward
