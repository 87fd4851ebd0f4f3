"""What Keras' arrays are called.

    model_weights/conv1/conv1/kernel:0      up to Keras 2: a group per layer, and in it the names
                                            of its arrays; weights alone, without the first part
    layers/conv2d/vars/0                    Keras 3: layers and arrays are numbered; the name of
                                            the layer is an attribute

Both are "conv1/kernel" here. The description of the model, where the file has one, says in which
order the layers come, and which are depthwise.
Source: keras/src/saving/saving_lib.py and keras/src/legacy/saving/legacy_h5_format.py.
"""

import re

import numpy as np

from npnets.extras import require

# The arrays of a layer by its class, in the order in which Keras 3 numbers them.
VARIABLES = {
    "conv2d": ("kernel", "bias"),
    "depthwise_conv2d": ("depthwise_kernel", "bias"),
    "dense": ("kernel", "bias"),
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
}
ORDER = ("kernel", "depthwise_kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")
MOST_TEXT = 2**26  # bytes


def name_arrays(datasets, layers, order):
    """Return {"layer/variable": dataset}, the layers in this order.

    `datasets` is {path: dataset}, where a path is a tuple of names; `layers`, {name: class}, is
    what the file says of the layers, or {}. Raises ValueError where two arrays get one name.
    """
    parents = {path[:1]: set() for path in datasets}
    for path in datasets:
        parents[path[:1]].add(path[-2:-1])
    named = {}
    for path, dataset in datasets.items():
        if path[-2:-1] == ("vars",) and len(path) > 2:
            name = _new_name(path, dataset.parent, layers)
        else:
            name = _old_name(path, len(parents[path[:1]]) > 1, layers)
        if named.setdefault(name, dataset) is not dataset:
            raise ValueError(f"two of its arrays are called {'/'.join(name)!r:.80}")
    places = {name: place for place, name in enumerate(order)}
    variables = {name: place for place, name in enumerate(ORDER)}

    def place(name):
        return places.get(name[0], len(places)), variables.get(name[-1], len(variables))

    return {"/".join(name): named[name] for name in sorted(named, key=place)}


def _old_name(path, nested, layers):
    """conv1/conv1/kernel:0 -> ("conv1", "kernel"). Where models are nested, the inner layer's."""
    *place, variable = path
    layer, variable = place[-1 if nested else 0 :][:1], variable.removesuffix(":0")
    if variable == "kernel" and layers.get(*layer) == "depthwise_conv2d":
        variable = "depthwise_kernel"  # the older way, as Keras 3 writes it
    return (*layer, variable)


def _new_name(path, group, layers):
    """layers/conv2d_3/vars/0 -> ("conv_pw_2", "kernel"), if that is the name of the group."""
    *_, numbered, _, number = path
    kind, turn = re.fullmatch(r"(.*?)(?:_(\d{1,9}))?", numbered, re.DOTALL).groups()
    variables = dict(enumerate(VARIABLES.get(kind, ())))
    if kind == "batch_normalization" and len(group) != len(variables):
        variables = {}  # without scale or center: which of them, the file does not say
    variable = next((name for place, name in variables.items() if str(place) == number), number)
    alike = [name for name, other in layers.items() if other == kind]
    names = texts(group, "name") or alike[int(turn or 0) :] or [numbered]  # Keras 3.0 has none
    return names[0], variable


def list_layers(config):
    """Return {name: class} of the layers that the description of a model lists, in its order."""
    layers, found = [config], {}
    while layers:
        match layers.pop():
            case {"config": {"layers": [*inner]}} | {"config": [*inner]}:
                layers += reversed(inner)
            case {"class_name": str(kind), "config": {"name": str(name)}}:
                found[name] = _snake_case(kind)
    return found


def _snake_case(name):
    """DepthwiseConv2D -> depthwise_conv2d, as Keras does it."""
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def texts(group, name):
    """Return an attribute, one text or many, as a list; [] where there is none.

    Many of any length are not read: they could all be one long text, many times.
    """
    if name not in group.attrs:
        return []
    attribute = group.attrs.get_id(name)
    kind = require("h5py", "weights").check_string_dtype(attribute.dtype)
    if kind is None or attribute.get_storage_size() > MOST_TEXT:
        return []
    if kind.length is None and attribute.shape != ():
        return []
    value = np.asarray(group.attrs[name], object).ravel()
    return [text.decode() if isinstance(text, bytes) else str(text) for text in value]
