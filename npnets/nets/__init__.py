"""The four networks: one paper, one file; and all published variants by name."""

import difflib

from npnets.nets.mobilenet_v1 import MobileNetV1
from npnets.nets.mobilenet_v2 import MobileNetV2
from npnets.nets.shufflenet_v1 import STEM, TABLE_1, ShuffleNetV1
from npnets.nets.shufflenet_v2 import TABLE_5, ShuffleNetV2

__all__ = [
    "MobileNetV1",
    "MobileNetV2",
    "ShuffleNetV1",
    "ShuffleNetV2",
    "create_model",
    "list_models",
]


def list_models():
    """Return the names of all published variants, such as mobilenet_v2_x0_35, sorted."""
    return sorted(_published())


def create_model(name, **options):
    """Return a new network by name; options as for its class (num_classes, rng, …).

    A name without its width is the network at 1x, and shufflenet_v1 has three groups. Raises
    ValueError where the name is unknown, and suggests the nearest; TypeError for an unknown
    option, with the nearest one too.
    """
    variants = _published() | _aliases()
    if name not in variants:
        near = difflib.get_close_matches(str(name), variants, n=1, cutoff=0)
        raise ValueError(f"unknown model {name!r}; did you mean {near[0]!r}? See list_models()")
    network, fixed = variants[name]
    known = network.__init__.__kwdefaults__ or {}
    code = network.__init__.__code__
    known = {*code.co_varnames[1 : code.co_argcount], *known} - set(fixed)
    for option in options:
        if option not in known:
            near = difflib.get_close_matches(option, known, n=1, cutoff=0)
            raise TypeError(f"{name} has no option {option!r}; did you mean {near[0]!r}?")
    return network(**fixed, **options)


def _published():
    """Return {name: (class, its arguments)} of every variant that the four papers cost."""
    variants = {}
    for network, name, widths in (
        (MobileNetV1, "mobilenet_v1", (0.25, 0.5, 0.75, 1.0)),
        (MobileNetV2, "mobilenet_v2", (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)),
        (ShuffleNetV2, "shufflenet_v2", TABLE_5),
    ):
        for width in widths:
            variants[_name(name, width)] = network, {"width_mult": width}
    for scale in STEM:
        for groups in TABLE_1:
            arguments = {"scale": scale, "groups": groups}
            variants[f"{_name('shufflenet_v1', scale)}_g{groups}"] = ShuffleNetV1, arguments
    return variants


def _aliases():
    """Return further names that mean a published variant."""
    published = _published()
    return {
        "mobilenet_v1_x1_0": published["mobilenet_v1"],
        "mobilenet_v2_x1_0": published["mobilenet_v2"],
        "shufflenet_v1": published["shufflenet_v1_x1_0_g3"],
        "shufflenet_v2": published["shufflenet_v2_x1_0"],
    }


def _name(network, width):
    """mobilenet_v2, 0.35 -> mobilenet_v2_x0_35; the MobileNets at 1x go by their bare name."""
    if network.startswith("mobilenet") and width == 1:
        return network
    return f"{network}_x{width}".replace(".", "_")
