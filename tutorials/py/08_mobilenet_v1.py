# %% [markdown] slideshow={"slide_type": "slide"}
# # 8 · MobileNet v1
#
# After this chapter you can
#
# - build MobileNet from its Table 1 in a dozen lines, and prove that it is the network of the paper (arXiv:1704.04861);
# - give its tables of cost, 1, 2 and 4 to 7, back by counting, and name what is misprinted in them;
# - predict what the width multiplier and the resolution cost, and measure what they cost in time;
# - write the backward of a composed unit as the mirror image of its forward, and check a whole network;
# - train a slim one, and say where its multiply-adds and its time go.
#
# **You need** chapters 4 to 7.
# **It takes** about two hours to read with the exercises, under two minutes to run on two cores, and downloads nothing.
# **It leaves out** ImageNet: the accuracies of the paper are quoted, not reproduced. Chapter 17 loads trained weights.

# %%
import inspect
import timeit

import numpy as np

from npnets import MobileNetV1, ops
from npnets.bench.timing import compare, one_thread
from npnets.blocks import conv_norm_act, depthwise_norm_act
from npnets.cost import kinds, summarize
from npnets.cost.trace import traced
from npnets.data import load
from npnets.experiments import shares
from npnets.gradcheck import check, check_network
from npnets.init import initialize
from npnets.layers import GlobalAvgPool, Linear, Sequential
from npnets.papers import compare as printed
from npnets.train import Recipe, Run, train
from npnets.tutorials import QUICK, draw

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 8.1 One unit
#
# The network repeats one unit: a depthwise 3 × 3 convolution, batch norm, ReLU, a pointwise convolution, batch norm, ReLU (figure 3 of the paper, right). Two phrases of npnets are all it takes. The stride, if any, is in the depthwise half.
#
# The smallest case: 2 channels of 4 × 4 become 3 channels of 2 × 2. By chapter 7, on 2 · 2 output pixels: 4 · 2 · 9 = 72 multiply-adds depthwise and 4 · 2 · 3 = 24 pointwise, with 18 + 6 weights. Each batch norm has a gamma and a beta per channel, 2 · 2 + 2 · 3 = 10 parameters more.

# %% slideshow={"slide_type": "fragment"}
def unit(in_channels, out_channels, stride):
    return Sequential(
        depthwise=depthwise_norm_act(in_channels, stride=stride),
        pointwise=conv_norm_act(in_channels, out_channels),
    )


small = summarize(unit(2, 3, stride=2), (2, 4, 4))
print(small)
assert (small.macs, small.weights, small.params) == (72 + 24, 18 + 6, 24 + 10)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 8.2 The table is the network
#
# Table 1: a full convolution with stride 2 to 32 channels, thirteen units, an average over all pixels, and a classifier. Below, a pair `(c, s)` is a unit: its output channels and its stride. `width_mult` is the paper's alpha: each layer has alpha times the channels, rounded down as in the published code, and at least 8.

# %% slideshow={"slide_type": "fragment"}
TABLE_1 = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5,
           (1024, 2), (1024, 1)]  # fmt: skip


def mobilenet(width_mult=1.0, num_classes=1000, in_channels=3, small_images=False, rows=TABLE_1):
    width = lambda c: max(int(c * width_mult), 8)
    channels, layers = width(32), {}
    layers["stem"] = conv_norm_act(in_channels, channels, 3, stride=1 if small_images else 2)
    for number, (c, s) in enumerate(rows, 1):
        layers[f"unit{number}"] = unit(channels, width(c), s)
        channels = width(c)
    layers |= {"pool": GlobalAvgPool(), "classifier": Linear(channels, num_classes)}
    return initialize(Sequential(**layers), rng=0)


rng = np.random.default_rng(1)
for _ in range(20):
    options = {"width_mult": rng.uniform(0.1, 0.5), "small_images": bool(rng.integers(2))}
    options |= {"num_classes": int(rng.integers(2, 20)), "in_channels": int(rng.integers(1, 4))}
    x = rng.standard_normal((2, options["in_channels"], *rng.integers(32, 50, 2)), np.float32)
    ours, theirs = mobilenet(**options).eval(), MobileNetV1(**options, rng=3).eval()
    ours.load_state(theirs.state())  # refuses where a name or a shape differs
    assert np.array_equal(ours.forward(x), theirs.forward(x))  # to the last bit

