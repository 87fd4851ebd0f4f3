"""The kinds of array there are: what a framework calls each, and in which order its axes lie.

O are the channels that a layer makes, I those that it takes (per group), H W its window, and 1
an axis of one number. Where no axes are written, they lie as they do in npnets:

    conv and depthwise   O I H W
    linear               O I
    all others           O
"""

from dataclasses import dataclass

from npnets.layers import BatchNorm, Conv2d, DepthwiseConv2d, Linear

OURS = {"conv.weight": "O I H W", "depthwise.weight": "O I H W", "linear.weight": "O I"}

NPNETS = {
    "conv.weight": ".weight",
    "conv.bias": ".bias",
    "depthwise.weight": ".weight",
    "depthwise.bias": ".bias",
    "norm.gamma": ".gamma",
    "norm.beta": ".beta",
    "norm.running_mean": ".running_mean",
    "norm.running_var": ".running_var",
    "linear.weight": ".weight",
    "linear.bias": ".bias",
}
PYTORCH = NPNETS | {
    "norm.gamma": ".weight",
    "norm.beta": ".bias",
}


@dataclass(frozen=True)
class Kind:
    """One kind of array: the end of its name, and its axes, there and in npnets."""

    suffix: str
    theirs: tuple
    ours: tuple

    def shape(self, ours):
        """Return the shape there of an array that has the shape `ours` here."""
        sizes = dict(zip(self.ours, ours, strict=True))
        return tuple(sizes.get(axis, 1) for axis in self.theirs)

    def to_ours(self, array):
        """Return an array of theirs with npnets' axes. Raises ValueError for a wrong number."""
        ones = [size for size, axis in zip(array.shape, self.theirs, strict=False) if axis == "1"]
        if array.ndim != len(self.theirs) or any(size != 1 for size in ones):
            raise ValueError(f"axes {' '.join(self.theirs)} expected, got shape {array.shape}")
        axes = [axis for axis in self.theirs if axis != "1"]
        sizes = [size for size, axis in zip(array.shape, self.theirs, strict=True) if axis in axes]
        return array.reshape(sizes).transpose([axes.index(axis) for axis in self.ours])

    def to_theirs(self, array):
        """Return an array of npnets with their axes."""
        axes = [self.ours.index(axis) for axis in self.theirs if axis != "1"]
        return array.transpose(axes).reshape(self.shape(array.shape))


def kind_of(kinds, layer, name):
    """Return the Kind of an array, such as `weight`, of a layer, in one of the tables above."""
    for family, known in (
        (DepthwiseConv2d, "depthwise"),
        (Conv2d, "conv"),
        (BatchNorm, "norm"),
        (Linear, "linear"),
    ):
        if isinstance(layer, family):
            suffix, *theirs = kinds[f"{known}.{name}"].split()
            ours = OURS.get(f"{known}.{name}", "O").split()
            return Kind(suffix, tuple(theirs or ours), tuple(ours))
    raise TypeError(f"no kind of array is known for a {type(layer).__name__}")
