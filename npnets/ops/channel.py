"""Rearranging channels: split, concat, and the channel shuffle."""

import numpy as np

from npnets.ops import check


def channel_shuffle(x, groups):
    """Deal the channels of each group out over all groups.

        n (g c) h w  ->  n (c g) h w

    Two grouped convolutions in a row never mix their groups; a shuffle between them lets each
    group of the second see every group of the first. x is (N, C, H, W). Raises ValueError where
    groups do not divide C. Source: ShuffleNet, arXiv:1707.01083, section 3.1 and figure 1.
    """
    N, C, H, W = check.images(x)
    check.divisible(C, groups)
    return x.reshape(N, groups, C // groups, H, W).swapaxes(1, 2).copy().reshape(N, C, H, W)


def channel_shuffle_backward(dy, groups):
    """Return dx: the inverse of dealing out g groups is dealing out C/g groups."""
    _, C, _, _ = check.images(dy, "dy")
    check.divisible(C, groups)
    return channel_shuffle(dy, C // groups)


def split(x, channels):
    """Return a, the first `channels` channels of x, (N, C, H, W), and b, the others.

    Raises ValueError unless 0 < channels < C. Source: ShuffleNet V2, arXiv:1807.11164,
    section 3 ("channel split").
    """
    _, C, _, _ = check.images(x)
    check.at_least(1, channels=channels)
    if channels >= C:
        raise ValueError(f"channels must be less than the {C} channels of x, got {channels}")
    return x[:, :channels].copy(), x[:, channels:].copy()


def split_backward(da, db):
    """Return dx: what was split is joined."""
    return concat(da, db)


def concat(a, b):
    """Return the channels of a, (N, A, H, W), followed by those of b, (N, B, H, W)."""
    N, _, H, W = check.images(a, "a")
    _, B, _, _ = check.images(b, "b")
    check.shape(b, (N, B, H, W), "b")
    return np.concatenate((a, b), axis=1)


def concat_backward(dy, channels):
    """Return da and db, where a had `channels` channels: what was joined is split."""
    return split(dy, channels)
