"""Hugging Face's transformers: MobileNetV1 and MobileNetV2, for image classification.

Source: github.com/huggingface/transformers, models/mobilenet_v1 and mobilenet_v2. The weights were
trained in TensorFlow, and so they ask for TensorFlow's ways in PyTorch.
"""

from npnets.nets import MobileNetV1, MobileNetV2
from npnets.weights.adapt import TENSORFLOW
from npnets.weights.preprocessing import HUGGINGFACE
from npnets.weights.source import Source, table

MOBILENET_V1 = table("""
    npnets             transformers
    stem.conv          mobilenet_v1.conv_stem.convolution
    stem.norm          mobilenet_v1.conv_stem.normalization
    *.depthwise.conv   mobilenet_v1.layer.{2n-2}.convolution
    *.depthwise.norm   mobilenet_v1.layer.{2n-2}.normalization
    *.pointwise.conv   mobilenet_v1.layer.{2n-1}.convolution
    *.pointwise.norm   mobilenet_v1.layer.{2n-1}.normalization
    classifier         classifier
""")

# The first unit, which expands nothing, is a part of the stem there.
MOBILENET_V2 = table("""
    npnets                               transformers
    stem.conv                            mobilenet_v2.conv_stem.first_conv.convolution
    stem.norm                            mobilenet_v2.conv_stem.first_conv.normalization
    stage1.unit1.branch.depthwise.conv   mobilenet_v2.conv_stem.conv_3x3.convolution
    stage1.unit1.branch.depthwise.norm   mobilenet_v2.conv_stem.conv_3x3.normalization
    stage1.unit1.branch.project.conv     mobilenet_v2.conv_stem.reduce_1x1.convolution
    stage1.unit1.branch.project.norm     mobilenet_v2.conv_stem.reduce_1x1.normalization
    *.branch.expand.conv                 mobilenet_v2.layer.{n-2}.expand_1x1.convolution
    *.branch.expand.norm                 mobilenet_v2.layer.{n-2}.expand_1x1.normalization
    *.branch.depthwise.conv              mobilenet_v2.layer.{n-2}.conv_3x3.convolution
    *.branch.depthwise.norm              mobilenet_v2.layer.{n-2}.conv_3x3.normalization
    *.branch.project.conv                mobilenet_v2.layer.{n-2}.reduce_1x1.convolution
    *.branch.project.norm                mobilenet_v2.layer.{n-2}.reduce_1x1.normalization
    head.conv                            mobilenet_v2.conv_1x1.convolution
    head.norm                            mobilenet_v2.conv_1x1.normalization
    classifier                           classifier
""")

SOURCES = (
    Source(
        "huggingface", MobileNetV1, MOBILENET_V1, HUGGINGFACE,
        options={"relu6": True}, changes=TENSORFLOW,
    ),
    Source("huggingface", MobileNetV2, MOBILENET_V2, HUGGINGFACE, changes=TENSORFLOW),
)  # fmt: skip
