"""The digits that come with scikit-learn, and their split."""

import numpy as np

from npnets import data
from npnets.extras import require


def test_digits_are_scikit_learns_split_fairly():
    source = require("sklearn.datasets").load_digits()
    train, test = data.load("digits")
    assert train.images.shape == (1437, 1, 8, 8)
    assert test.images.shape == (360, 1, 8, 8)
    assert train.class_names == test.class_names == tuple("0123456789")

    both = np.concatenate([train.images, test.images])
    expected = np.floor(source.images * 255 / 16 + 0.5).astype(np.uint8)
    assert sorted(image.tobytes() for image in both) == sorted(i.tobytes() for i in expected)
    assert both.max() == 255
    known = {image.tobytes(): label for image, label in zip(expected, source.target, strict=True)}
    assert [known[image.tobytes()] for image in test.images] == test.labels.tolist()

    share = np.bincount(test.labels) / np.bincount(source.target)
    assert np.abs(share - 0.2).max() < 0.01, "one fifth of every class"


def test_digits_are_split_the_same_way_every_time():
    for once, again in zip(data.load("digits"), data.load("digits", "ignored"), strict=True):
        assert np.array_equal(once.images, again.images)
        assert np.array_equal(once.labels, again.labels)
