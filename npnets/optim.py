"""Optimizers, and schedules for their learning rate.

An optimizer takes the gradients that backward has set and changes the parameters in place. What
it remembers from step to step is in `slots`: one array per parameter and slot name.
"""

import math
from dataclasses import dataclass

import numpy as np


class Optimizer:
    """What both optimizers share: parameters by name, weight decay, and remembered slots.

    Weight decay adds weight_decay · value to the gradient of each parameter whose `decay` is
    True. Parameters whose gradient is None raise RuntimeError: no backward has come before.
    """

    slot_starts = {}  # noqa: RUF012 - slot name -> the number it starts from

    def __init__(self, parameters, weight_decay=0.0):
        self.parameters, self.weight_decay = dict(parameters), weight_decay
        self.slots = {
            slot: {name: np.full_like(p.value, start) for name, p in self.parameters.items()}
            for slot, start in self.slot_starts.items()
        }

    def step(self, lr):
        """Change every parameter by one step at learning rate lr."""
        for name, parameter in self.parameters.items():
            if parameter.grad is None:
                raise RuntimeError(f"{name} has no gradient: call backward before step")
            gradient = parameter.grad
            if self.weight_decay and parameter.decay:
                gradient = gradient + self.weight_decay * parameter.value
            slots = {slot: arrays[name] for slot, arrays in self.slots.items()}
            parameter.value -= self.update(gradient, lr, **slots)

    def update(self, gradient, lr, **slots):
        """Return what to subtract from a parameter, having brought its slots up to date."""
        raise NotImplementedError

    def state(self):
        """Return {slot/name: a copy of the array}."""
        return {
            f"{slot}/{name}": array.copy()
            for slot, arrays in self.slots.items()
            for name, array in arrays.items()
        }

    def load_state(self, state):
        """Take over the arrays of `state`; ValueError, and nothing changed, where they differ."""
        own = self.state()
        if {k: v.shape for k, v in own.items()} != {k: v.shape for k, v in state.items()}:
            odd = sorted(own.keys() ^ state.keys()) or ["shapes"]
            raise ValueError(
                f"this state is of another optimizer or network: {', '.join(odd[:5])}"
            )
        for slot, arrays in self.slots.items():
            for name, array in arrays.items():
                array[...] = state[f"{slot}/{name}"]


class SGD(Optimizer):
    """Stochastic gradient descent with momentum; Nesterov's looks one step ahead.

    velocity  =  momentum · velocity + gradient
    value    −=  lr · velocity                              Nesterov's: velocity replaced by
                                                            gradient + momentum · velocity
    """

    slot_starts = {"velocity": 0}  # noqa: RUF012

    def __init__(self, parameters, momentum=0.9, nesterov=False, weight_decay=0.0):
        super().__init__(parameters, weight_decay)
        self.momentum, self.nesterov = momentum, nesterov

    def update(self, gradient, lr, velocity):
        velocity *= self.momentum
        velocity += gradient
        return lr * (gradient + self.momentum * velocity if self.nesterov else velocity)


class RMSProp(Optimizer):
    """RMSProp as the MobileNets were trained with it: TensorFlow's, with momentum.

        square    =  rho · square + (1 − rho) · gradient²       starting from 1
        velocity  =  momentum · velocity + lr · gradient / √(square + eps)
        value    −=  velocity

    Source: MobileNetV2, arXiv:1801.04381, section 6.1 (rho and momentum 0.9); eps = 1 and the
    start at 1 are those of the published code. PyTorch's starts from 0 and adds eps to the root.
    """

    slot_starts = {"square": 1, "velocity": 0}  # noqa: RUF012

    def __init__(self, parameters, rho=0.9, momentum=0.9, eps=1.0, weight_decay=0.0):
        super().__init__(parameters, weight_decay)
        self.rho, self.momentum, self.eps = rho, momentum, eps

    def update(self, gradient, lr, square, velocity):
        square *= self.rho
        square += (1 - self.rho) * gradient**2
        velocity *= self.momentum
        velocity += lr * gradient / np.sqrt(square + self.eps)
        return velocity


@dataclass(frozen=True)
class Schedule:
    """A learning rate for each step from 0 on: a warm-up, then a fall to zero at `steps`.

    The warm-up climbs from lr/warmup to lr in `warmup` steps (arXiv:1706.02677, section 2.2).
    Raises ValueError where lr is not positive or the warm-up leaves no step to fall in.
    """

    lr: float
    steps: int
    warmup: int = 0

    def __post_init__(self):
        if not self.lr > 0 or not math.isfinite(self.lr):
            raise ValueError(f"lr must be positive and finite, got {self.lr}")
        if not 0 <= self.warmup < self.steps:
            raise ValueError(
                f"warmup must be 0 or more and less than steps={self.steps}, got {self.warmup}"
            )

    def __call__(self, step):
        """Return the learning rate of a step, counted from 0."""
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        done = min(1.0, (step - self.warmup) / (self.steps - self.warmup))
        return self.lr * self.fall(done)

    def fall(self, done):
        """Return which part of lr is left when this part of the way is done."""
        raise NotImplementedError


class Linear(Schedule):
    """Falls in a straight line, as the ShuffleNets were trained (arXiv:1707.01083, sec. 4)."""

    def fall(self, done):
        return 1 - done


class Cosine(Schedule):
    """Falls along half a cosine: slowly, then fast, then slowly (arXiv:1608.03983, eq. 5)."""

    def fall(self, done):
        return 0.5 * (1 + math.cos(math.pi * done))
