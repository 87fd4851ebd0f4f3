"""A network as an ONNX model, which other programs run: phones, browsers, ONNX Runtime.

The network runs once, on an image of zeros, and each operation that it calls becomes a node of
the model, or two or three in a row. So whatever is built of `npnets.ops` can be written: folded
or not, with any padding. The format: https://onnx.ai/onnx/operators.
"""

import numpy as np

from npnets.cost.trace import calls_of, dtype_of, memory_of
from npnets.extras import require
from npnets.files import whole
from npnets.layers import Buffer, Parameter
from npnets.ops import use_kernels
from npnets.ops.window import four_sides

OPSET, IR_VERSION = 17, 8  # of 2022; newer programs read older models
IMAGES, LOGITS = "images", "logits"


def save_onnx(net, path, input_shape):
    """Write `net`, as it is at inference, to `path`: images (N, C, H, W) -> logits, for any N.

    input_shape is that of one image, (C, H, W); the model is bound to it. Weights keep their
    names and their dtype. Raises ValueError where the images do not fit the network, or where it
    computes with something that is no operation of `npnets.ops`; ImportError without onnx.
    """
    model = to_onnx(net, input_shape)
    with whole(path) as beside:
        beside.write_bytes(model.SerializeToString())


def to_onnx(net, input_shape):
    """Return the model that `save_onnx` writes, an onnx.ModelProto."""
    if len(input_shape) != 3:
        raise ValueError(f"input_shape must be (C, H, W), got {tuple(input_shape)}")
    onnx = require("onnx", "export")
    x = np.zeros((1, *input_shape), dtype_of(net))
    with use_kernels(False):  # so that each result lies in memory of its own
        calls, logits = calls_of(net, x)
    graph = _Graph(net, x)
    for call in calls:
        graph.add(call, LOGITS if call is calls[-1] else call.name)
    helper, kind = onnx.helper, onnx.helper.np_dtype_to_tensor_dtype(x.dtype)
    return helper.make_model(
        helper.make_graph(
            graph.nodes,
            type(net).__name__,
            [helper.make_tensor_value_info(IMAGES, kind, ["N", *input_shape])],
            [helper.make_tensor_value_info(LOGITS, kind, ["N", *logits.shape[1:]])],
            [onnx.numpy_helper.from_array(a, name) for name, a in graph.arrays.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="npnets",
    )


class _Graph:
    """The nodes so far, the arrays that they need, and which array of the run is which tensor."""

    def __init__(self, net, x):
        self.onnx, self.nodes, self.arrays = require("onnx", "export"), [], {}
        self.learned = {id(part.value): name for name, part in net.parts((Parameter, Buffer))}
        self.made = {id(memory_of(x)): (IMAGES, x)}

    def add(self, call, name):
        """Add the nodes of a Call, one after another; the result of the last is called `name`."""
        if call.op not in NODES:
            what = f"the operation {call.op}" if call.op else type(call.layer).__name__
            raise ValueError(f"{call.name}: no ONNX node is known for {what}")
        steps = NODES[call.op](call.arguments)
        previous = []
        for number, (kind, inputs, attributes) in enumerate(steps, 1):
            tensors = previous + [self.tensor(array, call.name) for array in inputs]
            output = name if number == len(steps) else f"{call.name}.{number}"
            previous = [self._node(kind, tensors, output, attributes)]
        self.made[id(memory_of(call.result))] = name, call.result

    def tensor(self, array, where):
        """Return the name of the tensor that holds an array: learned, made, a part, or new."""
        if id(array) in self.learned:
            name = self.learned[id(array)]
        elif id(memory_of(array)) in self.made:
            return self._view(*self.made[id(memory_of(array))], array, where)
        elif array.ndim == 4:
            raise ValueError(f"{where}: gets images that no operation of npnets.ops made")
        else:
            name = f"{where}.constant{len(self.arrays)}"
        self.arrays[name] = array
        return name

    def _view(self, name, images, view, where):
        """Return the name of images themselves, or of a Slice of channels that is added."""
        if view.strides != images.strides or view.shape[2:] != images.shape[2:]:
            raise ValueError(f"{where}: gets a view of {name} that is no range of its channels")
        if view.shape == images.shape:
            return name
        start = (_address(view) - _address(images)) // images.strides[1]
        bounds = (np.array([n]) for n in (start, start + view.shape[1], 1))  # the last: the axis
        tensors = [name, *(self.tensor(bound, where) for bound in bounds)]
        return self._node("Slice", tensors, f"{name}.from{start}", {})

    def _node(self, kind, inputs, output, attributes):
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [output], output, **attributes))
        return output


