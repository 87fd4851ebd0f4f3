# %% [markdown] slideshow={"slide_type": "slide"}
# # 3 · Backward
#
# After this chapter you can
#
# - derive `dx`, `dweight` and `dbias` of a convolution from one number, with stride, padding, dilation, groups and the floor;
# - say which pixels get no gradient at all, and why;
# - compute the backward pass in three ways, by loops, by `col2im` and as a transposed convolution, and prove them equal;
# - predict what a backward pass costs, and find six errors that people make in it.
#
# **You need** chapters 1 and 2: taps, and `columns`.
# **It takes** about an hour and a half to read with the exercises, under a minute to run on two cores, and downloads nothing.
# **It leaves out** how a gradient check can deceive (chapter 4), and how to make the depthwise backward fast (chapter 7).

# %%
import timeit

import numpy as np

from npnets import MobileNetV1, gradcheck, ops
from npnets.bench.timing import compare, one_thread
from npnets.cost import summarize
from npnets.ops.conv import im2col
from npnets.ops.window import output_size, pad, taps, unpad
from npnets.tutorials import QUICK, cases, draw

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3.1 A matrix that nobody writes down, written down
#
# Six numbers, a window of three, stride 2, no padding. There are two places: one sees pixels 0 to 2, the other pixels 2 to 4. Pixel 5 is left over.
# Each output is a weighted sum of pixels, so `y = M x`, where row `p` of `M` has the weights at the pixels that window `p` sees. To find `M`, send the six unit vectors through the convolution: each gives a column.
#
# Training needs one number to make smaller, a loss `L`. What the rest of the network says about `y` arrives as `dy[p]`, the slope of `L` along `y[p]`. Then
#
# $$ dx[h] = \sum_{p=0}^{P-1} dy[p]\,\frac{\partial y[p]}{\partial x[h]} = \sum_{p=0}^{P-1} dy[p]\; M[p, h], \qquad\text{so}\quad dx = M^T dy. $$
#
# The rest of this chapter does this without ever writing `M` down, and the same for the weights.

# %% slideshow={"slide_type": "fragment"}
weight, dy = np.array([1.0, 2.0, 3.0]), np.array([1.0, 10.0])
M = np.stack([np.correlate(unit, weight, "valid")[::2] for unit in np.eye(6)], axis=1)  # (2, 6)
dx = M.T @ dy
assert M.tolist() == [[1, 2, 3, 0, 0, 0], [0, 0, 1, 2, 3, 0]]
assert dx.tolist() == [1, 2, 3 + 10, 20, 30, 0]

# %% slideshow={"slide_type": "subslide"}
figure, axes = draw.figure(height=2.7, columns=3, width_ratios=(7, 3.2, 1.4))
tint = np.where(M > 0, M / 4, -1)
draw.tinted(axes[0], M, tint, "M, 2 × 6", rows=("p 0", "p 1"), columns="012345")
draw.tinted(axes[1], M.T, tint.T, "M transposed", columns=("p 0", "p 1"))
draw.tinted(axes[2], dx[:, None], np.zeros((6, 1)), "dx")
draw.picture(figure, alt="M: 1 2 3 0 0 0 and 0 0 1 2 3 0; transposed; dx: 1 2 13 20 30 0.")

