"""What each layer of a network costs: parameters, multiply-adds, and elements moved."""

import csv
import dataclasses
import io
import math
from dataclasses import dataclass, field

from npnets.cost import table
from npnets.cost.kinds import KINDS, kind_of
from npnets.cost.trace import is_batch, trace
from npnets.files import write_text
from npnets.layers import Buffer, Parameter


@dataclass(frozen=True)
class Row:
    """One operation: its layer's dotted name, what it is, what it makes, and its cost per image.

    `weights` are those of convolutions and the fully connected layer, `params` all that is
    learned, `values` the running statistics, too: papers and libraries use all three counts.
    `reads` are the elements of its inputs and of its parameters, `writes` those of its output,
    each once: no fewer can be moved. `bytes` is both in the dtype of the network.
    """

    name: str
    kind: str
    output_shape: tuple[int, ...]
    weights: int
    params: int
    values: int
    macs: int
    reads: int
    writes: int
    bytes: int

    @property
    def elements(self):
        """The number of elements read or written."""
        return self.reads + self.writes

    @property
    def intensity(self):
        """Multiply-adds per element moved; 0 where nothing is multiplied."""
        return self.macs / self.elements if self.macs else 0.0


@dataclass(frozen=True)
class Share:
    """All rows of a kind together, and their shares of the network, from 0 to 1."""

    kind: str
    rows: int
    params: int
    macs: int
    elements: int
    share_of_params: float
    share_of_macs: float
    share_of_elements: float

    @property
    def intensity(self):
        """Multiply-adds per element moved; 0 where nothing is multiplied."""
        return self.macs / self.elements if self.macs else 0.0


def _total(name, doc):
    return property(lambda self: sum(getattr(row, name) for row in self.rows), doc=doc)


@dataclass(frozen=True)
class Summary:
    """The rows of a network and their totals, for one image; prints as a table."""

    title: str
    input_shape: tuple[int, ...]
    rows: list[Row] = field(repr=False)

    weights = _total("weights", "The weights of convolutions and the fully connected layer.")
    params = _total("params", "All learned parameters: weights, biases, gamma and beta.")
    values = _total("values", "The learned parameters and the running statistics.")
    macs = _total("macs", "The multiply-adds for one image.")
    reads = _total("reads", "The elements that the operations read, one after another.")
    writes = _total("writes", "The elements that they write.")
    elements = _total("elements", "The elements that they read or write.")
    bytes = _total("bytes", "The bytes that they read or write.")

    @property
    def intensity(self):
        """Multiply-adds per element moved."""
        return self.macs / self.elements if self.macs else 0.0

    def of_kind(self, *kinds):
        """Return the summary of the rows of these kinds alone."""
        unknown = sorted(set(kinds) - set(KINDS))
        if unknown:
            raise ValueError(f"kinds must be of {', '.join(KINDS)}; got {', '.join(unknown)}")
        rows = [row for row in self.rows if row.kind in kinds]
        return Summary(self.title, self.input_shape, rows)

    def by_kind(self):
        """Return a Share for each kind that there is, in the order of `kinds.KINDS`."""
        whole = [max(1, total) for total in (self.params, self.macs, self.elements)]
        shares = []
        for kind in KINDS:
            part = self.of_kind(kind)
            if part.rows:
                counts = part.params, part.macs, part.elements
                ratios = (a / b for a, b in zip(counts, whole, strict=True))
                shares.append(Share(kind, len(part), *counts, *ratios))
        return shares

    def to_csv(self, path):
        """Write one line for each row, output_shape as 64×32×32."""
        names = [*(f.name for f in dataclasses.fields(Row)), "elements", "intensity"]
        text = io.StringIO()
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        for row in self.rows:
            line = {name: getattr(row, name) for name in names}
            line |= {"output_shape": table.shape(row.output_shape)}
            line |= {"intensity": f"{row.intensity:.6g}"}
            writer.writerow(line)
        write_text(path, text.getvalue())

    def plot(self, path):
        """Draw, as a PNG or SVG, what each layer costs, and each kind; needs matplotlib."""
        from npnets.cost import chart

        chart.draw(self, path)

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        return iter(self.rows)

    def __str__(self):
        return table.text(self)


def summarize(net, input_shape):
    """Return the cost of each operation of `net`, in the order of the forward pass, and totals.

    input_shape is that of one image, (C, H, W). The network is run on a batch of no images: the
    shapes flow through it, and no arithmetic is done. Its mode, its state and its gradients stay
    as they are. Raises ValueError where the images do not fit the network.
    """
    rows, counted = [], set()
    for call in trace(net, input_shape):
        learned = [] if call.layer in counted else _own(call.layer, Parameter)
        tracked = [] if call.layer in counted else _own(call.layer, Buffer)
        counted.add(call.layer)
        rows.append(_row(call, learned, tracked))
    return Summary(type(net).__name__, tuple(input_shape), rows)


def _own(layer, kind):
    """Return the arrays of this kind that belong to the layer itself."""
    return [part.value for part in vars(layer).values() if isinstance(part, kind)]


def _row(call, learned, tracked):
    reads = sum(map(per_image, call.arrays().values()))
    made = call.results()
    writes = sum(map(per_image, made))
    params = sum(array.size for array in learned)
    return Row(
        name=call.name,
        kind=kind_of(call),
        output_shape=made[0].shape[1:],
        weights=sum(array.size for array in learned if array.ndim > 1),  # others are (C,)
        params=params,
        values=params + sum(array.size for array in tracked),
        macs=multiply_adds(call),
        reads=reads,
        writes=writes,
        bytes=(reads + writes) * made[0].dtype.itemsize,
    )


def per_image(array):
    """Return how many elements an array has for one image, where a batch is of no images.

    Parameters, which are there for all images, count whole.
    """
    return math.prod(array.shape[1:]) if is_batch(array) else array.size


def multiply_adds(call):
    """Return the multiply-adds for one image: C/g · K² for each number that is made."""
    if call.op in ("conv2d", "depthwise_conv2d", "pointwise_conv2d", "linear"):
        return per_image(call.result) * call.arguments["weight"][0].size
    return call.layer.macs(call.result.shape[1:]) if _says(call) else 0


def _says(call):
    """Whether a layer that uses no operation of ours says itself what it costs."""
    return call.op == "" and hasattr(call.layer, "macs")
