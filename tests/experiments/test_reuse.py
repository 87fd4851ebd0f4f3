"""Feature reuse of ShuffleNet v2: labels through real units, the rounding, and what it costs."""

import itertools

import numpy as np
import pytest

from npnets.experiments import reuse
from npnets.nets import ShuffleNetV2
from npnets.nets.shufflenet_v2 import REPEATS, TABLE_5, SplitUnit


@pytest.fixture(scope="module")
def result():
    return reuse.run()


@pytest.fixture(scope="module")
def matrices(result):
    return {float(width): np.array(matrix) for width, matrix in result.measured.items()}


def label_through(c, units):
    """Return the labels 0, 1, …, c − 1 and newer ones behind so many units of stride 1."""
    unit = SplitUnit(c).eval()
    unit.branch = reuse.Fresh(c // 2, itertools.count(c))
    x = np.arange(c, dtype=np.float32).reshape(1, c, 1, 1)
    for _ in range(units):
        x = unit.forward(x)
    return x.reshape(-1).tolist()


def test_stage_3_at_1x_gives_the_numbers_of_c_r_j(result):
    chain = result.tables[0]
    assert chain.column("channels\nuntouched") == [116, 58, 29, 15, 8, 4, 2]
    assert chain.column("paper:\nc·r^j") == [116, 58, 29, 14.5, 7.25, 3.625, 1.8125]
    taken = chain.column("of the first unit into\nthe branch of this one")
    assert taken == [116, 58, 29, 14, 7, 4, 2]
    assert sum(taken) + 2 == 232  # each channel is convolved once, or is still there at the end


@pytest.mark.parametrize("width", TABLE_5)
def test_the_rounding_is_upwards_in_every_stage_and_from_every_unit(matrices, width):
    pairs = list(reuse.within_stages(matrices[width]))
    assert len(pairs) == sum(n * (n - 1) // 2 for n in REPEATS)
    for c, j, found in pairs:
        assert found == int(np.ceil(c / 2**j))


@pytest.mark.parametrize("width", TABLE_5)
def test_nothing_passes_a_unit_of_stride_2(matrices, width):
    matrix, (second, third, fourth) = matrices[width], reuse.stages()
    assert not matrix[second, third.start :].any()
    assert not matrix[third, fourth].any()
    assert not np.tril(matrix, -1).any()
    assert matrix.diagonal()[[0, 4, 12]].tolist() == list(TABLE_5[width][1:4])


@pytest.mark.parametrize("j", range(1, 8))
def test_which_channels_get_through(j):
    """Channel p of c gets through j units if p · 2^(j−1) < c/2, and stands at p · 2^j then."""
    c = 20
    old = [(label, place) for place, label in enumerate(label_through(c, j)) if label < c]
    assert old == [(p, p * 2**j) for p in range(c) if p * 2 ** (j - 1) < c / 2]


def test_channel_0_is_never_touched():
    assert [label for label in label_through(8, 20) if label < 8] == [0]


def test_a_label_is_what_no_convolution_touches_in_the_unit_with_its_weights():
    c, rng = 12, np.random.default_rng(0)
    unit = SplitUnit(c).eval()
    for part in unit.branch.parameters().values():
        part.value = rng.standard_normal(part.value.shape, np.float32)
    x = rng.standard_normal((1, c, 1, 1), np.float32)
    y = unit.forward(x).reshape(-1)
    for place, label in enumerate(map(int, label_through(c, 1))):
        assert (y[place] == x[0, label, 0, 0]) if label < c else (y[place] not in x)


def test_labels_are_never_used_twice():
    units = reuse.labelled(ShuffleNetV2(0.5))
    assert len(units) == sum(REPEATS)
    x = units[0].forward(np.zeros((1, 1, 1, 1), np.float32))
    again = units[0].forward(x)
    assert len(set(x.flat)) == x.shape[1] == 48
    assert not set(x.flat) & set(again.flat)


def test_the_identity_half_is_free_of_multiply_adds_but_is_moved(result):
    costs = result.tables[2]
    assert costs.column("of it split, concat\nand shuffle") == [0, 0, 0, 0]
    by_hand = [14 * 14 * (2 * (c // 2) ** 2 + 9 * (c // 2)) for c in (96, 232, 352, 488)]
    assert costs.column("unit:\nmultiply-adds") == by_hand
    moved = costs.column("elements moved by\nconcat and shuffle")
    assert moved == [14 * 14 * 2 * c for c in (96, 232, 352, 488)]  # each read and written
    assert all(0.25 < ratio < 0.27 for ratio in costs.column("ratio"))


def test_the_verdicts(result):
    assert [verdict.holds for verdict in result.verdicts] == [True, False, True, True]
    assert "160 of 160 pairs" in str(result.verdicts[0])
    assert "in 160 of 160 cases; one of stride 2 leaves 0" in str(result.verdicts[2])


def test_it_is_saved_with_a_picture(result, tmp_path):
    paths = [path.name for path in result.save(tmp_path)]
    assert paths == ["reuse.json", "reuse.csv", "reuse-2.csv", "reuse-3.csv", "reuse.png"]
