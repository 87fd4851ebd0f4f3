"""Bugs in the channel shuffle, and in split and concat: right numbers in wrong places."""

from .bug import ALIKE, Bug

DEALT = "return channel_shuffle(dy, C // groups)"

CHANNEL_SHUFFLE = [
    Bug(
        "channel_shuffle_backward",
        old=DEALT,
        new="return channel_shuffle(dy, groups)",
        why="dy is shuffled once more, not back: right only where C = g².",
        survives_sum=ALIKE,
    ),
    Bug(
        "channel_shuffle_backward",
        old=DEALT,
        new="return dy.copy()",
        why="The shuffle is taken for something that a gradient need not follow.",
        survives_sum=ALIKE,
    ),
    Bug(
        "channel_shuffle_backward",
        old=DEALT,
        new="return channel_shuffle(dy, 2)",
        why="The inverse of some other number of groups, which is right where C/g = 2.",
        survives_sum=ALIKE,
    ),
    Bug(
        "channel_shuffle_backward",
        old=DEALT,
        new="return channel_shuffle(dy, C // groups)[:, ::-1]",
        why="The channels come back in reverse.",
        survives_sum=ALIKE,
    ),
    Bug(
        "channel_shuffle_backward",
        old=DEALT,
        new="return np.roll(channel_shuffle(dy, C // groups), 1, axis=1)",
        why="Off by one: each channel comes back one place too late.",
        survives_sum=ALIKE,
    ),
    Bug(
        "channel_shuffle_backward",
        old=DEALT,
        new="return channel_shuffle(dy, C // groups)[::-1]",
        why="The images come back in reverse.",
        survives_sum=ALIKE,
    ),
    Bug(
        "channel_shuffle_backward",
        old=DEALT,
        new="return np.repeat(channel_shuffle(dy[:1], C // groups), len(dy), axis=0)",
        why="Every image is given the gradient of the first.",
        survives_sum=ALIKE,
    ),
    Bug(
        "channel_shuffle_backward",
        old=DEALT,
        new="return channel_shuffle(dy, C // groups)[:, :, ::-1]",
        why="The rows of the images come back from the bottom to the top.",
        survives_sum=ALIKE,
    ),
    Bug(
        "channel_shuffle_backward",
        old=DEALT,
        new="return channel_shuffle(dy, C // groups) / groups",
        why="Each channel gets a share, as if the groups had been averaged.",
    ),
    Bug(
        "channel_shuffle_backward",
        old=DEALT,
        new="return dy + channel_shuffle(dy, C // groups)",
        why="dy is added, as if there were a shortcut around the shuffle.",
    ),
    Bug(
        "channel_shuffle_backward",
        old=DEALT,
        new="dy[...] = channel_shuffle(dy, C // groups); return dy",
        why="The gradient is shuffled in place: the caller's dy is lost.",
        survives_sum="every dy is 1, before it is overwritten and after",
    ),
    Bug(
        "channel_shuffle_backward",
        old=DEALT,
        new="return channel_shuffle(dy, C // groups) * (np.arange(C) < C - 1)[:, None, None]",
        why="Off by one: the last channel gets nothing.",
    ),
    Bug(
        "channel_shuffle",
        old="x.reshape(N, groups, C // groups, H, W).swapaxes(1, 2)",
        new="x[:, np.random.default_rng(C).permutation(C)]",
        why="A shuffle like that of cards: dealing C/g groups out does not undo it.",
        survives_sum=ALIKE,
    ),
    Bug(
        "channel_shuffle",
        old="swapaxes(1, 2)",
        new="swapaxes(1, 2)[:, :, :1].repeat(groups, axis=2)",
        why="The first group is dealt out to all, and the others to none.",
    ),
]

