"""Bugs in the bias of a convolution. It is hard to believe how many fit into one sum."""

from .bug import ALIKE, Bug

SUM = "dy.sum(axis=(0, 2, 3))"

BIAS = [
    Bug(
        "bias_backward",
        old=SUM,
        new="dy[0].sum(axis=(1, 2))",
        why="Only the first image counts.",
    ),
    Bug(
        "bias_backward",
        old=SUM,
        new="dy.sum(axis=(2, 3)).mean(axis=0)",
        why="The gradient is averaged over the batch; the loss has done that already, in dy.",
    ),
    Bug(
        "bias_backward",
        old=SUM,
        new="dy.mean(axis=(0, 2, 3))",
        why="The average over images and pixels is taken for their sum.",
    ),
    Bug(
        "bias_backward",
        old=SUM,
        new="dy.sum(axis=(2, 3))",
        why="Not summed over the batch: each image has a bias of its own.",
    ),
    Bug(
        "bias_backward",
        old=SUM,
        new="dy.sum(axis=(1, 2, 3))",
        why="Summed over channels, not over images; with as many of each, the shape is right.",
    ),
    Bug(
        "bias_backward",
        old=SUM,
        new="dy.sum(axis=(0, 1, 2))",
        why="The axes of channels-last images: the sum leaves the columns, not the channels.",
    ),
    Bug(
        "bias_backward",
        old=SUM,
        new="dy[:, :, :-1].sum(axis=(0, 2, 3))",
        why="The last row is left out.",
    ),
    Bug(
        "bias_backward",
        old=SUM,
        new="dy[:, :, 0, 0].sum(axis=0)",
        why="Only one pixel counts, as if the output of a fully connected layer came in.",
    ),
    Bug(
        "bias_backward",
        old=SUM,
        new="-dy.sum(axis=(0, 2, 3))",
        why="The sign is wrong: training climbs.",
    ),
    Bug(
        "bias_backward",
        old=SUM,
        new="np.full(dy.shape[1], dy.size / dy.shape[1])",
        why="The pixels are counted, and dy is not looked at.",
        survives_sum="every dy is 1: their sum is their number",
    ),
    Bug(
        "bias_backward",
        old=SUM,
        new="abs(dy).sum(axis=(0, 2, 3))",
        why="The sizes of dy are summed, without their signs.",
        survives_sum="every dy is 1, and none is negative",
    ),
    Bug(
        "bias_backward",
        old=SUM,
        new="(dy**2).sum(axis=(0, 2, 3))",
        why="dy is squared.",
        survives_sum="every dy is 1, and so is its square",
    ),
    Bug(
        "bias_backward",
        old=SUM,
        new="dy[:, ::-1].sum(axis=(0, 2, 3))",
        why="The channels are stored in reverse.",
        survives_sum=ALIKE,
    ),
    Bug(
        "bias_backward",
        old=SUM,
        new="np.full(dy.shape[1], dy[:, 0].sum())",
        why="Every channel is given the gradient of the first.",
        survives_sum=ALIKE,
    ),
    Bug(
        "bias_backward",
        old=SUM,
        new='dy.sum(axis=(0, 2, 3), dtype="float16")',
        why="The sum runs in half precision.",
        survives_sum="every dy is 1, and half precision knows whole numbers up to 2048",
    ),
    Bug(
        "add_bias",
        old="return y + bias.astype(y.dtype, copy=False)[:, None, None]",
        new="y += bias[:, None, None]; return y",
        why="The bias is added in place, into what the caller handed over.",
    ),
    Bug(
        "add_bias",
        old="[:, None, None]",
        new="[:, None, None] * (np.arange(len(y)) < 1)[:, None, None, None]",
        why="The bias reaches the first image alone.",
    ),
]