# %% [markdown]
# Nothing was refused. Twenty networks of random width, classes, channels and image sizes, odd and not square: with the same state the same logits, to the last bit.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 8.3 Does the table add up?
#
# `printed` gives every number of a table of the paper beside the one that npnets counts from the built network. Ours is that network, so the counts are ours; the total is counted from ours once more.

# %%
net = mobilenet().eval()
cost = summarize(net, (3, 224, 224))
fc = cost.of_kind(kinds.FULLY_CONNECTED).macs
assert (cost.macs, fc, cost.params) == (568_740_352, 1_024_000, 4_231_976)
cells = [cell for table in "124567" for cell in printed("mobilenet_v1", table)]
odd = [cell for cell in cells if cell.verdict != "exact"]
print(*(f"table {c.table}, {c.row}: {c.printed} {c.verdict}. {c.reason}" for c in odd), sep="\n")
assert len(cells) == 117 and [c.printed for c in odd] == ["s2", "1.19", "4866", "290"]

# %% [markdown]
# Four numbers of 117 are not what rounding gives. The total, 568,740,352, is: 569 million.
#
# > **Paper and code.** *Table 1*: the last depthwise layer is printed with stride 2, while 7 × 7 pixels go in and come out. *Table 2*: 1.19 % where 1.91 % is counted; two digits changed places, and the printed column sums to 99.29 %. *Table 7*: 290.68 million is printed as 290, cut off. The next cell settles the first: with stride 2 the total would be 534 million, which no table prints.
#
# > **Paper and code.** Table 4 sets the 569 beside the same network of full convolutions, 4866. The 569 are counted *with* the classifier and its 1,024,000 multiply-adds, the 4866 *without*; the ratio hardly notices. Table 5 has a "shallow" MobileNet with five layers removed: they are five *units*, those with 14 × 14 × 512 in and out. The next cell takes them out, and the printed 307 million come out.

# %%
def total(rows):
    return summarize(mobilenet(rows=rows), (3, 224, 224))


as_printed, shallow = total([*TABLE_1[:-1], (1024, 2)]), total(TABLE_1[:6] + TABLE_1[11:])
assert [round(n / 1e6) for n in (as_printed.macs, shallow.macs)] == [534, 307]
of = kinds.POINTWISE, kinds.DEPTHWISE, kinds.STEM, kinds.FULLY_CONNECTED
macs = [cost.of_kind(kind).macs for kind in of]
weights = [cost.of_kind(kind).weights for kind in of]
percent = 100 * np.divide([macs, weights], [[cost.macs], [cost.weights]])
assert percent.round(2).tolist() == [[94.86, 3.06, 1.91, 0.18], [74.59, 1.06, 0.02, 24.33]]

# %% slideshow={"slide_type": "subslide"}
first, *pairs, last = [row for row in cost if row.weights]  # 28 layers, as the paper counts
parts = [(first,), *zip(pairs[::2], pairs[1::2]), (last,)]  # a unit has two
each = np.array([[sum(r.macs for r in rows), sum(r.weights for r in rows)] for rows in parts])
figure, axes = draw.figure(height=3.3)
axes.plot(100 * each / each.sum(axis=0), label=["multiply-adds", "weights"])
shapes = [" × ".join(map(str, rows[-1].output_shape)) for rows in parts]
axes.set_xticks(range(15), shapes, rotation=90)
axes.set(xlabel="stem, thirteen units, classifier: what each makes", ylabel="share (%)")
axes.legend()
assert len(pairs) == 26 and (100 * each[7] / each.sum(axis=0)).round(1).tolist() == [9.2, 6.3]
draw.picture(figure, alt="Multiply-adds: level but for dips. Weights: near 0, rising to 25 %.")

