"""What of the image each number of a network can see, layer by layer."""

from dataclasses import dataclass

from npnets.cost.kinds import OTHER, kind_of
from npnets.cost.trace import is_batch, memory_of, trace_with_input


@dataclass(frozen=True)
class Field:
    """The rows of the image that one row of an array depends on.

    Row p sees the `size` rows from `start` + p·`jump` on, or with dilation, some of them. Those
    above the image and below it are padding: `start` may be negative. Where ways of different
    lengths join, it is the longer one.
    """

    name: str
    size: int
    jump: int
    start: int


def receptive_fields(net, input_shape):
    """Return the Field of what each operation of `net` makes, for an image of shape (C, H, W).

    Rows stand for both axes: columns are alike but for padding that is not symmetric, and for a
    pooling of all of an image that is not square. After that, jump is 0: there is one row. In
    each window of a convolution the size grows by (K − 1)·jump, and the jump by the stride.
    """
    x, calls, _ = trace_with_input(net, input_shape)
    seen = {id(memory_of(x)): Field("image", 1, 1, 0)}
    fields = []
    for call in calls:
        images = [memory_of(array) for array in call.arrays().values() if is_batch(array)]
        if kind_of(call) == OTHER or any(id(array) not in seen for array in images):
            raise ValueError(
                f"{call.name} is not known to npnets.ops, or its input is not: what it sees "
                "cannot be told"
            )
        field = _widened(call, _together(call.name, [seen[id(array)] for array in images]))
        seen |= {id(memory_of(array)): field for array in call.results()}
        fields.append(field)
    return fields


def _together(name, fields):
    """Return the field of what sees all that these see."""
    start = min(field.start for field in fields)
    end = max(field.start + field.size for field in fields)
    return Field(name, end - start, max(field.jump for field in fields), start)


def _widened(call, seen):
    """Return the field of the result of an operation whose input has this one."""
    size, jump, start = seen.size, seen.jump, seen.start
    given, arguments = call.arrays(), call.arguments
    if call.op == "global_avg_pool":
        rows = given["x"].shape[2]
        return Field(call.name, size + (rows - 1) * jump, 0, start)
    if call.op in ("conv2d", "depthwise_conv2d"):
        K, stride = given["weight"].shape[2], arguments.get("stride", 1)
    elif call.op in ("max_pool2d", "avg_pool2d"):
        K = arguments["kernel_size"]
        stride = arguments.get("stride") or K
    else:
        return seen
    padding = arguments.get("padding", 0)
    top = padding if isinstance(padding, int) else padding[0]
    reach = arguments.get("dilation", 1) * (K - 1)
    return Field(call.name, size + reach * jump, jump * stride, start - top * jump)
