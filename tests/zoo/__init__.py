"""The bug zoo: bugs that people write, each a small edit of the source of an operation.

    from zoo import ZOO, plant, trial

    bug = ZOO["relu"][0]
    plant(bug).relu_backward        the operation with the bug in it; npnets itself is untouched
    trial("relu", bug).convicted    whether the gradient check notices

Every bug must be convicted with a random dy. With a dy of ones, which makes the loss the sum of
y, many survive; each of those says why. The gradient check asks whether backward belongs to
forward, not whether forward is what the paper says: a bug that is in both alike is none of its
business, and not in this zoo, and neither is an edit after which all numbers are the same.
"""

from .activation import ADD, RELU, RELU6
from .bias import BIAS
from .bug import Bug, plant, true_code
from .cases import CASES
from .channel import CHANNEL_SHUFFLE, CONCAT_SHUFFLE, SPLIT_AND_CONCAT
from .conv import CONV2D
from .depthwise import DEPTHWISE_CONV2D
from .global_pool import GLOBAL_AVG_POOL
from .layers import (
    BATCH_NORM_LAYER,
    BATCH_NORM_RELU_LAYER,
    CONCAT_SHUFFLE_LAYER,
    CONV2D_LAYER,
    CONV_NORM_ACT,
    LINEAR_LAYER,
    SEQUENTIAL,
)
from .linear import LINEAR
from .loss import CROSS_ENTROPY
from .norm import BATCH_NORM, NORMALIZE
from .norm_relu import BATCH_NORM_RELU
from .pointwise import POINTWISE_CONV2D
from .pool import AVG_POOL2D, MAX_POOL2D
from .trial import CLEAR, Outcome, trial
from .units import DOWN_UNIT, INVERTED_RESIDUAL, SHUFFLE_UNIT, SPLIT_UNIT

__all__ = [
    "CASES", "CLEAR", "OPS", "SMALL_OPS", "ZOO", "Bug", "Outcome", "plant", "trial", "true_code",
]  # fmt: skip

OPS = {
    "conv2d": CONV2D,
    "depthwise_conv2d": DEPTHWISE_CONV2D,
    "pointwise_conv2d": POINTWISE_CONV2D,
    "bias": BIAS,
    "batch_norm": BATCH_NORM,
    "batch_norm_relu": BATCH_NORM_RELU,
    "normalize": NORMALIZE,
    "relu": RELU,
    "relu6": RELU6,
    "max_pool2d": MAX_POOL2D,
    "avg_pool2d": AVG_POOL2D,
    "global_avg_pool": GLOBAL_AVG_POOL,
    "channel_shuffle": CHANNEL_SHUFFLE,
    "split_concat": SPLIT_AND_CONCAT,
    "linear": LINEAR,
    "cross_entropy": CROSS_ENTROPY,
}
# Operations with little of their own to get wrong: no backward, or made of two that are above
SMALL_OPS = {"add": ADD, "concat_shuffle": CONCAT_SHUFFLE}
ZOO = {
    **OPS,
    **SMALL_OPS,
    "Sequential": SEQUENTIAL,
    "BatchNorm": BATCH_NORM_LAYER,
    "BatchNormReLU": BATCH_NORM_RELU_LAYER,
    "Conv2d": CONV2D_LAYER,
    "Linear": LINEAR_LAYER,
    "ConcatShuffle": CONCAT_SHUFFLE_LAYER,
    "ConvNormAct": CONV_NORM_ACT,
    "InvertedResidual": INVERTED_RESIDUAL,
    "ShuffleUnit": SHUFFLE_UNIT,
    "SplitUnit": SPLIT_UNIT,
    "DownUnit": DOWN_UNIT,
}
