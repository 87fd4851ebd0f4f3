"""What mistakes cost: each of them changes what it says, and only those count that can be made."""

import math
from dataclasses import replace

import numpy as np
import pytest

from npnets import MobileNetV1, ShuffleNetV1, ShuffleNetV2, ops
from npnets.weights import adapt
from npnets.weights.mistakes import NETWORK, measure
from npnets.weights.preprocessing import KERAS, Preprocessing

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 3, 32, 32), np.uint8)


def ready(net, preprocessing=KERAS):
    net.preprocessing = replace(preprocessing.at(32), class_names=("a", "b", "c"))
    return net.eval()


def tensorflow():
    net = MobileNetV1(0.25, num_classes=3, rng=0, relu6=True)
    net.stem.norm.gamma.value *= 30  # so that some numbers are above 6
    for change in adapt.TENSORFLOW.values():
        change(net)
    return ready(net)


def mistakes(costs):
    return [name for name, *_ in costs.rows]


def test_without_a_mistake_the_answers_are_those_of_the_network():
    net = tensorflow()
    answers = net.forward(net.preprocessing.normalize(IMAGES)).argmax(axis=1)
    labels = answers.copy()
    labels[:2] = -1
    labels[2] = (labels[2] + 1) % 3
    costs = measure(net, IMAGES, labels)
    assert costs.rows[0] == ("none", 0.75, 1.0)
    assert (costs.images, costs.labels) == (6, 4)
    assert "6 images, 4 of them with a label" in str(costs)
    assert "75.0 %    100.0 %" in str(costs)


def test_without_labels_only_kept_answers_count():
    costs = measure(tensorflow(), IMAGES)
    assert all(math.isnan(accuracy) for _, accuracy, _ in costs.rows)
    assert "nan" not in str(costs)


def test_each_network_has_the_mistakes_that_can_be_made_with_it():
    found = mistakes(measure(tensorflow(), IMAGES))
    assert {"blue first", "padding around the image", "eps 1e-5", "ReLU",
            "batch norm of the batch", "ImageNet's mean and std"} <= set(found)  # fmt: skip
    assert not {"red first", "numbers −1 … 1", "eps 1e-3", "ReLU6", "no shuffle"} & set(found)
    assert 'TensorFlow\'s padding "same"' not in found
    folded = mistakes(measure(ready(tensorflow().fold()), IMAGES))
    assert "batch norm of the batch" not in folded
    assert not {"eps 1e-3", "eps 1e-5"} & set(folded)


def test_a_network_of_pytorch_has_the_opposite_mistakes():
    bgr = replace(KERAS, channels="BGR")
    found = mistakes(measure(ready(ShuffleNetV2(0.5, num_classes=3, rng=0), bgr), IMAGES))
    assert {"red first", "eps 1e-3", "ReLU6", 'TensorFlow\'s padding "same"',
            "shuffle the other way", "no shuffle"} <= set(found)  # fmt: skip
    assert not {"blue first", "eps 1e-5", "ReLU", "padding around the image"} & set(found)


def test_the_network_and_its_preprocessing_stay_as_they_are():
    net = tensorflow()
    state, said = net.state(), repr(net.preprocessing)
    measure(net, IMAGES)
    assert all(np.array_equal(net.state()[name], array) for name, array in state.items())
    assert repr(net.preprocessing) == said
    assert not any(layer.training for layer in net.layers().values())


@pytest.mark.parametrize("network", [ShuffleNetV1, ShuffleNetV2])
def test_shuffle_the_other_way_is_the_inverse(network):
    net = network(0.5, num_classes=3, rng=0).eval()
    seen = {}
    for name, layer in net.layers().items():
        if hasattr(layer, "groups") and name.endswith("shuffle"):
            seen[name] = layer
    twin = net.astype(np.float32)
    NETWORK["shuffle the other way"](twin)
    x = np.random.default_rng(0).standard_normal((1, 240, 2, 2))
    for name, layer in seen.items():
        other = twin.layers()[name]
        if network is ShuffleNetV1:
            ours, back = layer.forward(x), other.forward(layer.forward(x))
            assert np.array_equal(back, x)
        else:
            ours = ops.concat_shuffle(x[:, :120], x[:, 120:], 2)
            halves = np.ascontiguousarray(ours[:, :120]), np.ascontiguousarray(ours[:, 120:])
            assert np.array_equal(other.forward(*halves), x)
        assert not np.array_equal(ours, x)


def test_photos_show_what_cutting_without_resizing_costs():
    Image = pytest.importorskip("PIL.Image", reason='needs Pillow: pip install "npnets[weights]"')
    rng = np.random.default_rng(0)
    photos = [Image.fromarray(rng.integers(0, 256, (90, 70, 3), np.uint8)) for _ in range(3)]
    net = tensorflow()
    found = mistakes(measure(net, photos, [0, 1, 2]))
    assert {"cut out, but not resized", "resized to the nearest pixel"} <= set(found)
    assert "resized from all pixels" not in found  # which is as it should be
    assert "cut out, but not resized" not in mistakes(measure(net, IMAGES))
    photos.append(photos[0].resize((20, 20)))  # too small to be cut out
    assert "cut out, but not resized" not in mistakes(measure(net, photos))


def test_numbers_of_others_are_no_mistake_where_they_are_the_same():
    plain = Preprocessing(size=32, resize=32)
    found = mistakes(measure(ready(MobileNetV1(0.25, num_classes=3, rng=0), plain), IMAGES))
    assert "numbers 0 … 255" not in found
    assert {"numbers 0 … 1", "numbers −1 … 1"} <= set(found)
