"""Weights that were trained: ShuffleNet v2 0.5x on CIFAR-10, by chenyaofo, against what PyTorch
made of the same file. It lies beside the project only, as the images do.

All 10,000 test images take half a minute: NPNETS_ALL_IMAGES=1 pytest tests/weights.
"""

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from npnets import weights
from npnets.data.cifar10 import read_batch

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


def test_logits_in_float64(gold):
    """Of pixels that were normalized in float32, as they were for the gold."""
    net = weights.load(FOLDER / "weights.safetensors", dtype=np.float64)
    mean, std = (
        np.float32(n).reshape(3, 1, 1) for n in (net.preprocessing.mean, net.preprocessing.std)
    )
    x = (gold["images_u8_nchw"] / np.float32(255) - mean) / std
    logits, theirs = net.forward(x.astype(np.float64)), gold["logits_f64"]
    assert logits.dtype == np.float64
    assert np.abs(logits - theirs).max() <= 1e-9 * np.abs(theirs).max()


def test_logits_in_float32(net, gold):
    x = net.preprocessing.normalize(gold["images_u8_nchw"])
    logits = net.forward(x)
    assert logits.dtype == np.float32
    assert np.abs(logits - gold["logits_f32"]).max() <= 1e-4
    assert np.abs(net.fold().forward(x) - gold["logits_f32"]).max() <= 1e-4
    right = logits.argmax(1) == gold["labels"]
    assert right.mean() == (gold["logits_f32"].argmax(1) == gold["labels"]).mean() > 0.85


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
