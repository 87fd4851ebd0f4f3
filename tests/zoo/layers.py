"""Bugs in layers, whose work is to save the right array and to store the right gradient."""

from .bug import ALIKE, NORMAL, Bug

SEQUENTIAL = [
    Bug(
        "Sequential",
        old="in reversed(tuple(self)):",
        new="in tuple(self):",
        why="The layers are gone through in the order of forward.",
    ),
    Bug(
        "Sequential",
        old="in reversed(tuple(self)):",
        new="in tuple(self)[:0:-1]:",
        why="Off by one: the first layer is never reached.",
    ),
    Bug(
        "Sequential",
        old="            dy = layer.backward(dy)\n        return dy",
        new="            dx = layer.backward(dy)\n        return dx",
        why="Every layer is given the dy of the last.",
    ),
]

BATCH_NORM_LAYER = [
    Bug(
        "BatchNorm",
        old="self.save(x, mean, var, act)",
        new="self.save(y, mean, var, act)",
        why="y is saved in place of x.",
    ),
    Bug(
        "BatchNorm",
        old="self.save(x, mean, var, act)",
        new="self.save(x, mean, var * (count / (count - 1)), act)",
        why="The unbiased variance, meant for the running statistics, is saved for backward.",
        survives_sum=NORMAL,
    ),
    Bug(
        "BatchNorm",
        old="self.save(x, mean, var, act)",
        new="self.save(x, self.running_mean.value, self.running_var.value, act)",
        why="Backward is given the running statistics, forward used those of the batch.",
    ),
    Bug(
        "BatchNorm",
        old="ops.batch_norm_backward(dy, x, gamma, mean, var, self.eps)",
        new="ops.batch_norm_backward(dy, x, gamma, mean, var)",
        why="eps is not passed on to backward, which has a default of its own.",
        survives_sum=NORMAL,
    ),
    Bug(
        "BatchNorm",
        old="dx, self.gamma.grad, self.beta.grad =",
        new="dx, self.beta.grad, self.gamma.grad =",
        why="The gradients of gamma and beta are stored in each other's place.",
    ),
    Bug(
        "BatchNorm",
        old="ops.batch_norm_backward(",
        new="ops.normalize_backward(",
        why="The backward of inference in training.",
    ),
]

# With an activation in the same pass
BATCH_NORM_RELU_LAYER = [
    Bug(
        "BatchNorm",
        old="self.save(x, mean, var, act)",
        new="self.save(x, mean, var, None)",
        why="That the activation came with it is not saved, and backward leaves out its mask.",
    ),
    Bug(
        "BatchNorm",
        old="dy, x, gamma, beta, mean, var, self.eps, act.ceiling\n",
        new="dy, x, gamma, beta, mean, var, self.eps\n",
        why="The ceiling is not passed on to backward, where it is infinite.",
    ),
    Bug(
        "BatchNorm",
        old="dy, x, gamma, beta, mean, var, self.eps, act.ceiling\n",
        new="dy, x, gamma, beta, mean, var, ceiling=act.ceiling\n",
        why="eps is not passed on to backward, which has a default of its own.",
    ),
    Bug(
        "BatchNorm",
        old="dy, x, gamma, beta, mean,",
        new="dy, x, beta, gamma, mean,",
        why="gamma and beta are passed on in each other's place.",
    ),
]

CONV2D_LAYER = [
    Bug(
        "Conv2d",
        old="if self.bias is not None:",
        new="if self.bias is None:",
        why="The gradient of the bias is never set.",
    ),
    Bug(
        "Conv2d",
        old="ops.bias_backward(dy)",
        new="ops.bias_backward(self.weight.grad.swapaxes(0, 1))",
        why="The bias is given the gradient of the weights.",
    ),
    Bug(
        "Conv2d",
        old="self._gradients(dy, x,",
        new="self._gradients(dy, x[::-1],",
        why="The images that were saved are out of step with dy.",
        survives_sum="every dy is 1, so that each image may stand in for another",
    ),
]

LINEAR_LAYER = [
    Bug(
        "Linear",
        old="dx, self.weight.grad, self.bias.grad = ops.linear_backward(dy, x,",
        new="dx, self.weight.grad, self.bias.grad = ops.linear_backward(dy / len(x), x,",
        why="Averaged over the batch in every layer, and not just in the loss.",
    ),
    Bug(
        "Linear",
        old="self.save(x)\n        return ops.linear(x, self.weight.value, self.bias.value)",
        new="y = ops.linear(x, self.weight.value, self.bias.value); self.save(y); return y",
        why="y is saved in place of x; where I = O, the shapes do not mind.",
    ),
]

CONCAT_SHUFFLE_LAYER = [
    Bug(
        "ConcatShuffle",
        old="ops.concat_shuffle_backward(dy, self.groups, self.channels)",
        new="ops.concat_backward(dy, self.channels)",
        why="The shuffle is forgotten in backward.",
        survives_sum=ALIKE,
    ),
    Bug(
        "ConcatShuffle",
        old="ops.concat_shuffle(a, b, self.groups)",
        new="ops.concat_shuffle(b, a, self.groups)",
        why="Forward joins the two ways in the wrong order.",
        survives_sum=ALIKE,
    ),
]

# Without kernels, where norm and activation are layers of their own
CONV_NORM_ACT = [
    Bug(
        "ConvNormAct",
        old="(together,) = self.saved()\n        if together:",
        new="self.saved()\n        if True:",
        why="Norm is taken to have undone the activation, too, which it has not.",
    ),
    Bug(
        "ConvNormAct",
        old="return super().backward(dy)",
        new="return self.conv.backward(self.act.backward(self.norm.backward(dy)))",
        why="Norm and activation are gone through in the order of forward.",
    ),
]
