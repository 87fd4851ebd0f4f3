"""Separable convolutions: what is counted, and that all ways compute the same."""

import numpy as np
import pytest
from quick import drawn, run

from npnets.experiments import separable


def test_all_full_and_all_separable_ways_compute_the_same():
    case = separable.Case(6, 4, 5, 3)
    ways = separable.candidates(case, 0)
    full = ways["full, NumPy"]()
    np.testing.assert_allclose(ways["full"](), full, rtol=1e-4, atol=1e-5)
    made = ways["separable, NumPy"]()
    np.testing.assert_allclose(ways["separable"](), made, rtol=1e-4, atol=1e-5)
    assert full.shape == made.shape == (1, 5, 6, 6)
    assert ways["full, product"]().shape == ways["separable, product"]().shape == (5, 36)


def test_the_formula_is_the_ratio_of_the_counts():
    for case in (separable.Case(14, 512, 512, 3), separable.Case(28, 128, 8, 5)):
        assert case.fewer == pytest.approx(case.macs / case.separable_macs)
    assert separable.Case(14, 512, 512, 3).separable_macs == 52_283_392


def test_the_result_counts_the_paper_s_layers(tmp_path):
    result = run("separable")
    counted, *timed = result.tables
    assert counted.column("full\nmultiply-adds")[3] == 462_422_016
    assert counted.column("separable\nmultiply-adds")[3] == 52_283_392
    assert counted.column("times\nfewer")[3] == pytest.approx(462_422_016 / 52_283_392)
    assert counted.column("paper\ntable 3") == [None, None, None, 462 / 52.3, None]
    assert [len(table.rows) for table in timed] == [5, 4, 3]
    exact = [verdict for verdict in result.verdicts if verdict.exact]
    assert [verdict.holds for verdict in exact] == [False], "64 channels make it 7.89"
    assert len(drawn(result, tmp_path)) == 3
