"""A set of labelled images, and the way from its bytes to what a network is given."""

from dataclasses import dataclass

import numpy as np

from npnets.ops import check


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Labelled images: label k, an index, stands for the class called class_names[k].

    images is (N, C, H, W) uint8 with N > 0, labels (N,) int64, class_names a tuple of str.
    Raises ValueError where one of them is something else, or where they do not fit together.
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]

    def __post_init__(self):
        check_images(self.images)
        N, labels, names = len(self.images), self.labels, self.class_names
        if N == 0:
            raise ValueError("a data set needs at least one image, got none")
        if not _is_array(labels, np.int64, 1) or len(labels) != N:
            raise ValueError(
                f"labels must be one int64 per image, ({N},), got {_describe(labels)}"
            )
        if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"class_names must be a tuple of str, got {names!r}")
        if labels.min() < 0 or labels.max() >= len(names):
            raise ValueError(
                f"labels must be indices of the {len(names)} classes, "
                f"got {labels.min()} to {labels.max()}"
            )

    def __len__(self):
        return len(self.images)

    def __repr__(self):
        N, C, H, W = self.images.shape
        return f"Dataset({N} images of {C} × {H} × {W} in {len(self.class_names)} classes)"

    def subset(self, indices):
        """Return the Dataset of these images: a slice, an array of indices, or a mask."""
        return Dataset(self.images[indices], self.labels[indices], self.class_names)

    def enlarged(self, factor):
        """Return the Dataset with each pixel as a square of factor × factor pixels."""
        check.at_least(1, factor=factor)
        images = self.images.repeat(factor, axis=2).repeat(factor, axis=3)
        return Dataset(images, self.labels, self.class_names)


@dataclass(frozen=True)
class Normalization:
    """From bytes to what a network is given: every channel with mean 0 and deviation 1.

        x  =  (images / 255 − mean) / std

    mean and std hold one float per channel, in units of the full brightness, 255. They belong
    to the network as its weights do: they come from the training images, and stay as they are.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self):
        if len(self.mean) != len(self.std):
            raise ValueError(
                f"mean and std must have one value per channel, got {self.mean} and {self.std}"
            )
        if not all(value > 0 for value in self.std):
            raise ValueError(f"std must be positive, got {self.std}")

    @classmethod
    def of(cls, dataset):
        """Return the Normalization for these images; a channel of one colour gets std 1.

        Sums of bytes and of their squares are integers, which float64 adds up without rounding.
        """
        images = dataset.images
        pixels = images.size // images.shape[1]
        mean = images.sum(axis=(0, 2, 3), dtype=np.float64) / pixels
        square = np.einsum("nchw,nchw->c", images, images, dtype=np.float64) / pixels
        std = np.sqrt(square - mean**2) / 255
        return cls(tuple((mean / 255).tolist()), tuple(np.where(std == 0, 1.0, std).tolist()))

    def __call__(self, images):
        """Return x, (N, C, H, W) float32, for images of the same shape in uint8.

        Raises ValueError where the images are not bytes, or have another number of channels.
        """
        check_images(images)
        if images.shape[1] != len(self.mean):
            raise ValueError(
                f"this normalization is for {len(self.mean)} channels, got {images.shape[1]}"
            )
        mean, std = np.array([self.mean, self.std], np.float32)[:, :, None, None]
        return (images.astype(np.float32) / 255 - mean) / std


def batches(dataset, batch_size, rng=None, drop_last=False):
    """Return a generator of (images, labels): (n, C, H, W) uint8 and (n,) int64, n = batch_size.

    In order where rng is None, else in an order that rng, a numpy Generator, draws at once. The
    last batch may be smaller, unless drop_last leaves it out. Every batch is a copy. Raises
    ValueError where batch_size is not an int of at least 1.
    """
    check.at_least(1, batch_size=batch_size)
    N = len(dataset)
    order = np.arange(N) if rng is None else rng.permutation(N)
    stop = N - N % batch_size if drop_last else N
    chosen = (order[start : start + batch_size] for start in range(0, stop, batch_size))
    return ((dataset.images[indices], dataset.labels[indices]) for indices in chosen)


def check_images(images):
    """Raise ValueError unless these are bytes, (N, C, H, W)."""
    if not _is_array(images, np.uint8, 4):
        raise ValueError(f"images must be uint8, (N, C, H, W), got {_describe(images)}")


def _is_array(value, dtype, ndim):
    return isinstance(value, np.ndarray) and value.dtype == dtype and value.ndim == ndim


def _describe(value):
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    return type(value).__name__
