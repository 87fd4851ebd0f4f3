# %% [markdown] slideshow={"slide_type": "slide"}
# # 5 · Batch norm and ReLU6
#
# After this chapter you can
#
# - derive the three paths by which `x` reaches the output of a batch norm, and see each one in a figure;
# - say why a sum as the loss hides errors in its gradient, and which ones;
# - convert the momentum and the eps of one framework into those of another, and say when it matters;
# - write ReLU6 with its gradient, and count its kinks.
#
# **You need** chapter 4: a random upstream gradient, central differences, a tolerance with a reason.
# **It takes** about an hour and a half with the exercises, under a minute to run on two cores, and downloads nothing.
# **It leaves out** why batch norm helps training: that is disputed, and nothing here depends on it.

# %%
import timeit

import numpy as np

from npnets import MobileNetV1, gradcheck, layers, ops
from npnets.bench.timing import compare, one_thread
from npnets.tutorials import QUICK, draw

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 5.1 Four numbers
#
# Batch norm moves and scales a set of numbers so that their mean is 0 and their variance 1; then it scales and moves them once more, by `gamma` and `beta`, which are learned. For `M` numbers, `m` from 0 to `M` − 1, and with x̂ for what the code calls `x_hat`,
#
# $$ \texttt{mean} = \frac1M \sum_m x[m], \quad \texttt{var} = \frac1M\sum_m (x[m]-\texttt{mean})^2, \quad \hat x[m] = \frac{x[m]-\texttt{mean}}{\sqrt{\texttt{var}+\texttt{eps}}}, \quad y[m] = \texttt{gamma}\cdot\hat x[m] + \texttt{beta}. $$
#
# The `eps` keeps the root away from zero. The smallest case has four numbers, and eps = 0 so that it can be done by hand.

# %% slideshow={"slide_type": "fragment"}
x, gamma, beta = np.array([2.0, 4.0, 4.0, 6.0]), 3.0, 1.0
mean, var = x.mean(), x.var()
x_hat = (x - mean) / np.sqrt(var)
y = gamma * x_hat + beta
print("mean", mean, "var", var, "x̂", x_hat.round(3), "y", y.round(3))
assert (mean, var) == (4, 2)
assert np.allclose(x_hat, [-(2**0.5), 0, 0, 2**0.5])

# %% slideshow={"slide_type": "subslide"}
figure, axes = draw.figure(height=1.9)
for row, (name, numbers) in enumerate({"x": x, "x̂": x_hat, "y": y}.items()):
    axes.plot(numbers, np.full(4, row), linestyle="", label=name, alpha=0.7)
    axes.errorbar(numbers.mean(), row + 0.25, xerr=numbers.std(), color="black", capsize=3)
axes.set(xlabel="value", ylabel="array", ylim=(2.6, -0.5))
axes.set_yticks(range(3), ["x", "x̂", "y"])
draw.picture(figure, alt="Three rows of dots, bars of mean ± deviation. x: 2, 4, 4, 6; 4 ± 1.41. "
             "x̂: −1.41, 0, 0, 1.41; 0 ± 1. y: −3.24, 1, 1, 5.24; 1 ± 3.")  # fmt: skip

