# %% [markdown] slideshow={"slide_type": "slide"}
# # 1 · Sliding windows
#
# After this chapter you can
#
# - say every value and every shape that a convolution gives, before running it;
# - explain padding, stride and dilation by one line of arithmetic, and why an image of 224 pixels, a kernel of 3, stride 2 and padding 1 give 112;
# - name the windows that see a given pixel, and with them derive the gradient of the input;
# - count the multiply-adds of a layer, and how much of the image a number deep in a network can see.
#
# **You need** Python, NumPy, and to have seen a convolutional network.
# **It takes** about an hour and a half to read with the exercises, under a minute to run on two cores, and downloads nothing.
# **It leaves out** the gradient of the weights and fast algorithms: chapters 2 and 3 are about those.

# %%
import itertools
import timeit

import numpy as np

from npnets import MobileNetV1, ops
from npnets.bench.timing import compare, one_thread
from npnets.cost import receptive_field, summarize
from npnets.tutorials import QUICK, draw

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1.1 Five numbers and a window of three
#
# A convolution lays a small window over its input, multiplies what it sees by the weights of the window, adds up, and moves on.
# In one dimension `x` is a row of `H` numbers and `weight` a row of `K`. Output `p` is
#
# $$ y[p] \;=\; \sum_{i=0}^{K-1} \texttt{weight}[i]\cdot x[\,p + i\,] $$
#
# The smallest case has five numbers, and weights that subtract the left neighbour from the right one.

# %% slideshow={"slide_type": "fragment"}
x = np.array([1.0, 3.0, 2.0, 5.0, 4.0])
weight = np.array([-1.0, 0.0, 1.0])
y = np.array([np.sum(weight * x[p : p + 3]) for p in range(3)])
assert y.tolist() == [1, 2, 2]

# %% slideshow={"slide_type": "subslide"}
figure, axes = draw.figure(height=1.1, columns=3)
for p, panel in enumerate(axes):
    draw.squares(panel, x, title=f"p = {p}:  {x[p + 2]:g} − {x[p]:g} = {y[p]:g}")
    draw.outline(panel, row=0, column=p, columns=3)
draw.picture(figure, alt="Squares 1 3 2 5 4, thrice; a frame of three moves right: 1, 2, 2.")

# %% [markdown]
# *Figure 1.1. The window of three at its three places. Check by hand: 2 − 1 = 1, 5 − 3 = 2, 4 − 2 = 2.*
#
# The window has three places and no more, so five numbers became three.
#
# > **Paper and code.** Mathematics calls this a *correlation*; its convolution would turn the window around, `weight[::-1]`.
# > All four papers of this course, and all their code, say "convolution" and do not turn it. For learned weights it makes no difference: training would find the turned ones.
# > The cell below settles which one is meant here: NumPy has both.

# %%
assert np.array_equal(np.correlate(x, weight, "valid"), y)
print("correlate:", np.correlate(x, weight, "valid"), "convolve:", np.convolve(x, weight, "valid"))

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1.2 Padding, stride, dilation
#
# Three numbers change where the window looks. All are in pixels.
#
# - **padding** puts zeros around the input, so that the window may hang over the edge;
# - **stride** is the step from one place of the window to the next;
# - **dilation** is the step between the pixels that one window sees.
#
# Together they are one line. Window `p` and its position `i` look at pixel
#
# $$ h \;=\; \texttt{stride}\cdot p + \texttt{dilation}\cdot i - \texttt{padding}, \qquad i = 0 \ldots K-1, $$
#
# and where `h` is outside of 0 … `H` − 1 they see a zero.
#
# How many places are there? The window spans `dilation · (K − 1) + 1` pixels from its first to its last.
# The padded input has `H + 2 · padding`, counted from 0. The first window begins at padded pixel 0, and the last one must not begin later than at padded pixel `H + 2 · padding − span`.
# If that is not negative, the steps of `stride` from 0 up to it give
#
# $$ P \;=\; \left\lfloor \frac{H + 2\,\texttt{padding} - \texttt{span}}{\texttt{stride}} \right\rfloor + 1 $$
#
# places. The floor says that a window which does not fit whole is left out.

# %% slideshow={"slide_type": "fragment"}
def output_size(H, K, stride=1, padding=0, dilation=1):
    span = dilation * (K - 1) + 1
    return (H + 2 * padding - span) // stride + 1


def correlate(x, weight, stride=1, padding=0, dilation=1):
    (H,), (K,) = x.shape, weight.shape
    y = np.zeros(output_size(H, K, stride, padding, dilation))
    for p, i in itertools.product(range(len(y)), range(K)):
        h = stride * p + dilation * i - padding
        if 0 <= h < H:
            y[p] += weight[i] * x[h]
    return y


