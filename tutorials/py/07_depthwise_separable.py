# %% [markdown] slideshow={"slide_type": "slide"}
# # 7 · Depthwise separable convolutions
#
# After this chapter you can
#
# - split a convolution into a depthwise and a pointwise one, and say what is lost by it;
# - derive the ratio `1/c2 + 1/K²`, count it, and find it in the MobileNet paper (arXiv:1704.04861);
# - derive the gradients of a depthwise convolution with their index ranges, and convict a wrong one;
# - predict how much of that ratio becomes time on your machine, measure it, and explain the difference.
#
# **You need** chapters 1 to 4: taps, im2col, the backward of a convolution, gradient checking.
# **It takes** about two hours to read with the exercises, about a minute to run on two cores, and downloads nothing.
# **It leaves out** dilation, and the network that is built from these units: that is chapter 8.

# %%
import inspect
import timeit

import numpy as np
from numba import njit

from npnets import ops
from npnets.bench.timing import compare, one_thread
from npnets.experiments.separable import Case, candidates
from npnets.gradcheck import check
from npnets.ops.window import output_shape, pad, unpad
from npnets.tutorials import QUICK, draw

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 7.1 Two channels of 4 × 4
#
# A convolution does two things at once. It *filters*: it looks at the neighbours of a pixel. And it *combines*: it adds up what it found in all channels.
# A depthwise separable convolution does one after the other.
#
# - **Depthwise**: each channel has one filter of its own, `K × K`. Channel `c` in, channel `c` out; channels do not meet.
# - **Pointwise**: a 1 × 1 convolution. Each pixel on its own; each output channel is a weighted sum of all channels.
#
# The smallest case that shows both has two channels.

# %% slideshow={"slide_type": "fragment"}
x = np.array([[[1, 2, 0, 1], [0, 1, 3, 1], [2, 1, 0, 2], [1, 0, 1, 1]],
              [[0, 1, 1, 0], [2, 0, 1, 0], [1, 1, 0, 1], [0, 2, 0, 1]]], float)[None]  # fmt: skip
weight = np.array([np.diag([1, 2, -1]), [[0, 0, 0], [1, 0, -1], [0, 0, 0]]], float)[:, None]
mixing = np.array([[1, 1], [1, -2]], float)  # (O, C)
inside = ops.depthwise_conv2d(x, weight)  # (1, 2, 4, 4) -> (1, 2, 2, 2)
y = ops.pointwise_conv2d(inside, mixing[..., None, None])  # (1, 2, 2, 2) -> (1, 2, 2, 2)
assert y[0].tolist() == [[[4, 6], [2, 0]], [[1, 6], [-1, 0]]]
assert np.array_equal(y.reshape(2, 4), mixing @ inside.reshape(2, 4))  # pixels are columns

# %% slideshow={"slide_type": "subslide"}
figure, axes = draw.figure(height=3.4, rows=2, columns=4)
steps = {"x": x[0], "filter": weight[:, 0], "depthwise": inside[0], "y": y[0]}
for c, row in enumerate(axes):
    for panel, (name, array) in zip(row, steps.items()):
        draw.squares(panel, array[c], title=f"{name}, channel {c}")
draw.picture(figure, alt="Depthwise: 3 6 1 0 and 1 0 1 0 by rows; y: 4 6 2 0 and 1 6 -1 0.")

# %% [markdown]
# *Figure 7.1. Rows are channels. Upper left result, depthwise: 1 · 1 + 2 · 1 − 1 · 0 = 3 in channel 0, and 2 − 1 = 1 in channel 1. Pointwise, with `mixing` [[1, 1], [1, −2]]: 3 + 1 = 4 and 3 − 2 · 1 = 1.*
#
# The last line of the first cell says: with the pixels side by side, a pointwise convolution *is* a matrix product.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 7.2 The depthwise loop
#
# With stride and padding, for `x` of shape `(N, C, H, W)` and `weight` of shape `(C, 1, K, K)`:
#
# $$ y[n, c, p, q] \;=\; \sum_{i,j=0}^{K-1} \texttt{weight}[c, 0, i, j]\cdot x[\,n,\ c,\ \texttt{stride}\,p + i - \texttt{padding},\ \texttt{stride}\,q + j - \texttt{padding}\,] $$
#
# where a pixel outside of the image is zero. This is equation (3) of the paper, with stride and padding written out. Beside the definition in chapter 1 one thing is missing: the sum over channels.
#
# The same loop is compiled as well, for stride 1, a row at a time: `rows_of_taps`. Section 7.7 says what it is for.
#
# The other direction is as instructive. A full convolution is `O · C` depthwise filters and a sum: repeat the image `O` times, give each copy of each channel a filter, and add up over `c`.

