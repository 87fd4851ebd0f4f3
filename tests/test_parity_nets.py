"""PyTorch as a witness: the four networks, training and at inference, in float64.

Optional: pip install "npnets[parity]". To see the largest differences: pytest -s.
"""

import numpy as np
import pytest

import npnets

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "npnets[parity]"')
import torch_nets  # noqa: E402
from parity import agree, one_thread_and_a_summary, tensors  # noqa: E402, F401

SMALLEST = [  # of the published
    ("MobileNetV1", {"width_mult": 0.25}),
    ("MobileNetV2", {"width_mult": 0.35}),
    ("ShuffleNetV1", {"scale": 0.25, "groups": 3}),
    ("ShuffleNetV2", {"width_mult": 0.5}),
]
NETWORKS = [
    *SMALLEST,  # and others, for what they do differently
    ("MobileNetV1", {"width_mult": 0.3, "relu6": True, "in_channels": 1}),
    ("MobileNetV2", {"width_mult": 0.75, "in_channels": 2}),
    ("MobileNetV2", {"width_mult": 0.1}),  # where the rounding gives unit 1 a shortcut too
    ("ShuffleNetV1", {"scale": 0.25, "groups": 1}),
    ("ShuffleNetV1", {"scale": 0.5, "groups": 2}),
    ("ShuffleNetV1", {"scale": 0.5, "groups": 8, "in_channels": 1}),
    ("ShuffleNetV2", {"width_mult": 1.0, "in_channels": 2}),
    ("ShuffleNetV2", {"width_mult": 1.0, "equal_ways": True}),
]

# These betas add the same number to each pixel of a channel; a pointwise convolution follows,
# and a batch norm, which takes it away again. Their gradient is zero, and both sides compute
# rounding errors: those are held against the gradients of the betas at large.
ZERO_GRADIENT = {
    "MobileNetV1": (),
    "MobileNetV2": ("project.norm.beta",),
    "ShuffleNetV1": ("depthwise.norm.beta",),
    "ShuffleNetV2": ("depthwise.norm.beta",),
}


def each_network(networks):
    def told(option):
        return "-".join(map(str, option.values())) if isinstance(option, dict) else option

    return pytest.mark.parametrize(("name", "options"), networks, ids=told)


def twins(name, options, small_images, rng):
    """Return a network, its twin in PyTorch, and images; all numbers of its state are random."""
    options = {"num_classes": 7, "small_images": small_images, **options}
    net = getattr(npnets, name)(**options, rng=rng).astype(np.float64)
    state = net.state()
    for path, array in state.items():
        if array.ndim == 1:  # all but the weights, which are random already
            offset = 1 if path.endswith(("gamma", "running_var")) else 0
            state[path] = offset + rng.uniform(-0.5, 0.5, array.shape)
    net.load_state(state)
    twin = torch_nets.copy_into(getattr(torch_nets, name)(**options).double(), net)
    N, size = (4, 32) if small_images else (2, 64)
    return net, twin, rng.standard_normal((N, options.get("in_channels", 3), size, size))


def agree_on_training(name, options, small_images):
    net, twin, x = twins(name, options, small_images, np.random.default_rng(1))
    (leaf,) = tensors(x)
    theirs = twin.train()(leaf)
    dlogits = np.random.default_rng(2).standard_normal(theirs.shape)
    theirs.backward(torch.from_numpy(dlogits))
    agree(f"{name} logits", net.train().forward(x), theirs)
    agree(f"{name} dx", net.backward(dlogits), leaf.grad)
    agree_on_parts(name, net, twin)


def agree_on_parts(name, net, twin):
    """Assert that all gradients and running statistics agree, after forward and backward."""
    ours, theirs = net.parameters(), dict(twin.named_parameters())
    state, torch_state = net.state(), twin.state_dict()
    betas = max(np.abs(ours[path].grad).max() for path in ours if path.endswith("beta"))
    for path, torch_path in torch_nets.pairs(twin, net):
        if path not in ours:
            agree(f"{name} running statistics", state[path], torch_state[torch_path])
        elif path.endswith(ZERO_GRADIENT[name]):
            for grad in ours[path].grad, theirs[torch_path].grad.numpy():
                agree(f"{name} gradients that are zero", grad, np.zeros_like(grad), betas)
        else:
            agree(f"{name} gradients", ours[path].grad, theirs[torch_path].grad)


@each_network(NETWORKS)
@pytest.mark.parametrize("small_images", [True, False])
def test_training(name, options, small_images):
    agree_on_training(name, options, small_images)


@each_network(SMALLEST)
def test_training_without_kernels(name, options):
    with npnets.use_kernels(False):
        agree_on_training(name, options, small_images=True)


@each_network(NETWORKS)
@pytest.mark.parametrize("small_images", [True, False])
def test_inference(name, options, small_images):
    net, twin, x = twins(name, options, small_images, np.random.default_rng(3))
    theirs = twin.eval()(torch.from_numpy(x))
    assert np.ptp(theirs.detach().numpy(), axis=0).min() > 0  # the logits depend on the image
    agree(f"{name} logits at inference", net.eval().forward(x), theirs)
