"""Units at equal cost: their widths, and that the formulas count what was built."""

import pytest
from quick import drawn, run

from npnets.cost import summarize
from npnets.experiments import units


@pytest.mark.parametrize("family", units.FAMILIES)
def test_the_formulas_count_what_is_built(family):
    for channels in units.CHANNELS:
        c = units.widths(channels)[family]
        unit = units.FAMILIES[family].build(c)
        assert summarize(unit, (c, 7, 7)).macs == 49 * units.FAMILIES[family].macs(c)


def test_no_other_width_is_nearer_in_cost():
    for channels in units.CHANNELS:
        chosen = units.widths(channels)
        assert chosen["ShuffleNet v2"] == channels
        target = units.FAMILIES["ShuffleNet v2"].macs(channels)
        for family, c in chosen.items():
            of = units.FAMILIES[family]
            assert c % of.multiple == 0
            apart = abs(of.macs(c) - target)
            for other in (c - of.multiple, c + of.multiple):
                assert other == 0 or apart <= abs(of.macs(other) - target)
    assert units.widths(64) == {
        "ShuffleNet v2": 64, "ShuffleNet v1": 108, "MobileNet v2": 12, "MobileNet v1": 44,
    }  # fmt: skip


def test_the_result_states_widths_and_costs(tmp_path, monkeypatch):
    monkeypatch.setattr(units, "UNITS", 2)
    result = run("units")
    counts, large, small = result.tables
    assert counts.column("channels\n128") == [128, 228, 25, 89]
    assert counts.column("multiply-adds\n64")[0] == 2 * 56 * 56 * (2 * 32 * 32 + 9 * 32)
    assert counts.column("operations\nin a unit") == [9, 10, 9, 6]
    assert large.column("c = 64\npaper") == pytest.approx([1, 24.3 / 34.8, 25.8 / 34.8, 27 / 34.8])
    assert small.column("c = 256\npaper")[1] == pytest.approx(13.2 / 16.6)
    assert large.column("c = 64\nfolded")[0] == 1
    assert len(drawn(result, tmp_path)) == 6