# %% [markdown]
# *Figure 3.1. `M` for K = 3 and stride 2, with weights 1, 2, 3; dotted squares are zeros. Pixel 2 is seen by both windows, with weight 3 by the first and weight 1 by the second, so with dy = (1, 10) its gradient is 3 · 1 + 1 · 10 = 13. The column of pixel 5 is empty, and `dx[5]` is 0.*

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3.2 Index by index
#
# Now in full. `y` is what chapter 1 said, with a bias:
#
# $$ y[n,o,p,q] = \texttt{bias}[o] + \sum_{c,i,j} \texttt{weight}[o,c,i,j]\; x[n,\,\texttt{first}+c,\,h,\,w], $$
# $$ h = \texttt{stride}\,p + \texttt{dilation}\,i - \texttt{padding}, \qquad w = \texttt{stride}\,q + \texttt{dilation}\,j - \texttt{padding}, $$
#
# where `c` runs from 0 to C / groups − 1, `i` and `j` from 0 to K − 1, terms with `h` or `w` outside of the image are left out, and `first = C / groups · (o // (O / groups))`. With `span = dilation · (K − 1) + 1` there are P · Q places, Q from W as P is from H. Take any numbers `dy` of the shape of `y`, and the scalar
#
# $$ L = \sum_{n=0}^{N-1}\sum_{o=0}^{O-1}\sum_{p=0}^{P-1}\sum_{q=0}^{Q-1} dy[n,o,p,q]\;y[n,o,p,q], \qquad P = \left\lfloor\frac{H + 2\,\texttt{padding} - \texttt{span}}{\texttt{stride}}\right\rfloor + 1. $$
#
# **bias.** `bias[o]` is in every output of filter `o` once, with factor 1. So `dbias[o]` is the sum of `dy[n, o, p, q]` over all `n`, `p`, `q`.
#
# **weight.** `weight[o, c, i, j]` is in every output of filter `o` too, each time with another pixel as its factor:
#
# $$ d\texttt{weight}[o,c,i,j] = \sum_{n}\sum_{p}\sum_{q} dy[n,o,p,q]\; x[n,\,\texttt{first}+c,\,h,\,w]. $$
#
# `p` runs over those places from 0 to P − 1 for which position `i` meets the image, that is 0 ≤ h < H, and `q` likewise.
#
# **x.** A pixel `x[n, k, h, w]`, with channel `k` in group `k // (C / groups)`, is in those outputs whose windows see it. Solve `h` for `p`:
#
# $$ dx[n,k,h,w] = \sum_{o}\sum_{i,j} dy[n,o,p,q]\;\texttt{weight}[o,\,k - \texttt{first},\,i,\,j], $$
# $$ p = \frac{h + \texttt{padding} - \texttt{dilation}\,i}{\texttt{stride}}, \qquad q = \frac{w + \texttt{padding} - \texttt{dilation}\,j}{\texttt{stride}}, $$
#
# over the O / groups filters `o` of that group and those `i`, `j` from 0 to K − 1 for which `p` and `q` are *whole* numbers with 0 ≤ p < P and 0 ≤ q < Q. The stride is in "whole", the floor is in `P`.
#
# Both sums run over the same (n, o, c, i, j, p, q) as the forward pass, in another order. One product `weight · x` of the forward pass gives two of the backward pass: `x` takes `dy · weight`, and `weight` takes `dy · x`. So one set of loops does both, and they are the loops of chapter 1.

# %% slideshow={"slide_type": "fragment"}
def backward_loops(dy, x, weight, stride=1, padding=0, dilation=1, groups=1):
    (N, C, H, W), (O, C_group, K, _) = x.shape, weight.shape
    dx, dweight = np.zeros_like(x), np.zeros_like(weight)
    for n, o, p, q in np.ndindex(dy.shape):
        first = o // (O // groups) * C_group
        for c, i, j in np.ndindex(C_group, K, K):
            h = stride * p + dilation * i - padding
            w = stride * q + dilation * j - padding
            if 0 <= h < H and 0 <= w < W:
                dx[n, first + c, h, w] += dy[n, o, p, q] * weight[o, c, i, j]
                dweight[o, c, i, j] += dy[n, o, p, q] * x[n, first + c, h, w]
    return dx, dweight, dy.sum(axis=(0, 2, 3))


# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3.3 Pixels without a gradient
#
# Divide with a remainder, `H + 2 padding − span = stride · (P − 1) + rest`. The last window ends `rest` rows above the end of the padded image; below it nothing is ever read. Of those rows the lowest `padding` are padding. If `rest` is larger than `padding`, `rest − padding` rows of the *image* are left over: no output depends on them, their gradient is exactly 0, and `dweight` knows nothing of what is in them. Pixels *between* windows can be left out as well. Row `h` is read, away from the borders, where `h + padding` and some `dilation · i` leave the same remainder when divided by the stride; K = 1 at stride 2 has one remainder of two.
#
# With all of `dy` and `weight` 1, `dx` counts how often each pixel is read.

# %% slideshow={"slide_type": "subslide"}
figure, axes = draw.figure(columns=3)
for panel, (K, padding) in zip(axes, ((3, 0), (3, 1), (1, 0))):
    P = output_size(8, K, 2, padding, padding)
    ones = np.ones((1, 1, P, P)), np.zeros((1, 1, 8, 8)), np.ones((1, 1, K, K))
    read = backward_loops(*ones, stride=2, padding=padding)[0][0, 0]
    draw.heat(panel, read, ("column w", "row h"), form=".0f", limits=(0, 6))
    panel.set_title(f"K {K}, padding {padding}: {np.sum(read == 0)} unread")
draw.picture(figure, alt="Counts on 8 × 8. Left: 1, 2, 4, but 0 in row and column 7. Middle: "
             "1, 2, 4, no 0. Right: 1 where row and column are even, else 0.")  # fmt: skip

# %% [markdown]
# *Figure 3.2. How many outputs touch each pixel of an 8 × 8 image at stride 2. Left: windows start at 0, 2, 4 and end at 6, so row 7 and column 7, 15 pixels, are never read. Middle: with padding 1 the idle row is a row of padding, and every pixel has a gradient. Right: a 1 × 1 convolution of stride 2, as in the shortcut of a ResNet, reads every fourth pixel, 16 of 64; 48 get nothing.*
#
# The next cell makes a claim of it. It writes something wild into the last row and column, and looks at what changes.

