"""Data sets, batches of them, their normalization, and `load`, which finds them by name."""

import numpy as np
import pytest

from npnets import data


def random_images(N=6, C=3, H=8, W=8):
    return np.random.default_rng(0).integers(0, 256, (N, C, H, W), dtype=np.uint8)


def random_dataset(N=6, classes=3, **sizes):
    labels = np.arange(N, dtype=np.int64) % classes
    return data.Dataset(random_images(N, **sizes), labels, tuple("abcdefghij"[:classes]))


def test_a_dataset_has_a_length_subsets_and_a_short_name():
    dataset = random_dataset(6)
    assert len(dataset) == 6
    assert repr(dataset) == "Dataset(6 images of 3 × 8 × 8 in 3 classes)"
    for indices in (slice(1, 3), np.array([1, 2]), np.arange(6) // 2 * 2 == 2):
        subset = dataset.subset(indices)
        assert np.array_equal(subset.images, dataset.images[indices])
        assert np.array_equal(subset.labels, dataset.labels[indices])
        assert subset.class_names == dataset.class_names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": [[0]]}, r"images must be uint8, \(N, C, H, W\), got list"),
        ({"images": np.zeros((3, 1, 2, 2))}, r"got float64 of shape \(3, 1, 2, 2\)"),
        ({"images": np.zeros((3, 2, 2), np.uint8)}, r"got uint8 of shape \(3, 2, 2\)"),
        ({"images": np.zeros((0, 1, 2, 2), np.uint8)}, "at least one image, got none"),
        ({"labels": [0, 1, 0]}, r"labels must be one int64 per image, \(3,\), got list"),
        ({"labels": np.zeros(3, np.int32)}, r"got int32 of shape \(3,\)"),
        ({"labels": np.zeros(2, np.int64)}, r"\(3,\), got int64 of shape \(2,\)"),
        ({"labels": np.zeros((3, 1), np.int64)}, r"\(3,\), got int64 of shape \(3, 1\)"),
        ({"labels": np.array([0, 1, 2])}, "indices of the 2 classes, got 0 to 2"),
        ({"labels": np.array([0, -1, 1])}, "indices of the 2 classes, got -1 to 1"),
        ({"class_names": ["cat", "dog"]}, "class_names must be a tuple of str, got .'cat'"),
        ({"class_names": (0, 1)}, r"class_names must be a tuple of str, got \(0, 1\)"),
    ],
)
def test_a_dataset_refuses_what_does_not_fit_together(change, message):
    right = {
        "images": np.zeros((3, 1, 2, 2), np.uint8),
        "labels": np.array([0, 1, 0]),
        "class_names": ("cat", "dog"),
    }
    assert len(data.Dataset(**right)) == 3
    with pytest.raises(ValueError, match=message):
        data.Dataset(**{**right, **change})


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("cifar", "cifar10"), ("mnist", "fashion_mnist"), ("digit", "digits"), (10, "")],
)
def test_load_suggests_the_nearest_name(name, nearest):
    with pytest.raises(ValueError, match=f"called {name!r}, did you mean '{nearest}.*There are"):
        data.load(name)


def test_batches_in_order_hold_every_image_once():
    dataset = random_dataset(7)
    found = list(data.batches(dataset, 3))
    assert [len(labels) for _, labels in found] == [3, 3, 1]
    assert np.array_equal(np.concatenate([images for images, _ in found]), dataset.images)
    assert np.array_equal(np.concatenate([labels for _, labels in found]), dataset.labels)


def test_batches_drop_the_last_one_only_where_it_is_smaller():
    assert [len(y) for _, y in data.batches(random_dataset(7), 3, drop_last=True)] == [3, 3]
    assert [len(y) for _, y in data.batches(random_dataset(6), 3, drop_last=True)] == [3, 3]
    assert list(data.batches(random_dataset(6), 7, drop_last=True)) == []


def test_shuffled_batches_are_a_permutation_that_rng_decides():
    names = tuple(map(str, range(50)))
    numbers = np.arange(50)
    dataset = data.Dataset(np.uint8(numbers)[:, None, None, None], numbers, names)

    def order(seed):
        found = list(data.batches(dataset, 8, np.random.default_rng(seed)))
        assert all(np.array_equal(images.ravel(), labels) for images, labels in found)
        return np.concatenate([labels for _, labels in found]).tolist()

    assert sorted(order(0)) == list(range(50))
    assert order(0) == order(0)
    assert order(0) != order(1)
    assert order(0) != list(range(50))


def test_batches_are_copies():
    dataset = random_dataset(4)
    before = dataset.images.copy()
    for images, _ in data.batches(dataset, 2):
        images[...] = 0
    assert np.array_equal(dataset.images, before)


@pytest.mark.parametrize("batch_size", [0, -1, 2.0, "2", None, True])
def test_batches_refuse_a_bad_size_at_once(batch_size):
    with pytest.raises(ValueError, match="batch_size must be an int of at least 1, got"):
        data.batches(random_dataset(), batch_size)


def test_normalization_is_mean_and_deviation_per_channel():
    dataset = random_dataset(20, C=2)
    scaled = dataset.images / 255
    normalize = data.Normalization.of(dataset)
    np.testing.assert_allclose(normalize.mean, scaled.mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(normalize.std, scaled.std(axis=(0, 2, 3)), rtol=1e-12)

    x = normalize(dataset.images)
    assert x.dtype == np.float32
    assert x.shape == dataset.images.shape
    np.testing.assert_allclose(x.mean(axis=(0, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(x.std(axis=(0, 2, 3)), 1, atol=1e-6)


def test_normalization_holds_plain_floats_and_compares_equal():
    normalize = data.Normalization.of(random_dataset())
    assert all(type(value) is float for value in normalize.mean + normalize.std)
    assert normalize == data.Normalization(normalize.mean, normalize.std)


def test_a_channel_of_one_colour_is_only_centred():
    images = random_images(5, C=2)
    images[:, 1] = 77
    normalize = data.Normalization.of(data.Dataset(images, np.zeros(5, np.int64), ("a",)))
    assert normalize.std[1] == 1.0
    assert np.abs(normalize(images)[:, 1]).max() < 1e-7


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 2, 4, 4), np.float32), "images must be uint8, .* got float32"),
        (np.zeros((2, 4, 4), np.uint8), r"images must be uint8, .* got uint8 of shape \(2, 4"),
        (np.zeros((1, 3, 4, 4), np.uint8), "is for 2 channels, got 3"),
    ],
)
def test_normalization_refuses_other_images(images, message):
    normalize = data.Normalization((0.5, 0.5), (0.2, 0.2))
    with pytest.raises(ValueError, match=message):
        normalize(images)


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ((0.5,), (0.1, 0.2), r"one value per channel, got \(0.5,\) and \(0.1, 0.2\)"),
        ((0.5,), (0.0,), r"std must be positive, got \(0.0,\)"),
        ((0.5,), (float("nan"),), r"std must be positive, got \(nan,\)"),
    ],
)
def test_normalization_refuses_other_numbers(mean, std, message):
    with pytest.raises(ValueError, match=message):
        data.Normalization(mean, std)