SPLIT_AND_CONCAT = [
    Bug(
        "split_backward",
        old="concat(da, db)",
        new="concat(db, da)",
        why="The parts are joined in the wrong order.",
        survives_sum=ALIKE,
    ),
    Bug(
        "split_backward",
        old="concat(da, db)",
        new="concat(0 * da, db)",
        why="The first way is cut off: no gradient comes back through it.",
    ),
    Bug(
        "split_backward",
        old="concat(da, db)",
        new="concat(da, 0 * db)",
        why="The second way is cut off: no gradient comes back through it.",
    ),
    Bug(
        "split_backward",
        old="concat(da, db)",
        new="concat(da, db) / 2",
        why="The two ways share the gradient, but each has channels of its own.",
    ),
    Bug(
        "split_backward",
        old="concat(da, db)",
        new="concat(da, db[:, ::-1])",
        why="The channels of the second part come back in reverse.",
        survives_sum=ALIKE,
    ),
    Bug(
        "split_backward",
        old="concat(da, db)",
        new="da",
        why="The second part is forgotten, and dx has too few channels.",
    ),
    Bug(
        "split",
        old="x[:, channels:]",
        new="x[:, :-channels]",
        why="The second part starts at the first channel: some are seen twice, some never.",
    ),
    Bug(
        "split",
        old="x[:, channels:]",
        new="x[:, channels - 1 :]",
        why="Off by one: one channel is in both parts.",
    ),
    Bug(
        "concat",
        old="(a, b), axis=1",
        new="(b, a), axis=1",
        why="Forward joins the parts in the wrong order, and backward does not.",
        survives_sum=ALIKE,
    ),
    Bug(
        "concat",
        old="np.concatenate((a, b), axis=1)",
        new="np.roll(np.concatenate((a, b), axis=1), 1, axis=1)",
        why="Off by one: forward stores each channel one place too late.",
        survives_sum=ALIKE,
    ),
    Bug(
        "concat_backward",
        old="split(dy, channels)",
        new="split(dy, channels)[::-1]",
        why="Each part is given the gradient of the other.",
    ),
    Bug(
        "concat_backward",
        old="split(dy, channels)",
        new="split(dy, dy.shape[1] // 2)",
        why="Both parts are taken to be equally wide.",
    ),
    Bug(
        "concat_backward",
        old="split(dy, channels)",
        new="(dy[:, :channels], dy[:, : dy.shape[1] - channels])",
        why="Both parts are given the first channels of dy.",
        survives_sum=ALIKE,
    ),
    Bug(
        "concat_backward",
        old="split(dy, channels)",
        new="split(dy[..., ::-1], channels)",
        why="The columns of dy run from right to left.",
        survives_sum=ALIKE,
    ),
    Bug(
        "concat_backward",
        old="split(dy, channels)",
        new="[part * part.shape[1] / dy.shape[1] for part in split(dy, channels)]",
        why="Each part is weighted by its number of channels.",
    ),
]

JOINED = "concat.definition(a, b)"
UNDEALT = "channel_shuffle_backward.definition(dy, groups)"
PARTED = f"return concat_backward.definition({UNDEALT}, channels)"

CONCAT_SHUFFLE = [
    Bug(
        "concat_shuffle",
        old=JOINED,
        new="concat.definition(b, a)",
        why="Forward joins the parts in the wrong order, and backward does not.",
        survives_sum=ALIKE,
    ),
    Bug(
        "concat_shuffle",
        old=f"({JOINED}, groups)",
        new=f"({JOINED}, (a.shape[1] + b.shape[1]) // groups)",
        why="Forward deals out C/g groups: the inverse shuffle.",
        survives_sum=ALIKE,
    ),
    Bug(
        "concat_shuffle",
        old=f"channel_shuffle.definition({JOINED}, groups)",
        new=JOINED,
        why="Forward forgets to shuffle.",
        survives_sum=ALIKE,
    ),
    Bug(
        "concat_shuffle_backward",
        old=UNDEALT,
        new="channel_shuffle.definition(dy, groups)",
        why="dy is shuffled once more, not back.",
        survives_sum=ALIKE,
    ),
    Bug(
        "concat_shuffle_backward",
        old=UNDEALT,
        new="channel_shuffle_backward.definition(dy, 2)",
        why="Two ways are taken for two groups, whatever the number of groups is.",
        survives_sum=ALIKE,
    ),
    Bug(
        "concat_shuffle_backward",
        old=UNDEALT,
        new="dy",
        why="The shuffle is forgotten in backward.",
        survives_sum=ALIKE,
    ),
    Bug(
        "concat_shuffle_backward",
        old=PARTED,
        new=f"db, da = concat_backward.definition({UNDEALT}, dy.shape[1] - channels); "
        "return da, db",
        why="b is taken to come first.",
        survives_sum=ALIKE,
    ),
]
