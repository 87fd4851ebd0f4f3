"""Bugs in batch_norm and normalize: three paths to x, and a square root."""

from .bug import FACTOR, NORMAL, Bug

THREE_PATHS = "(dy - dbeta_mean - z * dgamma_mean)"
ROOT = "1 / np.sqrt(var + x.dtype.type(eps))"

BATCH_NORM = [
    Bug(
        "batch_norm_backward",
        old=THREE_PATHS,
        new="(dy - z * dgamma_mean)",
        why="The path by the mean is missing.",
    ),
    Bug(
        "batch_norm_backward",
        old=THREE_PATHS,
        new="(dy - dbeta_mean)",
        why="The path by the variance is missing.",
        survives_sum=NORMAL,
    ),
    Bug(
        "batch_norm_backward",
        old=THREE_PATHS,
        new="dy",
        why="Mean and variance are taken for constants, as they are at inference.",
    ),
    Bug(
        "batch_norm_backward",
        old=THREE_PATHS,
        new="(dy - dbeta_mean + z * dgamma_mean)",
        why="The path by the variance has the wrong sign.",
        survives_sum=NORMAL,
    ),
    Bug(
        "batch_norm_backward",
        old="z * dgamma_mean",
        new="(x - mean) * dgamma_mean",
        why="The path by the variance lacks a division by the standard deviation.",
        survives_sum=NORMAL,
    ),
    Bug(
        "batch_norm_backward",
        old="gamma * scale * (",
        new="scale * (",
        why="gamma is forgotten; where it is still 1, nothing shows.",
        survives_sum=NORMAL,
    ),
    Bug(
        "batch_norm_backward",
        old="gamma * scale * (",
        new="gamma / scale * (",
        why="dx is multiplied by the standard deviation where it should be divided.",
        survives_sum=NORMAL,
    ),
    Bug(
        "batch_norm_backward",
        old="count = dy.size // dbeta.size",
        new="count = dy.size // dbeta.size - 1",
        why="The averages divide by N − 1, as if they were an unbiased variance.",
    ),
    Bug(
        "batch_norm_backward",
        old="count = dy.size // dbeta.size",
        new="count = len(dy)",
        why="The averages are taken over images, and not over pixels.",
    ),
    Bug(
        "batch_norm_backward",
        old="dgamma / count",
        new="dgamma / (count - 1)",
        why="Only the path by the variance divides by N − 1, but the variance is biased.",
        survives_sum=NORMAL,
    ),
    Bug(
        "batch_norm_backward",
        old=ROOT,
        new="1 / np.sqrt(var)",
        why="eps is forgotten in backward.",
        survives_sum=NORMAL,
    ),
    Bug(
        "batch_norm_backward",
        old=ROOT,
        new="1 / (np.sqrt(var) + eps)",
        why="eps stands outside the root in backward, inside in forward.",
        survives_sum=NORMAL,
    ),
    Bug(
        "batch_norm_backward",
        old=ROOT,
        new="1 / (var + eps)",
        why="Divided by the variance instead of the standard deviation.",
        survives_sum=NORMAL,
    ),
    Bug(
        "batch_norm_backward",
        old="dgamma = (dy * z).sum(axis=(0, 2, 3))",
        new="dgamma = (dy * x).sum(axis=(0, 2, 3))",
        why="dgamma sees x before it was normalized.",
    ),
    Bug(
        "batch_norm_backward",
        old="return gamma * scale",
        new="dgamma = dgamma / count; return gamma * scale",
        why="dgamma is an average; it is a sum.",
        survives_sum=NORMAL + ", and so is the true dgamma",
    ),
    Bug(
        "batch_norm_backward",
        old="dbeta = dy.sum(axis=(0, 2, 3))",
        new="dbeta = dy[:1].sum(axis=(0, 2, 3))",
        why="dbeta is that of the first image alone.",
    ),
    Bug(
        "batch_norm",
        old="x.var(axis=(0, 2, 3))",
        new="x.var(axis=(0, 2, 3), ddof=1)",
        why="Forward normalizes by the unbiased variance; backward knows the biased one.",
        survives_sum=NORMAL,
    ),
    Bug(
        "batch_norm",
        old="x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))",
        new="x[:1].mean(axis=(0, 2, 3)), x[:1].var(axis=(0, 2, 3))",
        why="The statistics are those of the first image.",
    ),
]

