"""How one array is related to another that it should equal: what a wrong conversion leaves.

A guess is tried by carrying it out, and said only where the two arrays then agree.
"""

import itertools

import numpy as np

from npnets.ops import channel_shuffle

FEWEST = 8  # values that a factor and an offset must fit, so that two of them prove nothing


def distance(a, b):
    """Return (largest |a − b|, the same over the largest |a|); infinite where shapes differ."""
    if a.shape != b.shape:
        return np.inf, np.inf
    apart, size = (float(np.abs(array).max(initial=0)) for array in (a - b, a))
    if apart == 0:
        return 0.0, 0.0
    return (apart, apart / size if size else np.inf) if np.isfinite(apart) else (np.inf, np.inf)


def same(a, b, tolerance):
    """Whether the largest difference is at most so many times the largest number of a."""
    return distance(a, b)[1] <= tolerance


def how_images(a, b, tolerance):
    """Say what b is, given that a was expected; "" where none of the guesses holds.

    Both are (N, C, H, W) or (N, C).
    """
    for guesses in (_moved, _clipped, _scaled):
        for words, expected, found in guesses(*_as_images(a, b)):
            if same(expected, found, tolerance):
                return words
    return ""


def how_weights(a, b, tolerance):
    """As `how_images`, for two weights, (O, C/groups, K, K) or (O, I), or arrays of one axis."""
    guesses = [*_turned(a, b)]
    guesses += [(f"{words} in another order", *_sorted(a, b, k)) for k, words in AXES[: a.ndim]]
    guesses += _scaled_as_a_whole(a, b)
    return next((words for words, x, y in guesses if same(x, y, tolerance)), "")


AXES = (0, "the output channels"), (1, "the input channels")


def _as_images(a, b):
    if a.ndim == b.ndim == 2:
        return a[:, :, None, None], b[:, :, None, None]
    return a, b


def _moved(a, b):
    """Other axes, another order of channels, other pixels."""
    if a.ndim == b.ndim == 4 and b.shape == (last := a.transpose(0, 2, 3, 1)).shape:
        yield "the same with the channels last", last, b
    if a.shape != b.shape or a.ndim != 4:
        return
    N, C, H, W = a.shape
    for groups in range(2, C // 2 + 1):
        if C % groups == 0:
            words = f"the same after a channel shuffle of {groups} groups"
            yield words, channel_shuffle(a, groups), b
    yield "the same with the channels in another order", *_sorted(a, b, 1)
    if H == W > 1:
        yield "the same with height and width exchanged", a.swapaxes(2, 3), b
    if H > 1 or W > 1:
        yield "the same, mirrored left to right", a[..., ::-1], b
        yield "the same, upside down", a[:, :, ::-1], b
    if min(H, W) > 2:
        for down, right in itertools.product((0, -1, 1), repeat=2):
            if down or right:
                yield _shift(down, right), _inner(a, -down, -right), _inner(b, 0, 0)


def _shift(down, right):
    words = {-1: "up", 1: "down"}.get(down), {-1: "left", 1: "right"}.get(right)
    return f"the same, shifted by one pixel {' and '.join(filter(None, words))}"


def _inner(x, down, right):
    """Return x without its border of one pixel, or what lies so many pixels beside that."""
    _, _, H, W = x.shape
    return x[:, :, 1 + down : H - 1 + down, 1 + right : W - 1 + right]


def _sorted(a, b, axis):
    """Return both with the slices along an axis sorted by one random number each."""
    if a.shape != b.shape:
        return a, b
    rows = [np.moveaxis(array, axis, 0).reshape(array.shape[axis], -1) for array in (a, b)]
    along = np.random.default_rng(0).standard_normal(rows[0].shape[1])
    return tuple(row[np.argsort(row @ along)] for row in rows)


def _clipped(a, b):
    """An activation that one of them lacks."""
    if a.shape != b.shape:
        return
    for ceiling, name in ((np.inf, "a ReLU"), (6, "a ReLU6")):
        yield f"the same before {name}", a, np.clip(b, 0, ceiling)
        yield f"the same after {name}", np.clip(a, 0, ceiling), b


def _scaled(a, b):
    """A factor or an offset, for all or for each channel: b = factor · a + offset."""
    yield from _scaled_as_a_whole(a, b)
    if a.shape != b.shape or a.size // a.shape[1] < FEWEST:
        return
    axes = (0, 2, 3)
    centred, middle = a - a.mean(axes, keepdims=True), b.mean(axes, keepdims=True)
    factor = _fitted(centred, b, axes)
    yield "the same with a factor for each channel", a * _fitted(a, b, axes), b
    yield "the same with an offset for each channel", centred + middle, b
    yield "the same with a factor and an offset for each channel", factor * centred + middle, b


def _scaled_as_a_whole(a, b):
    if a.shape != b.shape or a.size < FEWEST:
        return
    factor, offset = _fitted(a, b, None).item(), b.mean() - a.mean()
    yield f"the same times {factor:.4g}", a * factor, b
    yield f"the same plus {offset:.4g}", a + offset, b
    factor = _fitted(a - a.mean(), b, None).item()
    offset = b.mean() - factor * a.mean()
    yield f"the same times {factor:.4g}, plus {offset:.4g}", a * factor + offset, b


def _fitted(a, b, axes):
    """Return the factor that brings a nearest to b, in squares; 0 where a is 0."""
    products, squares = ((a * array).sum(axes, keepdims=True) for array in (b, a))
    return np.divide(products, squares, out=np.zeros_like(products), where=squares > 0)


def _turned(a, b):
    if a.shape == b.shape and a.ndim == 4 and a.shape[3] > 1:
        yield "each filter transposed", a.swapaxes(2, 3), b
        yield "each filter turned by 180°", a[:, :, ::-1, ::-1], b