# %% slideshow={"slide_type": "fragment"}
def depthwise_loops(x, weight, stride=1, padding=0):
    (N, C, H, W), K = x.shape, weight.shape[2]
    y = np.zeros((N, C, *output_shape(x, (K, K), stride, padding)), x.dtype)
    for n, c, p, q in np.ndindex(y.shape):
        for i, j in np.ndindex(K, K):
            h, w = stride * p + i - padding, stride * q + j - padding
            if 0 <= h < H and 0 <= w < W:
                y[n, c, p, q] += weight[c, 0, i, j] * x[n, c, h, w]
    return y


@njit(error_model="numpy")
def rows_of_taps(padded, weight, y):
    for n, c, p in np.ndindex(y.shape[:3]):
        row = y[n, c, p]
        row[:] = 0
        for i, j in np.ndindex(weight.shape[2:]):
            k, tap = weight[c, 0, i, j], padded[n, c, p + i, j:]
            for q in range(len(row)):
                row[q] += k * tap[q]


def full_by_depthwise(x, weight, stride=1):
    O, C, K, _ = weight.shape
    each = depthwise_loops(np.tile(x, (1, O, 1, 1)), weight.reshape(-1, 1, K, K), stride)
    return each.reshape(len(x), O, C, *each.shape[2:]).sum(axis=2)  # n (o c) p q -> n o p q


# %% [markdown] slideshow={"slide_type": "slide"}
# ## 7.3 The ratio: derived, counted, printed
#
# Let `c1` channels of `P · Q` output pixels become `c2`. By the papers' convention products with the padding count.
#
# | | multiply-adds | weights |
# |---|---|---|
# | full | `P·Q · c1 · c2 · K²` | `c1 · c2 · K²` |
# | depthwise | `P·Q · c1 · K²` | `c1 · K²` |
# | pointwise | `P·Q · c1 · c2` | `c1 · c2` |
#
# Divide the sum of the last two by the first. `P·Q · c1` cancels:
#
# $$ \frac{c1\,K^2 + c1\,c2}{c1\,c2\,K^2} \;=\; \frac{1}{c2} + \frac{1}{K^2}. $$
#
# The stride has gone, and so has the number of input channels. For `K` = 3 and many channels 1/9 is left: that is the "8 to 9 times" of section 3.1.
#
# To count, let the loops run on ones, padded before: each product adds 1 to the sum of `y`. Then the same with npnets' functions on the layer of Table 3, 14 × 14 pixels and 512 channels to 512, for which the paper prints 462 and 52.3 million, and 2.36 and 0.27 million weights.

# %%
def count(full, depthwise, c1, c2, K, stride, size):
    x = np.ones((1, c1, size, size))
    inside = depthwise(x, np.ones((c1, 1, K, K)), stride=stride)
    whole = full(x, np.ones((c2, c1, K, K)), stride=stride)
    mixed = full(np.ones_like(inside), np.ones((c2, c1, 1, 1)))
    return [int(y.sum()) for y in (whole, inside, mixed)]


for c1, c2, K, stride in ((2, 2, 3, 1), (3, 5, 3, 2), (4, 3, 5, 1), (5, 2, 3, 3), (1, 6, 1, 2)):
    full, first, second = count(full_by_depthwise, depthwise_loops, c1, c2, K, stride, 8)
    ratio = (first + second) / full
    print(f"{c1} -> {c2}, K {K}, stride {stride}: ({first} + {second}) / {full} = {ratio:.4f}")
    assert abs(ratio - (1 / c2 + 1 / K**2)) < 1e-12
full, first, second = count(ops.conv2d, ops.depthwise_conv2d, 512, 512, 3, 1, 14 + 2)
print(f"Table 3: full {full:,}, separable {first:,} + {second:,} = {first + second:,}")
assert round(full / 1e6) == 462 and round((first + second) / 1e6, 1) == 52.3
assert [round(n / 14**2 / 1e6, 2) for n in (full, first + second)] == [2.36, 0.27]  # weights
gains = [1 / (1 / c2 + 1 / 9) for c2 in (64, 71, 72, 1024)]
assert gains[1] < 8 <= gains[2] < gains[3] < 9 and first / (first + second) < 0.02

# %% [markdown]
# The last of the small rows is a warning: a 1 × 1 convolution made separable costs more than before.
#
# > **Paper and code.** The paper says 8 to 9 times less computation. By the formula that holds from 72 output channels on; the first unit of its network has 64. The text counts a feature map of `D_F × D_F` for input and output alike, that is, stride 1. Table 1 has strides, and its totals fit only if the *output* is counted. To the ratio it does not matter: the rows with stride 2 and 3 obey the same formula.
#
# Of the separable layer's multiply-adds less than 2 % are depthwise. Keep that number. The clock will disagree.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 7.4 What a pair cannot say
#
# The pair, with nothing between its halves, *is* a full convolution. Its kernel is
#
# $$ \texttt{kernel}[o, c, i, j] \;=\; \texttt{mixing}[o, c]\cdot\texttt{weight}[c, 0, i, j]. $$
#
# Fix one input channel `c` and write its kernels as a matrix with a row per output channel, `(O, K²)`. All rows are multiples of one filter: the matrix has **rank 1**. A full convolution may look at channel `c` with another filter for each output channel, and the rank is up to the smaller of `O` and `K²`.
# The singular values say how much of a matrix one filter can carry: the best approximation of rank 1 keeps the largest and loses the others.

