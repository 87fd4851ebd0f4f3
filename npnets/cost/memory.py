"""How much memory the activations take: at inference, and in training until backward.

Source of the first: MobileNetV2, arXiv:1801.04381, section 5.1. Parameters do not count, nor does
the scratch memory inside an operation, of which a convolution by im2col needs much.
"""

import itertools
from dataclasses import dataclass, field

import numpy as np

from npnets.cost.summary import per_image
from npnets.cost.trace import is_batch, memory_of, trace_with_input, traced
from npnets.layers import Parameter
from npnets.ops import reuse_memory


@dataclass(frozen=True)
class Step:
    """One operation, or a unit that counts as one; all numbers are elements for one image.

    `alive` is all that has to be there while it runs: its inputs, its outputs, and what a later
    step will read, such as a shortcut. `held` is what npnets really holds: the input of a layer
    also stays until that layer is done, as Python keeps the arguments of a function.
    """

    name: str
    output_shape: tuple[int, ...]
    inputs: int
    outputs: int
    alive: int
    held: int


@dataclass(frozen=True)
class Inference:
    """The steps of an inference, and the most memory that one of them takes."""

    steps: list[Step] = field(repr=False)

    @property
    def largest(self):
        """M(G) of section 5.1: the largest sum of the inputs and outputs of a step."""
        return max(step.inputs + step.outputs for step in self.steps)

    @property
    def alive(self):
        """The peak where each array is freed after its last use."""
        return max(step.alive for step in self.steps)

    @property
    def held(self):
        """The peak where the input of each layer is held until that layer is done."""
        return max(step.held for step in self.steps)

    def widest(self):
        """Return {(H, W): the most channels of a step's output of that size}: table 3."""
        widths = {}
        for step in self.steps:
            C, *size = step.output_shape
            size = tuple(size) or (1, 1)
            widths[size] = max(C, widths.get(size, 0))
        return widths


def inference(net, input_shape, joined=()):
    """Return the steps of an inference, for an image of shape (C, H, W).

    Layers of the classes `joined` count as one step each: what they make inside is disposable.
    Batch norm and activation are steps of their own, as npnets runs them; in `net.fold()` they
    are a part of the convolution, as in the paper.
    """
    x, calls, y = trace_with_input(net, input_shape)
    units = [name for name, layer in net.layers().items() if isinstance(layer, tuple(joined))]
    steps = [
        list(group)
        for _, group in itertools.groupby(calls, lambda call: _unit(call, units, id(call)))
    ]
    names = [_unit(group[0], units, group[0].name) for group in steps]
    return Inference(_live(names, steps, x, y))


def _unit(call, units, otherwise):
    """Return the name of the outermost of these layers that the call ran in, if it did."""
    inside = (name for name in units if not name or f"{call.name}.".startswith(f"{name}."))
    return next(inside, otherwise)


def _live(names, steps, x, y):
    """Return the Steps: which arrays each of them reads, makes, and finds alive."""
    reads, makes, last = [], [{id(memory_of(x)): x}], {id(memory_of(y)): len(steps)}
    for k, group in enumerate(steps):
        read = _memories(array for call in group for array in call.arrays().values())
        makes.append(_memories(array for call in group for array in call.results()))
        reads.append(read)
        last |= dict.fromkeys(read, k) | {id(memory_of(y)): len(steps)}
    found, alive = [], makes[0]
    for k, (name, group, made) in enumerate(zip(names, steps, makes[1:], strict=True)):
        inner = {key for key in reads[k] if last[key] == k}
        kept = {key: array for key, array in made.items() if key not in inner}
        read = {key: array for key, array in reads[k].items() if key not in made}
        around = _memories(group[0].around)
        alive = {key: array for key, array in alive.items() if last.get(key, -1) >= k} | kept
        sizes = [_size(arrays) for arrays in (read, kept, alive, around | alive)]
        found.append(Step(name, group[-1].results()[0].shape[1:], *sizes))
    return found


def _memories(arrays):
    """Return {its identity: the array that owns the memory} of those that belong to images."""
    owners = [memory_of(array) for array in arrays if is_batch(array)]
    return {id(owner): owner for owner in owners}


def _size(arrays):
    return sum(map(per_image, arrays.values()))


@dataclass(frozen=True)
class Kept:
    """What one layer keeps for its backward, in elements: for each image, and for the batch.

    An array that several layers keep counts at the first of them.
    """

    name: str
    per_image: int
    per_batch: int


@dataclass(frozen=True)
class Training:
    """What all layers keep from forward to backward."""

    layers: list[Kept] = field(repr=False)
    itemsize: int

    def elements(self, batch=1):
        """Return the elements that wait for backward."""
        return sum(batch * layer.per_image + layer.per_batch for layer in self.layers)

    def bytes(self, batch=1):
        """Return the same in bytes, in the dtype of the network."""
        return self.elements(batch) * self.itemsize


def training(net, input_shape):
    """Return what the layers of `net` keep in training, found by running a copy of it once.

    With kernels, batch norm and activation keep their common input only: call it as you train.
    """
    dtype = next(iter(net.parameters().values())).value.dtype
    twin, N = net.astype(dtype).train(), 2
    x = np.zeros((N, *input_shape), dtype)
    with reuse_memory(False), traced(twin) as calls:
        twin.forward(x)
    made = {id(memory_of(x)): x}
    made |= {id(memory_of(array)): array for call in calls for array in call.results()}
    parameters = {id(part.value) for _, part in twin.parts(Parameter)}
    kept, counted = [], set(parameters)
    for name, layer in twin.layers().items():
        saved = [array for array in layer._saved or () if isinstance(array, np.ndarray)]
        owners = {id(memory_of(array)): memory_of(array) for array in saved}
        new = [made.get(key, owner) for key, owner in owners.items() if key not in counted]
        counted |= set(owners)
        images = sum(array.size // N for array in new if array.ndim > 1)
        if new:
            kept.append(Kept(name, images, sum(array.size for array in new if array.ndim == 1)))
    return Training(kept, dtype.itemsize)
