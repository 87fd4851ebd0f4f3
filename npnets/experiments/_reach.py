"""Which inputs reach which outputs through grouped 1 × 1 convolutions.

Two grouped 1 × 1 convolutions, C channels in, m inside, C out, in g groups. An output sees
the m/g channels of its group. Unshuffled, these are of one group of the first convolution, and
see its C/g inputs. A shuffle deals out the groups in turn: m/g channels in a row are of g groups,
or of m/g, if that is less. So an output is reached by

    C/g                       inputs without shuffle
    C/g · min(g, m/g)         inputs with it: by all, only where m/g ≥ g

Both are compared with the operations of npnets: the gradient of each output tells which inputs
reach it. A whole ShuffleNet unit is asked by perturbation: all its weights are 1, and each input
channel is lit alone, so that nothing can cancel.
"""

import numpy as np

from npnets import ops
from npnets.layers import ChannelShuffle, Conv2d
from npnets.nets.shufflenet_v1 import ShuffleUnit


def reached(channels, groups, inside=None, shuffled=True):
    """Return by how many inputs an output is reached, by the formula above; m = C if not given."""
    inside = channels if inside is None else inside
    seen = min(groups, inside // groups) if shuffled else 1
    return channels // groups * seen


def reach_by_gradient(channels, groups, shuffled, rng):
    """Return whether output o is reached by input i, (outputs, inputs), for m = C.

    Image o of the batch brings back the gradient of output o. The weights are normal numbers, so
    that two ways from an input do not cancel.
    """
    shape = channels, channels // groups, 1, 1
    first, second = rng.standard_normal(shape), rng.standard_normal(shape)
    x = rng.standard_normal((channels, channels, 1, 1))
    dy = np.eye(channels)[:, :, None, None]
    dy, _ = ops.pointwise_conv2d_backward(dy, x, second, groups)
    if shuffled:
        dy = ops.channel_shuffle_backward(dy, groups)
    dx, _ = ops.pointwise_conv2d_backward(dy, x, first, groups)
    return dx[:, :, 0, 0] != 0


def reach_of_unit(unit, channels):
    """Return the same of a part of a network that takes `channels`; its weights become 1."""
    for layer in unit.eval().layers().values():
        if isinstance(layer, Conv2d):
            layer.weight.value = np.ones_like(layer.weight.value)
    lit = np.eye(channels, dtype=np.float32)[:, :, None, None]  # image i has channel i alone
    return unit.forward(lit)[:, :, 0, 0].T > 0


def unit_of(channels, groups, shuffled=True):
    """Return a ShuffleNet unit of stride 1, with its shuffle or one that leaves all in place."""
    unit = ShuffleUnit(channels, channels, stride=1, groups=groups)
    if not shuffled:
        unit.branch.shuffle = ChannelShuffle(1)
    return unit


def units_until_all(channels, groups):
    """Return how many units in a row it takes until every output is reached by every input."""
    step = reach_of_unit(unit_of(channels, groups), channels)
    reach, count = step, 1
    while not reach.all():
        reach, count = step @ reach, count + 1
    return count