# %%
rng = np.random.default_rng(0)
weight, mixing = rng.standard_normal((8, 1, 3, 3)), rng.standard_normal((64, 8))
kernel, x = mixing[..., None, None] * weight[:, 0], rng.standard_normal((2, 8, 9, 7))
pair = ops.pointwise_conv2d(depthwise_loops(x, weight, 2, 1), mixing[..., None, None])
assert np.allclose(pair, ops.conv2d(x, kernel, stride=2, padding=1), rtol=0, atol=1e-12)


def squares(kernel):  # of the singular values, in percent, averaged over input channels
    by_channel = kernel.swapaxes(0, 1).reshape(kernel.shape[1], len(kernel), -1)  # c o (i j)
    values = np.linalg.svd(by_channel, compute_uv=False) ** 2  # (C, min(O, K²)), falling
    return (100 * values / values.sum(axis=1, keepdims=True)).mean(axis=0)


shares = {"pair": squares(kernel), "full": squares(rng.standard_normal(kernel.shape))}
assert (shares["pair"][1:] < 1e-20).all() and 3 < shares["full"].min() < shares["full"][0] < 50

# %% slideshow={"slide_type": "subslide"}
figure, axes = draw.figure(height=2.4)
axes.plot(range(1, 10), np.transpose([*shares.values()]), label=[*shares])
axes.set(xlabel="number of the singular value", ylabel="share of the squares (%)")
axes.legend()
draw.picture(figure, alt=f"Pair: 100 %, then 0. Full: {np.round(shares['full']).astype(int)} %.")

# %% [markdown]
# *Figure 7.2. Squared singular values of the kernels of one input channel, as shares of their sum, averages over 8 channels. A pair puts everything into the first. Nine equal ones would have 100 / 9 = 11.1 % each; a random full kernel spreads over all nine, so one filter per channel would lose most of it.*
#
# So the pair is a smaller family of functions. That networks of such pairs learn nearly as well is an observation, made in Table 4 of the paper, and not a theorem.
#
# > **Paper and code.** The equations of section 3.1 have nothing between the halves. Figure 3 and all published code have batch norm and a ReLU there. Then the pair is no convolution any more. The next cell settles it: the convolution of −x is minus that of x, and with a ReLU between it is not (`np.array` leaves all as it is).

# %%
halves = [ops.pointwise_conv2d(act(depthwise_loops(sign * x, weight)), mixing[..., None, None])
          for act in (np.array, ops.relu) for sign in (1, -1)]  # fmt: skip
assert np.allclose(halves[0], -halves[1]) and abs(halves[2] + halves[3]).max() > 1

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 7.5 Backward, index by index
#
# Let `L` be any scalar that depends on `y`, and `dy[n, c, p, q] = ∂L/∂y[n, c, p, q]`. Then `dx[n, c, h, w] = ∂L/∂x[n, c, h, w]` collects over all outputs:
#
# $$ dx[n,c,h,w] = \sum_{p,q} dy[n,c,p,q]\,\frac{\partial y[n,c,p,q]}{\partial x[n,c,h,w]}. $$
#
# Only outputs of the same `n` and `c` occur: by the definition no other image and no other channel is read. The derivative is `weight[c, 0, i, j]` where window `(p, q)` sees pixel `(h, w)` with its position `(i, j)`,
#
# $$ h = \texttt{stride}\,p + i - \texttt{padding}, \qquad w = \texttt{stride}\,q + j - \texttt{padding}, $$
#
# and 0 where it does not. Solve for `p` and `q`, and let `i, j` run from 0 to `K` − 1:
#
# $$ dx[n,c,h,w] = \sum_{i,j} \texttt{weight}[c,0,i,j]\cdot dy\Big[n,c,\tfrac{h+\texttt{padding}-i}{\texttt{stride}},\tfrac{w+\texttt{padding}-j}{\texttt{stride}}\Big]. $$
#
# A term is left out if a quotient is not whole, or not in 0 … `P` − 1 or 0 … `Q` − 1. The last is where the floor of the output size comes in: a row with `h + padding > stride · (P − 1) + K − 1` finds no `i` at all, and its gradient is exactly 0.
#
# A weight is used by every image and every window of its channel:
#
# $$ dweight[c,0,i,j] = \sum_{n,p,q} dy[n,c,p,q]\cdot x[\,n,\ c,\ \texttt{stride}\,p+i-\texttt{padding},\ \texttt{stride}\,q+j-\texttt{padding}\,] $$
#
# where `n` runs over all images, `p` from 0 to `P` − 1 and `q` to `Q` − 1; outside of the image the weight met the zero of the padding, and the term is 0. Neither formula has a sum over channels. Both have the same pairs of pixel and output, so one loop does both.

