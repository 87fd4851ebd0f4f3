"""Bugs in the fully connected layer: shapes that agree by chance hide half of them."""

from .bug import Bug

LINEAR = [
    Bug(
        "linear_backward",
        old="dy @ weight.astype",
        new="dy @ weight.T.astype",
        why="The weights are transposed once too often; where I = O, the shapes do not mind.",
    ),
    Bug(
        "linear_backward",
        old="dy.T @ x",
        new="x.T @ dy",
        why="dweight is transposed; where I = O, its shape is right.",
    ),
    Bug(
        "linear_backward",
        old="dy.T @ x",
        new="(x.T @ dy).reshape(weight.shape)",
        why="dweight is transposed, and reshape makes it look right.",
    ),
    Bug(
        "linear_backward",
        old="dy.T @ x",
        new="dy.T @ x / len(x)",
        why="dweight is averaged over the batch; the loss has done that already, in dy.",
    ),
    Bug(
        "linear_backward",
        old="dy.T @ x",
        new="dy[:1].T @ x[:1]",
        why="dweight is that of the first image alone.",
    ),
    Bug(
        "linear_backward",
        old="dy.T @ x",
        new="dy[:-1].T @ x[:-1]",
        why="The last image is left out.",
    ),
    Bug(
        "linear_backward",
        old="dy.T @ x",
        new="(dy.T @ x - weight)",
        why="The weights have already been subtracted: that is for the optimizer to do.",
    ),
    Bug(
        "linear_backward",
        old="dy.T @ x",
        new="(dy.sum(axis=0)[:, None] * x.mean(axis=0))",
        why="First summed over the batch and then multiplied; each image must do so alone.",
        survives_sum="every dy is 1: it can be taken out of the sum",
    ),
    Bug(
        "linear_backward",
        old="dy.T @ x",
        new="np.sign(dy).T @ x",
        why="dweight knows the sign of dy, and not how large it is.",
        survives_sum="every dy is 1, and so is its sign",
    ),
    Bug(
        "linear_backward",
        old="return dy @",
        new="return dy.mean(axis=0, keepdims=True).repeat(len(x), axis=0) @",
        why="Every image is given the average gradient of the batch.",
        survives_sum="every dy is 1, and so is their average",
    ),
    Bug(
        "linear_backward",
        old="return dy @",
        new="return -dy @",
        why="dx has the wrong sign: all layers before this one learn the opposite.",
    ),
    Bug(
        "linear_backward",
        old="dy.sum(axis=0)",
        new="dy.mean(axis=0)",
        why="dbias is averaged over the batch; the loss has done that already, in dy.",
    ),
    Bug(
        "linear_backward",
        old="dy.sum(axis=0)",
        new="dy.sum(axis=1)",
        why="dbias is summed over outputs; with as many images as outputs, its shape is right.",
    ),
    Bug(
        "linear_backward",
        old="dy.sum(axis=0)",
        new="dy.sum(axis=0, keepdims=True)",
        why="dbias is (1, O), which broadcasts and so goes unnoticed for long.",
    ),
    Bug(
        "linear_backward",
        old="dy.sum(axis=0)",
        new="dy.sum()",
        why="dbias is a single number.",
    ),
    Bug(
        "linear",
        old="@ weight.T.astype",
        new="@ weight.astype",
        why="Forward has the weights the other way round; where I = O, the shapes do not mind.",
    ),
    Bug(
        "linear",
        old=" + bias.astype(x.dtype, copy=False)",
        new="",
        why="Forward forgets the bias, which is then trained for nothing.",
    ),
]