# %% [markdown]
# *Figure 8.1. Table 1 from left to right: channels × height × width that each part makes, and what it costs. Check by hand: a unit of 512 × 14 × 14 has 14 · 14 · 512 · (9 + 512) = 52,283,392 multiply-adds, 9.2 % of all, and 512 · 521 weights, 6.3 %; there are five of them. The classifier has 1024 · 1000 weights.*
#
# A stride of 2 leaves a quarter of the pixels, and the channels double: twice in and twice out, so the multiply-adds stay at the old level while the weights go up four times. A unit in which the channels double has about half of the multiply-adds of its neighbours: those are the dips.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 8.4 Two knobs
#
# Alpha scales channels. A pointwise layer has `c1 · c2` of them on each pixel, so its cost goes with alpha². A depthwise layer has `c1`: alpha. So do the stem, which sees three colours whatever alpha is, and the classifier with its fixed number of classes. Hence exactly, as long as no width is rounded,
#
# $$ \texttt{macs}(\alpha) = \alpha^2\,\texttt{pointwise} + \alpha\,(\texttt{depthwise} + \texttt{stem} + \texttt{classifier}). $$
#
# The resolution, rho times 224, scales the pixels of every map: rho² for all but the classifier, exactly where the size is a multiple of 32, so that no stride rounds. It changes no weight.

# %%
def predicted(alpha, size):
    pointwise, *others = macs
    pixels = (size / 224) ** 2
    return pixels * (alpha**2 * pointwise + alpha * (sum(others) - fc)) + alpha * fc


settings = [(a, 224) for a in (1.0, 0.75, 0.5, 0.25)] + [(1.0, r) for r in (192, 160, 128, 64)]
nets = {s: mobilenet(s[0]).eval() for s in settings}
counted = {s: summarize(nets[s], (3, s[1], s[1])).macs for s in settings}
assert all(round(predicted(*s)) == counted[s] for s in settings)
assert [round(predicted(*s) / 1e6) for s in settings] == [569, 325, 149, 41, 418, 291, 186, 47]

# %% [markdown]
# All seven costs of Tables 6 and 7, from a formula with two variables. (The 290 is the one that is cut off.) The eighth, 64 pixels, is in no table: it has nearly the multiply-adds of alpha 0.25.
#
# **Prediction for the clock**: time goes as the multiply-adds do. Alpha 0.25 would then take 7 % of the time, and a resolution of 128 a third. If it does not, alpha should lose more: depthwise layers, batch norm and ReLU shrink with alpha and not alpha², and they are dearer per multiply-add (chapter 7), while rho scales all alike. One image, one thread, networks in `eval` mode taking turns.

# %%
rng = np.random.default_rng(2)
images = {s: rng.standard_normal((1, 3, s[1], s[1]), np.float32) for s in settings}
with one_thread():
    runs = {s: lambda s=s: nets[s].forward(images[s]) for s in settings}
    timed = compare(runs, seconds=0.3 if QUICK else 12)
share, time = {s: counted[s] / cost.macs for s in settings}, {s: timed.ratio(s) for s in settings}
rows = [(*s, f"{share[s]:.3f}", time[s]) for s in settings]
print(draw.table(dict(zip(("alpha", "size", "multiply-adds", "time"), zip(*rows)))))
dearer = {s: time[s].median / share[s] for s in settings}  # per multiply-add
assert QUICK or min(dearer[0.25, 224], dearer[1.0, 64]) > 1

# %% slideshow={"slide_type": "subslide"}
figure, axes = draw.figure(height=2.8)
for group, name in ((settings[:4], "alpha"), (settings[:1] + settings[4:], "resolution")):
    axes.plot([share[s] for s in group], [time[s].median for s in group], label=name)
axes.plot([0, 1], [0, 1], "k:", marker="", label="as predicted")
axes.set(xlabel="multiply-adds, of those of 1.0 MobileNet-224", ylabel="time, as a share")
axes.legend()
draw.picture(figure, alt="The table above as curves: both lie above the diagonal at the left.")

# %% [markdown]
# *Figure 8.2. Each point is a network of Tables 6 and 7. On the dotted line time would be proportional to the multiply-adds. Check: alpha 0.5 is at 149/569 = 0.26, resolution 160 at 291/569 = 0.51.*
#
# Both knobs save less time than multiply-adds: at the left end each multiply-add is dearer than in the whole network, and the last line of the first cell asserts that. The second half of the prediction fails: at nearly equal multiply-adds 64 pixels are about as dear as alpha 0.25, or dearer. Alpha leaves the passes of batch norm and ReLU; but the resolution leaves the weights, all of them to be read for ever fewer pixels, and both leave Python's way from one operation to the next.
#
# A second benchmark, written differently: batches of four images through *folded* networks, where batch norm and ReLU are part of the convolution, best of many, no turns. It asserts the first half. Which knob is ahead may change with it, so nothing is claimed of that.

