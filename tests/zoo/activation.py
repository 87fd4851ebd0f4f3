"""Bugs in ReLU, ReLU6 and a sum: one line each, and many ways to get it wrong."""

from .bug import FACTOR, Bug

RELU = [
    Bug(
        "relu_backward",
        old="dy * (y > 0)",
        new="dy * (y >= 0)",
        why="y is 0 where x was negative: this lets everything through.",
    ),
    Bug(
        "relu_backward",
        old="dy * (y > 0)",
        new="dy.copy()",
        why="The mask is forgotten.",
    ),
    Bug(
        "relu_backward",
        old="dy * (y > 0)",
        new="dy * (dy > 0)",
        why="The mask is that of dy, not that of y.",
    ),
    Bug(
        "relu_backward",
        old="dy * (y > 0)",
        new="dy * (y > 0) * (dy > 0)",
        why="Negative gradients are held back, too: a picture of what excites, no derivative.",
        survives_sum="every dy is 1, and none is negative",
    ),
    Bug(
        "relu_backward",
        old="dy * (y > 0)",
        new="1.0 * (y > 0)",
        why="The derivative of ReLU alone: the chain rule is forgotten, and with it dy.",
        survives_sum=FACTOR,
    ),
    Bug(
        "relu_backward",
        old="dy * (y > 0)",
        new="dy * y",
        why="dy is multiplied by y where it should be multiplied by whether y is positive.",
    ),
    Bug(
        "relu_backward",
        old="return dy * (y > 0)",
        new="dy *= y > 0; return dy",
        why="dy is masked in place; in a residual unit the shortcut wanted it whole.",
    ),
    Bug(
        "relu_backward",
        old="dy * (y > 0)",
        new="dy * np.where(y > 0, 1, 0.01)",
        why="Backward leaks a hundredth where forward does not.",
    ),
    Bug(
        "relu",
        old="np.maximum(x, 0)",
        new="np.maximum(x, 0.1 * x)",
        why="Forward leaks a tenth where backward lets nothing through.",
    ),
    Bug(
        "relu",
        old="np.maximum(x, 0)",
        new="abs(x)",
        why="Forward folds the negative side up; y no longer tells where x was negative.",
    ),
    Bug(
        "relu",
        old="np.maximum(x, 0)",
        new="np.maximum(x, 0, out=x)",
        why="Forward writes into x, which a residual unit still needs.",
    ),
    Bug(
        "relu_backward",
        old="dy * (y > 0)",
        new="dy * (y[:1] > 0)",
        why="The mask of the first image is laid over all.",
    ),
    Bug(
        "relu_backward",
        old="dy * (y > 0)",
        new="dy * (y > 0).any(axis=1, keepdims=True)",
        why="A channel is let through where any channel was positive.",
    ),
    Bug(
        "relu_backward",
        old="dy * (y > 0)",
        new="dy * (y > 0) / len(dy)",
        why="dy is averaged over the batch; the loss has done that already.",
    ),
    Bug(
        "relu_backward",
        old="dy * (y > 0)",
        new="(dy * (y > 0)).astype(np.float16)",
        why="The gradient is rounded to half precision on its way.",
        survives_sum="every dy is 1, which half precision knows exactly",
    ),
]

MASK = "dy * ((y > 0) & (y < 6))"

RELU6 = [
    Bug(
        "relu6_backward",
        old=MASK,
        new="dy * (y > 0)",
        why="The upper kink is forgotten: the backward of ReLU.",
    ),
    Bug(
        "relu6_backward",
        old=MASK,
        new="dy * (y < 6)",
        why="The lower kink is forgotten.",
    ),
    Bug(
        "relu6_backward",
        old=MASK,
        new="dy * ((y > 0) & (y <= 6))",
        why="y is 6 where x was larger: <= lets it through.",
    ),
    Bug(
        "relu6_backward",
        old=MASK,
        new="dy * ((y >= 0) & (y < 6))",
        why="y is 0 where x was negative: >= lets it through.",
    ),
    Bug(
        "relu6_backward",
        old=MASK,
        new="dy * ((y > 0) | (y < 6))",
        why="Or instead of and: everything is one of the two.",
    ),
    Bug(
        "relu6_backward",
        old=MASK,
        new="dy * ((dy > 0) & (dy < 6))",
        why="The mask is that of dy, not that of y.",
    ),
    Bug(
        "relu6_backward",
        old=MASK,
        new="np.clip(dy, 0, 6) * ((y > 0) & (y < 6))",
        why="dy is clipped as x was.",
        survives_sum="every dy is 1, which clipping leaves alone",
    ),
    Bug(
        "relu6_backward",
        old=MASK,
        new="1.0 * ((y > 0) & (y < 6))",
        why="The derivative of ReLU6 alone: the chain rule is forgotten, and with it dy.",
        survives_sum=FACTOR,
    ),
    Bug(
        "relu6_backward",
        old=MASK,
        new="dy * ((y > 0) & (y < 1))",
        why="Clipped at 1 instead of 6.",
    ),
    Bug(
        "relu6_backward",
        old=MASK,
        new="dy * ((y > 0) & (y < 6)) / 6",
        why="Scaled to the range from 0 to 1, as a hard sigmoid would be.",
    ),
    Bug(
        "relu6_backward",
        old=f"return {MASK}",
        new="dy[(y <= 0) | (y >= 6)] = 0; return dy",
        why="dy is masked in place; in a residual unit the shortcut wanted it whole.",
    ),
    Bug(
        "relu6_backward",
        old=MASK,
        new="dy * ((y[:1] > 0) & (y[:1] < 6))",
        why="The mask of the first image is laid over all.",
    ),
    Bug(
        "relu6",
        old="np.minimum(np.maximum(x, 0), 6)",
        new="np.minimum(np.maximum(x, 0), 5)",
        why="Forward clips at 5, which backward takes for a value between the kinks.",
    ),
    Bug(
        "relu6",
        old="np.minimum(np.maximum(x, 0), 6)",
        new="np.minimum(abs(x), 6)",
        why="Forward folds the negative side up; y no longer tells where x was negative.",
    ),
    Bug(
        "relu6",
        old="np.minimum(np.maximum(x, 0), 6)",
        new="np.clip(x, 0, 6, out=x)",
        why="Forward writes into x, which a residual unit still needs.",
    ),
    Bug(
        "relu6",
        old="np.minimum(np.maximum(x, 0), 6)",
        new="np.maximum(x, 0)",
        why="Forward forgets the upper kink, backward does not.",
    ),
]

ADD = [
    Bug(
        "add",
        old="return a + b",
        new="a += b; return a",
        why="The sum is written into the shortcut, which is the x of the branch.",
    ),
    Bug(
        "add",
        old="return a + b",
        new="return (a + b) / 2",
        why="Forward averages the two ways, and backward gives each all of dy.",
    ),
    Bug(
        "add",
        old="return a + b",
        new="return a + b.mean(axis=0)",
        why="Every image is given the average branch of the batch.",
        survives_sum="every dy is 1, and so is their average",
    ),
]