# %%
rng = np.random.default_rng(0)
x, weight, dy = (rng.standard_normal(s) for s in ((2, 3, 8, 8), (4, 3, 3, 3), (2, 4, 3, 3)))
wild = x.copy()
wild[:, :, 7], wild[:, :, :, 7] = 1e6, -1e6
y, dx, dweight = ops.conv2d(x, weight, stride=2), *ops.conv2d_backward(dy, x, weight, stride=2)
again = ops.conv2d(wild, weight, stride=2), *ops.conv2d_backward(dy, wild, weight, stride=2)
assert not dx[:, :, 7].any() and not dx[:, :, :, 7].any() and dx[:, :, :7, :7].all()
assert cases.alike((y, dx, dweight), again)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3.4 col2im is im2col transposed
#
# Chapter 2 ended with `dcolumns`, a gradient for each entry of the columns, and `im2col` copies pixels into entries. What is the gradient of a copy? The pixel takes part in `L` through each of its copies, so their gradients add up.
#
# More exactly: let `x` be padded already, so that entry (r, s) of the columns, in row `r` and at place `s`, is the copy of one pixel, `h(r, s)`. `im2col` is linear in `x`. As a matrix `A` it has a row for each entry and a column for each pixel, with a single 1 in a row. For any `dcolumns` of the shape of the columns, collect by pixel:
#
# $$ \sum_{r,s} \texttt{dcolumns}[r,s]\,\texttt{im2col}(x)[r,s] = \sum_{r,s} \texttt{dcolumns}[r,s]\; x[h(r,s)] = \sum_h x[h] \underbrace{\sum_{(r,s):\,h(r,s)=h} \texttt{dcolumns}[r,s]}_{\texttt{col2im}(\texttt{dcolumns})[h]}. $$
#
# So `col2im` is the transpose of `A`: each entry goes back to the pixel it came from and is *added* there. It takes the same taps as `im2col`, and walks them the other way. Padding is cut off afterwards. (npnets' `im2col` takes the padded image, and from here on the kernel as (K, K) and (P, Q).)

# %% slideshow={"slide_type": "fragment"}
def col2im(columns, padded_shape, kernel, stride, dilation, out):
    dpadded = np.zeros(padded_shape, columns.dtype)
    columns = columns.reshape(*padded_shape[:2], *kernel, *out)
    for i, j, tap in taps(dpadded, kernel, stride, dilation, out):
        tap += columns[:, :, i, j]  # a view: this adds into dpadded
    return dpadded


row = (1, 3), 1, 1, (1, 3)  # kernel, stride, dilation, out: five pixels in a row
A = im2col(np.eye(5)[:, None, None], *row).reshape(5, 9).T  # five unit images -> (9, 5)
transposed = col2im(np.eye(9).reshape(9, 1, 3, 3), (9, 1, 1, 5), *row).reshape(9, 5).T
assert np.array_equal(transposed, A.T) and np.array_equal(A.sum(axis=1), np.ones(9))

# %% slideshow={"slide_type": "subslide"}
dcolumns = np.arange(1.0, 10).reshape(3, 3)
tints = np.array([[h + p for p in range(3)] for h in range(3)]) / 4
figure, axes = draw.figure(height=2.7, columns=3, width_ratios=(5, 9, 5))
draw.tinted(axes[0], dcolumns, tints, "dcolumns, 3 × 3", rows=("i 0", "i 1", "i 2"))
draw.heat(axes[1], A.T, ("entry (i, p); A transposed, black is 1", "pixel h"))
draw.tinted(axes[2], A.T @ dcolumns.ravel(), np.arange(5) / 4, "col2im(dcolumns)")
draw.picture(figure, alt="dcolumns, 1 to 9; A transposed adds up antidiagonals: 1 6 15 14 9.")

# %% [markdown]
# *Figure 3.3. Five pixels and a window of three, as in Figure 2.1; a colour is a pixel. The numbers 3, 5 and 7, entries 2, 4 and 6 counted from 0, belong to copies of the middle pixel, so it gets 3 + 5 + 7 = 15. The end pixels have one copy each.*
#
# Within one tap no pixel occurs twice, so `tap += …` is safe; overlaps are always between different taps. With the products of chapter 2 this is the second backward.

