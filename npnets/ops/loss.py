"""Softmax cross-entropy, with label smoothing."""

import numpy as np

from npnets.ops import check


def softmax(logits):
    """Return probabilities: exp(logits), each row divided by its sum."""
    check.floats(logits, "logits")
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))  # the largest becomes exp(0)
    return exp / exp.sum(axis=1, keepdims=True)


def targets(logits, labels, label_smoothing=0.0):
    """Return (N, classes): 1 at the label, of which smoothing deals a part out to all classes.

    Source: Szegedy et al., "Rethinking the Inception Architecture", arXiv:1512.00567, section 7.
    """
    check.floats(logits, "logits")
    labels = np.asarray(labels)
    if logits.ndim != 2 or 0 in logits.shape:
        raise ValueError(f"logits must have shape (N, classes), got {logits.shape}")
    N, classes = logits.shape
    check.shape(labels, (N,), "labels")
    if labels.dtype.kind not in "iu":
        raise ValueError(f"labels must be integers, got {labels.dtype}")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"labels must lie in 0 … {classes - 1}, got {labels.min()} … {labels.max()}"
        )
    if not 0 <= label_smoothing < 1:
        raise ValueError(f"label_smoothing must lie in [0, 1), got {label_smoothing}")
    target = np.full(logits.shape, label_smoothing / classes, logits.dtype)
    target[np.arange(N), labels] += 1 - label_smoothing
    return target


def cross_entropy(logits, labels, label_smoothing=0.0):
    """Return the mean loss in nats: how surprised the network is by the labels.

        loss  =  −1/N · Σ n,k   target[n, k] · log softmax(logits)[n, k]

    logits are (N, classes), labels (N,) integers from 0. Raises ValueError where a label is no
    class. A network that knows nothing has a loss of log(classes).
    """
    target = targets(logits, labels, label_smoothing)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_softmax = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -(target * log_softmax).sum() / logits.dtype.type(len(logits))


def cross_entropy_backward(logits, labels, label_smoothing=0.0):
    """Return dlogits: what the network said, less what it should have said."""
    target = targets(logits, labels, label_smoothing)
    return (softmax(logits) - target) / logits.dtype.type(len(logits))
