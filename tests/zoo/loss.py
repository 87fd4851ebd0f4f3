"""Bugs in cross_entropy. The loss is one number already: a sum over it hides nothing."""

from .bug import Bug

GRADIENT = "(softmax(logits) - target) / logits.dtype.type(len(logits))"

CROSS_ENTROPY = [
    Bug(
        "cross_entropy_backward",
        old=" / logits.dtype.type(len(logits))",
        new="",
        why="The loss is a mean, and its gradient lacks the 1/N.",
    ),
    Bug(
        "cross_entropy_backward",
        old="len(logits)",
        new="logits.shape[1]",
        why="Divided by the number of classes instead of the number of images.",
    ),
    Bug(
        "cross_entropy_backward",
        old="(softmax(logits) - target)",
        new="(target - softmax(logits))",
        why="The sign is wrong: training climbs.",
    ),
    Bug(
        "cross_entropy_backward",
        old="(softmax(logits) - target)",
        new="softmax(logits)",
        why="The target is not subtracted.",
    ),
    Bug(
        "cross_entropy_backward",
        old="(softmax(logits) - target)",
        new="(logits - target)",
        why="The softmax is forgotten: the gradient of a squared error.",
    ),
    Bug(
        "cross_entropy_backward",
        old="(softmax(logits) - target)",
        new="(softmax(logits) - target) * softmax(logits)",
        why="The derivative of the softmax is multiplied on again.",
    ),
    Bug(
        "cross_entropy_backward",
        old="(softmax(logits) - target)",
        new="(softmax(logits) - target) * (target > 0.5)",
        why="Only the class of the label learns; the other logits should fall.",
    ),
    Bug(
        "cross_entropy_backward",
        old="targets(logits, labels, label_smoothing)",
        new="targets(logits, labels)",
        why="Label smoothing is forgotten in backward.",
    ),
    Bug(
        "cross_entropy_backward",
        old="targets(logits, labels, label_smoothing)",
        new="targets(logits, (labels + 1) % logits.shape[1], label_smoothing)",
        why="Labels counted from 1: off by one.",
    ),
    Bug(
        "cross_entropy_backward",
        old="targets(logits, labels, label_smoothing)",
        new="targets(logits, labels[::-1], label_smoothing)",
        why="Images and labels are out of step.",
    ),
    Bug(
        "softmax",
        old="exp / exp.sum(axis=1, keepdims=True)",
        new="exp / exp.sum(axis=0, keepdims=True)",
        why="Each class is divided by its sum over the batch.",
    ),
    Bug(
        "softmax",
        old="exp / exp.sum(axis=1, keepdims=True)",
        new="exp",
        why="The probabilities do not sum to 1.",
    ),
    Bug(
        "softmax",
        old="exp = np.exp(logits - logits.max(axis=1, keepdims=True))",
        new="exp = np.exp(logits - logits.max(axis=0))",
        why="The maximum is that of the class: a row is no longer shifted as a whole.",
    ),
    Bug(
        "targets",
        old="label_smoothing / classes",
        new="label_smoothing / (classes - 1)",
        why="Dealt out as if to the other classes only: the targets sum to more than 1.",
    ),
    Bug(
        "targets",
        old="+= 1 - label_smoothing",
        new="+= 1",
        why="What is dealt out is not taken from the label: the targets sum to more than 1.",
    ),
    Bug(
        "cross_entropy",
        old="np.log(np.exp(shifted)",
        new="np.log2(np.exp(shifted)",
        why="Forward counts in bits, but only half of it.",
    ),
    Bug(
        "cross_entropy",
        old="shifted = logits - logits.max(axis=1, keepdims=True)",
        new="logits -= logits.max(axis=1, keepdims=True); shifted = logits",
        why="The maximum is subtracted in place: the caller's logits change.",
    ),
    Bug(
        "cross_entropy",
        old=".sum() / logits.dtype.type(len(logits))",
        new=".sum()",
        why="Forward sums over the batch, backward is that of the mean.",
    ),
]
