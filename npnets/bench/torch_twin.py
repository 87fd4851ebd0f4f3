"""The four networks once more, in PyTorch, written from the papers: for timing and for the tests.

Nothing here walks the layers of npnets, so that a misreading must be made twice to go unseen.
Modules are made in the order of the forward pass, the shortcut before the branch: in that order
`state_dict()` here and `net.state()` there pair up, array by array. Activations work in place, as
in torchvision. Import this module only where PyTorch is wanted.
"""

import math
import re

from npnets.extras import require

torch = require("torch", "bench")
nn, F = torch.nn, torch.nn.functional

GAMMA_BETA = {"gamma": "weight", "beta": "bias"}  # what PyTorch calls them


def twin_of(name, **options):
    """Return the network of a name such as mobilenet_v2_x0_35 or shufflenet_v1_x1_0_g3."""
    family, width, groups = re.fullmatch(r"([a-z]+_v\d)(?:_x(\d+_\d+))?(?:_g(\d))?", name).groups()
    network, width_name = NETWORKS[family]
    if width is not None:
        options[width_name] = float(width.replace("_", "."))
    if groups is not None:
        options["groups"] = int(groups)
    return network(**options)


def pairs(torch_net, net):
    """Return [(name in npnets, name in PyTorch)] of all arrays, in order.

    Raises ValueError where their number, or the kind or the shape of a pair, differs.
    """
    ours, theirs = net.state(), torch_net.state_dict()
    theirs = {name: t for name, t in theirs.items() if not name.endswith("num_batches_tracked")}
    if len(ours) != len(theirs):
        raise ValueError(f"npnets has {len(ours)} arrays, PyTorch {len(theirs)}")
    for (name, array), (torch_name, tensor) in zip(ours.items(), theirs.items(), strict=True):
        kind = name.rpartition(".")[2]
        ours_is = GAMMA_BETA.get(kind, kind), array.shape
        if ours_is != (torch_name.rpartition(".")[2], tuple(tensor.shape)):
            raise ValueError(f"{name} does not pair with {torch_name}")
    return list(zip(ours, theirs, strict=True))


def copy_into(torch_net, net):
    """Give torch_net all parameters and running statistics of net; return torch_net."""
    state = net.state()
    arrays = {theirs: torch.from_numpy(state[ours]) for ours, theirs in pairs(torch_net, net)}
    torch_net.load_state_dict(arrays, strict=False)  # num_batches_tracked stays as it is
    return torch_net


def conv_bn(in_channels, out_channels, kernel_size=1, stride=1, groups=1):
    conv = nn.Conv2d(
        in_channels, out_channels, kernel_size, stride, kernel_size // 2, groups=groups, bias=False
    )
    return nn.Sequential(conv, nn.BatchNorm2d(out_channels))


def depthwise_bn(channels, stride):
    return conv_bn(channels, channels, 3, stride, groups=channels)


def global_average(x):
    return F.adaptive_avg_pool2d(x, 1).flatten(1)


def relu(x):
    return F.relu(x, inplace=True)


def shuffle(x, groups):
    """arXiv:1707.01083, section 3.1: reshape to (g, n), transpose, flatten."""
    return F.channel_shuffle(x, groups)


class MobileNetV1(nn.Module):
    """arXiv:1704.04861, table 1; the last depthwise layer has stride 1 (its output is 7 × 7)."""

    def __init__(
        self, width_mult=1.0, num_classes=1000, in_channels=3, small_images=False, relu6=False
    ):
        super().__init__()
        outputs = [64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]
        widths = [max(8, int(width_mult * c)) for c in [32, *outputs]]
        downsampled = {1, 3, 5, 11}  # where the channels double, but for the first time
        self.stem = conv_bn(in_channels, widths[0], 3, stride=1 if small_images else 2)
        self.units = nn.ModuleList()
        for i in range(13):
            dw = depthwise_bn(widths[i], stride=2 if i in downsampled else 1)
            self.units.append(nn.ModuleList([dw, conv_bn(widths[i], widths[i + 1])]))
        self.fc = nn.Linear(widths[-1], num_classes)
        self.relu = nn.ReLU6(inplace=True) if relu6 else nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.relu(self.stem(x))
        for depthwise, pointwise in self.units:
            x = self.relu(pointwise(self.relu(depthwise(x))))
        return self.fc(global_average(x))