# %% slideshow={"slide_type": "fragment"}
def backward_loops(dy, x, weight, stride=1, padding=0):
    (P, Q), K = dy.shape[2:], weight.shape[2]
    dx, dweight = np.zeros_like(x), np.zeros_like(weight)
    for n, c, h, w in np.ndindex(x.shape):
        for i, j in np.ndindex(K, K):
            p, p_rest = divmod(h + padding - i, stride)
            q, q_rest = divmod(w + padding - j, stride)
            if p_rest == q_rest == 0 and 0 <= p < P and 0 <= q < Q:
                dx[n, c, h, w] += weight[c, 0, i, j] * dy[n, c, p, q]
                dweight[c, 0, i, j] += x[n, c, h, w] * dy[n, c, p, q]
    return dx, dweight


weight, dy = np.arange(1.0, 10).reshape(1, 1, 3, 3), np.array([[[[1.0, 10], [100, 1000]]]])
dx, _ = backward_loops(dy, np.zeros((1, 1, 6, 6)), weight, stride=2)
assert dx[0, 0, 2, 2] == 9 * 1 + 7 * 10 + 3 * 100 + 1 * 1000 and not dx[..., 5].any()

# %% slideshow={"slide_type": "subslide"}
figure, axes = draw.figure(height=2.6, columns=3, width_ratios=[1, 1.3, 3])
for panel, array, name in zip(axes, (dy, weight, dx), ("dy", "weight", "dx, stride 2")):
    draw.squares(panel, array[0, 0], title=name, shade=0.2 * (array[0, 0] > 0))
draw.outline(axes[2], row=0, column=0, rows=3, columns=3)
draw.picture(figure, alt="Four stamps of the kernel in dx, 2 apart; all meet in 1379; edge 0.")

# %% [markdown]
# *Figure 7.3. Each number of `dy` stamps the kernel, times itself, into `dx`, two pixels apart; the first stamp is framed. In row 2, column 2 all four overlap: 9 · 1 + 7 · 10 + 3 · 100 + 1 · 1000 = 1379. Row and column 5 are beyond the last window: the floor left them out.*

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 7.6 Is it right?
#
# First against npnets, on random cases, the compiled loop as well: a stride keeps every `stride`-th of its results. npnets' kernels lay images out in a way of their own and share no line with ours. Two more witnesses are in the cell. Depthwise is `conv2d` with `groups` = `C`, which there is im2col and matrix products. And the **adjoint identity**: `y` is linear in each argument, hence `Σ dy · y` = `Σ dx · x` = `Σ dweight · weight`.

# %%
def random_case(rng):
    N, C, K, stride, padding = map(int, rng.integers((1, 2, 1, 1, 0), (4, 5, 4, 4, 3)))
    x = rng.standard_normal((N, C, *rng.integers(6, 12, 2)))
    return x, rng.standard_normal((C, 1, K, K)), {"stride": stride, "padding": padding}


rng = np.random.default_rng(2)
cases, gaps = [random_case(rng) for _ in range(30)], []
for x, weight, window in cases:
    y = ops.conv2d(x, weight, **window, groups=len(weight))
    dy = rng.standard_normal(y.shape)
    stride, padding = window.values()
    near = np.empty_like(ops.depthwise_conv2d(x, weight, None, 1, padding))  # for stride 1
    rows_of_taps(pad(x, padding), weight, near)
    results = depthwise_loops(x, weight, **window), near[:, :, ::stride, ::stride]
    gaps += [abs(a - y).max() for a in (*results, ops.depthwise_conv2d(x, weight, **window))]
    dx, dweight = gradients = backward_loops(dy, x, weight, **window)
    theirs = ops.depthwise_conv2d_backward(dy, x, weight, **window)
    gaps += [abs(a - b).max() for a, b in zip(gradients, theirs)]
    gaps += [abs((d * a).sum() - (dy * y).sum()) for d, a in ((dx, x), (dweight, weight))]
print(f"{len(cases)} cases, {len(gaps)} comparisons; largest gap {max(gaps):.1e}")
assert max(gaps) < 1e-12

