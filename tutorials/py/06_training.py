# %% [markdown] slideshow={"slide_type": "slide"}
# # 6 · Training
#
# After this chapter you can
#
# - derive the gradient of the softmax cross-entropy, where every backward pass begins;
# - train a small network on real images, in a loop of six lines;
# - run the checks that find a broken training before it costs a night: the first loss, 32 images by heart, a confusion matrix;
# - recognize seven mistakes by their symptoms.
#
# **You need** chapters 1 to 5: each layer of the network is an op whose gradient was proven there.
# **It takes** about an hour and a half with the exercises, under a minute to run on two cores, and downloads nothing: the digits come with scikit-learn. CIFAR-10 is used where it is present.
# **It leaves out** augmentation and long schedules; `npnets train` has both.

# %%
import os
import timeit

import numpy as np

from npnets import create_model, data, gradcheck, ops, optim
from npnets.bench.timing import compare, one_thread
from npnets.blocks import conv_norm_act
from npnets.cost import summarize
from npnets.init import initialize
from npnets.layers import GlobalAvgPool, Linear, ReLU6, Sequential
from npnets.tutorials import QUICK, draw

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 6.1 The first gradient
#
# A network ends in one number per class, the `logits`, of shape (`N`, `K`) for `N` images and `K` classes. The softmax makes probabilities `p` of them, and the loss is how surprising the true label is, in nats, averaged over the images:
#
# $$ p[n,k] = \frac{e^{\texttt{logits}[n,k]}}{\sum_{l} e^{\texttt{logits}[n,l]}}, \qquad L = -\frac1N \sum_{n} \log p[n, \texttt{labels}[n]] $$
#
# $$ L = \frac1N \sum_{n=0}^{N-1} \Big( \log \sum_{l=0}^{K-1} e^{\texttt{logits}[n,l]} \;-\; \texttt{logits}[n,\texttt{labels}[n]] \Big). $$
#
# L is the scalar that all later gradients are gradients of, so no upstream `dy` is needed. Differentiate by `logits[n, k]`. Only the term of image n contains it. The logarithm of the sum gives e to the power of `logits[n, k]` over the sum, which is p[n, k]; the second term gives 1 if k is the label, and 0 if not:
#
# $$ d\texttt{logits}[n,k] = \frac1N \Big( p[n,k] - [\,k = \texttt{labels}[n]\,] \Big). $$
#
# What the network said, less what it should have said. The smallest case: one image, three classes, logits log 1, log 2 and log 5.

# %% slideshow={"slide_type": "fragment"}
def cross_entropy(logits, labels):
    shifted = logits - logits.max(axis=1, keepdims=True)  # or exp overflows; p stays the same
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(labels)), labels].mean()


def cross_entropy_backward(logits, labels):
    p = ops.softmax(logits)
    p[np.arange(len(labels)), labels] -= 1
    return p / len(labels)


logits, labels = np.log([[1.0, 2.0, 5.0]]), np.array([2])
p, dlogits = ops.softmax(logits)[0], cross_entropy_backward(logits, labels)[0]
print("p", p, "loss", cross_entropy(logits, labels).round(3), "dlogits", dlogits)
assert np.allclose(p, [1 / 8, 2 / 8, 5 / 8])
assert np.allclose(dlogits, [1 / 8, 2 / 8, -3 / 8])

# %% slideshow={"slide_type": "subslide"}
figure, axes = draw.figure(height=2, columns=2)
draw.bars(axes[0], ["class 0", "class 1", "class 2"], p)
draw.bars(axes[1], ["class 0", "class 1", "class 2"], dlogits, shades=[1, 1, 1])
for panel, name in zip(axes, ("probability", "gradient (nats)")):
    panel.set(xlabel="logit of", ylabel=name)
draw.picture(figure, alt="Left: probabilities 0.125, 0.25 and 0.625. Right: the gradient, 0.125, "
             "0.25 and −0.375; its bars add up to zero.")  # fmt: skip