class Bottleneck(nn.Module):
    """arXiv:1801.04381, figure 4 (d): the last convolution is linear, and joins the shortcut."""

    def __init__(self, in_channels, out_channels, stride, t):
        super().__init__()
        wide = t * in_channels
        layers = [] if t == 1 else [conv_bn(in_channels, wide), nn.ReLU6(inplace=True)]
        layers += [depthwise_bn(wide, stride), nn.ReLU6(inplace=True), conv_bn(wide, out_channels)]
        self.conv = nn.Sequential(*layers)
        self.add = stride == 1 and in_channels == out_channels

    def forward(self, x):
        return x + self.conv(x) if self.add else self.conv(x)


class MobileNetV2(nn.Module):
    """arXiv:1801.04381, table 2; the head keeps its 1280 channels below a multiplier of 1."""

    EXPANSION = 1, 6, 6, 6, 6, 6, 6
    CHANNELS = 16, 24, 32, 64, 96, 160, 320
    REPEATS = 1, 2, 3, 4, 3, 3, 1
    STRIDE = 1, 2, 2, 2, 1, 2, 1

    def __init__(self, width_mult=1.0, num_classes=1000, in_channels=3, small_images=False):
        super().__init__()
        width = self.rounded(32 * width_mult)
        layers = [
            conv_bn(in_channels, width, 3, stride=1 if small_images else 2),
            nn.ReLU6(inplace=True),
        ]
        columns = self.EXPANSION, self.CHANNELS, self.REPEATS, self.STRIDE
        for t, c, n, s in zip(*columns, strict=True):
            for stride in [s] + (n - 1) * [1]:
                out_channels = self.rounded(c * width_mult)
                layers.append(Bottleneck(width, out_channels, stride, t))
                width = out_channels
        last = self.rounded(1280 * width_mult) if width_mult > 1 else 1280
        self.features = nn.Sequential(*layers, conv_bn(width, last), nn.ReLU6(inplace=True))
        self.classifier = nn.Linear(last, num_classes)

    def forward(self, x):
        return self.classifier(global_average(self.features(x)))

    @staticmethod
    def rounded(channels):
        """To the nearest multiple of 8, half up; to the next where that loses over 10 %."""
        multiple = max(8, 8 * math.floor(channels / 8 + 0.5))
        return multiple + 8 if multiple < 0.9 * channels else multiple


class ShuffleUnit1(nn.Module):
    """arXiv:1707.01083, figure 2 (b) and (c)."""

    def __init__(self, in_channels, out_channels, stride, groups, grouped_input=True):
        super().__init__()
        inside, self.stride, self.groups = out_channels // 4, stride, groups
        made = out_channels if stride == 1 else out_channels - in_channels
        self.gconv1 = conv_bn(in_channels, inside, groups=groups if grouped_input else 1)
        self.dwconv = depthwise_bn(inside, stride)
        self.gconv2 = conv_bn(inside, made, groups=groups)

    def forward(self, x):
        branch = shuffle(relu(self.gconv1(x)), self.groups)
        branch = self.gconv2(self.dwconv(branch))
        if self.stride == 1:
            return relu(x + branch)
        return relu(torch.cat([F.avg_pool2d(x, 3, stride=2, padding=1), branch], dim=1))