# %% [markdown]
# *Figure 5.1. The four numbers (two of them equal) before, between and after; the bars are mean and standard deviation: 4 ± 1.41, then 0 ± 1, then beta ± gamma = 1 ± 3.*
#
# In a network `x` is (N, C, H, W). Each channel has its own mean, variance, gamma and beta, over all images and all pixels: `M = N · H · W`. One channel does not know of another. One *image*, however, does know of the others of its batch, and that is what makes the gradient long.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 5.2 Three paths
#
# Take a scalar of all outputs of one channel, with any numbers `dy`: L = Σ dy[m]·y[m]. Here and below, Σ and the bar run over all `M` numbers of the channel, in the code over `N`, `H` and `W`. Two gradients are short. `gamma` multiplies x̂ and `beta` is added:
#
# $$ d\texttt{gamma} = \sum_{m=0}^{M-1} dy[m]\,\hat x[m], \qquad d\texttt{beta} = \sum_{m=0}^{M-1} dy[m]. $$
#
# For `x` write g[m] = dy[m]·gamma, which is ∂L/∂x̂[m], and rate = 1/√(var + eps). A single x[m] reaches L by three paths.
#
# 1. **Directly**, through its own x̂[m]: the term is rate · g[m].
# 2. **Through the mean**, which moves by 1/M when x[m] moves by 1. All x̂ contain −mean · rate, so ∂L/∂mean = −rate · Σ g. (The variance contains the mean, too, but Σ 2(mean − x[m]) = 0.) The term is −rate · Σ g / M.
# 3. **Through the variance**, which moves by 2(x[m] − mean)/M. All x̂ contain rate = (var + eps)^(−1/2), whose derivative is −rate³/2. So ∂L/∂var = −(rate³/2) · Σ g·(x − mean), and since (x − mean)·rate = x̂, the term is −rate · x̂[m] · Σ g·x̂ / M.
#
# Together, with the bar for the mean over the M numbers,
#
# $$ dx[m] \;=\; \texttt{rate}\cdot\Big(\; g[m] \;-\; \overline{g} \;-\; \hat x[m]\;\overline{g\,\hat x} \;\Big), \qquad g = \texttt{gamma}\cdot dy. $$
#
# No stride, no padding and no floor here: the index `m` runs over every number of the channel.

# %% slideshow={"slide_type": "slide"}
def standardize(x, eps):
    """Return x̂, (N, C, H, W), and rate, (1, C, 1, 1)."""
    over = {"axis": (0, 2, 3), "keepdims": True}  # a channel: all but axis 1
    rate = 1 / np.sqrt(x.var(**over) + eps)
    return (x - x.mean(**over)) * rate, rate


def paths(dy, x, gamma, eps=1e-5):
    """Return the three terms of dx. x and dy are (N, C, H, W), gamma is (C,)."""
    (x_hat, rate), g = standardize(x, eps), dy * gamma[:, None, None]
    mean = lambda a: a.mean(axis=(0, 2, 3), keepdims=True)  # (1, C, 1, 1)
    return rate * g, -rate * mean(g), -rate * x_hat * mean(g * x_hat)


def batch_norm_backward(dy, x, gamma, beta, eps=1e-5):
    x_hat, _ = standardize(x, eps)
    return sum(paths(dy, x, gamma, eps)), (dy * x_hat).sum((0, 2, 3)), dy.sum((0, 2, 3))


four, dy = np.array([2.0, 4.0, 4.0, 6.0]).reshape(4, 1, 1, 1), np.array([1.0, 0, 0, 0])
direct, by_mean, by_var = paths(dy.reshape(4, 1, 1, 1), four, np.array([2**0.5]), eps=0)
by_mean, by_var = np.full(4, by_mean), by_var.ravel()
terms = {"directly": direct.ravel(), "through mean": by_mean, "through var": by_var}
dx = sum(terms.values())
columns = {"x": four.ravel(), **terms, "dx": dx}
print(draw.table({name: values.round(3) for name, values in columns.items()}))
assert np.allclose(dx, [0.25, -0.25, -0.25, 0.25])

# %% slideshow={"slide_type": "subslide"}
figure, axes = draw.figure(height=2.6)
for k, (name, values) in enumerate(terms.items()):
    look = {"color": draw.SHADES[k], "hatch": draw.HATCHES[k]}
    axes.bar(np.arange(4) + 0.22 * (k - 1.5), values, 0.2, label=name, **look)
axes.bar(np.arange(4) + 0.33, dx, 0.2, label="dx, the sum", color="black")
axes.set_xticks(range(4), [f"x = {value:g}" for value in four.ravel()])
axes.set(xlabel="number", ylabel="part of the gradient")
axes.legend(ncols=2)
draw.picture(figure, alt="Bars of the three paths for each of the four numbers. Directly: 1 for "
             "the first only. Mean: −0.25 for all. Variance: −0.5, 0, 0, 0.5. "
             "Their sum, dx: 0.25, −0.25, −0.25, 0.25.")  # fmt: skip