# %%
second, chosen = [], ((1.0, 224), (0.25, 224), (1.0, 64))
for s in chosen:
    folded, batch = nets[s].fold(), images[s].repeat(4, axis=0)
    with one_thread():
        times = timeit.repeat(lambda: folded.forward(batch), number=1, repeat=2 if QUICK else 12)
    second.append(min(times))
print([f"alpha {s[0]}, size {s[1]}: {t / second[0]:.3f}" for s, t in zip(chosen, second)])
assert QUICK or min(second[1] / share[0.25, 224], second[2] / share[1.0, 64]) > second[0]

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 8.5 Backward is the mirror image
#
# Let `L` be a scalar, `y = g(f(x))`, `h = f(x)`, and `dy` the gradient of `L` at `y`. Number the elements of `y`, `h` and `x` by `m`, `k` and `j`, each over its whole array. The chain rule says `dh[k] = Σ_m dy[m] · ∂y[m]/∂h[k]`, which is what the backward of `g` computes, and then `dx[j] = Σ_k dh[k] · ∂h[k]/∂x[j]`, which is that of `f`. So a row of operations goes back in the opposite order, each with the `x` that it saw forward. Nothing else is needed for a network without branches. The index ranges, strides and floors are inside of the operations, and were derived in chapters 3, 5 and 7.
#
# Here is a unit in training mode, written with the operations of npnets. Read the second function from below: it is the first one, line by line.

# %% slideshow={"slide_type": "fragment"}
def unit_forward(x, weight, gamma1, beta1, mixing, gamma2, beta2, stride):
    a = ops.depthwise_conv2d(x, weight, stride=stride, padding=1)  # (N, C, P, Q)
    b, *stats1 = ops.batch_norm_relu(a, gamma1, beta1)
    c = ops.pointwise_conv2d(b, mixing)  # (N, O, P, Q)
    y, *stats2 = ops.batch_norm_relu(c, gamma2, beta2)
    return y, (a, b, c, stats1, stats2)


def unit_backward(dy, x, weight, gamma1, beta1, mixing, gamma2, beta2, stride):
    forward = unit_forward(x, weight, gamma1, beta1, mixing, gamma2, beta2, stride)
    _, (a, b, c, stats1, stats2) = forward
    dc, dgamma2, dbeta2 = ops.batch_norm_relu_backward(dy, c, gamma2, beta2, *stats2)
    db, dmixing = ops.pointwise_conv2d_backward(dc, b, mixing)
    da, dgamma1, dbeta1 = ops.batch_norm_relu_backward(db, a, gamma1, beta1, *stats1)
    dx, dweight = ops.depthwise_conv2d_backward(da, x, weight, stride=stride, padding=1)
    return dx, dweight, dgamma1, dbeta1, dmixing, dgamma2, dbeta2


# %% [markdown]
# First against the layers of npnets, on random units, with gammas that are not 1 and betas that are not 0. Theirs run compiled kernels; ours run with the kernels switched off, by the definitions in NumPy: another algorithm. Then on trial: finite differences in float64 with a random upstream gradient. There is curvature now, from the divisions of batch norm, and there are kinks; so the step is short, 1e-5 of the size of each array. Its error is curvature, about step² = 1e-10, and rounding, 1e-16 over the step, or 1e-11, for each term. A batch norm over a dozen numbers may divide by little and make that a hundred times larger: we expect some 1e-8, and allow 1e-7. A direction that crosses the kink of a ReLU proves nothing. `check` recognizes it from forward alone, leaves it out, and counts it.
#
# Four bugs are planted in the text of the backward.

# %%
bugs = {
    "last ReLU forgotten": ("relu_backward(dy, c, gamma2, beta2,", "backward(dy, c, gamma2,"),
    "first ReLU forgotten": ("relu_backward(db, a, gamma1, beta1,", "backward(db, a, gamma1,"),
    "value for its gradient": ("relu_backward(db,", "relu_backward(b,"),
    "mixing sees a, not b": ("(dc, b, mixing)", "(dc, a, mixing)"),
}


