"""Digits: 1,797 handwritten digits of 8 × 8 pixels, which come with scikit-learn."""

import numpy as np

from npnets.data.dataset import Dataset
from npnets.extras import require

CLASS_NAMES = tuple("0123456789")


def load_digits(data_dir=None):
    """Return (train, test): 1,437 and 360 images, (N, 1, 8, 8), the same split every time.

    The split is drawn at random, class by class, and does not know who wrote what: the same
    writers are on both sides of it, so the test says little about the hand of a new one. A pixel
    counts the ink in 4 × 4 finer pixels, 0 to 16, which is rescaled to 0 to 255. There are no
    files to read: data_dir is not used. Source: Alpaydin & Kaynak 1998, "Optical Recognition of
    Handwritten Digits", UCI; scikit-learn has its test set, by 13 writers.
    """
    digits = require("sklearn.datasets").load_digits()
    images = np.rint(digits.images[:, None] * (255 / 16)).astype(np.uint8)
    digits = Dataset(images, digits.target.astype(np.int64), CLASS_NAMES)
    train, test = require("sklearn.model_selection").train_test_split(
        np.arange(len(digits)), test_size=0.2, stratify=digits.labels, random_state=0
    )
    return digits.subset(train), digits.subset(test)
