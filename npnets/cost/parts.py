"""The inverted residual, computed in k parts: MobileNetV2, arXiv:1801.04381, section 5.1.

Between its expansion and its projection all is done channel by channel, and the projection sums
over channels. So the wide tensor inside need never be there as a whole:

    F(x)  =  Σ i   (A_i ∘ N ∘ B_i)(x)          i = 1 … k

where part i expands to a k-th of the channels, filters those, and projects them. The paper has A
for the expansion, which comes first, and B for the projection.
"""

import copy
import itertools

from npnets import ops
from npnets.layers import Buffer, Parameter
from npnets.ops import check


def in_parts(unit, x, parts):
    """Return unit.forward(x) of an InvertedResidual at inference, computed in so many parts.

    The multiply-adds are the same. Raises ValueError where there are fewer channels than parts,
    and in training mode, in which batch norm would track its statistics.
    """
    if unit.training:
        raise ValueError("the unit must be in eval mode: parts are for inference")
    branch = unit.branch
    weight, bias = branch.project.conv.weight.value, branch.project.conv.bias
    y = None
    for first, last in _bounds(unit, parts):
        channels = slice(first, last)
        if hasattr(branch, "expand"):
            inside = _only(branch.expand, channels).forward(x)
        else:
            inside = x[:, channels]
        inside = _only(branch.depthwise, channels).forward(inside)
        part = ops.pointwise_conv2d(inside, weight[:, channels])
        y = part if y is None else ops.add(y, part)
    if bias is not None:  # of a folded unit
        y = y + bias.value[:, None, None]
    if hasattr(branch.project, "norm"):
        y = branch.project.norm.forward(y)
    return ops.add(x, y) if unit.residual else y


def inner_elements(unit, input_shape, parts):
    """Return E/k · H · W: the elements of the expanded tensor that are there at once.

    The filtered part is there beside it, which has as many, or a quarter where the stride is 2.
    """
    _, H, W = input_shape
    return max(last - first for first, last in _bounds(unit, parts)) * H * W


def _bounds(unit, parts):
    """Return [(first, last)] channels of each part."""
    E = unit.branch.depthwise.conv.weight.value.shape[0]
    check.at_least(1, parts=parts)
    if parts > E:
        raise ValueError(f"parts must be at most the {E} channels inside, got {parts}")
    return list(itertools.pairwise(E * part // parts for part in range(parts + 1)))


def _only(block, channels):
    """Return a copy of a block that makes these channels alone, the first axis of all it knows."""
    twin = copy.deepcopy(block)
    for _, part in twin.parts((Parameter, Buffer)):
        part.value = part.value[channels]
    return twin
