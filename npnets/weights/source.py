"""A source of weights: what its maker calls each layer, and what else belongs to its weights.

A name map is a table of layers, npnets on the left and the maker on the right; `kinds` says what
the arrays of a layer are called. A star stands for every unit that no line of its own names, and
in braces are numbers of the unit:

    {stage} {unit}   its numbers in npnets, as in stage3.unit1
    {n}              its number among all units of the network, from 1
    {level} {step}   levels begin where the image gets smaller, the first at 1; step counts in one

A maker who counts from zero has {stage-1}; one who counts two layers a unit has {2n} and {2n-1}.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from npnets.layer import Buffer, Parameter
from npnets.layers import DepthwiseConv2d
from npnets.weights.kinds import PYTORCH, kind_of
from npnets.weights.preprocessing import Preprocessing

UNIT = re.compile(r"(?:stage(\d+)\.)?unit(\d+)")


def table(text):
    """Return {npnets' layer: the maker's} of a table, without its head, the first line."""
    _, *lines = (line.split() for line in text.splitlines() if line.strip())
    return dict(lines)


@dataclass(frozen=True, eq=False)
class Source:
    """One network of one maker.

    options   of the network, that shapes do not tell
    changes   what is said of a change -> a function that so changes a new network
    absent    arrays of npnets that the maker does without: they are zero
    orders    a function of the network: {layer: where its channels lie in the maker's layer}
    prepare   a function of the file's arrays, before anything else
    chosen    a function of the options that the shapes tell: whether they speak for this source,
              where another one has the same names
    """

    maker: str
    network: type
    rows: Mapping[str, str]
    preprocessing: Preprocessing | None
    kinds: Mapping[str, str] = field(default_factory=lambda: PYTORCH)
    options: Mapping = field(default_factory=dict)
    changes: Mapping[str, Callable] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    orders: Callable = lambda net: {}
    prepare: Callable = lambda arrays: arrays
    chosen: Callable | None = None

    def build(self, **options):
        """Return a new network as this maker builds it; `options` beside those of the source."""
        net = self.network(**options, **self.options)
        for change in self.changes.values():
            change(net)
        return net.eval()

    def names(self, net):
        """Return {array of npnets: the maker's name}, without those that the maker lacks."""
        return {ours: theirs for ours, (theirs, _) in self.pairs(net).items()}

    def shapes(self, net):
        """Return {the maker's name: the shape the array must have} for a network."""
        values = _arrays(net)
        pairs = self.pairs(net).items()
        return {theirs: kind.shape(values[ours].shape) for ours, (theirs, kind) in pairs}

    def to_ours(self, net, arrays):
        """Return the state for `net` of a maker's arrays; their names and shapes must fit."""
        values, orders = _arrays(net), self.orders(net)
        state = {ours: np.zeros_like(values[ours]) for ours in self.absent}
        for ours, (theirs, kind) in self.pairs(net).items():
            array = kind.to_ours(arrays[theirs])
            order = orders.get(ours.rpartition(".")[0])
            state[ours] = array if order is None else array[order]
        return state

    def to_theirs(self, net):
        """Return the arrays of `net` under the maker's names: what `to_ours` undoes.

        Raises ValueError where the network has what theirs has no place for. That theirs computes
        the same is for the caller to know: strides, for one, are not in the arrays.
        """
        arrays, orders, values = {}, self.orders(net), _arrays(net)
        for ours in self.absent:
            if values[ours].any():
                raise ValueError(f"{self.maker} has no {ours}, and that of the network is not 0")
        for ours, (theirs, kind) in self.pairs(net).items():
            order = orders.get(ours.rpartition(".")[0])
            array = values[ours] if order is None else values[ours][np.argsort(order)]
            arrays[theirs] = np.ascontiguousarray(kind.to_theirs(array))
        return arrays

    def pairs(self, net):
        """Return {array of npnets: (the maker's name, its Kind)}."""
        pairs, layers, numbers = {}, net.layers(), unit_numbers(net)
        for name in _arrays(net):
            path, _, array = name.rpartition(".")
            if name not in self.absent:
                known = kind_of(self.kinds, layers[path], array)
                pairs[name] = self._layer(path, numbers) + known.suffix, known
        return pairs

    def _layer(self, path, numbers):
        """Return what the maker calls a layer of npnets."""
        if not self.rows:  # the names are npnets' own
            return path
        unit = UNIT.match(path)
        star = f"*{path[unit.end() :]}" if unit else path
        row = self.rows[path] if path in self.rows else self.rows[star]
        return _fill(row, numbers[unit.group()]) if unit else row


def unit_numbers(net):
    """Return {unit: its numbers, by the names that stand in braces in the tables}."""
    numbers, level, step, n = {}, 1, 0, 0
    for path, unit in net.layers().items():
        found = UNIT.fullmatch(path)
        if found:
            stage, number = (int(digits or 0) for digits in found.groups())
            n += 1
            convs = [part for _, part in unit.parts(DepthwiseConv2d)]
            smaller = any(conv.window["stride"] == 2 for conv in convs)
            level, step = (level + 1, 1) if smaller and n > 1 else (level, step + 1)
            numbers[path] = {"stage": stage, "unit": number, "n": n, "level": level, "step": step}
    return numbers


def _fill(row, numbers):
    """features.{2n-1}.conv, {"n": 3} -> features.5.conv"""
    number = re.compile(r"\{(\d*)([a-z]+)([+-]\d+)?\}")

    def value(found):
        times, name, plus = found.groups()
        return str(int(times or 1) * numbers[name] + int(plus or 0))

    return number.sub(value, row)


def _arrays(net):
    return {name: part.value for name, part in net.parts((Parameter, Buffer))}
