"""What the papers say that their units cost, as formulas. h × w is the size of the image.

All but `memory_access` count multiply-adds of convolutions, without batch norm, activations and
biases. That the built units cost as much is tested.
"""

import math

from npnets.ops import check


def separable_ratio(out_channels, kernel_size):
    """Return what a depthwise separable convolution costs, as a share of a full one.

        1/N + 1/K²

    Source: MobileNets, arXiv:1704.04861, section 3.1, where N is the output channels.
    """
    check.at_least(1, out_channels=out_channels, kernel_size=kernel_size)
    return 1 / out_channels + 1 / kernel_size**2


def resnet_unit(h, w, c, m):
    """Return hw (2cm + 9m²): c channels, m of them in the bottleneck, stride 1.

    Source: ShuffleNet, arXiv:1707.01083, section 3.2; so are the next two.
    """
    return h * w * (2 * c * m + 9 * m * m)


def resnext_unit(h, w, c, m, groups):
    """Return hw (2cm + 9m²/g): the 3 × 3 convolution is grouped."""
    check.divisible(m, groups, "m")
    return h * w * (2 * c * m + 9 * m * m // groups)


def shufflenet_unit(h, w, c, m, groups):
    """Return hw (2cm/g + 9m): the 1 × 1 convolutions are grouped, the 3 × 3 one is depthwise."""
    check.divisible(c, groups, "c")
    check.divisible(m, groups, "m")
    return h * w * (2 * c * m // groups + 9 * m)


def inverted_residual(h, w, in_channels, out_channels, expansion, kernel_size=3):
    """Return h·w·d'·t (d' + k² + d''), as printed: stride 1, and an expansion even where t = 1.

    Source: MobileNetV2, arXiv:1801.04381, section 3.3.
    """
    inside = expansion * in_channels
    return h * w * inside * (in_channels + kernel_size**2 + out_channels)


def inverted_residual_exact(h, w, in_channels, out_channels, expansion, stride):
    """Return what a 3 × 3 inverted residual costs as it is built.

    The expansion sees the image before the stride, of h × w pixels; the rest sees it after. Where
    t = 1 there is no expansion, as in the published code.
    """
    inside = expansion * in_channels
    expand = h * w * in_channels * inside if expansion > 1 else 0
    return expand + -(-h // stride) * -(-w // stride) * inside * (9 + out_channels)


def memory_access(h, w, c1, c2, groups=1):
    """Return hw (c1 + c2) + c1·c2/g: the elements that a 1 × 1 convolution reads and writes.

    The paper calls this MAC, for memory access cost. Source: ShuffleNet V2, arXiv:1807.11164,
    section 2: guideline G1, and equation 2 with groups.
    """
    check.divisible(c1, groups, "c1")
    check.divisible(c2, groups, "c2")
    return h * w * (c1 + c2) + c1 * c2 // groups


def memory_access_bound(h, w, macs):
    """Return 2 √(hw·B) + B/hw, which no 1 × 1 convolution of B multiply-adds stays below.

    Reached where c1 = c2. Source: ShuffleNet V2, arXiv:1807.11164, equation 1.
    """
    return 2 * math.sqrt(h * w * macs) + macs / (h * w)
