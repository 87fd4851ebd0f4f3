"""Runtime shares, and what predicts a time: the arithmetic behind, on times that are given."""

import numpy as np
import pytest
from quick import drawn, run

from npnets import create_model
from npnets.cost import kinds
from npnets.experiments import correlation, shares, variants


def test_a_pie_is_of_the_medians_of_each_operation():
    calls = [("pointwise", 10), ("add", 0), ("pointwise", 30)]
    passes = [[1, 5, 3, 1, 2], [2, 5, 9, 1, 2], [3, 50, 3, 1, 2]]
    pie = shares._pie(calls, passes)
    assert pie.seconds == {"pointwise": 5, "add": 5, "between": 1}
    assert pie.macs == {"pointwise": 40, "add": 0}
    assert pie.share("pointwise", "between") == pytest.approx(6 / 11)
    assert pie.share("pool") == 0
    assert pie.slower == pytest.approx(2 / 11)


def test_a_pass_is_noted_operation_by_operation():
    net = create_model("shufflenet_v1_x0_25_g2", num_classes=3, rng=0).eval()
    x = np.zeros((1, 3, 64, 64), np.float32)
    calls = shares._calls(net, x)
    ticks = iter([10.0, 14.0, 20.0, 23.0])
    *noted, between, noting = shares._timed(net, x, lambda: next(ticks))
    assert len(noted) == len(calls)
    assert all(seconds > 0 for seconds in noted)
    assert between == pytest.approx(3 - sum(noted))
    assert noting == 1
    assert {"stem", "grouped pointwise", "depthwise", "batch norm"} <= {kind for kind, _ in calls}


def test_every_kind_is_part_of_the_paper_s_pie_once():
    members = [kind for part in shares.PARTS.values() for kind in part]
    assert sorted(members) == sorted([*kinds.KINDS, shares.PYTHON])
    for columns in shares.PAPER.values():
        assert all(len(column) == len(shares.PARTS) for column in columns)
        assert [sum(column) for column in columns] == pytest.approx([100, 100])


def test_shares_of_all_networks_add_up_to_the_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(shares, "SIZE", 64)
    result = run("shares")
    paper, written, folded, rates = result.tables
    assert paper.column("paper\nphone") == [87, 4, 1, 0, 8, 89, 10.5, 0.3, 0, 0.2]
    for head in ("npnets\nas written", "npnets\nfolded"):
        column = paper.column(head)
        assert sum(column[:5]) == pytest.approx(100)
        assert sum(column[5:]) == pytest.approx(100)
    for table in (written, folded):
        for row in zip(*table.rows[:-1], strict=True):
            numbers = [cell for cell in row if isinstance(cell, float)]
            assert not numbers or sum(numbers) == pytest.approx(100)
    assert "batch norm" in written.column("kind")
    assert "batch norm" not in folded.column("kind")
    pointwise = rates.rows[rates.column("kind").index("pointwise")]
    assert pointwise[1] > 85, "of the multiply-adds of MobileNet v1"
    assert len(drawn(result, tmp_path)) == 1


def test_correlations_are_those_of_scipy():
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 8, 30), rng.standard_normal(30)
    assert correlation.spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)
    assert correlation.pearson(a, b) == pytest.approx(stats.pearsonr(a, b).statistic)
    np.testing.assert_array_equal(correlation.ranks([5, 1, 5, 0]), [2.5, 1, 2.5, 0])
    assert correlation.spearman([1, 2, 3], [10, 200, 3000]) == 1
    assert correlation.spearman([1, 2, 3], [3, 2, 1]) == -1


def test_a_power_law_is_found_again():
    x = np.array([1.0, 10, 100, 1000])
    p, off = correlation.power_law(x, 3 * x**0.5)
    assert p == pytest.approx(0.5)
    assert off == pytest.approx(0, abs=1e-12)
    _, off = correlation.power_law([1.0, 1.0, 2.0, 2.0], [0.9, 1.0 / 0.9, 1.8, 2 / 0.9])
    assert off == pytest.approx(0.1, abs=0.012)


def test_prices_are_found_again():
    rng = np.random.default_rng(0)
    networks = []
    for k in range(9):
        counts = dict(zip(variants.METRICS, rng.integers(1, 1000, 4).tolist(), strict=True))
        operations, macs, elements = (counts[metric] for metric in variants.ADDED)
        seconds = 5e-6 * operations + 2e-9 * macs + 7e-8 * elements
        networks.append(variants.Network(f"net{k}", {"folded": counts}, {"folded": seconds}))
    found, said = variants.prices(networks, "folded")
    np.testing.assert_allclose(found, [5e-6, 2e-9, 7e-8], rtol=1e-9)
    np.testing.assert_allclose(said, [n.seconds["folded"] for n in networks], rtol=1e-9)


def test_variants_list_exact_counts_and_the_paper_s_law(tmp_path):
    result = run("variants")
    correlations, laws, networks = result.tables
    assert len(correlations.rows) == 10
    assert sorted(networks.column("network")) == sorted(variants.FEW)
    macs = dict(zip(networks.column("network"), networks.column("multiply-adds"), strict=True))
    assert macs["shufflenet_v1_x1_0_g3"] == 137_460_672
    assert laws.column("exponent p")[:3] == pytest.approx([0.750, 0.745, 0.749], abs=5e-4)
    assert len(drawn(result, tmp_path)) == 3


def test_the_unlike_pair_has_equal_multiply_adds_and_unlike_times():
    def network(name, macs, seconds):
        return variants.Network(name, {"folded": {"multiply-adds": macs}}, {"folded": seconds})

    others = network("small", 10, 1.0), network("large", 1000, 90.0), network("a", 100, 5.0)
    slow, fast = network("slow", 103, 7.0), network("fast", 99, 3.0)
    assert variants.unlike_pair([*others, slow, fast], "folded") == (slow, fast)
