"""The four networks: what comes out, how their parts are named and ordered, and their units."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import npnets
from npnets import MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2
from npnets.cost import summarize
from npnets.layers import Layer, ReLU, ReLU6
from npnets.nets.mobilenet_v2 import InvertedResidual, make_divisible
from npnets.nets.shufflenet_v1 import ShuffleUnit, round_up
from npnets.nets.shufflenet_v2 import DownUnit, SplitUnit

SMALLEST = {
    MobileNetV1: {"width_mult": 0.25},
    MobileNetV2: {"width_mult": 0.35},
    ShuffleNetV1: {"scale": 0.25},
    ShuffleNetV2: {"width_mult": 0.5},
}
networks = pytest.mark.parametrize("network", SMALLEST, ids=lambda network: network.__name__)
stems = pytest.mark.parametrize("small_images", [False, True])


def build(network, **options):
    return network(**SMALLEST[network], rng=0, **options)


def images(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


# What comes out


@networks
@stems
def test_images_become_logits_and_back(network, small_images):
    net, size = (
        build(network, num_classes=7, small_images=small_images),
        32 if small_images else 64,
    )
    x = images(2, 3, size, size)
    y = net.forward(x)
    assert y.shape == (2, 7)
    dx = net.backward(np.ones_like(y))
    assert dx.shape == x.shape
    assert y.dtype == dx.dtype == np.float32
    gradients = [parameter.grad for parameter in net.parameters().values()]
    assert all(np.isfinite(grad).all() for grad in gradients)
    assert net.eval().forward(x).shape == (2, 7)


@networks
def test_odd_sizes_and_one_channel(network):
    net = build(network, num_classes=7, in_channels=1)
    x = images(2, 1, 65, 97)
    assert net.forward(x).shape == (2, 7)
    assert net.backward(np.ones((2, 7), np.float32)).shape == x.shape


@networks
@stems
def test_the_small_stem_keeps_the_size(network, small_images):
    maps = [
        row.output_shape[1:]
        for row in summarize(build(network, small_images=small_images), (3, 64, 64))
        if len(row.output_shape) == 3
    ]
    halved = 1 if network in (MobileNetV1, MobileNetV2) else 2  # and max pooling halves again
    assert maps[0] == ((64, 64) if small_images else (32, 32))
    assert maps[-1] == ((2 * 2**halved,) * 2 if small_images else (2, 2))


@networks
def test_one_image_is_a_batch_where_its_last_map_has_more_than_a_pixel(network):
    net = build(network, num_classes=2)
    assert net.forward(images(1, 3, 64, 64)).shape == (1, 2)
    with pytest.raises(ValueError, match="more than one value per channel to have a variance"):
        net.forward(images(1, 3, 32, 32))
    assert net.eval().forward(images(1, 3, 32, 32)).shape == (1, 2)


@networks
def test_a_batch_of_one_trains_where_images_are_large(network):
    net, x = build(network, num_classes=2), images(1, 3, 160, 160)
    y = net.forward(x)
    assert net.backward(np.ones_like(y)).shape == x.shape


@networks
def test_at_inference_images_of_a_batch_do_not_meet(network):
    net, x = build(network, num_classes=5), images(3, 3, 64, 64)
    net.forward(x)  # so that the running statistics are those of something
    together = net.eval().forward(x)
    alone = np.concatenate([net.forward(x[n : n + 1]) for n in range(3)])
    assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


# Names and order


def test_names_of_mobilenet_v2():
    parameters = list(build(MobileNetV2).parameters())
    assert parameters[0] == "stem.conv.weight"
    assert "stage3.unit2.branch.expand.conv.weight" in parameters
    assert "stage1.unit1.branch.depthwise.conv.weight" in parameters
    assert "stage1.unit1.branch.expand.conv.weight" not in parameters  # its expansion is 1
    assert parameters[-2:] == ["classifier.weight", "classifier.bias"]


@pytest.mark.parametrize(
    ("network", "names"),
    [
        (MobileNetV1, ["unit1.depthwise.conv.weight", "unit13.pointwise.norm.gamma"]),
        (ShuffleNetV1, ["stage2.unit1.branch.compress.conv.weight",
                        "stage4.unit4.branch.expand.norm.running_var"]),
        (ShuffleNetV2, ["stage2.unit1.shortcut.depthwise.conv.weight",
                        "stage3.unit8.branch.pointwise2.conv.weight", "head.conv.weight"]),
    ],
)  # fmt: skip
def test_names_of_the_others(network, names):
    assert set(names) <= set(build(network).state())


@networks
@stems
def test_parts_are_built_in_the_order_of_the_forward_pass(network, small_images):
    net = build(network, small_images=small_images)
    built = [
        name
        for name, layer in net.layers().items()
        if not any(isinstance(part, Layer) for part in vars(layer).values())
    ]
    ran = [row.name for row in summarize(net, (3, 64, 64))]
    assert [name for name in ran if name in built] == built  # units also add and concatenate


def test_the_small_stem_has_no_pooling():
    for network in (ShuffleNetV1, ShuffleNetV2):
        assert "max_pool" in build(network).layers()
        assert "max_pool" not in build(network, small_images=True).layers()


def test_relu6_of_mobilenet_v1_is_an_option():
    for net, act in ((build(MobileNetV1), ReLU), (build(MobileNetV1, relu6=True), ReLU6)):
        assert {type(layer) for layer in net.layers().values()} & {ReLU, ReLU6} == {act}


# Units


@pytest.mark.parametrize(("width_mult", "residuals"), [(1.0, 10), (0.25, 11)])
def test_a_residual_is_added_where_the_shapes_are_equal(width_mult, residuals):
    net = MobileNetV2(width_mult, num_classes=2, rng=0)
    units = [layer for layer in net.layers().values() if isinstance(layer, InvertedResidual)]
    assert len(units) == 17
    assert sum(unit.residual for unit in units) == residuals  # rounding can make widths equal
    assert units[0].residual == (width_mult == 0.25)


@pytest.mark.parametrize(
    ("out_channels", "stride", "residual"), [(8, 1, True), (16, 1, False), (8, 2, False)]
)
def test_a_residual_is_the_input_added_to_the_branch(out_channels, stride, residual):
    unit = InvertedResidual(8, out_channels, stride=stride, expansion=6)
    npnets.init.initialize(unit, rng=0).eval()
    x = images(2, 8, 5, 5)
    branch = unit.branch.forward(x)
    assert unit.residual == residual
    assert_array_equal(unit.forward(x), x + branch if residual else branch)


def test_a_split_unit_hands_half_of_its_channels_on():
    unit, x = npnets.init.initialize(SplitUnit(8), rng=0).eval(), images(2, 8, 5, 5)
    y = unit.forward(x)
    assert_array_equal(y[:, 0::2], x[:, :4])  # dealt out to the even places
    assert_array_equal(y[:, 1::2], unit.branch.forward(x[:, 4:]))


def test_a_shuffle_unit_of_stride_2_appends_its_branch_to_the_pooled_input():
    unit = npnets.init.initialize(ShuffleUnit(8, 32, stride=2, groups=2), rng=0).eval()
    x = abs(images(2, 8, 6, 6))  # as after a ReLU, which would change nothing else
    assert_array_equal(unit.forward(x)[:, :8], npnets.ops.avg_pool2d(x, 3, 2, 1))
    assert unit.forward(x).shape == (2, 32, 3, 3)


@pytest.mark.parametrize(("equal_ways", "kept"), [(False, 24), (True, 58)])
def test_the_two_readings_of_a_down_unit(equal_ways, kept):
    unit = DownUnit(24, 116, equal_ways=equal_ways)
    npnets.init.initialize(unit, rng=0).eval()
    x = images(1, 24, 4, 4)
    assert unit.shortcut.forward(x).shape == (1, kept, 2, 2)
    assert unit.branch.forward(x).shape == (1, 116 - kept, 2, 2)
    assert unit.forward(x).shape == (1, 116, 2, 2)


def test_only_the_first_convolution_of_shufflenet_v1_stage_2_has_one_group():
    net = ShuffleNetV1(groups=4, num_classes=2, rng=0)
    groups = {
        name: layer.groups
        for name, layer in net.layers().items()
        if name.endswith(("compress.conv", "expand.conv"))
    }
    assert groups.pop("stage2.unit1.branch.compress.conv") == 1
    assert set(groups.values()) == {4}
    assert len(groups) == 2 * 16 - 1


# Widths


@pytest.mark.parametrize(
    ("width_mult", "rounded"),
    [
        (0.35, [16, 8, 8, 16, 24, 32, 56, 112]),
        (0.75, [24, 16, 24, 24, 48, 72, 120, 240]),
        (1.0, [32, 16, 24, 32, 64, 96, 160, 320]),
        (1.4, [48, 24, 32, 48, 88, 136, 224, 448]),
    ],
)
def test_widths_of_mobilenet_v2_are_rounded_to_multiples_of_8(width_mult, rounded):
    printed = [32, 16, 24, 32, 64, 96, 160, 320]
    assert [make_divisible(c * width_mult) for c in printed] == rounded


@pytest.mark.parametrize(("width_mult", "channels"), [(0.35, 1280), (1.0, 1280), (1.4, 1792)])
def test_the_last_convolution_of_mobilenet_v2_never_shrinks(width_mult, channels):
    net = MobileNetV2(width_mult, num_classes=2, rng=0)
    assert net.head.conv.weight.value.shape[0] == channels


def test_no_layer_of_mobilenet_v1_has_fewer_than_8_channels():
    net = MobileNetV1(0.01, num_classes=2, rng=0)
    shapes = [p.value.shape for name, p in net.parameters().items() if name.endswith(".gamma")]
    assert min(shapes) == (8,)
    assert max(shapes) == (10,)  # 1024 / 100


def test_widths_of_shufflenet_v1_are_rounded_up():
    assert [round_up(c * 0.5, 16) for c in (272, 544, 1088)] == [144, 272, 544]
    assert [round_up(c, 3) for c in (6, 7, 9)] == [6, 9, 9]


@pytest.mark.parametrize(
    ("network", "widths"),
    [
        (MobileNetV2, (4, 4, 4, 4, 8, 12, 16, 32, 40)),
        (ShuffleNetV1, (6, 24, 48, 96)),
        (ShuffleNetV2, (24, 32, 64, 128, 100)),
    ],
)
def test_widths_may_be_chosen_part_by_part(network, widths):
    net = network(widths=widths, num_classes=2, rng=0)
    x, made = images(1, 3, 64, 64), []
    for name, part in vars(net).items():
        if isinstance(part, Layer):
            x = part.forward(x)
            if name.startswith(("stem", "stage", "head")):
                made.append(x.shape[1])
    assert tuple(made) == widths


def test_widths_must_be_as_many_as_the_network_has_parts():
    with pytest.raises(ValueError, match=r"widths must be 9 numbers of channels, got \(1, 2\)"):
        MobileNetV2(widths=(1, 2))
    with pytest.raises(ValueError, match=r"widths\[3\] must be"):
        ShuffleNetV1(widths=(24, 240, 480, 0))


def test_the_first_unit_of_mobilenet_v2_expands_where_asked_to():
    usual, other = (
        MobileNetV2(0.35, num_classes=2, always_expand=asked, rng=0) for asked in (False, True)
    )
    more = other.state().keys() - usual.state().keys()
    assert {name.rpartition(".")[0] for name in more} == {
        "stage1.unit1.branch.expand.conv",
        "stage1.unit1.branch.expand.norm",
    }
    assert other.stage1.unit1.branch.expand.conv.weight.value.shape == (16, 16, 1, 1)
