"""Whole networks, against counts that were made elsewhere: elements moved, and parameters."""

import csv
from pathlib import Path

import pytest

from npnets import create_model
from npnets.cost import summarize
from npnets.cost.kinds import MULTIPLYING
from npnets.papers.networks import conv_mobilenet

COUNTED = Path(__file__).parents[3] / "shared" / "reference" / "arithmetic_intensity.csv"
NAMES = {
    "MobileNetV1 1.0": "mobilenet_v1",
    "MobileNetV1 0.25": "mobilenet_v1_x0_25",
    "MobileNetV2 1.0": "mobilenet_v2",
    "MobileNetV2 0.35": "mobilenet_v2_x0_35",
    "ShuffleNetV1 1x g3": "shufflenet_v1_x1_0_g3",
    "ShuffleNetV1 1x g8": "shufflenet_v1_x1_0_g8",
    "ShuffleNetV2 1x": "shufflenet_v2_x1_0",
    "ShuffleNetV2 2x": "shufflenet_v2_x2_0",
}
# Multiply-adds, and the elements that convolutions and the classifier read and write, of one image
# of 224 × 224, without the bias of the classifier.
LITERALS = {
    "Conv MobileNet": (4867293184, 35605320),
    "MobileNetV1 1.0": (568740352, 14396840),
    "MobileNetV2 1.0": (300774272, 16916072),
    "ShuffleNetV1 1x g3": (137460672, 7806880),
    "ShuffleNetV2 1x": (145814296, 6251244),
}


def counted(name):
    """Return (multiply-adds, elements moved, depthwise multiply-adds and elements)."""
    net = conv_mobilenet() if name == "Conv MobileNet" else create_model(NAMES[name], rng=0)
    part = summarize(net, (3, 224, 224)).of_kind(*MULTIPLYING)
    biases = part.params - part.weights
    depthwise = part.of_kind("depthwise")
    return part.macs, part.elements - biases, depthwise.macs, depthwise.elements


@pytest.mark.parametrize("name", LITERALS)
def test_literals(name):
    assert counted(name)[:2] == LITERALS[name]


@pytest.mark.parametrize("name", ["Conv MobileNet", *NAMES])
def test_the_counts_of_another_counter(name):
    if not COUNTED.exists():
        pytest.skip(f"there is no {COUNTED}")
    with open(COUNTED, encoding="utf-8", newline="") as file:
        (line,) = (line for line in csv.DictReader(file) if line["net"] == name)
    macs, elements, depthwise_macs, depthwise_elements = counted(name)
    assert (macs, elements) == (int(line["macs"]), int(line["mem_elems"]))
    assert round(macs / elements, 2) == float(line["mac_per_elem"])
    assert round(100 * depthwise_macs / macs, 2) == float(line["dw_mac_share"])
    assert round(100 * depthwise_elements / elements, 2) == float(line["dw_mem_share"])


def test_depthwise_convolutions_reach_at_most_nine_halves():
    """K² multiply-adds for one element read and one written; with stride 2 four are read."""
    for name in NAMES.values():
        for row in summarize(create_model(name, rng=0), (3, 224, 224)).of_kind("depthwise"):
            C, H, W = row.output_shape
            limit = 9 / 2 if row.reads < 2 * row.writes + 9 * C else 9 / 5
            assert row.intensity < limit


def test_fewer_multiply_adds_are_not_less_traffic():
    """MobileNet v2 has 47 % fewer multiply-adds than v1, and its convolutions move more."""
    (v1_macs, v1_elements, *_), (v2_macs, v2_elements, *_) = map(
        counted, ("MobileNetV1 1.0", "MobileNetV2 1.0")
    )
    assert round(1 - v2_macs / v1_macs, 2) == 0.47
    assert v2_elements > v1_elements


def test_the_three_counts_of_parameters():
    """Of MobileNet v2, as tensorflow/models, torchvision and Keras print them."""
    total = summarize(create_model("mobilenet_v2", rng=0), (3, 224, 224))
    assert (total.weights, total.params, total.values) == (3469760, 3504872, 3538984)
