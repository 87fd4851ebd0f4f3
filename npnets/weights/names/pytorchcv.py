"""pytorchcv: all four networks. Source: github.com/osmr/imgclsmob, pytorch/pytorchcv/models,
mobilenet.py, mobilenetv2.py, shufflenet.py and shufflenetv2.py."""

from npnets import ops
from npnets.layers import Layer, Sequential
from npnets.nets import MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2
from npnets.weights.kinds import PYTORCH
from npnets.weights.preprocessing import TORCHVISION
from npnets.weights.source import Source, table

# A stage there begins where the image gets smaller.
MOBILENET_V1 = table("""
    npnets                     pytorchcv
    stem.conv                  features.init_block.conv
    stem.norm                  features.init_block.bn
    *.depthwise.conv           features.stage{level}.unit{step}.dw_conv.conv
    *.depthwise.norm           features.stage{level}.unit{step}.dw_conv.bn
    *.pointwise.conv           features.stage{level}.unit{step}.pw_conv.conv
    *.pointwise.norm           features.stage{level}.unit{step}.pw_conv.bn
    classifier                 output
""")

MOBILENET_V2 = table("""
    npnets                     pytorchcv
    stem.conv                  features.init_block.conv
    stem.norm                  features.init_block.bn
    *.branch.expand.conv       features.stage{level}.unit{step}.conv1.conv
    *.branch.expand.norm       features.stage{level}.unit{step}.conv1.bn
    *.branch.depthwise.conv    features.stage{level}.unit{step}.conv2.conv
    *.branch.depthwise.norm    features.stage{level}.unit{step}.conv2.bn
    *.branch.project.conv      features.stage{level}.unit{step}.conv3.conv
    *.branch.project.norm      features.stage{level}.unit{step}.conv3.bn
    head.conv                  features.final_block.conv
    head.norm                  features.final_block.bn
    classifier                 output
""")

SHUFFLENET_V1 = table("""
    npnets                     pytorchcv
    stem.conv                  features.init_block.conv
    stem.norm                  features.init_block.bn
    *.branch.compress.conv     features.stage{stage-1}.unit{unit}.compress_conv1
    *.branch.compress.norm     features.stage{stage-1}.unit{unit}.compress_bn1
    *.branch.depthwise.conv    features.stage{stage-1}.unit{unit}.dw_conv2
    *.branch.depthwise.norm    features.stage{stage-1}.unit{unit}.dw_bn2
    *.branch.expand.conv       features.stage{stage-1}.unit{unit}.expand_conv3
    *.branch.expand.norm       features.stage{stage-1}.unit{unit}.expand_bn3
    classifier                 output
""")

SHUFFLENET_V2 = table("""
    npnets                     pytorchcv
    stem.conv                  features.init_block.conv.conv
    stem.norm                  features.init_block.conv.bn
    *.shortcut.depthwise.conv  features.stage{stage-1}.unit{unit}.dw_conv4
    *.shortcut.depthwise.norm  features.stage{stage-1}.unit{unit}.dw_bn4
    *.shortcut.pointwise.conv  features.stage{stage-1}.unit{unit}.expand_conv5
    *.shortcut.pointwise.norm  features.stage{stage-1}.unit{unit}.expand_bn5
    *.branch.pointwise1.conv   features.stage{stage-1}.unit{unit}.compress_conv1
    *.branch.pointwise1.norm   features.stage{stage-1}.unit{unit}.compress_bn1
    *.branch.depthwise.conv    features.stage{stage-1}.unit{unit}.dw_conv2
    *.branch.depthwise.norm    features.stage{stage-1}.unit{unit}.dw_bn2
    *.branch.pointwise2.conv   features.stage{stage-1}.unit{unit}.expand_conv3
    *.branch.pointwise2.norm   features.stage{stage-1}.unit{unit}.expand_bn3
    head.conv                  features.final_block.conv
    head.norm                  features.final_block.bn
    classifier                 output
""")


class Swap(Layer):
    """Move the first channels behind the others: so many channels."""

    def __init__(self, channels):
        self.channels = channels

    def forward(self, x):
        self.save(x.shape[1])
        first, others = ops.split(x, self.channels)
        return ops.concat(others, first)

    def backward(self, dy):
        (channels,) = self.saved()
        dothers, dfirst = ops.split(dy, channels - self.channels)
        return ops.concat(dfirst, dothers)

    def describe(self):
        return f"{self.channels}"


def branch_first(net):
    """Let the strided units of ShuffleNet v1 make [branch, shortcut], not [shortcut, branch].

    No order of the weights does that: the groups of the next convolution are counted off from
    the first channel, and the two orders group channels otherwise.
    """
    for name in ("stage2", "stage3", "stage4"):
        unit1, *others = getattr(net, name)
        units = {f"unit{number}": unit for number, unit in enumerate(others, 2)}
        setattr(net, name, Sequential(unit1=unit1, swap=Swap(unit1.in_channels), **units))


def ceil_max_pool(net):
    """Pad only at the bottom and to the right, by what the last window lacks: ceil_mode=True."""
    net.max_pool.window["padding"] = (0, 1, 0, 1)


# Its MobileNet v2 convolves before the first depthwise convolution too, and its classifier is a
# 1 × 1 convolution without a bias. The head of its ShuffleNet v2 has 1553 channels at 1.5x, and at
# 2x 2153; the paper's has 1024 and 2048.
SOURCES = (
    Source("pytorchcv", MobileNetV1, MOBILENET_V1, TORCHVISION),
    Source(
        "pytorchcv",
        MobileNetV2,
        MOBILENET_V2,
        TORCHVISION,
        kinds=PYTORCH | {"linear.weight": ".weight  O I 1 1"},
        options={"always_expand": True},
        absent=("classifier.bias",),
    ),
    Source(
        "pytorchcv",
        ShuffleNetV1,
        SHUFFLENET_V1,
        TORCHVISION,
        changes={"strided units have the channels of the branch first": branch_first},
    ),
    Source(
        "pytorchcv",
        ShuffleNetV2,
        SHUFFLENET_V2,
        TORCHVISION,
        changes={"max pooling pads at the bottom and to the right only": ceil_max_pool},
    ),
)
