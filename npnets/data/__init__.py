"""Images to learn from: digits, CIFAR-10, Fashion-MNIST, and folders of your own.

    train, test = load("digits")
    recipe, normalize = RECIPES["digits"], Normalization.of(train)
    for images, labels in batches(train, 128, rng):
        x = normalize(recipe(images, rng))

Images are bytes, (N, C, H, W) uint8, until the moment a network is given them.
"""

from difflib import get_close_matches

from npnets.data.augment import RECIPES, Augmentation, augment
from npnets.data.cifar10 import load_cifar10
from npnets.data.dataset import Dataset, Normalization, batches
from npnets.data.digits import load_digits
from npnets.data.fashion_mnist import load_fashion_mnist
from npnets.data.folder import load_folder, open_image, read_image

__all__ = [
    "LOADERS",
    "RECIPES",
    "Augmentation",
    "Dataset",
    "Normalization",
    "augment",
    "batches",
    "load",
    "open_image",
    "read_image",
]

LOADERS = {
    "digits": load_digits,
    "cifar10": load_cifar10,
    "fashion_mnist": load_fashion_mnist,
    "folder": load_folder,
}


def load(name, data_dir=None):
    """Return (train, test), two Datasets, by name: digits, cifar10, fashion_mnist or folder.

    `data_dir` is the folder to read from; then nothing is downloaded. Without it, CIFAR-10 and
    Fashion-MNIST are downloaded once and kept in the user's cache. `digits` needs no files, and
    `folder` needs a data_dir. Raises ValueError for an unknown name and for files that are not
    what they should be, FileNotFoundError for missing ones, and ConnectionError for downloads.
    """
    if name not in LOADERS:
        nearest = get_close_matches(str(name), LOADERS, n=1, cutoff=0)[0]
        raise ValueError(
            f"no data set is called {name!r}, did you mean {nearest!r}? "
            f"There are: {', '.join(LOADERS)}"
        )
    return LOADERS[name](data_dir)
