"""Where weights come from, per kind of layer, in one place."""

import numpy as np

from npnets.layers import BatchNorm, Conv2d, Linear


def initialize(net, rng=None):
    """Draw the weights of every layer of `net`, in the order of the forward pass; return `net`.

    convolution   normal, of variance 2 / (C/g · K²): a ReLU halves what it lets through
                  (He et al., arXiv:1502.01852, eq. 10)
    linear        normal, of standard deviation 0.01; so all classes start equally likely
    batch norm    gamma 1, beta 0
    biases        0

    rng is a seed or a numpy.random.Generator; None draws differently each time.
    """
    rng = np.random.default_rng(rng)
    for layer in net.layers().values():
        if isinstance(layer, Conv2d):
            fan_in = layer.weight.value[0].size
            _draw(layer.weight, np.sqrt(2 / fan_in), rng)
        elif isinstance(layer, Linear):
            _draw(layer.weight, 0.01, rng)
        elif isinstance(layer, BatchNorm):
            layer.gamma.value, layer.beta.value = _like(layer.gamma, 1), _like(layer.beta, 0)
        if getattr(layer, "bias", None) is not None:
            layer.bias.value = _like(layer.bias, 0)
    return net


def _draw(weight, std, rng):
    value = weight.value
    weight.value = (std * rng.standard_normal(value.shape)).astype(value.dtype)


def _like(parameter, number):
    return np.full_like(parameter.value, number)
