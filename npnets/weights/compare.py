"""Two networks that should be one, layer by layer: where they part, and what may have done it.

    report = compare(net, other, x)
    print(report)  # a line for each layer, and the first where they part
    assert report.ok

`other` is a network with layers of the same names, such as the same file read under another
source, or the activations that some other program computed, {name: array}. Two networks run in
float64, where what differs is what they are, not how they round.
"""

import difflib
from dataclasses import dataclass

import numpy as np

from npnets.cost.table import rows, shape
from npnets.cost.trace import calls_of
from npnets.weights import reasons
from npnets.weights.related import distance

INPUT = "input"  # the name of x among the activations
# Weights in float32, folded by others, round; activations that others computed in it do so more.
TOLERANCE, TOLERANCE_OF_ACTIVATIONS = 1e-5, 1e-4


@dataclass(frozen=True)
class Row:
    """One layer: the shape of its output for one image, the largest difference between the two,
    and that as a part of the largest number in A. Where only one of them has the layer, both are
    NaN; there, and where shapes differ, `note` says so."""

    name: str
    shape: tuple[int, ...]
    difference: float
    relative: float
    note: str = ""


@dataclass(frozen=True)
class Report:
    """What a comparison found; print it for the verdict. `first` is the Row where the two part,
    None where they do not, and `reasons` are what explains it, each tried and found to hold."""

    rows: tuple[Row, ...]
    tolerance: float
    first: Row | None
    reasons: tuple[str, ...]

    @property
    def ok(self):
        """Whether all that was compared agrees."""
        return self.first is None

    @property
    def verdict(self):
        """The outcome in a sentence or two."""
        compared = [row for row in self.rows if not np.isnan(row.relative)]
        within = f"(tolerance {self.tolerance:g})"
        if self.ok:
            worst = max(row.relative for row in compared)
            return f"SAME: {len(compared)} layers agree to {worst:.1e} or better {within}."
        why = "; ".join(self.reasons) or "no simple relation was found"
        return f"THEY PART at {self.first.name} {within}: {why}."

    def __str__(self):
        return "\n".join([*rows(COLUMNS, self.rows, left=2), "", self.verdict])


COLUMNS = (
    ("layer", lambda row: row.name),
    ("shape", lambda row: shape(row.shape)),
    ("largest difference", lambda row: row.note or f"{row.difference:.2e}"),
    ("relative", lambda row: "" if row.note else f"{row.relative:.1e}"),
)


def activations(net, x):
    """Return {name: array}: x as "input", and what each layer makes of it at inference."""
    return {INPUT: x} | {name: _made(call) for name, call in _calls(net, x).items()}


def compare(net, other, x, tolerance=None):
    """Compare net, called A, with another network or its activations, called B, on images x.

    Of activations, {name: array}, names are those of layers, or of parts such as "stage2.unit1",
    and "input" for x. They part where the relative difference exceeds the tolerance: 1e-5 for
    two networks, 1e-4 for activations. Where one network is folded, so is the other. Raises
    ValueError where there is nothing to compare.
    """
    x = x.astype(np.float64)
    if isinstance(other, dict):
        calls = _calls(net.astype(np.float64), x)
        given = TOLERANCE_OF_ACTIVATIONS if tolerance is None else tolerance
        return _of_activations(calls, other, x, given)
    both = [part.astype(np.float64) for part in (net, other)]
    if any(part.is_folded for part in both):
        both = [part if part.is_folded else part.fold() for part in both]
    given = TOLERANCE if tolerance is None else tolerance
    return _of_two(*(_calls(part, x) for part in both), given)


def _of_two(ours, theirs, tolerance):
    """Return the Report for the Calls of two networks, {name: Call}."""
    if not ours.keys() & theirs.keys():
        raise ValueError(f"the two have no layer in common: {_some(ours)} and {_some(theirs)}")
    table, first, why, alone = [], None, [], []
    for name in _in_order(ours, theirs):
        call, twin = ours.get(name), theirs.get(name)
        if call is None or twin is None:
            note = "only in B" if call is None else "only in A"
            alone.append(Row(name, _made(call or twin).shape[1:], np.nan, np.nan, note))
            table.append(alone[-1])
            continue
        table.append(_row(name, _made(call), _made(twin)))
        if first is None and table[-1].relative > tolerance:
            first = alone[0] if alone else table[-1]
            why = [f"{row.name} is {row.note}" for row in alone]
            why = why or reasons.of_calls(call, twin, tolerance)
        alone = []  # what both have in between agrees, or is told of already
    return Report(tuple(table), tolerance, first, tuple(why))


def _of_activations(calls, found, x, tolerance):
    """Return the Report for the Calls of a network and what others found, {name: array}."""
    ends = {INPUT: (-1, None)}
    for place, (path, call) in enumerate(calls.items()):
        pieces = path.split(".")  # a part with parts makes what the last of them makes
        ends |= {".".join(pieces[:n]): (place, call) for n in range(1, len(pieces) + 1)}
    for name in found:
        if name not in ends:
            near = difflib.get_close_matches(name, ends, n=1, cutoff=0)
            raise ValueError(f"the network has no layer {name!r}; did you mean {near[0]!r}?")
    if not found:
        raise ValueError("there are no activations to compare with")
    table, first, why = [], None, []
    for name in sorted(found, key=lambda name: ends[name][0]):
        _, call = ends[name]
        a, b = (x if call is None else _made(call)), np.asarray(found[name], np.float64)
        table.append(_row(name, a, b))
        if first is None and table[-1].relative > tolerance:
            first, why = table[-1], reasons.of_arrays(a, b, call, tolerance)
    return Report(tuple(table), tolerance, first, tuple(why))


def _calls(net, x):
    """Return {name: Call} of a run on x; of several by one name, the later ones are numbered."""
    named = {}
    for call in calls_of(net, x)[0]:
        name, number = call.name, 1
        while name in named:
            number += 1
            name = f"{call.name} ({number})"
        named[name] = call
    return named


def _made(call):
    return call.results()[0]


def _row(name, a, b):
    note = "" if a.shape == b.shape else f"{b.shape} in B"
    return Row(name, a.shape[1:], *distance(a, b), note)


def _some(calls):
    return ", ".join([*calls][:3]) + ", …"


def _in_order(ours, theirs):
    """Return the names of both; those of theirs alone after what comes before them there."""
    names, place = list(ours), 0
    for name in theirs:
        if name not in ours:
            names.insert(place, name)
        place = names.index(name) + 1
    return names