# %% [markdown]
# Now finite differences, in float64. `y` is linear in `x` for a fixed `weight`, and in `weight` for a fixed `x`. A difference quotient then has no error from curvature, and there are no kinks. Only rounding is left, some 1e-16 for each term added, over the step; so a step of 1 is better than a short one, and we expect 1e-15. The tolerance of 1e-12 leaves room for sums of hundreds of terms. `check` draws the upstream gradient at random.
#
# It tries single coordinates, and one random direction through all of them; for the bugs that direction is enough. On trial beside our backward are nine others, such as people write. Each is planted by changing one expression in the text of ours.

# %% slideshow={"slide_type": "slide"}
bugs = {
    "dx: kernel turned around": ("weight[c, 0, i, j]", "weight[c, 0, -1 - i, -1 - j]"),
    "dx: set, not added": ("dx[n, c, h, w] +=", "dx[n, c, h, w] ="),
    "stride ignored": ("divmod(h + padding - i, stride)", "divmod(h + padding - i, 1)"),
    "padding off by one": ("h + padding", "h + padding + 1"),
    "negative p wraps around": ("0 <= p < P", "p < P"),
    "dweight: of the channel before": ("dweight[c,", "dweight[c - 1,"),
    "dweight: i and j exchanged": ("dweight[c, 0, i, j]", "dweight[c, 0, j, i]"),
    "dweight: first image only": ("+= x[n", "+= x[0"),
    "float64, whatever x is": ("np.zeros_like(x)", "np.zeros(x.shape)"),
}


def planted(old, new):
    names = {"np": np}
    exec(inspect.getsource(backward_loops).replace(old, new, 1), names)
    return names["backward_loops"]


# %%
def trial(backward, x, weight, window, coordinates=0):
    return check(
        lambda x, weight: ops.depthwise_conv2d(x, weight, **window),
        lambda dy, x, weight: backward(dy, x, weight, **window),
        {"x": x, "weight": weight}, step=1, tolerance=1e-12, coordinates=coordinates)  # fmt: skip


reports = [trial(backward_loops, *case, coordinates=20) for case in cases]
worst, kinks = max(r.max_relative_error for r in reports), sum(r.kinks for r in reports)
print(f"largest relative error {worst:.1e}, about 1e-15 expected; {kinks} kinks")
assert all(report.ok for report in reports) and worst < 1e-12 and kinks == 0
found = [sum(not trial(planted(*bug), *case).ok for case in cases) for bug in bugs.values()]
print(draw.table({"bug": bugs, f"convicted by, of {len(cases)} cases": found}))
assert found[-1] == 0 < min(found[:-1])
ones, double = (np.ones((1, 1, 1, 1), np.float32),) * 3, planted(*bugs["float64, whatever x is"])
assert backward_loops(*ones)[0].dtype == np.float32 != double(*ones)[0].dtype

# %% [markdown]
# Eight of nine are convicted, though not each in every case: whoever ignores the stride is right at stride 1, and a stamp that is set rather than added is right where stamps do not overlap. That is why the cases are many. The **survivor** is the last. It computes right numbers in the wrong dtype, and a gradient check runs in float64, where nothing shows. It takes a test of its own, the last lines of the cell.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 7.7 A compiled loop
#
# The taps of chapter 1 make `K²` passes over memory: each multiplies a tap into a temporary array, and reads and writes `y` again. The compiled loop of section 7.2 needs no temporary array, and a row of `y` stays close to the processor while its taps are added. **Prediction**: several times faster than the taps.
# Numba compiles at the first call. That belongs in no comparison, and has a column of its own. It was compiled for float64 before, and is compiled anew for float32. It is written for stride 1: were the stride an argument, the compiler could not know that neighbours in a tap are neighbours in memory, and would load number by number.

# %% slideshow={"slide_type": "fragment"}
rng = np.random.default_rng(3)
x, weight = (rng.standard_normal(s, np.float32) for s in ((1, 64, 56, 56), (64, 1, 3, 3)))
results = np.empty_like(x), np.empty_like(x)
runs = {"taps": lambda: ops.depthwise_conv2d.definition(x, weight, padding=1),
        "Numba": lambda: rows_of_taps(pad(x, 1), weight, results[0]),
        "npnets": lambda: ops.depthwise_conv2d(x, weight, padding=1, out=results[1])}  # fmt: skip
with one_thread():
    rungs = compare(runs, seconds=0.3 if QUICK else 3)
print(rungs)
assert rungs.times["Numba"].first > 5 * rungs.times["Numba"].median > 0
assert rungs.ratio("npnets").median < 1 and np.allclose(*results, rtol=0, atol=1e-4)

# %% [markdown]
# Eight lines, and most of what there is to gain: on this layer npnets' own kernel, which adds all nine taps in one pass, is of the same order. It is written for images of 14 and 7 pixels as well, whose rows are short for this loop, and for several threads; neither is measured here.
#
# ## 7.8 A prediction, and the clock
#
# **Prediction.** The separable layer is `1 / (1/c2 + 1/K²)` times faster than the full one: at `K` = 3 about 4 times with 8 output channels and nearly 9 with 512; more with larger kernels; and with `K` = 1 not at all.
#
# `candidates` makes both layers for one image, npnets on both sides, without batch norm and activation, on one thread. All arrays are there before, so no allocation is timed. Both are warm and take turns, and the ratio is taken within each turn. Printed are medians and quartiles, and the ratio of the best times, which other work on your machine disturbs least.

