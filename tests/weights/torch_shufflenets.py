"""The ShuffleNets as their makers build them in PyTorch, with the makers' own names and wiring."""

import torch
from torch import nn
from torch.nn import functional as F
from torch_makers import cba, conv, cv_block, mean, plain_shuffle, seq

REPEATS = 4, 8, 4


def relu_block(inp, oup, k=1, s=1, groups=1):
    return cba(inp, oup, k, s, groups, act=nn.ReLU)


def norm_block(inp, oup, k=1, s=1, groups=1):
    return seq(*cba(inp, oup, k, s, groups)[:2])


# ---- ShuffleNet v1


class MegviiV1(nn.Module):
    class Unit(nn.Module):
        def __init__(self, inp, oup, s, groups, first):
            super().__init__()
            mid, made = oup // 4, oup - inp if s == 2 else oup
            self.branch_main_1 = seq(
                *relu_block(inp, mid, groups=1 if first else groups),
                *norm_block(mid, mid, 3, s, mid),
            )
            self.branch_main_2 = norm_block(mid, made, groups=groups)
            self.groups, self.s = groups, s

        def forward(self, x):
            y = self.branch_main_1(x)
            N, C, H, W = y.shape
            y = y.reshape(N, C // self.groups, self.groups, H, W).transpose(1, 2).reshape(y.shape)
            y = self.branch_main_2(y)
            if self.s == 1:
                return F.relu(x + y)
            return torch.cat((F.avg_pool2d(x, 3, 2, 1), F.relu(y)), 1)

    def __init__(self, widths, groups, classes=1000):
        super().__init__()
        inp, *stages = widths
        self.first_conv, units = relu_block(3, inp, 3, 2), []
        for oup, n in zip(stages, REPEATS, strict=True):
            for i in range(n):
                units.append(self.Unit(inp, oup, 1 if i else 2, groups, not units))
                inp = oup
        self.features = seq(*units)
        self.classifier = seq(nn.Linear(inp, classes, bias=False))

    def forward(self, x):
        x = F.max_pool2d(self.first_conv(x), 3, 2, 1)
        return self.classifier(mean(self.features(x)))


class Jaxony(nn.Module):
    """Every convolution has a bias, and the first one no batch norm and no ReLU."""

    class Unit(nn.Module):
        def __init__(self, inp, oup, s, groups, first):
            super().__init__()
            mid, made = oup // 4, oup - inp if s == 2 else oup
            self.g_conv_1x1_compress = seq(
                conv1x1=conv(inp, mid, groups=1 if first else groups, bias=True),
                batch_norm=nn.BatchNorm2d(mid),
                relu=nn.ReLU(),
            )
            self.depthwise_conv3x3 = conv(mid, mid, 3, s, mid, bias=True)
            self.bn_after_depthwise = nn.BatchNorm2d(mid)
            self.g_conv_1x1_expand = seq(
                conv1x1=conv(mid, made, groups=groups, bias=True), batch_norm=nn.BatchNorm2d(made)
            )
            self.groups, self.s = groups, s

        def forward(self, x):
            y = plain_shuffle(self.g_conv_1x1_compress(x), self.groups)
            y = self.g_conv_1x1_expand(self.bn_after_depthwise(self.depthwise_conv3x3(y)))
            if self.s == 1:
                return F.relu(x + y)
            return F.relu(torch.cat((F.avg_pool2d(x, 3, 2, 1), y), 1))

    def __init__(self, widths, groups, classes=1000):
        super().__init__()
        inp, *stages = widths
        self.conv1 = conv(3, inp, 3, 2, bias=True)
        for stage, (oup, n) in enumerate(zip(stages, REPEATS, strict=True), 2):
            units = {}
            for i in range(n):
                name = f"ShuffleUnit_Stage{stage}_{i}"
                units[name] = self.Unit(inp, oup, 1 if i else 2, groups, stage == 2 and i == 0)
                inp = oup
            self.add_module(f"stage{stage}", seq(**units))
        self.fc = nn.Linear(inp, classes)

    def forward(self, x):
        x = F.max_pool2d(self.conv1(x), 3, 2, 1)
        return self.fc(mean(self.stage4(self.stage3(self.stage2(x)))))


class CvUnit(nn.Module):
    """pytorchcv's names of the three convolutions of a branch."""

    def three(self, inp, mid, oup, s, compress_groups=1, groups=1):
        self.compress_conv1 = conv(inp, mid, groups=compress_groups)
        self.compress_bn1 = nn.BatchNorm2d(mid)
        self.dw_conv2, self.dw_bn2 = conv(mid, mid, 3, s, mid), nn.BatchNorm2d(mid)
        self.expand_conv3 = conv(mid, oup, groups=groups)
        self.expand_bn3 = nn.BatchNorm2d(oup)


class CvShuffleNet(nn.Module):
    """In strided units the branch comes first."""

    class Unit(CvUnit):
        def __init__(self, inp, oup, s, groups, first):
            super().__init__()
            made = oup - inp if s == 2 else oup
            self.three(inp, oup // 4, made, s, 1 if first else groups, groups)
            self.groups, self.s = groups, s

        def forward(self, x):
            y = plain_shuffle(F.relu(self.compress_bn1(self.compress_conv1(x))), self.groups)
            y = self.expand_bn3(self.expand_conv3(self.dw_bn2(self.dw_conv2(y))))
            if self.s == 1:
                return F.relu(y + x)
            return F.relu(torch.cat((y, F.avg_pool2d(x, 3, 2, 1)), 1))

    def __init__(self, widths, groups, classes=1000):
        super().__init__()
        inp, *stages = widths
        self.features = seq(init_block=seq(**dict(cv_block(3, inp, 3, 2).named_children())))
        for stage, (oup, n) in enumerate(zip(stages, REPEATS, strict=True), 1):
            units = {}
            for i in range(n):
                first = stage == 1 and i == 0
                units[f"unit{i + 1}"] = self.Unit(inp, oup, 1 if i else 2, groups, first)
                inp = oup
            self.features.add_module(f"stage{stage}", seq(**units))
        self.output = nn.Linear(inp, classes)

    def forward(self, x):
        x = F.max_pool2d(self.features.init_block(x), 3, 2, 1)
        return self.output(mean(self.features[1:](x)))


# ---- ShuffleNet v2


class MegviiV2(nn.Module):
    """A unit of stride 1 begins with a shuffle and the split; none ends with a shuffle."""

    class Unit(nn.Module):
        def __init__(self, inp, oup, s):
            super().__init__()
            mid, made = oup // 2, oup - inp
            self.branch_main = seq(
                *relu_block(inp, mid), *norm_block(mid, mid, 3, s, mid), *relu_block(mid, made)
            )
            if s == 2:
                self.branch_proj = seq(*norm_block(inp, inp, 3, 2, inp), *relu_block(inp, inp))
            self.s = s

        def forward(self, x):
            if self.s == 2:
                return torch.cat((self.branch_proj(x), self.branch_main(x)), 1)
            return torch.cat((x[:, 0::2], self.branch_main(x[:, 1::2])), 1)

    def __init__(self, widths, classes=1000):
        super().__init__()
        inp, *stages, last = widths
        self.first_conv, units = relu_block(3, inp, 3, 2), []
        for oup, n in zip(stages, REPEATS, strict=True):
            units += [self.Unit(inp, oup, 2)]
            units += [self.Unit(oup // 2, oup, 1) for _ in range(n - 1)]
            inp = oup
        self.features, self.conv_last = seq(*units), relu_block(inp, last)
        self.classifier = seq(nn.Linear(last, classes, bias=False))

    def forward(self, x):
        x = F.max_pool2d(self.first_conv(x), 3, 2, 1)
        return self.classifier(mean(self.conv_last(self.features(x))))


class TvShuffleNetV2(nn.Module):
    """torchvision's; without strides at the start, chenyaofo's for CIFAR."""

    class Unit(nn.Module):
        def __init__(self, inp, oup, s):
            super().__init__()
            half = oup // 2
            self.branch1 = seq()
            if s == 2:
                self.branch1 = seq(*norm_block(inp, inp, 3, 2, inp), *relu_block(inp, half))
            self.branch2 = seq(
                *relu_block(inp if s == 2 else half, half),
                *norm_block(half, half, 3, s, half),
                *relu_block(half, half),
            )
            self.s = s

        def forward(self, x):
            a, b = (x, x) if self.s == 2 else x.chunk(2, dim=1)
            return plain_shuffle(torch.cat((self.branch1(a), self.branch2(b)), 1), 2)

    def __init__(self, widths, classes=1000, cifar=False):
        super().__init__()
        inp, *stages, last = widths
        self.conv1, self.cifar = relu_block(3, inp, 3, 1 if cifar else 2), cifar
        for stage, (oup, n) in enumerate(zip(stages, REPEATS, strict=True), 2):
            units = [self.Unit(inp, oup, 2), *(self.Unit(oup, oup, 1) for _ in range(n - 1))]
            self.add_module(f"stage{stage}", seq(*units))
            inp = oup
        self.conv5, self.fc = relu_block(inp, last), nn.Linear(last, classes)

    def forward(self, x):
        x = self.conv1(x)
        x = x if self.cifar else F.max_pool2d(x, 3, 2, 1)
        return self.fc(mean(self.conv5(self.stage4(self.stage3(self.stage2(x))))))


class CvShuffleNetV2(nn.Module):
    """The max pooling pads nothing and counts a last window that is not whole."""

    class Unit(CvUnit):
        def __init__(self, inp, oup, s):
            super().__init__()
            half = oup // 2
            self.three(inp if s == 2 else half, half, half, s)
            if s == 2:
                self.dw_conv4, self.dw_bn4 = conv(inp, inp, 3, 2, inp), nn.BatchNorm2d(inp)
                self.expand_conv5, self.expand_bn5 = conv(inp, half), nn.BatchNorm2d(half)
            self.s = s

        def forward(self, x):
            if self.s == 2:
                a, b = F.relu(self.expand_bn5(self.expand_conv5(self.dw_bn4(self.dw_conv4(x))))), x
            else:
                a, b = x.chunk(2, dim=1)
            b = self.dw_bn2(self.dw_conv2(F.relu(self.compress_bn1(self.compress_conv1(b)))))
            b = F.relu(self.expand_bn3(self.expand_conv3(b)))
            return plain_shuffle(torch.cat((a, b), 1), 2)

    def __init__(self, widths, classes=1000):
        super().__init__()
        inp, *stages, last = widths
        self.features = seq(init_block=seq(conv=cv_block(3, inp, 3, 2)))
        for stage, (oup, n) in enumerate(zip(stages, REPEATS, strict=True), 1):
            units = {"unit1": self.Unit(inp, oup, 2)}
            units |= {f"unit{i}": self.Unit(oup, oup, 1) for i in range(2, n + 1)}
            self.features.add_module(f"stage{stage}", seq(**units))
            inp = oup
        self.features.add_module("final_block", cv_block(inp, last))
        self.output = nn.Linear(last, classes)

    def forward(self, x):
        x = F.max_pool2d(self.features.init_block(x), 3, 2, 0, ceil_mode=True)
        return self.output(mean(self.features[1:](x)))
