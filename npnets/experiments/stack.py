"""Stacks of 1 × 1 convolutions, which the guidelines of ShuffleNetV2 are measured on.

A stack is a list of layers whose arrays are there before it runs, so that what is timed is the
convolutions. Layer after layer reads what the one before wrote; two buffers of each size do.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from npnets import ops
from npnets.cost.formulas import memory_access


@dataclass(frozen=True)
class Pointwise:
    """A 1 × 1 convolution of one image: x (1, C, H, W) and weight are read, y is written."""

    x: np.ndarray
    weight: np.ndarray
    y: np.ndarray
    groups: int = 1

    @property
    def macs(self):
        """Its multiply-adds."""
        return self.y.size * self.weight.shape[1]

    @property
    def elements(self):
        """The elements that it must read or write, each once: hw (c1 + c2) + c1·c2/g."""
        (_, c1, h, w), c2 = self.x.shape, self.y.shape[1]
        return memory_access(h, w, c1, c2, self.groups)


def images(rng, channels, size):
    """Return an image of normal numbers, (1, channels, size, size)."""
    return rng.standard_normal((1, channels, size, size), np.float32)


def filters(rng, out_channels, in_channels, kernel_size=1):
    """Return a weight that keeps the variance of what passes through it.

    Without that a deep stack ends in numbers too small for the processor's fast path.
    """
    shape = out_channels, in_channels, kernel_size, kernel_size
    weight = rng.standard_normal(shape, np.float32)
    return weight / np.float32(np.sqrt(in_channels) * kernel_size)


def stacked(widths, size, rng, groups=1):
    """Return the layers that lead an image of size × size from width to width."""
    rng, buffers, layers = np.random.default_rng(rng), {}, []
    x = images(rng, widths[0], size)
    for number, (c1, c2) in enumerate(pairwise(widths)):
        place = number % 2, c2
        if place not in buffers:
            buffers[place] = np.zeros((1, c2, size, size), np.float32)
        layers.append(Pointwise(x, filters(rng, c2, c1 // groups), buffers[place], groups))
        x = buffers[place]
    return layers


def by_ops(layers):
    """Return a function that runs the layers with npnets, into their buffers."""

    def run():
        for layer in layers:
            ops.pointwise_conv2d(layer.x, layer.weight, groups=layer.groups, out=layer.y)
        return layers[-1].y

    return run


def by_products(layers):
    """Return a function that runs the layers as bare matrix products, into their buffers."""
    steps = [(_matrices(layer), *_pixels(layer)) for layer in layers]

    def run():
        for weight, x, y in steps:
            np.matmul(weight, x, out=y)
        return layers[-1].y

    return run


def by_kept_products(layers):
    """Return a function that runs the layers, without groups, as matrix products in fresh memory.

    All results are kept until the end, as training keeps them for the way back.
    """
    first, weights = _pixels(layers[0])[0], [_matrices(layer) for layer in layers]

    def run():
        kept = [first]
        for weight in weights:
            kept.append(weight @ kept[-1])
        return kept[-1].reshape(layers[-1].y.shape)

    return run


def _matrices(layer):
    """(g o) c 1 1 -> g o c."""
    O, C_group, _, _ = layer.weight.shape
    return layer.weight.reshape(layer.groups, O // layer.groups, C_group)


def _pixels(layer):
    """1 (g c) h w -> g c (h w), of x and y: views."""
    return [a.reshape(layer.groups, a.shape[1] // layer.groups, -1) for a in (layer.x, layer.y)]
