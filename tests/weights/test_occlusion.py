"""An occlusion map is dark where what the network goes by is hidden."""

import matplotlib.image
import numpy as np
import pytest
from lively import images, lively

from npnets import ops
from npnets.layers import Layer
from npnets.weights.occlusion import Occlusion, draw, occlude


class Bright(Layer):
    """A network that goes by the pixels in one square: the brighter, the more it is class 1."""

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns

    def forward(self, x):
        seen = x[:, :, self.rows, self.columns].mean((1, 2, 3))
        return np.stack([np.zeros_like(seen), 4 * seen], axis=1)


def test_the_drop_is_that_of_the_probability_with_the_patch_there():
    net, x = lively("mobilenet_v1_x0_25"), images(1)
    found = occlude(net, x, grey=0.5, patch=8, stride=4)
    assert found.drops.shape == (8, 8)
    label = net.forward(x).argmax()
    whole = ops.softmax(net.forward(x))[0, label]
    assert found.probability == pytest.approx(whole, rel=1e-5)
    for row, column in ((0, 0), (2, 5), (7, 7)):  # at a corner, half of the patch is outside
        hidden = x.copy()
        top, left = 4 * row - 2, 4 * column - 2
        hidden[:, :, max(0, top) : top + 8, max(0, left) : left + 8] = 0.5
        drop = whole - ops.softmax(net.forward(hidden))[0, label]
        assert found.drops[row, column] == pytest.approx(drop, rel=1e-3, abs=1e-6)


def test_the_patch_that_costs_most_hides_what_the_network_goes_by():
    net = Bright(slice(20, 26), slice(4, 10))
    found = occlude(net, np.ones((1, 3, 32, 32), np.float32), patch=6, stride=2)
    assert found.label == 1
    assert found.centre == (23, 7)
    assert found.drops.max() == pytest.approx(found.probability - 0.5, rel=1e-5)
    assert found.drops[3, 12] == 0  # far away


def test_the_photo_stays_as_it_is_and_the_class_is_the_most_probable():
    net, x = lively("shufflenet_v2_x0_5"), images(1)
    before = x.copy()
    found = occlude(net, x, np.full((3, 1, 1), 0.1, np.float32))
    np.testing.assert_array_equal(x, before)
    assert found.label == net.forward(x).argmax()
    assert (found.patch, found.stride) == (8, 2)
    assert found.drops.shape == (16, 16)


def test_what_is_no_photo_is_refused():
    with pytest.raises(ValueError, match=r"one photo, \(1, C, H, W\), got \(2, 3, 32, 32\)"):
        occlude(lively("mobilenet_v1_x0_25"), images(2))
    with pytest.raises(ValueError, match="patch must be an int of at least 1"):
        occlude(lively("mobilenet_v1_x0_25"), images(1), patch=0)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_picture_is_dark_where_the_drop_is_large(tmp_path, channels):
    drops = np.full((8, 8), -0.05)
    drops[2:4, 5:7] = 0.8
    pixels = np.full((channels, 64, 64), 200, np.uint8)
    draw(Occlusion(1, 0.9, drops, patch=16, stride=8), pixels, tmp_path / "map.png", 30 * "cat, ")
    assert [path.name for path in tmp_path.iterdir()] == ["map.png"]
    picture = matplotlib.image.imread(tmp_path / "map.png")[:, :, :3].mean(axis=2)
    H, W = picture.shape
    right = picture[:, W // 2 : int(0.9 * W)]  # without the colour bar
    dark = np.argwhere(right < 0.02)
    assert 0.005 < len(dark) / right.size < 0.1
    middle = dark.mean(axis=0) / right.shape
    assert middle[0] < 0.5  # above the middle, and to the right of it
    assert middle[1] > 0.5


def test_a_map_without_a_drop_can_be_drawn(tmp_path):
    pixels = np.zeros((3, 8, 8), np.uint8)
    draw(Occlusion(0, 1.0, np.zeros((1, 1)), patch=8, stride=8), pixels, tmp_path / "m.svg", "0")
    assert b"percentage points" in (tmp_path / "m.svg").read_bytes()