P, last_start = output_size(224, K=3, stride=2, padding=1), 2 * (112 - 1)
print(f"224 pixels give {P}; the last window starts at padded row {last_start} of 0 to {224 + 1}")
assert correlate(x, weight).tolist() == [1, 2, 2] and P == 112 and last_start + 2 == 224

# %% slideshow={"slide_type": "subslide"}
figure, axes = draw.figure(height=2.7, rows=2, columns=2)
for panel, options in zip(axes.flat, [(8, 3, 2, 1), (7, 3, 2, 1), (7, 3, 1, 2, 2), (8, 3, 3, 1)]):
    draw.coverage(panel, *options)  # H, K, stride, padding, dilation
draw.picture(figure, alt="Windows on each padded pixel. H 8, stride 2: 1 1 2 1 2 1 2 1 1 0; "
             "H 7: no 0. Dilation 2: 1 1 2 2 3 3 3 2 2 1 1. Stride 3: nine 1, a 0.")  # fmt: skip

# %% [markdown]
# *Figure 1.2. How many windows of three see each pixel of a padded row; dotted squares are padding, darker ones are seen by more windows.*
# *Top left, 8 pixels and stride 2: windows start at padded pixels 0, 2, 4 and 6, the last one ends at 8, and padded pixel 9, the padding at the end, is seen by nobody. Top right, 7 pixels: nothing is left over.*
# *Bottom left, dilation 2: pixel 0 is padded pixel 2, which the windows that start at 0 and at 2 see. Bottom right, stride 3: the windows lie side by side.*
#
# An image of 224 rows is the same case. The windows start at padded rows 0, 2, …, 222, and the last one ends at 224. The padded image has rows 0 … 225. Row 225, the lower padding, is never seen.
#
# > **Paper and code.** So the lower padding is idle on an even size, and TensorFlow, in which both MobileNets were written, leaves it out *above* instead: its rule `SAME` pads nothing before and one pixel after.
# > The shape is 112 either way. The values differ: each window sits one pixel lower and further to the right, as if the image had been moved up and to the left. Weights trained with one rule and run with the other see a shifted image.

# %%
rng = np.random.default_rng(0)
image, kernel = rng.standard_normal((1, 3, 8, 8)), rng.standard_normal((2, 3, 3, 3))
symmetric = ops.conv2d(image, kernel, stride=2, padding=1)
same = ops.conv2d(image, kernel, stride=2, padding=(0, 1, 0, 1))  # top, bottom, left, right
moved = np.roll(image, -1, axis=(2, 3))  # one pixel up and to the left
again = ops.conv2d(moved, kernel, stride=2, padding=1)[..., 1:-1, 1:-1]  # what the roll left whole
print("both give", same.shape, "and differ by up to", abs(symmetric - same).max())
assert abs(symmetric - same).max() > 1 and np.allclose(again, same[..., 1:-1, 1:-1])

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1.3 Images, channels, groups
#
# Rows and columns follow the same rule, each on its own. An image has channels as well, and a batch has several images: `x` is `(N, C, H, W)`.
# A filter sees a window in *all* channels of its group at once and gives one output channel; `weight` is `(O, C / groups, K, K)`:
#
# $$ y[n, o, p, q] = \sum_{c, i, j} \texttt{weight}[o, c, i, j] \cdot x[\,n,\ \texttt{first} + c,\ \texttt{stride}\,p + \texttt{dilation}\,i - \texttt{padding},\ \texttt{stride}\,q + \texttt{dilation}\,j - \texttt{padding}\,] $$
#
# Here `c` runs from 0 to `C / groups` − 1, `i` and `j` from 0 to `K` − 1, `p` from 0 to `P` − 1 and `q` from 0 to `Q` − 1, and a pixel outside of the image is 0.
# With `groups` groups the channels are dealt out in order. Filter `o` belongs to group ⌊`o` / (`O` / `groups`)⌋ and sees only its channels; the first of them is `first` = ⌊`o` / (`O` / `groups`)⌋ · `C / groups`. With one group, `first` is 0 and `c` runs over all channels.

# %% slideshow={"slide_type": "fragment"}
def conv2d_loops(x, weight, stride=1, padding=0, dilation=1, groups=1):
    (N, C, H, W), (O, C_group, K, _) = x.shape, weight.shape
    P, Q = (output_size(size, K, stride, padding, dilation) for size in (H, W))
    y = np.zeros((N, O, P, Q))
    for n, o, p, q in np.ndindex(y.shape):
        first = o // (O // groups) * C_group
        for c, i, j in np.ndindex(C_group, K, K):
            h = stride * p + dilation * i - padding
            w = stride * q + dilation * j - padding
            if 0 <= h < H and 0 <= w < W:
                y[n, o, p, q] += weight[o, c, i, j] * x[n, first + c, h, w]
    return y


