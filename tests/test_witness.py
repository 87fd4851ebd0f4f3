"""The four networks against stored numbers of PyTorch, which itself is not needed here.

How the numbers were made: witness/make_witness.py.
"""

import json

import numpy as np
import pytest
from witness.make_witness import HERE, LABELS, NETWORKS, make_images, make_state

import npnets
from npnets import ops

TOLERANCE = 1e-9


def agree(what, ours, theirs, scale):
    difference = np.abs(np.subtract(ours, theirs)).max() / scale
    assert difference < TOLERANCE, f"{what}: relative difference {difference:.1e}"


def agree_on_logits(ours, theirs):
    assert ours.shape == np.shape(theirs)
    agree("logits", ours, theirs, np.abs(theirs).max())


@pytest.fixture(params=NETWORKS)
def net_and_witness(request):
    witness = json.loads((HERE / f"{request.param}.json").read_text())
    net = getattr(npnets, request.param)(**witness["options"]).astype(np.float64)
    shapes = [(path, array.shape) for path, array in net.state().items()]
    return net.load_state(make_state(shapes)), witness


def test_inference(net_and_witness):
    net, witness = net_and_witness
    agree_on_logits(net.eval().forward(make_images()), witness["logits_at_inference"])


def test_training(net_and_witness):
    net, witness = net_and_witness
    logits = net.train().forward(make_images())
    agree_on_logits(logits, witness["logits_in_training"])
    agree("loss", ops.cross_entropy(logits, LABELS), witness["loss"], witness["loss"])
    net.backward(ops.cross_entropy_backward(logits, LABELS))
    grads = {path: parameter.grad for path, parameter in net.parameters().items()}
    gradients = witness["sum_and_sum_of_squares_of_each_gradient"]
    assert list(grads) == list(gradients)
    # Some gradients are zero but for rounding errors; these are measured by the largest of all.
    largest = max(squares for _, squares in gradients.values()) ** 0.5
    for path, (total, squares) in gradients.items():
        size, norm = grads[path].size, max(squares**0.5, 1e-3 * largest)
        agree(f"sum of the gradient of {path}", grads[path].sum(), total, norm * size**0.5)
        agree(f"squares of the gradient of {path}", (grads[path] ** 2).sum(), squares, norm**2)
