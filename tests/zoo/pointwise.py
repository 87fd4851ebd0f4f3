"""Bugs in pointwise_conv2d and its backward: most are those of a matrix product."""

from .bug import ALIKE, FACTOR, Bug

POINTWISE_CONV2D = [
    Bug(
        "pointwise_conv2d_backward",
        old="x.dtype).swapaxes(1, 2) @ dy",
        new="x.dtype) @ dy",
        why="The weights are not transposed; where C = O, the shapes do not mind.",
    ),
    Bug(
        "pointwise_conv2d_backward",
        old="x.dtype).swapaxes(1, 2) @ dy",
        new="x.dtype)[::-1].swapaxes(1, 2) @ dy",
        why="Each group goes back through the weights of another group.",
    ),
    Bug(
        "pointwise_conv2d_backward",
        old="x.dtype).swapaxes(1, 2) @ dy",
        new="x.dtype)[:1].swapaxes(1, 2) @ dy",
        why="Every group goes back through the weights of the first.",
    ),
    Bug(
        "pointwise_conv2d_backward",
        old="x.dtype).swapaxes(1, 2) @ dy",
        new="x.dtype).swapaxes(1, 2) @ dy[:, ::-1]",
        why="Each group is given the dy of another group.",
        survives_sum=ALIKE,
    ),
    Bug(
        "pointwise_conv2d_backward",
        old="return dx.reshape(x.shape)",
        new="return dx.reshape(x.shape) / (x.shape[2] * x.shape[3])",
        why="dx is averaged over the pixels, but each pixel has an output of its own.",
    ),
    Bug(
        "pointwise_conv2d_backward",
        old="_pixels(dy.astype(x.dtype, copy=False), groups)",
        new="_pixels(dy.swapaxes(2, 3).astype(x.dtype, copy=False), groups)",
        why="The pixels of dy are laid out column by column, those of x row by row.",
        survives_sum=ALIKE,
    ),
    Bug(
        "pointwise_conv2d_backward",
        old="outer(dy, _pixels(x, groups))",
        new="outer(_pixels(x, groups), dy)",
        why="dweight is transposed, and reshape makes it look right.",
    ),
    Bug(
        "pointwise_conv2d_backward",
        old="outer(dy, _pixels(x, groups))",
        new="outer(dy[:1], _pixels(x, groups)[:1])",
        why="dweight is that of the first image alone.",
    ),
    Bug(
        "pointwise_conv2d_backward",
        old="outer(dy, _pixels(x, groups))",
        new="(outer(dy, _pixels(x, groups)) / len(x))",
        why="dweight is averaged over the batch; the loss has done that already, in dy.",
    ),
    Bug(
        "pointwise_conv2d_backward",
        old="outer(dy, _pixels(x, groups))",
        new="outer(dy, dx)",
        why="dweight meets the new dx where it should meet the old x.",
    ),
    Bug(
        "pointwise_conv2d_backward",
        old="outer(dy, _pixels(x, groups))",
        new="outer(dy[..., :-1], _pixels(x, groups)[..., :-1])",
        why="The last pixel is left out of the sum.",
    ),
    Bug(
        "pointwise_conv2d_backward",
        old="outer(dy, _pixels(x, groups))",
        new="outer(np.ones_like(dy), _pixels(x, groups))",
        why="dweight leaves out dy: it is the gradient of the sum of y.",
        survives_sum=FACTOR,
    ),
    Bug(
        "outer",
        old="dy = dy.transpose(1, 2, 0, 3)",
        new="dy = dy",
        why="dy is reshaped where it must be transposed: images and channels get mixed up.",
        survives_sum=ALIKE,
    ),
    Bug(
        "outer",
        old="x = x.transpose(1, 2, 0, 3)",
        new="x = x",
        why="x is reshaped where it must be transposed: images and channels get mixed up.",
    ),
    Bug(
        "outer",
        old="x = x.transpose(1, 2, 0, 3)",
        new="x = x.transpose(1, 2, 3, 0)",
        why="x runs through the pixels of all images in one order, dy in another.",
        survives_sum="every dy is 1, and a sum does not mind the order",
    ),
    Bug(
        "pointwise_conv2d",
        old="@ _pixels(x, groups)",
        new="@ _pixels(x, groups)[:, :1]",
        why="Forward shows every group the channels of the first one.",
    ),
]
