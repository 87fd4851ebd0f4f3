"""Bugs in global_avg_pool: each pixel of a channel gets the same, but how much?"""

from .bug import ALIKE, FACTOR, Bug

GLOBAL_AVG_POOL = [
    Bug(
        "global_avg_pool_backward",
        old="(dy / (H * W))",
        new="dy",
        why="Every pixel gets all of dy instead of a share.",
    ),
    Bug(
        "global_avg_pool_backward",
        old="dy / (H * W)",
        new="dy / (H * H)",
        why="Images are taken to be square.",
    ),
    Bug(
        "global_avg_pool_backward",
        old="dy / (H * W)",
        new="dy / (N * H * W)",
        why="Averaged over the batch, too; the loss has done that already, in dy.",
    ),
    Bug(
        "global_avg_pool_backward",
        old="dy / (H * W)",
        new="dy / (C * H * W)",
        why="Averaged over the channels, too, but each has a mean of its own.",
    ),
    Bug(
        "global_avg_pool_backward",
        old="dy / (H * W)",
        new="dy / (H * W - 1)",
        why="Divided by the pixels less one, as if the mean were a variance.",
    ),
    Bug(
        "global_avg_pool_backward",
        old="dy / (H * W)",
        new="-dy / (H * W)",
        why="The sign is wrong: training climbs.",
    ),
    Bug(
        "global_avg_pool_backward",
        old="dy / (H * W)",
        new="np.ones_like(dy) / (H * W)",
        why="dy is left out: the gradient of the sum of y.",
        survives_sum=FACTOR,
    ),
    Bug(
        "global_avg_pool_backward",
        old="dy / (H * W)",
        new="dy[:, ::-1] / (H * W)",
        why="Each channel is given the gradient of another.",
        survives_sum=ALIKE,
    ),
    Bug(
        "global_avg_pool_backward",
        old="dy / (H * W)",
        new="dy.mean(axis=1, keepdims=True) / (H * W)",
        why="All channels are given the average of their gradients.",
        survives_sum="every dy is 1, and so is their average",
    ),
    Bug(
        "global_avg_pool_backward",
        old="dy / (H * W)",
        new="dy[:1] / (H * W)",
        why="Every image is given the gradient of the first.",
        survives_sum=ALIKE,
    ),
    Bug(
        "global_avg_pool_backward",
        old="dy / (H * W)",
        new="dy.reshape(C, N).T / (H * W)",
        why="dy is read as (C, N): images and channels get mixed up.",
        survives_sum=ALIKE,
    ),
    Bug(
        "global_avg_pool_backward",
        old="return np.broadcast_to(share[:, :, None, None], x.shape).copy()",
        new="return share[:, :, None, None]",
        why="The share is not handed out to the pixels; broadcasting hides it for a while.",
    ),
    Bug(
        "global_avg_pool_backward",
        old="return np.broadcast_to(share[:, :, None, None], x.shape).copy()",
        new="dx = np.zeros_like(x); dx[:, :, 0, 0] = dy; return dx",
        why="The first pixel takes it all.",
    ),
    Bug(
        "global_avg_pool_backward",
        old="return np.broadcast_to(share[:, :, None, None], x.shape).copy()",
        new="x[...] = share[:, :, None, None]; return x",
        why="x is reused for dx: of the right shape, no longer needed here, and not ours.",
    ),
    Bug(
        "global_avg_pool_backward",
        old="share[:, :, None, None], x.shape)",
        new="share[:, :, None, None], x.shape) * x",
        why="Pixels are paid by their value.",
    ),
    Bug(
        "global_avg_pool",
        old="return x.mean(axis=(2, 3))",
        new="return x.max(axis=(2, 3))",
        why="Forward takes the maximum, backward is that of the mean.",
    ),
    Bug(
        "global_avg_pool",
        old="return x.mean(axis=(2, 3))",
        new="return x[:, :, :-1].mean(axis=(2, 3))",
        why="Forward leaves out the last row.",
    ),
]
