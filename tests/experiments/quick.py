"""What the tests of all experiments ask: a run of no length, whole in its structure."""

import json
import math

import pytest

from npnets.bench import timing
from npnets.experiments import load

SECONDS = 1e-3


def run(name):
    """Run an experiment as shortly as it can, and check what any result must have."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing, "FEWEST_ROUNDS", 1)
        patch.setattr(timing, "TURN", 1e-5)
        result = load(name).run(seconds=SECONDS, rng=0)
    assert result.name == name
    assert result.tables
    assert result.verdicts
    for table in result.tables:
        assert table.rows
        for row in table.rows:
            for cell in row:
                assert not (isinstance(cell, float) and not math.isfinite(cell)), (table, row)
                assert "nan" not in str(cell)
    text = str(result)
    assert "arXiv:" in result.source
    assert all(table.caption in text for table in result.tables)
    json.dumps(result.record(), allow_nan=False)
    return result


def drawn(result, path):
    """Draw the picture of a result, and return its axes."""
    figures = []
    draw = result.draw
    object.__setattr__(result, "draw", lambda figure: (figures.append(figure), draw(figure)))
    *_, picture = result.save(path)
    assert picture.stat().st_size > 10_000
    axes = figures[0].axes
    assert all(a.get_xlabel() or a.get_title() for a in axes), "each panel has a name"
    assert any(a.get_xlabel() for a in axes)
    assert any(a.get_ylabel() or a.get_yticklabels() for a in axes)
    return axes
