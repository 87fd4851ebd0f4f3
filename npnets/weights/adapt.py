"""What some weights need that is not in the paper's table: each function changes a new network.

The arrays fit without these changes; only the answers are wrong, a little or altogether. So a
Source names those that its weights need.
"""

import numpy as np

from npnets.layers import BatchNorm, Conv2d, MaxPool2d, Parameter, ReLU, ReLU6


def pad_same(net):
    """Pad as TensorFlow does: where the stride is 2 and the size even, below and right only."""
    for layer in _layers(net, (Conv2d, MaxPool2d)):
        if layer.window["padding"]:
            layer.window["padding"] = "same"


def set_eps(eps):
    """Return a change: all batch norms add this eps to the variance."""

    def change(net):
        for norm in _layers(net, BatchNorm):
            norm.eps = eps

    return change


def add_bias(net):
    """Give convolutions a bias, though the batch norm after them has a beta."""
    for conv in _layers(net, Conv2d):
        channels, dtype = len(conv.weight.value), conv.weight.value.dtype
        conv.bias = Parameter(np.zeros(channels, dtype), decay=False)


def fold_norm(net):
    """Fold the batch norms in: for weights where that is done already, and no norm is left."""
    vars(net).update(vars(net.fold()))


def set_activation(act):
    """Return a change: each ReLU or ReLU6 becomes an `act`, also one that was folded in."""

    def change(net):
        for layer in net.layers().values():
            if isinstance(getattr(layer, "act", None), ReLU | ReLU6):
                layer.act = act()
            if getattr(layer, "ceiling", None) is not None and isinstance(layer, Conv2d):
                layer.ceiling = act.ceiling

    return change


def _layers(net, kind):
    return [layer for layer in net.layers().values() if isinstance(layer, kind)]


# What weights from TensorFlow need, and what Source says of it.
PADDING = 'padding is TensorFlow\'s "same", which depends on the size of the image'
TENSORFLOW = {PADDING: pad_same, "eps of batch norm is 0.001": set_eps(1e-3)}