NORMALIZE = [
    Bug(
        "normalize_backward",
        old="return gamma * scale * dy",
        new="return scale * dy",
        why="gamma is forgotten; where it is still 1, nothing shows.",
    ),
    Bug(
        "normalize_backward",
        old="return gamma * scale * dy",
        new="return abs(gamma) * scale * dy",
        why="gamma is taken to be positive.",
    ),
    Bug(
        "normalize_backward",
        old="return gamma * scale * dy",
        new="return gamma * scale * (dy - dy.mean(axis=(0, 2, 3), keepdims=True))",
        why="A path by the mean, which is a constant here.",
    ),
    Bug(
        "normalize_backward",
        old="return gamma * scale * dy",
        new="return np.broadcast_to(gamma * scale, dy.shape)",
        why="dx leaves out dy: it is the gradient of the sum of y.",
        survives_sum=FACTOR,
    ),
    Bug(
        "normalize_backward",
        old="return gamma * scale * dy",
        new="dy *= gamma * scale; return dy",
        why="dy is scaled in place: the caller's dy is lost, and dbeta is wrong.",
    ),
    Bug(
        "normalize_backward",
        old=ROOT,
        new="1 / np.sqrt(var)",
        why="eps is forgotten in backward.",
    ),
    Bug(
        "normalize_backward",
        old=ROOT,
        new="1 / (np.sqrt(var) + eps)",
        why="eps stands outside the root in backward, inside in forward.",
    ),
    Bug(
        "normalize_backward",
        old=ROOT,
        new="1 / (var + eps)",
        why="Divided by the variance instead of the standard deviation.",
    ),
    Bug(
        "normalize_backward",
        old="(dy * (x - mean) * scale)",
        new="(dy * x * scale)",
        why="dgamma forgets the mean.",
    ),
    Bug(
        "normalize_backward",
        old="(dy * (x - mean) * scale)",
        new="(dy * (x - mean))",
        why="dgamma forgets the standard deviation.",
    ),
    Bug(
        "normalize_backward",
        old="(dy * (x - mean) * scale)",
        new="((x - mean) * scale)",
        why="dgamma leaves out dy: it is the gradient of the sum of y.",
        survives_sum=FACTOR,
    ),
    Bug(
        "normalize_backward",
        old="dgamma, dy.sum(axis=(0, 2, 3))",
        new="dy.sum(axis=(0, 2, 3)), dgamma",
        why="dgamma and dbeta are returned in the wrong order.",
    ),
    Bug(
        "normalize_backward",
        old="dgamma, dy.sum(axis=(0, 2, 3))",
        new="dgamma, (gamma * dy).sum(axis=(0, 2, 3))",
        why="dbeta is scaled by gamma, but beta is added afterwards.",
    ),
    Bug(
        "normalize_backward",
        old="dgamma, dy.sum(axis=(0, 2, 3))",
        new="dgamma, dy.mean(axis=(0, 2, 3))",
        why="dbeta is an average; it is a sum.",
    ),
    Bug(
        "normalize_backward",
        old="dgamma, dy.sum(axis=(0, 2, 3))",
        new="dgamma, dy.sum(axis=(2, 3))",
        why="dbeta is not summed over the batch.",
    ),
    Bug(
        "normalize",
        old="* (x - mean) + beta",
        new="* (x - mean + beta)",
        why="Forward scales beta, too.",
    ),
]