def random_unit(rng):
    N, C, O, stride = map(int, rng.integers((2, 1, 1, 1), (4, 5, 5, 4)))
    shapes = {"x": (N, C, *rng.integers(5, 9, 2)), "weight": (C, 1, 3, 3), "gamma1": C, "beta1": C,
              "mixing": (O, C, 1, 1), "gamma2": O, "beta2": O}  # fmt: skip
    return {name: rng.standard_normal(shape) for name, shape in shapes.items()}, stride


def trial(backward, arrays, stride, coordinates=0):
    forward = lambda **a: unit_forward(**a, stride=stride)[0]
    back = lambda dy, **a: backward(dy, **a, stride=stride)
    return check(forward, back, arrays, coordinates=coordinates)


def planted(old, new):
    exec(inspect.getsource(unit_backward).replace(old, new, 1), made := dict(globals()))
    return made["unit_backward"]


# %%
rng = np.random.default_rng(3)
cases, gaps = [random_unit(rng) for _ in range(24)], []
for arrays, stride in cases:
    layer = unit(len(arrays["weight"]), len(arrays["mixing"]), stride).astype(np.float64)
    learned = layer.parameters().values()  # in the order of unit_forward, after x
    for parameter, array in zip(learned, list(arrays.values())[1:]):
        parameter.value = array
    dy = rng.standard_normal(layer.forward(arrays["x"]).shape)
    theirs = layer.backward(dy), *(parameter.grad for parameter in learned)
    with ops.use_kernels(False):
        ours = unit_backward(dy, **arrays, stride=stride)
    gaps += [abs(a - b).max() for a, b in zip(ours, theirs)]
reports = [trial(unit_backward, *case, coordinates=5) for case in cases]
worst, crossed = max(r.max_relative_error for r in reports), sum(r.kinks for r in reports)
print(f"gap to npnets {max(gaps):.1e}; largest relative error {worst:.1e}; kinks {crossed}")
found = [sum(not trial(planted(*bug), *case).ok for case in cases) for bug in bugs.values()]
print(draw.table({"bug": bugs, f"convicted by, of {len(cases)} units": found}))
assert max(gaps) < 1e-10 and worst < 1e-7 and all(r.ok for r in reports) and min(found) > 0

# %% [markdown]
# All four are convicted, though not by every unit: one whose last ReLU lets nothing through has no gradient that could be wrong.
#
# The whole network is checked along one random direction for each parameter, and one for `x`. It has so many ReLUs that a long step would always cross a kink somewhere. So `check_network` takes a step of 3e-8; the last lines show what a longer one meets in two units alone. Rounding over that step is about 1e-8, and 27 batch norms make it larger: a tolerance of 1e-5. It checks a copy whose parameters it moved, so that no gamma is 1 and no beta 0.

# %%
x = np.random.default_rng(4).standard_normal((4, 1, 16, 16))
rows = TABLE_1[:4] if QUICK else TABLE_1
report = check_network(mobilenet(0.25, 10, 1, small_images=True, rows=rows), x)
crossed = check_network(mobilenet(0.25, 10, 1, True, rows=rows[:2]), x, step=1e-2).kinks
print(report.verdict, f"Kinks: {report.kinks}; in two units alone, with a step of 0.01: {crossed}")
assert report.ok and len(report.findings) == 6 + 6 * len(rows) and crossed > 10 > report.kinks

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 8.6 Training a slim one
#
# Alpha 0.25 on the digits of 8 × 8 pixels that come with scikit-learn, each pixel enlarged to 2 × 2: of 8 pixels in a row three strides leave one, and there are four. The stem keeps the size. **Prediction**: an untrained network says nothing, so its loss is ln 10 = 2.303; a trained one reads nine digits of ten in the test set.
#
# `twin` has the same weights, and is asked in training mode: it normalizes the test images with *their own* statistics.

# %%
some = slice(256 if QUICK else None)
train_set, test_set = (part.enlarged(2).subset(some) for part in load("digits"))
slim, twin = (mobilenet(0.25, 10, in_channels=1, small_images=True) for _ in range(2))
run, history = Run(slim, train_set, Recipe(epochs=1 if QUICK else 8)), []
digits, labels = run.normalize(test_set.images), test_set.labels
first_loss = float(ops.cross_entropy(slim.eval().forward(digits), labels))
for epoch in train(run, test_set):
    own = twin.train().load_state(slim.state()).forward(digits).argmax(axis=1) == labels
    print(epoch, f"  with their own statistics {own.mean():.1%}")
    history.append((epoch.test_accuracy, own.mean() - epoch.test_accuracy))
