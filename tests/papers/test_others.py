"""Networks as rows of convolutions: counts known from elsewhere, and the counter's on our own."""

import pytest

from npnets import ShuffleNetV2
from npnets.cost import summarize
from npnets.cost.trace import trace
from npnets.papers import others
from npnets.papers.others import Conv, Listed


@pytest.mark.parametrize(
    ("net", "macs", "weights"),
    [
        (others.vgg16(), 15_470_264_320, 138_344_128),
        (others.alexnet(), 724_406_816, 60_954_656),
        (others.squeezenet(), 832_667_936, 1_244_448),
        (others.resnet50(), 3_857_973_248, 25_502_912),
        (others.googlenet(), 1_582_671_872, 6_990_272),
        (others.shufflenet_v2_50(), 2_314_702_176, 16_521_282),
    ],
)
def test_counts(net, macs, weights):
    assert net.macs == macs
    assert net.weights == weights


@pytest.mark.parametrize(
    ("net", "params"),
    [
        (others.vgg16(), 138_357_544),  # torchvision's vgg16
        (others.squeezenet(), 1_248_424),  # and squeezenet1_0
        (others.googlenet(), 6_998_552),  # BVLC's GoogLeNet for inference
        (others.alexnet(), 60_965_224),  # and AlexNet
    ],
)
def test_params_are_those_of_the_published_models(net, params):
    assert net.params == params


def test_a_bottleneck_of_one_half_fits_the_depth_50_of_shufflenet_and_one_quarter_does_not():
    quarter, half = others.shufflenet_v1_50(4).macs, others.shufflenet_v1_50(2).macs
    assert round(half / 1e9, 1) == 2.3
    assert round(quarter / 1e9, 1) == 1.2


def test_the_separable_first_convolution_has_what_googlenet_s_table_says():
    plain, separable = others.googlenet().rows, others.googlenet(separable_stem=True).rows
    assert (plain[0].weights, plain[0].macs) == (9_408, 118_013_952)
    assert sum(row.weights for row in separable[:2]) == pytest.approx(2.7e3, abs=50)
    assert sum(row.macs for row in separable[:2]) == pytest.approx(34e6, abs=5e5)


def test_rows_count_as_the_counter_does():
    net = ShuffleNetV2(0.5, rng=0)
    rows = []
    for call in trace(net, (3, 224, 224)):
        if call.op.endswith("conv2d"):
            weight, channels = call.arguments["weight"], call.arguments["x"].shape[1]
            O, C_group, K, _ = weight.shape
            rows.append(Conv(call.result.shape[2], K, channels, O, channels // C_group))
        elif call.op == "linear":
            rows.append(Conv(1, 1, *call.arguments["weight"].shape[::-1]))
    listed, counted = Listed(tuple(rows)), summarize(net, (3, 224, 224))
    assert (listed.macs, listed.weights) == (counted.macs, counted.weights)
    assert listed.macs - listed.convolution_macs == counted.of_kind("fully connected").macs
