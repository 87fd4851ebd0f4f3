"""G1 to G4 of ShuffleNetV2: what is counted, that all ways compute the same, and no time."""

import numpy as np
import pytest
from quick import drawn, run

from npnets.bench.timing import Ratio
from npnets.experiments import g1, g2, g3, g4, stack


@pytest.mark.parametrize("groups", [1, 2])
def test_all_ways_to_run_a_stack_compute_the_same(groups):
    layers = stack.stacked([8, 4, 12, 8], 5, 0, groups)
    x = layers[0].x.astype(float)
    for layer in layers:
        parts = np.split(x.reshape(-1, 25), groups)
        weights = np.split(layer.weight[:, :, 0, 0].astype(float), groups)
        x = np.concatenate([w @ part for w, part in zip(weights, parts, strict=True)])
    for make in (stack.by_ops, stack.by_products, *[stack.by_kept_products] * (groups == 1)):
        layers[-1].y[...] = np.nan
        np.testing.assert_allclose(make(layers)().reshape(8, 25), x, rtol=1e-4, atol=1e-5)


def test_a_stack_counts_what_it_multiplies_and_moves():
    first, second = stack.stacked([8, 4, 12], 5, 0, groups=2)
    assert (first.macs, second.macs) == (25 * 8 * 4 // 2, 25 * 4 * 12 // 2)
    assert second.elements == second.x.size + second.y.size + second.weight.size
    assert second.x is first.y


def test_a_deep_stack_neither_vanishes_nor_explodes():
    y = stack.by_ops(stack.stacked([32] * 21, 14, 0))()
    assert 0.1 < y.std() < 10


def test_g1_counts_the_paper_s_widths(tmp_path, monkeypatch):
    monkeypatch.setattr(g1, "BLOCKS", 2)
    result = run("g1")
    counts, narrow, wide, equal = result.tables
    assert counts.column("c1, c2") == ["32, 32", "22, 44", "13, 78", "9, 108"]
    assert counts.column("multiply-adds") == [3_211_264, 3_035_648, 3_179_904, 3_048_192]
    assert counts.column("elements") == [201_728, 207_944, 286_390, 367_884]
    assert counts.column("elements / bound")[0] == pytest.approx(1, abs=1e-12)
    paper = narrow.column("paper\nper MAC")
    assert paper == pytest.approx([1, 72.9 / 76.2 * 968 / 1024, 0.898, 0.718], abs=5e-4)
    assert narrow.column("paper\nrelative")[3] == pytest.approx(0.756, abs=5e-4)
    assert len(wide.rows) == 4
    assert set(equal.column("multiply-adds")) == {2 * 2 * 56 * 56 * 1024}
    assert len(result.verdicts) == 3
    assert len(drawn(result, tmp_path)) == 1


def test_g1_compares_speeds_per_multiply_add():
    class Found:
        def ratio(self, name, over):
            assert (name, over) == ("npnets 32:32", "npnets 9:108")
            return Ratio(0.8, 0.7, 0.9, 5)

    assert g1.speed(Found(), "npnets", (9, 108), (32, 32)).median == 0.8 * 972 / 1024


def test_g2_counts_groups_and_compares_per_multiply_add(tmp_path, monkeypatch):
    monkeypatch.setattr(g2, "LAYERS", 2)
    result = run("g2")
    narrow, middle, wide = result.tables
    assert narrow.column("c") == [64, 90, 128, 184]
    assert narrow.column("multiply-adds") == [12_845_056, 12_700_800, 12_845_056, 13_271_552]
    assert narrow.column("elements")[2] == 56 * 56 * 256 + 128 * 32
    assert middle.column("multiply-adds")[3] == 56 * 56 * 360 * 45
    assert wide.column("c") == [256, 360, 512, 720]
    paper = narrow.column("paper\nper MAC")
    assert paper == pytest.approx([1, 0.8652, 0.8225, 0.6872], abs=5e-5)
    assert len(drawn(result, tmp_path)) == 3


@pytest.mark.parametrize("shape", g3.SHAPES)
def test_fragments_compute_the_same_in_both_ways(shape):
    made = g3.steps(16, shape, 5, 0)
    fragments, order = g3.SHAPES[shape]
    convolutions = [step for step in made if step[1].shape[2:] == (1, 1)]
    assert len(convolutions) == g3.BLOCKS * fragments
    assert len(made) == g3.BLOCKS * (2 * fragments - 1 if order == "parallel" else fragments)
    c = g3.width(16, fragments)
    assert {step[1].shape for step in convolutions} == {(c, c, 1, 1)}
    x = made[0][0].reshape(c, 25).astype(float)
    weights = [step[1][:, :, 0, 0].astype(float) for step in convolutions]
    for block in range(g3.BLOCKS):
        some = weights[block * fragments : (block + 1) * fragments]
        if order == "parallel":
            x = sum(weight @ x for weight in some)
        else:
            for weight in some:
                x = weight @ x
    for make in g3.WAYS.values():
        made[-1][2][...] = np.nan
        np.testing.assert_allclose(make(made)().reshape(c, 25), x, rtol=1e-3, atol=1e-4)


def test_g3_counts_fragments_of_equal_cost(tmp_path, monkeypatch):
    monkeypatch.setattr(g3, "BLOCKS", 2)
    result = run("g3")
    counts, large, small = result.tables
    assert counts.column("c = 64\nwidth") == [64, 45, 32, 45, 32]
    assert counts.column("c = 128\nmultiply-adds")[:3] == [51_380_224, 51_938_432, 51_380_224]
    assert large.column("c = 64\npaper")[3] == 33.4 / 40.2
    assert small.column("c = 64\npaper") == [None] * 5
    assert small.column("c = 128\npaper")[4] == 691 / 2446
    assert large.column("c = 256\nnpnets")[0] == 1
    assert len(drawn(result, tmp_path)) == 6


@pytest.mark.parametrize("choice", g4.CHOICES)
def test_bottleneck_units_compute_the_same_in_all_ways(choice, monkeypatch):
    monkeypatch.setattr(g4, "SIZE", 6)
    monkeypatch.setattr(g4, "UNITS", 3)
    made = {way: g4.steps(8, 4, choice, way, 0) for way in g4.WAYS}
    results = {way: g4.runner(steps)().copy() for way, steps in made.items()}
    for way in g4.WAYS[1:]:
        np.testing.assert_allclose(results[way], results["npnets"], rtol=1e-5, atol=1e-5)
    relu, shortcut = choice
    assert (results["npnets"].min() >= 0) == relu
    assert len(made["npnets"]) == 3 * (3 + 3 * relu + shortcut)
    assert len(made["in place"]) == len(made["npnets"])
    assert len(made["fused"]) == 3 * (3 + (relu and shortcut) + shortcut)
    again = g4.runner(made["npnets"])()
    np.testing.assert_array_equal(again, results["npnets"], "a run leaves its input as it was")


def test_g4_counts_what_passes_move(tmp_path, monkeypatch):
    monkeypatch.setattr(g4, "UNITS", 1)
    result = run("g4")
    counts, *tables = result.tables
    pixels = 56 * 56
    assert counts.column("multiply-adds")[1] == pixels * (2 * 64 * 16 + 9 * 16 * 16)
    assert counts.column("ReLUs")[1] == pixels * 2 * (16 + 16 + 64)
    assert counts.column("sum")[1] == pixels * 3 * 64
    assert counts.column("elements:\nconvolutions")[1] == 606_464
    assert [len(table.rows) for table in tables] == [4] * 5
    assert tables[0].column("paper\nphone")[3] == 66.3 / 56.7
    assert len(drawn(result, tmp_path)) == 5
