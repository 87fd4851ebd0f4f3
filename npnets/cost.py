"""What a network costs: parameters, multiply-adds, and bytes moved, layer by layer.

One multiply-add counts as one. Convolutions and the fully connected layer count, nothing else
does: so do all four papers, whether they say multiply-adds or FLOPs.
"""

from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from npnets.layers import Layer, Parameter
from npnets.ops import use_kernels


@dataclass(frozen=True)
class Row:
    """One layer: its dotted name, what it is, what it makes, and what that costs per image.

    `bytes` is the least that the layer must move: its input, its output and its parameters,
    each once.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    params: int
    macs: int
    bytes: int


@dataclass(frozen=True)
class Summary:
    """The rows of a network and their totals, for one image; prints as a table."""

    title: str
    input_shape: tuple[int, ...]
    rows: list[Row] = field(repr=False)

    @property
    def params(self):
        """The number of learned parameters: weights, biases, gamma and beta."""
        return sum(row.params for row in self.rows)

    @property
    def macs(self):
        """The number of multiply-adds for one image."""
        return sum(row.macs for row in self.rows)

    @property
    def bytes(self):
        """The number of bytes that one layer after another must move, for one image."""
        return sum(row.bytes for row in self.rows)

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        return iter(self.rows)

    def __str__(self):
        heads = ("layer", "kind", "output shape", "parameters", "multiply-adds")
        cells = [
            (r.name, r.kind, "×".join(map(str, r.output_shape)), f"{r.params:,}", f"{r.macs:,}")
            for r in self.rows
        ]
        widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
        lines = [_line(heads, widths), "─" * (sum(widths) + 2 * len(widths) - 2)]
        lines += [_line(row, widths) for row in cells]
        size = "×".join(map(str, self.input_shape))
        lines += [
            lines[1],
            f"{self.title} on {size}: {self.params:,} parameters ({self.params / 1e6:.2f} M), "
            f"{self.macs:,} multiply-adds ({self.macs / 1e6:.1f} M)",
        ]
        return "\n".join(lines)


def summarize(net, input_shape):
    """Return the cost of each layer of `net`, in the order of the forward pass, and the totals.

    input_shape is that of one image, (C, H, W). The network is run on a batch of no images: the
    shapes flow through it, and no arithmetic is done. Its mode, its state and its gradients stay
    as they are. Raises ValueError where the images do not fit the network.
    """
    if len(input_shape) != 3:
        raise ValueError(f"input_shape must be (C, H, W), got {tuple(input_shape)}")
    rows, modes = [], {layer: layer.training for layer in net.layers().values()}
    dtype = next(iter(net.parameters().values())).value.dtype if net.parameters() else np.float32
    try:
        for layer in modes:
            layer.training = False
        with use_kernels(False), _recorded(net, rows):
            net.forward(np.empty((0, *input_shape), dtype))
    finally:
        for layer, training in modes.items():
            layer.training = training
    return Summary(type(net).__name__, tuple(input_shape), rows)


@contextmanager
def _recorded(net, rows):
    """Within the block, each forward of a layer without parts adds a row."""
    leaves = {
        layer: name  # a layer that is used twice goes by its last name
        for name, layer in net.layers().items()
        if not any(isinstance(part, Layer) for part in vars(layer).values())
    }
    for layer, name in leaves.items():
        layer.forward = _recording(name or type(layer).__name__, layer, rows)
    try:
        yield
    finally:
        for layer in leaves:
            del layer.forward  # the class has its own


def _recording(name, layer, rows):
    forward = layer.forward

    def recorded(*inputs):
        y = forward(*inputs)
        params = sum(part.value.size for _, part in layer.parts(Parameter))
        moved = sum(int(np.prod(array.shape[1:])) for array in (*inputs, y)) + params
        macs = layer.macs(y.shape[1:]) if hasattr(layer, "macs") else 0
        kind = type(layer).__name__
        rows.append(Row(name, kind, y.shape[1:], params, macs, moved * y.dtype.itemsize))
        return y

    return recorded


def _line(cells, widths):
    """Names to the left, numbers to the right."""
    aligned = [f"{c:<{w}}" for c, w in zip(cells[:3], widths[:3], strict=True)]
    aligned += [f"{c:>{w}}" for c, w in zip(cells[3:], widths[3:], strict=True)]
    return "  ".join(aligned)
