"""The spiral of MobileNetV2 (arXiv:1801.04381), figure 1, and three ways back from its ReLU.

x is (2, points), T is (n, 2), and y = ReLU(T·x) is (n, points).
"""

import math

import numpy as np

POINTS, TURNS = 1000, 3


def spiral(points=POINTS):
    """Return points of a spiral that starts in the centre and ends at radius 1, (2, points)."""
    radius = np.linspace(0, 1, points)
    angle = 2 * np.pi * TURNS * radius
    return radius * np.stack([np.cos(angle), np.sin(angle)])


def back_by_pinv(T, y):
    """Return x', (2, points), as the paper draws it."""
    return np.linalg.pinv(T) @ y


def back_by_best_linear(y, x):
    """Return x', (2, points), by the matrix that brings y nearest to x in the mean."""
    matrix, *_ = np.linalg.lstsq(y.T, x.T, rcond=None)
    return (y.T @ matrix).T


def back_by_active(T, y):
    """Return x', (2, points), that solves for each point the equations of its active channels.

    Where they are too few, it is the solution that is nearest to 0.
    """
    x = np.zeros((T.shape[1], y.shape[1]))
    patterns, which = np.unique(y > 0, axis=1, return_inverse=True)
    for k, active in enumerate(patterns.T):
        points = which.reshape(-1) == k
        x[:, points] = np.linalg.pinv(T[active]) @ y[np.ix_(active, points)]
    return x


def lost_share(channels, dimensions):
    """Return the share of space with fewer active channels than dimensions, in theory."""
    lost = sum(math.comb(channels, k) for k in range(dimensions))
    return lost / 2**channels


def kept_share(channels, dimensions):
    """Return N/2^m of theorem 1, where N = Σ k≤m−n C(m, k)."""
    kept = sum(math.comb(channels, k) for k in range(channels - dimensions + 1))
    return kept / 2**channels