assert abs(first_loss - np.log(10)) < 0.05
assert QUICK or (history[-1][0] > 0.8 and max(lag for _, lag in history) > 0.2)

# %% [markdown]
# While the training accuracy climbs, the test accuracy stays near a guess, 10 %, for the first epochs, and its loss is absurdly high. Then it jumps. That lag is no overfitting: the last column, same weights and same images, has none. At inference batch norm uses *running* statistics, which move by a tenth per step. Early on the weights move faster than these averages, 27 batch norms deep. The learning rate falls towards the end, and the averages catch up. Chapter 5 has the two modes.
#
# > **Paper and code.** The paper says ReLU (section 3.2 and figure 3); its published code has ReLU6, and `MobileNetV1` offers both. Does it matter? To the cost, not at all. To weights: chapter 4 found that a number above 6 is rare while gamma is near 1 and the numbers near normal. The next cell settles it for the network just trained, with the other function in its place.

# %%
six = MobileNetV1(0.25, 10, 1, small_images=True, relu6=True).load_state(slim.state()).eval()
capped, free = (network.forward(digits) for network in (six, slim.eval()))
print(f"{np.mean(capped.argmax(axis=1) != free.argmax(axis=1)):.1%} of the answers change")
assert summarize(six, (1, 16, 16)).macs == summarize(slim, (1, 16, 16)).macs
assert QUICK or abs(capped - free).max() > 0.1

# %% [markdown]
# It matters: weights that were trained with one of the two belong to that one. Chapter 6 has the other disagreement about training, the weight decay of depthwise filters.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 8.7 Where the multiply-adds go, and where the time
#
# > **Paper and code.** Section 3.2 says that MobileNet spends 95 % of its computation time in 1 × 1 convolutions. The table that it points to counts multiply-adds. The two are the same only if every multiply-add takes equally long, and nothing else takes time. The clock settles that.
#
# **Prediction** from chapter 7: 1 × 1 convolutions have a smaller share of the time than of the multiply-adds, and depthwise ones a larger. `shares.measure` notes the time of each operation where it runs, on one thread, and takes the median over the passes; once as the network is written, and once folded.

# %%
both = {"as written": net, "folded": net.fold()}
with one_thread():
    pies = shares.measure(both, seconds=0.3 if QUICK else 8)
groups = {"1 × 1": [kinds.POINTWISE], "depthwise": [kinds.DEPTHWISE], "3 × 3": [kinds.STEM],
          "norm, ReLU": [kinds.BATCH_NORM, kinds.ACTIVATION],
          "other": [kinds.POOL, kinds.FULLY_CONNECTED, shares.PYTHON]}  # fmt: skip
columns = {"multiply-adds": np.insert(percent[0], 3, 0)}
for name, pie in pies.items():
    columns[f"time, {name}"] = [100 * pie.share(*group) for group in groups.values()]
rounded = {name: [f"{part:.1f} %" for part in parts] for name, parts in columns.items()}
print(draw.table({"kind": groups, **rounded}))
work, *spent = columns.values()
assert all(each[0] < work[0] for each in spent) and spent[1][1] > work[1]

# %% [markdown]
# A second benchmark, written differently: run the network once, keep the arguments of every operation, and then time each of them alone, the best of many.

# %%
with traced(both["folded"]) as calls:
    both["folded"].forward(images[1.0, 224])
alone = dict.fromkeys(kinds.KINDS, 0.0)
for call in calls:
    with one_thread():
        times = timeit.repeat(lambda: getattr(ops, call.op)(**call.arguments), number=1, repeat=9)
    alone[kinds.kind_of(call)] += min(times)
alone = [alone[kind] / sum(alone.values()) for kind in of[:2]]
print(f"1 × 1 {alone[0]:.1%}, depthwise {alone[1]:.1%}")
assert 100 * alone[0] < work[0] and 100 * alone[1] > work[1]

