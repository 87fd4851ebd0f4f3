"""Bugs in batch norm and ReLU in one pass: where y was clipped has to be found out from x."""

from .bug import FACTOR, Bug

MASK = "dy * ((y > 0) & (y < ceiling))"
RECOMPUTED = "normalize.definition(x, gamma, beta, mean, var, eps)"
BACK = "batch_norm_backward.definition(dy, x, gamma, mean, var, eps)"
MASKED_AND_BACK = f"dy = {MASK}\n    return {BACK}"

BATCH_NORM_RELU = [
    Bug(
        "batch_norm_relu_backward",
        old=MASK,
        new="dy * 1",
        why="The mask is forgotten: the backward of batch norm alone.",
    ),
    Bug(
        "batch_norm_relu_backward",
        old=MASK,
        new="dy * (y > 0)",
        why="The mask of the ceiling is forgotten: the backward of ReLU.",
    ),
    Bug(
        "batch_norm_relu_backward",
        old=MASK,
        new="dy * (y < ceiling)",
        why="The mask of the lower kink is forgotten.",
    ),
    Bug(
        "batch_norm_relu_backward",
        old=MASK,
        new="dy * ((y > 0) & (y < 6))",
        why="The ceiling is taken to be that of ReLU6.",
    ),
    Bug(
        "batch_norm_relu_backward",
        old=MASK,
        new="dy * ((x > 0) & (x < ceiling))",
        why="The mask is that of x, before it was normalized.",
    ),
    Bug(
        "batch_norm_relu_backward",
        old=MASK,
        new="dy * ((dy > 0) & (dy < ceiling))",
        why="The mask is that of dy, not that of y.",
    ),
    Bug(
        "batch_norm_relu_backward",
        old=MASK,
        new="dy * ((y[:1] > 0) & (y[:1] < ceiling))",
        why="The mask of the first image is laid over all.",
    ),
    Bug(
        "batch_norm_relu_backward",
        old=MASK,
        new="1.0 * ((y > 0) & (y < ceiling))",
        why="The derivative of the activation alone: the chain rule is forgotten, and dy.",
        survives_sum=FACTOR,
    ),
    Bug(
        "batch_norm_relu_backward",
        old=f"dy = {MASK}",
        new="dy *= (y > 0) & (y < ceiling)",
        why="dy is masked in place; in a residual unit the shortcut wanted it whole.",
    ),
    Bug(
        "batch_norm_relu_backward",
        old=RECOMPUTED,
        new="normalize.definition(x, gamma, 0 * beta, mean, var, eps)",
        why="beta is forgotten in the mask; where it is still 0, nothing shows.",
    ),
    Bug(
        "batch_norm_relu_backward",
        old=RECOMPUTED,
        new="normalize.definition(x, abs(gamma), beta, mean, var, eps)",
        why="gamma is taken to be positive in the mask.",
    ),
    Bug(
        "batch_norm_relu_backward",
        old=RECOMPUTED,
        new="normalize.definition(x, gamma, beta, 0 * mean, var, eps)",
        why="The mean is forgotten in the mask.",
    ),
    Bug(
        "batch_norm_relu_backward",
        old=MASKED_AND_BACK,
        new=f"dx, dgamma, dbeta = {BACK}\n"
        "    return dx * ((y > 0) & (y < ceiling)), dgamma, dbeta",
        why="dx is masked after the sums; it is dy that must be masked, before.",
    ),
    Bug(
        "batch_norm_relu_backward",
        old=MASKED_AND_BACK,
        new=f"passed = (y > 0) & (y < ceiling)\n    dy = dy * passed\n"
        f"    dx, dgamma, dbeta = {BACK}\n    return dx * passed, dgamma, dbeta",
        why="dx is masked, too: but what was clipped still acts by mean and variance.",
    ),
    Bug(
        "batch_norm_relu_backward",
        old=MASKED_AND_BACK,
        new=f"_, dgamma, dbeta = {BACK}\n    dy = {MASK}\n    return {BACK}[0], dgamma, dbeta",
        why="dgamma and dbeta are the sums of a dy that is not masked yet.",
    ),
    Bug(
        "batch_norm_relu_backward",
        old=BACK,
        new="batch_norm_backward.definition(dy, x, gamma, mean, var)",
        why="eps is not passed on to the backward of batch norm, which has a default of its own.",
    ),
    Bug(
        "batch_norm_relu_backward",
        old=BACK,
        new="normalize_backward(dy, x, gamma, mean, var, eps)",
        why="Mean and variance are taken for constants, as they are at inference.",
    ),
    Bug(
        "batch_norm_relu",
        old="np.clip(y, 0, x.dtype.type(ceiling))",
        new="np.maximum(y, 0)",
        why="Forward forgets the ceiling, backward does not.",
    ),
    Bug(
        "batch_norm_relu",
        old="np.clip(y, 0, x.dtype.type(ceiling))",
        new="np.minimum(abs(y), ceiling)",
        why="Forward folds the negative side up.",
    ),
    Bug(
        "batch_norm_relu",
        old="np.clip(y, 0, x.dtype.type(ceiling))",
        new="np.clip(y - beta[:, None, None], 0, ceiling) + beta[:, None, None]",
        why="Forward clips before it adds beta.",
    ),
]