# %% slideshow={"slide_type": "fragment"}
def backward_im2col(dy, x, weight, stride=1, padding=0, dilation=1, groups=1, col2im=col2im):
    (N, O, P, Q), padded = dy.shape, pad(x, padding)
    window = weight.shape[2:], stride, dilation, (P, Q)
    columns = im2col(padded, *window).reshape(N, groups, -1, P * Q)
    filters = weight.reshape(groups, O // groups, -1)
    per_group = dy.reshape(N, groups, -1, P * Q)
    dweight = (per_group @ columns.swapaxes(2, 3)).sum(axis=0)  # groups, O/groups, C/groups·K·K
    dcolumns = filters.swapaxes(1, 2) @ per_group  # N, groups, C/groups·K·K, P·Q
    dx = unpad(col2im(dcolumns, padded.shape, *window), padding)
    return dx, dweight.reshape(weight.shape), dy.sum(axis=(0, 2, 3))


# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3.5 Backward is a convolution, too
#
# Take the sum for `dx` in one dimension, for the padded image, so that `h` counts from its first pixel. Spread `dy` out with zeros between its numbers, `spread[stride · p] = dy[p]`, and zero elsewhere. Then "p is a whole number in range" needs no words any more, since the others are zero:
#
# $$ dx[h] = \sum_{i=0}^{K-1} \texttt{spread}[h - \texttt{dilation}\,i]\;\texttt{weight}[i]. $$
#
# The index *falls* with `i`. Count from the other end, `i = K − 1 − k`, and write `edge = dilation · (K − 1)`:
#
# $$ dx[h] = \sum_{k=0}^{K-1} \texttt{spread}[h - \texttt{edge} + \texttt{dilation}\,k]\;\texttt{weight}[K-1-k]. $$
#
# A convolution of chapter 1, with stride 1, the same dilation, padding `edge`, and the kernel turned around. `h` runs from 0 to H + 2 padding − 1, and `spread` ends at stride · (P − 1): by section 3.3 that leaves `edge + rest` zeros behind it, where `edge` are in front. The extra `rest` is what the floor threw away; frameworks call it the *output padding*. In channels, input and output change places within each group. This is the **transposed convolution**.

# %% slideshow={"slide_type": "fragment"}
def dx_transposed(dy, x, weight, stride=1, padding=0, dilation=1, groups=1):
    (N, O, P, Q), (_, C_group, K, _) = dy.shape, weight.shape
    edge = dilation * (K - 1)
    H, W = (size + 2 * padding + edge for size in x.shape[2:])  # dx of the padded image, + edge
    spread = np.zeros((N, O, H, W), dy.dtype)
    rows, columns = (slice(edge, edge + stride * (n - 1) + 1, stride) for n in (P, Q))
    spread[:, :, rows, columns] = dy
    turned = weight.reshape(groups, O // groups, C_group, K, K)[..., ::-1, ::-1].swapaxes(1, 2)
    filters = turned.reshape(-1, O // groups, K, K)  # C, O/groups, K, K
    return unpad(ops.conv2d(spread, filters, dilation=dilation, groups=groups), padding)


spread = np.array([0, 0, 1, 0, 10, 0, 0, 0.0])  # edge zeros, dy with zeros between, edge + rest
assert np.correlate(spread, [3, 2, 1], "valid").tolist() == [1, 2, 13, 20, 30, 0]

# %% slideshow={"slide_type": "subslide"}
figure, axes = draw.figure(height=2, rows=2, columns=2, width_ratios=(8, 3))
for h, panels in zip((2, 5), axes):
    title = f"dx[{h}] = {np.dot(spread[h : h + 3], [3, 2, 1]):g}"
    draw.tinted(panels[0], spread, np.where(spread > 0, 0.3, -1), title)
    draw.outline(panels[0], row=0, column=h, columns=3)
    draw.tinted(panels[1], [3, 2, 1], np.zeros(3), "the kernel, turned")
draw.picture(figure, alt="0 0 1 0 10 0 0 0; kernel 3 2 1 framed over 1 0 10, then over 0 0 0.")

# %% [markdown]
# *Figure 3.4. Figure 3.1 once more, as a convolution. `spread` is 1 and 10 with one zero between, 2 zeros in front and 2 + 1 behind; the last of them is `rest`. `dx[2]` = 3 · 1 + 2 · 0 + 1 · 10 = 13. The last window sees only zeros: `dx[5]` = 0.*
#
# > **Paper and code.** Many papers call this "deconvolution"; it undoes nothing. Frameworks disagree on who says the size: with K 3 and stride 2, images of 5 *and* of 6 pixels give 2 outputs, so the way back is ambiguous. PyTorch's `conv_transpose2d` asks for `output_padding`, TensorFlow's `conv2d_transpose` for the whole `output_shape`. Our function looks at `x`. The next cell has both sizes.
#
# **dweight is a convolution as well.** In one dimension, on the padded row,
#
# $$ \texttt{dweight}[i] = \sum_{p=0}^{P-1} dy[p]\; x[\,\texttt{stride}\,p + \texttt{dilation}\,i\,], \qquad i = 0 \ldots K-1. $$
#
# Read `dy` as the kernel and `i` as the place. It is a kernel of P × Q *dilated by stride*, which slides over the padded `x` in *steps of dilation*; images take the place of channels. Where the floor left a rest, there is room for `rest // dilation` places more than K: those are cut off.

# %% slideshow={"slide_type": "fragment"}
def dweight_conv(dy, x, weight, stride=1, padding=0, dilation=1, groups=1):
    (N, C, H, W), K = x.shape, weight.shape[2]
    images = x.reshape(N, groups, -1, H, W).transpose(2, 1, 0, 3, 4)  # C/groups, groups, N, H, W
    images = images.reshape(C // groups, groups * N, H, W)
    exchanged = {"stride": dilation, "dilation": stride, "padding": padding, "groups": groups}
    return ops.conv2d(images, dy.swapaxes(0, 1), **exchanged)[..., :K, :K].swapaxes(0, 1)


def backward_transposed(dy, x, w, **o):
    return dx_transposed(dy, x, w, **o), dweight_conv(dy, x, w, **o), dy.sum(axis=(0, 2, 3))


for H in (5, 6):  # both give 2 outputs
    x, ones = np.zeros((1, 1, H, H)), np.ones((1, 1, 3, 3))
    dx = dx_transposed(ones[..., :2, :2], x, ones, stride=2)
    assert output_size(H, 3, 2) == 2 and dx.shape == x.shape and dx[..., 5:].sum() == 0

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3.6 Three ways, one answer
#
# Forty random cases: not square, stride, dilation and groups up to 3, padding up to 2. Each way must give what npnets gives, in all three gradients.

# %%
def npnets_backward(dy, x, weight, **options):
    return *ops.conv2d_backward(dy, x, weight, **options), ops.bias_backward(dy)


rng = np.random.default_rng(1)
forty = cases.with_upstream(rng, [cases.convolution(rng) for _ in range(40)])
errors = []
for way in (backward_loops, backward_im2col, backward_transposed):
    for *arrays, options in forty:
        pairs = zip(way(*arrays, **options), npnets_backward(*arrays, **options))
        errors += [abs(ours - theirs).max() / abs(theirs).max() for ours, theirs in pairs]
print(len(forty), "cases, three ways, three gradients: largest relative difference", max(errors))
assert len(errors) == 360 and max(errors) < 1e-12  # sums of some hundred numbers, 1e-16 each

# %% [markdown]
# That they agree might mean that one mistake was made four times. A gradient check asks the forward pass. `y` is linear in `x`, in `weight` and in `bias`, each alone, so a difference quotient has no error from curvature and may take a step of 1; there is no ReLU, so kinks do not occur, and are counted nevertheless. What remains is rounding: about 1e-15 is expected, 1e-12 is demanded.
#
# The second witness needs no step. `L` is linear in each argument, so three sums must be one number. The bias is left out of them.

# %%
rng = np.random.default_rng(2)
reports, gaps = [], []
for dy, x, weight, options in forty:
    arrays = {"x": x, "weight": weight, "bias": rng.standard_normal(len(weight))}
    reports.append(gradcheck.check(
        lambda x, weight, bias: ops.conv2d(x, weight, bias, **options),
        lambda dy, x, weight, bias: backward_im2col(dy, x, weight, **options),
        arrays, step=1, coordinates=20, rng=rng))  # fmt: skip
    dx, dweight, _ = backward_transposed(dy, x, weight, **options)
    L = np.sum(dy * ops.conv2d(x, weight, **options))
    gaps += abs(L - np.sum(dx * x)), abs(L - np.sum(dweight * weight))
worst, kinks = max(r.max_relative_error for r in reports), sum(r.kinks for r in reports)
print(f"worst relative error {worst:.1e}, kinks {kinks}; largest gap of the sums {max(gaps):.1e}")
assert kinks == 0 and all(report.ok for report in reports) and worst < 1e-12 and max(gaps) < 1e-11

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3.7 Six errors, and what they survive
#
# Each of these has been in somebody's code.

# %%
def overwrite(columns, shape, *window):
    index = im2col(np.arange(np.prod(shape)).reshape(shape), *window)  # where entries came from
    dpadded = np.zeros(np.prod(shape))
    dpadded[index] = columns.reshape(index.shape)
    return dpadded.reshape(shape)


def rest_on_top(dy, x, w, stride, padding, dilation, groups):
    rest = (x.shape[2] + 2 * padding - dilation * (w.shape[2] - 1) - 1) % stride
    return np.roll(dx_transposed(dy, x, w, stride, padding, dilation, groups), rest, axis=2)


def bug(k, gradient):  # replaces gradient k of dx, dweight, dbias
    def backward(*arrays, **options):
        right = npnets_backward(*arrays, **options)
        return *right[:k], gradient(*arrays, **options), *right[k + 1 :]

    return backward


wrong = {
    "overlap overwritten": bug(0, lambda *a, **o: backward_im2col(*a, **o, col2im=overwrite)[0]),
    "kernel unturned": bug(0, lambda dy, x, w, **o: dx_transposed(dy, x, w[..., ::-1, ::-1], **o)),
    "stride's zeros forgotten": bug(0, lambda *a, **o: dx_transposed(*a, **o | {"stride": 1})),
    "floor above, not below": bug(0, rest_on_top),
    "batch sums": bug(1, lambda dy, x, w, **o: dweight_conv(sum(dy)[None], sum(x)[None], w, **o)),
    "bias missing": bug(2, lambda dy, *a, **o: np.zeros(dy.shape[1])),
}


# %%
rng = np.random.default_rng(3)
fixed = {"K 1": {"K": 1}, "stride 1": {"stride": 1}, "one image": {"N": 1},
         "tiled": {"stride": 3, "K": 3, "dilation": 1}}  # fmt: skip
tests = {name: [cases.convolution(rng, **f) for _ in range(10)] for name, f in fixed.items()}
tests = {name: cases.with_upstream(rng, test) for name, test in tests.items()}
tests["dy of mean 0"] = [(dy - dy.mean((0, 2, 3), keepdims=True), *rest) for dy, *rest in forty]
tests["weights 1"] = [(dy, x, weight**0, options) for dy, x, weight, options in forty]
found = cases.convictions(wrong, tests | {"40 cases": forty}, npnets_backward)
print(draw.table({"convicted by": wrong, **found}))
assert min(found["40 cases"]) > 0 and all(0 in row for row in zip(*found.values()))

# %% [markdown]
# Read along the rows; a zero is a survivor.
#
# - **Overlap overwritten** survives where there are none: K = 1, and stride 3 with K 3, where windows tile the image.
# - **Kernel unturned** survives K = 1, and weights that are all 1.
# - **Stride's zeros forgotten** survives stride 1, and so do errors of the **floor**, since at stride 1 there is no rest.
# - **Batch sums**, `dy` and `x` each summed over the batch and then multiplied, survive a batch of one image. One image is also the test that is written fastest.
# - **Bias missing** survives a `dy` whose mean is 0 in each channel. This is not far-fetched: a batch norm after the convolution sends back exactly such a `dy`, as chapter 5 shows, and a bias in front of it never learns.
#
# The forty cases convict all six.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 3.8 What it costs
#
# Each product of the forward pass became two, so backward has **twice** the multiply-adds of forward, and a training step three times. One exception: the first layer has no use for the gradient of the image, and may leave out `dx`.
# To count by code, let the loops run on ones without padding: each product then adds 1 to a sum.

# %%
ones = np.ones((2, 6, 3, 4)), np.ones((2, 4, 7, 9)), np.ones((6, 2, 3, 3))
forward_macs = ops.conv2d(*ones[1:], stride=2, groups=2).sum()
dx, dweight, _ = backward_loops(*ones, stride=2, groups=2)
assert forward_macs == dx.sum() == dweight.sum() == 2 * 6 * 3 * 4 * 2 * 9
net = summarize(MobileNetV1(rng=0), (3, 224, 224))
assert round(net.macs / 1e6) == 569 and 2.98 < 3 - net.rows[0].macs / net.macs < 2.99

# %% [markdown]
# The 569 million are those of the paper (arXiv:1704.04861, Table 4); with the `dx` of its first layer left out, a training step of MobileNet v1 has 2.98 times as many.
#
# The three ways do not cost the same. The transposed convolution multiplies the zeros that it has put in: it runs over all H · W pixels, padding too, where forward has P · Q places, so `dx` alone has about `stride²` times the multiply-adds of forward.
# **Predictions.** Over forward, backward takes 2, in npnets as by im2col. The transposed way takes 1 for `dx` at stride 1 and 4 at stride 2, and 1 for `dweight`. The loops take thousands of times as long for a multiply-add as im2col; they run on a tiny layer. All on one thread.

# %%
ratios, weight = {}, np.ones((32, 32, 3, 3), np.float32)
x = np.random.default_rng(4).standard_normal((2, 32, 32, 32), np.float32)
for stride in (1, 2):
    y, o = ops.conv2d(x, weight, None, stride, 1), {"stride": stride, "padding": 1}
    tiny = y[:1, :2, :4, :4], x[:1, :2, : 4 * stride, : 4 * stride], weight[:2, :2]
    runs = {
        "forward": lambda: ops.conv2d(x, weight, **o),
        "npnets": lambda: ops.conv2d_backward(y, x, weight, **o),
        "im2col": lambda: backward_im2col(y, x, weight, **o),
        "dx": lambda: dx_transposed(y, x, weight, **o),
        "dweight": lambda: dweight_conv(y, x, weight, **o),
        "loops": lambda: backward_loops(*tiny, **o),
    }
    with one_thread():
        times = compare(runs, seconds=0.2 if QUICK else 3)
    print(f"stride {stride}\n{times}")
    for name, number in ("npnets", 2), ("im2col", 2), ("dx", stride**2), ("dweight", 1):
        ratios[stride, name] = times.ratio(name)
        print(f"{name} / forward: predicted {number}, measured {ratios[stride, name]}")
per_mac = times.ratio("loops", "im2col").median * (y.size * 32) / (tiny[0].size * 2)  # · channels
assert per_mac > 50 and all(QUICK or 0.2 < r.median < 50 for r in ratios.values())

# %% [markdown]
# A second benchmark, differently written: another layer, a plain clock, the best of many runs instead of a median, no turns.

# %%
x, weight = x[:1].copy(), weight[:24].copy()  # one image, 32 to 24 channels
with one_thread():
    y, once = ops.conv2d(x, weight), {"number": 1, "repeat": 20 if QUICK else 200}
    passes = lambda: ops.conv2d(x, weight), lambda: ops.conv2d_backward(y, x, weight)
    forward_seconds, backward_seconds = (min(timeit.repeat(run, **once)) for run in passes)
second = round(backward_seconds / forward_seconds, 2)
print("predicted 2, found", second)
assert 0.3 < second < 30

# %% [markdown]
# Read your own numbers.
#
# - **Backward** came close to 2 where we measured in turns, and to between 2 and 3 in the second benchmark. What is not counted, the columns, is made once in forward and about twice in backward. On a layer whose columns do not fit into the cache expect more, since `dcolumns` is then written to memory and read again by `col2im`, without a multiply-add.
# - **`dx` transposed** is an ordinary convolution, so it costs what its multiply-adds say, those with zeros included. At stride 2 three quarters of them are wasted.
# - **`dweight` as a convolution** has as many multiply-adds as forward and took longer than one where we measured. This prediction failed. The kernel is as large as the output, and there are only K · K = 9 places: a product with 9 columns, once for each of 32 channels. It is worth knowing, and no way to compute.
# - **The loops** are out of the race by a factor of thousands. They are the only ones that can be read beside the derivation, and they stay as the witness.

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# Write into the cells that say so; the cell below each one tests it.
#
# ### Exercise 3.1 (warm-up, 1 point)
# By hand: weight (1, −1), seven pixels, stride 3, no padding, dy = (5, 7). Write down `dx`. Its zeros are the pixels that no window reads.
#
# <details><summary>Hint</summary>Two windows of two pixels, at 0 and at 3. Spread dy · weight out from each start.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-3-1", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
by_hand = []
### BEGIN SOLUTION
by_hand = [5, -5, 0, 7, -7, 0, 0]
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "ex-3-1-test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
dy, x, weight = np.array([[[[5.0, 7]]]]), np.zeros((1, 1, 1, 7)), np.array([[[[1.0, -1]]]])
assert np.array_equal(by_hand, ops.conv2d_backward(dy, x, weight, stride=3)[0][0, 0, 0])

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 3.2 (derivation, 2 points)
# How many rows of the image lie below the last window, and get no gradient for that reason? Derive it from the remainder of section 3.3, dilation included.
#
# <details><summary>Hint</summary>rest rows of the padded image lie below the last window. How many of them are padding? And a count of rows is never negative.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-3-2", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def rows_left_over(H, K, stride, padding, dilation):
    ### BEGIN SOLUTION
    # H + 2·padding − span = stride·(P − 1) + rest; the lowest `padding` of the rest are padding.
    return max(0, (H + 2 * padding - dilation * (K - 1) - 1) % stride - padding)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-3-2-test", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
for H, K, *window in (8, 3, 2, 0, 1), (8, 3, 2, 1, 1), (9, 3, 4, 0, 1), (12, 3, 5, 1, 2):
    x, weight = np.zeros((1, 1, H, H)), np.ones((1, 1, K, K))
    dx, _ = ops.conv2d_backward(ops.conv2d(x, weight, None, *window) + 1, x, weight, *window)
    assert rows_left_over(H, K, *window) == H - 1 - np.nonzero(dx)[2].max(), (H, K, *window)

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 3.3 (code, 3 points)
# Depthwise: channel `c` has one filter of its own, `weight` is (C, 1, K, K), `y` has C channels. Write its backward with taps, without im2col and without loops over pixels. Stride is asked, padding and dilation are not.
#
# <details><summary>Hint</summary>Which pixels does weight[c, 0, i, j] meet? They are one tap of x. The same tap of dx is where it sends dy to. taps takes any array of the image's shape, and zip walks two of them together.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-3-3", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def depthwise_backward(dy, x, weight, stride):
    ### BEGIN SOLUTION
    dx, dweight = np.zeros_like(x), np.zeros_like(weight)
    window = weight.shape[2:], stride, 1, dy.shape[2:]
    for (i, j, tap), (_, _, dtap) in zip(taps(x, *window), taps(dx, *window)):
        dtap += weight[:, 0, i, j, None, None] * dy
        dweight[:, 0, i, j] = (dy * tap).sum(axis=(0, 2, 3))
    return dx, dweight
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-3-3-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
rng = np.random.default_rng(6)
x, weight = rng.standard_normal((2, 3, 8, 9)), rng.standard_normal((3, 1, 3, 3))
for stride in (1, 2, 3):
    dy = ops.conv2d(x, weight, stride=stride, groups=3) ** 3  # any numbers of this shape
    truth = ops.conv2d_backward(dy, x, weight, stride=stride, groups=3)
    assert cases.alike(depthwise_backward(dy, x, weight, stride), truth)

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 3.4 (measurement, 3 points)
# The first layer needs no `dx`. Predict which share of the time of `backward_im2col` remains if `dx` is left out, then measure it on one thread. Return both shares.
#
# <details><summary>Hint</summary>Count the multiply-adds of each of the two gradients, as in section 3.8. Then ask what each of them needs beside its product: which one needs im2col, which one col2im?</details>

# %% nbgrader={"grade": false, "grade_id": "ex-3-4", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def share_without_dx(dy, x, weight):
    ### BEGIN SOLUTION
    def only_weight():
        columns = im2col(x, weight.shape[2:], 1, 1, dy.shape[2:])
        return (dy.reshape(*dy.shape[:2], -1) @ columns.swapaxes(1, 2)).sum(axis=0)

    runs = {"both": lambda: backward_im2col(dy, x, weight), "dweight": only_weight}
    with one_thread():
        return 0.5, compare(runs, seconds=0.3).ratio("dweight").median
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-3-4-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
shapes = (2, 32, 46, 46), (2, 16, 48, 48), (32, 16, 3, 3)
half, remains = share_without_dx(*(np.ones(shape, np.float32) for shape in shapes))
assert half == 0.5 and 0.05 < remains < 1.5, remains

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 3.5 (bug hunt, 2 points)
# A colleague writes col2im for a row with an array of indices: `dx[index] += dcolumns`, where `index[i, p]` is `stride * p + i`. For K = 3 it is right only from some stride on. Return that stride, and the NumPy function `f` for which `f(dx, index, dcolumns)` is right at any stride.
#
# <details><summary>Hint</summary>dx[index] += dcolumns reads dx[index], adds, and writes back. What if index holds a pixel twice? NumPy's ufuncs have a method for this.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-3-5", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
smallest_stride, repair = None, None
### BEGIN SOLUTION
smallest_stride, repair = 3, np.add.at  # each pixel once; below that the last write wins
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "ex-3-5-test", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
for stride in (1, 2, 3, 4):
    index = stride * np.arange(3) + np.arange(3)[:, None]  # (K, P)
    theirs, repaired = np.zeros((2, 12))
    theirs[index] += 1
    repair(repaired, index, 1)
    assert repaired.sum() == 9 and (stride >= smallest_stride) == np.array_equal(theirs, repaired)

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 3.6 (open, 3 points)
# A transposed convolution also serves to *enlarge* images. With some kernels its result has a checkerboard, as neighbouring pixels are touched by different numbers of outputs (Figure 3.2). Choose `K` and `padding` for stride 2 so that an image becomes exactly twice as large, each inner pixel is touched equally often, and more than once.
#
# <details><summary>Hint</summary>In a row, a pixel is touched by K / stride windows on average. When is it the same number for each? Then choose padding so that 2 P pixels give P outputs.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-3-6", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
chosen = {"K": None, "padding": None}
### BEGIN SOLUTION
chosen = {"K": 4, "padding": 1}  # or K 6 and padding 2: K a multiple of the stride
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "ex-3-6-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
K, padding = chosen["K"], chosen["padding"]
assert output_size(20, K, 2, padding, padding) == 10
### BEGIN HIDDEN TESTS
arrays = np.ones((1, 1, 10, 10)), np.zeros((1, 1, 20, 20)), np.ones((1, 1, K, K))
inner = ops.conv2d_backward(*arrays, stride=2, padding=padding)[0][0, 0, K:-K, K:-K]
assert inner.min() == inner.max() > 1
### END HIDDEN TESTS

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What we now know
#
# - A convolution is a matrix `M`, and its backward is the transpose. Each product `weight · x` gives `dy · weight` to `x` and `dy · x` to `weight`; `dbias` is the sum of `dy`.
# - `col2im` is the transpose of `im2col`. As a convolution, `dx` has zeros between the numbers of `dy` and a kernel turned around; the floor returns as `rest` zeros behind. Pixels that no window reads have gradient 0.
# - Errors survive where a dimension is trivial: K = 1, stride 1, one image, equal weights, a `dy` of mean 0. Forty random cases have none of these throughout.
#
# **What was measured**, on your machine:

# %%
print(draw.table({
    "what": ["gradient", "backward / forward", "again", "dx, stride 2", "loops / im2col"],
    "predicted": ["1e-15", "2", "2", "4", "thousands"],
    "found": [f"{worst:.0e}", ratios[1, "npnets"], second, ratios[2, "dx"], f"{per_mac:,.0f}"],
}))  # fmt: skip

# %% [markdown]
# **Next question.** We trusted a gradient check with a step of 1, since everything here was linear. Most layers are not. How small must a step be, how small may it be, and which errors pass all the same? That is chapter 4.
