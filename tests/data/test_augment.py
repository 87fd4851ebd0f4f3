"""Augmentation: every image is changed in one of the ways it may be, and all ways occur."""

import numpy as np
import pytest

from npnets import data


def rng(seed=0):
    return np.random.default_rng(seed)


def random_images(N=6, C=3, H=8, W=8):
    return np.random.default_rng(0).integers(0, 256, (N, C, H, W), dtype=np.uint8)


EVERYTHING = data.Augmentation(flip=True, shift=2, cutout=3)


def test_augmentation_is_what_rng_draws_and_leaves_its_input_alone():
    images = random_images(20)
    before = images.copy()
    images.flags.writeable = False
    once, again, other = (EVERYTHING(images, rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)
    assert once.dtype == np.uint8
    assert once.shape == images.shape
    assert np.array_equal(images, before)
    assert np.array_equal(once, data.augment(images, rng(1), flip=True, shift=2, cutout=3))


def test_no_augmentation_is_a_copy():
    images = random_images()
    y = data.augment(images, rng())
    assert np.array_equal(y, images)
    assert not np.shares_memory(y, images)


def test_flip_mirrors_about_half_of_the_images():
    images = random_images(400)
    y = data.augment(images, rng(), flip=True)
    kept = (y == images).all(axis=(1, 2, 3))
    mirrored = (y == images[..., ::-1]).all(axis=(1, 2, 3))
    assert (kept ^ mirrored).all()
    assert 160 < mirrored.sum() < 240


def test_shift_moves_each_image_as_a_whole_in_every_direction():
    images = random_images(300, H=5, W=7)
    y = data.augment(images, rng(), shift=2)
    padded = np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2)))
    moves = np.array(
        [
            (padded[:, :, top : top + 5, left : left + 7] == y).all(axis=(1, 2, 3))
            for top in range(5)
            for left in range(5)
        ]
    )
    assert (moves.sum(axis=0) == 1).all(), "each image is its input, moved in one way"
    assert (moves.sum(axis=1) > 0).all(), "and all 25 ways occur"


@pytest.mark.parametrize("side", [1, 2, 3, 4, 20])
def test_cutout_blackens_a_square_around_any_pixel(side):
    H, W = 5, 7
    images = np.full((1000, 2, H, W), 9, np.uint8)
    holes = data.augment(images, rng(), cutout=side) == 0
    assert (holes[:, 0] == holes[:, 1]).all(), "the same in every channel"
    allowed = set()
    for row in range(H):
        for column in range(W):
            square = np.zeros((H, W), bool)
            top, left = row - side // 2, column - side // 2
            square[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)] = True
            allowed.add(square.tobytes())
    assert {hole.tobytes() for hole in holes[:, 0]} == allowed


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flip": 1}, "flip must be True or False, got 1"),
        ({"shift": -1}, "shift must be an int of at least 0, got -1"),
        ({"shift": 1.5}, "shift must be an int of at least 0, got 1.5"),
        ({"cutout": -1}, "cutout must be an int of at least 0, got -1"),
        ({"cutout": None}, "cutout must be an int of at least 0, got None"),
    ],
)
def test_augmentation_refuses_other_options(options, message):
    with pytest.raises(ValueError, match=message):
        data.Augmentation(**options)
    with pytest.raises(ValueError, match=message):
        data.augment(random_images(), rng(), **options)


def test_augmentation_refuses_images_that_are_not_bytes():
    with pytest.raises(ValueError, match=r"images must be uint8, .* got float64"):
        EVERYTHING(random_images() / 255, rng())


def test_every_data_set_has_a_recipe_that_can_be_written_down():
    assert data.RECIPES.keys() == data.LOADERS.keys()
    assert not data.RECIPES["digits"].flip
    assert repr(data.RECIPES["cifar10"]) == "Augmentation(flip=True, shift=4, cutout=0)"
    assert data.RECIPES["fashion_mnist"] == data.Augmentation(flip=True, shift=2)