# %% slideshow={"slide_type": "subslide"}
figure, axes = draw.figure(height=2.8, columns=3, sharey=True)
for panel, (name, parts) in zip(axes, columns.items()):
    draw.bars(panel, groups, parts, form=".0f")
    panel.set(xlabel="kind of operation", ylabel="share (%)", title=name)
    panel.tick_params(axis="x", rotation=40)
draw.picture(figure, alt="The table above as bars: 1 × 1 is by far the longest in all three.")

# %% [markdown]
# *Figure 8.3. One image of 224 × 224. Left, by count, Table 2 of the paper: the stem, 3 × 3, has 112 · 112 · 32 · 27 = 10,838,016 multiply-adds, 1.91 % of 568,740,352. Middle and right, by your clock. As written, batch norm and ReLU are passes over memory of their own, with no multiply-add that anybody counts; folded into the convolutions they are gone.*
#
# So 95 % is right about multiply-adds, and not about time. Two benchmarks agree on the direction. How far it is off depends on the program. As written, batch norm and ReLU take their part, and folding removes it. Folded, the depthwise half remains, and the way of Python from one operation to the next.

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# Write into the cells that say so; the cell below each one tests it.
#
# ### Exercise 8.1 (warm-up, 1 point)
# By hand: a unit from 512 to 1024 channels with stride 2 sees 14 × 14 pixels. How many multiply-adds has its depthwise half, how many its pointwise half, and how many weights have both?
#
# <details><summary>Hint</summary>The stride is in the depthwise half, so both halves make 7 × 7 pixels. How many channels makes each, and of how many products is one number the sum?</details>

# %% nbgrader={"grade": false, "grade_id": "ex-8-1", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
answers = {"depthwise": None, "pointwise": None, "weights": None}
### BEGIN SOLUTION
answers = {"depthwise": 49 * 512 * 9, "pointwise": 49 * 512 * 1024, "weights": 512 * 1033}
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "ex-8-1-test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
asked = summarize(unit(512, 1024, 2), (512, 14, 14))
assert [*answers.values()] == [*(row.macs for row in asked if row.macs), asked.weights], answers

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 8.2 (derivation, 2 points)
# Which alpha gives a network of `macs` multiply-adds at 224 pixels? Solve the formula of section 8.4 for alpha, with `p` for the pointwise and `q` for all other multiply-adds at alpha 1.
#
# <details><summary>Hint</summary>p·alpha² + q·alpha − macs = 0 is a quadratic equation. One of its two solutions is negative.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-8-2", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def alpha_for(macs, p, q):
    ### BEGIN SOLUTION
    # alpha = (−q ± √(q² + 4·p·macs)) / 2p; the root is larger than q, so + is the positive one.
    return (-q + np.sqrt(q * q + 4 * p * macs)) / (2 * p)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-8-2-test", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
