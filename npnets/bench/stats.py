"""What a list of times says."""

import numpy as np


def summarize(seconds):
    """Return {count, median, q1, q3, min} of times in seconds. Raises ValueError without any."""
    if len(seconds) == 0:
        raise ValueError("no times to summarize")
    q1, median, q3 = (float(q) for q in np.percentile(seconds, (25, 50, 75)))
    return {
        "count": len(seconds), "median": median, "q1": q1, "q3": q3, "min": float(min(seconds)),
    }  # fmt: skip


def disagreement(ours, theirs):
    """Return the largest difference of two lists of arrays, as a share of the largest number.

    It is infinite where shapes differ or a number is not finite.
    """
    if len(ours) != len(theirs):
        return float("inf")
    worst = 0.0
    for a, b in zip(map(np.asarray, ours), map(np.asarray, theirs), strict=True):
        if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
            return float("inf")
        largest = np.abs(a).max() if a.size else 0
        difference = np.abs(a - b).max() if a.size else 0
        worst = max(worst, float(difference / (largest or 1)))
    return worst


def sample(array, count=1000):
    """Return about `count` numbers of an array as a list, evenly spaced in its flat order.

    The step is odd, so that it does not meet the same column of every row.
    """
    flat = np.asarray(array).reshape(-1)
    return flat[:: max(1, flat.size // count) | 1].astype(np.float64).tolist()
