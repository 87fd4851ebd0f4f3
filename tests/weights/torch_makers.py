"""The networks as their makers build them in PyTorch, with the makers' own names and wiring.

They are witnesses: nothing here knows of npnets. Each says in a few lines what its maker does;
`state_dict()` has the names of the published checkpoints.
"""

from torch import nn
from torch.nn import functional as F

# Table 1 of MobileNet: channels and stride. Table 2 of MobileNet v2: t, c, n, s.
V1 = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    *5 * [(512, 1)],
    (1024, 2),
    (1024, 1),
)
V2 = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
)  # fmt: skip


def conv(inp, oup, k=1, s=1, groups=1, bias=False):
    return nn.Conv2d(inp, oup, k, s, k // 2, groups=groups, bias=bias)


def seq(*modules, **named):
    net = nn.Sequential(*modules)
    for name, module in named.items():
        net.add_module(name, module)
    return net


def cba(inp, oup, k=1, s=1, groups=1, act=nn.ReLU6):
    return seq(conv(inp, oup, k, s, groups), nn.BatchNorm2d(oup), act())


def mean(x):
    return x.mean((2, 3))


def plain_shuffle(x, groups):
    n, c, h, w = x.shape
    return x.view(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)


def divisible(v):
    rounded = max(8, int(v + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * v else rounded


# ---- MobileNet v1


class Marvis(nn.Module):
    def __init__(self, width=1.0, classes=1000):
        super().__init__()
        c = [int(32 * width), *(int(c * width) for c, _ in V1)]
        units = [cba(3, c[0], 3, 2, act=nn.ReLU)]
        for i, (_, s) in enumerate(V1):
            units.append(
                seq(
                    *cba(c[i], c[i], 3, s, c[i], act=nn.ReLU),
                    *cba(c[i], c[i + 1], act=nn.ReLU),
                )
            )
        self.model, self.fc = seq(*units), nn.Linear(c[-1], classes)

    def forward(self, x):
        return self.fc(mean(self.model(x)))


class TimmV1(nn.Module):
    class Unit(nn.Module):
        def __init__(self, inp, oup, s):
            super().__init__()
            self.conv_dw, self.bn1 = conv(inp, inp, 3, s, inp), nn.BatchNorm2d(inp)
            self.conv_pw, self.bn2 = conv(inp, oup), nn.BatchNorm2d(oup)

        def forward(self, x):
            x = F.relu6(self.bn1(self.conv_dw(x)))
            return F.relu6(self.bn2(self.conv_pw(x)))

    def __init__(self, width=1.0, classes=1000):
        super().__init__()
        inp = divisible(32 * width)
        self.conv_stem, self.bn1 = conv(3, inp, 3, 2), nn.BatchNorm2d(inp)
        blocks = []
        for c, n in (64, 1), (128, 2), (256, 2), (512, 6), (1024, 2):
            units = []
            for i in range(n):
                units.append(self.Unit(inp, divisible(c * width), 2 if i == 0 and c > 64 else 1))
                inp = divisible(c * width)
            blocks.append(seq(*units))
        self.blocks, self.classifier = seq(*blocks), nn.Linear(inp, classes)

    def forward(self, x):
        return self.classifier(mean(self.blocks(F.relu6(self.bn1(self.conv_stem(x))))))


def cv_block(inp, oup, k=1, s=1, groups=1, act=nn.ReLU):
    """pytorchcv's block, whose parts have names."""
    parts = {"conv": conv(inp, oup, k, s, groups), "bn": nn.BatchNorm2d(oup)}
    return seq(**parts) if act is None else seq(**parts, activ=act())


class CvMobileNet(nn.Module):
    def __init__(self, width=1.0, classes=1000):
        super().__init__()
        inp = int(32 * width)
        self.features = seq(init_block=cv_block(3, inp, 3, 2))
        for i, stage in enumerate([[64], [128] * 2, [256] * 2, [512] * 6, [1024] * 2], 1):
            units = {}
            for j, c in enumerate(stage, 1):
                oup, s = int(c * width), 2 if i > 1 and j == 1 else 1
                dw, pw = cv_block(inp, inp, 3, s, inp), cv_block(inp, oup)
                units[f"unit{j}"], inp = seq(dw_conv=dw, pw_conv=pw), oup
            self.features.add_module(f"stage{i}", seq(**units))
        self.output = nn.Linear(inp, classes)

    def forward(self, x):
        return self.output(mean(self.features(x)))


# ---- MobileNet v2


class Residual(nn.Module):
    """A branch, by the name of `conv`, and where it fits, the shortcut."""

    def __init__(self, branch, add):
        super().__init__()
        self.conv, self.add = branch, add

    def forward(self, x):
        return x + self.conv(x) if self.add else self.conv(x)


def v2_units(width, first_strides=None, round_to=divisible):
    """Yield (inp, hidden, oup, stride, t) of the 17 units."""
    inp = round_to(32 * width)
    for number, (t, c, n, s) in enumerate(V2):
        s = (first_strides or {}).get(number, s)
        for i in range(n):
            oup = round_to(c * width)
            yield inp, t * inp, oup, s if i == 0 else 1, t
            inp = oup


class TvMobileNetV2(nn.Module):
    """torchvision's; with strides for CIFAR, chenyaofo's."""

    def __init__(self, width=1.0, classes=1000, cifar=False):
        super().__init__()
        features = [cba(3, divisible(32 * width), 3, 1 if cifar else 2)]
        for inp, hidden, oup, s, t in v2_units(width, {1: 1} if cifar else None):
            layers = [cba(inp, hidden)] if t > 1 else []
            layers += [cba(hidden, hidden, 3, s, hidden), conv(hidden, oup), nn.BatchNorm2d(oup)]
            features.append(Residual(seq(*layers), s == 1 and inp == oup))
        last = divisible(1280 * max(1, width))
        self.features = seq(*features, cba(oup, last))
        self.classifier = seq(nn.Dropout(0.2), nn.Linear(last, classes))

    def forward(self, x):
        return self.classifier(mean(self.features(x)))


class TonyLins(nn.Module):
    """The head is features.18 with tonylins, and conv with d-li14."""

    def __init__(self, width=1.0, classes=1000, d_li14=False):
        super().__init__()
        round_to = divisible
        if width == 0.1:
            round_to = lambda v: max(4, int(v + 2) // 4 * 4)  # noqa: E731
        features = [cba(3, round_to(32 * width), 3, 2)]
        for inp, hidden, oup, s, t in v2_units(width, round_to=round_to):
            layers = [*cba(inp, hidden)] if t > 1 else []
            layers += [*cba(hidden, hidden, 3, s, hidden), conv(hidden, oup), nn.BatchNorm2d(oup)]
            features.append(Residual(seq(*layers), s == 1 and inp == oup))
        last = divisible(1280 * max(1, width))
        if d_li14:
            self.features, self.conv = seq(*features), cba(oup, last)
        else:
            self.features, self.conv = seq(*features, cba(oup, last)), nn.Identity()
        self.classifier = nn.Linear(last, classes)

    def forward(self, x):
        return self.classifier(mean(self.conv(self.features(x))))


class TimmV2(nn.Module):
    class Unit(nn.Module):
        def __init__(self, inp, hidden, oup, s, t):
            super().__init__()
            self.t, self.add = t, s == 1 and inp == oup
            if t > 1:
                self.conv_pw, self.bn1 = conv(inp, hidden), nn.BatchNorm2d(hidden)
                self.conv_dw, self.bn2 = conv(hidden, hidden, 3, s, hidden), nn.BatchNorm2d(hidden)
                self.conv_pwl, self.bn3 = conv(hidden, oup), nn.BatchNorm2d(oup)
            else:
                self.conv_dw, self.bn1 = conv(hidden, hidden, 3, s, hidden), nn.BatchNorm2d(hidden)
                self.conv_pw, self.bn2 = conv(hidden, oup), nn.BatchNorm2d(oup)

        def forward(self, x):
            if self.t > 1:
                y = F.relu6(self.bn1(self.conv_pw(x)))
                y = self.bn3(self.conv_pwl(F.relu6(self.bn2(self.conv_dw(y)))))
            else:
                y = self.bn2(self.conv_pw(F.relu6(self.bn1(self.conv_dw(x)))))
            return x + y if self.add else y

    def __init__(self, width=1.0, classes=1000):
        super().__init__()
        inp, last = divisible(32 * width), divisible(1280 * max(1, width))
        self.conv_stem, self.bn1 = conv(3, inp, 3, 2), nn.BatchNorm2d(inp)
        units = [self.Unit(*unit) for unit in v2_units(width)]
        self.blocks = seq(*(seq(*(units.pop(0) for _ in range(n))) for _, _, n, _ in V2))
        oup = divisible(320 * width)
        self.conv_head, self.bn2 = conv(oup, last), nn.BatchNorm2d(last)
        self.classifier = nn.Linear(last, classes)

    def forward(self, x):
        x = self.blocks(F.relu6(self.bn1(self.conv_stem(x))))
        return self.classifier(mean(F.relu6(self.bn2(self.conv_head(x)))))


class CvMobileNetV2(nn.Module):
    """pytorchcv expands in the first unit, too, and classifies with a convolution."""

    class Unit(nn.Module):
        def __init__(self, inp, hidden, oup, s):
            super().__init__()
            self.conv1 = cv_block(inp, hidden, act=nn.ReLU6)
            self.conv2 = cv_block(hidden, hidden, 3, s, hidden, act=nn.ReLU6)
            self.conv3 = cv_block(hidden, oup, act=None)
            self.add = s == 1 and inp == oup

        def forward(self, x):
            y = self.conv3(self.conv2(self.conv1(x)))
            return x + y if self.add else y

    def __init__(self, width=1.0, classes=1000):
        super().__init__()
        round_to = lambda v: int(v)  # noqa: E731
        self.features = seq(init_block=cv_block(3, int(32 * width), 3, 2, act=nn.ReLU6))
        stages = []
        for inp, hidden, oup, s, _ in v2_units(width, round_to=round_to):
            if s == 2 or not stages:
                stages.append({})
            stages[-1][f"unit{len(stages[-1]) + 1}"] = self.Unit(inp, hidden, oup, s)
        for i, stage in enumerate(stages, 1):
            self.features.add_module(f"stage{i}", seq(**stage))
        last = int(1280 * max(1, width))
        self.features.add_module("final_block", cv_block(oup, last, act=nn.ReLU6))
        self.output = conv(last, classes)

    def forward(self, x):
        return self.output(self.features(x).mean((2, 3), keepdim=True)).flatten(1)
