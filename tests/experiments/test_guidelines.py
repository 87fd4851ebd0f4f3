"""G1 to G4 of ShuffleNetV2: what is counted, that all ways compute the same, and no time."""

import numpy as np
import pytest
from quick import drawn, run

from npnets.bench.timing import Ratio
from npnets.experiments import g1, stack


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


def test_g1_counts_the_paper_s_widths(tmp_path):
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
    assert set(equal.column("multiply-adds")) == {20 * 56 * 56 * 1024}
    assert len(result.verdicts) == 3
    assert len(drawn(result, tmp_path)) == 1


def test_g1_compares_speeds_per_multiply_add():
    class Found:
        def ratio(self, name, over):
            assert (name, over) == ("npnets 32:32", "npnets 9:108")
            return Ratio(0.8, 0.7, 0.9, 5)

    assert g1.speed(Found(), "npnets", (9, 108), (32, 32)).median == 0.8 * 972 / 1024
