"""Bugs in pooling: to the winner, or shared out, or in equal parts."""

from .bug import ALIKE, FACTOR, Bug

MAX_POOL2D = [
    Bug(
        "max_pool2d_backward",
        old="(tap == y) & ~given",
        new="tap == y",
        why="All that tie for the maximum win, and dy is handed out several times.",
    ),
    Bug(
        "max_pool2d_backward",
        old="given |= winner",
        new="given = winner",
        why="Forgets who has won before the last tap: equals further apart win, too.",
    ),
    Bug(
        "max_pool2d_backward",
        old="dtap += dy * winner",
        new="dtap[...] = dy * winner",
        why="A pixel that wins in two windows is paid by the last; the others must add up.",
    ),
    Bug(
        "max_pool2d_backward",
        old="dtap += dy * winner",
        new="dtap += dy / kernel_size**2",
        why="dy is shared out, as average pooling does.",
    ),
    Bug(
        "max_pool2d_backward",
        old="dtap += dy * winner",
        new="dtap += tap * winner",
        why="The winner is given its own value back instead of dy.",
    ),
    Bug(
        "max_pool2d_backward",
        old="dtap += dy * winner",
        new="dtap += winner",
        why="dy is left out: the gradient of the sum of y.",
        survives_sum=FACTOR,
    ),
    Bug(
        "max_pool2d_backward",
        old="dtap += dy * winner",
        new="dtap += dy[:, :, ::-1] * winner",
        why="The rows of dy run from the bottom to the top.",
        survives_sum=ALIKE,
    ),
    Bug(
        "max_pool2d_backward",
        old="dtap += dy * winner",
        new="dtap[:, :, :-1] += (dy * winner)[:, :, :-1]",
        why="Off by one: the last row of windows gives nothing.",
    ),
    Bug(
        "max_pool2d_backward",
        old="(tap == y)",
        new="(tap <= y)",
        why="The first pixel of each window wins, whatever its value.",
    ),
    Bug(
        "max_pool2d_backward",
        old="(tap == y)",
        new="(tap >= y - 0.5)",
        why="Compared with a generous tolerance: the first that comes near the maximum wins.",
    ),
    Bug(
        "max_pool2d_backward",
        old="(tap == y)",
        new="(tap == y.max(axis=(2, 3), keepdims=True))",
        why="Only the maximum of the whole image wins.",
    ),
    Bug(
        "max_pool2d_backward",
        old="(tap == y)",
        new="(tap == y)[:, :1]",
        why="The first channel decides who wins in all channels.",
    ),
    Bug(
        "max_pool2d_backward",
        old="taps(dpadded, *window)",
        new="reversed([*taps(dpadded, *window)])",
        why="dy goes to the pixel that lies opposite in the window.",
    ),
    Bug(
        "max_pool2d_backward",
        old="taps(dpadded, *window)",
        new="taps(dpadded, window[0], 1, 1, shape[2:])",
        why="The stride is forgotten where dx is written.",
    ),
    Bug(
        "max_pool2d_backward",
        old="unpad(dpadded, padding)",
        new="dpadded[:, :, : x.shape[2], : x.shape[3]]",
        why="The border is cut off at the bottom and at the right, as if it all lay there.",
    ),
    Bug(
        "max_pool2d",
        old="y = np.full(shape, -np.inf, x.dtype)",
        new="_, _, y = next(taps(pad(x, padding, -np.inf), *window))",
        why="The maximum is collected in a view of x, and x is overwritten.",
    ),
]

AVG_POOL2D = [
    Bug(
        "avg_pool2d_backward",
        old="share = dy / _count(x, window, padding, count_include_pad)",
        new="share = dy",
        why="Every pixel gets all of dy instead of a share.",
    ),
    Bug(
        "avg_pool2d_backward",
        old="_count(x, window, padding, count_include_pad)",
        new="_count(x, window, padding, True)",
        why="Shared out by K², also at the border, where forward had counted fewer pixels.",
    ),
    Bug(
        "avg_pool2d_backward",
        old="_count(x, window, padding, count_include_pad)",
        new="_count(x, window, padding, False)",
        why="The border is not counted in backward, although forward had counted it.",
    ),
    Bug(
        "avg_pool2d_backward",
        old="_count(x, window, padding, count_include_pad)",
        new="kernel_size",
        why="Divided by K instead of K².",
    ),
    Bug(
        "avg_pool2d_backward",
        old="_count(x, window, padding, count_include_pad)",
        new="(shape[2] * shape[3])",
        why="Divided by the number of windows instead of the pixels of one.",
    ),
    Bug(
        "avg_pool2d_backward",
        old="padding, count_include_pad)\n    dpadded",
        new="[four_sides(padding)[k] for k in (1, 0, 3, 2)], count_include_pad)\n    dpadded",
        why="The pixels are counted with top and bottom, left and right exchanged.",
    ),
    Bug(
        "avg_pool2d_backward",
        old="dtap += share",
        new="dtap[...] = share",
        why="Where windows overlap, the last one overwrites the others; they should add up.",
    ),
    Bug(
        "avg_pool2d_backward",
        old="dtap += share",
        new="dtap += share[:, :, ::-1]",
        why="The rows of dy run from the bottom to the top.",
    ),
    Bug(
        "avg_pool2d_backward",
        old="dtap += share",
        new="dtap += share[:, ::-1]",
        why="The channels of dy are in reverse.",
        survives_sum=ALIKE,
    ),
    Bug(
        "avg_pool2d_backward",
        old="dtap += share",
        new="dtap[:, :, :-1] += share[:, :, :-1]",
        why="Off by one: the last row of windows gives nothing.",
    ),
    Bug(
        "avg_pool2d_backward",
        old="share = dy /",
        new="share = np.ones_like(dy) /",
        why="dy is left out: the gradient of the sum of y.",
        survives_sum=FACTOR,
    ),
    Bug(
        "avg_pool2d_backward",
        old="share = dy /",
        new="share = dy.mean(axis=0) /",
        why="Every image is given the average gradient of the batch.",
        survives_sum="every dy is 1, and so is their average",
    ),
    Bug(
        "avg_pool2d_backward",
        old="in taps(dpadded, *window)",
        new="in [*taps(dpadded, *window)][:-1]",
        why="Off by one: the last position of the window gets nothing.",
    ),
    Bug(
        "avg_pool2d_backward",
        old="in taps(dpadded, *window)",
        new="in taps(dpadded, window[0], 1, 1, shape[2:])",
        why="The stride is forgotten where dx is written.",
    ),
    Bug(
        "avg_pool2d_backward",
        old="np.zeros_like(pad(x, padding))",
        new="pad(x, padding)",
        why="The gradient is added onto x; without a border, into x itself.",
    ),
    Bug(
        "avg_pool2d_backward",
        old="unpad(dpadded, padding)",
        new="dpadded[:, :, : x.shape[2], : x.shape[3]]",
        why="The border is cut off at the bottom and at the right, as if it all lay there.",
    ),
    Bug(
        "avg_pool2d",
        old="return y / _count(x, window, padding, count_include_pad)",
        new="return y",
        why="Forward sums, and backward is that of the average.",
    ),
]
