"""Weights that were trained: ShuffleNet v2 0.5x on CIFAR-10, by chenyaofo, on all test images.
They lie beside the project only, as the images do; `test_gold.py` has logits of 100 of those.

All 10,000 test images take half a minute: NPNETS_ALL_IMAGES=1 pytest tests/weights.
"""

import os
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest

from npnets import weights
from npnets.data.cifar10 import read_batch
from npnets.weights import mistakes

SHARED = Path(__file__).parents[3] / "shared"
FOLDER = SHARED / "weights" / "shufflenetv2_x0.5_cifar10"
if not FOLDER.exists():
    pytest.skip("../shared/weights is not here", allow_module_level=True)


@pytest.fixture(scope="module")
def net():
    return weights.load(FOLDER / "weights.safetensors")


@pytest.fixture(scope="module")
def gold():
    with np.load(FOLDER / "gold" / "shufflenetv2_x0.5_cifar10.npz") as file:
        return dict(file)


def test_it_is_recognised_and_says_how(net):
    assert net.source.maker == "chenyaofo cifar"
    assert "small_images=True" in str(net.source)
    assert "torchvision has the same names" in str(net.source)
    assert "stem.conv.weight" in net.source.table()
    assert not net.training
    assert net.preprocessing.size == 32
    assert len(net.preprocessing.class_names) == 10


def test_accuracy_on_a_hundred_test_images(net, gold):
    logits = net.forward(net.preprocessing.normalize(gold["images_u8_nchw"]))
    assert np.array_equal(logits.argmax(1), gold["all_top1_pred"][gold["test_index"]])
    assert (logits.argmax(1) == gold["labels"]).sum() == 91


def test_mistakes_cost_what_their_table_says(net, gold):
    said = dict(re.findall(r"^    (.+?) +(\d+) %$", mistakes.__doc__, re.MULTILINE))
    costs = mistakes.measure(net, gold["images_u8_nchw"], gold["labels"])
    assert said.keys() == {name for name, *_ in costs.rows}
    for name, accuracy, _ in costs.rows:  # an image or two may be on the edge, and round otherwise
        assert abs(100 * accuracy - int(said[name])) <= 2, name


@pytest.mark.skipif("NPNETS_ALL_IMAGES" not in os.environ, reason="asks for NPNETS_ALL_IMAGES=1")
def test_accuracy_on_all_test_images(net, gold):
    with tarfile.open(SHARED / "data" / "cifar-10-batches-py.tar.xz") as archive:
        program = archive.extractfile("cifar-10-batches-py/test_batch").read()
    test = read_batch(program, "test_batch")
    assert np.array_equal(test.labels, gold["all_labels"])
    parts = np.split(test.images, 40)
    logits = np.concatenate([net.forward(net.preprocessing.normalize(part)) for part in parts])
    assert np.abs(logits - gold["all_logits_f32"]).max() <= 1e-4
    assert (logits.argmax(1) == test.labels).mean() == 0.9065