def _address(array):
    return array.__array_interface__["data"][0]


# What becomes of each operation, as steps: (kind of node, inputs, attributes). Each step after
# the first takes the result of the one before it, and then its own inputs.


def _conv(a):
    weight, stride, dilation = a["weight"], a.get("stride", 1), a.get("dilation", 1)
    top, bottom, left, right = four_sides(a.get("padding", 0))
    attributes = {
        "kernel_shape": weight.shape[2:],
        "strides": [stride] * 2,
        "pads": [top, left, bottom, right],
        "dilations": [dilation] * 2,
        "group": a["x"].shape[1] // weight.shape[1],
    }
    inputs = [array for array in (a["x"], weight, a.get("bias")) if array is not None]
    return [("Conv", inputs, attributes), *_clip([], a.get("ceiling"), weight.dtype)]


def _clip(inputs, ceiling, dtype):
    if ceiling is None:
        return []
    if ceiling == np.inf:
        return [("Relu", inputs, {})]
    return [("Clip", [*inputs, np.array(0, dtype), np.array(ceiling, dtype)], {})]


def _activation(ceiling):
    return lambda a: _clip([a["x"]], ceiling, a["x"].dtype)


def _normalize(a):
    inputs = [a[name] for name in ("x", "gamma", "beta", "mean", "var")]
    return [("BatchNormalization", inputs, {"epsilon": a.get("eps", 1e-5)})]


def _pool(kind, **attributes):
    def steps(a):
        K, (top, bottom, left, right) = a["kernel_size"], four_sides(a.get("padding", 0))
        window = {
            "kernel_shape": [K, K],
            "strides": [a.get("stride") or K] * 2,
            "pads": [top, left, bottom, right],
        }
        return [(kind, [a["x"]], window | attributes)]

    return steps


def _average(a):
    counts = int(a.get("count_include_pad", True))
    return _pool("AveragePool", count_include_pad=counts)(a)


def _shuffle(inputs, C, H, W, groups):
    """n (g c) h w -> n (c g) h w; a size of 0 is that of the images as they come."""
    apart, together = np.array([0, groups, C // groups, H, W]), np.array([0, C, H, W])
    return [
        ("Reshape", [*inputs, apart], {}),
        ("Transpose", [], {"perm": [0, 2, 1, 3, 4]}),
        ("Reshape", [together], {}),
    ]


def _channel_shuffle(a):
    return _shuffle([a["x"]], *a["x"].shape[1:], a["groups"])


def _concat(a):
    return [("Concat", [a["a"], a["b"]], {"axis": 1})]


def _concat_shuffle(a):
    (_, A, H, W), B = a["a"].shape, a["b"].shape[1]
    return [*_concat(a), *_shuffle([], A + B, H, W, a["groups"])]


NODES = {
    "conv2d": _conv,
    "depthwise_conv2d": _conv,
    "pointwise_conv2d": _conv,
    "normalize": _normalize,
    "relu": _activation(np.inf),
    "relu6": _activation(6),
    "add": lambda a: [("Add", [a["a"], a["b"]], {})],
    "concat": _concat,
    "channel_shuffle": _channel_shuffle,
    "concat_shuffle": _concat_shuffle,
    "max_pool2d": _pool("MaxPool"),
    "avg_pool2d": _average,
    "global_avg_pool": lambda a: [("GlobalAveragePool", [a["x"]], {}), ("Flatten", [], {})],
    "linear": lambda a: [("Gemm", [a["x"], a["weight"], a["bias"]], {"transB": 1})],
}
