"""The papers' formulas, against the counter on units that are built."""

import itertools

import numpy as np
import pytest

from npnets.blocks import conv_norm_act, depthwise_norm_act
from npnets.cost import formulas, summarize
from npnets.cost.kinds import MULTIPLYING
from npnets.layers import PointwiseConv2d, Sequential
from npnets.nets.mobilenet_v1 import separable_unit
from npnets.nets.mobilenet_v2 import TABLE_2, InvertedResidual, MobileNetV2
from npnets.nets.shufflenet_v1 import ShuffleUnit

SIZES = [(7, 7), (8, 6), (1, 5)]
sizes = pytest.mark.parametrize(("h", "w"), SIZES)


def counted(layer, C, h, w):
    return summarize(layer, (C, h, w)).macs


@sizes
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("C", "O"), [(8, 8), (4, 10), (32, 64)])
def test_separable_ratio(C, O, stride, h, w):
    separable = counted(separable_unit(C, O, stride), C, h, w)
    full = counted(conv_norm_act(C, O, 3, stride=stride), C, h, w)
    assert separable / full == pytest.approx(formulas.separable_ratio(O, 3), rel=1e-12)


@pytest.mark.parametrize("kernel_size", [3, 5, 7])
def test_separable_ratio_of_larger_filters(kernel_size):
    depthwise = depthwise_norm_act(4, kernel_size)
    separable = Sequential(depthwise=depthwise, pointwise=conv_norm_act(4, 6))
    full = conv_norm_act(4, 6, kernel_size)
    ratio = counted(separable, 4, 9, 9) / counted(full, 4, 9, 9)
    assert ratio == pytest.approx(formulas.separable_ratio(6, kernel_size), rel=1e-12)


def test_between_8_and_9_times_less():
    """As section 3.1 says; for 3 × 3 it is true from 72 output channels on."""
    assert 1 / formulas.separable_ratio(71, 3) < 8 <= 1 / formulas.separable_ratio(72, 3)
    assert 1 / formulas.separable_ratio(10**9, 3) < 9


def bottleneck(c, m, groups=1):
    return Sequential(
        reduce=conv_norm_act(c, m),
        conv=conv_norm_act(m, m, 3, groups=groups),
        expand=conv_norm_act(m, c, act=None),
    )


@sizes
@pytest.mark.parametrize(("c", "m"), [(24, 6), (16, 12)])
def test_resnet_and_resnext_units(c, m, h, w):
    assert counted(bottleneck(c, m), c, h, w) == formulas.resnet_unit(h, w, c, m)
    for groups in (1, 2, 3):
        built = counted(bottleneck(c, m, groups), c, h, w)
        assert built == formulas.resnext_unit(h, w, c, m, groups)