# %% [markdown]
# *Figure 6.1. The label is class 2. The loss is −log(5/8) = 0.470. The gradient is p with 1 taken off at the label, 5/8 − 1 = −3/8, and so it adds up to 0: what one class gains the others lose.*
#
# On trial as in chapter 4: forty random batches against npnets, then finite differences in float64 against ours. The loss is smooth, there is no kink, and an error of about 1e-10 is expected. Beside it stand four wrong backwards.

# %%
rng = np.random.default_rng(1)
gaps = []
for _ in range(40):
    N, classes = rng.integers(1, 9), rng.integers(2, 12)
    logits, labels = 3 * rng.standard_normal((N, classes)), rng.integers(classes, size=N)
    gaps.append(abs(cross_entropy(logits, labels) - ops.cross_entropy(logits, labels)))
    gaps.append(abs(cross_entropy_backward(logits, labels)
                    - ops.cross_entropy_backward(logits, labels)).max())  # fmt: skip
print(f"40 random batches, largest difference {max(gaps):.0e}")
assert max(gaps) < 1e-13

logits, labels = 3 * rng.standard_normal((4, 5)), np.array([0, 3, 3, 1])
right = lambda logits: cross_entropy_backward(logits, labels)
bugs = {
    "not averaged": lambda logits: 4 * right(logits),
    "label forgotten": lambda logits: ops.softmax(logits) / 4,
    "labels of other images": lambda logits: cross_entropy_backward(logits, labels[::-1]),
    "softmax over the images": lambda logits: (
        right(logits) - ops.softmax(logits) / 4 + ops.softmax(logits.T).T / 4
    ),
}
forward = lambda z: cross_entropy(z, labels)
judge = lambda back: gradcheck.check(forward, lambda dy, z: dy * back(z), {"z": logits})
checked, free = judge(right).max_relative_error, [name for name in bugs if judge(bugs[name]).ok]
print(f"ours: {checked:.0e}; bugs convicted: {len(bugs) - len(free)} of {len(bugs)}")
assert checked < 1e-7 and not free
assert np.array_equal(ops.softmax(np.ones((4, 4))), ops.softmax(np.ones((4, 4)).T).T)

# %% [markdown]
# All four are convicted by a batch of four. With a batch of *one*, "not averaged" would divide by 1 and be right, and there would be no other image to take labels from. And if all logits are equal, softmax over the images of a square batch is right as well, which the last line asserts. Small symmetric cases are for reading, not for testing.

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 6.2 Real images
#
# 1,797 digits of 8 × 8 pixels, written by people, come with scikit-learn. npnets splits them by class into training and test images. A network is given numbers around zero: each image less the mean of the *training* images, over their standard deviation.

# %% slideshow={"slide_type": "subslide"}
train, test = data.load("digits")
normalize = data.Normalization.of(train)
x_train, x_test = normalize(train.images), normalize(test.images)
print(len(train), "training and", len(test), "test images; mean", x_train.mean().round(6))
assert len(train) + len(test) == 1797 and abs(x_train.mean()) + abs(x_train.std() - 1) < 1e-4