# %%
def timed(case, *names):
    with one_thread():
        runs = candidates(case, rng=0)
        return compare({name: runs[name] for name in names}, seconds=0.3 if QUICK else 3)


wide = [Case(14, 128, c2, 3) for c2 in (8, 32, 128, 512)]  # size, c1, c2, K
deep = [Case(14, 128, 128, K) for K in (1, 3, 5, 7)]
found = {case: timed(case, "separable", "full") for case in dict.fromkeys(wide + deep)}
faster = {case: each.ratio("full") for case, each in found.items()}
best = {c: np.divide(*(min(each.times[k].seconds) for k in ("full", "separable")))
        for c, each in found.items()}  # fmt: skip
rows = [(case, f"{case.fewer:.2f}", faster[case], f"{best[case]:.2f}") for case in found]
print(draw.table(dict(zip(("layer", "times fewer", "times faster", "at best"), zip(*rows)))))
assert all(best[group[3]] > best[group[0]] > 0.2 for group in (wide, deep))

# %% slideshow={"slide_type": "subslide"}
figure, axes = draw.figure(height=2.8, columns=2, sharey=True)
for panel, group, at in zip(axes, (wide, deep), ("c2", "k")):
    places = [str(getattr(case, at)) for case in group]
    panel.plot(places, [case.fewer for case in group], "--o", label="multiply-adds")
    panel.plot(places, [faster[case].median for case in group], "-s", label="time")
    panel.set(xlabel={"c2": "channels c2", "k": "kernel K"}[at], ylabel="full over separable")
axes[0].legend()
draw.picture(figure, alt="Fewer, faster: " + "; ".join(f"{c} {f}, {t}" for c, f, t, _ in rows))

# %% [markdown]
# *Figure 7.4. How many times fewer multiply-adds, by the formula, and how many times faster, measured. Left, `K` = 3 and 128 input channels; right, 128 channels to 128. Check: 1 / (1/128 + 1/9) = 8.41 is in both panels; at `K` = 1 the pair has 129/128 of the multiply-adds, hence a gain just below 1.*
#
# The direction is right and the numbers are not. Does that survive a second benchmark? This one takes the layer of Table 3, no turns and no medians: the best of many runs of each, one after the other. It is done with npnets, and with NumPy alone, where im2col and the taps do the work.

# %%
layer, again = Case(14, 512, 512, 3), {}
for end in ("", ", NumPy"):
    runs = [candidates(layer, rng=0)[name + end] for name in ("full", "separable")]
    with one_thread():
        times = [min(timeit.repeat(run, number=1, repeat=5 if QUICK else 60)) for run in runs]
    again[end] = times[0] / times[1]
print(layer, [f"{ratio:.2f} times faster{end}" for end, ratio in again.items()])
assert all(1 < ratio < 50 for ratio in again.values())

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 7.9 Why they differ
#
# Multiply-adds are one bill. Memory sends another. Count the numbers that must be read or written, each once, at stride 1, where `x` and `y` have `P · Q` pixels:
#
# | | numbers moved |
# |---|---|
# | full | `P·Q · (c1 + c2) + c1·c2·K²` |
# | its columns, written and read | `P·Q · 2·c1·K²` more |
# | depthwise | `P·Q · 2·c1 + c1·K²` |
# | pointwise | `P·Q · (c1 + c2) + c1·c2` |
#
# Depthwise has `P·Q·c1·K²` multiply-adds. So each number that it moves takes part in less than `K²/2` = 4.5 of them, whatever the layer's size. A pointwise convolution adds up over channels: with `c1 = c2 = c` and many pixels it is about `c/2`.
#
# **Prediction.** The depthwise half has a larger share of the time than of the multiply-adds: that makes the separable layer *slower* than its count. And part of the full layer's time is no arithmetic but the copy into columns, which neither half needs: that makes the gain *larger* than the count. To see the second, `full, product` multiplies with columns that are there already; `separable, product` is the pointwise half alone.

# %%
hw, c = 14 * 14, 512
bill = {  # multiply-adds, and numbers moved; named as the candidates
    "full": (layer.macs, 2 * hw * c + c * c * 9 + 2 * hw * c * 9),
    "full, product": (layer.macs, hw * c * 9 + hw * c + c * c * 9),
    "depthwise": (layer.depthwise_macs, 2 * hw * c + c * 9),
    "separable, product": (hw * c * c, 2 * hw * c + c * c),
}
found = timed(layer, "separable", *bill)
rates = [f"{macs / found.times[k].median / 1e9:.1f}" for k, (macs, _) in bill.items()]
print(draw.table({"": bill, "numbers moved": [f"{moved:,}" for _, moved in bill.values()],
                  "per number": [f"{macs / moved:.1f}" for macs, moved in bill.values()],
                  "billion per s": rates}))  # fmt: skip
