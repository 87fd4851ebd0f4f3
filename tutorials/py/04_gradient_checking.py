# %% [markdown] slideshow={"slide_type": "slide"}
# # 4 · Gradient checking
#
# After this chapter you can
#
# - choose the step of a finite difference, and say how exact it will be, before trying it;
# - convict a wrong backward pass and acquit a right one, with a tolerance that has a reason;
# - name the bugs that a sum as the loss can never find;
# - recognize a kink, and count how many a check will meet.
#
# **You need** chapters 1 to 3: a convolution and its backward pass.
# **It takes** about an hour and a half with the exercises, under a minute to run on two cores, and downloads nothing.
# **It leaves out** how the gradients are derived: each op has its chapter. Here they are on trial.

# %%
import timeit
from functools import partial
from math import erfc, sqrt

import numpy as np

from npnets import create_model, gradcheck, ops
from npnets.bench.timing import compare, one_thread
from npnets.tutorials import QUICK, draw

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4.1 One number
#
# A backward pass claims to know a slope. The forward pass knows it, too: take a step and see. The smallest case is f(x) = x³ at x = 1, whose slope is 3. A step forward, and a step to both sides:
#
# $$ \frac{f(x + h) - f(x)}{h} = 3 + 3h + h^2, \qquad \frac{f(x + h) - f(x - h)}{2h} = 3 + h^2. $$

# %% slideshow={"slide_type": "fragment"}
def one_sided(f, x, h):
    return (f(x + h) - f(x)) / h


