"""How well one number predicts another: by rank, by a line, and by a power law."""

import numpy as np


def ranks(values):
    """Return the rank of each value, from 0; equal ones share the mean of their ranks."""
    values = np.asarray(values)
    below = (values[None] < values[:, None]).sum(axis=1)
    equal = (values[None] == values[:, None]).sum(axis=1)
    return below + (equal - 1) / 2


def pearson(a, b):
    """Return Σ (a − ā)(b − b̄) / √(Σ (a − ā)² · Σ (b − b̄)²)."""
    a, b = a - np.mean(a), b - np.mean(b)
    return float((a @ b) / np.sqrt((a @ a) * (b @ b)))


def spearman(a, b):
    """Return the correlation of ranks."""
    return pearson(ranks(a), ranks(b))


def power_law(metric, seconds):
    """Return (p, off): time = a · metric^p by least squares of logarithms, and the median of how
    far it is off, as a share of the time that it says."""
    x, y = np.log(metric), np.log(seconds)
    p, a = np.polyfit(x, y, 1)
    return float(p), off_by(np.exp(p * x + a), seconds)


def off_by(said, seconds):
    """Return the median of how far the times are from what is said of them, as a share of it."""
    return float(np.median(np.abs(seconds / said - 1)))
