"""Augmentation: training images that the camera might have taken, too."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from npnets.data.dataset import check_images
from npnets.ops import check


@dataclass(frozen=True)
class Augmentation:
    """A recipe that a training run remembers; `augmentation(images, rng)` follows it.

    flip mirrors half of the images; shift moves each by up to so many pixels; cutout blackens a
    square with sides of so many pixels. Zero is none. Raises ValueError for other values.
    """

    flip: bool = False
    shift: int = 0
    cutout: int = 0

    def __post_init__(self):
        if not isinstance(self.flip, bool):
            raise ValueError(f"flip must be True or False, got {self.flip!r}")
        check.at_least(0, shift=self.shift, cutout=self.cutout)

    def __call__(self, images, rng):
        """Return new images, (N, C, H, W) uint8, every one changed as rng draws it."""
        check_images(images)
        images = images.copy()
        if self.flip:
            images = random_flip(images, rng)
        if self.shift:
            images = random_shift(images, rng, self.shift)
        if self.cutout:
            images = random_cutout(images, rng, self.cutout)
        return images


# CIFAR-10's is the usual one: He et al. 2016, arXiv:1512.03385, section 4.2. Digits have a left
# and a right, and 8 × 8 pixels leave little room to move.
RECIPES = {
    "digits": Augmentation(shift=1),
    "cifar10": Augmentation(flip=True, shift=4),
    "fashion_mnist": Augmentation(flip=True, shift=2),
    "folder": Augmentation(flip=True, shift=4),
}


def augment(images, rng, flip=False, shift=0, cutout=0):
    """Return new images, (N, C, H, W) uint8: flipped, then shifted, then cut, as rng draws it.

    The arguments are those of Augmentation. The images given are left as they are, and an rng
    (a numpy Generator) in the same state draws the same.
    """
    return Augmentation(flip, shift, cutout)(images, rng)


def random_flip(images, rng):
    """Return the images, each mirrored left to right with probability 1/2."""
    mirrored = rng.random(len(images)) < 0.5
    return np.where(mirrored[:, None, None, None], images[..., ::-1], images)


def random_shift(images, rng, shift):
    """Return the images, each moved by −shift … shift pixels down and right, black moving in.

    That is: a random crop of the old size from the image with a black border of `shift` pixels.
    """
    N, _, H, W = images.shape
    padded = np.pad(images, ((0, 0), (0, 0), (shift, shift), (shift, shift)))
    crops = sliding_window_view(padded, (H, W), axis=(2, 3))  # n c top left h w
    top, left = rng.integers(2 * shift + 1, size=(2, N))
    return crops[np.arange(N), :, top, left]


def random_cutout(images, rng, side):
    """Return the images, each with a black square of side × side pixels around a random pixel.

    Every pixel is as likely to be the centre, so that a part of the square may fall outside of
    the image. Source: DeVries & Taylor 2017, arXiv:1708.04552, section 3; there the zeros come
    after normalization and are the mean colour, here they come before it and are black.
    """
    N, _, H, W = images.shape
    rows = np.arange(H) - rng.integers(H, size=(N, 1)) + side // 2
    columns = np.arange(W) - rng.integers(W, size=(N, 1)) + side // 2
    in_rows = (rows >= 0) & (rows < side)
    in_columns = (columns >= 0) & (columns < side)
    square = in_rows[:, :, None] & in_columns[:, None, :]  # n h w
    return images * ~square[:, None]