# %% [markdown]
# *Figure 5.2. The four numbers with gamma = √2 and dy = 1 for the first number only. Check by hand: rate is 1/√2, so rate · g is 1 for the first; the mean takes a quarter of it from each; the variance takes x̂[m]·x̂[0]/4 from number m, which is 2/4 for the first and −2/4 for the last. Only the first output counts in L, and yet all four inputs have a gradient.*

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 5.3 Is it right?
#
# Two witnesses: npnets, whose kernel goes over memory twice and shares no line with ours, on forty random shapes; and finite differences, by `gradcheck.check`, in float64, with a random upstream gradient, gamma not 1 and beta not 0. Batch norm is curved, so the step of 1e-5 leaves an error of some 1e-10 (chapter 4); there is no kink.

# %%
rng = np.random.default_rng(1)
errors = []
for _ in range(40):
    shape = tuple(rng.integers((2, 1, 1, 2), (5, 6, 7, 8)))
    x, dy = 3 + 2 * rng.standard_normal((2, *shape))
    gamma, beta = rng.uniform(0.5, 2, shape[1]), rng.standard_normal(shape[1])
    _, mean, var = ops.batch_norm(x, gamma, beta)
    theirs = ops.batch_norm_backward(dy, x, gamma, mean, var)
    ours = batch_norm_backward(dy, x, gamma, beta)
    errors += [abs(a - b).max() / (abs(b).max() + 1e-3) for a, b in zip(ours, theirs)]
print(f"40 random shapes; largest relative difference to npnets {max(errors):.0e}")
assert max(errors) < 1e-9

forward = lambda x, gamma, beta: ops.batch_norm(x, gamma, beta)[0]
arrays = {"x": x, "gamma": gamma, "beta": beta}
report = gradcheck.check(forward, batch_norm_backward, arrays)
checked = report.max_relative_error
print(f"finite differences: {checked:.0e}, about 1e-10 expected; kinks: {report.kinks}")
assert report.ok and checked < 1e-7 and report.kinks == 0

# %% [markdown]
# A third witness is linear algebra. For one channel, dx is a matrix applied to g, and the matrix can be written down: rate · (I − 11ᵀ/M − x̂x̂ᵀ/M), where I is the identity and 1 a column of ones. It is symmetric: the derivative of the forward pass from x to x̂, and its transpose, which is the backward pass, are the same matrix. With eps = 0, where the squares of x̂ add up to M, it takes two directions to zero: the constant one, and x̂ itself.

# %%
x = np.random.default_rng(2).standard_normal((6, 1, 1, 1))
identity = np.eye(6).reshape(6, 6, 1, 1, 1)
matrix = np.array([sum(paths(e, x, np.ones(1), eps=0)).ravel() for e in identity]).T
x_hat = ((x - x.mean()) / x.std()).ravel()
written = (np.eye(6) - 1 / 6 - np.outer(x_hat, x_hat) / 6) / x.std()
print("from our backward and as written:", abs(matrix - written).max())
print("to a constant:", abs(matrix @ np.ones(6)).max(), "to x̂:", abs(matrix @ x_hat).max())
assert np.allclose(matrix, written) and np.allclose(matrix, matrix.T)
assert np.allclose(matrix @ np.ones(6), 0) and np.allclose(matrix @ x_hat, 0)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 5.4 What a sum hides
#
# With the loss Σ y the upstream gradient is constant, and the matrix takes a constant to zero: the right dx is **zero**, whatever `x` is. No wonder: the outputs of a channel add up to M · beta, for the x̂ add up to 0.
# By paths: if g is constant, the second path takes away all that the first one gives, and the third is zero by itself, since it contains Σ x̂. An error in the third path goes free. Here are seven choices of how often to count each path, on trial as in chapter 4.

# %%
choices = {"all three": (1, 1, 1), "no mean": (1, 0, 1), "no variance": (1, 1, 0),
           "only direct": (1, 0, 0), "mean twice": (1, 2, 1), "variance twice": (1, 1, 2),
           "zero": (0, 0, 0)}  # fmt: skip
