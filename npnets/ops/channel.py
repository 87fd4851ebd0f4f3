"""Rearranging channels: split, concat, and the channel shuffle."""

import numpy as np

from npnets.ops import check
from npnets.ops.memory import into
from npnets.ops.op import op, plain
from npnets.ops.threads import share


@op
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


@channel_shuffle.kernel
def channel_shuffle_kernel(x, groups, *, out=None):
    N, C, H, W = check.images(x)
    check.divisible(C, groups)
    y = into(out, x.shape, x.dtype, x)
    (x,) = plain(x.dtype, x)
    dealt = x.reshape(N, groups, C // groups, H * W).swapaxes(1, 2)
    _copy_images(dealt, y.reshape(dealt.shape))
    return y


@op
def channel_shuffle_backward(dy, groups):
    """Return dx: the inverse of dealing out g groups is dealing out C/g groups."""
    _, C, _, _ = check.images(dy, "dy")
    check.divisible(C, groups)
    return channel_shuffle(dy, C // groups)


def check_split(x, channels, name="x"):
    """Raise ValueError unless x, (N, C, H, W), has more than so many channels."""
    _, C, _, _ = check.images(x, name)
    check.at_least(1, channels=channels)
    if channels >= C:
        raise ValueError(f"channels must be less than the {C} channels of {name}, got {channels}")


@op
def split(x, channels):
    """Return a, the first `channels` channels of x, (N, C, H, W), and b, the others.

    Raises ValueError unless 0 < channels < C. Source: ShuffleNet V2, arXiv:1807.11164,
    section 3 ("channel split").
    """
    check_split(x, channels)
    return x[:, :channels].copy(), x[:, channels:].copy()


@split.kernel
def split_kernel(x, channels, *, out=None):
    check_split(x, channels)
    N, C, H, W = x.shape
    a = into(out, (N, channels, H, W), x.dtype, x)
    b = into(None, (N, C - channels, H, W), x.dtype)
    _copy_images(x[:, :channels], a)
    _copy_images(x[:, channels:], b)
    return a, b


@op
def split_backward(da, db):
    """Return dx: what was split is joined."""
    return concat(da, db)


@op
def concat(a, b):
    """Return the channels of a, (N, A, H, W), followed by those of b, (N, B, H, W)."""
    N, _, H, W = check.images(a, "a")
    _, B, _, _ = check.images(b, "b")
    check.shape(b, (N, B, H, W), "b")
    return np.concatenate((a, b), axis=1)


@concat.kernel
def concat_kernel(a, b, *, out=None):
    N, A, H, W = check.images(a, "a")
    _, B, _, _ = check.images(b, "b")
    check.shape(b, (N, B, H, W), "b")
    y = into(out, (N, A + B, H, W), np.result_type(a, b), a, b)
    _copy_images(a, y[:, :A])
    _copy_images(b, y[:, A:])
    return y


@op
def concat_backward(dy, channels):
    """Return da and db, where a had `channels` channels: what was joined is split."""
    return split(dy, channels)


@op
def concat_shuffle(a, b, groups):
    """Return the shuffled channels of a and b, concatenated: in one copy instead of two."""
    return channel_shuffle.definition(concat.definition(a, b), groups)


@concat_shuffle.kernel
def concat_shuffle_kernel(a, b, groups, *, out=None):
    N, A, H, W = check.images(a, "a")
    _, B, _, _ = check.images(b, "b")
    check.shape(b, (N, B, H, W), "b")
    check.divisible(A + B, groups)
    y = into(out, (N, A + B, H, W), np.result_type(a, b), a, b)
    _exchange(y, (a, b), groups, lambda dealt, part: np.copyto(dealt, part))
    return y


@op
def concat_shuffle_backward(dy, groups, channels):
    """Return da and db, where a had `channels` channels."""
    return concat_backward.definition(channel_shuffle_backward.definition(dy, groups), channels)


@concat_shuffle_backward.kernel
def concat_shuffle_backward_kernel(dy, groups, channels, *, out=None):
    N, C, H, W = check.images(dy, "dy")
    check.divisible(C, groups)
    check_split(dy, channels, "dy")
    da = into(out, (N, channels, H, W), dy.dtype, dy)
    db = into(None, (N, C - channels, H, W), dy.dtype)
    _exchange(*plain(dy.dtype, dy), (da, db), groups, lambda dealt, part: np.copyto(part, dealt))
    return da, db


def _exchange(y, parts, groups, copy):
    """Call copy(where in y, piece of a or b) for all channels, in pieces that lie evenly in both.

    Channel g·C/groups + c of a and b together is channel c·groups + g of y.
    """
    N, C, H, W = y.shape
    per_group, starts = C // groups, (0, parts[0].shape[1])
    pieces = []
    for part, start in zip(parts, starts, strict=True):
        for g in range(groups):
            first = max(start, g * per_group)
            last = min(start + part.shape[1], (g + 1) * per_group)
            if first < last:
                where = slice((first - g * per_group) * groups + g, None, groups)
                pieces.append(
                    (y[:, where][:, : last - first], part[:, first - start : last - start])
                )

    def work(i, j):
        for dealt, piece in pieces:
            copy(dealt[i:j], piece[i:j])

    share(work, N, y.size)


def _copy_images(source, target):
    """Copy image by image: the channels of one lie together, and NumPy copies them at once."""
    share(lambda i, j: np.copyto(target[i:j], source[i:j]), len(source), source.size)
