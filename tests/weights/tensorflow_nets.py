"""MobileNet v1 and v2 as TensorFlow has them, stated once more in PyTorch, with the names of
Hugging Face's transformers: a witness, from its source and from the papers' tables."""

import torch
import torch.nn.functional as F
from torch import nn

EPS = 1e-3


def pad_same(x, kernel_size, stride):
    """What is left over after the last whole stride decides how much is missing."""
    missing = [
        max(kernel_size - (size % stride or stride), 0) for size in (x.shape[3], x.shape[2])
    ]
    return F.pad(x, [side for m in missing for side in (m // 2, m - m // 2)])


class ConvLayer(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size=1, stride=1, groups=1, act=True):
        super().__init__()
        self.convolution = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, groups=groups, bias=False
        )
        self.normalization = nn.BatchNorm2d(out_channels, EPS)
        self.act = act

    def forward(self, x):
        conv = self.convolution
        y = self.normalization(conv(pad_same(x, conv.kernel_size[0], conv.stride[0])))
        return F.relu6(y) if self.act else y


class Parts(nn.Module):
    """Parts by name, one after the other; one may be a list of them."""

    def __init__(self, parts, residual=False):
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.residual = residual

    def forward(self, x):
        y = x
        for part in self.children():
            for layer in part if isinstance(part, nn.ModuleList) else [part]:
                y = layer(y)
        return x + y if self.residual else y


class Classifier(nn.Module):
    def __init__(self, name, body, features, num_classes):
        super().__init__()
        self.add_module(name, body)
        self.name = name
        self.classifier = nn.Linear(features, num_classes)

    def forward(self, x):
        return self.classifier(getattr(self, self.name)(x).mean(dim=(2, 3)))


def mobilenet_v1(alpha=1.0, num_classes=1001):
    channels, layers = int(32 * alpha), nn.ModuleList()
    stem = ConvLayer(3, channels, 3, 2)
    for out_channels, stride in zip(
        (64, 128, 128, 256, 256, *(512,) * 6, 1024, 1024),
        (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1),
        strict=True,
    ):
        layers.append(ConvLayer(channels, channels, 3, stride, groups=channels))
        layers.append(ConvLayer(channels, int(out_channels * alpha)))
        channels = int(out_channels * alpha)
    body = Parts({"conv_stem": stem, "layer": layers})
    return Classifier("mobilenet_v1", body, channels, num_classes)


def mobilenet_v2(num_classes=1001):
    stem = {
        "first_conv": ConvLayer(3, 32, 3, 2),
        "conv_3x3": ConvLayer(32, 32, 3, groups=32),
        "reduce_1x1": ConvLayer(32, 16, act=False),
    }
    layers, channels = nn.ModuleList(), 16
    for out_channels, repeats, first_stride in (
        (24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1),
    ):  # fmt: skip
        for unit in range(repeats):
            stride, hidden = first_stride if unit == 0 else 1, 6 * channels
            parts = {
                "expand_1x1": ConvLayer(channels, hidden),
                "conv_3x3": ConvLayer(hidden, hidden, 3, stride, groups=hidden),
                "reduce_1x1": ConvLayer(hidden, out_channels, act=False),
            }
            layers.append(Parts(parts, residual=stride == 1 and channels == out_channels))
            channels = out_channels
    last = ConvLayer(channels, 1280)
    body = Parts({"conv_stem": Parts(stem), "layer": layers, "conv_1x1": last})
    return Classifier("mobilenet_v2", body, 1280, num_classes)


def trained(net, seed=0):
    """Give a network numbers as of a trained one, in float64, and return it in eval mode."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in net.state_dict().items():
        if name.endswith(("num_batches_tracked", "convolution.weight")):
            continue
        drawn = torch.rand(tensor.shape, generator=generator)
        tensor.copy_(drawn + 0.5 if name.endswith(("var", "tion.weight")) else 0.2 * drawn)
    return net.double().eval()
