"""Every count that is published of these networks, in papers and in code, and that of npnets."""

import csv
from pathlib import Path

import pytest
from paper_counts import BUILT, ROWS, agrees, cost, count_weights, full_unit, network_of, rows

from npnets import MobileNetV1, ShuffleNetV1, ShuffleNetV2
from npnets.cost import summarize
from npnets.layers import Conv2d, DepthwiseConv2d, Linear, PointwiseConv2d
from npnets.nets.mobilenet_v1 import separable_unit
from npnets.nets.shufflenet_v1 import STEM

TRUTH = Path(__file__).parents[2] / "shared" / "reference" / "truth.csv"
every_row = pytest.mark.parametrize("row", BUILT, ids=str)


# Every row


@every_row
def test_counts_are_exact(row):
    net = network_of(row)
    total, classifier = cost(net, row.resolution), net.classifier.weight.value.size
    assert total.params == row.params
    assert count_weights(net) == row.weights
    assert total.macs == row.macs
    assert total.macs - classifier == row.macs_without_classifier


@every_row
def test_published_counts_agree_or_a_note_says_why_not(row):
    params = row.params - (row.bias_not_counted or 0)
    agree = not row.published_params or any(
        agrees(row.published_params, exact) for exact in (params, row.weights)
    )
    agree &= not row.published_macs or agrees(row.published_macs, row.macs)
    assert agree or row.note
    if row.published_macs and abs(float(row.published_macs) * 1e6 - row.macs) >= 1e6:
        assert row.note


def test_what_cannot_be_built_has_a_reason():
    others = [row for row in ROWS if not row.params]
    assert others
    assert all(row.note.startswith("not built: ") and not row.macs for row in others)


@pytest.mark.skipif(not TRUTH.exists(), reason="shared/reference lies beside the project only")
def test_the_table_is_that_of_the_reference():
    known = {"": "", "official": "", "torchvision": "", "d-li14": "", "reimplemented": ""}
    known |= {"Conv": "Conv MobileNet", "Shallow": "Shallow MobileNet"}
    compared = 0
    with open(TRUTH, encoding="utf-8", newline="") as file:
        for truth in csv.DictReader(file):
            variant = known.get(truth["variant"].partition(" ")[0])
            if "both branches" in truth["variant"]:
                variant = "equal_ways"
            if variant is None or not truth["check_macs"] or truth["alpha_or_scale"] == "0.1":
                continue  # these cannot be built
            matching = [row for row in BUILT if is_row(row, truth, variant)]
            assert matching, truth
            assert {row.macs for row in matching} == {int(truth["check_macs"])}
            assert {row.weights for row in matching} == {int(truth["check_weights_only"])}
            params = {row.params - (row.bias_not_counted or 0) for row in matching}
            assert int(truth["check_params"]) in params
            for number in ("params", "madds"):
                said = {truth[f"paper_{number}_M"], truth[f"repo_{number}_M"]}
                ours = number.replace("madds", "macs")
                assert said <= {getattr(row, f"published_{ours}") for row in matching} | {""}
            compared += 1
    assert compared == 92


def is_row(row, truth, variant):
    return (
        (row.network, row.variant, row.resolution)
        == (truth["network"], variant, truth["resolution"])
        and float(row.width) == float(truth["alpha_or_scale"])
        and row.groups in ("", truth["groups"])
    )


# MobileNet v1


def share(net, kind):
    """Return the part of layers of a kind in the multiply-adds and in the weights, in percent."""
    layers, total = net.layers(), cost(net)
    of_kind = [row for row in total if type(layers[row.name]) is kind]
    weights = sum(layers[row.name].weight.value.size for row in of_kind)
    macs = sum(row.macs for row in of_kind)
    return 100 * macs / total.macs, 100 * weights / count_weights(net)


def test_table_2_of_mobilenet_v1():
    """The 1.19 % that is printed for the first convolution is a misprint of 1.91 %."""
    net = MobileNetV1(rng=0)
    shares = [share(net, kind) for kind in (PointwiseConv2d, DepthwiseConv2d, Conv2d, Linear)]
    macs, weights = zip(*shares, strict=True)
    assert [round(percent, 3) for percent in macs] == [94.857, 3.057, 1.906, 0.180]
    assert [round(percent, 2) for percent in weights] == [74.59, 1.06, 0.02, 24.33]
    assert sum([94.86, 3.06, 1.19, 0.18]) == pytest.approx(99.29)  # as printed: no whole


