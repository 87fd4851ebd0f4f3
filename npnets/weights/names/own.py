"""npnets' own names: the state of a network, bare or as `npnets train` has saved it.

What a training run has saved says which network it is. A bare state does not say what shapes do
not tell, `small_images` and `relu6`: it loads as the network for large images, with ReLU.
"""

from npnets.nets import MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2
from npnets.run import load_network
from npnets.weights.kinds import NPNETS
from npnets.weights.preprocessing import Preprocessing
from npnets.weights.record import Record
from npnets.weights.source import Source

MAKER = "npnets"


def is_run(checkpoint):
    """Return whether a training run has saved this Checkpoint."""
    return {"origin", "normalization", "images"} <= checkpoint.metadata.get(
        "description", {}
    ).keys()


def load_run(path, dtype):
    """Return the network of a training run, as `npnets.weights.load` does."""
    net, normalization, description = load_network(path)
    net = net.astype(dtype)
    _, channels, height, width = description["images"]["shape"]
    net.preprocessing = None
    if channels == 3 and height == width:  # what a photo can be made into
        net.preprocessing = Preprocessing(
            size=height,
            resize=height,
            scale=1 / 255,
            mean=normalization.mean,
            std=normalization.std,
            class_names=tuple(description["images"]["class_names"]),
        )
    net.source = Record(
        maker=MAKER,
        how="by what the training run says of itself",
        network=description["origin"]["model"],
        options=description["origin"]["options"],
        rows=tuple((name, f"net/{name}", array.shape) for name, array in net.state().items()),
    )
    return net


SOURCES = tuple(
    Source(MAKER, network, rows={}, preprocessing=None, kinds=NPNETS)
    for network in (MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2)
)