def show(images, titles, alt, columns=10):
    rows = -(-len(images) // columns)  # rounded up
    figure, axes = draw.figure(height=0.95 * rows, rows=rows, columns=columns, squeeze=False)
    for panel in axes.flat:
        panel.axis("off")
    for panel, image, title in zip(axes.flat, images, titles):
        panel.imshow(image[0], cmap="Greys")
        panel.set_title(title, fontsize=8)
    return draw.picture(figure, alt)


show(train.images[:20], train.labels[:20], alt=f"Digits {tuple(train.labels[:20].tolist())}.")

# %% [markdown]
# *Figure 6.2. The first twenty training images, 8 × 8 pixels each, under their labels.*
#
# The network is as small as it can be and still have everything: three times convolution, batch norm and ReLU6 (`conv_norm_act`), the average of each channel, and one fully connected layer. Its backward pass is that of its layers in reverse order, and `Sequential` runs it.

# %% slideshow={"slide_type": "slide"}
def small_net(seed=0, width=16):
    net = Sequential(
        conv1=conv_norm_act(1, width, 3, act=ReLU6),  # 8 × 8
        conv2=conv_norm_act(width, 2 * width, 3, stride=2, act=ReLU6),  # 4 × 4
        conv3=conv_norm_act(2 * width, 4 * width, 3, stride=2, act=ReLU6),  # 2 × 2
        pool=GlobalAvgPool(),
        classifier=Linear(4 * width, 10),
    )
    return initialize(net, np.random.default_rng(seed))


def fit(net, x, labels, epochs, lr=0.05, seed=0, batch_size=64):
    optimizer = optim.SGD(net.parameters(), momentum=0.9)
    rng, losses = np.random.default_rng(seed), []
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for batch in np.split(order, range(batch_size, len(x), batch_size)):
            logits = net.train().forward(x[batch])
            losses.append(float(ops.cross_entropy(logits, labels[batch])))
            net.backward(ops.cross_entropy_backward(logits, labels[batch]))
            optimizer.step(lr)
    return losses


def accuracy(net, x, labels):
    return np.mean(net.eval().forward(x).argmax(axis=1) == labels)


report = gradcheck.check_network(small_net(), x_train[:4])
print(f"whole network: worst {report.max_relative_error:.0e}, {report.kinks} kinks left out")
assert report.ok

# %% [markdown]
# Random directions through every parameter, with gamma and beta moved away from 1 and 0, acquit the backward pass of the whole. For a network the expected error is larger than for an op, some 1e-8 to 1e-6: its many kinks ask for a shorter step, on the steep left arm of the V (chapter 4).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 6.3 Three checks before training
#
# **The first loss.** A network that knows nothing should give all ten classes the same chance. **Prediction**: log 10 = 2.303 nats, whatever the images. More means it starts out sure of something wrong; less, that it has seen the labels.
#
# **32 images by heart.** With so few, any working network can learn them all. **Prediction**: a loss near 0 and all 32 right, within some hundred steps. If not, the fault is in the code and not in the data.
#
# **The same again.** The same seed must give the same weights, bit for bit.

# %%
first = float(ops.cross_entropy(small_net().eval().forward(x_train), train.labels))
print(f"first loss {first:.3f}, predicted {np.log(10):.3f}")
assert abs(first - np.log(10)) < 0.1

few, names = x_train[:32], train.labels[:32]
nets = [small_net(), small_net()]
losses = [fit(net, few, names, epochs=100) for net in nets]
print(f"32 images: loss {losses[0][-1]:.4f}, right {accuracy(nets[0], few, names):.0%}")
assert losses[0][-1] < 0.05 and accuracy(nets[0], few, names) == 1
assert losses[0] == losses[1]
assert all(np.array_equal(a, nets[1].state()[k]) for k, a in nets[0].state().items())

# %% [markdown]
# A second witness for the optimizer: momentum is two lines, velocity ← 0.9 · velocity + gradient and value ← value − lr · velocity. Written out for one parameter, they have to give what `optim.SGD` gives.

# %%
net = small_net()
weight, velocity = net.classifier.weight.value.copy(), 0
sgd = optim.SGD(net.parameters(), momentum=0.9)
for _ in range(3):
    logits = net.train().forward(few)
    net.backward(ops.cross_entropy_backward(logits, names))
    velocity = 0.9 * velocity + net.classifier.weight.grad
    weight -= np.float32(0.05) * velocity
    sgd.step(0.05)
print("difference after three steps:", abs(weight - net.classifier.weight.value).max())
assert np.allclose(weight, net.classifier.weight.value, atol=1e-7)

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 6.4 Training
#
# Now all training images, and the test images only to look at.

# %% slideshow={"slide_type": "subslide"}
net, losses, course, epochs = small_net(), [], [], 6 if QUICK else 12
for epoch in range(epochs):  # lr falls towards zero; each call of fit starts with no velocity
    losses += fit(net, x_train, train.labels, 1, lr=0.05 * (1 - epoch / epochs), seed=epoch)
    course.append([accuracy(net, x_train, train.labels), accuracy(net, x_test, test.labels)])
figure, axes = draw.figure(height=2.6, columns=2)
axes[0].semilogy(np.linspace(0, epochs, len(losses)), losses, marker="", linewidth=0.8)
axes[0].axhline(np.log(10), color="black", linestyle=":", marker="")
axes[0].set(xlabel="epoch", ylabel="loss of each batch (nats)")
for column, name in enumerate(("training", "test")):
    axes[1].plot(range(1, epochs + 1), 100 * np.array(course)[:, column], label=name)
axes[1].set(xlabel="epoch", ylabel="accuracy (%)")
axes[1].legend()
final = course[-1][1]
print(f"test accuracy {final:.1%} after {epochs} epochs")
assert final > 0.93 and abs(losses[0] - np.log(10)) < 0.2
draw.picture(figure, alt=f"Left: the loss of a batch falls from {losses[0]:.2f}, near the dotted "
             f"log 10, to {np.mean(losses[-20:]):.2f}. Right: accuracy after each epoch rises to "
             f"{course[-1][0]:.1%} in training and {final:.1%} at the test.")  # fmt: skip

# %% [markdown]
# *Figure 6.3. Left: the loss starts at log 10, the dotted line, as predicted. Right: accuracy on both sets; the gap between the lines is what was learned by heart and does not carry over. The images were split without regard to who wrote them, so the hand of a stranger may be harder.*
#
# Accuracy is one number. The **confusion matrix** has one for each pair: how many images of class r were taken for class c. Its rows add up to the number of test images of each class, and its diagonal to the correct ones.

# %% slideshow={"slide_type": "subslide"}
answers = net.eval().forward(x_test).argmax(axis=1)
confusion = np.zeros((10, 10), int)
np.add.at(confusion, (test.labels, answers), 1)
assert np.array_equal(confusion.sum(axis=1), np.bincount(test.labels))
assert np.isclose(np.trace(confusion) / len(test), final)
figure, axes = draw.figure(width=4, height=3.4)
draw.heat(axes, confusion, ("taken for", "true class"), form="d")
axes.set(xticks=range(10), yticks=range(10))
draw.picture(figure, alt=f"10 × 10 counts; {np.trace(confusion)} of {len(test)} on the diagonal.")

# %% [markdown]
# *Figure 6.4. Each row adds up to the images of its class. Look for numbers off the diagonal: pairs of digits that are confused.*

# %%
wrong = np.flatnonzero(answers != test.labels)
print(len(wrong), "of", len(test), "test images are wrong")
titles = [f"{a}, not {b}" for a, b in zip(test.labels[wrong], answers[wrong])]
show(test.images[wrong][:10], titles, alt="Label, not answer: " + "; ".join(titles[:10]) + ".")

# %% [markdown]
# *Figure 6.5. The test images that the network got wrong, at most ten of them: "8, not 1" means a label of 8 and an answer of 1. Each of them is one count off the diagonal of Figure 6.4.*

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 6.5 Breaking it on purpose
#
# A broken training seldom crashes. It trains, badly, and one has to know the symptoms. Seven mistakes, each with the same network and the same three epochs. Predict for each the first loss, the last losses and the test accuracy before you run the cells.

# %%
def zero(net):
    for parameter in net.parameters().values():
        parameter.value[...] = 0
    return net


shuffled = np.random.default_rng(2).permutation(train.labels)
broken = {  # network, images, labels, options
    "nothing": (small_net(), x_train, train.labels, {}),
    "lr 1000 times too high": (small_net(), x_train, train.labels, {"lr": 50}),
    "lr 1000 times too low": (small_net(), x_train, train.labels, {"lr": 5e-5}),
    "sign of the gradient": (small_net(), x_train, train.labels, {"lr": -0.05}),
    "labels shuffled": (small_net(), x_train, shuffled, {}),
    "all weights zero": (zero(small_net()), x_train, train.labels, {}),
    "pixels 0 to 255": (small_net(), train.images.astype(np.float32), train.labels, {}),
}


# %%
symptoms = {}
for name, (net_b, x, y, options) in broken.items():
    with np.errstate(all="ignore"):
        losses = fit(net_b, x, y, epochs=3, **options)
        symptoms[name] = losses[0], np.mean(losses[-10:]), accuracy(net_b, x_test, test.labels)
single = broken["nothing"][0].train()  # a good network, and one image at a time
alone = [single.forward(x[None]).argmax() for x in x_test[:100]]
by_itself = np.mean(alone == test.labels[:100])
symptoms["training mode at the test"] = *symptoms["nothing"][:2], by_itself
firsts, lasts, tests = (np.round(column, 2) for column in zip(*symptoms.values()))
print(draw.table({"mistake": symptoms, "first loss": firsts, "last": lasts, "test": tests}))
learned = {k for k, p in broken["all weights zero"][0].parameters().items() if p.value.any()}
assert tests[0] > 0.9 and max(tests[1:]) < 0.5 and max(abs(firsts - np.log(10))) < 0.2
assert lasts[[0, 6, 7]].max() < 1 and not np.any(lasts[[1, 3]] < np.log(10))  # or NaN
assert max(abs(lasts[[2, 4, 5]] - np.log(10))) < 0.3 and learned == {"classifier.bias"}

# %% [markdown]
# What the rows say:
#
# - *lr too high*: the loss ends above log 10 or becomes NaN. *Too low*: it hardly moves. Both start near log 10: the first loss acquits the network and points at the optimizer.
# - *Sign*: the loss grows.
# - *Labels shuffled*, as by sorting images and labels apart: the loss stays near log 10 in these three epochs, and the test accuracy near 10 %. Longer training would learn the labels by heart, as it did with 32 images.
# - *All weights zero*: the loss stays near log 10. Every channel computes zero, and with weights of zero between the layers no gradient reaches any of them; only the last bias moves, which can learn how frequent each class is.
# - *Pixels 0 to 255*: nothing to see while training, because the first batch norm undoes the scale. And yet the test accuracy is near chance, because the test images *were* normalized. This is the mistake that pretrained weights invite (chapter 17).
# - *Training mode at the test*: one image is its own batch, its mean and variance come from itself. Batch norm needs `eval()`.
#
# > **Paper and code.** Not every parameter is decayed. The MobileNet paper (section 3.2) puts "very little or no" weight decay on depthwise filters; its published code leaves them out altogether (`regularize_depthwise=False`), and so it does batch norm and biases. A `Parameter` here says so itself. Does it matter how "little" is read? The cell counts: less than 4 % of the slim network's numbers are spared, and all others are decayed either way.

# %%
parameters = create_model("mobilenet_v1_x0_25", rng=0).parameters()
spared = [name for name, parameter in parameters.items() if not parameter.decay]
sizes = {name: parameter.value.size for name, parameter in parameters.items()}
share = sum(sizes[name] for name in spared) / sum(sizes.values())
print(f"{len(spared)} are spared, {share:.1%} of all numbers, such as", *sorted(spared)[:3])
assert all(name.endswith(("gamma", "beta", "bias")) or "depthwise.conv" in name for name in spared)
assert sum("depthwise.conv" in name for name in spared) == 13 and share < 0.04

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 6.6 What a step costs
#
# A layer's forward pass is one product. Its backward pass makes two gradients, dx and dweight, each with as many multiply-adds as the forward pass (chapter 3). **Prediction**: a step, forward and backward without the update of the weights, costs three times a forward pass. The network counts the forward pass; the step is timed.

# %%
macs = summarize(small_net(), (1, 8, 8)).macs
derived = 64 * 9 * 16 + 16 * 9 * 16 * 32 + 4 * 9 * 32 * 64 + 640
print(f"multiply-adds of one digit: counted {macs:,}, derived {derived:,}, step {3 * macs:,}")
assert macs == derived
slim = summarize(create_model("mobilenet_v1_x0_25"), (3, 224, 224))
assert round(slim.macs / 1e6) == 41  # the paper's Table 6

net, batch = small_net(), x_train[:64]
forward = lambda: net.eval().forward(batch)


def step():
    logits = net.train().forward(batch)
    net.backward(ops.cross_entropy_backward(logits, train.labels[:64]))


with one_thread():
    timed = compare({"forward": forward, "step": step}, seconds=0.5 if QUICK else 3)
    best = [min(timeit.repeat(run, number=1, repeat=100)) for run in (forward, step)]
ratio = timed.ratio("step")
print(timed)
print(f"multiply-adds 3, time {ratio}, best of a hundred {best[1] / best[0]:.1f}")
assert ratio.median > 1 and best[1] > best[0]

# %% [markdown]
# Where your ratio is not 3, look at what the count leaves out: batch norm has to find its statistics in training and not at inference, its backward goes over memory twice, and on images as small as these, calling a layer costs time that no count of arithmetic shows (exercise 6.4).

# %% [markdown] slideshow={"slide_type": "slide"}
# ## 6.7 CIFAR-10, where it is present
#
# The same checks on photos: point the environment variable `NPNETS_CIFAR10` to a folder that holds CIFAR-10, and this cell runs the slim MobileNet on it. Without it, the cell says so, and nothing else of the chapter depends on it.

# %%
folder = os.environ.get("NPNETS_CIFAR10")
if folder and not QUICK:
    photos, _ = data.load("cifar10", folder)
    x, y = data.Normalization.of(photos)(photos.images[:32]), photos.labels[:32]
    slim = create_model("mobilenet_v1_x0_25", num_classes=10, small_images=True, rng=0)
    before = float(ops.cross_entropy(slim.eval().forward(x), y))
    after = fit(slim, x, y, epochs=60)[-1]
    print(f"{len(photos)} photos; first loss {before:.3f}; 32 by heart: loss {after:.4f}")
    assert abs(before - np.log(10)) < 0.1 and after < 0.1
else:
    print("no photos: NPNETS_CIFAR10 is not set, or QUICK is; nothing was downloaded")

# %% [markdown] slideshow={"slide_type": "skip"}
# ## Exercises
#
# ### Exercise 6.1 (warm-up, 1 point)
# What is the first loss, in nats, of a network for the 1000 classes of ImageNet, and of one for eight classes? To three digits after the point, without running code: log 10 is 2.303 and log 2 is 0.693.
#
# <details><summary>Hint</summary>The logarithm of a product is a sum. Of which factors are 1000 and 8 made?</details>

# %% nbgrader={"grade": false, "grade_id": "ex-6-1", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
imagenet, eight = None, None
### BEGIN SOLUTION
imagenet, eight = 6.908, 2.079
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "ex-6-1-test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
assert np.allclose(np.array([imagenet, eight], float), np.log([1000, 8]), atol=2e-3)

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 6.2 (derivation, 3 points)
# Label smoothing replaces the one-hot target t by (1 − s)·t + s/K for K classes, and the loss becomes −Σ target · log p, averaged over the images. Derive dlogits.
#
# <details><summary>Hint</summary>Σ target = 1 in every row. Write log p[k] = logits[k] − log Σ exp(logits) and differentiate both parts.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-6-2", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def smoothed_backward(logits, labels, s):
    ### BEGIN SOLUTION
    # −Σ target · logits gives −target; Σ target · log Σ exp = log Σ exp gives p
    N, K = logits.shape
    return (ops.softmax(logits) - (1 - s) * np.eye(K)[labels] - s / K) / N
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-6-2-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
z, y = np.random.default_rng(3).standard_normal((5, 7)), np.array([0, 6, 3, 3, 1])
assert np.allclose(smoothed_backward(z, y, 0.1), ops.cross_entropy_backward(z, y, 0.1))

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 6.3 (code, 2 points)
# The learning rate of most recipes falls along a half cosine: from `lr` at step 0 to 0 at step `steps`. Write it.
#
# <details><summary>Hint</summary>The cosine of 0 … π goes from 1 to −1. Shift and halve it.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-6-3", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def cosine(lr, step, steps):
    ### BEGIN SOLUTION
    return lr * (1 + np.cos(np.pi * step / steps)) / 2
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-6-3-test", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
assert np.allclose([cosine(0.1, k, 30) for k in (0, 10, 15, 30)], [0.1, 0.075, 0.05, 0])
### BEGIN HIDDEN TESTS
assert np.isclose(cosine(2, 1, 3), 1.5)
### END HIDDEN TESTS

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 6.4 (measurement, 2 points)
# How many times as long does a forward pass of 64 images take as one of a single image? Predict it from the multiply-adds and measure it with `small_net`. Return both, and say what an image costs besides its arithmetic.
#
# <details><summary>Hint</summary>compare({...}).ratio(name) is over the first name. x_train[:1] is a batch of one.</details>

# %% nbgrader={"grade": false, "grade_id": "ex-6-4", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def many_over_one(net):
    ### BEGIN SOLUTION
    runs = {n: lambda n=n: net.eval().forward(x_train[:n]) for n in (1, 64)}
    with one_thread():  # calling a layer costs the same for one image as for 64
        return 64, compare(runs, seconds=0.3).ratio(64).median
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-6-4-test", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
predicted, measured = many_over_one(small_net())
assert predicted == 64 and measured > 1

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 6.5 (bug hunt, 2 points)
# In a colleague's training the first loss is 2.30, the training loss falls to 0.02, and the test accuracy is 10 %. Which rows of the table in section 6.5 fit? Return them as a set of their names.
#
# <details><summary>Hint</summary>A training loss of 0.02 means that the gradient, the optimizer and the labels work together. What differs at the test?</details>

# %% nbgrader={"grade": false, "grade_id": "ex-6-5", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
suspects = set()
### BEGIN SOLUTION
suspects = {"pixels 0 to 255", "training mode at the test"}
### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "ex-6-5-test", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
fits = {name for name, (_, last, right) in symptoms.items() if last < 1 and right < 0.5}
assert suspects == fits

# %% [markdown] slideshow={"slide_type": "skip"}
# ### Exercise 6.6 (open, 3 points)
# Build a network of at most 4,000 parameters that gets 85 % of the test digits right. Return it trained.
#
# <details><summary>Hint</summary>small_net takes a width. How does the number of parameters grow with it?</details>

# %% nbgrader={"grade": false, "grade_id": "ex-6-6", "locked": false, "schema_version": 3, "solution": true, "task": false} slideshow={"slide_type": "skip"}
def my_network():
    ### BEGIN SOLUTION
    tiny = small_net(width=5)
    fit(tiny, x_train, train.labels, epochs=8)
    return tiny
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ex-6-6-test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false} slideshow={"slide_type": "skip"}
mine = my_network()
assert sum(p.value.size for p in mine.parameters().values()) <= 4000
assert accuracy(mine, x_test, test.labels) >= 0.85

# %% [markdown] slideshow={"slide_type": "slide"}
# ## What we now know
#
# - Every backward pass begins with p − target, over N. A network that knows nothing has a loss of log K.
# - Three checks take a minute: the first loss, 32 images by heart, the same weights from the same seed. Each of them acquits something.
# - A mistake has symptoms. Look at the first loss, at the last one, and at the test, in this order.
#
# **What was measured**, on your machine:

# %%
print(draw.table({
    "what": ["loss gradient, worst error", "first loss", "32 by heart", "test accuracy",
             "step over forward, time", "the same, best of 100"],
    "predicted": ["about 1e-10", f"{np.log(10):.3f}", "100 %", "well above 10 %", "3", "3"],
    "found": [f"{checked:.0e}", f"{first:.3f}", f"{accuracy(nets[0], few, names):.0%}",
              f"{final:.1%}", f"{ratio.median:.1f}", f"{best[1] / best[0]:.1f}"],
}))  # fmt: skip

# %% [markdown]
# **Next question.** Nearly all multiply-adds of this network are in convolutions that look at all channels at once. Part II asks what happens when a filter looks at one channel only. Chapter 7 begins it.
