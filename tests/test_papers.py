"""The exact counts of every published variant; what is published in code, and what in papers."""

import csv
from pathlib import Path

import pytest
from paper_counts import (
    BUILT_IN_CODE,
    IN_CODE,
    VARIANTS,
    agrees,
    cost,
    count_weights,
    in_code,
    network_of,
)

from npnets import ShuffleNetV1, ShuffleNetV2
from npnets.nets.shufflenet_v1 import STEM
from npnets.papers import compare
from npnets.papers.published import UNITS

TRUTH = Path(__file__).parents[2] / "shared" / "reference" / "truth.csv"
PAPERS = {
    "1704.04861": "mobilenet_v1",
    "1707.01083": "shufflenet_v1",
    "1801.04381": "mobilenet_v2",
    "1807.11164": "shufflenet_v2",
}


# Every variant


def test_each_variant_has_one_row():
    assert len({variant.key for variant in VARIANTS}) == len(VARIANTS) == 79


@pytest.mark.parametrize("row", VARIANTS, ids=str)
def test_counts_are_exact(row):
    net = network_of(row)
    total, classifier = cost(net, row.resolution), net.classifier.weight.value.size
    assert total.params == row.params
    assert total.weights == count_weights(net) == row.weights
    assert total.macs == row.macs
    assert total.macs - classifier == row.macs_without_classifier


def test_what_the_papers_count_are_these_variants():
    """Each million of multiply-adds or parameters in a table, and the exact one beside it."""
    macs = {v.macs for v in VARIANTS}
    cells = [
        cell
        for cell in compare()
        if cell.column == "multiply-adds" and cell.unit == "million" and cell.exact
    ]
    elsewhere = {cell.exact for cell in cells} - macs
    assert elsewhere == {
        462_422_016, 52_283_392, 29_578_752, 15_091_200,  # table 3 of MobileNet
        567_839_232, 324_724_608, 417_220_608, 238_597_632,  # 120 breeds of dog
        567_716_352, 148_985_088, 40_774_272, 185_376_768, 48_648_192, 13_314_048,  # no classifier
        15_470_264_320, 1_582_671_872, 832_667_936, 724_406_816,  # networks of others
    }  # fmt: skip
    assert len(cells) > 60


# What is published in code


@pytest.mark.parametrize("row", BUILT_IN_CODE, ids=str)
def test_counts_in_code_agree_or_a_note_says_why_not(row):
    exact = row.exact
    agree = not row.published_params or any(
        agrees(row.published_params, count)
        for count in (exact.params - row.bias_not_counted, exact.weights)
    )
    agree &= not row.published_macs or agrees(row.published_macs, exact.macs)
    assert agree or row.note
    if row.published_macs and abs(float(row.published_macs) * 1e6 - exact.macs) >= 1e6:
        assert row.note


def test_what_cannot_be_built_has_a_reason():
    others = [row for row in IN_CODE if not row.exact]
    assert others
    assert all(row.note.startswith("not built: ") for row in others)


def test_slim_left_the_first_convolution_out_at_width_0_75():
    found = in_code("MobileNetV1", "slim", width="0.75")
    assert [row.resolution for row in found] == ["224", "192", "160", "128"]
    for row in found:
        stem = cost(network_of(row), row.resolution).rows[0]
        assert agrees(row.published_macs, row.exact.macs - stem.macs)


def test_slim_counted_1001_classes_and_three_numbers_per_channel_of_batch_norm():
    for row in in_code("MobileNetV1", "slim", resolution="224"):
        net = network_of(row, num_classes=1001)
        channels = sum(p.value.size for n, p in net.parameters().items() if n.endswith(".beta"))
        assert agrees(row.published_params, count_weights(net) + 1001 + 3 * channels)


def test_d_li14_counted_one_more_for_each_channel_of_a_convolution():
    found = in_code("MobileNetV2", "d-li14")
    assert len(found) == 9
    for row in found:
        exact = row.exact
        channels = (exact.params - exact.weights - 1000) // 2  # a gamma and a beta for each
        assert agrees(row.published_macs, exact.macs + channels)


# The reference


