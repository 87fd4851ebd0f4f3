"""Layers: one thin class per operation, which says what the operation's backward needs."""

import copy

import numpy as np

from npnets import ops
from npnets.layer import Buffer, Layer, Parameter, Sequential
from npnets.ops import check
from npnets.ops.fused import pointwise_depthwise
from npnets.ops.window import on_images

__all__ = [
    "AvgPool2d", "BatchNorm", "Buffer", "ChannelShuffle", "ConcatShuffle", "Conv2d",
    "DepthwiseConv2d", "GlobalAvgPool", "Layer", "Linear", "MaxPool2d", "Parameter",
    "PointwiseConv2d", "ReLU", "ReLU6", "Sequential",
]  # fmt: skip


class Conv2d(Layer):
    """Convolution; the weights are zero until `npnets.init.initialize` draws them. Here, and where
    else a layer has a window, padding may also be "same", TensorFlow's (see `same_padding`)."""

    def __init__(
        self, in_channels, out_channels, kernel_size, *, stride=1, padding=0, dilation=1,
        groups=1, bias=False,
    ):  # fmt: skip
        check.divisible(in_channels, groups, "in_channels")
        check.divisible(out_channels, groups, "out_channels")
        check.at_least(1, kernel_size=kernel_size, stride=stride, dilation=dilation)
        shape = (out_channels, in_channels // groups, kernel_size, kernel_size)
        self.weight = Parameter(np.zeros(shape, np.float32))
        self.bias = _bias(out_channels) if bias else None
        self.window = {"stride": stride, "padding": padding, "dilation": dilation}
        self.groups, self.ceiling = groups, None

    def forward(self, x):
        self.save(x)
        return ops.conv2d(x, **self._given(), **self._window(x), groups=self.groups)

    def backward(self, dy):
        (x,) = self.saved()
        dx, self.weight.grad = self._gradients(dy, x, self.weight.value)
        if self.bias is not None:
            self.bias.grad = ops.bias_backward(dy)
        return dx

    def _gradients(self, dy, x, weight):
        return ops.conv2d_backward(dy, x, weight, **self._window(x), groups=self.groups)

    def absorb(self, following):
        """Return this convolution with a batch norm folded into it, as that is at inference,

            gamma · (weight·x + bias − mean) / √(var + eps) + beta  =  weight'·x + bias'

        or with an activation, applied to each result at once.
        """
        twin = copy.copy(self)
        if self.ceiling is None and isinstance(following, BatchNorm):
            weight, bias, _ = self._given().values()
            twin.weight, twin.bias = following.folded(weight, bias)
        elif self.ceiling is None and isinstance(following, ReLU | ReLU6):
            twin.ceiling = following.ceiling
        else:
            return None
        return twin

    def _given(self):
        bias = None if self.bias is None else self.bias.value
        return {"weight": self.weight.value, "bias": bias, "ceiling": self.ceiling}

    def _window(self, x):
        return on_images(x, self.window, self.weight.value.shape[2])

    def describe(self):
        O, C_group, K, _ = self.weight.value.shape
        parts = {"kernel_size": K, **self.window, "groups": self.groups}
        usual = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
        parts |= {} if self.ceiling is None else {"ceiling": self.ceiling}
        said = [f"{name}={n}" for name, n in parts.items() if usual.get(name) != n]
        return ", ".join([f"{C_group * self.groups}, {O}", *said])


class DepthwiseConv2d(Conv2d):
    """Depthwise convolution: as many groups as channels. Its filters are spared weight decay."""

    def __init__(self, channels, kernel_size, **options):
        super().__init__(channels, channels, kernel_size, groups=channels, **options)
        self.weight.decay = False

    def forward(self, x):
        self.save(x)
        return ops.depthwise_conv2d(x, **self._given(), **self._window(x))

    def _gradients(self, dy, x, weight):
        return ops.depthwise_conv2d_backward(dy, x, weight, **self._window(x))


class PointwiseConv2d(Conv2d):
    """1 × 1 convolution, with groups."""

    def __init__(self, in_channels, out_channels, *, groups=1, bias=False):
        super().__init__(in_channels, out_channels, 1, groups=groups, bias=bias)

    def with_next(self, following):
        if self.groups > 1 or not isinstance(following, DepthwiseConv2d):
            return None
        first, second = self._given(), following._given()
        return lambda x: pointwise_depthwise(x, first, second | following._window(x))

    def forward(self, x):
        self.save(x)
        return ops.pointwise_conv2d(x, **self._given(), groups=self.groups)

    def _gradients(self, dy, x, weight):
        return ops.pointwise_conv2d_backward(dy, x, weight, self.groups)


class Linear(Layer):
    """Fully connected: (N, in_features) -> (N, out_features)."""

    def __init__(self, in_features, out_features):
        self.weight = Parameter(np.zeros((out_features, in_features), np.float32))
        self.bias = _bias(out_features)

    def forward(self, x):
        self.save(x)
        return ops.linear(x, self.weight.value, self.bias.value)

    def backward(self, dy):
        (x,) = self.saved()
        dx, self.weight.grad, self.bias.grad = ops.linear_backward(dy, x, self.weight.value)
        return dx

    def describe(self):
        O, I = self.weight.value.shape
        return f"{I}, {O}"


class BatchNorm(Layer):
    """Batch normalization. In training it also tracks the statistics for inference:

        running  =  (1 − momentum) · running + momentum · of this batch

    with the unbiased variance, as PyTorch does. momentum is the weight of the newest batch.
    """

    def __init__(self, channels, *, eps=1e-5, momentum=0.1):
        self.gamma = Parameter(np.ones(channels, np.float32), decay=False)
        self.beta = Parameter(np.zeros(channels, np.float32), decay=False)
        self.running_mean = Buffer(np.zeros(channels, np.float32))
        self.running_var = Buffer(np.ones(channels, np.float32))
        self.eps, self.momentum = eps, momentum

    def forward(self, x, act=None):
        """Return y; with `act`, a ReLU or ReLU6, also pass it through that, at the same time."""
        gamma, beta = self.gamma.value, self.beta.value
        if not self.training:
            mean, var = self.running_mean.value, self.running_var.value
            y = ops.normalize(x, gamma, beta, mean, var, self.eps)
            return y if act is None else act.forward(y)
        if act is None:
            y, mean, var = ops.batch_norm(x, gamma, beta, self.eps)
        else:
            y, mean, var = ops.batch_norm_relu(x, gamma, beta, self.eps, act.ceiling)
        count = x.size // len(mean)
        self._track(self.running_mean, mean)
        self._track(self.running_var, var * (count / (count - 1)))
        self.save(x, mean, var, act)
        return y

    def _track(self, buffer, newest):
        running = (1 - self.momentum) * buffer.value + self.momentum * newest
        buffer.value = running.astype(buffer.value.dtype)

    def backward(self, dy):
        x, mean, var, act = self.saved()
        gamma, beta = self.gamma.value, self.beta.value
        if act is None:
            gradients = ops.batch_norm_backward(dy, x, gamma, mean, var, self.eps)
        else:
            gradients = ops.batch_norm_relu_backward(
                dy, x, gamma, beta, mean, var, self.eps, act.ceiling
            )
        dx, self.gamma.grad, self.beta.grad = gradients
        return dx

    def folded(self, weight, bias):
        """Return weight and bias of a convolution that this batch norm has become a part of."""
        rate = 1 / np.sqrt(self.running_var.value.astype(np.float64) + self.eps)
        scale = self.gamma.value * rate
        shift = self.beta.value + scale * ((0 if bias is None else bias) - self.running_mean.value)
        weight = (weight * scale[:, None, None, None]).astype(weight.dtype)
        return Parameter(weight), Parameter(shift.astype(weight.dtype), decay=False)

    def describe(self):
        return f"{len(self.gamma.value)}"


class ReLU(Layer):
    ceiling = np.inf  # y is clipped to 0 … ceiling

    def forward(self, x):
        y = ops.relu(x)
        self.save(y)
        return y

    def backward(self, dy):
        return ops.relu_backward(dy, *self.saved())


class ReLU6(Layer):
    ceiling = 6

    def forward(self, x):
        y = ops.relu6(x)
        self.save(y)
        return y

    def backward(self, dy):
        return ops.relu6_backward(dy, *self.saved())


class MaxPool2d(Layer):
    def __init__(self, kernel_size, *, stride=None, padding=0):
        self.window = {"kernel_size": kernel_size, "stride": stride, "padding": padding}

    def forward(self, x):
        self.save(x)
        return ops.max_pool2d(x, **on_images(x, self.window))

    def backward(self, dy):
        (x,) = self.saved()
        return ops.max_pool2d_backward(dy, x, **on_images(x, self.window))

    def describe(self):
        return ", ".join(f"{name}={n}" for name, n in self.window.items())


class AvgPool2d(MaxPool2d):
    def forward(self, x):
        self.save(x)
        return ops.avg_pool2d(x, **self._window(x))

    def backward(self, dy):
        (x,) = self.saved()
        return ops.avg_pool2d_backward(dy, x, **self._window(x))

    def _window(self, x):  # TensorFlow's average leaves the padding out
        return {**on_images(x, self.window), "count_include_pad": self.window["padding"] != "same"}


class GlobalAvgPool(Layer):
    """The average of each channel: (N, C, H, W) -> (N, C)."""

    def forward(self, x):
        self.save(x)
        return ops.global_avg_pool(x)

    def backward(self, dy):
        return ops.global_avg_pool_backward(dy, *self.saved())


class ChannelShuffle(Layer):
    def __init__(self, groups):
        self.groups = groups

    def forward(self, x):
        self.save()
        return ops.channel_shuffle(x, self.groups)

    def backward(self, dy):
        self.saved()
        return ops.channel_shuffle_backward(dy, self.groups)

    def describe(self):
        return f"{self.groups}"


class ConcatShuffle(ChannelShuffle):
    """Concatenation of two ways and a channel shuffle: (N, A, H, W), (N, B, H, W) -> A + B."""

    def __init__(self, groups, channels):
        super().__init__(groups)
        self.channels = channels  # of the first way

    def forward(self, a, b):
        self.save()
        return ops.concat_shuffle(a, b, self.groups)

    def backward(self, dy):
        self.saved()
        return ops.concat_shuffle_backward(dy, self.groups, self.channels)


def _bias(channels):
    return Parameter(np.zeros(channels, np.float32), decay=False)
