"""Depthwise convolution: one filter per channel, and no sum over channels.

It costs H'·W'·C·K² multiply-adds, where a full convolution costs O times as many. What it saves
in arithmetic it does not save in memory traffic: each number read meets only K² others, so that
the kernels below wait for memory, and are written to make one pass over it.
"""

import numpy as np

from npnets.ops import check
from npnets.ops.bias import Finish, finish
from npnets.ops.depthwise_plan import by_columns, pieces, plan
from npnets.ops.memory import into, zeros
from npnets.ops.op import jit, op, plain
from npnets.ops.threads import share
from npnets.ops.window import output_shape, pad, taps, unpad


def depthwise_shape(x, weight, stride, padding, dilation):
    """Return the output's shape (N, C, H', W'), or raise ValueError."""
    N, C, _, _ = check.images(x)
    check.one_filter_each(weight, C)
    return (N, C, *output_shape(x, weight.shape[2:], stride, padding, dilation))


@op
def depthwise_conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, ceiling=None):
    """Convolve each channel with a filter of its own.

        y[n, c, p, q]  =  Σ i,j   weight[c, 0, i, j] · x[n, c, s·p + d·i − top, s·q + d·j − left]

    x is (N, C, H, W), weight (C, 1, K, K), bias (C,); stride s, dilation d and padding are in
    pixels, padding an int or (top, bottom, left, right). Returns y, (N, C, H', W'), where
    H' = (H + top + bottom − d·(K − 1) − 1) // s + 1. With a ceiling, y is clipped to
    0 … ceiling: a ReLU (infinity) or ReLU6 (6) in the same pass, for inference. Raises ValueError
    where weight is not one filter per channel. Source: MobileNets, arXiv:1704.04861, eq. 3.
    """
    y = np.zeros(depthwise_shape(x, weight, stride, padding, dilation), x.dtype)
    padded = pad(x, padding)
    for i, j, tap in taps(padded, weight.shape[2:], stride, dilation, y.shape[2:]):
        y += weight[:, 0, i, j, None, None] * tap
    return finish(y, bias, ceiling)


@depthwise_conv2d.kernel
def depthwise_conv2d_kernel(
    x, weight, bias=None, stride=1, padding=0, dilation=1, ceiling=None, *, out=None
):
    shape = depthwise_shape(x, weight, stride, padding, dilation)
    y = into(out, shape, x.dtype, x, weight)
    finish = Finish(len(weight), x.dtype, bias, ceiling)
    x, weight = plain(x.dtype, x, weight)
    grid, taps, _ = plan(x, y, weight, stride, padding, dilation)
    given = _flat(x), by_columns(weight, taps), _flat(y), grid, taps
    limits = finish.bias, finish.low, finish.high

    def work(first, last):
        filter_planes(*given, *limits, first, last)

    share(work, pieces(grid, x), y.size * 4)
    return y


@op
def depthwise_conv2d_backward(dy, x, weight, stride=1, padding=0, dilation=1):
    """Return dx and dweight: what came forward through a tap goes back through it.

    dx[n, c, s·p + d·i − top, s·q + d·j − left]  +=  weight[c, 0, i, j] · dy[n, c, p, q]
    dweight[c, 0, i, j]  =  Σ n,p,q   dy[n, c, p, q] · x[n, c, s·p + d·i − top, …]
    """
    check.shape(dy, depthwise_shape(x, weight, stride, padding, dilation), "dy")
    padded = pad(x, padding)
    dpadded, dweight = np.zeros_like(padded), np.zeros_like(weight, x.dtype)
    window = weight.shape[2:], stride, dilation, dy.shape[2:]
    for (i, j, tap), (_, _, dtap) in zip(
        taps(padded, *window), taps(dpadded, *window), strict=True
    ):
        dtap += weight[:, 0, i, j, None, None] * dy
        dweight[:, 0, i, j] = np.einsum("ncpq,ncpq->c", dy, tap)
    return unpad(dpadded, padding).copy(), dweight


@depthwise_conv2d_backward.kernel
def depthwise_conv2d_backward_kernel(dy, x, weight, stride=1, padding=0, dilation=1, *, out=None):
    check.shape(dy, depthwise_shape(x, weight, stride, padding, dilation), "dy")
    dx = into(out, x.shape, x.dtype, dy, x, weight)
    dy, x, weight = plain(x.dtype, dy, x, weight)
    grid, taps, back = plan(x, dy, weight, stride, padding, dilation)
    given = _flat(dy), _flat(x), by_columns(weight, back), _flat(dx)
    dweight = zeros((pieces(grid, x), *taps.starts.shape), x.dtype)

    def work(first, last):
        _backward(*given, dweight, grid, taps, back, first, last)

    share(work, len(dweight), x.size * 8)
    dweight = dweight.reshape(-1, len(weight), *taps.starts.shape).sum(axis=0)
    return dx, dweight[:, :, : weight.shape[2]].swapaxes(1, 2).reshape(weight.shape)


