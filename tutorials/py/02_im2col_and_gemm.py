# %% [markdown] slideshow={"slide_type": "slide"}
# # 2 · im2col and one matrix product
#
# After this chapter you can
#
# - write a convolution as one matrix product, with groups, stride, padding and dilation;
# - say how much memory that costs, before it is allocated, and when it costs nothing;
# - derive both gradients of the product from a scalar, and say which errors a gradient check cannot see;
# - climb from Python loops to the speed of a matrix library, and recognise the rungs that are none.
#
# **You need** chapter 1, above all its *taps*.
# **It takes** about an hour and a half to read with the exercises, under a minute to run on two cores, and downloads nothing.
# **It leaves out** how the gradient gets from the columns back to the image: that is `col2im`, in chapter 3.

# %%
import numba
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from npnets import MobileNetV1, gradcheck, ladder, ops
from npnets.bench.timing import compare, one_thread
from npnets.cost import summarize
from npnets.ops.window import output_shape, pad, taps
from npnets.tutorials import QUICK, cases, draw

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2.1 The three places side by side
#
# Chapter 1 began with five numbers and a window of three. Write down what the window sees at each place, as a column, and put the columns side by side:
#
# $$ \texttt{columns}[i, p] = x[p + i], \qquad i = 0 \ldots K-1,\quad p = 0 \ldots P-1. $$
#
# Then the sum over `i` is a row times a matrix, `y = weight @ columns`. Sliding has become copying.

# %% slideshow={"slide_type": "fragment"}
x, weight = np.array([1.0, 3.0, 2.0, 5.0, 4.0]), np.array([-1.0, 0.0, 1.0])
columns = np.stack([x[p : p + 3] for p in range(3)], axis=1)  # (K, P)
y = weight @ columns
assert y.tolist() == [1, 2, 2]

# %% slideshow={"slide_type": "subslide"}
tint = np.arange(5) / 4  # a colour for each pixel, which is copied as the pixel is
tints = np.stack([tint[p : p + 3] for p in range(3)], axis=1)
figure, axes = draw.figure(height=1.9, columns=4, width_ratios=(5, 3, 4, 3))
draw.tinted(axes[0], x[None], tint[None], "x, 5")
draw.tinted(axes[1], weight[None], np.zeros((1, 3)), "weight, 1 × 3")
draw.tinted(axes[2], columns, tints, "columns, 3 × 3", rows=("i 0", "i 1", "i 2"))
draw.tinted(axes[3], y[None], np.zeros((1, 3)), "y, 1 × 3")
draw.picture(figure, alt="x is 1 3 2 5 4, a colour each; weight -1 0 1; the rows of columns are "
             "1 3 2, 3 2 5 and 2 5 4, each number in its colour; y is 1 2 2.")  # fmt: skip

# %% [markdown]
# *Figure 2.1. Each pixel keeps its colour. The 2 in the middle is seen by all three windows, so it occurs three times, on a diagonal that runs up to the right; the 1 and the 4 at the ends occur once. Row 0 times −1 plus row 2 is `y`: 2 − 1, 5 − 3, 4 − 2.*
#
# Five numbers became nine. That is the price, and section 2.4 counts it.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2.2 An image becomes a matrix
#
# In two dimensions a window has `K · K` positions in each of `C` channels, and `P · Q` places. Rows are numbered by `(c, i, j)`, columns by `(p, q)`, the last index running fastest:
#
# $$ \texttt{columns}[n,\ (c K + i) K + j,\ p\,Q + q] = x[n,\ c,\ \texttt{stride}\,p + \texttt{dilation}\,i - \texttt{padding},\ \texttt{stride}\,q + \texttt{dilation}\,j - \texttt{padding}\,] $$
#
# and zero where that pixel lies outside of the image. Here `c` runs to `C` − 1, `i` and `j` to `K` − 1, `p` to `P` − 1 and `q` to `Q` − 1, with the floor of chapter 1 in `P` and `Q`.
# A row of this matrix is an old acquaintance: it is the tap `(i, j)` of channel `c`, laid flat. So the matrix is made by `K · K` copies.
#
# The order of the rows is not free. `weight` is (O, C, K, K), and `weight.reshape(O, C * K * K)` numbers its columns by `(c, i, j)`. The two must agree, as the product adds up over both.

# %% slideshow={"slide_type": "fragment"}
def im2col(x, K, stride=1, padding=0, dilation=1):
    N, C, H, W = x.shape
    P, Q = output_shape(x, (K, K), stride, padding, dilation)  # chapter 1
    columns = np.empty((N, C, K, K, P, Q), x.dtype)
    for i, j, tap in taps(pad(x, padding), (K, K), stride, dilation, (P, Q)):
        columns[:, :, i, j] = tap  # (N, C, P, Q)
    return columns.reshape(N, C * K * K, P * Q)


