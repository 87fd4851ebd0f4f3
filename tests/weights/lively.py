"""Networks for tests: small ones, in which every array matters."""

import numpy as np

import npnets
from npnets.layers import BatchNorm

NAMES = (
    "mobilenet_v1_x0_25",
    "mobilenet_v2_x0_35",
    "shufflenet_v1_x0_25_g3",
    "shufflenet_v2_x0_5",
)


def images(N=2, size=32, seed=0):
    """Return random images, (N, 3, size, size) float32."""
    return np.random.default_rng(seed).standard_normal((N, 3, size, size), dtype=np.float32)


def lively(name, size=32, **options):
    """Return a network in eval mode whose batch norms, too, hold numbers that look trained.

    gamma, beta and biases are drawn; the running statistics are those of a batch of images.
    """
    options = {"num_classes": 7, "small_images": size == 32, "rng": 0, **options}
    net, rng = npnets.create_model(name, **options), np.random.default_rng(1)
    for path, part in net.parameters().items():
        if part.value.ndim == 1:
            middle = 1 if path.endswith("gamma") else 0
            part.value = (middle + rng.uniform(-0.3, 0.3, part.value.shape)).astype(np.float32)
    norms = [layer for layer in net.layers().values() if isinstance(layer, BatchNorm)]
    for norm in norms:
        norm.momentum = 1
    net.train().forward(images(32, size, seed=1))
    for norm in norms:
        norm.momentum = 0.1
    return net.eval()