assert all(abs(alpha_for(counted[s], macs[0], sum(macs[1:])) - s[0]) < 1e-9 for s in settings[:4])
### BEGIN HIDDEN TESTS
assert abs(alpha_for(6, 2, 1) - 1.5) < 1e-12
### END HIDDEN TESTS

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 8.3 (code, 3 points)
# Count the multiply-adds of `mobilenet(width_mult, num_classes)` on an image of `size × size`, from `TABLE_1` alone, without building anything.
#
# <details><summary>Hint</summary>With padding 1 and kernel 3 a stride of s makes ceil(size / s) pixels, which is -(-size // s). The stem comes first, with 27 multiply-adds for each number that it makes.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-8-3", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def count_macs(width_mult, num_classes, size):
    ### BEGIN SOLUTION
    channels, size = max(int(32 * width_mult), 8), -(-size // 2)
    total = size**2 * 27 * channels
    for c, s in TABLE_1:
        before, channels, size = channels, max(int(c * width_mult), 8), -(-size // s)
        total += size**2 * before * (9 + channels)
    return total + channels * num_classes
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-8-3-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
for alpha, classes, size in ((1.0, 1000, 224), (0.3, 7, 65), (0.1, 10, 33)):
    right = summarize(mobilenet(alpha, classes), (3, size, size)).macs
    assert count_macs(alpha, classes, size) == right

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 8.4 (measurement, 3 points)
# Folding changes no multiply-add to speak of. Predict, from the shares that you measured in section 8.7, the time of the folded network as a share of the one as written; then measure it with `compare` on one thread, at inference. Return both, and write down why your prediction is not quite right.
#
# <details><summary>Hint</summary>If batch norm and ReLU vanish and nothing else changes, their share of the time is what is saved. columns holds the table of section 8.7, in percent.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-8-4", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def predicted_and_measured(x):
    ### BEGIN SOLUTION
    folded = net.fold()  # bias and ReLU are still computed, while the results are in the cache
    runs = {"as written": lambda: net.forward(x), "folded": lambda: folded.forward(x)}
    with one_thread():
        saved = columns["time, as written"][3] / 100
        return 1 - saved, compare(runs, seconds=0.5).ratio("folded").median
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-8-4-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
guess, measured = predicted_and_measured(images[1.0, 224])
assert 0 < guess < 1 and 0.02 < measured < 5

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 8.5 (bug hunt, 3 points)
# A colleague typed the table by hand. Their network loads your weights without a complaint, and its accuracy is gone. It costs `macs` multiply-adds at 224 pixels, and yours 568,740,352. One stride of their thirteen units is wrong (1 for 2, or 2 for 1). Return the number of that unit, 1 to 13. Why did loading not complain?
#
# <details><summary>Hint</summary>There are thirteen tables with one stride exchanged: 3 - s turns 1 into 2 and 2 into 1. total() counts a table. Which arrays of a state depend on a stride?</details>

# %% nbgrader={"grade": false, "grade_id": "ex-8-5", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def wrong_unit(macs):
    ### BEGIN SOLUTION
    # no array of a state depends on a stride
    tables = ([*TABLE_1[:k], (c, 3 - s), *TABLE_1[k + 1 :]] for k, (c, s) in enumerate(TABLE_1))
    return 1 + next(k for k, table in enumerate(tables) if total(table).macs == macs)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-8-5-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
assert [wrong_unit(n) for n in (as_printed.macs, 2_151_467_008)] == [13, 2]

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 8.6 (open, 3 points)
# You have 100 million multiply-adds. Which alpha and which size, a multiple of 32, do you choose? Return one pair that costs 90 to 100 million, and say from Tables 6 and 7 what you would expect of its accuracy. There are many answers; is it better to be narrow or to be blurred?
#
# <details><summary>Hint</summary>predicted(alpha, size) is cheap to call. In print, 0.5 MobileNet-160 has 76 million and 60.2 % (Table 9); 0.5 MobileNet-224 has 149 million and 63.7 %; 1.0 MobileNet-128 has 186 million and 64.4 %.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-8-6", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
choice = (None, None)
### BEGIN SOLUTION
choice = (0.57, 160)  # a little over the 60.2 % of 0.5 MobileNet-160, which has fewer
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "ex-8-6-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
alpha, size = choice
assert size % 32 == 0 and 90e6 <= summarize(mobilenet(alpha), (3, size, size)).macs <= 100e6

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What we now know
#
# - The network is its table: thirteen units, a stem and a classifier. Counting gives 113 of 117 printed numbers back; of the others two are misprints, one was cut off, and one leaves the classifier out.
# - Alpha acts on pointwise layers squared and on all else once; rho acts squared on all but the classifier. Time follows neither: the smaller the network, the dearer its multiply-adds.
# - A row of operations goes back in the opposite order. 95 % of the multiply-adds are in 1 × 1 convolutions, and less than that of the time.
#
# **What was measured**, on your machine:

# %%
rows = [
    ("network, gradient error", "below 1e-5", f"{report.max_relative_error:.1e}"),
    ("loss before training", "2.303", f"{first_loss:.3f}"),
    ("test accuracy", "above 90 %", f"{history[-1][0]:.1%}"),
    *((f"time at alpha {s[0]}, size {s[1]}", f"{share[s]:.3f}", time[s]) for s in settings[1:]),
    ("1 × 1, of the time, folded", f"{work[0]:.1f} %", f"{spent[1][0]:.1f} %"),
    ("1 × 1, each alone", f"{work[0]:.1f} %", f"{alone[0]:.1%}"),
]
print(draw.table(dict(zip(("what", "predicted", "found"), zip(*rows)))))

# %% [markdown]
# **Next question.** Nearly all multiply-adds are in 1 × 1 convolutions. To save more, one has to save there. Divide their channels into groups, and each costs a fraction. What is lost, and how does a shuffle bring it back? That is chapter 9.
