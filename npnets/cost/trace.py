"""Which operations a network runs, in which of its layers, on what."""

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from npnets.layers import Layer
from npnets.ops import use_kernels
from npnets.ops.op import watch


@dataclass(frozen=True)
class Call:
    """One operation that ran.

    A layer that is one operation gives it its name; an operation that a unit calls itself goes
    by both: stage2.unit2.add. `arguments` is a dict by parameter name. `op` is "" where a layer
    without parts computed with no operation of `npnets.ops`. `around` are the inputs of the
    layers that it ran in.
    """

    name: str
    layer: Layer
    op: str
    arguments: dict[str, Any]
    result: Any
    seconds: float
    around: tuple = ()

    def arrays(self):
        """Return the arrays that it was given, by parameter name."""
        return {k: v for k, v in self.arguments.items() if isinstance(v, np.ndarray)}

    def results(self):
        """Return the arrays that it made."""
        made = self.result if isinstance(self.result, tuple) else (self.result,)
        return [array for array in made if isinstance(array, np.ndarray)]


def trace(net, input_shape):
    """Return the Calls of a forward pass of `net` at inference, on a batch of no images.

    input_shape is that of one image, (C, H, W). The shapes flow through the network, and no
    arithmetic is done. Its mode, its state and its gradients stay as they are. Raises ValueError
    where the images do not fit the network.
    """
    return trace_with_input(net, input_shape)[1]


def trace_with_input(net, input_shape):
    """Return (input, Calls, output): as `trace`, with the two arrays at the ends."""
    if len(input_shape) != 3:
        raise ValueError(f"input_shape must be (C, H, W), got {tuple(input_shape)}")
    x = np.empty((0, *input_shape), dtype_of(net))
    with use_kernels(False):
        return x, *calls_of(net, x)


def calls_of(net, x):
    """Return (Calls, output) of a forward pass of `net` at inference, on images x.

    Its mode, its state and its gradients stay as they are.
    """
    modes = {layer: layer.training for layer in net.layers().values()}
    try:
        for layer in modes:
            layer.training = False
        with traced(net) as calls:
            y = net.forward(x)
    finally:
        for layer, training in modes.items():
            layer.training = training
    return calls, y


def dtype_of(net):
    """Return the dtype of the parameters of `net`; float32 where it has none."""
    first = next(iter(net.parameters().values()), None)
    return np.dtype(np.float32) if first is None else first.value.dtype


@contextmanager
def traced(net):
    """Within the block, each operation in a forward of `net` adds a Call to the list yielded.

    What a layer with parts computes without an operation of `npnets.ops` is not seen.
    """
    calls, inside = [], []  # the layers at work, outermost first: (name, layer, inputs)

    def note(op, arguments, result, seconds):
        path, layer, _ = inside[-1]
        name, around = f"{path}.{op}".lstrip("."), sum((given for _, _, given in inside), ())
        calls.append(Call(name, layer, op, arguments, result, seconds, around))

    layers = {layer: name for name, layer in net.layers().items()}  # a shared one: its last name
    for layer, name in layers.items():
        layer.forward = _noted(name, layer, inside, calls)
    try:
        with watch(note):
            yield calls
    finally:
        for layer in layers:
            del layer.forward  # the class has its own


def _noted(path, layer, inside, calls):
    forward = layer.forward
    has_parts = any(isinstance(part, Layer) for part in vars(layer).values())

    def noted(*inputs):
        before = len(calls)
        inside.append((path, layer, inputs))
        try:
            y = forward(*inputs)
        finally:
            inside.pop()
        if not has_parts:
            if len(calls) == before:
                calls.append(Call("", layer, "", _named(*inputs), y, 0.0))
            if len(calls) == before + 1:
                calls[-1] = replace(calls[-1], name=path or type(layer).__name__)
        return y

    return noted


def is_batch(array):
    """Whether the first axis of an array is that of the images, of which there are none."""
    return array.shape[:1] == (0,)


def memory_of(array):
    """Return the array whose memory this one is a view of: itself, where it is none."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _named(*inputs):
    return {f"input{k}": array for k, array in enumerate(inputs, 1)}