of_macs, of_time = layer.depthwise_macs / layer.separable_macs, found.ratio("depthwise").median
assert layer.depthwise_macs / bill["depthwise"][1] < 4.5 and of_macs < of_time < 0.8

# %% [markdown]
# The depthwise half reaches a fraction of the multiply-adds per second that matrix products reach. What the columns cost is the difference of the first two rows; a library that convolves without them does not pay it, and its separable layers gain less. The effects pull in opposite directions, so a measured ratio near the prediction need not confirm it: it may be errors that cancel. A ratio of times belongs to two programs and a machine. `1/c2 + 1/K²` belongs to the mathematics. `npnets experiment separable` measures five layers of the network.

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# Write into the cells that say so; the cell below each one tests it.
#
# ### Exercise 7.1 (warm-up, 1 point)
# By hand: a layer takes 28 × 28 pixels and 100 channels to 200 channels, `K` = 5, stride 1, padding 2. How many multiply-adds has the depthwise half, how many the pointwise one, and how many weights have both together?
#
# <details><summary>Hint</summary>The output has 784 pixels. A depthwise filter has 25 weights, and there are as many filters as input channels. A pixel of an output channel of the pointwise half is a sum over the input channels.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-7-1", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
answers = {"depthwise": None, "pointwise": None, "weights": None}
### BEGIN SOLUTION
answers = {"depthwise": 784 * 100 * 25, "pointwise": 784 * 100 * 200, "weights": 2_500 + 20_000}
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "ex-7-1-test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
half, both = Case(28, 100, 200, 5).depthwise_macs, Case(28, 100, 200, 5).separable_macs
assert [*answers.values()] == [half, both - half, both // 28**2], answers

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 7.2 (derivation, 2 points)
# From how many output channels on has a separable layer at least `gain` times fewer multiply-adds? Derive it from the ratio, and return the smallest `c2` for a whole number `gain`, or None where no number is enough.
#
# <details><summary>Hint</summary>1/c2 + 1/K² ≤ 1/gain. Bring 1/K² to the other side. When is what stands there zero or less? Multiply out before you divide: whole numbers do not round.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-7-2", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def fewest_channels(gain, K):
    ### BEGIN SOLUTION
    # 1/c2 ≤ 1/gain − 1/K² = (K² − gain) / (gain·K²), so c2 ≥ gain·K² / (K² − gain), rounded up.
    # Where gain ≥ K² the right side is not positive, and even endless channels do not do.
    return None if gain >= K * K else -(-gain * K * K // (K * K - gain))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-7-2-test", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
assert fewest_channels(8, 3) == 72 and fewest_channels(9, 3) is None
### BEGIN HIDDEN TESTS
assert fewest_channels(3, 3) == 5 and fewest_channels(20, 5) == 100
### END HIDDEN TESTS

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 7.3 (code, 3 points)
# Some networks give each channel `m` filters (a *depth multiplier*): channel `c` yields output channels `c·m` … `c·m + m − 1`. Write it for `weight` of shape `(C · m, 1, K, K)`.
#
# <details><summary>Hint</summary>You have a function for one filter per channel. How must x look, so that filter o meets channel o // m? NumPy has two functions that copy along an axis, np.repeat and np.tile: which one gives 0 0 1 1, which 0 1 0 1?</details>

# %% nbgrader={"grade": false, "grade_id": "ex-7-3", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def depthwise_multiplied(x, weight, stride=1, padding=0):
    ### BEGIN SOLUTION
    m = len(weight) // x.shape[1]
    return depthwise_loops(np.repeat(x, m, axis=1), weight, stride, padding)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-7-3-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
x, weight = (np.random.default_rng(5).standard_normal(s) for s in ((2, 4, 9, 7), (12, 1, 3, 3)))
right = ops.conv2d(x, weight, stride=2, padding=1, groups=4)
assert np.allclose(depthwise_multiplied(x, weight, 2, 1), right, rtol=0, atol=1e-12)

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 7.4 (measurement, 3 points)
# On one thread, with npnets: a depthwise convolution with kernel 5 against kernel 3, on 56 × 56 pixels and 64 channels. Predict the ratio of multiply-adds and measure that of the times. Return both, and write down what a ratio far from the prediction would say.
#
# <details><summary>Hint</summary>candidates gives a function called "depthwise" for each Case, with its arrays made before. The numbers moved hardly change with K. If time followed them alone, what would the ratio be?</details>

# %% nbgrader={"grade": false, "grade_id": "ex-7-4", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def predicted_and_measured():
    ### BEGIN SOLUTION
    runs = {K: candidates(Case(56, 64, 64, K), 0)["depthwise"] for K in (3, 5)}
    with one_thread():  # near 1 it would wait for memory; above 25/9, 3 × 3 is written better
        return 25 / 9, compare(runs, seconds=0.3).ratio(5).median
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-7-4-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
predicted, measured = predicted_and_measured()
assert abs(predicted - 25 / 9) < 1e-12 and 0.3 < measured < 30

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 7.5 (bug hunt, 3 points)
# A colleague has read that the backward of a convolution is a convolution with the kernel turned around, and returns `depthwise_loops(dy, weight[..., ::-1, ::-1], 1, K - 1 - padding)` as `dx`. All their tests have stride 1. At stride 2 even the shape is wrong. Mend it, still with one call of `depthwise_loops`, for any stride and padding.
#
# <details><summary>Hint</summary>A stride keeps every stride-th window of those at stride 1, and drops the rest. So go back to stride 1: what is the gradient of an output that was dropped? How many windows would there be at stride 1? With padding K − 1 you get the gradient of the padded image, and unpad takes its border off.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-7-5", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def mended_dx(dy, x, weight, stride=1, padding=0):
    ### BEGIN SOLUTION
    K = weight.shape[2]
    spread = np.zeros((*x.shape[:2], *output_shape(x, (K, K), 1, padding)))
    spread[:, :, ::stride, ::stride][:, :, : dy.shape[2], : dy.shape[3]] = dy  # dropped ones: 0
    return unpad(depthwise_loops(spread, weight[..., ::-1, ::-1], 1, K - 1), padding)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-7-5-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
for x, weight, window in cases:
    right, _ = backward_loops(dy := depthwise_loops(x, weight, **window), x, weight, **window)
    assert np.allclose(mended_dx(dy, x, weight, **window), right, rtol=0, atol=1e-12)

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 7.6 (open, 3 points)
# With `m` filters per channel and a pointwise layer over all `C · m` results, the kernel of each input channel may have rank `m`. Return filters `(C, m, K · K)` and a mixing `(O, C, m)` that give the full kernel back with a relative error (`np.linalg.norm`) below 1/2, for an `m` of your choice below 9. What does it cost, and from which `m` on is nothing gained?
#
# <details><summary>Hint</summary>np.linalg.svd of the matrices of section 7.4 gives U, S and Vh for each c. The matrix is the sum of its columns of U times its values of S times its rows of Vh. What has K · K numbers, what has O? The squared error is what the values left out have.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-7-6", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def by_rank(kernel):
    ### BEGIN SOLUTION
    (O, C, K, _), m = kernel.shape, 7  # it costs m·(1/c2 + 1/K²): with m = 9, K = 3 more than full
    U, S, Vh = np.linalg.svd(kernel.swapaxes(0, 1).reshape(C, O, K * K), full_matrices=False)
    return Vh[:, :m], (U * S[:, None])[:, :, :m].swapaxes(0, 1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-7-6-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
kernel = np.random.default_rng(7).standard_normal((32, 6, 3, 3))
filters, mixing = by_rank(kernel)
built = np.einsum("ocm,cmk->ock", mixing, filters).reshape(kernel.shape)
assert filters.shape[1] < 9 and np.linalg.norm(built - kernel) < np.linalg.norm(kernel) / 2

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What we now know
#
# - A separable layer costs `1/c2 + 1/K²` of a full one, whatever the stride and the input channels. It can say less: one filter for each input channel, of which all output channels take multiples.
# - Its backward is the window's index equation solved for the output, without a sum over channels. Where the floor left pixels out, `dx` is exactly 0.
# - Time does not follow the ratio. The depthwise half gets too little arithmetic out of each number it moves, and the full convolution pays for its columns.
#
# **What was measured**, on your machine:

# %%
rows = [
    ("Table 3, million", "462, 52.3 (printed)", f"{full / 1e6:.0f}, {(first + second) / 1e6:.1f}"),
    ("largest gradient error", "about 1e-15", f"{worst:.1e}"),
    *((case, f"{case.fewer:.2f} ×", f"{faster[case]} ×") for case in (*wide, *deep[2:])),
    *((f"Table 3{end}", f"{layer.fewer:.2f} ×", f"{ratio:.2f} ×") for end, ratio in again.items()),
    ("depthwise, of the time", f"{of_macs:.1%}", f"{of_time:.1%}"),
]
print(draw.table(dict(zip(("what", "predicted", "found"), zip(*rows)))))

# %% [markdown]
# **Next question.** Thirteen of these units, one full convolution in front and a classifier behind, are a network that the paper describes in a single table. Does the table add up? That is chapter 8.
