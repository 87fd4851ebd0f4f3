"""What the two parity tests share: one thread for PyTorch, and when two arrays agree."""

import numpy as np
import pytest
import torch

TOLERANCE = 1e-9
WORST = {}  # what was compared -> the largest relative difference seen


@pytest.fixture(scope="module", autouse=True)
def one_thread_and_a_summary():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    for name, difference in WORST.items():
        print(f"\n{name:35} {difference:.1e}", end="")
    WORST.clear()


def agree(what, ours, theirs, scale=None):
    """Assert that two arrays differ by less than TOLERANCE of the largest number, or of scale."""
    theirs = theirs.detach().numpy() if torch.is_tensor(theirs) else np.asarray(theirs)
    assert np.shape(ours) == theirs.shape, what
    scale = np.abs(theirs).max() if scale is None else scale
    difference = np.abs(ours - theirs).max() / (scale or 1)
    WORST[what] = max(WORST.get(what, 0), difference)
    assert difference < TOLERANCE, f"{what}: relative difference {difference:.1e}"


def tensors(*arrays):
    """Return each array as a tensor that wants a gradient; None stays None."""
    return [None if a is None else torch.tensor(a, requires_grad=True) for a in arrays]