rng = np.random.default_rng(3)
verdicts = {}
arrays = {"x": rng.standard_normal((3, 4, 5, 2)), "gamma": rng.uniform(0.5, 2, 4)}
arrays["beta"] = rng.standard_normal(4)
for name, factors in choices.items():

    def backward(dy, x, gamma, beta):
        terms = paths(dy, x, gamma)
        dx = sum(factor * term for factor, term in zip(factors, terms))
        return dx, *batch_norm_backward(dy, x, gamma, beta)[1:]

    trials = [gradcheck.check(forward, backward, arrays, upstream=dy) for dy in ("random", "ones")]
    verdicts[name] = ["free" if report.ok else "convicted" for report in trials]
print(draw.table({"paths": verdicts, "random dy": [v[0] for v in verdicts.values()],
                  "dy of ones": [v[1] for v in verdicts.values()]}))  # fmt: skip
assert [name for name, v in verdicts.items() if v[0] == "free"] == ["all three"]
free = [name for name, v in verdicts.items() if v[1] == "free"]
assert free == ["all three", "no variance", "variance twice", "zero"]

# %% [markdown]
# A random `dy` convicts all six. Under ones three of them go free: whatever is done to the variance, and no gradient at all. Only the balance of the first two paths is visible there.
#
# The other two gradients on trial. Under ones the right dgamma is Σ x̂ = 0, so a dgamma of zero should go free.

# %%
spoilt = {
    "dgamma is zero": lambda dx, dgamma, dbeta: (dx, 0 * dgamma, dbeta),
    "dbeta averaged": lambda dx, dgamma, dbeta: (dx, dgamma, dbeta / dx[:, 0].size),
    "dgamma and dbeta exchanged": lambda dx, dgamma, dbeta: (dx, dbeta, dgamma),
}
for name, spoil in spoilt.items():
    backward = lambda dy, **given: spoil(*batch_norm_backward(dy, **given))
    trials = [gradcheck.check(forward, backward, arrays, upstream=dy) for dy in ("random", "ones")]
    print(f"{name}:", *("free" if report.ok else "convicted" for report in trials))
    assert not trials[0].ok and trials[1].ok == (name == "dgamma is zero")

# %% [markdown]
# Is Σ y² better? Its `dy` is 2y = 2·gamma·x̂ + 2·beta: a multiple of x̂ plus a constant, *both* of the directions that vanish. The two obvious losses are the two blind ones.

# %%
rng = np.random.default_rng(10)
x, gamma, beta = arrays.values()
y, *_ = ops.batch_norm(x, gamma, beta)
upstreams = {"ones": np.ones_like(y), "2y": 2 * y, "random": rng.standard_normal(y.shape)}
lengths = {}
for name, dy in upstreams.items():
    dx, *_ = batch_norm_backward(dy, x, gamma, beta)
    lengths[name] = np.linalg.norm(dx) / np.linalg.norm(dy)
print({name: f"{length:.0e}" for name, length in lengths.items()})
assert max(lengths["ones"], lengths["2y"]) < 1e-4 < 1e-1 < lengths["random"]
y, *_ = ops.batch_norm(x, gamma, beta, eps=0)
dx, *_ = batch_norm_backward(2 * y, x, gamma, beta, eps=0)
print(f"2y with eps = 0: {abs(dx).max():.0e}")
assert abs(dx).max() < 1e-12

# %% [markdown]
# What is left under 2y is due to eps: the variance of x̂ is var/(var + eps), not quite 1. With eps = 0 only rounding is left.
#
# The lesson is not to take another power of y. Any loss that is a function of a channel's mean and variance alone is blind, for batch norm has just fixed both. A random `dy` has a part along each of the M directions, and only two of these vanish.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 5.5 Training and inference
#
# At inference there may be one image, and its answer must not depend on others. So training keeps running statistics, and inference uses these constants:
#
# $$ \texttt{running} \leftarrow (1 - \texttt{momentum})\cdot\texttt{running} + \texttt{momentum}\cdot\texttt{newest}. $$
#
# > **Paper and code.** `momentum` is the weight of the *newest* batch in PyTorch and here, 0.1 as a default. In TensorFlow and Keras it is the weight of the *old* value: Keras' MobileNetV2 has 0.999, which is 0.001 here; the published MobileNet v1 code has a decay of 0.9997, which is 0.0003. Copy the number without turning it around, and the statistics forget everything but the last batch. The cell and Figure 5.3 show whether that matters.