x = np.array([[1, 2, 0, 1], [0, 1, 3, 1], [2, 1, 0, 2], [1, 0, 1, 1]], float)[None, None]
weight = np.array([[1, 0, 0], [0, 2, 0], [0, 0, -1]], float)[None, None]
y = weight.reshape(1, 9) @ im2col(x, K=3)  # (1, 1, 4): 2 × 2 places
assert y.tolist() == [[[3, 6, 1, 0]]]  # what section 1.3 found

# %% slideshow={"slide_type": "subslide"}
tint = np.arange(16).reshape(x.shape) / 15
figure, axes = draw.figure(height=4, columns=3, width_ratios=(4, 4, 5))
draw.tinted(axes[0], x[0, 0], tint[0, 0], "x, 4 × 4")
places = "0, 0", "0, 1", "1, 0", "1, 1"
names = [f"i {i}, j {j}" for i, j in np.ndindex(3, 3)]
for panel, stride, padding in zip(axes[1:], (1, 2), (0, 1)):
    columns = im2col(x, 3, stride, padding)[0]
    colours = im2col(tint + 1, 3, stride, padding)[0] - 1  # below 0 is padding
    draw.tinted(panel, columns, colours, f"stride {stride}, padding {padding}", "g", names, places)
draw.picture(figure, alt="x, darker downwards. Stride 1: first column 1 2 0 0 1 3 2 1 0, "
             "last 1 3 1 1 0 2 0 1 1. Stride 2: 5, 3, 3 and 0 zeros of padding.")  # fmt: skip

# %% [markdown]
# *Figure 2.2. Each of the 16 pixels has a colour, from light (upper left) to dark (lower right). Middle: `columns` at stride 1, the four windows of chapter 1; the upper right window, (p, q) = (0, 1), is 2 0 1, 1 3 1, 1 0 2 from top to bottom. Right: `columns` at stride 2 with padding 1; dotted squares are zeros of the padding. The last column sees rows and columns 1 to 3 of the image and no padding: the lower padding is idle on an even size.*
#
# **Groups.** Filter `o` of group `g` sees only channels `g · C / groups` and those after it. Since `c` is the slowest index of the rows, the rows of a group lie together. The big weight matrix would have zeros everywhere but in `groups` blocks on its diagonal; we multiply the blocks alone. The block of a group is (O / groups) × (C / groups · K · K), and its part of the columns is (C / groups · K · K) × (P · Q).

