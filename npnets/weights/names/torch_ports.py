"""Ports to PyTorch that many have copied: MobileNet v1 as marvis wrote it, MobileNet v2 as
tonylins did and d-li14 after him, ShuffleNet v1 as jaxony did.

Sources: github.com/marvis/pytorch-mobilenet, main.py; tonylins/pytorch-mobilenet-v2,
MobileNetV2.py; d-li14/mobilenetv2.pytorch, models/imagenet/mobilenetv2.py; jaxony/ShuffleNet,
model.py. All of them see photos as torchvision's networks do.
"""

from npnets.layers import Sequential
from npnets.nets import MobileNetV1, MobileNetV2, ShuffleNetV1
from npnets.weights.adapt import add_bias
from npnets.weights.preprocessing import TORCHVISION
from npnets.weights.source import Source, table

# Numbers 2 and 5 of each unit are the ReLUs.
MARVIS = table("""
    npnets                               marvis
    stem.conv                            model.0.0
    stem.norm                            model.0.1
    *.depthwise.conv                     model.{n}.0
    *.depthwise.norm                     model.{n}.1
    *.pointwise.conv                     model.{n}.3
    *.pointwise.norm                     model.{n}.4
    classifier                           fc
""")

# As in torchvision, but a unit is one list: 2 and 5 are its ReLU6s.
TONYLINS = table("""
    npnets                               tonylins
    stem.conv                            features.0.0
    stem.norm                            features.0.1
    stage1.unit1.branch.depthwise.conv   features.1.conv.0
    stage1.unit1.branch.depthwise.norm   features.1.conv.1
    stage1.unit1.branch.project.conv     features.1.conv.3
    stage1.unit1.branch.project.norm     features.1.conv.4
    *.branch.expand.conv                 features.{n}.conv.0
    *.branch.expand.norm                 features.{n}.conv.1
    *.branch.depthwise.conv              features.{n}.conv.3
    *.branch.depthwise.norm              features.{n}.conv.4
    *.branch.project.conv                features.{n}.conv.6
    *.branch.project.norm                features.{n}.conv.7
    head.conv                            features.18.0
    head.norm                            features.18.1
    classifier                           classifier
""")
D_LI14 = TONYLINS | {"head.conv": "conv.0", "head.norm": "conv.1"}

JAXONY = table("""
    npnets                    jaxony
    stem.conv                 conv1
    *.branch.compress.conv    stage{stage}.ShuffleUnit_Stage{stage}_{unit-1}.g_conv_1x1_compress.conv1x1
    *.branch.compress.norm    stage{stage}.ShuffleUnit_Stage{stage}_{unit-1}.g_conv_1x1_compress.batch_norm
    *.branch.depthwise.conv   stage{stage}.ShuffleUnit_Stage{stage}_{unit-1}.depthwise_conv3x3
    *.branch.depthwise.norm   stage{stage}.ShuffleUnit_Stage{stage}_{unit-1}.bn_after_depthwise
    *.branch.expand.conv      stage{stage}.ShuffleUnit_Stage{stage}_{unit-1}.g_conv_1x1_expand.conv1x1
    *.branch.expand.norm      stage{stage}.ShuffleUnit_Stage{stage}_{unit-1}.g_conv_1x1_expand.batch_norm
    classifier                fc
""")  # noqa: E501


def bare_stem(net):
    """Leave of the stem the convolution alone."""
    net.stem = Sequential(conv=net.stem.conv)


# One group has 567 channels in stage 4 there, where table 1 of the paper has 576: such weights
# load as a network of those widths.
SOURCES = (
    Source("marvis", MobileNetV1, MARVIS, TORCHVISION),
    Source("tonylins", MobileNetV2, TONYLINS, TORCHVISION),
    Source("d-li14", MobileNetV2, D_LI14, TORCHVISION),
    Source(
        "jaxony",
        ShuffleNetV1,
        JAXONY,
        TORCHVISION,
        changes={
            "no batch norm and no ReLU after the first convolution": bare_stem,
            "convolutions have a bias": add_bias,
        },
    ),
)