# %% slideshow={"slide_type": "subslide"}
rng = np.random.default_rng(4)
batches = 3 + rng.standard_normal((1200, 8, 1, 2, 2))  # batches of 32 numbers, true mean 3
figure, axes = draw.figure(height=2.6)
tracked = {}
for momentum in (0.1, 0.01, 0.9):
    norm, means = layers.BatchNorm(1, momentum=momentum), []
    for batch in batches:
        norm.forward(batch)
        means.append(norm.running_mean.value.item())
    tracked[momentum] = np.array(means)
    axes.plot(range(1, 301), means[:300], label=f"momentum {momentum}", markevery=40)
axes.set(xlabel="batches seen", ylabel="running mean", ylim=(0, 3.8))
axes.legend(loc="lower right")
spread = {momentum: means[-200:].std() for momentum, means in tracked.items()}
print("spread of the last 200:", {momentum: f"{value:.3f}" for momentum, value in spread.items()})
assert spread[0.01] < spread[0.1] < spread[0.9]
draw.picture(figure, alt="Running means rising from 0 to 3: at once and noisy with momentum 0.9, "
             "within some 20 batches with 0.1, within some 230 with 0.01.")  # fmt: skip

# %% [markdown]
# *Figure 5.3. The true mean is 3. After n batches the start still weighs (1 − momentum)ⁿ: with 0.1 it falls below a tenth after 22 batches, with 0.01 after 230. With 0.9, which is what TensorFlow calls 0.1, the mean is that of the last batch.*
#
# Two smaller conventions remain. PyTorch and npnets track the *unbiased* variance, M/(M − 1) times the one that normalizes; with M = 2 that is twice as much. And eps belongs to the weights: 1e-3 in TensorFlow, 1e-5 in PyTorch. For a channel with a variance of 1 that is nothing; for one of 1e-4, it is a factor of three.

# %%
assert (1 - 0.1) ** 22 < 0.1 < (1 - 0.1) ** 21
assert (1 - 0.01) ** 230 < 0.1 < (1 - 0.01) ** 229
norm = layers.BatchNorm(1, momentum=1.0)
norm.forward(np.array([1.0, 3.0]).reshape(2, 1, 1, 1))
print("variance of 1 and 3:", np.var([1, 3]), "and tracked:", norm.running_var.value.item())
assert norm.running_var.value.item() == 2 * np.var([1, 3])
factors = {var: np.sqrt((var + 1e-3) / (var + 1e-5)) for var in (1, 1e-4)}
print("output with eps 1e-5 over eps 1e-3:", {var: f"{f:.4f}" for var, f in factors.items()})
assert factors[1] < 1.001 and 3 < factors[1e-4] < 3.3

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 5.6 ReLU6
#
# Both MobileNets follow most batch norms with y = min(max(x, 0), 6). From L = Σ dy[m]·y[m], and since each y depends on its own x only,
#
# $$ dx[m] = dy[m] \cdot [\,0 < x[m] < 6\,] = dy[m]\cdot[\,0 < y[m] < 6\,]. $$
#
# The second form needs only `y`: the input may be forgotten. At the two kinks themselves, 0 and 6, any slope from 0 to 1 would do; both forms take 0.
# In the figure a dot marks what both forms give at a kink.
# The ceiling keeps the numbers within a known range, which MobileNetV2 (arXiv:1801.04381) gives as the reason: it is robust in arithmetic of low precision. In 8 bits, with 256 values, the range 0 … 6 has steps of 6/255.