@pytest.mark.parametrize(
    ("unit", "channels", "size", "macs", "weights", "printed"),
    [
        (full_unit, 512, 14, 462_422_016, 2_359_296, ("462", "2.36")),
        (separable_unit, 512, 14, 52_283_392, 266_752, ("52.3", "0.27")),
        (separable_unit, 384, 14, 29_578_752, 150_912, ("29.6", "0.15")),  # width 0.75
        (separable_unit, 384, 10, 15_091_200, 150_912, ("15.1", "0.15")),  # resolution 0.714
    ],
)
def test_table_3_of_mobilenet_v1(unit, channels, size, macs, weights, printed):
    layer = unit(channels, channels, 1)
    assert summarize(layer, (channels, size, size)).macs == macs
    assert count_weights(layer) == weights
    assert agrees(printed[0], macs)
    assert agrees(printed[1], weights)


def test_table_4_of_mobilenet_v1_counts_once_with_and_once_without_the_classifier():
    (full,) = rows("MobileNetV1", "1704.04861 Table 4", variant="Conv MobileNet")
    (separable,) = rows("MobileNetV1", "1704.04861 Tables 4", width="1.0")
    assert agrees(full.published_macs, full.macs_without_classifier)
    assert not agrees(full.published_macs, full.macs)
    assert agrees(separable.published_macs, separable.macs)
    assert not agrees(separable.published_macs, separable.macs_without_classifier)


@pytest.mark.parametrize(("width", "printed"), [(1.0, "3.3"), (0.75, "1.9")])
def test_table_10_of_mobilenet_v1_counts_parameters_for_120_breeds_of_dog(width, printed):
    net = MobileNetV1(width, num_classes=120, rng=0)
    assert agrees(printed, cost(net).params)
    assert agrees(printed, count_weights(net))


def test_slim_left_the_first_convolution_out_at_width_0_75():
    found = rows("MobileNetV1", "slim", width="0.75")
    assert [row.resolution for row in found] == ["224", "192", "160", "128"]
    for row in found:
        stem = cost(network_of(row), row.resolution).rows[0]
        assert agrees(row.published_macs, row.macs - stem.macs)


def test_slim_counted_1001_classes_and_three_numbers_per_channel_of_batch_norm():
    for row in rows("MobileNetV1", "slim", resolution="224"):
        net = network_of(row, num_classes=1001)
        channels = sum(p.value.size for n, p in net.parameters().items() if n.endswith(".beta"))
        assert agrees(row.published_params, count_weights(net) + 1001 + 3 * channels)


# The others


def test_d_li14_counted_one_more_for_each_channel_of_a_convolution():
    found = rows("MobileNetV2", "d-li14")
    assert len(found) == 9
    for row in found:
        channels = (row.params - row.weights - 1000) // 2  # a gamma and a beta for each
        assert agrees(row.published_macs, row.macs + channels)


def test_table_1_of_shufflenet_v1_leaves_the_classifier_out():
    found = rows("ShuffleNetV1", "1707.01083 Table 1")
    assert [row.groups for row in found] == ["1", "2", "3", "4", "8"]
    for row in found:
        assert agrees(row.published_macs, row.macs_without_classifier)
    assert not all(agrees(row.published_macs, row.macs) for row in found)


@pytest.mark.parametrize("scale", ["1.5", "2.0"])
def test_table_5_of_shufflenet_v1_counts_the_classifier(scale):
    (row,) = rows("ShuffleNetV1", "1707.01083 Table", width=scale)
    assert agrees(row.published_macs, row.macs)
    assert not agrees(row.published_macs, row.macs_without_classifier)


@pytest.mark.parametrize(
    ("scale", "groups", "stem", "macs"),
    [
        (0.25, 1, 12, 13_162_320),  # these two would be the 13 million that are published
        (0.25, 3, 12, 13_300_656),
        (0.25, 2, 12, 14_226_936),  # but not these
        (0.25, 8, 16, 15_719_040),
        (1.5, 3, 36, 299_600_000),  # and 292 and 524 need stems of 24 and 48
        (2.0, 3, 24, 507_600_000),
    ],
)
def test_other_stems_of_shufflenet_v1(monkeypatch, scale, groups, stem, macs):
    monkeypatch.setitem(STEM, scale, stem)
    assert cost(ShuffleNetV1(scale, groups, rng=0)).macs == pytest.approx(macs, abs=50_000)


@pytest.mark.parametrize("width", ["1.0", "1.5", "2.0"])
def test_only_one_reading_of_shufflenet_v2_fits_the_paper(width):
    (paper,) = rows("ShuffleNetV2", "1807.11164", width=width)
    (equal,) = rows("ShuffleNetV2", "torchvision", width=width)
    assert agrees(paper.published_macs, paper.macs)
    assert not agrees(paper.published_macs, equal.macs)


def test_at_half_width_both_readings_of_shufflenet_v2_are_the_same():
    states = [ShuffleNetV2(0.5, equal_ways=equal, rng=0).state() for equal in (False, True)]
    shapes = [{name: array.shape for name, array in state.items()} for state in states]
    assert shapes[0] == shapes[1]
