"""Google Coral: MobileNet v1 and v2 as whole numbers, from TensorFlow Lite, in safetensors.

Source: github.com/google-coral/test_data. A number of a weight is (q − zero point) · scale, where
q has 8 bits; there is one scale, or one for each channel. Batch norm is folded in already.
"""

import numpy as np

from npnets.nets import MobileNetV1, MobileNetV2
from npnets.weights.adapt import PADDING, fold_norm, pad_same
from npnets.weights.preprocessing import CORAL_V1, CORAL_V2
from npnets.weights.source import Source, table

KINDS = {
    "conv.weight": "/weight O H W I",
    "conv.bias": "/bias",
    "depthwise.weight": "/weight I H W O",
    "depthwise.bias": "/bias",
    "linear.weight": "/weight O 1 1 I",
    "linear.bias": "/bias",
}

MOBILENET_V1 = table("""
    npnets             Coral
    stem.conv          MobilenetV1/MobilenetV1/Conv2d_0
    *.depthwise.conv   MobilenetV1/MobilenetV1/Conv2d_{n}_depthwise
    *.pointwise.conv   MobilenetV1/MobilenetV1/Conv2d_{n}_pointwise
    classifier         MobilenetV1/Logits/Conv2d_1c_1x1
""")

MOBILENET_V2 = table("""
    npnets                    Coral
    stem.conv                 MobileNetV2/Conv2d_0_0/Conv2D
    *.branch.expand.conv      MobileNetV2/expanded_conv_{n}/expand/Conv2D
    *.branch.depthwise.conv   MobileNetV2/expanded_conv_{n}/depthwise/batch_norm/FusedBatchNormV3
    *.branch.project.conv     MobileNetV2/expanded_conv_{n}/project/Conv2D
    head.conv                 MobileNetV2/Conv2d_18_1/Conv2D
    classifier                MobileNetV2/top/Conv2d_1x1_output/Conv2D
""")

CHANGES = {PADDING: pad_same, "batch norm is folded in": fold_norm}


def dequantise(arrays):
    """Return {layer/weight, layer/bias: float64} of the whole numbers, their scales and zeros.

    Other arrays come back as they are. Raises ValueError where a scale or a zero is missing.
    """
    try:
        return _real(arrays) or arrays
    except KeyError as missing:
        raise ValueError(f"there are weights in whole numbers, but no {missing}") from None


def _real(arrays):
    real = {}
    for name, q in arrays.items():
        layer, _, kind = name.rpartition("/")
        if kind == "weight_q":
            zero = arrays[f"{layer}/weight_zero_point"].astype(np.int32)
            scale = arrays[f"{layer}/weight_scale"].astype(np.float64)
            if q.shape[0] != 1:  # O H W I; in 1 H W O, channels are the last axis as they are
                zero, scale = zero.reshape(-1, 1, 1, 1), scale.reshape(-1, 1, 1, 1)
            real[f"{layer}/weight"] = (q - zero) * scale
        elif kind == "bias_q":
            real[f"{layer}/bias"] = q * arrays[f"{layer}/bias_scale"].astype(np.float64)
    return real


SOURCES = (
    Source(
        "coral", MobileNetV1, MOBILENET_V1, CORAL_V1, KINDS,
        options={"relu6": True}, changes=CHANGES, prepare=dequantise,
    ),
    Source(
        "coral", MobileNetV2, MOBILENET_V2, CORAL_V2, KINDS, changes=CHANGES, prepare=dequantise
    ),
)  # fmt: skip
