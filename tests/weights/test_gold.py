"""Weights that others trained, on real photos: the logits that their own frameworks computed.

To see the largest differences: pytest -s.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from npnets.weights import load
from npnets.weights.class_names import CIFAR10, IMAGENET_1001, VISUAL_WAKE_WORDS

SHARED = Path(__file__).parents[3] / "shared" / "weights"
pytestmark = pytest.mark.skipif(not SHARED.exists(), reason="../shared/weights is not there")
pytest.importorskip("safetensors", reason='needs safetensors: pip install "npnets[weights]"')


@dataclass(frozen=True)
class Gold:
    """A folder of weights: whose they are, and what its logits are called there."""

    maker: str
    exact: str
    single: str
    names: tuple
    files: tuple = ("weights.safetensors",)
    normalized: type = np.float64  # in which dtype the images were, for the exact logits


FOLDERS = {
    "mobilenet_v1_0.25_128_quant": Gold(
        "coral", "float_logits_f64", "float_logits_f32", IMAGENET_1001
    ),
    "tf2_mobilenet_v2_1.0_224_ptq": Gold(
        "coral", "float_logits_f64", "float_logits_f32", IMAGENET_1001
    ),
    "mobilenetv1_0.25_96_vww": Gold(
        "visual wake words", "logits_h5_f64", "logits_tflite_f32", VISUAL_WAKE_WORDS,
        ("weights.safetensors", "vww_96.h5"), np.float32,
    ),
    "shufflenetv2_x0.5_cifar10": Gold(
        "chenyaofo cifar", "logits_f64", "logits_f32", CIFAR10, normalized=np.float32
    ),
}  # fmt: skip
FEW = 8  # images, where all would take long
FILES = [(folder, file) for folder, gold in FOLDERS.items() for file in gold.files]
every_file = pytest.mark.parametrize(("folder", "file"), FILES, ids=["/".join(f) for f in FILES])
every_folder = pytest.mark.parametrize("folder", FOLDERS)
coral = pytest.mark.parametrize("folder", [f for f in FOLDERS if FOLDERS[f].maker == "coral"])


@cache
def stored(folder):
    """Return {name: array} of what the folder's own framework computed."""
    with np.load(SHARED / folder / "gold" / f"{folder}.npz") as arrays:
        return dict(arrays)


def images_of(folder):
    """Return the photos, resized and cut out: (N, 3, H, W) uint8."""
    arrays = stored(folder)
    if "images_u8_nchw" in arrays:
        return arrays["images_u8_nchw"]
    return np.ascontiguousarray(arrays["inputs_u8_nhwc"].transpose(0, 3, 1, 2))


@cache
def network(folder, file="weights.safetensors", dtype=np.float64):
    if file.endswith(".h5"):
        pytest.importorskip("h5py", reason='needs h5py: pip install "npnets[weights]"')
    return load(SHARED / folder / file, dtype=dtype)


def normalized(folder):
    """Return the images as the folder's own program made them: step by step, in its dtype."""
    preprocessing, dtype = network(folder).preprocessing, FOLDERS[folder].normalized
    if dtype == np.float64:
        return preprocessing.normalize(images_of(folder), dtype)
    mean, std = np.array([preprocessing.mean, preprocessing.std], dtype).reshape(2, 3, 1, 1)
    return (((images_of(folder).astype(dtype) / dtype(255)) - mean) / std).astype(np.float64)


@cache
def exact_logits(folder, file="weights.safetensors"):
    return network(folder, file).forward(normalized(folder))


def difference(what, found, expected):
    """Return the largest difference, relative to the largest number."""
    relative = np.abs(found - expected).max() / np.abs(expected).max()
    print(f"\n{what:55} {relative:.1e}", end="")
    return relative


# The same logits


@every_file
def test_float64(folder, file):
    expected = stored(folder)[FOLDERS[folder].exact]
    assert network(folder, file).source.maker == FOLDERS[folder].maker
    assert difference(f"{folder} float64", exact_logits(folder, file), expected) < 1e-12


@every_file
def test_float64_folded(folder, file):
    logits = network(folder, file).fold().forward(normalized(folder)[:FEW])
    expected = stored(folder)[FOLDERS[folder].exact][:FEW]
    assert difference(f"{folder} float64, folded", logits, expected) < 1e-12


@pytest.mark.parametrize("fold", [False, True], ids=["as it is", "folded"])
@every_file
def test_float32(folder, file, fold):
    net = network(folder, file, np.float32)
    x = net.preprocessing.normalize(images_of(folder)[:FEW])
    logits = (net.fold() if fold else net).forward(x)
    assert logits.dtype == np.float32
    for name in (FOLDERS[folder].exact, FOLDERS[folder].single):
        assert difference(f"{folder} float32", logits, stored(folder)[name][:FEW]) < 1e-5


# The same answers


@every_folder
def test_the_first_five_of_every_photo_in_the_same_order(folder):
    expected = np.argsort(-stored(folder)[FOLDERS[folder].exact], axis=1)[:, :5]
    assert (np.argsort(-exact_logits(folder), axis=1)[:, :5] == expected).all()


@coral
def test_the_first_five_are_those_stored_for_1000_photos(folder):
    arrays, rows = stored(folder), list(stored(folder)["all_names"])
    known = [k for k, name in enumerate(arrays["image_names"]) if name in rows]
    rows = [rows.index(arrays["image_names"][k]) for k in known]
    first_five = np.argsort(-exact_logits(folder), axis=1)[known, :5]
    assert len(known) == 20
    assert (first_five == arrays["all_float_top5"][rows]).all()


@coral
def test_rounding_to_whole_numbers_changes_few_answers(folder):
    """The folder's README: 95.2 and 98.3 % of 1000 photos have the same first answer."""
    arrays = stored(folder)
    kept = arrays["quant_logits_raw"].argmax(axis=1) == exact_logits(folder).argmax(axis=1)
    assert kept.mean() >= 0.9


def test_cifar10_images_are_recognised():
    folder = "shufflenetv2_x0.5_cifar10"
    arrays, answers = stored(folder), exact_logits(folder).argmax(axis=1)
    assert (answers == arrays["all_top1_pred"][arrays["test_index"]]).all()
    assert (answers == arrays["labels"]).mean() >= 0.9


# What belongs to the weights


@every_folder
def test_classes_have_the_names_of_the_folder(folder):
    net, arrays = network(folder), stored(folder)
    assert net.preprocessing.class_names == FOLDERS[folder].names
    assert len(net.preprocessing.class_names) == len(net.classifier.bias.value)
    assert net.preprocessing.size == images_of(folder).shape[2] == images_of(folder).shape[3]
    if "label_names" in arrays:
        said = [str(name).replace("non_", "no ") for name in arrays["label_names"]]
        assert list(net.preprocessing.class_names) == said
    else:
        labels = (SHARED / folder / "labels.txt").read_text(encoding="utf-8").splitlines()
        assert list(net.preprocessing.class_names) == labels


@coral
def test_true_classes_are_named_as_the_photos_are(folder):
    """n01440764_tench.JPEG is class 1, tench: one too many or too few, and no name would fit."""
    arrays = stored(folder)
    for file, label in zip(arrays["image_names"], arrays["true_label"], strict=True):
        if label >= 0:
            name = str(file).partition("_")[2].partition(".")[0].replace("_", " ")
            assert name.lower() in IMAGENET_1001[label].lower()