@sizes
@pytest.mark.parametrize(("c", "groups"), [(24, 1), (24, 3), (32, 8)])
def test_shufflenet_unit(c, groups, h, w):
    unit = ShuffleUnit(c, c, stride=1, groups=groups)
    assert counted(unit, c, h, w) == formulas.shufflenet_unit(h, w, c, c // 4, groups)


def test_numbers_of_the_shufflenet_paper():
    """Section 3.2: of a ResNeXt unit, the 1 × 1 convolutions are 93.4 %."""
    whole = formulas.resnext_unit(1, 1, 256, 128, 32)
    assert round(100 * 2 * 256 * 128 / whole, 1) == 93.4
    units = formulas.resnet_unit, formulas.resnext_unit, formulas.shufflenet_unit
    per_pixel = [unit(1, 1, 240, 60, *([3] * (k > 0))) for k, unit in enumerate(units)]
    assert per_pixel == [61200, 39600, 10140]


@sizes
@pytest.mark.parametrize("expansion", [2, 6])
@pytest.mark.parametrize(("C", "O"), [(8, 8), (4, 6)])
def test_inverted_residual(C, O, expansion, h, w):
    unit = InvertedResidual(C, O, stride=1, expansion=expansion)
    assert counted(unit, C, h, w) == formulas.inverted_residual(h, w, C, O, expansion)
    for t, stride in itertools.product((1, expansion), (1, 2)):
        unit = InvertedResidual(C, O, stride=stride, expansion=t)
        exact = formulas.inverted_residual_exact(h, w, C, O, t, stride)
        assert counted(unit, C, h, w) == exact


def test_inverted_residual_with_larger_filters():
    unit = Sequential(
        expand=conv_norm_act(4, 12),
        depthwise=depthwise_norm_act(12, 5),
        project=conv_norm_act(12, 8, act=None),
    )
    assert counted(unit, 4, 7, 6) == formulas.inverted_residual(7, 6, 4, 8, 3, kernel_size=5)


def test_the_printed_formula_and_the_exact_one_over_mobilenet_v2():
    """The printed one ignores strides and the expansion that is left out: 347.7 M for 268.6 M."""
    h, C, printed, exact = 112, 32, 0, 0
    for t, c, n, s in TABLE_2:
        for stride in (s, *[1] * (n - 1)):
            printed += formulas.inverted_residual(h, h, C, c, t)
            exact += formulas.inverted_residual_exact(h, h, C, c, t, stride)
            h, C = -(-h // stride), c
    rows = summarize(MobileNetV2(rng=0), (3, 224, 224))
    assert exact == sum(row.macs for row in rows if row.name.startswith("stage"))
    assert (round(printed / 1e6, 1), round(exact / 1e6, 1)) == (347.7, 268.6)


@sizes
@pytest.mark.parametrize(("c1", "c2", "groups"), [(8, 8, 1), (4, 12, 1), (4, 12, 4), (6, 6, 3)])
def test_memory_access(c1, c2, groups, h, w):
    (row,) = summarize(PointwiseConv2d(c1, c2, groups=groups), (c1, h, w)).of_kind(*MULTIPLYING)
    assert row.elements == formulas.memory_access(h, w, c1, c2, groups)


def test_equation_2_in_its_other_form():
    """MAC = hw·c1 + B·g/c1 + B/hw, where B = hw·c1·c2/g."""
    for h, c1, c2, groups in itertools.product((7, 14), (8, 24), (8, 16), (1, 4, 8)):
        B = h * h * c1 * c2 // groups
        other = h * h * c1 + B * groups / c1 + B / (h * h)
        assert formulas.memory_access(h, h, c1, c2, groups) == pytest.approx(other, rel=1e-12)


def test_the_bound_holds_and_is_reached_by_equal_channels():
    rng = np.random.default_rng(0)
    for h, w, c1, c2 in rng.integers(1, 200, (200, 4)).tolist():
        bound = formulas.memory_access_bound(h, w, h * w * c1 * c2)
        assert formulas.memory_access(h, w, c1, c2) >= bound * (1 - 1e-12)
        equal = formulas.memory_access_bound(h, w, h * w * c1 * c1)
        assert formulas.memory_access(h, w, c1, c1) == pytest.approx(equal, rel=1e-12)


def test_the_channels_of_guideline_1():
    """Table 1, the ARM column: memory access per pixel of a layer, at nearly equal costs."""
    rows = (32, 32), (22, 44), (13, 78), (9, 108)
    per_pixel = [formulas.memory_access(56, 56, *row) / 56**2 for row in rows]
    assert [round(number, 1) for number in per_pixel] == [64.3, 66.3, 91.3, 117.3]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: formulas.separable_ratio(0, 3), "out_channels must be an int of at least 1"),
        (lambda: formulas.resnext_unit(7, 7, 8, 6, 4), "m must be divisible by groups=4"),
        (lambda: formulas.shufflenet_unit(7, 7, 9, 8, 2), "c must be divisible by groups=2"),
        (lambda: formulas.shufflenet_unit(7, 7, 8, 9, 2), "m must be divisible by groups=2"),
        (lambda: formulas.memory_access(7, 7, 8, 9, 2), "c2 must be divisible by groups=2"),
    ],
)
def test_what_does_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call()