def central(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


steps = [1.0, 0.5, 0.1]
found = {"one-sided": [one_sided(lambda x: x**3, 1, h) for h in steps],
         "central": [central(lambda x: x**3, 1, h) for h in steps]}  # fmt: skip
print(draw.table({"h": steps, **{k: [f"{v:.2f}" for v in each] for k, each in found.items()}}))
assert np.allclose(found["one-sided"], [7, 4.75, 3.31])
assert np.allclose(found["central"], [4, 3.25, 3.01])

# %% slideshow={"slide_type": "subslide"}
figure, axes = draw.figure(height=2.6)
x = np.linspace(0.3, 1.7, 100)
axes.plot(x, x**3, marker="", label="x³")
for name, (a, b) in {"one-sided, slope 4.75": (1, 1.5), "central, slope 3.25": (0.5, 1.5)}.items():
    axes.plot([a, b], [a**3, b**3], label=name)
axes.plot(x, 1 + 3 * (x - 1), marker="", label="tangent, slope 3")
axes.legend()
axes.set(xlabel="x", ylabel="f(x)")
draw.picture(figure, alt="x cubed, its tangent at 1 with slope 3, a central chord from 0.5 to 1.5 "
             "with slope 3.25, and a steeper one-sided one from 1 to 1.5, 4.75.")  # fmt: skip

# %% [markdown]
# *Figure 4.1. With h = 0.5. The central chord runs from 0.5³ = 0.125 to 1.5³ = 3.375 over a width of 1: its slope is 3.25, off by h² = 0.25. The one-sided chord has (3.375 − 1) / 0.5 = 4.75.*
#
# The central difference is off by h², the other one by 3h + h², which shrinks only as h does. So: central, and a small step. How small?

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4.2 The V
#
# In general the Taylor series gives the central difference an error of h²·|f‴|/6. A computer adds another: it knows f only to a relative `eps`, about 2.2e-16 in float64 and 1.2e-7 in float32, and the difference of two such numbers is divided by 2h. Together
#
# $$ \text{error}(h) \;\approx\; \frac{h^2}{6}\,|f'''| \;+\; \frac{\texttt{eps}\,|f|}{h}. $$
#
# As h shrinks, the first part falls and the second one rises: a V on logarithmic axes. Set the derivative by h to zero, h·|f‴|/3 = eps·|f|/h², and the bottom of the V is at
#
# $$ h_{best} \;=\; \left( 3\,\texttt{eps}\,\frac{|f|}{|f'''|} \right)^{1/3}. $$
#
# **Prediction** for f = exp, where f = f‴: 8.7e-6 in float64 and 7.1e-3 in float32. The one-sided difference has the error (h/2)·|f″| + 2·eps·|f|/h (exercise 4.2); its best step for exp is 2·√eps, 3e-8.
#
# A second witness needs no difference at all. Where f is analytic and accepts complex numbers, f(x + ih) = f(x) + ih·f′(x) − …, so the imaginary part over h is the slope; nothing is subtracted, and nothing cancels.

# %% slideshow={"slide_type": "subslide"}
points = np.linspace(1, 1.5, 50)
steps = np.logspace(-14, 0, 71)


def median_error(slope, dtype):
    x, h = points.astype(dtype), steps.astype(dtype)[:, None]
    return np.median(abs(slope(np.exp, x, h) - np.exp(points)) / np.exp(points), axis=1)


with np.errstate(divide="ignore", invalid="ignore"):  # where x + h is x again
    curves = {
        "central, float64": median_error(central, np.float64),
        "central, float32": median_error(central, np.float32),
        "one-sided, float64": median_error(one_sided, np.float64),
        "complex, float64": median_error(lambda f, x, h: f(x + 1j * h).imag / h, np.float64),
    }
figure, axes = draw.figure(height=3)
for name, errors in curves.items():
    axes.loglog(steps, np.maximum(errors, 1e-17), label=name, markevery=5)
axes.set(xlabel="step h", ylabel="relative error of the slope", ylim=(1e-17, 3))
axes.legend(loc="lower left", bbox_to_anchor=(1, 0))
draw.picture(figure, alt="Error against step h, logarithmic. Three differences make a V. Lowest: "
             "central, float64, near h 1e-6; float32, 1e-3 to 1e-2; one-sided, 1e-8. "
             "The complex step falls with h and stays at the bottom.")  # fmt: skip

# %%
eps = {name: np.finfo(name).eps for name in ("float64", "float32")}
best = {}
for name in "central, float64", "central, float32", "one-sided, float64":
    kind, dtype = name.split(", ")
    predicted = (3 * eps[dtype]) ** (1 / 3) if kind == "central" else 2 * eps[dtype] ** 0.5
    best[name] = predicted, steps[np.argmin(curves[name])], curves[name].min()
    assert 1 / 30 < best[name][1] / predicted < 30, name
rows = [[f"{value:.1e}" for value in column] for column in zip(*best.values())]
print(draw.table({"slope": best, "best h, derived": rows[0], "found": rows[1], "error": rows[2]}))
assert curves["central, float64"].min() < 1e-10 < 1e-6 < curves["central, float32"].min()
assert curves["complex, float64"][steps < 1e-9].max() < 1e-15
double, single, one, _ = curves.values()
a, b, c, d = (np.argmin(abs(steps - h)) for h in (1e-13, 1e-10, 1e-4, 1e-3))
assert 200 < double[a] / double[b] < 5000 and 90 < double[d] / double[c] < 110
assert 9 < one[d] / one[c] < 11 and np.all(single[steps < 3e-8] == 1)

# %% [markdown]
# *Figure 4.2. To the right of its bottom the central V falls by 100 for a step that is 10 times smaller: h². To the left it rises by about 10, or 1000 in three such steps: eps/h. In float32, below 3e-8 the sum x + h is x again, and the error is 1. The one-sided line falls by only 10 on the right: h. The complex step falls by 100 and then stays at rounding; an error of exactly 0 is drawn at 1e-17.*
#
# The bottoms that were found lie within a factor of 30 of the derived ones, and mostly to their left: `eps` bounds the rounding of f, and the usual rounding is smaller, which favours a shorter step.
#
# Two rules follow. **Check in float64.** In float32 even the best step leaves an error above 1e-6, and a right gradient cannot be told from one that is wrong by less. **Take a step of about 1e-5**, and expect 1e-10 or less.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4.3 From one number to arrays
#
# An op has arrays in and out. Make one number of the output, with an upstream gradient `dy` drawn at random:
#
# $$ L \;=\; \sum dy \cdot y. $$
#
# Its gradient by `x` is what backward returns for this `dy`. Move `x` along a random direction `v`, an array of the same shape: the slope of `L` is then Σ dx·v by the backward pass, and a central difference by the forward pass. One direction tests all coordinates at once: an error in `dx` shows unless it is orthogonal to `v`, and for a random `v` that has a probability of zero.
#
# A relative error needs something to be relative to. The slope itself will not do: it may be zero and right. We take the largest slope that a `dy` of this length could give, by Cauchy and Schwarz the product of two lengths: that of `dy` and that of the change of `y` per step.

# %% slideshow={"slide_type": "fragment"}
def worst_error(forward, backward, arrays, upstream=None, step=1e-5, directions=5):
    rng = np.random.default_rng(0)
    y = forward(*arrays)
    dy = rng.standard_normal(y.shape) if upstream is None else np.full(y.shape, upstream)
    worst = 0
    for k, gradient in enumerate(backward(dy, *arrays)):
        for _ in range(directions):
            v = rng.standard_normal(arrays[k].shape)
            moved = [[*arrays[:k], arrays[k] + h * v, *arrays[k + 1 :]] for h in (step, -step)]
            change = (forward(*moved[0]) - forward(*moved[1])) / (2 * step)
            largest = np.linalg.norm(dy) * np.linalg.norm(change)
            worst = max(worst, abs(np.sum(dy * change) - np.sum(gradient * v)) / largest)
    return worst


# %%
def batch_norm_backward(dy, x, gamma, beta):
    _, mean, var = ops.batch_norm(x, gamma, beta)
    return ops.batch_norm_backward(dy, x, gamma, mean, var)


rng = np.random.default_rng(1)
image = partial(rng.standard_normal, (3, 6, 7, 8))  # not square, three images, six channels
gamma, beta = rng.uniform(0.5, 2, 6), rng.standard_normal(6)  # not 1 and 0, which hide bugs
window = {"stride": 2, "padding": 1}
right = {
    "convolution": (partial(ops.conv2d, **window), partial(ops.conv2d_backward, **window),
                    (image(), rng.standard_normal((4, 6, 3, 3)))),
    "batch norm": (lambda *a: ops.batch_norm(*a)[0], batch_norm_backward, (image(), gamma, beta)),
    "shuffle": (lambda x: ops.channel_shuffle(x, 2),
                lambda dy, x: (ops.channel_shuffle_backward(dy, 2),), (image(),)),
    "ReLU6": (ops.relu6, lambda dy, x: (ops.relu6_backward(dy, ops.relu6(x)),), (4 * image(),)),
}  # fmt: skip
acquitted = {name: worst_error(*case) for name, case in right.items()}
print(draw.table({"op": acquitted, "worst error": [f"{e:.0e}" for e in acquitted.values()]}))
(z,) = right["ReLU6"][2]
near = np.sum(np.minimum(abs(z), abs(z - 6)) < 5e-5)  # a step of 1e-5, times at most 5
print("kinks of ReLU6 within a step:", near)
assert max(acquitted.values()) < 1e-9 and near == 0

# %% [markdown]
# The prediction was 1e-10 or less. A convolution is linear in each of its arguments and has no curvature at all; only rounding is left. The tolerance is 1e-7: far above what right gradients show and, as section 4.4 will find, far below what wrong ones do.
#
# A judge has to be judged, too. npnets has a check of its own, `gradcheck.check`, which was written apart from this one. Both have to agree, on right gradients and on wrong ones, over random configurations.

# %%
rng = np.random.default_rng(2)
agreed = 0
for trial in range(24):
    K, stride, padding, groups = (int(n) for n in rng.integers((1, 1, 0, 1), (4, 4, 3, 4)))
    options = {"stride": stride, "padding": padding, "groups": groups}
    x = rng.standard_normal((2, 2 * groups, *rng.integers(5, 9, 2)))
    weight, wrong = rng.standard_normal((3 * groups, 2, K, K)), trial % 2 * 1e-4
    forward, right_back = (partial(op, **options) for op in (ops.conv2d, ops.conv2d_backward))
    backward = lambda dy, x, weight: [(1 + wrong) * g for g in right_back(dy, x, weight)]
    ours = worst_error(forward, backward, (x, weight)) < 1e-7
    theirs = gradcheck.check(forward, backward, {"x": x, "weight": weight}, coordinates=20).ok
    agreed += ours == theirs == (wrong == 0)
print(f"{agreed} of 24 verdicts agree: half of the gradients are right, half off by 1e-4")
assert agreed == 24

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4.4 The bug zoo
#
# Ten mistakes that are easily made. Each is on trial twice: with a random upstream gradient, and with `dy` all ones, as in `y.sum().backward()`, which is how many tests are written.

# %%
def normalized(dy, x, gamma, beta, dx_of):
    """Batch norm's backward with another dx, made of dy·gamma, x̂, 1/std and the mean."""
    _, mean, var = ops.batch_norm(x, gamma, beta)
    mean, rate, gamma = (a[:, None, None] for a in (mean, 1 / np.sqrt(var + 1e-5), gamma))
    _, dgamma, dbeta = batch_norm_backward(dy, x, gamma.ravel(), beta)
    average = lambda a: a.mean(axis=(0, 2, 3), keepdims=True)
    return dx_of(dy * gamma, (x - mean) * rate, rate, average), dgamma, dbeta


# %%
conv_back = right["convolution"][1]
bugs = {
    ("convolution", "kernel turned around"): lambda dy, x, w: (
        conv_back(dy, x, w[..., ::-1, ::-1])[0], conv_back(dy, x, w)[1]),
    ("convolution", "dy of the other images"): lambda dy, x, w: conv_back(dy[::-1], x, w),
    ("convolution", "dy of the other channels"): lambda dy, x, w: conv_back(dy[:, ::-1], x, w),
    ("convolution", "dweight averaged over images"): lambda dy, x, w: (
        conv_back(dy, x, w)[0], conv_back(dy, x, w)[1] / len(x)),
    ("batch norm", "only through x"): partial(normalized, dx_of=lambda g, xh, r, m: r * g),
    ("batch norm", "not through var"): partial(
        normalized, dx_of=lambda g, xh, r, m: r * (g - m(g))),
    ("batch norm", "dx without gamma"): lambda dy, x, g, b: (
        batch_norm_backward(dy, x, np.ones(6), b)[0], *batch_norm_backward(dy, x, g, b)[1:]),
    ("batch norm", "dx is zero"): partial(normalized, dx_of=lambda g, xh, r, m: 0 * g),
    ("shuffle", "shuffled again, not back"): lambda dy, x: (ops.channel_shuffle(dy, 2),),
    ("ReLU6", "open at the top"): lambda dy, x: (dy * (x > 0),),
}  # fmt: skip

# %%
trials = [
    [worst_error(right[op][0], backward, right[op][2], upstream) for upstream in (None, 1.0)]
    for (op, _), backward in bugs.items()
]
random_dy, ones_dy = np.array(trials).T
verdicts = [["convicted" if e > 1e-7 else "FREE" for e in each] for each in (random_dy, ones_dy)]
print(draw.table({"op": [op for op, _ in bugs], "bug": [bug for _, bug in bugs],
                  "random dy": verdicts[0], "dy of ones": verdicts[1]}))  # fmt: skip
assert random_dy.min() > 1e-3
survivors = [bug for (_, bug), error in zip(bugs, ones_dy) if error < 1e-7]
assert len(survivors) == 6

# %% slideshow={"slide_type": "subslide"}
figure, axes = draw.figure(height=2.2)
for row, errors in enumerate((list(acquitted.values()), random_dy, ones_dy)):
    heights = row + np.linspace(-0.3, 0.3, len(errors))  # one below the other
    axes.semilogx(np.maximum(errors, 1e-17), heights, linestyle="")
axes.axvline(1e-7, color="black", linestyle=":", marker="")
axes.set(xlabel="worst relative error; dotted: the tolerance", ylabel="trial", ylim=(2.5, -0.5))
axes.set_yticks(range(3), ["right, random dy", "bugs, random dy", "bugs, dy of ones"])
draw.picture(figure, alt="Errors on a logarithmic axis with a dotted line at 1e-7. Four right "
             "gradients lie below 1e-9, ten bugs under random dy above 1e-3; of the same "
             "ten under dy of ones, six lie left of the line and four right.")  # fmt: skip

# %% [markdown]
# *Figure 4.3. One mark for each trial: four, ten and ten. Between the worst right gradient and the mildest bug lie more than six powers of ten; the tolerance stands in the gap. Under dy of ones six marks are on the wrong side.*
#
# Six of the ten walk free under a sum. Why?
#
# - *dy of the other images*, *of the other channels*, *shuffled again*: these put the numbers of `dy` in wrong places, and ones look alike in every place.
# - *not through var*, *dx without gamma*, *dx is zero*: the outputs of batch norm add up to a constant, N · H · W · Σ beta, whatever `x` is. Under a sum the right `dx` is zero, and so are many wrong ones. Chapter 5 derives this.
#
# Other blind spots have nothing to do with `dy`. With gamma = 1, *dx without gamma* is right. With four channels in two groups the shuffle is its own inverse, and *shuffled again* is right as well. With inputs below 6, *open at the top* is right. A check is as good as its arrays:

# %%
rng = np.random.default_rng(3)
x = rng.standard_normal((3, 6, 7, 8))
four = rng.standard_normal((2, 4, 3, 3))
blind = {
    "gamma is 1": ("batch norm", "dx without gamma", (x, np.ones(6), beta)),
    "2 groups of 2": ("shuffle", "shuffled again, not back", (four,)),
    "x below 6": ("ReLU6", "open at the top", (x,)),
}
blind = {name: worst_error(right[op][0], bugs[op, bug], a) for name, (op, bug, a) in blind.items()}
print({name: f"{error:.0e}" for name, error in blind.items()})
assert max(blind.values()) < 1e-7  # three bugs that even a random dy does not convict

# %% [markdown]
# > **Paper and code.** The MobileNet paper (arXiv:1704.04861) writes ReLU; its published code has ReLU6. Does the difference matter to a gradient? Only where a number exceeds 6. If what a batch norm gives is normally distributed, 6 is six standard deviations with gamma 1 and beta 0: about one number in a billion. With gamma 3 it is one in 44. The cell computes both and counts them.

# %%
z = np.random.default_rng(4).standard_normal(1_000_000)
above = [np.mean(gamma * z > 6) for gamma in (1, 3)]
share = [erfc(6 / gamma / sqrt(2)) / 2 for gamma in (1, 3)]
print("share above 6: predicted", *share, "counted", *above)
assert above[0] == 0 and 1 / 46 < above[1] < 1 / 42
assert 0.9e-9 < share[0] < 1.1e-9 and round(1 / share[1]) == 44

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4.5 Kinks
#
# ReLU has a corner at 0. A central difference that straddles it sees part of each side: at x = 0 it finds 1/2, whatever backward says. Neither is wrong. The question is how often it happens.
# A standard normal number lies within h of zero with a probability of about 2h·0.399. **Prediction**: of `n` numbers, 0.798·h·n are near enough to a kink for a step h to cross it.

# %% slideshow={"slide_type": "subslide"}
h, x = 0.1, np.linspace(-0.3, 0.3, 61)
figure, (left, right_panel) = draw.figure(height=2.5, columns=2)
left.plot(x, (x > 0).astype(float), marker="", label="backward")
left.plot(x, central(lambda x: np.maximum(x, 0), x, h), marker="", label="central difference")
left.set(xlabel="x", ylabel="slope of ReLU at x", title="h = 0.1")
left.legend()
sizes = np.array([1e-1, 1e-2, 1e-3, 1e-4, 1e-5])
counted = [np.sum(abs(z) < size) for size in sizes]
right_panel.loglog(sizes, 0.798 * sizes * len(z), marker="", label="predicted")
right_panel.loglog(sizes, counted, linestyle="", label="counted")
right_panel.set(xlabel="step h", ylabel="kinks crossed, of a million")
right_panel.legend()
print("predicted", [f"{0.798 * s * len(z):.0f}" for s in sizes], "counted", np.array(counted))
assert np.allclose(counted, 0.798 * sizes * len(z), rtol=0.1, atol=12)
draw.picture(figure, alt="Left: ReLU's slope jumps at 0; the difference ramps from −0.1 to 0.1. "
             "Right: kinks crossed, from 8 at a step of 1e-5 to 79,800 at 0.1.")  # fmt: skip

# %% [markdown]
# *Figure 4.4. Left: with h = 0.1 the difference is a ramp from −h to h; at 0 it is 1/2. Right: of a million numbers, a step of 1e-3 crosses some 800 kinks, and one of 1e-5 some 8.*
#
# For an op with a thousand numbers, 1e-5 hardly ever crosses one. A network with a million activations crosses some at every step. `gradcheck` therefore recognizes a crossing from the forward pass alone: between h and h/2 a smooth slope stays, and a curvature halves. It leaves such directions out, draws others, and reports the count.
# For a whole network it takes a shorter step, 3e-8, and pays with more rounding, on the left arm of the V. **Prediction**: eps/h is 7e-9, and the rounding of many layers adds up, so some 1e-8 to 1e-6.

# %%
x = np.random.default_rng(9).standard_normal((4, 10))
x[0, :3] = 0  # three kinks
backward = lambda dy, x: ops.relu_backward(dy, ops.relu(x))
(finding,) = gradcheck.check(ops.relu, backward, {"x": x}, directions=0).findings
print(f"three zeros: {finding.kinks} kinks; the other {finding.tried}: {finding.error:.0e}")
assert finding.kinks == 3

net = create_model("mobilenet_v1_x0_25", num_classes=10, small_images=True, rng=0)
report = gradcheck.check_network(net)
print("\n".join(str(report).splitlines()[:3]), "...", str(report).splitlines()[-1], sep="\n")
print("kinks crossed and left out:", report.kinks)
assert report.ok and report.max_relative_error < 1e-5

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 4.6 What a check costs
#
# Coordinate by coordinate, an array of n numbers takes 2n forward passes. Along one direction it takes 2. The first convolution of MobileNet v1 has 3·3·3·32 = 864 weights and 10,838,016 multiply-adds (chapter 1), so its weights cost 2 · 864 · 10,838,016 one by one, 18.7 billion. **Prediction**: with n = 54 weights, coordinates take 54 times as long as a direction.

# %%
assert 2 * 27 * 32 * 10_838_016 == 18_728_091_648
rng = np.random.default_rng(5)
x, weight = rng.standard_normal((1, 3, 40, 40)), rng.standard_normal((2, 3, 3, 3))
every_v = np.eye(weight.size).reshape(-1, *weight.shape)
probe = lambda vs: [ops.conv2d(x, weight + h * v).sum() for v in vs for h in (1e-5, -1e-5)]
candidates = {"one direction": lambda: probe([np.ones_like(weight)]),
              "all coordinates": lambda: probe(every_v)}  # fmt: skip
passes = [len(run()) for run in candidates.values()]
assert passes == [2, 2 * 54]
with one_thread():
    timed = compare(candidates, seconds=0.5 if QUICK else 3)
    single, every = (min(timeit.repeat(run, number=1, repeat=20)) for run in candidates.values())
ratio = timed.ratio("all coordinates")
print(timed)
print(f"forward passes {passes}, time {ratio}, best of 20 runs {every / single:.1f}")
assert ratio.median > 1 and every > single

# %% [markdown]
# The second number comes from another benchmark: no turns, the best of twenty. Where both are near 54, the forward pass is all there is to pay; where they are not, another job on your machine has had its part. Use directions to convict, and coordinates afterwards, to find out *where* the gradient is wrong.

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# ### Exercise 4.1 (warm-up, 1 point)
# By hand: the central difference of x³ at x = 2 with h = 0.5, and how far it is from the true slope.
#
# <details><summary>Hint</summary>2.5³ is 15.625 and 1.5³ is 3.375. Compare the error with h².</details>

# %% nbgrader={"grade": false, "grade_id": "ex-4-1", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
slope, error = None, None
### BEGIN SOLUTION
slope, error = 12.25, 0.25
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "ex-4-1-test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
assert (slope, error) == (central(lambda x: x**3, 2, 0.5), 0.5**2)

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 4.2 (derivation, 2 points)
# Derive the best step of the *one-sided* difference, whose error is (h/2)·|f″| + 2·eps·|f|/h, as a function of eps, |f| and |f″|. (Two roundings over h, where the central difference had two over 2h.)
#
# <details><summary>Hint</summary>Differentiate by h and set to zero. For f = f″ = 1 you should find 3e-8 in float64.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-4-2", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def best_one_sided(eps, f, second):
    ### BEGIN SOLUTION
    # |f″|/2 − 2·eps·|f|/h² = 0, so h² = 4·eps·|f|/|f″|
    return 2 * np.sqrt(eps * abs(f) / abs(second))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-4-2-test", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
assert np.isclose(best_one_sided(1e-16, 1, 4), 1e-8, rtol=1e-6, atol=0)
### BEGIN HIDDEN TESTS
assert np.isclose(best_one_sided(1e-14, -3, 3), 2e-7, rtol=1e-6, atol=0)
### END HIDDEN TESTS

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 4.3 (code, 3 points)
# Write the complex-step gradient of a scalar function of an array: one number for each coordinate. It is exact to rounding with h = 1e-30.
#
# <details><summary>Hint</summary>Add 1j·h to one coordinate of a complex copy. Why may h be so small here, and not in a difference?</details>

# %% nbgrader={"grade": false, "grade_id": "ex-4-3", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def complex_step(f, x, h=1e-30):
    ### BEGIN SOLUTION
    steps = 1j * h * np.eye(x.size).reshape(-1, *x.shape)  # nothing is subtracted from f(x)
    return np.array([f(x + step).imag / h for step in steps]).reshape(x.shape)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-4-3-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
x = np.random.default_rng(6).standard_normal((3, 4))
exact = {"rtol": 1e-14, "atol": 0}  # a difference would be off by more
assert np.allclose(complex_step(lambda x: np.sum(np.exp(x)), x), np.exp(x), **exact)
assert np.allclose(complex_step(lambda x: np.sum(x[:, :1] * x), x)[:, 1:], x[:, :1], **exact)

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 4.4 (measurement, 2 points)
# By which factor does the error of the central difference of exp grow when h goes from 1e-2 to 1e-1? Predict it, and measure it over `points` in float64. Return both.
#
# <details><summary>Hint</summary>On the right arm only the first term of section 4.2 counts. median_error does it for all `steps`; here two are enough.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-4-4", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def growth():
    ### BEGIN SOLUTION
    error = [np.median(abs(central(np.exp, points, h) - np.exp(points))) for h in (1e-2, 1e-1)]
    return 100, error[1] / error[0]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-4-4-test", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
assert growth()[0] == 100 and 99 < growth()[1] < 101

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 4.5 (bug hunt, 2 points)
# A colleague's backward of global average pooling gives every pixel `dy` and forgets to share it out. Their check, on images of 1 × 1, finds nothing wrong. Return images that convict the bug, even with a `dy` of ones.
#
# <details><summary>Hint</summary>Sharing out means dividing by H · W. When does that change nothing?</details>

# %% nbgrader={"grade": false, "grade_id": "ex-4-5", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
evidence = np.zeros((1, 2, 1, 1))
### BEGIN SOLUTION
evidence = np.random.default_rng(7).standard_normal((2, 3, 4, 5))
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "ex-4-5-test", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
unshared = lambda dy, x: (np.broadcast_to(dy[:, :, None, None], x.shape),)
assert worst_error(ops.global_avg_pool, unshared, (evidence,), upstream=1.0) > 1e-3

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 4.6 (open, 3 points)
# Invent a wrong backward of `ops.linear` (`x`, `weight`, `bias`) that goes free under a sum and is convicted by a random `dy`.
#
# <details><summary>Hint</summary>Under a sum all numbers of dy are equal. What may be done to equal numbers without anybody seeing it?</details>

# %% nbgrader={"grade": false, "grade_id": "ex-4-6", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def my_bug(dy, x, weight, bias):
    ### BEGIN SOLUTION
    return ops.linear_backward(np.roll(dy, 1, axis=1), x, weight)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-4-6-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
arrays = [np.random.default_rng(8).standard_normal(shape) for shape in ((4, 5), (3, 5), 3)]
free, caught = (worst_error(ops.linear, my_bug, arrays, upstream) for upstream in (1.0, None))
assert free < 1e-7 < 1e-3 < caught

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What we now know
#
# - In float64 a central difference with a step near 1e-5 is good to 1e-10; float32 cannot see below 1e-6.
# - The upstream gradient has to be random: under a sum, bugs that move numbers about, and three of the four bugs of batch norm, go free. So do bugs that the arrays make harmless.
# - A kink makes a difference wrong, not the backward. Its chance is proportional to the step; it is counted and left out.
#
# **What was measured**, on your machine:

# %%
print(draw.table({
    "what": ["best step, float64", "worst right gradient", "mildest bug, random dy",
             "free under ones", "coordinates over direction", "the same, best of twenty"],
    "predicted": ["8.7e-06", "1e-10 or less", "above 1e-7", "0, one would hope", "54", "54"],
    "found": [f"{best['central, float64'][1]:.1e}", f"{max(acquitted.values()):.0e}",
              f"{random_dy.min():.0e}", f"{len(survivors)} of {len(bugs)}",
              f"{ratio.median:.0f}", f"{every / single:.0f}"],
}))  # fmt: skip

# %% [markdown]
# **Next question.** Under a sum the gradient of batch norm vanishes, and a wrong one hides behind it. Where does it go? Chapter 5 follows the three ways by which `x` reaches `y`.
