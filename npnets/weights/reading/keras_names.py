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
from collections import Counter

# The arrays of a layer by its class, in the order in which Keras 3 numbers them.
VARIABLES = {
    "conv2d": ("kernel", "bias"),
    "depthwise_conv2d": ("depthwise_kernel", "bias"),
    "dense": ("kernel", "bias"),
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
}
ORDER = ("kernel", "depthwise_kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance")
WEIGHTS = "model_weights"


def name_arrays(arrays, attributes, layers):
    """Return {"layer/variable": array}, in the order of the layers.

    `arrays` is {path: array} and `attributes` {path of a group: {name: texts}}; `layers`, {name:
    class}, is what the file says of the model, or {}. Raises ValueError where two get one name.
    """
    named = {}
    for path, name in _names(list(arrays), attributes, layers).items():
        if named.setdefault(name, path) != path:
            raise ValueError(f"two of its arrays are called {'/'.join(name)!r:.80}")
    order = list(layers) or attributes.get(WEIGHTS, attributes[""]).get("layer_names", [])
    layer_at = {name: place for place, name in enumerate(order)}
    variable_at = {name: place for place, name in enumerate(ORDER)}

    def place(name):
        return layer_at.get(name[0], len(layer_at)), variable_at.get(name[-1], len(variable_at))

    return {"/".join(name): arrays[named[name]] for name in sorted(named, key=place)}


def _names(paths, attributes, layers):
    """Return {path: (layer, variable)}."""
    groups = Counter(path.rpartition("/")[0] for path in paths)
    tops = Counter(_ends(group)[0] for group in groups)
    names, alike = {}, {}
    for layer, kind in layers.items():
        alike.setdefault(kind, []).append(layer)
    for path in paths:
        group, _, variable = path.rpartition("/")
        if group.endswith("/vars"):
            own = attributes[group].get("name")
            names[path] = _new_name(group, variable, groups[group], own, alike)
        else:
            top, last = _ends(group)
            layer = last if tops[top] > 1 else top  # where models are nested, the inner layer
            names[path] = _old_name(layer, variable.removesuffix(":0"), layers)
    return names


def _ends(group):
    """Return the first and the last name in the path of a group."""
    names = group.removeprefix(WEIGHTS).removeprefix("/").split("/")
    return names[0], names[-1]


def _old_name(layer, variable, layers):
    """Return (layer, variable). Keras 3 calls a depthwise kernel just a kernel."""
    if variable == "kernel" and layers.get(layer) == "depthwise_conv2d":
        variable = "depthwise_kernel"
    return (layer, variable) if layer else (variable,)


def _new_name(group, number, count, own, alike):
    """layers/conv2d_3/vars, 0 -> (the name of the layer, "kernel"), by class and number.

    `own` is [the name], or nothing where the file does not say it, as in Keras 3.0; then it is
    that of layer number 3 of those that are `alike`, {class: names}.
    """
    numbered = group.split("/")[-2]
    kind, turn = re.fullmatch(r"(.*?)(?:_(\d{1,9}))?", numbered, re.DOTALL).groups()
    variables = dict(zip("0123", VARIABLES.get(kind, ()), strict=False))
    if kind == "batch_normalization" and count != len(variables):
        variables = {}  # without scale or center: which of them, the file does not say
    turn = int(turn or 0)
    names = own or alike.get(kind, [])[turn : turn + 1] or [numbered]
    return names[0], variables.get(number, number)


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
