"""Keras: MobileNet and MobileNetV2 of keras.applications.

Source: github.com/keras-team/keras, keras/src/applications/mobilenet.py and mobilenet_v2.py.
"""

from npnets.layers import DepthwiseConv2d
from npnets.nets import MobileNetV1, MobileNetV2
from npnets.weights.adapt import TENSORFLOW
from npnets.weights.preprocessing import KERAS
from npnets.weights.source import Source, table

# Keras 2 says depthwise_kernel for the filters of a depthwise convolution, Keras 3 kernel.
KINDS = {
    "conv.weight": "/kernel H W I O",
    "conv.bias": "/bias",
    "depthwise.weight": "/kernel H W O I",
    "depthwise.bias": "/bias",
    "norm.gamma": "/gamma",
    "norm.beta": "/beta",
    "norm.running_mean": "/moving_mean",
    "norm.running_var": "/moving_variance",
    "linear.weight": "/kernel I O",
    "linear.bias": "/bias",
}
# The classifier of MobileNet is a convolution, on an image of one pixel.
CONVOLUTION_LAST = KINDS | {"linear.weight": "/kernel 1 1 I O"}

MOBILENET_V1 = table("""
    npnets             Keras
    stem.conv          conv1
    stem.norm          conv1_bn
    *.depthwise.conv   conv_dw_{n}
    *.depthwise.norm   conv_dw_{n}_bn
    *.pointwise.conv   conv_pw_{n}
    *.pointwise.norm   conv_pw_{n}_bn
    classifier         conv_preds
""")

MOBILENET_V2 = table("""
    npnets                               Keras
    stem.conv                            Conv1
    stem.norm                            bn_Conv1
    stage1.unit1.branch.depthwise.conv   expanded_conv_depthwise
    stage1.unit1.branch.depthwise.norm   expanded_conv_depthwise_BN
    stage1.unit1.branch.project.conv     expanded_conv_project
    stage1.unit1.branch.project.norm     expanded_conv_project_BN
    *.branch.expand.conv                 block_{n-1}_expand
    *.branch.expand.norm                 block_{n-1}_expand_BN
    *.branch.depthwise.conv              block_{n-1}_depthwise
    *.branch.depthwise.norm              block_{n-1}_depthwise_BN
    *.branch.project.conv                block_{n-1}_project
    *.branch.project.norm                block_{n-1}_project_BN
    head.conv                            Conv_1
    head.norm                            Conv_1_bn
    classifier                           predictions
""")


def keras_3(arrays):
    """Return arrays by the names of Keras 3."""
    return {name.replace("/depthwise_kernel", "/kernel"): a for name, a in arrays.items()}


def pad_below(net):
    """Where the stride is 2, pad one row below and one column to the right, whatever the size."""
    for layer in net.layers().values():
        if isinstance(layer, DepthwiseConv2d) and layer.window["stride"] == 2:
            layer.window["padding"] = (0, 1, 0, 1)


# "same" for every image whose sides are multiples of 32, and not for all others
BELOW = {"but depthwise convolutions of stride 2 always pad below and right only": pad_below}

SOURCES = (
    Source(
        "keras", MobileNetV1, MOBILENET_V1, KERAS, kinds=CONVOLUTION_LAST,
        options={"relu6": True}, changes=TENSORFLOW | BELOW, prepare=keras_3,
    ),
    Source("keras", MobileNetV2, MOBILENET_V2, KERAS, KINDS, changes=TENSORFLOW, prepare=keras_3),
)  # fmt: skip