# %%
rng = np.random.default_rng(5)
z = 4 * rng.standard_normal((4, 3, 7, 5))
backward6 = lambda dy, x: dy * ((ops.relu6(x) > 0) & (ops.relu6(x) < 6))
assert np.array_equal(backward6(z, z), ops.relu6_backward(z, ops.relu6(z)))
report = gradcheck.check(ops.relu6, backward6, {"x": z}, coordinates=z.size)
near = np.sum(np.minimum(abs(z), abs(z - 6)) < 1e-5)
print(f"{z.size} numbers, kinks within the step: {near}; worst {report.max_relative_error:.0e}")
assert report.ok and z.size == 420 and np.linspace(0, 6, 256)[1] == 6 / 255
bugs = lambda x: x > 0, lambda x: x < 6, lambda x: (x > 0) & (x < 5)
trials = [gradcheck.check(ops.relu6, lambda dy, x: dy * bug(x), {"x": z}) for bug in bugs]
print("open at the top, at the bottom, closed at 5:", [report.ok for report in trials])
assert not any(report.ok for report in trials)

on_kinks = np.array([0.0, 6.0, 3.0, -1.0, 7.0])
slopes = (ops.relu6(on_kinks + 1e-5) - ops.relu6(on_kinks - 1e-5)) / 2e-5
twice = backward6(np.full(5, 2.0), on_kinks)
print("at", on_kinks, "difference", slopes.round(3), "backward of 2", twice)
assert np.allclose(slopes, [0.5, 0.5, 1, 0, 0]) and twice.tolist() == [0, 0, 2, 0, 0]

# %% slideshow={"slide_type": "subslide"}
figure, axes = draw.figure(height=2.3, columns=2)
line = np.linspace(-2, 8, 1001)
for panel, values, name in zip(axes, (ops.relu6(line), backward6(1.0, line)), ("y", "dx / dy")):
    panel.plot(line, values, marker="")
    panel.set(xlabel="x", ylabel=name, xticks=[-2, 0, 2, 4, 6, 8])
axes[1].plot([0, 6], backward6(1.0, np.array([0.0, 6.0])), linestyle="", marker="o")
draw.picture(figure, alt="Left: ReLU6 is 0 up to 0, rises to 6 and stays. Right: its slope is "
             "1 between 0 and 6 and 0 elsewhere, and dots at 0 and 6 lie at 0.")  # fmt: skip

# %% [markdown]
# *Figure 5.4. ReLU6 and its slope. With `dy` = 2 a number of 3 passes 2 back, and numbers of −1 or 7 pass 0.*

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 5.7 What it costs
#
# The papers count no multiply-add for batch norm and ReLU6. Nor do they count their parameters: MobileNet's "4.2 million" are the weights of convolutions and of the fully connected layer. Batch norm adds a gamma and a beta per channel, and as many running statistics.

# %%
net = MobileNetV1(rng=0)
sizes = {name: parameter.value.size for name, parameter in net.parameters().items()}
of_norms = sum(size for name, size in sizes.items() if name.endswith(("gamma", "beta")))
weights = sum(size for name, size in sizes.items() if name.endswith("weight"))
widths = [32, 64, 128, 128, 256, 256, *[512] * 6, 1024, 1024]  # after the stem and each pair
derived = 2 * (32 + sum(widths[:-1]) + sum(widths[1:]))  # gamma and beta of each
print(f"weights {weights:,}, of batch norms {of_norms:,}, derived {derived:,}")
assert of_norms == derived == 21_888
assert round(weights / 1e6, 1) == 4.2

# %% [markdown]
# They cost time all the same: they read and write every number, and memory is slow. Count the passes over the array, one for each time it is read or written. Batch norm reads `x` for the statistics, reads it again and writes `y`: 3. ReLU6 after it reads and writes: 2 more. Fused into one op they take 3. **Prediction**: fused, 3/5 of the time.

