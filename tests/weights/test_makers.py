"""PyTorch as a witness: each maker's network, saved with random weights, gives the same logits.

Optional: pip install "npnets[parity]". To see the largest differences: pytest -s.
"""

import numpy as np
import pytest

from npnets.weights import load

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "npnets[parity]"')
import torch_makers as makers  # noqa: E402
import torch_shufflenets as shuffle  # noqa: E402
from parity import agree, one_thread_and_a_summary  # noqa: E402, F401

# ShuffleNet v1: stem and stages, by groups and scale. ShuffleNet v2: table 5.
V1 = {
    (3, 0.5): (12, 120, 240, 480),
    (8, 0.5): (16, 192, 384, 768),
    (3, 1.0): (24, 240, 480, 960),
    (8, 1.0): (24, 384, 768, 1536),
    (3, 1.5): (24, 360, 720, 1440),
    (8, 1.5): (24, 576, 1152, 2304),
    (3, 2.0): (48, 480, 960, 1920),
    (8, 2.0): (48, 768, 1536, 3072),
}
V2 = {
    0.5: (24, 48, 96, 192, 1024),
    1.0: (24, 116, 232, 464, 1024),
    1.5: (24, 176, 352, 704, 1024),
    2.0: (24, 244, 488, 976, 2048),
}
CASES = {
    # what it is called below    (source, its network in PyTorch, the arguments of that)
    "marvis": ("marvis", makers.Marvis, 0.25),
    "timm v1": ("timm", makers.TimmV1, 0.25),
    "pytorchcv mobilenet": ("pytorchcv", makers.CvMobileNet, 0.5),
    "torchvision mobilenet_v2": ("torchvision", makers.TvMobileNetV2, 0.35),
    "torchvision mobilenet_v2 1.4": ("torchvision", makers.TvMobileNetV2, 1.4, 7),
    "chenyaofo mobilenetv2": ("chenyaofo cifar", makers.TvMobileNetV2, 0.5, 100, True),
    "tonylins": ("tonylins", makers.TonyLins, 0.5),
    "d-li14": ("d-li14", makers.TonyLins, 0.25, 1000, True),
    "d-li14 0.1": ("d-li14", makers.TonyLins, 0.1, 1000, True),
    "timm v2": ("timm", makers.TimmV2, 0.5),
    "pytorchcv mobilenetv2": ("pytorchcv", makers.CvMobileNetV2, 1.0),
    "pytorchcv mobilenetv2 0.25": ("pytorchcv", makers.CvMobileNetV2, 0.25),
    "jaxony g1": ("jaxony", shuffle.Jaxony, (24, 144, 288, 567), 1),
    "jaxony g3": ("jaxony", shuffle.Jaxony, V1[3, 1.0], 3),
    "pytorchcv shufflenet g1": ("pytorchcv", shuffle.CvShuffleNet, (6, 36, 72, 144), 1),
    "pytorchcv shufflenet g3": ("pytorchcv", shuffle.CvShuffleNet, V1[3, 0.5], 3),
    "pytorchcv shufflenet 0.75": ("pytorchcv", shuffle.CvShuffleNet, (18, 180, 360, 720), 3),
    "pytorchcv shufflenetv2": ("pytorchcv", shuffle.CvShuffleNetV2, V2[1.0]),
    "pytorchcv shufflenetv2 2": ("pytorchcv", shuffle.CvShuffleNetV2, (24, 244, 488, 976, 2153)),
    "torchvision shufflenet_v2 0.5": ("torchvision", shuffle.TvShuffleNetV2, V2[0.5]),
    "torchvision shufflenet_v2 1.5": ("torchvision", shuffle.TvShuffleNetV2, V2[1.5]),
    "chenyaofo shufflenetv2": ("chenyaofo cifar", shuffle.TvShuffleNetV2, V2[0.5], 10, True),
}
CASES |= {  # all that are published
    f"megvii v1 {scale} g{groups}": ("megvii", shuffle.MegviiV1, widths, groups)
    for (groups, scale), widths in V1.items()
}
CASES |= {f"megvii v2 {w}": ("megvii", shuffle.MegviiV2, widths) for w, widths in V2.items()}


def randomized(net, rng):
    """Give every array random numbers: the running statistics, too."""
    for name, tensor in net.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        if tensor.ndim > 1:
            fan_in = tensor[0].numel()
            numbers = rng.standard_normal(tensor.shape) * np.sqrt(2 / fan_in)
        elif name.endswith("running_var"):
            numbers = rng.uniform(0.5, 1.5, tensor.shape)
        elif name.endswith(("bias", "running_mean")):
            numbers = rng.uniform(-2, 2, tensor.shape)  # for ReLUs that have much to cut off
        else:
            numbers = rng.uniform(0.5, 2, tensor.shape)
        tensor.copy_(torch.from_numpy(numbers))
    return net.double().eval()


@pytest.mark.parametrize("case", CASES)
def test_the_same_logits_from_the_same_file(case, tmp_path):
    maker, network, *arguments = CASES[case]
    rng = np.random.default_rng(5)
    theirs = randomized(network(*arguments), rng)
    torch.save({"state_dict": theirs.state_dict()}, tmp_path / "net.pth")
    net = load(tmp_path / "net.pth", dtype=np.float64)
    (tmp_path / "net.pth").unlink()  # all of them would fill the disk
    assert net.source.maker == maker
    x = rng.standard_normal((2, 3, 65, 64))  # an odd size and an even one: windows end otherwise
    with torch.no_grad():
        logits = theirs(torch.from_numpy(x))
    assert np.ptp(logits.numpy(), axis=0).min() > 0  # the logits depend on the image
    agree(case, net.forward(x), logits)
