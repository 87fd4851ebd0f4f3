"""What each operation means: pure functions, forward and backward side by side.

Images are (N, C, H, W); the dtype of a result follows x. No function writes into what it is given.
"""

from npnets.ops.activation import add, relu, relu6, relu6_backward, relu_backward
from npnets.ops.bias import bias_backward
from npnets.ops.channel import (
    channel_shuffle,
    channel_shuffle_backward,
    concat,
    concat_backward,
    concat_shuffle,
    concat_shuffle_backward,
    split,
    split_backward,
)
from npnets.ops.conv import conv2d, conv2d_backward
from npnets.ops.depthwise import depthwise_conv2d, depthwise_conv2d_backward
from npnets.ops.linear import linear, linear_backward
from npnets.ops.loss import cross_entropy, cross_entropy_backward, softmax
from npnets.ops.memory import memory_held, release_memory, reuse_memory
from npnets.ops.norm import (
    batch_norm,
    batch_norm_backward,
    batch_norm_relu,
    batch_norm_relu_backward,
    normalize,
    normalize_backward,
)
from npnets.ops.op import use_kernels
from npnets.ops.pointwise import pointwise_conv2d, pointwise_conv2d_backward
from npnets.ops.pool import (
    avg_pool2d,
    avg_pool2d_backward,
    global_avg_pool,
    global_avg_pool_backward,
    max_pool2d,
    max_pool2d_backward,
)
from npnets.ops.threads import thread_count, use_threads

__all__ = [
    "add", "avg_pool2d", "avg_pool2d_backward", "batch_norm", "batch_norm_backward",
    "batch_norm_relu", "batch_norm_relu_backward", "bias_backward", "channel_shuffle",
    "channel_shuffle_backward", "concat", "concat_backward", "concat_shuffle",
    "concat_shuffle_backward", "conv2d", "conv2d_backward", "cross_entropy",
    "cross_entropy_backward", "depthwise_conv2d", "depthwise_conv2d_backward", "global_avg_pool",
    "global_avg_pool_backward", "linear", "linear_backward", "max_pool2d", "max_pool2d_backward",
    "memory_held", "normalize", "normalize_backward", "pointwise_conv2d",
    "pointwise_conv2d_backward", "release_memory", "relu", "relu6", "relu6_backward",
    "relu_backward", "reuse_memory", "softmax", "split", "split_backward", "thread_count",
    "use_kernels", "use_threads",
]  # fmt: skip
