"""What each operation, layer and unit is tried on.

Nothing here is easy on a bug: images are not square, batches not single, gamma is not 1, beta
not 0, padding differs from side to side, sizes are even and odd where the stride is 2. A few are
easy on purpose, with square weights or as many images as classes: where sizes agree by chance, a
transposed array goes through, and only its numbers are wrong.

    CASES["conv2d"]     a list of functions: (code, **how) -> the Report of the gradient check
"""

import numpy as np

from npnets.gradcheck import check, check_layer
from npnets.layers import Layer, ReLU6

from . import pairs

SEED = 7


def case(pair, arrays, **options):
    """Return a case of an operation. arrays are {name: shape, or an array}."""
    rng = np.random.default_rng(SEED)
    drawn = {
        name: rng.standard_normal(shape) if isinstance(shape, tuple) else shape
        for name, shape in arrays.items()
    }
    return lambda code, **how: check(*pair(code, **options), drawn, **{"coordinates": 30, **how})


def layer_case(build, shape):
    """Return a case of a layer or unit, which `build` makes from the classes of the code."""
    x = np.random.default_rng(SEED).standard_normal(shape)
    return lambda code, **how: check_layer(build(code), x, **{"coordinates": 8, **how})


class WithAct(Layer):
    """Batch norm and an activation in one pass, as ConvNormAct asks for. Its ceiling is low, so
    that some y reach it.
    """

    def __init__(self, norm):
        self.norm, self.act = norm, ReLU6()
        self.act.ceiling = 1

    def forward(self, x):
        return self.norm.forward(x, self.act)

    def backward(self, dy):
        return self.norm.backward(dy)


class OfParts(Layer):
    """A layer that joins two ways, given the first channels of x and the others."""

    def __init__(self, join):
        self.join = join

    def forward(self, x):
        return self.join.forward(x[:, : self.join.channels], x[:, self.join.channels :])

    def backward(self, dy):
        return np.concatenate(self.join.backward(dy), axis=1)


def conv(name, x, weight, **options):
    """Return a case of a convolution, of images and filters of these shapes."""
    return case(pairs.convolution(name), {"x": x, "weight": weight, "bias": weight[:1]}, **options)


def pool(name, x, **options):
    """Return a case of a pool, of images of this shape."""
    return case(pairs.pool(name), {"x": x}, **options)


def norm(pair, shape, **options):
    """Return a case of a normalization: channels off center, gamma of both signs."""
    rng = np.random.default_rng(SEED + 1)
    x = 1.5 + 2 * rng.standard_normal(shape)
    gamma = rng.uniform(0.5, 2, shape[1]) * np.resize((-1, 1), shape[1])
    return case(pair, {"x": x, "gamma": gamma, "beta": (shape[1],)}, **options)


def spread(shape):
    """Return numbers on both sides of 0 and of 6."""
    return 3 + 4 * np.random.default_rng(SEED).standard_normal(shape)


LOGITS = {"logits": 2 * np.random.default_rng(SEED).standard_normal((4, 5))}
LABELS = np.array([1, 4, 0, 1])