# %%
x = np.random.default_rng(6).standard_normal((8, 64, 56, 56)).astype(np.float32)
gamma, beta, y, z = np.ones(64), np.zeros(64), np.empty_like(x), np.empty_like(x)
candidates = {
    "apart": lambda: ops.relu6(ops.batch_norm(x, gamma, beta, out=y)[0], out=z),
    "together": lambda: ops.batch_norm_relu(x, gamma, beta, ceiling=6, out=z),
}
assert np.allclose(candidates["apart"](), candidates["together"]()[0], atol=1e-5)
with one_thread():
    timed = compare(candidates, seconds=0.5 if QUICK else 4)
    once = {"number": 1, "repeat": 10 if QUICK else 60}
    best = [min(timeit.repeat(run, **once)) for run in candidates.values()]
ratio = timed.ratio("together")
print(timed)
print(f"passes {3 / 5}, time {ratio}, best of many {best[1] / best[0]:.2f}")
assert min(timed.times["together"].seconds) < min(timed.times["apart"].seconds)
assert best[1] < 2 * best[0] and x[:, 0].nbytes == 100_352

# %% [markdown]
# The second number is the best of many runs, without turns. Where both lie near 0.6 the passes are the price. Above 0.6, the arithmetic has its part, or ReLU6 found `y` in the cache. Below it, the count was too simple: one channel of the batch has 100,352 bytes and may still be in the cache when it is read again. Then 2 passes stand against 4, and half the time is what to expect. The best of many is the less fair of the two: without turns, one op can meet a quieter moment than the other.

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# ### Exercise 5.1 (warm-up, 1 point)
# By hand, with eps = 0, gamma = 1 and beta = 0: what does batch norm make of a channel with the numbers 1, 1, 5, 5?
#
# <details><summary>Hint</summary>All four are equally far from the mean.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-5-1", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
answer = [None, None, None, None]
### BEGIN SOLUTION
answer = [-1, -1, 1, 1]
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "ex-5-1-test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
numbers = np.array([1.0, 1, 5, 5]).reshape(4, 1, 1, 1)
assert answer == ops.batch_norm(numbers, np.ones(1), np.zeros(1), eps=0)[0].ravel().tolist()
### BEGIN HIDDEN TESTS
assert np.mean(answer) == 0 and np.var(answer) == 1
### END HIDDEN TESTS

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 5.2 (derivation, 2 points)
# The convolution before a batch norm is multiplied by a > 0. With eps = 0 its output `x` becomes a·x, and `y` does not change at all. Derive by which factor `dx` changes, and with it the gradient of that convolution's weights.
#
# <details><summary>Hint</summary>Which symbols of dx = rate·(g − mean(g) − x̂·mean(g·x̂)) depend on a?</details>

