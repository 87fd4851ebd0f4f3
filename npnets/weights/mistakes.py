"""What each mistake in the use of weights costs: the same photos, with one thing wrong at a time.

    print(measure(net, images, labels))

None of them raises an error. A network that was mistaken for a slightly different one still says
something, and on an easy photo it is even right. The share of right answers of ShuffleNet v2 0.5x
for 100 test images of CIFAR-10 (chenyaofo's weights):

    none                           91 %
    ImageNet's mean and std        90 %
    TensorFlow's padding "same"    88 %
    batch norm of the batch        82 %
    blue first                     78 %
    numbers −1 … 1                 74 %
    height and width exchanged     42 %
    numbers 0 … 1                  24 %
    eps 1e-3                       12 %
    numbers 0 … 255                10 %
    shuffle the other way          10 %
    no shuffle                      9 %
    N H W C taken for N C H W       6 %
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from npnets import ops
from npnets.layers import BatchNorm, ChannelShuffle, Conv2d, MaxPool2d, ReLU, ReLU6
from npnets.weights.adapt import pad_same, set_activation, set_eps
from npnets.weights.preprocessing import TORCHVISION

BATCH = 100


@dataclass(frozen=True)
class Costs:
    """rows of (mistake, accuracy, agreement); the first is without a mistake.

    accuracy is the share of images with the right first answer, nan where no label is known;
    agreement is the share whose first answer is the one without a mistake.
    """

    rows: tuple[tuple[str, float, float], ...]
    images: int
    labels: int

    def __str__(self):
        width = max(len(name) for name, *_ in self.rows)
        lines = [
            f"{self.images} images, {self.labels} of them with a label",
            f"{'mistake':{width}}   accuracy   first answer kept",
        ]
        for name, *shares in self.rows:
            accuracy, kept = ("" if math.isnan(n) else f"{100 * n:.1f} %" for n in shares)
            lines.append(f"{name:{width}}   {accuracy:>8}   {kept:>8}".rstrip())
        return "\n".join(lines)


def measure(net, photos, labels=None):
    """Return the Costs of each mistake that can be made with a network from `weights.load`.

    photos are PIL images, or (N, 3, H, W) uint8, resized and cut out already. labels are numbers
    of classes, -1 where it is not known. A mistake that changes no logit cannot be made with
    these weights, and has no row.
    """
    labels = np.full(len(photos), -1) if labels is None else np.asarray(labels)
    known, rows = labels >= 0, []
    for name, logits in _mistaken(net, photos):
        if not rows:
            right = logits
        elif np.array_equal(logits, right):
            continue
        first, hits = logits.argmax(axis=1), (logits.argmax(axis=1) == labels)[known]
        accuracy = hits.mean() if known.any() else math.nan
        rows.append((name, float(accuracy), float((first == right.argmax(axis=1)).mean())))
    return Costs(tuple(rows), len(photos), int(known.sum()))


def _mistaken(net, photos):
    """Yield (mistake, logits): without one, and then with each."""
    given = net.preprocessing
    images = _pixels(given, photos)
    yield "none", _logits(net, given.normalize(images))
    for name, wrong in CUT.items() if images is not photos else ():
        if wrong(given).resize is not None or _large_enough(photos, given.size):
            yield name, _logits(net, given.normalize(_pixels(wrong(given), photos)))
    for name, wrong in COLOURS.items():
        yield name, _logits(net, wrong(given).normalize(images))
    for name, wrong in AXES.items():
        yield name, _logits(net, given.normalize(wrong(images)))
    x = given.normalize(images)
    for name, change in NETWORK.items():
        twin = net.astype(np.float32)
        change(twin)
        yield name, _logits(twin, x)


def _large_enough(photos, size):
    return all(min(photo.size) >= size for photo in photos)


def _pixels(preprocessing, photos):
    if isinstance(photos, np.ndarray):
        return photos
    return np.stack([preprocessing.pixels(photo) for photo in photos])


def _logits(net, x):
    return np.concatenate([net.forward(x[k : k + BATCH]) for k in range(0, len(x), BATCH)])


# Mistakes with photos: functions of the Preprocessing.

CUT = {
    "cut out, but not resized": lambda p: replace(p, resize=None),
    "resized to the nearest pixel": lambda p: replace(p, interpolation="nearest"),
    "resized from four pixels": lambda p: replace(p, interpolation="bilinear, 4 pixels"),
    "resized from all pixels": lambda p: replace(p, interpolation="bilinear"),
}


def _numbers(scale, mean, std):
    return lambda p: replace(p, scale=scale, mean=mean, std=std)


NONE, ONE = (0.0,) * 3, (1.0,) * 3
COLOURS = {
    "blue first": lambda p: replace(p, channels="BGR"),
    "red first": lambda p: replace(p, channels="RGB"),
    "numbers 0 … 255": _numbers(1.0, NONE, ONE),
    "numbers 0 … 1": _numbers(1 / 255, NONE, ONE),
    "numbers −1 … 1": _numbers(1 / 127.5, ONE, ONE),
    "ImageNet's mean and std": _numbers(1 / 255, TORCHVISION.mean, TORCHVISION.std),
}

# Mistakes with axes: functions of (N, 3, H, W).

AXES = {
    "height and width exchanged": lambda images: images.swapaxes(2, 3),
    "N H W C taken for N C H W": lambda x: x.transpose(0, 2, 3, 1).reshape(x.shape),
}

# Mistakes with the network: functions that change it.


def _pad_around(net):
    """Pad as PyTorch does, by one number on each side: half of the kernel."""
    for layer in net.layers().values():
        if isinstance(layer, Conv2d) and layer.window["padding"]:
            layer.window["padding"] = layer.weight.value.shape[2] // 2
        elif isinstance(layer, MaxPool2d) and layer.window["padding"]:
            layer.window["padding"] = layer.window["kernel_size"] // 2


def _shuffle_back(net):
    """Shuffle by the inverse permutation."""
    for layer in net.layers().values():
        if isinstance(layer, ChannelShuffle):
            layer.forward = lambda *ways, groups=layer.groups: ops.channel_shuffle_backward(
                ops.concat(*ways) if len(ways) == 2 else ways[0], groups
            )


def _do_not_shuffle(net):
    for layer in net.layers().values():
        if isinstance(layer, ChannelShuffle):
            layer.groups = 1


def _normalize_by_batch(net):
    """Forget `eval`: batch norm takes mean and variance of the batch."""
    for layer in net.layers().values():
        if isinstance(layer, BatchNorm):
            layer.training = True
            layer.save = lambda *arrays: None  # there will be no backward


NETWORK = {
    "padding around the image": _pad_around,
    'TensorFlow\'s padding "same"': pad_same,
    "eps 1e-3": set_eps(1e-3),
    "eps 1e-5": set_eps(1e-5),
    "ReLU": set_activation(ReLU),
    "ReLU6": set_activation(ReLU6),
    "shuffle the other way": _shuffle_back,
    "no shuffle": _do_not_shuffle,
    "batch norm of the batch": _normalize_by_batch,
}
