"""The names of classes: how many, in which order, and where the lists are found."""

from npnets.data.cifar10 import CLASS_NAMES
from npnets.weights.class_names import CIFAR10, IMAGENET, IMAGENET_1001, VISUAL_WAKE_WORDS, read


def test_imagenet_has_1000_classes_in_the_order_of_their_wordnet_ids():
    assert len(IMAGENET) == 1000
    assert IMAGENET[0].startswith("tench")
    assert IMAGENET[281].startswith("tabby")
    assert IMAGENET[134] == IMAGENET[517] == "crane"  # a bird, and a machine
    assert IMAGENET[999].startswith("toilet tissue")
    assert all(name == name.strip() != "" for name in IMAGENET)


def test_1001_classes_begin_with_the_background():
    assert len(IMAGENET_1001) == 1001
    assert IMAGENET_1001[:2] == ("background", IMAGENET[0])
    assert IMAGENET_1001[1:] == IMAGENET


def test_the_small_sets():
    assert CIFAR10 == CLASS_NAMES
    assert len(CIFAR10) == 10
    assert VISUAL_WAKE_WORDS[1] == "person"


def test_comments_are_no_names():
    assert not any(name.startswith("#") for name in read("imagenet"))
