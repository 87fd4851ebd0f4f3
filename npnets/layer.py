"""What a layer is: parameters, what its backward will need, and layers in a row.

A layer computes `y = layer.forward(x)` and then `dx = layer.backward(dy)`. There is no tape: each
layer saves, while it is training, the arrays that its backward asks for by name, and lets go of
them there. Its state is of three kinds, told apart by type: a Parameter is learned, a Buffer is
tracked, and the saved arrays live from forward to backward only.
"""

import copy
import itertools

import numpy as np

from npnets.ops.threads import by_images, goes_layer_by_layer


class Parameter:
    """An array that is learned. `grad` is set by each backward; `decay` says whether weight
    decay applies: not to biases, batch norm and depthwise filters (arXiv:1704.04861, sec. 3.2).
    """

    def __init__(self, value, decay=True):
        self.value, self.grad, self.decay = value, None, decay


class Buffer:
    """An array that is tracked, not learned: the running statistics of batch norm."""

    def __init__(self, value):
        self.value = value


class Layer:
    """What all layers share. Parts are attributes, in the order of the forward pass."""

    training = True
    is_folded = False
    _saved = None

    def forward(self, x):
        """Return y; in training mode, save what backward will need."""
        raise NotImplementedError

    def backward(self, dy):
        """Set the gradient of each parameter and return dx; release what forward saved."""
        raise NotImplementedError

    def save(self, *arrays):
        """Keep arrays for backward. At inference nothing is kept."""
        if self.training:
            self._saved = arrays

    def saved(self):
        """Return what forward saved, and let go of it."""
        if self._saved is None:
            raise RuntimeError(
                f"{self!r} has nothing to go back from: call forward first, in training mode, "
                "and backward once for each forward"
            )
        arrays, self._saved = self._saved, None
        return arrays

    def parts(self, kind, path=""):
        """Yield (dotted name, part) for every part of a kind: Parameter, Buffer or Layer."""
        for name, part in vars(self).items():
            if isinstance(part, kind):
                yield path + name, part
            if isinstance(part, Layer):
                yield from part.parts(kind, f"{path}{name}.")

    def parameters(self):
        """Return {dotted name: Parameter}, in the order of the forward pass."""
        return dict(self.parts(Parameter))

    def layers(self):
        """Return {dotted name: Layer} of this layer, under "", and all within it."""
        return {"": self, **dict(self.parts(Layer))}

    def state(self):
        """Return {dotted name: a copy of the array} of all parameters and buffers."""
        return {name: part.value.copy() for name, part in self.parts((Parameter, Buffer))}

    def load_state(self, state):
        """Take over every array of `state`, a dict like that of `state()`; return self.

        Raises ValueError, and changes nothing, where names are missing or unexpected, or where
        shapes or kinds of number differ; it lists them all.
        """
        parts = dict(self.parts((Parameter, Buffer)))
        arrays = {name: np.asarray(array) for name, array in state.items()}
        wrong = [f"missing: {name}" for name in parts if name not in arrays]
        wrong += [f"unexpected: {name}" for name in arrays if name not in parts]
        for name in parts.keys() & arrays.keys():
            value, array = parts[name].value, arrays[name]
            if array.shape != value.shape:
                wrong.append(f"misshapen: {name} must be {value.shape}, got {array.shape}")
            elif array.dtype.kind != "f":
                wrong.append(f"not floating-point: {name} is {array.dtype}")
        if wrong:
            raise ValueError("this state does not fit the network:\n  " + "\n  ".join(wrong))
        for name, part in parts.items():
            part.value = arrays[name].astype(part.value.dtype)
        return self

    def astype(self, dtype):
        """Return a copy of this layer whose parameters and buffers are of another dtype."""
        twin = copy.deepcopy(self)
        for part in twin.parameters().values():
            part.value, part.grad = part.value.astype(dtype), None
        for _, part in twin.parts(Buffer):
            part.value = part.value.astype(dtype)
        for layer in twin.layers().values():
            layer._saved = None
        return twin

    def fold(self):
        """Return an equal network for inference, and faster: what follows a convolution, batch
        norm and activation, becomes part of it (see `Conv2d.absorb`)."""
        twin = copy.deepcopy(self).eval()
        for layer in twin.layers().values():
            layer.fold_parts()
        for layer in twin.layers().values():  # with those that the folding made
            layer.is_folded = True
        for parameter in twin.parameters().values():
            parameter.grad = None
        return twin

    def fold_parts(self):
        """Let parts absorb those that follow them. Only parts in a row follow each other."""

    def in_a_row(self):
        """Yield the layers that this one is, one after another: it may be but one."""
        yield self

    def with_next(self, following):
        """Return a function x -> y that computes this layer and the following one in one go, for
        inference; None if there is none."""
        return

    def absorb(self, following):
        """Return one layer for this and the following one, at inference; None if there is none."""
        return

    def train(self):
        """Switch to training: the statistics of the batch, and a backward to come."""
        if any(layer.is_folded for layer in self.layers().values()):
            raise RuntimeError(
                "a folded network has no batch norm to train; train the network it was made of"
            )
        return self._switch(True)

    def eval(self):
        """Switch to inference: running statistics, and nothing is saved."""
        return self._switch(False)

    def _switch(self, training):
        for layer in self.layers().values():
            layer.training, layer._saved = training, None
        return self

    def describe(self):
        """Return what makes this layer one of its kind, for its printed form."""
        return ""

    def __repr__(self):
        parts = [(name, part) for name, part in vars(self).items() if isinstance(part, Layer)]
        rows = "\n".join(["", *(f"{name}: {part!r}" for name, part in parts)])
        inside = rows.replace("\n", "\n  ") + "\n" if parts else self.describe()
        return f"{type(self).__name__}({inside})"


class Sequential(Layer):
    """Layers in a row, by name: Sequential(conv=Conv2d(…), norm=BatchNorm(…), act=ReLU())."""

    def __init__(self, **layers):
        for name, layer in layers.items():
            if not isinstance(layer, Layer):
                raise ValueError(f"{name} must be a Layer, got {type(layer).__name__}")
            setattr(self, name, layer)

    def __iter__(self):
        return (part for part in vars(self).values() if isinstance(part, Layer))

    def forward(self, x):
        if not self.is_folded:
            return self._in_a_row(x)
        return by_images(self._in_a_row if goes_layer_by_layer() else self._two_in_one, x)

    def _in_a_row(self, x):
        for layer in self:
            x = layer.forward(x)
        return x

    def _two_in_one(self, x):
        """The same, where a layer may take the next along, also out of a Sequential inside."""
        row, taken = [layer for part in self for layer in part.in_a_row()], None
        for layer, following in itertools.pairwise((*row, None)):
            if layer is not taken:
                both = layer.with_next(following)
                x = layer.forward(x) if both is None else both(x)
                taken = None if both is None else following
        return x

    def in_a_row(self):
        if type(self).forward is not Sequential.forward:  # it goes a way of its own
            yield self
        else:
            for part in self:
                yield from part.in_a_row()

    def fold_parts(self):
        last = None
        for name, part in [pair for pair in vars(self).items() if isinstance(pair[1], Layer)]:
            both = None if last is None else getattr(self, last).absorb(part)
            if both is None:
                last = name
            else:
                setattr(self, last, both)
                delattr(self, name)

    def backward(self, dy):
        for layer in reversed(tuple(self)):
            dy = layer.backward(dy)
        return dy
