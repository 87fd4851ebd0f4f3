"""npnets' own names: the state of a network, as it is or as a training run has saved it."""

from npnets.nets import MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2
from npnets.weights.kinds import NPNETS
from npnets.weights.source import Source


def network_of_run(arrays):
    """Return the arrays of the network; beside them, a run saves what its optimizer remembers."""
    own = {name.removeprefix("net/"): a for name, a in arrays.items() if name.startswith("net/")}
    return own or arrays


SOURCES = tuple(
    Source("npnets", network, rows={}, preprocessing=None, kinds=NPNETS, prepare=network_of_run)
    for network in (MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2)
)
