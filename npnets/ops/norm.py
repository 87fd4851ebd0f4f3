"""Batch normalization: with the statistics of the batch in training, with given ones later.

Source: Ioffe and Szegedy, "Batch Normalization", arXiv:1502.03167, algorithm 1 and section 3.
"""

import numpy as np

from npnets.ops import check
from npnets.ops.op import jit, op, plain, prange


def norm_shape(x, *per_channel, training=False):
    """Return the shape of x, or raise ValueError; each of `per_channel` must be (C,)."""
    N, C, H, W = check.images(x)
    for array in per_channel:
        check.shape(array, (C,), "each of gamma, beta, mean and var")
    if training and N * H * W < 2:
        raise ValueError(
            "batch_norm needs more than one value per channel to have a variance, got "
            f"x of shape {x.shape}; train with larger batches"
        )
    return N, C, H, W


@op
def batch_norm(x, gamma, beta, eps=1e-5):
    """Normalize each channel over the batch, then scale and shift it. Return y, mean and var.

        mean[c] = average n,h,w  x         var[c] = average n,h,w  (x − mean)²     (biased)
        y = gamma · (x − mean) / √(var + eps) + beta

    x and y are (N, C, H, W), all others (C,). Raises ValueError where a channel has a single
    value: its variance would be zero, and y would be beta whatever x is.
    """
    norm_shape(x, gamma, beta, training=True)
    mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
    return normalize.definition(x, gamma, beta, mean, var, eps), mean, var


@batch_norm.kernel
def batch_norm_kernel(x, gamma, beta, eps=1e-5):
    _, C, _, _ = norm_shape(x, gamma, beta, training=True)
    x, gamma, beta = plain(x.dtype, x, gamma, beta)
    y, mean, var = np.empty_like(x), np.empty(C, x.dtype), np.empty(C, x.dtype)
    _forward(_flat(x), gamma, beta, x.dtype.type(eps), _flat(y), mean, var)
    return y, mean, var


@op
def batch_norm_backward(dy, x, gamma, mean, var, eps=1e-5):
    """Return dx, dgamma and dbeta. x acts on y in three ways: itself, by mean, and by var.

    z = (x − mean) / √(var + eps)      dgamma = Σ n,h,w  dy·z      dbeta = Σ n,h,w  dy
    dx = gamma / √(var + eps) · (dy − average dy − z · average (dy·z))
    """
    check.shape(dy, norm_shape(x, gamma, mean, var, training=True), "dy")
    dy = dy.astype(x.dtype, copy=False)
    gamma, mean, var = _columns(x.dtype, gamma, mean, var)
    scale = 1 / np.sqrt(var + x.dtype.type(eps))
    z = (x - mean) * scale
    dbeta = dy.sum(axis=(0, 2, 3))
    dgamma = (dy * z).sum(axis=(0, 2, 3))
    count = dy.size // dbeta.size
    dbeta_mean, dgamma_mean = _columns(x.dtype, dbeta / count, dgamma / count)
    return gamma * scale * (dy - dbeta_mean - z * dgamma_mean), dgamma, dbeta


@batch_norm_backward.kernel
def batch_norm_backward_kernel(dy, x, gamma, mean, var, eps=1e-5):
    check.shape(dy, norm_shape(x, gamma, mean, var, training=True), "dy")
    dy, x, gamma, mean, var = plain(x.dtype, dy, x, gamma, mean, var)
    dx, dgamma, dbeta = np.empty_like(x), np.empty_like(gamma), np.empty_like(gamma)
    scale = 1 / np.sqrt(var + x.dtype.type(eps))
    _backward(_flat(dy), _flat(x), gamma, mean, scale, _flat(dx), dgamma, dbeta)
    return dx, dgamma, dbeta


@op
def normalize(x, gamma, beta, mean, var, eps=1e-5):
    """Normalize each channel with given statistics: batch norm at inference.

        y = gamma · (x − mean) / √(var + eps) + beta

    x and y are (N, C, H, W), all others (C,); var is the variance as it is to be used.
    """
    norm_shape(x, gamma, beta, mean, var)
    gamma, beta, mean, var = _columns(x.dtype, gamma, beta, mean, var)
    return gamma / np.sqrt(var + x.dtype.type(eps)) * (x - mean) + beta


def normalize_backward(dy, x, gamma, mean, var, eps=1e-5):
    """Return dx, dgamma and dbeta, where mean and var are constants: one way, not three."""
    check.shape(dy, norm_shape(x, gamma, mean, var), "dy")
    dy = dy.astype(x.dtype, copy=False)
    gamma, mean, var = _columns(x.dtype, gamma, mean, var)
    scale = 1 / np.sqrt(var + x.dtype.type(eps))
    dgamma = (dy * (x - mean) * scale).sum(axis=(0, 2, 3))
    return gamma * scale * dy, dgamma, dy.sum(axis=(0, 2, 3))


def _columns(dtype, *per_channel):
    """Each (C,) as (C, 1, 1) and of `dtype`, to go beside (N, C, H, W)."""
    return [array.astype(dtype, copy=False)[:, None, None] for array in per_channel]


def _flat(x):
    """n c h w -> n c (h w)."""
    return x.reshape(*x.shape[:2], -1)


# The loops. NumPy makes a pass over memory for every operation, each into an array of its own;
# these make three passes forward and two backward. Each thread owns whole channels.


@jit
def _forward(x, gamma, beta, eps, y, mean, var):
    N, C, P = x.shape
    for c in prange(C):
        total = 0.0
        for n in range(N):
            row = x[n, c]
            for p in range(P):
                total += row[p]
        mean[c] = total / (N * P)
        total, middle = 0.0, mean[c]
        for n in range(N):
            row = x[n, c]
            for p in range(P):
                total += (row[p] - middle) * (row[p] - middle)
        var[c] = total / (N * P)
        scale = gamma[c] / np.sqrt(var[c] + eps)
        shift = beta[c] - middle * scale
        for n in range(N):
            row, target = x[n, c], y[n, c]
            for p in range(P):
                target[p] = scale * row[p] + shift


@jit
def _backward(dy, x, gamma, mean, scale, dx, dgamma, dbeta):
    N, C, P = x.shape
    for c in prange(C):
        middle, s = mean[c], scale[c]
        sum_dy, sum_dyz = 0.0, 0.0
        for n in range(N):
            row, drow = x[n, c], dy[n, c]
            for p in range(P):
                sum_dy += drow[p]
                sum_dyz += drow[p] * ((row[p] - middle) * s)
        dbeta[c], dgamma[c] = sum_dy, sum_dyz
        k = gamma[c] * s
        average_dy, average_dyz = dbeta[c] / (N * P), dgamma[c] / (N * P)
        for n in range(N):
            row, drow, target = x[n, c], dy[n, c], dx[n, c]
            for p in range(P):
                target[p] = k * (drow[p] - average_dy - (row[p] - middle) * s * average_dyz)