x = np.array([[1, 2, 0, 1], [0, 1, 3, 1], [2, 1, 0, 2], [1, 0, 1, 1]], float)[None, None]
weight = np.array([[1, 0, 0], [0, 2, 0], [0, 0, -1]], float)[None, None]
y = conv2d_loops(x, weight)
assert y[0, 0].tolist() == [[3, 6], [1, 0]]

# %% slideshow={"slide_type": "subslide"}
figure, axes = draw.figure(height=2.4, columns=3)
for panel, array, name in zip(axes, (x, weight, y), ("x", "weight", "y")):
    draw.squares(panel, array[0, 0], title=f"{name}, {array.shape[2]} × {array.shape[3]}")
draw.outline(axes[0], row=0, column=1, rows=3, columns=3)
draw.outline(axes[2], row=0, column=1)
draw.picture(figure, alt="x has rows 1 2 0 1, 0 1 3 1, 2 1 0 2 and 1 0 1 1; the kernel's diagonal "
             "is 1 2 −1, the rest 0; y is 3 6, 1 0. Framed: the upper right window.")  # fmt: skip

# %% [markdown]
# *Figure 1.3. The upper right result: 1 · 2 + 2 · 3 − 1 · 2 = 6. The kernel is zero off its diagonal, so three products are all there is.*

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1.4 One tap for all windows
#
# The seven loops above, over `n`, `o`, `p`, `q`, `c`, `i` and `j`, are the definition. They are slow, since Python runs them one number at a time.
# They may run in any order. Put the loops over `i` and `j` outside: what position `(i, j)` of the window sees from *all* places is the padded image, cut at its edges and with a step of `stride`. We call that view a **tap**.
# The convolution is a sum of `K · K` taps, each times one weight per pair of channels.

