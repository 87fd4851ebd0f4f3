"""Batch normalization: with the statistics of the batch in training, with given ones later.

Source: Ioffe and Szegedy, "Batch Normalization", arXiv:1502.03167, algorithm 1 and section 3.
"""

import numpy as np

from npnets.ops import check
from npnets.ops.bias import clip_limits
from npnets.ops.memory import into
from npnets.ops.op import jit, op, plain
from npnets.ops.threads import share


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
def batch_norm_kernel(x, gamma, beta, eps=1e-5, *, out=None):
    return _normalized(x, gamma, beta, eps, None, out)


@op
def batch_norm_relu(x, gamma, beta, eps=1e-5, ceiling=np.inf):
    """Batch norm and ReLU in one: y is clipped to 0 … ceiling. Return y, mean and var.

    With a ceiling of 6 it is ReLU6. What an activation of its own would cost is a pass over
    memory forward, and two and an array to keep backward.
    """
    y, mean, var = batch_norm.definition(x, gamma, beta, eps)
    return np.clip(y, 0, x.dtype.type(ceiling)), mean, var


@batch_norm_relu.kernel
def batch_norm_relu_kernel(x, gamma, beta, eps=1e-5, ceiling=np.inf, *, out=None):
    return _normalized(x, gamma, beta, eps, ceiling, out)


def _normalized(x, gamma, beta, eps, ceiling, out):
    """Return y, mean and var; no activation where ceiling is None."""
    _, C, _, _ = norm_shape(x, gamma, beta, training=True)
    y = into(out, x.shape, x.dtype, x)
    x, gamma, beta = plain(x.dtype, x, gamma, beta)
    mean, var = np.empty_like(gamma), np.empty_like(gamma)
    given = _flat(x), gamma, beta, x.dtype.type(eps), *clip_limits(ceiling, x.dtype)
    share(lambda *channels: _forward(*given, _flat(y), mean, var, *channels), C, 2 * x.size)
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
def batch_norm_backward_kernel(dy, x, gamma, mean, var, eps=1e-5, *, out=None):
    return _normalized_backward(dy, x, gamma, np.zeros_like(gamma), mean, var, eps, None, out)


@op
def batch_norm_relu_backward(dy, x, gamma, beta, mean, var, eps=1e-5, ceiling=np.inf):
    """Return dx, dgamma and dbeta. y is not asked for: where it was clipped follows from x."""
    check.shape(dy, norm_shape(x, gamma, beta, mean, var, training=True), "dy")
    y = normalize.definition(x, gamma, beta, mean, var, eps)
    dy = dy * ((y > 0) & (y < ceiling))
    return batch_norm_backward.definition(dy, x, gamma, mean, var, eps)


@batch_norm_relu_backward.kernel
def batch_norm_relu_backward_kernel(
    dy, x, gamma, beta, mean, var, eps=1e-5, ceiling=np.inf, *, out=None
):
    return _normalized_backward(dy, x, gamma, beta, mean, var, eps, ceiling, out)


def _normalized_backward(dy, x, gamma, beta, mean, var, eps, ceiling, out):
    """Return dx, dgamma and dbeta; no activation where ceiling is None."""
    _, C, _, _ = norm_shape(x, gamma, beta, mean, var, training=True)
    check.shape(dy, x.shape, "dy")
    dx = into(out, x.shape, x.dtype, dy, x)
    dy, x, gamma, beta, mean, var = plain(x.dtype, dy, x, gamma, beta, mean, var)
    rate, dgamma, dbeta = 1 / np.sqrt(var + x.dtype.type(eps)), *np.empty((2, C), x.dtype)
    given = _flat(dy), _flat(x), gamma, beta, mean, rate, *clip_limits(ceiling, x.dtype)
    share(lambda *some: _backward(*given, _flat(dx), dgamma, dbeta, *some), C, 3 * x.size)
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


@normalize.kernel
def normalize_kernel(x, gamma, beta, mean, var, eps=1e-5, *, out=None):
    N, *_ = norm_shape(x, gamma, beta, mean, var)
    y = into(out, x.shape, x.dtype, x)
    x, gamma, beta, mean, var = plain(x.dtype, x, gamma, beta, mean, var)
    scale = gamma / np.sqrt(var + x.dtype.type(eps))
    share(lambda *some: _scale(_flat(x), mean, scale, beta, _flat(y), *some), N, x.size)
    return y


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
# these make two forward and two backward, of which the second often finds its channel in the
# cache still. A channel is the work of one thread. Its sums run over one image at a time, in the
# precision of x, and add up over the images in double precision.


@jit
def _forward(x, gamma, beta, eps, low, high, y, mean, var, first, last):
    N, _, P = x.shape
    for c in range(first, last):
        m, v = _moments(x, c)
        mean[c], var[c] = m, v
        scale = gamma[c] / np.sqrt(var[c] + eps)
        for n in range(N):
            _line(x[n, c], mean[c], scale, beta[c], low, high, y[n, c])


@jit
def _moments(x, c):
    """Return mean and variance of channel c in one pass: those of each image join
    those of the images before.

    Source: Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing
    Sample Variances", 1979, equation 2.1.
    """
    mean, squares, zero = 0.0, 0.0, x.dtype.type(0)
    for n in range(len(x)):
        row, total, square = x[n, c], zero, zero
        for p in range(row.size):
            total += row[p]
        middle = total / x.dtype.type(row.size)
        for p in range(row.size):  # the image is still in the cache
            square += (row[p] - middle) * (row[p] - middle)
        apart = middle - mean
        squares += square + apart * apart * row.size * n / (n + 1)
        mean += apart / (n + 1)
    return mean, squares / (len(x) * x.shape[2])


@jit
def _line(x, mean, scale, beta, low, high, y):
    for p in range(x.size):
        value = (x[p] - mean) * scale + beta
        value = low if value < low else value  # what is not a number stays so
        y[p] = high if value > high else value


@jit
def _backward(dy, x, gamma, beta, mean, rate, low, high, dx, dgamma, dbeta, first, last):
    N, _, P = x.shape
    zero, count = x.dtype.type(0), x.dtype.type(N * P)
    for c in range(first, last):
        m, r, b, k = mean[c], rate[c], beta[c], gamma[c] * rate[c]
        sum_dy, sum_dyz = 0.0, 0.0
        for n in range(N):
            row, drow, total, total_z = x[n, c], dy[n, c], zero, zero
            for p in range(P):
                y = (row[p] - m) * k + b
                d = drow[p] if (low < y) & (y < high) else zero
                total += d
                total_z += d * (row[p] - m)
            sum_dy += total
            sum_dyz += total_z * r
        dbeta[c], dgamma[c] = sum_dy, sum_dyz
        average, average_z = dbeta[c] / count, dgamma[c] / count * r
        for n in range(N):
            row, drow, target = x[n, c], dy[n, c], dx[n, c]
            for p in range(P):
                y = (row[p] - m) * k + b
                d = drow[p] if (low < y) & (y < high) else zero
                target[p] = k * (d - average - (row[p] - m) * average_z)


@jit
def _scale(x, mean, scale, beta, y, first, last):
    low, high = x.dtype.type(-np.inf), x.dtype.type(np.inf)
    for n in range(first, last):
        for c in range(len(mean)):
            _line(x[n, c], mean[c], scale[c], beta[c], low, high, y[n, c])