# %% slideshow={"slide_type": "subslide"}
def conv2d_im2col(x, weight, stride=1, padding=0, dilation=1, groups=1, im2col=im2col):
    (O, _, K, _), N, window = weight.shape, len(x), (stride, padding, dilation)
    P, Q = output_shape(x, (K, K), *window)
    blocks = im2col(x, K, *window).reshape(N, groups, -1, P * Q)  # N groups C/groups·K·K P·Q
    filters = weight.reshape(groups, O // groups, -1)  # groups O/groups C/groups·K·K
    return (filters @ blocks).reshape(N, O, P, Q)


rng = np.random.default_rng(0)
x, weight = rng.standard_normal((2, 6, 7, 8)), rng.standard_normal((9, 2, 3, 3))
full = np.zeros((9, 3, 2, 3, 3))  # groups = 3, written out with its zeros: o, group, c, i, j
full[range(9), np.arange(9) // 3] = weight
assert np.allclose(conv2d_im2col(x, weight, groups=3), conv2d_im2col(x, full.reshape(9, 6, 3, 3)))
figure, axes = draw.figure(height=1.7, subplot_kw={"yticks": range(9)})
draw.heat(axes, full.reshape(9, 54) != 0, ("row (c, i, j) of the columns", "filter o"))
draw.picture(figure, alt="9 × 54: black in rows 0–2, columns 0–17; 3–5, 18–35; and 6–8, 36–53.")

# %% [markdown]
# *Figure 2.3. Three groups: 9 filters, 6 channels, K = 3. Black is a weight, white a zero that is never multiplied. Each block is 3 filters high and 2 · 9 = 18 wide; 9 · 18 of 9 · 54 entries are left, a third.*

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2.3 A view costs nothing, until it is copied
#
# All columns are numbers of `x`, at regular distances. So NumPy can describe them without a copy. `sliding_window_view` gives an array of six axes over the *same* memory, in which moving one place to the right and moving one position within the window are both steps of one pixel.
# Such an array cannot be laid flat as a matrix, since no single step leads from each place to the next. `reshape` then copies, and does not tell.
#
# How much is copied? `cases.allocated` asks Python's `tracemalloc`, to which NumPy reports what it allocates.

# %% slideshow={"slide_type": "fragment"}
def windows(x, K, stride=1, padding=0, dilation=1):
    span = dilation * (K - 1) + 1
    view = sliding_window_view(pad(x, padding), (span, span), axis=(2, 3))
    view = view[:, :, ::stride, ::stride, ::dilation, ::dilation]  # N C P Q K K
    return view.transpose(0, 1, 4, 5, 2, 3)  # N C K K P Q


def im2col_view(x, K, *window):
    return windows(x, K, *window).reshape(len(x), x.shape[1] * K * K, -1)  # here it is copied


x = np.zeros((1, 16, 58, 58), np.float32)
view, bytes_view = cases.allocated(lambda: windows(x, 3))
columns, bytes_columns = cases.allocated(lambda: im2col_view(x, 3))
print(f"view: steps {view.strides}, says {view.nbytes:,} bytes, allocated {bytes_view:,}")
assert np.shares_memory(view, x) and not np.shares_memory(columns, x)
assert bytes_view < 50_000 < columns.nbytes == view.nbytes <= bytes_columns < 1.1 * view.nbytes

# %% [markdown]
# The view *says* that it holds nine times as much as it does. `nbytes` is the product of a shape and the size of a number, and no promise that so many bytes exist.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2.4 The price
#
# The columns have `C · K · K · P · Q` numbers for each image, and the image has `C · H · W`. The channels cancel:
#
# $$ \frac{\texttt{columns}}{x} = \frac{K^2\, P\, Q}{H\, W} \;\approx\; \frac{K^2}{\texttt{stride}^2}, $$
#
# as `P` is about `H / stride` where the padding keeps the size. Groups change nothing: the rows are dealt out, not multiplied. With this we can ask layers of known networks for their price, and let the view of section 2.3, which allocates nothing but the padded image, count it.

# %%
layers = {  # C, size, K, stride, padding
    "MobileNet v1, first": (3, 224, 3, 2, 1), "MobileNet v1, last 1 × 1": (1024, 7, 1, 1, 0),
    "VGG, second": (64, 224, 3, 1, 1), "VGG, fifth block": (512, 14, 3, 1, 1),
}  # fmt: skip
megabytes = []
for C, size, K, stride, padding in layers.values():
    x = np.zeros((1, C, size, size), np.float32)
    columns = windows(x, K, stride, padding).nbytes
    megabytes.append(columns / 1e6)
    assert columns / x.nbytes == K**2 / stride**2

# %% slideshow={"slide_type": "subslide"}
figure, axes = draw.figure(height=2.3)
draw.bars(axes, list(layers), megabytes, form=".4g", horizontal=True)
axes.set(xscale="log", xlabel="columns of one image (MB)", ylabel="layer", xlim=(0.1, 600))
draw.picture(figure, alt="Bars: MobileNet's layers 1.355 and 0.2007 MB, VGG's 115.6 and 3.613.")

# %% [markdown]
# *Figure 2.4. Megabytes of columns for one image, float32. VGG's second layer: 64 · 9 · 224 · 224 numbers of 4 bytes are 115.6 MB, for an image of 12.8 MB. (Sizes: MobileNets, arXiv:1704.04861, Table 1; VGG with 16 layers, arXiv:1409.1556, Table 1.)*
#
# **Why a 1 × 1 convolution needs no im2col.** With `K` = 1, stride 1 and no padding, tap (0, 0) is the image itself. `x.reshape(N, C, H * W)` *is* the matrix of columns, and it is a view. With stride 2 a quarter of the pixels must be gathered first, and the formula says so: 1/4.
#
# > **Paper and code.** The MobileNet paper makes this its case for speed (arXiv:1704.04861, section 3.2): 1 × 1 convolutions go to a matrix product without a reordering in memory, and 95 % of the network's computation *time* are said to be there.
# > Its Table 2 says what was counted: 94.86 % of the *multiply-adds*. The count below agrees with that. Whether time follows is chapter 15's question.

# %%
x = np.random.default_rng(1).standard_normal((2, 8, 5, 6))
matrix = x.reshape(2, 8, 30)
assert np.shares_memory(matrix, x) and np.array_equal(matrix, im2col(x, K=1))
net = summarize(MobileNetV1(rng=0), (3, 224, 224))
assert round(100 * net.of_kind("pointwise").macs / net.macs, 2) == 94.86

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2.5 Is it right?
#
# Forty random cases, not square, with stride, dilation and groups up to 3 and padding up to 2. Both ways to lay out the columns must give what npnets gives. Then errors are planted. (`cases` holds what chapter 1 wrote out: random convolutions, and a count of how many convict an error.) Beside the forty cases stand four tests that look reasonable; each leaves something trivial.

# %%
rng = np.random.default_rng(2)
forty = [cases.convolution(rng) for _ in range(40)]
errors = [abs(conv2d_im2col(x, w, im2col=way, **o) - ops.conv2d(x, w, **o)).max()
          for way in (im2col, im2col_view) for x, w, o in forty]  # fmt: skip
print(len(forty), "random cases, two ways; largest difference to npnets", max(errors))
assert max(errors) < 1e-13  # sums of at most 27 products of size 1: a few units of 1e-16 each

# %% slideshow={"slide_type": "slide"}
def wrong_order(w):  # what a weight (c, i, j) meets in columns that were laid out as (i, j, c)
    O, C, K, _ = w.shape
    return w.reshape(O, K, K, C).transpose(0, 3, 1, 2)


def exchanged(y):  # as if the places were numbered (q, p)
    return y.swapaxes(2, 3).reshape(y.shape)


right = conv2d_im2col
bugs = {
    "rows in order (i, j, c)": lambda x, w, **o: right(x, wrong_order(w), **o),
    "i and j exchanged": lambda x, w, **o: right(x, w.swapaxes(2, 3), **o),
    "p and q exchanged": lambda x, w, **o: exchanged(right(x, w, **o)),
}
rng = np.random.default_rng(3)
fixed = {"K = 1": {"K": 1}, "one channel": {"wide": 1}, "one row": {"K": 1, "H": 1, "padding": 0}}
tests = {name: [cases.convolution(rng, **f) for _ in range(10)] for name, f in fixed.items()}
tests |= {"weights all 1": [(x, w**0, o) for x, w, o in forty[:10]], "40 cases": forty}
found = cases.convictions(bugs, tests, ops.conv2d)
print(draw.table({"convicted by": bugs, **found}))
assert min(found["40 cases"]) > 0 and found["K = 1"][:2] == [0, 0] and found["one row"][2] == 0

# %% [markdown]
# A zero is a survivor. Wrong row order survives K = 1 and depthwise filters, where (c, i, j) and (i, j, c) are the same order, and weights that are all 1, where order cannot matter. An exchange of `i` and `j` survives K = 1 and equal weights. An exchange of `p` and `q` survives an image of one row. The forty cases convict all three.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2.6 The gradient of the product
#
# Fix one group and call its block of weights `filters`, (O, R) with `R = C / groups · K · K`, the number of rows of its columns. In this section `O` counts the filters of that group. Write `s = p·Q + q` for the `S = P · Q` places. Take a scalar that depends on every output, with any numbers `dy` of the shape of `y`:
#
# $$ L = \sum_{n=0}^{N-1}\sum_{o=0}^{O-1}\sum_{s=0}^{S-1} dy[n,o,s]\; y[n,o,s], \qquad y[n,o,s] = \sum_{r=0}^{R-1} \texttt{filters}[o,r]\;\texttt{columns}[n,r,s]. $$
#
# Differentiate by one weight. `filters[o, r]` occurs in the outputs of filter `o` alone, in *every* image at *every* place, once each:
#
# $$ \texttt{dfilters}[o,r] = \frac{\partial L}{\partial\,\texttt{filters}[o,r]} = \sum_{n=0}^{N-1}\sum_{s=0}^{S-1} dy[n,o,s]\;\texttt{columns}[n,r,s], \qquad\text{so}\quad \texttt{dfilters} = \sum_n dy[n]\;\texttt{columns}[n]^T. $$
#
# Shapes: (O, S) times (S, R) is (O, R). Differentiate by one entry of the columns. It occurs in image `n` at place `s`, once in every *filter*:
#
# $$ \texttt{dcolumns}[n,r,s] = \sum_{o=0}^{O-1} \texttt{filters}[o,r]\; dy[n,o,s], \qquad\text{so}\quad \texttt{dcolumns}[n] = \texttt{filters}^T\, dy[n]. $$
#
# Shapes: (R, O) times (O, S) is (R, S). Stride, padding, dilation and the floor are not missing here. They decide what stands in `columns`: an entry that is padding is zero and adds nothing to `dfilters`, and a pixel that no window reaches stands nowhere. What is not said yet is how `dcolumns` becomes `dx`. A pixel occurs in up to `K · K` entries, and its gradient is their sum. Doing that is called *col2im*.

# %% slideshow={"slide_type": "fragment"}
def product_backward(dy, filters, columns):  # N g O/g S, g O/g R, N g R S; g is groups
    dfilters = (dy @ columns.swapaxes(2, 3)).sum(axis=0)  # g O/g R
    return dfilters, filters.swapaxes(1, 2) @ dy  # and dcolumns, N g R S


rng = np.random.default_rng(4)
both = {"filters": rng.standard_normal((2, 3, 8)), "columns": rng.standard_normal((2, 2, 8, 5))}
filters, columns = both.values()
check = gradcheck.check(lambda filters, columns: filters @ columns, product_backward, both, step=1)
print(check.verdict, f"Kinks: {check.kinks}. About 1e-15 expected.", sep="\n")
assert check.ok and check.max_relative_error < 1e-12 and check.kinks == 0
dy = rng.standard_normal((2, 2, 3, 5))
dfilters, dcolumns = product_backward(dy, filters, columns)
sides = [np.sum(dy * (filters @ columns)), np.sum(dfilters * filters), np.sum(dcolumns * columns)]
assert np.ptp(sides) < 1e-12, sides

# %% [markdown]
# The step is 1, and longer than one would dare elsewhere. `L` is linear in `filters` and linear in `columns`, so a difference quotient has no error from curvature, and there is no ReLU to cross, so no kinks. What is left is rounding, 1e-16 for each number added up, and a long step divides by more. The check draws `dy` at random.
#
# The last lines are a second witness, without a step. As `L` is linear in `filters` and in `columns`, each alone, it is equal to its gradient times its argument, for both: three ways to compute one number.
#
# Now errors of a backward, and what they survive: `dy` divided by the number of images; `dy` reshaped from (O, N, P, Q) where it should be transposed; `dy` read from the last place to the first. And one more: a pair of forward and backward that *both* have the rows in the wrong order.

# %%
def dweight(dy, x, weight, stride=1, padding=0, dilation=1, groups=1):
    (N, O, P, Q), window = dy.shape, (stride, padding, dilation)
    columns = im2col(x, weight.shape[2], *window).reshape(N, groups, -1, P * Q)
    filters, dy = weight.reshape(groups, O // groups, -1), dy.reshape(N, groups, -1, P * Q)
    return product_backward(dy, filters, columns)[0].reshape(weight.shape)


wrong = {
    "none": dweight,
    "images averaged": lambda dy, *a, **o: dweight(dy / len(dy), *a, **o),
    "dy reshaped": lambda dy, *a, **o: dweight(dy.swapaxes(0, 1).reshape(dy.shape), *a, **o),
    "dy from the last place": lambda dy, *a, **o: dweight(dy[..., ::-1, ::-1], *a, **o),
}  # fmt: skip
rng = np.random.default_rng(5)
tests = {"one image": [cases.convolution(rng, N=1) for _ in range(10)], "dy random": forty}
tests = {name: cases.with_upstream(rng, test) for name, test in tests.items()}
tests["sum(y)"] = [(dy**0, *rest) for dy, *rest in tests["dy random"]]
found = cases.convictions(wrong, tests, lambda *a, **o: ops.conv2d_backward(*a, **o)[1])
print(draw.table({"convicted by": wrong, **found}))
assert found["dy random"][0] == 0 and min(found["dy random"][1:]) > 0
assert found["one image"][:3] == [0, 0, 0] and found["sum(y)"][2:] == [0, 0]

# %%
x, w, _ = cases.convolution(np.random.default_rng(6), wide=2, K=3, groups=1)
both_wrong = gradcheck.check(
    lambda w: conv2d_im2col(x, wrong_order(w)),
    lambda dy, w: dweight(dy, x, w).transpose(0, 2, 3, 1).reshape(w.shape),
    {"w": w}, step=1)  # fmt: skip
print(both_wrong.verdict)
assert both_wrong.ok and not np.allclose(conv2d_im2col(x, wrong_order(w)), ops.conv2d(x, w))

# %% [markdown]
# Averaging and reshaping survive a single image. Reshaping and reading `dy` from the last place survive the loss `sum(y)`, for which `dy` is all ones in any order. The forty cases with a random `dy` convict all three, and acquit ours.
#
# And the pair with the wrong order is acquitted by the gradient check, rightly: its backward *is* the gradient of its forward. That its forward is not the convolution we meant is a thing that no gradient check can know. It takes a comparison with another convolution.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2.7 Which operand is large?
#
# A matrix library is fast because it uses each number that it fetches many times. In `filters @ columns` every weight is used `P · Q` times and every entry of the columns `O` times.

# %%
for name, O, C, P in ("first", 32, 3, 112), ("14 × 14", 512, 512, 14), ("7 × 7", 1024, 1024, 7):
    print(f"{name}: {9 * C * O:,} weights, {P * P / O:.3g} times as many entries of the columns; "
          f"a weight is used {P * P} times, an entry {O} times")  # fmt: skip

# %% [markdown]
# Early in a network the columns are the large operand, at the end the weights are: 49 places for 9 million weights. The product has three arrangements. One per image leaves `y` as NCHW wants it. All images joined make one wide product that fetches the weights once, and `y` must be sorted afterwards. With windows as rows and `filters` transposed, `y` has its channels last, which is NHWC. npnets takes the first, image by image, so that the columns of one image are still in the cache when the product reads them; for a 1 × 1 convolution with few pixels it joins.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 2.8 The ladder
#
# Five ways to compute one convolution, and above them the roof: a product of square matrices, and nothing else. All on one thread.
# **Predict first.** Say im2col takes as long as its product at the speed of the roof, plus one copy of an array of the size of its columns. Measure these two, and add.

# %%
N, seconds = (1, 0.05) if QUICK else (8, 0.7)
work = {"dense": (N * 28**2 * 64 * 32 * 9, N * 28**2 * 32 * 9),  # multiply-adds, columns
        "depthwise": (N * 56**2 * 32 * 9, N * 56**2 * 32 * 9)}  # fmt: skip
a, b = np.random.default_rng(8).standard_normal((2, 512, 512), np.float32)
runs = {kind: np.ones(size, np.float32).copy for kind, (_, size) in work.items()}
with one_thread():
    basis = compare({"product": lambda: a @ b, **runs}, seconds=0.2 if QUICK else 2)
peak, predicted = 512**3 / basis.times["product"].median, {}
for kind, (macs, size) in work.items():
    predicted[kind] = 1 / (1 + basis.times[kind].median / (macs / peak))  # copy, product
    print(f"{kind}: {macs / 1e6:.1f} million multiply-adds, {4 * size / 1e6:.1f} MB of columns; "
          f"predicted {predicted[kind]:.1%} of the roof")  # fmt: skip
# %% [markdown]
# Both copy each pixel nine times. In the dense layer each copy is then multiplied by 64 filters, in the depthwise one by a single filter. So im2col should be a rung up for the first and a failed one for the second.
# What of compiled loops? Numba turns the loops of chapter 1 into machine code. **Guess**, before you read on: faster or slower than im2col? Compiling itself takes time, at the first call, and must not be counted with the rest:

# %%
x = np.ones((1, 4, 12, 12))
compiled = numba.njit(ladder.dense_loops.__wrapped__)  # chapter 1's loops, as they stand
times = compare({"compiled": lambda: compiled(x, x[..., :3, :3])}, rounds=5).times["compiled"]
print(f"first call {1e3 * times.first:.0f} ms, later ones {1e3 * times.median:.2f}")
assert times.first > 5 * times.median

# %%
with one_thread():
    ladders = {"dense": ladder.dense_ladder((N, 32, 28, 28), 64, 3, seconds, rng=10)}
    ladders["depthwise"] = ladder.depthwise_ladder((N, 32, 56, 56), 3, seconds, rng=10)
names, measured, speeds = [rung.name for rung in ladders["dense"]], {}, {}
for kind, rungs in ladders.items():
    speeds[kind] = speed = [rung.gmacs_per_second for rung in rungs]
    shares, measured[kind] = [f"{v / speed[-1]:.2%}" for v in speed], speed[2] / speed[-1]
    print(draw.table({kind: names, "GMAC/s": [f"{v:.3g}" for v in speed], "of the roof": shares}))
    print(f"im2col: predicted {predicted[kind]:.1%} of the roof, found {measured[kind]:.1%}\n")
    assert 0.05 < measured[kind] / predicted[kind] < 20

# %% slideshow={"slide_type": "subslide"}
figure, axes = draw.figure(height=2.6, columns=2)
for panel, (kind, speed) in zip(axes, speeds.items()):
    draw.bars(panel, names, speed, horizontal=True, shades=[0, 0, 1, 0, 0, 5])
    panel.set(xscale="log", xlabel="GMAC/s", ylabel="rung", title=kind, xlim=(1e-4, 1e3))
said = [f"{kind} " + ", ".join(f"{v:.3g}" for v in speed) for kind, speed in speeds.items()]
draw.picture(figure, alt=f"Bars of GMAC/s, for {', '.join(names)}: {'; '.join(said)}.")

# %% [markdown]
# *Figure 2.5. GMAC/s, billions of multiply-adds per second, of each rung on one thread; im2col is hatched, the roof dotted. The share of the roof in the table is a bar's number over the lowest bar's of its panel.*
#
# A second benchmark, written differently: one image instead of eight, another size, and candidates that take turns, where the ladder runs them one after the other.

# %%
rng = np.random.default_rng(11)
x, again = rng.standard_normal((1, 64, 40, 40), np.float32), {}
for kind, wide in ("dense", 64), ("depthwise", 1):
    weight = rng.standard_normal((64, wide, 3, 3), np.float32)
    ways = {w: getattr(ladder, f"{kind}_{w}") for w in ("im2col", "shifted", "naive", "kernel")}
    runs = {way: lambda run=run: run(x, weight) for way, run in ways.items()}
    with one_thread():
        again[kind] = compare(runs, seconds=0.2 if QUICK else 2)
    print(kind, again[kind], sep="\n")
naive, times = again["dense"].ratio("naive").median, again["depthwise"].times
kernel = min(times["kernel"].seconds) / min(times["im2col"].seconds)  # the best is least disturbed
assert naive > 1 and kernel < 1

# %% [markdown]
# Read your own table. What should hold on any machine:
#
# - **Python loops** are a hundred times slower than the next slowest rung, or more, and thousands of times slower than im2col on the dense layer. NumPy's shifted additions make the largest step of the ladder.
# - **Naive Numba is a failed rung** for the dense layer. It is compiled, and still slower than NumPy. Its innermost loop has three turns, two tests for the padding and a sum whose order must be kept, so that little of it runs on several numbers at once; and each pixel is fetched anew for each filter. A slow plan stays slow in machine code.
# - **im2col comes within a small factor of the roof where each copy is used often**, dense, and stays far below it where it is used once, depthwise. By our prediction most of the depthwise time is spent on copies.
# - **The prediction is a ceiling.** It took a plain copy of one array, and a product of large square matrices. im2col gathers short rows with gaps between them, into memory that the system hands out anew, page by page, at each call; and the depthwise product is a small one for each image and channel. Where you found less than predicted, that is the difference.
# - **What we expected and did not find everywhere**: that depthwise im2col would lose to shifted additions, too. Those pass over `y` nine times, and where that costs as much as nine copies the two are near each other. Both are failed rungs beside the kernel, which passes over the image once.
# - And **npnets' own kernel need not beat NumPy's im2col** on a dense layer and one thread: both hand their work to the same matrix product. The kernel's point is that its columns fit into the cache, and that images are shared among threads.

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# Write into the cells that say so; the cell below each one tests it.
#
# ### Exercise 2.1 (warm-up, 1 point)
# By hand: one image of 16 channels and 20 × 30 pixels, float32, K 5, stride 2, padding 2, 32 filters in 4 groups. Fill in the shape of the block of weights of one group, the shape of that group's columns, and the bytes of all columns.
#
# <details><summary>Hint</summary>P and Q first: the padding keeps the size, then the stride halves it. A group has a quarter of the channels and of the filters. Groups do not change the bytes of all columns.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-2-1", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
answers = {"weights": None, "columns": None, "bytes": None}
### BEGIN SOLUTION
answers = {"weights": (8, 100), "columns": (100, 150), "bytes": 240_000}
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "ex-2-1-test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
view = windows(np.zeros((1, 16, 20, 30), np.float32), 5, 2, 2)  # 1 16 5 5 10 15
assert [*answers.values()] == [(32 // 4, 4 * 25), view.reshape(4, -1, 150)[0].shape, view.nbytes]

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 2.2 (derivation, 2 points)
# From which stride on are the columns not larger than the image, for a kernel `K` without padding on an image of H × H, H a multiple of the stride and H > K? Derive it from `K² P² / H²`, and return the smallest such stride for large H.
#
# <details><summary>Hint</summary>Write P / H by the formula of chapter 1, and let H grow. The ratio is also how many windows see a pixel, on average: draw windows in a row that see each pixel at most once.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-2-2", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def smallest_stride(K):
    ### BEGIN SOLUTION
    # K P <= H with P = (H - K) // stride + 1. At stride K the windows tile the image: P = H / K
    # and each pixel is copied once. One less, and neighbours overlap: the ratio tends to
    # K² / (K - 1)², above 1.
    return K
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-2-2-test", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
for K in (2, 3, 5):
    image, stride = np.zeros((1, 1, 60, 60)), smallest_stride(K)
    assert windows(image, K, stride).nbytes <= image.nbytes < windows(image, K, stride - 1).nbytes

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 2.3 (code, 3 points)
# Write the view of section 2.3 with `np.lib.stride_tricks.as_strided`, which takes a shape and, for each axis, the step in bytes. Stride and dilation are asked, padding is not. A wrong step reads memory that is not yours: NumPy does not look.
#
# <details><summary>Hint</summary>x.strides are the steps (n, c, h, w). One step of i is dilation rows, one step of p is stride rows.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-2-3", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def windows_by_steps(x, K, stride=1, dilation=1):
    ### BEGIN SOLUTION
    n, c, h, w = x.strides
    steps = n, c, dilation * h, dilation * w, stride * h, stride * w
    shape = (*x.shape[:2], K, K, *output_shape(x, (K, K), stride, 0, dilation))
    return np.lib.stride_tricks.as_strided(x, shape, steps, writeable=False)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-2-3-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
image = np.random.default_rng(12).standard_normal((2, 3, 9, 11))
for K, stride, dilation in (1, 2, 1), (3, 1, 1), (3, 2, 1), (2, 3, 2), (3, 2, 3):
    mine = windows_by_steps(image, K, stride, dilation)
    right_one = windows(image, K, stride, 0, dilation)
    assert np.shares_memory(mine, image) and np.array_equal(mine, right_one)

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 2.4 (measurement, 3 points)
# Which share of the time of `conv2d_im2col` is `im2col` alone, with `O` filters? Predict whether it rises or falls with `O`, then measure it on one thread with `compare`.
#
# <details><summary>Hint</summary>The copy does not know O. compare({"all": ..., "copy": ...}).ratio("copy") is the time of the copy over that of all.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-2-4", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def share_of_copy(x, O):
    ### BEGIN SOLUTION
    weight = np.ones((O, x.shape[1], 3, 3), x.dtype)
    runs = {"all": lambda: conv2d_im2col(x, weight), "copy": lambda: im2col(x, 3)}
    with one_thread():
        return compare(runs, seconds=0.3).ratio("copy").median
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-2-4-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
few, many = (share_of_copy(np.ones((1, 16, 48, 48), np.float32), O) for O in (1, 512))
assert 0 < many < few, f"1 filter: {few:.0%} of the time is copying; 512 filters: {many:.0%}"

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 2.5 (bug hunt, 2 points)
# A colleague joins the images, `filters @ columns.transpose(1, 0, 2).reshape(R, N * S)`, and ends with `.reshape(N, O, P, Q)`. "It passes my test." Return `N`, `O`, `P`, `Q`, all but one of them above 1, for which the result is right although the code is wrong.
#
# <details><summary>Hint</summary>The product has the order (O, N, P, Q). For which sizes is reading it as (N, O, P, Q) no change?</details>

# %% nbgrader={"grade": false, "grade_id": "ex-2-5", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
sizes = {"N": None, "O": None, "P": None, "Q": None}
### BEGIN SOLUTION
sizes = {"N": 1, "O": 2, "P": 3, "Q": 4}  # or O = 1: an axis of one may stand anywhere
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "ex-2-5-test", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
N, O, P, Q = sizes.values()
joined = np.arange(O * N * P * Q).reshape(O, N, P, Q)
assert np.array_equal(joined.reshape(N, O, P, Q), joined.swapaxes(0, 1)), "convicted"
### BEGIN HIDDEN TESTS
assert min(N, O, P, Q) == 1 and [N, O, P, Q].count(1) == 1
### END HIDDEN TESTS

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 2.6 (open, 4 points)
# Convolve VGG's second layer (64 channels, here of 112 × 112 pixels, K 3, padding 1) with at most 8 MB allocated beside the result. The image has 3.2 MB, its columns nine times as much. There are several ways; what does yours cost in time?
#
# <details><summary>Hint</summary>No row of y needs another row of y. Which rows of the padded image do the first eight rows of y need, and how many bytes have their columns?</details>

# %% nbgrader={"grade": false, "grade_id": "ex-2-6", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def conv2d_frugal(x, weight):
    ### BEGIN SOLUTION
    padded, y = pad(x, 1), np.empty((len(x), len(weight), *x.shape[2:]), x.dtype)
    for p in range(0, x.shape[2], 8):
        y[:, :, p : p + 8] = conv2d_im2col(padded[:, :, p : p + 10], weight)
    return y
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-2-6-test", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
rng = np.random.default_rng(13)
shapes = (1, 64, 112, 112), (8, 64, 3, 3)
image, filters = (rng.standard_normal(shape, np.float32) for shape in shapes)
mine, peak_bytes = cases.allocated(lambda: conv2d_frugal(image, filters))
assert np.allclose(mine, ops.conv2d(image, filters, padding=1), atol=1e-3)
assert peak_bytes - mine.nbytes < 8e6, f"{peak_bytes - mine.nbytes:,} bytes"

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What we now know
#
# - A convolution is the product of (O / groups) × (C / groups · K · K) weights and as many rows of P · Q columns, one for each group. The order of the rows must be that of the weights.
# - The columns are K² / stride² times as large as the image. A view of them is free; the copy is not; a 1 × 1 convolution needs none.
# - `dfilters = dy columnsᵀ` summed over images, and `dcolumns = filtersᵀ dy`. A gradient check proves a backward against its own forward, and says nothing of what that forward is.
#
# **What was measured**, on your machine:

# %%
roof = [f"{100 * share:.1f} % of the roof" for share in (*predicted.values(), *measured.values())]
print(draw.table({
    "what": ["gradient", *(f"im2col, {kind}" for kind in work), "naive Numba", "depthwise kernel"],
    "predicted": ["1e-15", *roof[:2], "a guess", "faster than im2col"],
    "found": [f"{check.max_relative_error:.0e}", *roof[2:],
              *(f"{v:.3g} × im2col's time" for v in (naive, kernel))],
}))  # fmt: skip

# %% [markdown]
# **Next question.** `dcolumns` has up to nine entries for one pixel, and some pixels have none. How does the gradient get back to the image, and are there other ways that must give the same? That is chapter 3.
