"""What an operation asks of its arguments, and how it says so."""

import numpy as np


def images(x, name="x"):
    """Return the shape (N, C, H, W) of a batch of floating-point images, or say what came."""
    if not isinstance(x, np.ndarray) or x.ndim != 4:
        raise ValueError(f"{name} must be an array of shape (N, C, H, W), got {_describe(x)}")
    floats(x, name)
    return x.shape


def floats(x, name="x"):
    """Raise ValueError unless x holds floating-point numbers."""
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
        raise ValueError(
            f"{name} must hold floating-point numbers, got {_describe(x)}; "
            "convert it with .astype(np.float32)"
        )


def filters(weight, name="weight"):
    """Return the shape (O, C/groups, K, K) of the filters of a convolution."""
    if not isinstance(weight, np.ndarray) or weight.ndim != 4:
        raise ValueError(f"{name} must have shape (O, C/groups, K, K), got {_describe(weight)}")
    floats(weight, name)
    return weight.shape


def one_filter_each(weight, channels):
    """Raise ValueError unless weight is one filter for each of so many channels."""
    if filters(weight)[:2] != (channels, 1):
        raise ValueError(
            f"weight must be one filter per channel, ({channels}, 1, K, K), got {weight.shape}"
        )


def shape(array, expected, name):
    """Raise ValueError unless `array` is an array of exactly the expected shape."""
    if not isinstance(array, np.ndarray):
        raise ValueError(
            f"{name} must be an array of shape {tuple(expected)}, got {_describe(array)}"
        )
    if array.shape != tuple(expected):
        raise ValueError(f"{name} must have shape {tuple(expected)}, got {array.shape}")


def at_least(least, **numbers):
    """Raise ValueError unless every number is an int and not below `least`."""
    for name, number in numbers.items():
        whole = isinstance(number, int | np.integer) and not isinstance(number, bool)
        if not whole or number < least:
            raise ValueError(f"{name} must be an int of at least {least}, got {number!r}")


def divisible(channels, groups, name="channels"):
    """Raise ValueError unless `channels` can be dealt out evenly to the groups."""
    at_least(1, groups=groups)
    if channels % groups:
        raise ValueError(f"{name} must be divisible by groups={groups}, got {channels} channels")


def _describe(x):
    if isinstance(x, np.ndarray):
        return f"an array of shape {x.shape} and dtype {x.dtype}"
    return f"{type(x).__name__}"
