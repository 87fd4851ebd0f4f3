"""What each operation means: pure functions, forward and backward side by side.

Images are (N, C, H, W); the dtype of a result follows x. No function writes into what it is given.
"""

from npnets.ops.activation import relu, relu6, relu6_backward, relu_backward
from npnets.ops.bias import bias_backward
from npnets.ops.channel import (
    channel_shuffle,
    channel_shuffle_backward,
    concat,
    concat_backward,
    split,
    split_backward,
)
from npnets.ops.conv import conv2d, conv2d_backward
from npnets.ops.depthwise import depthwise_conv2d, depthwise_conv2d_backward
from npnets.ops.linear import linear, linear_backward
from npnets.ops.loss import cross_entropy, cross_entropy_backward, softmax
from npnets.ops.norm import batch_norm, batch_norm_backward, normalize, normalize_backward
from npnets.ops.op import one_blas_thread, use_kernels
from npnets.ops.pointwise import pointwise_conv2d, pointwise_conv2d_backward
from npnets.ops.pool import (
    avg_pool2d,
    avg_pool2d_backward,
    global_avg_pool,
    global_avg_pool_backward,
    max_pool2d,
    max_pool2d_backward,
)

__all__ = [
    "avg_pool2d", "avg_pool2d_backward", "batch_norm", "batch_norm_backward", "bias_backward",
    "channel_shuffle", "channel_shuffle_backward", "concat", "concat_backward", "conv2d",
    "conv2d_backward", "cross_entropy", "cross_entropy_backward", "depthwise_conv2d",
    "depthwise_conv2d_backward", "global_avg_pool", "global_avg_pool_backward", "linear",
    "linear_backward", "max_pool2d", "max_pool2d_backward", "normalize", "normalize_backward",
    "one_blas_thread",
    "pointwise_conv2d", "pointwise_conv2d_backward", "relu", "relu6", "relu6_backward",
    "relu_backward", "softmax", "split", "split_backward", "use_kernels",
]  # fmt: skip