def _flat(x):
    """n c h w -> n c (h w)."""
    return x.reshape(*x.shape[:2], -1)


# The loops. A row of 7 pixels is too short to vectorise. So an image is first laid out in a
# scratch, row after row, between rows of zeros; a few small images follow each other there. A
# tap is then one long stretch, whose start says what it sees:
#
#     scratch[start + t]  is what output t = p · width + q  sees through the tap
#
# At either end of a row some taps reach into the next one, where a mask puts zeros instead. With a
# stride s the columns are dealt out to s layouts, (w s) -> s w, so that a tap is a stretch again.
# The rows that a stride leaves out are computed and dropped: to pick them first takes longer. The
# way back is the same, with dy laid out, rows of zeros where the stride left some out, and the
# columns of dx computed one layout after the other.
#
# All taps of a 3 × 3 window go into one pass: to load and store the sum for each of them does 9
# billion multiply-adds a second on a core that does 33 so. Other windows take a column of three
# rows at a time, and reach 25.


@jit
def _lay_out(image, grid, scratch, number):
    """Lay out an image, (H·W), as the number-th of those together."""
    size = grid.together * grid.height * grid.width
    at = grid.guard + (number * grid.height + grid.top) * grid.width
    if grid.width == grid.W and grid.stride == 1:
        _copy(image, scratch[at : at + image.size])
    elif 2 * grid.width == grid.W and grid.stride == 2:  # a stride that the compiler knows
        half = image.size // 2
        even, odd = scratch[at : at + half], scratch[at + size : at + size + half]
        for t in range(half):
            even[t] = image[2 * t]
            odd[t] = image[2 * t + 1]
    else:
        for t in range(image.size):
            h, w = divmod(t, grid.W)
            scratch[at + w % grid.stride * size + h * grid.width + w // grid.stride] = image[t]


@jit
def _gather(layouts, grid, image):
    """Put an image, (H·W), together from its layouts, (stride, H · width)."""
    if 2 * grid.width == grid.W and grid.stride == 2:
        even, odd = layouts[0], layouts[1]
        for t in range(even.size):
            image[2 * t] = even[t]
            image[2 * t + 1] = odd[t]
    else:
        for t in range(image.size):
            h, w = divmod(t, grid.W)
            image[t] = layouts[w % grid.stride, h * grid.width + w // grid.stride]


@jit
def _copy(source, target):
    for t in range(target.size):
        target[t] = source[t]


@jit
def _correlate(source, starts, weights, masks, target):
    """target[t] = Σ j,i  weights[j, i] · source[starts[j, i] + t], where mask j allows it."""
    stretch = masks.shape[1]
    for at in range(0, target.size, stretch):
        result = target[at : at + stretch]
        if starts.shape == (3, 3):
            _correlate_nine(source[at:], starts, weights, masks, result)
            continue
        result[:] = 0
        for j in range(len(starts)):
            for i in range(0, starts.shape[1], 3):
                _add_three(source[at:], starts[j, i:], weights[j, i:], masks[j], result)


@jit
def _add_three(source, starts, weights, mask, target):
    k0, k1, k2 = weights[0], weights[1], weights[2]
    s0, s1, s2 = source[starts[0] :], source[starts[1] :], source[starts[2] :]
    zero = mask[0] - mask[0]
    for t in range(target.size):
        total = k0 * s0[t] + k1 * s1[t] + k2 * s2[t]
        target[t] += total if mask[t] > zero else zero


@jit
def _correlate_nine(source, starts, weights, masks, target):
    a0, a1, a2 = source[starts[0, 0] :], source[starts[0, 1] :], source[starts[0, 2] :]
    b0, b1, b2 = source[starts[1, 0] :], source[starts[1, 1] :], source[starts[1, 2] :]
    c0, c1, c2 = source[starts[2, 0] :], source[starts[2, 1] :], source[starts[2, 2] :]
    ka0, ka1, ka2 = weights[0, 0], weights[0, 1], weights[0, 2]
    kb0, kb1, kb2 = weights[1, 0], weights[1, 1], weights[1, 2]
    kc0, kc1, kc2 = weights[2, 0], weights[2, 1], weights[2, 2]
    mask_a, mask_b, mask_c = masks[0], masks[1], masks[2]
    zero = mask_a[0] - mask_a[0]
    for t in range(target.size):
        a = ka0 * a0[t] + ka1 * a1[t] + ka2 * a2[t]
        b = kb0 * b0[t] + kb1 * b1[t] + kb2 * b2[t]
        c = kc0 * c0[t] + kc1 * c1[t] + kc2 * c2[t]
        a = a if mask_a[t] > zero else zero
        b = b if mask_b[t] > zero else zero
        c = c if mask_c[t] > zero else zero
        target[t] = a + b + c


@jit
def _correlations(source, starts, target, masks, totals):
    """totals[j, i] += Σ t  target[t] · source[starts[j, i] + t]: the gradient of the weights."""
    stretch = masks.shape[1]
    for at in range(0, target.size, stretch):
        for j in range(len(starts)):
            for i in range(0, starts.shape[1], 3):
                some = target[at : at + stretch]
                _add_three_totals(source[at:], starts[j, i:], some, masks[j], totals[j, i:])


@jit
def _add_three_totals(source, starts, target, mask, totals):
    s0, s1, s2 = source[starts[0] :], source[starts[1] :], source[starts[2] :]
    total0, total1, total2 = totals[0], totals[1], totals[2]
    zero = mask[0] - mask[0]
    for t in range(target.size):
        d = target[t] if mask[t] > zero else zero
        total0 += d * s0[t]
        total1 += d * s1[t]
        total2 += d * s2[t]
    totals[0], totals[1], totals[2] = total0, total1, total2


@jit
def filter_planes(x, weights, y, grid, taps, bias, low, high, first_piece, last_piece):
    N, C, outputs = y.shape
    block = grid.height * grid.width
    flat = np.empty(grid.together * block, x.dtype)
    scratch = np.zeros(grid.stride * flat.size + block + 2 * grid.guard, x.dtype)
    whole = grid.stride == 1 and grid.width == grid.Q  # y is one stretch, too, else row by row
    length = outputs if whole else grid.Q
    for piece in range(first_piece, last_piece):
        group, c = divmod(piece, C)
        first = group * grid.together
        images = min(grid.together, N - first)
        for n in range(images):
            _lay_out(x[first + n, c], grid, scratch, n)
        used = flat[: (images - 1) * block + ((grid.P - 1) * grid.stride + 1) * grid.width]
        _correlate(scratch, taps.starts, weights[c], taps.masks, used)
        for n in range(images):
            image = y[first + n, c]
            for p in range(outputs // length):
                at = n * block + p * grid.stride * grid.width
                row = image[p * length : (p + 1) * length]
                _finish(flat[at : at + length], bias[c], low, high, row)


@jit
def _finish(source, bias, low, high, target):
    for t in range(target.size):
        value = source[t] + bias
        value = low if value < low else value  # what is not a number stays so
        target[t] = high if value > high else value


@jit
def _backward(dy, x, weights, dx, dweight, grid, taps, back, first_piece, last_piece):
    N, C, outputs = dy.shape
    block = grid.height * grid.width
    size = grid.together * block
    scratch = np.zeros(grid.stride * size + block + 2 * grid.guard, x.dtype)
    ahead = np.zeros(size + block + 2 * grid.guard, x.dtype)
    dflat = ahead[grid.guard + grid.up * grid.width :][:size]
    layouts = np.empty((grid.stride, size), x.dtype)
    whole = grid.stride == 1 and grid.width == grid.Q
    length = outputs if whole else grid.Q
    for piece in range(first_piece, last_piece):
        group, c = divmod(piece, C)
        first = group * grid.together
        images = min(grid.together, N - first)
        if images < grid.together:  # what is left of others must not count again
            scratch[:], ahead[:] = 0, 0
        for n in range(images):
            _lay_out(x[first + n, c], grid, scratch, n)
            for p in range(outputs // length):
                at = n * block + p * grid.stride * grid.width
                _copy(dy[first + n, c, p * length : (p + 1) * length], dflat[at : at + length])
        used = (images - 1) * block + max((grid.P - 1) * grid.stride + 1, grid.H) * grid.width
        _correlations(scratch, taps.starts, dflat[:used], taps.masks, dweight[piece])
        for k in range(grid.stride):
            mine = slice(back.bounds[k], back.bounds[k + 1])
            starts, masks = back.starts[mine], back.masks[mine]
            _correlate(ahead, starts, weights[c, mine], masks, layouts[k, :used])
        for n in range(images):
            one = layouts[:, n * block : n * block + grid.H * grid.width]
            if grid.stride == 1 and grid.width == grid.W:
                _copy(one[0], dx[first + n, c])
            else:
                _gather(one, grid, dx[first + n, c])