class ShuffleNetV1(nn.Module):
    """arXiv:1707.01083, table 1: each stage has twice the channels of the one before."""

    def __init__(self, scale=1.0, groups=3, num_classes=1000, in_channels=3, small_images=False):
        super().__init__()
        stem = {0.25: 6, 0.5: 12, 1: 24, 1.5: 24, 2: 48}[scale]
        stage2 = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}[groups]
        width = groups * math.ceil(stem / groups)
        self.conv1 = conv_bn(in_channels, width, 3, stride=1 if small_images else 2)
        self.small_images, units = small_images, []
        for stage, repeats in (2, 4), (3, 8), (4, 4):
            wanted = scale * stage2 * 2 ** (stage - 2)
            out_channels = 4 * groups * math.ceil(wanted / (4 * groups))
            for i in range(repeats):
                grouped_input = bool(units)  # the very first takes the few channels of conv1
                stride = 1 if i else 2
                units.append(ShuffleUnit1(width, out_channels, stride, groups, grouped_input))
                width = out_channels
        self.units = nn.Sequential(*units)
        self.fc = nn.Linear(width, num_classes)

    def forward(self, x):
        x = relu(self.conv1(x))
        if not self.small_images:
            x = F.max_pool2d(x, 3, stride=2, padding=1)
        return self.fc(global_average(self.units(x)))


class ShuffleUnit2(nn.Module):
    """arXiv:1807.11164, figure 3 (c), and (d) where first_way, its left way, has channels."""

    def __init__(self, in_channels, out_channels, stride, first_way=None):
        super().__init__()
        self.stride, inside = stride, out_channels // 2
        if stride == 2:
            self.left = nn.Sequential(
                depthwise_bn(in_channels, 2),
                conv_bn(in_channels, first_way),
                nn.ReLU(inplace=True),
            )
        right_in = in_channels if stride == 2 else inside
        right_out = out_channels - first_way if stride == 2 else inside
        self.right = nn.Sequential(
            conv_bn(right_in, inside), nn.ReLU(inplace=True),
            depthwise_bn(inside, stride),
            conv_bn(inside, right_out), nn.ReLU(inplace=True),
        )  # fmt: skip

    def forward(self, x):
        if self.stride == 1:
            x1, x2 = x.chunk(2, dim=1)
            ways = [x1, self.right(x2)]
        else:
            ways = [self.left(x), self.right(x)]
        return shuffle(torch.cat(ways, dim=1), 2)


class ShuffleNetV2(nn.Module):
    """arXiv:1807.11164, table 5. equal_ways: in strided units, both ways make half."""

    def __init__(
        self, width_mult=1.0, num_classes=1000, in_channels=3, small_images=False, equal_ways=False
    ):
        super().__init__()
        self.conv1 = conv_bn(in_channels, 24, 3, stride=1 if small_images else 2)
        self.small_images, units, width = small_images, [], 24
        stage2 = {0.5: 48, 1: 116, 1.5: 176, 2: 244}[width_mult]
        for stage, repeats in (2, 4), (3, 8), (4, 4):
            out_channels = stage2 * 2 ** (stage - 2)
            first_way = out_channels // 2 if equal_ways else width
            units.append(ShuffleUnit2(width, out_channels, 2, first_way))
            units += [ShuffleUnit2(out_channels, out_channels, 1) for _ in range(repeats - 1)]
            width = out_channels
        self.units = nn.Sequential(*units)
        last = 2048 if width_mult == 2 else 1024
        self.conv5 = conv_bn(width, last)
        self.fc = nn.Linear(last, num_classes)

    def forward(self, x):
        x = relu(self.conv1(x))
        if not self.small_images:
            x = F.max_pool2d(x, 3, stride=2, padding=1)
        return self.fc(global_average(relu(self.conv5(self.units(x)))))


NETWORKS = {
    "mobilenet_v1": (MobileNetV1, "width_mult"),
    "mobilenet_v2": (MobileNetV2, "width_mult"),
    "shufflenet_v1": (ShuffleNetV1, "scale"),
    "shufflenet_v2": (ShuffleNetV2, "width_mult"),
}
