"""Operations on the roofline: what is predicted for each, beside what was measured."""

from dataclasses import dataclass, field

from npnets.cost.kinds import KINDS, kind_of
from npnets.cost.summary import multiply_adds

PARTS = "predicted", "small", "calling", "cold", "rest"


@dataclass(frozen=True)
class Times:
    """What was measured of an operation, in seconds: in place, and `alone`, over and over.

    `calling` is what a call takes where there is next to nothing to do, `product` what its matrix
    product takes alone in NumPy, if there is one.
    """

    measured: float
    alone: float
    calling: float
    product: float | None = None


@dataclass(frozen=True)
class Placed:
    """One operation of a network. Times are in seconds; `bytes` is what it must read and write.

    What is measured has five parts: what the roofline predicts; `small`, what a matrix product
    of this shape takes beyond that, alone; `calling`, what a call takes where there is next to
    nothing to do; `cold`, what the operation takes in place beyond what it takes over and over,
    when the caches hold nothing else; and the `rest`: a bias, short rows, copies, few threads.
    """

    name: str
    kind: str
    macs: int
    bytes: int
    level: str
    bound: str
    predicted: float
    small: float
    calling: float
    cold: float
    measured: float

    @property
    def intensity(self):
        """Multiply-adds per byte; 0 where nothing is multiplied."""
        return self.macs / self.bytes

    @property
    def rest(self):
        """What is measured beyond the parts that are known; below 0 where those overlap."""
        return self.measured - self.predicted - self.small - self.calling - self.cold


@dataclass(frozen=True)
class Group:
    """All operations of a kind, or of the whole network; times are sums."""

    kind: str
    count: int
    share_of_macs: float
    predicted: float
    small: float
    calling: float
    cold: float
    rest: float
    measured: float


@dataclass(frozen=True)
class Pass:
    """A forward pass: its operations, and `whole`, what it takes where nobody looks inside."""

    title: str
    layers: tuple[Placed, ...] = field(repr=False)
    whole: float

    @property
    def total(self):
        """All operations as one Group; each time in it is the median of many passes."""
        return self._group("all operations", self.layers)

    @property
    def between(self):
        """What the pass takes beyond its operations: Python, from layer to layer."""
        return self.whole - self.total.measured

    @property
    def unexplained(self):
        """What the roofline does not explain: of the operations, and between them."""
        return self.whole - self.total.predicted

    def by_kind(self):
        """Return a Group for each kind that there is, in the order of `cost.kinds.KINDS`."""
        of = {kind: [layer for layer in self.layers if layer.kind == kind] for kind in KINDS}
        return [self._group(kind, layers) for kind, layers in of.items() if layers]

    def _group(self, kind, layers):
        share = sum(layer.macs for layer in layers) / max(1, sum(k.macs for k in self.layers))
        times = {name: sum(getattr(k, name) for k in layers) for name in (*PARTS, "measured")}
        return Group(kind, len(layers), share, **times)


def place(calls, times, ceilings):
    """Return what is Placed for each Call; `times` are their Times, in the same order."""
    layers = []
    for call, t in zip(calls, times, strict=True):
        arrays = *call.arrays().values(), *call.results()
        macs, size = multiply_adds(call), sum(array.nbytes for array in arrays)
        predicted, bound = ceilings.predict(macs, size)
        small = 0.0 if t.product is None else t.product - predicted
        parts = predicted, small, t.calling, t.measured - t.alone, t.measured
        level = ceilings.level(size).name
        layers.append(Placed(call.name, kind_of(call), macs, size, level, bound, *parts))
    return tuple(layers)