@pytest.mark.skipif(not TRUTH.exists(), reason="shared/reference lies beside the project only")
def test_the_counts_are_those_of_the_reference():
    known = {"": "", "official": "", "torchvision": "", "d-li14": "", "reimplemented": ""}
    known |= {"Conv": "Conv MobileNet", "Shallow": "Shallow MobileNet"}
    cells = [cell for cell in compare() if not isinstance(cell.exact, str) and cell.printed]
    compared = 0
    with open(TRUTH, encoding="utf-8", newline="") as file:
        for truth in csv.DictReader(file):
            variant = known.get(truth["variant"].partition(" ")[0])
            if "both branches" in truth["variant"]:
                variant = "equal_ways"
            if variant is None or not truth["check_macs"] or truth["alpha_or_scale"] == "0.1":
                continue  # these cannot be built
            (exact,) = (row for row in VARIANTS if is_row(row, truth, variant))
            in_code = [row for row in BUILT_IN_CODE if row.exact is exact]
            assert exact.macs == int(truth["check_macs"])
            assert exact.weights == int(truth["check_weights_only"])
            biases = {row.bias_not_counted for row in in_code} | {0, 1000}
            assert int(truth["check_params"]) in {exact.params - bias for bias in biases}
            for number, count in (("params", exact.weights), ("madds", exact.macs)):
                published = {
                    getattr(row, f"published_{number.replace('madds', 'macs')}") for row in in_code
                }
                assert {truth[f"repo_{number}_M"]} <= published | {""}
                if "Dogs" not in truth["paper_source"]:  # the paper has 120 classes there
                    paper = PAPERS.get(truth["paper_source"].partition(" ")[0])
                    assert is_printed(truth[f"paper_{number}_M"], count, paper, cells)
            compared += 1
    assert compared == 92


def is_row(row, truth, variant):
    return (
        (row.network, row.variant, row.resolution)
        == (truth["network"], variant, truth["resolution"])
        and float(row.width) == float(truth["alpha_or_scale"])
        and row.groups in ("", truth["groups"])
    )


def is_printed(said, count, paper, cells):
    """Whether a paper prints this many millions for this count, in one of its tables."""
    return not said or any(
        cell.paper == paper
        and cell.exact == count
        and cell.formula is None
        and float(cell.printed) * UNITS[cell.unit] == pytest.approx(float(said) * 1e6)
        for cell in cells
    )


# What other readings would cost


def test_the_complexities_of_shufflenet_s_table_1_all_fit_without_the_classifier():
    found = [cell for cell in compare("shufflenet_v1", "1") if cell.row == "Complexity"]
    for cell, groups in zip(found, "12348", strict=True):
        (exact,) = (v for v in VARIANTS if v.key == ("ShuffleNetV1", "", "1.0", groups, "224"))
        assert cell.exact == exact.macs
        assert agrees(cell.printed, exact.macs_without_classifier)
    assert not all(agrees(cell.printed, cell.exact) for cell in found)


@pytest.mark.parametrize("scale", ["1.5", "2.0"])
def test_table_5_of_shufflenet_counts_the_classifier(scale):
    (exact,) = (v for v in VARIANTS if v.key == ("ShuffleNetV1", "", scale, "3", "224"))
    (cell,) = (c for c in compare("shufflenet_v1", "5") if c.exact == exact.macs)
    assert agrees(cell.printed, exact.macs)
    assert not agrees(cell.printed, exact.macs_without_classifier)


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
    (cell,) = (
        cell
        for cell in compare("shufflenet_v2", "5")
        if (cell.row, cell.column) == ("FLOPs", f"{float(width):g}x")
    )
    (equal,) = in_code("ShuffleNetV2", "torchvision", width=width)
    assert agrees(cell.printed, cell.exact)
    assert not agrees(cell.printed, equal.exact.macs)


def test_at_half_width_both_readings_of_shufflenet_v2_are_the_same():
    states = [ShuffleNetV2(0.5, equal_ways=equal, rng=0).state() for equal in (False, True)]
    shapes = [{name: array.shape for name, array in state.items()} for state in states]
    assert shapes[0] == shapes[1]
