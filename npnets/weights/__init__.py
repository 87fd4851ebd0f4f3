"""Weights that others trained: read a file, find out whose it is, and get a network.

    path = npnets.weights.download("mobilenet_v2-imagenet")
    net = npnets.weights.load(path)
    print(net.source)                                    # torchvision: MobileNetV2(…)
    logits = net.forward(net.preprocessing(photo))

In reading order: `reading`, what a file holds; `kinds` and `names`, what each maker calls the
arrays; `source`, how they become npnets' own; `adapt` and `preprocessing`, what else belongs to
them, and `mistakes`, what it costs to forget that; `recognize` and `load`; `catalogue`, what can
be downloaded by name. Then what to do with a network: `compare`, by way of `related` and
`reasons`, finds where two of them part; `occlusion` draws what in a photo an answer goes by;
`export`, `pytorch` and `onnx` write one for others.
"""

from npnets.weights.catalogue import download
from npnets.weights.load import list_sources, load, load_arrays
from npnets.weights.reading import read

__all__ = ["download", "list_sources", "load", "load_arrays", "read"]