CASES = {
    "conv2d": [
        conv("conv2d", (2, 3, 5, 6), (4, 3, 3, 3), padding=1),
        conv("conv2d", (2, 3, 5, 4), (2, 3, 3, 3)),
        conv("conv2d", (2, 3, 6, 7), (4, 3, 3, 3), stride=2, padding=1),
        conv("conv2d", (2, 4, 5, 6), (6, 2, 3, 3), padding=(0, 2, 1, 3), groups=2),
        conv("conv2d", (2, 3, 7, 8), (3, 3, 3, 3), dilation=2, padding=2),
        conv("conv2d", (2, 4, 6, 5), (6, 2, 3, 2), stride=2, padding=(1, 0, 0, 2), groups=2),
        conv("conv2d", (2, 4, 3, 4), (4, 4, 1, 1)),
    ],
    "depthwise_conv2d": [
        conv("depthwise_conv2d", (2, 3, 5, 6), (3, 1, 3, 3), padding=1),
        conv("depthwise_conv2d", (2, 3, 5, 4), (3, 1, 3, 3)),
        conv("depthwise_conv2d", (2, 4, 6, 7), (4, 1, 3, 3), stride=2, padding=1),
        conv("depthwise_conv2d", (2, 3, 4, 6), (3, 1, 3, 3), padding=(0, 2, 1, 3)),
        conv("depthwise_conv2d", (2, 3, 7, 8), (3, 1, 3, 3), dilation=2, padding=2),
        conv("depthwise_conv2d", (2, 3, 6, 5), (3, 1, 3, 2), stride=2, padding=(1, 0, 0, 2)),
    ],
    "pointwise_conv2d": [
        conv("pointwise_conv2d", (2, 4, 3, 5), (6, 4, 1, 1)),
        conv("pointwise_conv2d", (2, 4, 3, 5), (4, 4, 1, 1)),
        conv("pointwise_conv2d", (3, 6, 3, 4), (4, 3, 1, 1), groups=2),
        conv("pointwise_conv2d", (2, 6, 4, 3), (6, 2, 1, 1), groups=3),
    ],
    "bias": [
        case(pairs.bias, {"y": (2, 4, 5, 6), "bias": (4,)}),
        case(pairs.bias, {"y": (3, 4, 5, 4), "bias": (4,)}),
        case(pairs.bias, {"y": (4, 4, 2, 3), "bias": (4,)}),
    ],
    "batch_norm": [
        norm(pairs.batch_norm, (2, 3, 3, 2), eps=0.5),
        norm(pairs.batch_norm, (3, 4, 2, 3)),
    ],
    "batch_norm_relu": [
        norm(pairs.batch_norm_relu, (2, 3, 3, 2), eps=0.5),
        norm(pairs.batch_norm_relu, (3, 4, 2, 3), ceiling=1.0),
    ],
    "normalize": [
        norm(pairs.normalize, (2, 3, 3, 2), eps=0.5),
        norm(pairs.normalize, (3, 4, 2, 3)),
    ],
    "relu": [
        case(pairs.activation("relu"), {"x": (2, 4, 3, 5)}),
        case(pairs.activation("relu"), {"x": (4, 7)}),
    ],
    "relu6": [
        case(pairs.activation("relu6"), {"x": spread((2, 4, 3, 5))}),
        case(pairs.activation("relu6"), {"x": spread((4, 7))}),
    ],
    "max_pool2d": [
        pool("max_pool2d", (2, 2, 7, 5), kernel_size=3, stride=2, padding=1),
        pool("max_pool2d", (2, 2, 6, 7), kernel_size=2),
        pool("max_pool2d", (2, 2, 5, 4), kernel_size=3, stride=1),
        pool("max_pool2d", (2, 2, 4, 6), kernel_size=3, stride=2, padding=(0, 2, 1, 0)),
        case(pairs.tied_pool("max_pool2d"), {"x": (2, 2, 3, 4)}, kernel_size=2),
        case(pairs.tied_pool("max_pool2d"), {"x": (2, 2, 3, 4)}, kernel_size=3, stride=2),
    ],
    "avg_pool2d": [
        pool("avg_pool2d", (2, 2, 7, 5), kernel_size=3, stride=2, padding=1),
        pool("avg_pool2d", (2, 2, 6, 7), kernel_size=2),
        pool("avg_pool2d", (2, 2, 5, 4), kernel_size=3, stride=1),
        *(
            pool("avg_pool2d", x, kernel_size=3, stride=2, padding=p, count_include_pad=False)
            for x, p in (((2, 2, 6, 4), 1), ((2, 2, 4, 6), (0, 2, 1, 0)))
        ),
    ],
    "global_avg_pool": [
        pool("global_avg_pool", (2, 4, 3, 5)),
        pool("global_avg_pool", (3, 3, 4, 2)),
    ],
    "channel_shuffle": [
        case(pairs.channel_shuffle, {"x": (2, 6, 3, 2)}, groups=3),
        case(pairs.channel_shuffle, {"x": (2, 6, 2, 3)}, groups=2),
        case(pairs.channel_shuffle, {"x": (3, 12, 1, 2)}, groups=3),
    ],
    "split_concat": [
        case(pairs.split, {"x": (2, 5, 3, 2)}, channels=2),
        case(pairs.split, {"x": (2, 4, 2, 3)}, channels=2),
        case(pairs.concat, {"a": (2, 1, 3, 2), "b": (2, 3, 3, 2)}),
        case(pairs.concat, {"a": (3, 2, 1, 4), "b": (3, 2, 1, 4)}),
    ],
    "add": [case(pairs.add, {"a": (2, 3, 4, 3), "b": (2, 3, 4, 3)})],
    "concat_shuffle": [
        case(pairs.concat_shuffle, {"a": (2, 2, 3, 2), "b": (2, 4, 3, 2)}, groups=3),
        case(pairs.concat_shuffle, {"a": (3, 3, 1, 4), "b": (3, 3, 1, 4)}, groups=2),
        case(pairs.concat_shuffle, {"a": (2, 5, 2, 3), "b": (2, 1, 2, 3)}, groups=2),
    ],
    "linear": [
        case(pairs.linear, {"x": (3, 5), "weight": (4, 5), "bias": (4,)}),
        case(pairs.linear, {"x": (4, 4), "weight": (4, 4), "bias": (4,)}),
    ],
    "cross_entropy": [
        case(pairs.cross_entropy, LOGITS, labels=LABELS),
        case(pairs.cross_entropy, LOGITS, labels=LABELS, label_smoothing=0.1),
        case(pairs.cross_entropy, {"logits": (4, 4)}, labels=LABELS % 4, label_smoothing=0.3),
    ],
    # layers
    "Sequential": [
        layer_case(
            lambda code: code.Sequential(
                first=code.Linear(4, 4), act=code.ReLU(), second=code.Linear(4, 4)
            ),
            (5, 4),
        )
    ],
    "BatchNorm": [layer_case(lambda code: code.BatchNorm(3, eps=0.01), (3, 3, 2, 4))],
    "BatchNormReLU": [layer_case(lambda code: WithAct(code.BatchNorm(3, eps=0.3)), (3, 3, 2, 4))],
    "Conv2d": [
        layer_case(
            lambda code: code.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, bias=True),
            (2, 4, 4, 5),
        )
    ],
    "Linear": [layer_case(lambda code: code.Linear(4, 4), (5, 4))],
    "ConcatShuffle": [layer_case(lambda code: OfParts(code.ConcatShuffle(2, 3)), (2, 8, 3, 2))],
    "ConvNormAct": [layer_case(lambda code: code.conv_norm_act(3, 4, 3, stride=2), (3, 3, 5, 4))],
    # units
    "InvertedResidual": [
        layer_case(lambda code: code.InvertedResidual(3, 3, stride=1, expansion=2), (3, 3, 4, 3)),
        layer_case(lambda code: code.InvertedResidual(3, 2, stride=1, expansion=1), (3, 3, 3, 4)),
        layer_case(lambda code: code.InvertedResidual(3, 3, stride=2, expansion=2), (3, 3, 4, 5)),
    ],
    "ShuffleUnit": [
        layer_case(lambda code: code.ShuffleUnit(8, 8, stride=1, groups=2), (3, 8, 3, 2)),
        layer_case(lambda code: code.ShuffleUnit(4, 16, stride=2, groups=2), (3, 4, 4, 3)),
        layer_case(lambda code: code.ShuffleUnit(8, 16, stride=2, groups=2), (3, 8, 3, 4)),
    ],
    "SplitUnit": [layer_case(lambda code: code.SplitUnit(6), (3, 6, 3, 2))],
    "DownUnit": [
        layer_case(lambda code: code.DownUnit(3, 6), (3, 3, 4, 5)),
        layer_case(lambda code: code.DownUnit(2, 6), (4, 2, 5, 4)),
    ],
}