# %% nbgrader={"grade": false, "grade_id": "ex-5-2", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def factor_of_dx(a):
    ### BEGIN SOLUTION
    return 1 / a  # only rate does: large weights learn slowly, which weight decay works against
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-5-2-test", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
u, dy = np.random.default_rng(7).standard_normal((2, 4, 2, 3, 3))
before, after = (sum(paths(dy, a * u, np.ones(2), eps=0)) for a in (1, 5))
assert np.allclose(after, factor_of_dx(5) * before)

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 5.3 (code, 3 points)
# At inference mean and var are constants, and batch norm after a convolution is one more multiplication and addition per channel. Return the weight and bias of a convolution that does both at once.
#
# <details><summary>Hint</summary>Write gamma·(weight·x − mean)·rate + beta as (…)·x + (…). The factor belongs to the output channel, axis 0 of weight.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-5-3", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def folded(weight, gamma, beta, mean, var, eps):
    ### BEGIN SOLUTION
    factor = gamma / np.sqrt(var + eps)
    return weight * factor[:, None, None, None], beta - mean * factor
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-5-3-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
rng = np.random.default_rng(8)
u, w = rng.standard_normal((2, 3, 6, 5)), rng.standard_normal((4, 3, 3, 3))
statistics = rng.uniform(1, 2, (4, 4))
apart = ops.normalize(ops.conv2d(u, w), *statistics, 1e-3)
assert np.allclose(ops.conv2d(u, *folded(w, *statistics, 1e-3)), apart)

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 5.4 (measurement, 2 points)
# At inference `ops.normalize` knows its statistics. Count the passes over memory, predict the ratio of its time to that of `ops.batch_norm` on the array `x` of section 5.7, and measure it. Return both.
#
# <details><summary>Hint</summary>Which of the three passes falls away? Both ops take out=y, so that no new memory is asked for.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-5-4", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def inference_over_training():
    ### BEGIN SOLUTION
    runs = {"training": lambda: ops.batch_norm(x, gamma, beta, out=y),
            "inference": lambda: ops.normalize(x, gamma, beta, beta, gamma, out=y)}  # fmt: skip
    with one_thread():
        return 2 / 3, compare(runs, seconds=0.5).ratio("inference").median
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-5-4-test", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
predicted, measured = inference_over_training()
assert abs(predicted - 2 / 3) < 1e-9 and 0 < measured < 3

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 5.5 (bug hunt, 2 points)
# A network was moved from Keras with its momentum copied as it was: 0.99. Its running mean, from 0, is 2.97 after one batch with mean 3. Return the momentum that npnets should have been given, and the running mean after one batch with it.
#
# <details><summary>Hint</summary>Section 5.5 has both conventions. 2.97 is 0.99 · 3.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-5-5", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
momentum, after_one = None, None
### BEGIN SOLUTION
momentum, after_one = 0.01, 0.03
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "ex-5-5-test", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
norm = layers.BatchNorm(1, momentum=momentum)
norm.forward(np.array([2.0, 4.0]).reshape(2, 1, 1, 1))
assert np.isclose(norm.running_mean.value, after_one) and after_one < 0.1
### BEGIN HIDDEN TESTS
assert np.isclose(momentum + 0.99, 1)
### END HIDDEN TESTS

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 5.6 (open, 3 points)
# Find an upstream gradient `dy` for this `y` (gamma and beta as given) that is neither constant nor a multiple of `y`, and under which the right dx nearly vanishes all the same.
#
# <details><summary>Hint</summary>Two directions go to zero in each channel. Combine them differently in each.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-5-6", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def blind_upstream(y):
    ### BEGIN SOLUTION
    channel = np.arange(y.shape[1])[:, None, None]
    return channel + (2 - channel) * y
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-5-6-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
u = np.random.default_rng(9).standard_normal((4, 3, 5, 5))
v, *_ = ops.batch_norm(u, np.array([0.5, 1, 2]), np.array([1.0, 2, 3]))
dy = blind_upstream(v)
assert np.linalg.matrix_rank([dy.ravel(), v.ravel(), np.ones(v.size)]) == 3
dx = sum(paths(dy, u, np.array([0.5, 1, 2])))
assert np.linalg.norm(dx) < 1e-3 * np.linalg.norm(dy)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What we now know
#
# - `x` reaches the output of a batch norm directly, through the mean and through the variance; dx is rate · (g − mean(g) − x̂ · mean(g·x̂)).
# - A constant and x̂ itself are taken to zero, so the losses Σ y and Σ y² see next to nothing of dx. A random upstream gradient sees all of it.
# - Momentum and eps belong to the framework and to the weights. Batch norm and ReLU6 cost no multiply-add that anybody counts, and passes over memory that everybody pays.
#
# **What was measured**, on your machine:

# %%
print(draw.table({
    "what": ["difference to npnets", "worst gradient error", "free under ones",
             "spread, 0.9 over 0.1", "fused over apart, time", "the same, best of many"],
    "predicted": ["rounding", "about 1e-10", "none, one would hope", "above 1", "0.6", "0.6"],
    "found": [f"{max(errors):.0e}", f"{checked:.0e}", f"{len(free) - 1} of 6 bugs",
              f"{spread[0.9] / spread[0.1]:.1f}", f"{ratio.median:.2f}",
              f"{best[1] / best[0]:.2f}"],
}))  # fmt: skip

# %% [markdown]
# **Next question.** Convolution, batch norm, ReLU6, and a loss: every part of a network has a gradient that was proven. Chapter 6 puts them together and lets them learn.
