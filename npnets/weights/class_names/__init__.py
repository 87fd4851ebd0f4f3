"""What the classes are called, in the order of the logits.

    IMAGENET[0]                   # 'tench, Tinca tinca'
    IMAGENET_1001[1]              # the same: TensorFlow's networks have a class 0, background

A list says which logit is which, so it belongs to the weights, too: off by one, and every answer
is another animal.
"""

from importlib.resources import files

from npnets.data.cifar10 import CLASS_NAMES as CIFAR10

__all__ = ["CIFAR10", "IMAGENET", "IMAGENET_1001", "VISUAL_WAKE_WORDS", "read"]


def read(name):
    """Return the names in NAME.txt of this folder, a tuple; # begins a comment line."""
    text = (files(__name__) / f"{name}.txt").read_text(encoding="utf-8")
    return tuple(line for line in text.splitlines() if not line.startswith("#"))


IMAGENET = read("imagenet")
IMAGENET_1001 = ("background", *IMAGENET)
VISUAL_WAKE_WORDS = ("no person", "person")  # github.com/mlcommons/tiny, visual_wake_words