# %% slideshow={"slide_type": "fragment"}
def conv2d_taps(x, weight, stride=1, padding=0, dilation=1, groups=1):
    (N, C, H, W), (O, C_group, K, _) = x.shape, weight.shape
    P, Q = (output_size(size, K, stride, padding, dilation) for size in (H, W))
    padded = np.pad(x, [(0, 0), (0, 0), (padding, padding), (padding, padding)])
    images = padded.reshape(N, groups, C_group, *padded.shape[2:])
    filters = weight.reshape(groups, O // groups, C_group, K, K)
    y = np.zeros((N, groups, O // groups, P, Q), x.dtype)
    for i, j in np.ndindex(K, K):
        rows = slice(dilation * i, dilation * i + stride * (P - 1) + 1, stride)
        columns = slice(dilation * j, dilation * j + stride * (Q - 1) + 1, stride)
        tap = images[..., rows, columns]  # (N, groups, C / groups, P, Q)
        y += np.einsum("ngchw,gfc->ngfhw", tap, filters[..., i, j])
    return y.reshape(N, O, P, Q)


assert np.array_equal(conv2d_taps(x, weight), y)

# %% slideshow={"slide_type": "subslide"}
figure, axes = draw.figure(height=2, columns=4)
for panel, (i, j) in zip(axes, [(0, 0), (0, 2), (1, 1), (2, 2)]):
    draw.squares(panel, x[0, 0], title=f"tap ({i}, {j})", shade=0)
    draw.outline(panel, row=i, column=j, rows=2, columns=2)
draw.picture(figure, alt="The 4 × 4 image four times, with frames of 2 × 2. Tap (0, 0): 1 2, 0 1. "
             "(0, 2): 0 1, 3 1. (1, 1): 1 3, 1 0. (2, 2): 0 2, 1 1.")  # fmt: skip

# %% [markdown]
# *Figure 1.4. Four of the nine taps of Figure 1.3. Each is as large as the output, 2 × 2. Only (0, 0), (1, 1) and (2, 2) have a weight: `y` is 1 · tap (0, 0) + 2 · tap (1, 1) − 1 · tap (2, 2).*

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1.5 Is it right?
#
# Agreement on one example proves little. A good test draws many cases: sizes even and odd and not square, strides 1 to 3, padding, dilation, groups, and kernels without symmetry.
# Two witnesses are asked. One is npnets, whose code was written for speed and shares no line with ours. The other is a view of NumPy's own, `sliding_window_view`, which knows nothing of strides or groups.

# %%
def random_case(rng):
    lowest, above = (1, 1, 0, 1, 1), (4, 4, 4, 4, 4)
    K, stride, padding, dilation, groups = map(int, rng.integers(lowest, above))
    x = rng.standard_normal((2, 2 * groups, *rng.integers(7, 12, 2)))
    weight = rng.standard_normal((3 * groups, 2, K, K))
    window = {"stride": stride, "padding": padding, "dilation": dilation}
    return x, weight, {**window, "groups": groups}


rng = np.random.default_rng(1)
cases = [random_case(rng) for _ in range(40)]
trials = itertools.product((conv2d_loops, conv2d_taps), cases)
errors = [abs(ours(x, w, **o) - ops.conv2d(x, w, **o)).max() for ours, (x, w, o) in trials]
print(len(cases), "random cases; largest difference to npnets", max(errors))
assert max(errors) < 1e-13  # sums of at most 18 products of size 1: a few units of 1e-16 each

x, weight = rng.standard_normal((2, 4, 9, 12)), rng.standard_normal((3, 4, 3, 3))
windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))  # N C P Q K K
difference = abs(conv2d_taps(x, weight) - np.einsum("ncpqij,ocij->nopq", windows, weight)).max()
print("difference to NumPy's windows", difference)
assert difference < 1e-13

# %% [markdown]
# Does this test find errors? Plant some and see. Each line below is a convolution with one mistake that people do make.
# Beside the forty cases stands a test that looks reasonable and is not: one square image and a kernel of ones.

# %% slideshow={"slide_type": "slide"}
bugs = {
    "window turned around": lambda x, w, **o: conv2d_taps(x, w[..., ::-1, ::-1], **o),
    "rows and columns exchanged": lambda x, w, **o: conv2d_taps(x, w.swapaxes(2, 3), **o),
    "padded before, not after": lambda x, w, padding, **o: conv2d_taps(
        np.pad(x, [(0, 0), (0, 0), (2 * padding, 0), (2 * padding, 0)]), w, **o),
    "first and last group exchanged": lambda x, w, groups, **o: conv2d_taps(
        np.concatenate(np.split(x, groups, 1)[::-1], 1), w, groups=groups, **o),
}  # fmt: skip
square = np.random.default_rng(2).standard_normal((1, 2, 6, 6))
careless = [(square, np.ones((1, 2, 3, 3)), {"padding": 0, "groups": 1})]


def convictions(tests):
    return [sum(not np.allclose(bug(x, w, **o), ops.conv2d(x, w, **o)) for x, w, o in tests)
            for bug in bugs.values()]  # fmt: skip


by_careless, by_cases = convictions(careless), convictions(cases)
print(draw.table({"bug": bugs, "careless test, of 1": by_careless, "cases, of 40": by_cases}))
assert max(by_careless) == 0 < min(by_cases)

# %% [markdown]
# The careless test acquits all four. It has no padding to pad wrongly, one group that cannot be exchanged, and a kernel that looks the same from every side.
# The random cases convict all four, but not each case does: a bug of padding survives a case without padding, and an exchange of groups one with a single group. That is why there are forty.
# What would survive even these? Whatever both sides do alike. If ours and npnets both turned the window around, no comparison between them could tell; the second witness and `np.correlate` are there for that.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1.6 Which windows see a pixel?
#
# So far we asked which pixels a window sees. The question the other way round is the gradient of the input.
# Take one dimension, and a scalar that depends on all outputs, with any numbers `dy`:
#
# $$ L \;=\; \sum_{p=0}^{P-1} dy[p]\; y[p] \;=\; \sum_{p=0}^{P-1}\sum_{i=0}^{K-1} dy[p]\;\texttt{weight}[i]\; x[\,\texttt{stride}\,p + \texttt{dilation}\,i - \texttt{padding}\,]. $$
#
# Differentiate by one pixel, `x[h]`. Of all pairs `(p, i)` those remain that look at it, `stride · p + dilation · i − padding = h`:
#
# $$ dx[h] = \frac{\partial L}{\partial x[h]} = \sum_{i} dy[p]\;\texttt{weight}[i], \qquad p = \frac{h + \texttt{padding} - \texttt{dilation}\, i}{\texttt{stride}}, $$
#
# over those `i` from 0 to `K` − 1 for which `p` is a whole number from 0 to `P` − 1. If dilation is 1, these are the windows
#
# $$ \left\lceil \frac{h + \texttt{padding} - K + 1}{\texttt{stride}} \right\rceil \;\le\; p \;\le\; \left\lfloor \frac{h + \texttt{padding}}{\texttt{stride}} \right\rfloor, \qquad 0 \le p < P. $$
#
# `P` contains the floor of section 1.2. A pixel that no window reaches has no term in the sum, and its gradient is exactly zero.

# %% slideshow={"slide_type": "fragment"}
def correlate_dx(dy, weight, H, stride=1, padding=0, dilation=1):
    dx = np.zeros(H)
    for h, i in itertools.product(range(H), range(len(weight))):
        p, rest = divmod(h + padding - dilation * i, stride)
        if rest == 0 and 0 <= p < len(dy):
            dx[h] += dy[p] * weight[i]
    return dx


assert correlate_dx(np.ones(3), np.ones(3), 8, stride=2).tolist() == [1, 1, 2, 1, 2, 1, 1, 0]

# %% [markdown]
# With `dy` and `weight` all ones the gradient *counts* the windows that see each pixel. On 8 pixels without padding, stride 2 leaves the last one out: no window sees it, and its gradient is 0.
#
# Now the check. Move one pixel by a step up and down and see by how much `L` changes. `L` is *linear* in `x`, so the difference quotient has no error from curvature. There is no ReLU and so no kink: the count of crossed kinks is 0. What is left is rounding, about 1e-16 for each of the numbers added up. A long step makes the rounding matter less; we take 1. The upstream gradient is random, so that no two errors cancel.
#
# A second proof needs no step. `y` depends on `x` by a matrix that nobody writes down, and `dx` is its transpose applied to `dy`. Hence, for any `x` and `dy`,
#
# $$ \sum_{p=0}^{P-1} dy[p]\; y[p] \;=\; \sum_{h=0}^{H-1} dx[h]\; x[h]. $$
#
# The third witness is `ops.conv2d_backward`, on an image of one row.

# %%
rng = np.random.default_rng(3)
errors, gaps = [], []
for K, stride, padding, dilation in itertools.product((1, 2, 3), (1, 2, 3), (0, 1, 2), (1, 2)):
    x, weight = rng.standard_normal(int(rng.integers(8, 14))), rng.standard_normal(K)
    window = stride, padding, dilation
    dy = rng.standard_normal(output_size(len(x), K, *window))
    dx = correlate_dx(dy, weight, len(x), *window)
    for h, step in enumerate(np.eye(len(x))):
        change = correlate(x + step, weight, *window) - correlate(x - step, weight, *window)
        errors.append(abs(dy @ change / 2 - dx[h]) / abs(dx).max())
    gaps.append(abs(dy @ correlate(x, weight, *window) - dx @ x))
    images = (array[None, None, None] for array in (dy, x, weight))  # (1, 1, 1, H)
    theirs, _ = ops.conv2d_backward(*images, stride, (0, 0, padding, padding), dilation)
    gaps.append(abs(theirs - dx).max())
print(f"{len(errors)} slopes; largest relative error {max(errors):.1e}; about 1e-15 expected")
assert max(errors) < 1e-13 and max(gaps) < 1e-13

# %% slideshow={"slide_type": "subslide"}
figure, axes = draw.figure(columns=3)
for panel, stride in zip(axes, (1, 2, 3)):
    P = output_size(8, 3, stride, padding=1)
    dy, x, weight = np.ones((1, 1, P, P)), np.zeros((1, 1, 8, 8)), np.ones((1, 1, 3, 3))
    seen = ops.conv2d_backward(dy, x, weight, stride=stride, padding=1)[0][0, 0]
    draw.heat(panel, seen, ("column w", "row h"), form=".0f", limits=(0, 9))
    panel.set_title(f"stride {stride}: {P} × {P} windows")
draw.picture(figure, alt="Maps of 8 × 8 counts. Stride 1: 9, at edges 6, in corners 4. Stride 2: "
             "1, 2 or 4, larger at odd rows and columns but the last. Stride 3: 1.")  # fmt: skip

# %% [markdown]
# *Figure 1.5. How many 3 × 3 windows with padding 1 see each pixel of an 8 × 8 image. Stride 2: in one direction even pixels are the middle of one window and odd ones the edge of two, so the counts are 1 · 1, 1 · 2 and 2 · 2; pixel 7, though odd, is the edge of one window only, since none starts there. Stride 3 tiles the image, and each pixel is seen once.*

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1.7 How far a number sees
#
# Stack two layers and an output sees more of the image: the pixels seen by all the pixels that it sees. Say a number of one layer depends on `size` pixels of the image in a row, and its neighbour on as many that start `jump` pixels further on. The next layer looks at `K` such neighbours, from the first to the last `dilation · (K − 1)` places, so
#
# $$ \texttt{size} \leftarrow \texttt{size} + \texttt{dilation}\,(K-1)\cdot\texttt{jump}, \qquad \texttt{jump} \leftarrow \texttt{jump}\cdot \texttt{stride}. $$
#
# Start with `size` = `jump` = 1. A stride multiplies what every *later* layer adds. The layers below have dilation 1.
# To measure it, take a batch of 41 images: one, and the same one with one pixel of its middle column moved, row after row. Those rows count for which output (5, 5) of the last map moves.

# %%
def sees(layers):
    size = jump = 1
    for K, stride in layers:
        size, jump = size + (K - 1) * jump, jump * stride
    return size


layers = [(3, 2), (3, 1), (3, 2), (3, 1)]
rng = np.random.default_rng(5)
x, weights = rng.standard_normal((1, 1, 40, 40)), rng.standard_normal((4, 1, 1, 3, 3))
images = np.concatenate([x, x + np.eye(40)[:, None, :, None] * (np.arange(40) == 20)])
for weight, (_, stride) in zip(weights, layers):
    images = conv2d_taps(images, weight, stride=stride, padding=1)
touched = np.sum(images[1:, 0, 5, 5] != images[0, 0, 5, 5])
print("predicted", sees(layers), "rows; measured", touched)
assert sees(layers) == touched == 19

# %% slideshow={"slide_type": "subslide"}
fields = receptive_field.receptive_fields(MobileNetV1(rng=0), (3, 224, 224))
sizes, jumps = np.array([(f.size, f.jump) for f in fields if f.name.endswith("conv")]).T
figure, axes = draw.figure(height=2.5)
axes.step(range(1, len(sizes) + 1), sizes, where="mid", marker="")
axes.axhline(224, color="black", linestyle=":", marker="")  # the height of the image
axes.set(xlabel="convolution of MobileNet v1", ylabel="receptive field (pixels)")
print(len(sizes), "convolutions, from", sizes[0], "to", sizes[-1], "pixels; last jump", jumps[-1])
assert len(sizes) == 27 and sizes[0] == 3 and sizes[-1] == 315 and jumps[-1] == 2**5
assert sizes[-1] - sizes[-3] == 64 and not any(np.diff(sizes)[1::2])  # 1 × 1 adds nothing
draw.picture(figure, alt="A staircase, ever steeper, from 3 to 315 pixels; 224 is dotted.")

# %% [markdown]
# *Figure 1.6. What a number sees after each of the 27 convolutions of MobileNet v1. Every other convolution is 1 × 1 and adds nothing. A 3 × 3 convolution adds 2 · `jump`: 2 pixels at first, and 64 at the end, after five strides of 2. In the end a number could see more rows than the image has.*

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1.8 What it costs
#
# Count the multiply-adds of the definition: one for each turn of the innermost loop, and the loops run over `N`, `O`, `P`, `Q`, `C / groups`, `K` and `K`. By the papers' convention products with the padding count, too, and a batch is one image. To count by code, let the definition run on ones: each product then adds 1 to the sum.
#
# $$ \texttt{macs} \;=\; O \cdot P \cdot Q \cdot \frac{C}{\texttt{groups}} \cdot K \cdot K. $$

# %%
def macs(O, C, K, size, stride, padding, groups=1):
    return O * output_size(size, K, stride, padding) ** 2 * C // groups * K * K


x, weight = np.ones((1, 4, 9, 9)), np.ones((4, 2, 3, 3))  # each product adds 1 to the sum
counted = conv2d_loops(x, weight, stride=2, padding=2, groups=2).sum()
padded = conv2d_loops(np.ones((1, 4, 13, 13)), weight, stride=2, groups=2).sum()
print(f"counted {counted:.0f} products without padding, {padded:.0f} with it")
assert padded == macs(4, 4, 3, 9, 2, 2, groups=2) > counted
first = macs(O=32, C=3, K=3, size=224, stride=2, padding=1)
net = summarize(MobileNetV1(rng=0), (3, 224, 224))
print(f"first convolution {first:,} of {net.macs:,}: {first / net.macs:.2%}")
assert first == next(row.macs for row in net.rows if row.macs) == 10_838_016
assert net.macs == 568_740_352 and round(100 * first / net.macs, 2) == 1.91
assert round(94.86 + 3.06 + 1.19 + 0.18, 2) == 99.29  # what Table 2 prints, by kind of layer

# %% [markdown]
# > **Paper and code.** Table 2 of the MobileNet paper (arXiv:1704.04861) prints 1.19 % for "Conv 3 × 3". The count above gives 1.91 %, and the printed column sums to 99.29 %: the digits were exchanged. No network changes by it; it is a reason to count for oneself.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 1.9 A prediction, and the clock
#
# With stride 2 there are a quarter of the windows, so a quarter of the multiply-adds. **Prediction: a quarter of the time.** The measurement takes our `conv2d_taps` on one thread, warm, with both strides taking turns; what is compared is the ratio within each turn.

# %%
x, weight = np.ones((1, 16, 96, 96), np.float32), np.ones((16, 16, 3, 3), np.float32)
candidates = {f"stride {s}": lambda s=s: conv2d_taps(x, weight, s, padding=1) for s in (1, 2)}
with one_thread():
    timed = compare(candidates, seconds=0.3 if QUICK else 4)
work = macs(16, 16, 3, 96, 2, 1) / macs(16, 16, 3, 96, 1, 1)
ratio = timed.ratio("stride 2")
print(timed, f"multiply-adds {work:.2f}, time {ratio}", sep="\n")
assert min(timed.times["stride 2"].seconds) < min(timed.times["stride 1"].seconds)

# %% [markdown]
# A claim should survive a second benchmark that is written differently. This one takes no turns and no median: the best of many runs of each, one after the other.

# %%
with one_thread():
    once = {"number": 1, "repeat": 20 if QUICK else 300}
    first_stride, second_stride = (min(timeit.repeat(run, **once)) for run in candidates.values())
second = second_stride / first_stride
print(f"multiply-adds {work:.2f}, best time {second:.2f}")
assert second < 2  # generous: the two run at different times, and a machine may be busy

# %% [markdown]
# Read your own numbers. Where the ratio is above 0.25, a multiply-add at stride 2 is dearer than one at stride 1: a tap with a step of 2 uses every other number of each line of memory that it fetches, and what does not depend on the windows, such as padding the image, is not made cheaper. Where it is near 0.25, that overhead is small on your machine. Multiply-adds are an exact count, and only a first guess at time. Part III of this course is about the difference.

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# Write into the cells that say so; the cell below each one tests it.
#
# ### Exercise 1.1 (warm-up, 1 point)
# By hand, without running anything: what does a row of `H` pixels become? Fill in `answers` for
# (a) H 32, K 3, stride 1, padding 1; (b) H 32, K 5, stride 2, padding 2; (c) H 7, K 7, stride 1, padding 0; (d) H 10, K 3, stride 3, padding 0, dilation 2.
#
# <details><summary>Hint</summary>Lay the first window down and ask where the last one may begin. In (d), mind the span; the places are three pixels apart.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-1-1", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
answers = {"a": None, "b": None, "c": None, "d": None}
### BEGIN SOLUTION
answers = {"a": 32, "b": 16, "c": 1, "d": 2}
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "ex-1-1-test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
asked = {"a": (32, 3, 1, 1), "b": (32, 5, 2, 2), "c": (7, 7), "d": (10, 3, 3, 0, 2)}
assert answers == {name: output_size(*question) for name, question in asked.items()}, answers

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 1.2 (derivation, 2 points)
# Which padding keeps the size, `P = H`, at stride 1, for an odd kernel and any dilation? Derive it from the formula of section 1.2, and return it. What goes wrong with an even kernel?
#
# <details><summary>Hint</summary>Set P = H, and note that with stride 1 the floor does nothing. You get 2 · padding on one side; when is the other side even?</details>

# %% nbgrader={"grade": false, "grade_id": "ex-1-2", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def padding_that_keeps(K, dilation=1):
    ### BEGIN SOLUTION
    # H = H + 2·padding − dilation·(K − 1) − 1 + 1, so 2·padding = dilation·(K − 1). For an even
    # K and an odd dilation that is odd: one side would need one pixel more than the other.
    return dilation * (K - 1) // 2
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-1-2-test", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
for K, dilation in itertools.product((1, 3, 5, 7), (1, 2, 3)):
    assert output_size(30, K, 1, padding_that_keeps(K, dilation), dilation) == 30
### BEGIN HIDDEN TESTS
assert padding_that_keeps(9, 4) == 16
### END HIDDEN TESTS

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 1.3 (code, 3 points)
# Max pooling slides the same window, with a maximum in place of the sum, in each channel on its own. Write it with taps, for `x` of shape (N, C, H, W), padding left out.
#
# <details><summary>Hint</summary>Start from conv2d_taps. The result begins as −∞ rather than 0, and np.maximum takes two arrays.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-1-3", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def max_pool_taps(x, K, stride):
    ### BEGIN SOLUTION
    P, Q = (output_size(size, K, stride) for size in x.shape[2:])
    y = np.full((*x.shape[:2], P, Q), -np.inf)
    for i, j in np.ndindex(K, K):
        rows, columns = (slice(k, k + stride * (n - 1) + 1, stride) for k, n in ((i, P), (j, Q)))
        y = np.maximum(y, x[:, :, rows, columns])
    return y
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-1-3-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
images = np.random.default_rng(7).standard_normal((2, 3, 9, 11)) - 5
for K, stride in itertools.product((1, 2, 3), (1, 2, 3)):
    assert np.array_equal(max_pool_taps(images, K, stride), ops.max_pool2d(images, K, stride))

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 1.4 (measurement, 3 points)
# Kernel 5 against kernel 1, on one thread: predict the ratio of the multiply-adds of `conv2d_taps` for equal channels and size (padding K // 2), then measure the ratio of times with `compare`. Return both, and write down why they differ.
#
# <details><summary>Hint</summary>compare takes {name: function without arguments}; .ratio(name) is over the first name. Which part of conv2d_taps runs once, however many taps there are?</details>

# %% nbgrader={"grade": false, "grade_id": "ex-1-4", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def predicted_and_measured(x):
    ### BEGIN SOLUTION
    weights = {K: np.ones((x.shape[1], x.shape[1], K, K), x.dtype) for K in (1, 5)}
    runs = {K: lambda K=K: conv2d_taps(x, weights[K], padding=K // 2) for K in weights}
    with one_thread():  # padding and setting the result to zero happen once for any kernel
        return 25, compare(runs, seconds=0.3).ratio(5).median
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-1-4-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
predicted, found_ratio = predicted_and_measured(np.ones((1, 8, 64, 64), np.float32))
assert predicted == macs(8, 8, 5, 64, 1, 2) / macs(8, 8, 1, 64, 1, 0) and found_ratio > 1

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 1.5 (bug hunt, 2 points)
# A colleague writes `P = (H + 2 * padding - K) // stride + 1` and reads padded rows `dilation * i + stride * p`. All their tests have dilation 1. Return the smallest `H` for which a window with K 3, stride 1, padding 0 and dilation 2 runs over the edge although their `P` is at least 1, and the number of windows that there should be.
#
# <details><summary>Hint</summary>Their P counts windows of 3 pixels; the true span is 5. Write both down for H = 3, 4, 5.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-1-5", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
hunt = {"smallest H": None, "windows there": None}
### BEGIN SOLUTION
hunt = {"smallest H": 3, "windows there": 0}  # their P is 1; the window would need 5 pixels
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "ex-1-5-test", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
over = next(H for H in range(1, 9) if (H - 3) // 1 + 1 >= 1 > output_size(H, 3, dilation=2))
assert list(hunt.values()) == [over, max(0, output_size(over, 3, dilation=2))]

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 1.6 (open, 3 points)
# Find layers `(K, stride)`, applied to a 64 × 64 image with one channel and padding K // 2 and strides of at most 2, that see at least 31 pixels for at most 60,000 multiply-adds. There are many answers; which idea costs least?
#
# <details><summary>Hint</summary>A stride early makes all later layers cheaper, and makes them see further. What does one large kernel cost instead?</details>

# %% nbgrader={"grade": false, "grade_id": "ex-1-6", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
my_layers = []
### BEGIN SOLUTION
my_layers = [(3, 2), (3, 2), (3, 2), (3, 2)]  # each stride doubles the jump and quarters the map
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "ex-1-6-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
size, price = 64, 0
for K, stride in my_layers:
    price += macs(1, 1, K, size, stride, K // 2)
    size = output_size(size, K, stride, K // 2)
assert sees(my_layers) >= 31 and price <= 60_000 and all(s <= 2 for _, s in my_layers)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What we now know
#
# - Window `p` looks with its position `i` at pixel `stride · p + dilation · i − padding`. Shapes, values, the gradient of the input and receptive fields all follow from this line.
# - The floor in the output size leaves pixels over. With an even size, stride 2 and padding 1 the lower padding is idle; that is why 224 gives 112, and why two frameworks may differ by a pixel.
# - A test convicts only what its cases can tell apart: no square images alone, no kernels that look the same from every side, more than one group.
#
# **What was measured**, on your machine:

# %%
print(draw.table({
    "what": ["random cases", "gradient slopes", "receptive field", "first convolution",
             "stride 2, taking turns", "stride 2, best of many"],
    "predicted": ["all equal", "all equal", "19", "1.19 % (printed)", "0.25", "0.25"],
    "found": [f"{len(cases)} equal", f"{len(errors)} equal", touched, f"{first / net.macs:.2%}",
              f"{ratio.median:.2f}", f"{second:.2f}"],
}))  # fmt: skip

# %% [markdown]
# **Next question.** The taps are `K · K` views of one image. Copy them into the rows of a matrix, and a convolution becomes a single matrix product, which a library multiplies far faster than any loop of ours. What does that copy cost? That is chapter 2.
