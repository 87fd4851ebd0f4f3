"""What a ReLU loses: the ways back, the theory, and that the experiment says what it found."""

import math
from fractions import Fraction

import numpy as np
import pytest

from npnets.experiments import _spiral, relu
from npnets.experiments._spiral import back_by_active, back_by_best_linear, back_by_pinv, spiral


@pytest.fixture(scope="module")
def result():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relu, "FITTED", 25)
        patch.setattr(relu, "COUNTED", 1000)
        yield relu.run(rng=0)


def embedded(n, seed=0):
    T = np.random.default_rng(seed).standard_normal((n, 2))
    return T, T @ spiral()


def test_the_spiral_starts_in_the_centre_and_turns_three_times():
    x = spiral()
    radius = np.linalg.norm(x, axis=0)
    assert x.shape == (2, 1000)
    np.testing.assert_allclose(radius, np.linspace(0, 1, 1000), atol=1e-15)
    turned = np.unwrap(np.arctan2(x[1, 1:], x[0, 1:]))
    assert turned[-1] - turned[0] == pytest.approx(6 * np.pi * (1 - 1 / 999))


@pytest.mark.parametrize("n", [2, 3, 5, 15])
def test_without_a_relu_each_way_leads_back(n):
    T, y = embedded(n)
    np.testing.assert_allclose(back_by_pinv(T, y), spiral(), atol=1e-12)
    np.testing.assert_allclose(back_by_best_linear(y, spiral()), spiral(), atol=1e-12)


@pytest.mark.parametrize("n", [2, 3, 5, 15, 30])
@pytest.mark.parametrize("seed", range(5))
def test_lemma_2_two_active_channels_bring_a_point_back_and_fewer_do_not(n, seed):
    T, z = embedded(n, seed)
    y = np.maximum(z, 0)
    off = np.abs(back_by_active(T, y) - spiral()).max(axis=0)
    few = (y > 0).sum(axis=0) < 2
    assert off[~few].max(initial=0) < 1e-9
    few[0] = False  # the centre comes back by chance: it is what is nearest to 0
    assert (off[few] > 1e-9).all()
    assert off[0] == 0


def test_a_point_with_one_active_channel_has_company():
    """Moved along the line that the channel does not see, it gives the same y."""
    T = np.array([[1.0, 0.0], [-1.0, -1.0]])
    points = np.array([[1.0, 1.0, 1.0], [0.0, 0.5, -0.5]])
    y = np.maximum(T @ points, 0)
    assert (y == y[:, :1]).all()
    np.testing.assert_array_equal(back_by_active(T, y)[:, 0], [1, 0])


def test_no_other_matrix_is_nearer_than_the_best_linear_one():
    T, z = embedded(5)
    y, x = np.maximum(z, 0), spiral()
    off = back_by_best_linear(y, x) - x
    assert np.abs(off @ y.T).max() < 1e-10  # what is left is orthogonal to every channel
    assert np.linalg.norm(off) < np.linalg.norm(back_by_pinv(T, y) - x)


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("m", [5, 8, 30])
def test_what_is_lost_and_what_is_kept_make_all(n, m):
    lost = Fraction(sum(math.comb(m, k) for k in range(n)), 2**m)
    assert _spiral.lost_share(m, n) == float(lost)
    assert _spiral.kept_share(m, n) == float(1 - lost)


def test_the_shares_are_those_of_all_sign_patterns():
    signs = (np.arange(2**6)[:, None] >> np.arange(6)) & 1
    for n in 1, 2, 3:
        assert _spiral.lost_share(6, n) == (signs.sum(axis=1) < n).mean()


def test_twice_pinv_is_off_by_what_the_note_says():
    T, z = embedded(5)
    off = 2 * back_by_pinv(T, np.maximum(z, 0)) - spiral()
    np.testing.assert_allclose(off, np.linalg.pinv(T) @ np.abs(z), atol=1e-12)


def test_the_counted_shares_are_those_of_the_theory(result):
    table, theorem = result.tables
    assert table.column("channels n") == [2, 3, 5, 15, 30]
    counted, expected = table.column("points lost\n%"), table.column("with the\ncentre, %")
    for row, found, theory in zip(table.rows, counted, expected, strict=True):
        assert found == pytest.approx(theory, abs=4 * row[6] + 1e-9)
    assert expected[:3] == pytest.approx([75.025, 50.05, 18.83125])
    theories = theorem.column("theorem 1:\n1 − N/2^m, %")
    for share, theory in zip(theorem.column("of them all\n%"), theories, strict=True):
        p = theory / 100
        deviation = 100 * math.sqrt(p * (1 - p) / relu.MATRICES)  # as if a B lost all or none
        assert share == pytest.approx(theory, abs=4 * deviation)


def test_pinv_never_recovers_the_spiral_though_it_is_there(result):
    table = result.tables[0]
    pinv, linear = table.column("pinv(T)\nas in figure 1"), table.column("best\nlinear")
    assert min(pinv) > 0.5
    assert linear == sorted(linear, reverse=True)
    assert linear[-1] < 0.002
    assert max(table.column("by active\nchannels")[-2:]) < 1e-12


def test_the_verdicts_and_that_a_seed_decides(result):
    assert [verdict.holds for verdict in result.verdicts] == [True, True, False, False]
    assert "99.68 %" in str(result.verdicts[-1])
    few, centre = relu.measure(3, np.random.default_rng(1)), 1 / _spiral.POINTS
    assert few == relu.measure(3, np.random.default_rng(1))
    assert few != relu.measure(3, np.random.default_rng(2))
    assert few.expected == pytest.approx(0.5 * (1 - centre) + centre)


def test_it_is_saved_with_a_picture(result, tmp_path):
    paths = [path.name for path in result.save(tmp_path)]
    assert paths == ["relu.json", "relu.csv", "relu-2.csv", "relu.png"]
