"""A task that no grouped network without a shuffle solves, and the proof.

Inputs are normal numbers, 16 channels in 8 groups of 2. The label is 1 where x_a · x_b > 0, for
two of the channels, else 0. Three grouped 1 × 1 convolutions and a linear classifier learn it.

Claim. Where a and b are in different groups and nothing is shuffled, at most 75 % of the answers
are right, whatever the weights are.

Proof. Without shuffle a channel sees the inputs of its own group only, in each of the layers. The
classifier adds channels up. So what decides, the logit of class 1 minus that of class 0, is a sum

    d(x)  =  f(group of a)  +  h(group of b)  +  what the other groups add

Hold all of x but the signs of x_a and x_b, and count what the other groups add to f. Then d takes
four values. If all four answers were right, these would hold:

    f(+) + h(+)  >  0      f(−) + h(−)  >  0          the signs agree: class 1
    f(+) + h(−)  ≤  0      f(−) + h(+)  ≤  0          they differ: class 0

The sum of the upper two is f(+) + f(−) + h(+) + h(−) and above 0. The sum of the lower two is the
same, and not above 0. So of the four at least one is wrong. All four are equally likely, whatever
was held; so in the mean at least a quarter of the answers is wrong.

75 % can be reached: with f(±) = ±1 and h(±) = ±1, and −1 from elsewhere, (+, +) alone is called
class 1. Training does not get there, as it minimises the cross-entropy, ln(1 + exp(∓d)). That is
convex: its mean over the four patterns is not below its value at the mean of their ±d, which is

    ([f(+) + h(+)] + [f(−) + h(−)] − [f(+) + h(−)] − [f(−) + h(+)]) / 4  =  0

So the loss is never below ln 2 in the mean, what d = 0 gives: the best it can do is to guess.
"""

import math
from dataclasses import dataclass

import numpy as np

from npnets import ops
from npnets.blocks import conv_norm_act
from npnets.init import initialize
from npnets.layers import ChannelShuffle, GlobalAvgPool, Linear, Sequential
from npnets.optim import SGD, Cosine

GROUPS, IN_CHANNELS, CHANNELS = 8, 16, 64
A, B_APART, B_TOGETHER = 0, 15, 1  # in the first group; in the last; in the first
BATCH, STEPS, LR, MOMENTUM = 256, 400, 0.3, 0.9
TESTED, EVERY = 512, 25  # draws, each with all four signs of x_a and x_b; every so many steps

BOUND, LOWEST_LOSS = 0.75, math.log(2)  # without shuffle, a and b apart: see above


@dataclass(frozen=True)
class Outcome:
    """What a network gets right, and its mean loss in nats, on the test draws."""

    accuracy: float
    loss: float


def network(shuffled, rng):
    """Return three grouped 1 × 1 convolutions, with a shuffle behind the first two, or without."""
    between = GROUPS if shuffled else 1  # a shuffle of one group leaves all where it is
    net = Sequential(
        layer1=conv_norm_act(IN_CHANNELS, CHANNELS, groups=GROUPS),
        shuffle1=ChannelShuffle(between),
        layer2=conv_norm_act(CHANNELS, CHANNELS, groups=GROUPS),
        shuffle2=ChannelShuffle(between),
        layer3=conv_norm_act(CHANNELS, CHANNELS, groups=GROUPS),
        pool=GlobalAvgPool(),
        classifier=Linear(CHANNELS, 2),
    )
    return initialize(net, rng)


def draw_inputs(count, rng):
    """Return images of one pixel, (count, IN_CHANNELS, 1, 1)."""
    return rng.standard_normal((count, IN_CHANNELS, 1, 1), np.float32)


def label(x, b):
    """Return 1 where x_a · x_b > 0, else 0."""
    return (x[:, A, 0, 0] * x[:, b, 0, 0] > 0).astype(np.int64)


def all_signs(x, b):
    """Return four copies of x with all signs of x_a and x_b, pattern after pattern."""
    copies = []
    for sign_a in 1, -1:
        for sign_b in 1, -1:
            copy = x.copy()
            copy[:, A] = sign_a * np.abs(x[:, A])
            copy[:, b] = sign_b * np.abs(x[:, b])
            copies.append(copy)
    return np.concatenate(copies)


def learn(shuffled, b, seed, steps=STEPS):
    """Return the Outcomes of a seed along its training: before it, and after each EVERY steps.

    A seed draws the same images with and without shuffle. The arrays are so small that kernels
    would wait for their threads: the networks run without them.
    """
    rng = np.random.default_rng(seed)
    tested = all_signs(draw_inputs(TESTED, rng), b)
    net = network(shuffled, rng)
    optimizer, schedule = SGD(net.parameters(), momentum=MOMENTUM), Cosine(LR, steps)
    with ops.use_kernels(False):
        course = [examine(net, tested, b)]
        for step in range(steps):
            x = draw_inputs(BATCH, rng)
            net.backward(ops.cross_entropy_backward(net.train().forward(x), label(x, b)))
            optimizer.step(schedule(step))
            if (step + 1) % EVERY == 0:
                course.append(examine(net, tested, b))
    return course


def examine(net, x, b):
    """Return the Outcome on images that have all four signs each: there the bound is exact."""
    logits, labels = net.eval().forward(x), label(x, b)
    accuracy = float((logits.argmax(axis=1) == labels).mean())
    return Outcome(accuracy, float(ops.cross_entropy(logits, labels)))


def best_additive_accuracy(rng):
    """Return what the rule "class 1 for (+, +) alone" gets right, which adds f and h up."""
    x = all_signs(draw_inputs(TESTED, rng), B_APART)
    d = np.sign(x[:, A, 0, 0]) + np.sign(x[:, B_APART, 0, 0]) - 1
    return float(((d > 0) == label(x, B_APART)).mean())
