"""Whose weights these are: recognised by the names of arrays and, where needed, their shapes."""

import functools
from dataclasses import dataclass

from npnets.weights.names.unknown import UNKNOWN
from npnets.weights.options import SMALLEST, options_of
from npnets.weights.source import Source

SHOWN = 5  # names of each kind in an error


@dataclass(frozen=True)
class Fit:
    """A source that fits: the options of the network, its arrays, and how it was recognised."""

    source: Source
    options: dict
    arrays: dict
    how: str


def recognize(arrays, sources):
    """Return the Fit of arrays, {the maker's name: array}, to one of the sources.

    Where names fit several sources, those win that the shapes speak for, too. Raises ValueError
    where no source fits, with the nearest, and where several do.
    """
    fits = []
    for source in sources:
        prepared, names = source.prepare(arrays), expected(source)
        if prepared.keys() == set(names.values()):
            options = read_options(source, prepared, names)
            fits.append(Fit(source, options, prepared, "by its names"))
    fits = _chosen(fits) if len(fits) > 1 else fits
    if not fits:
        raise ValueError(misfit(arrays, sources))
    if len(fits) > 1:
        makers = " or ".join(repr(fit.source.maker) for fit in fits)
        raise ValueError(f"these weights fit several sources; say which, source={makers}")
    return fits[0]


def _chosen(fits):
    """Return those that the shapes speak for; without any, those that do not ask for it."""
    chosen = [fit for fit in fits if fit.source.chosen and fit.source.chosen(fit.options)]
    chosen = chosen or [fit for fit in fits if fit.source.chosen is None]
    others = {fit.source.maker for fit in fits} - {fit.source.maker for fit in chosen}
    if not others:
        return chosen
    how = f"by its names and shapes; {', '.join(sorted(others))} has the same names"
    return [Fit(fit.source, fit.options, fit.arrays, how) for fit in chosen]


@functools.cache
def smallest(source):
    """Return the smallest network of a source: all of its family have the same names."""
    return source.build(**SMALLEST[source.network], num_classes=1, rng=0)


@functools.cache
def expected(source):
    """Return {array of npnets: the maker's name} for any network of a source."""
    return source.names(smallest(source))


def read_options(source, arrays, names):
    """Return the options of the network, read off the shapes of the maker's arrays.

    names is {array of npnets: the maker's name}.
    """
    pairs = source.pairs(smallest(source))

    def shape(ours):
        _, kind = pairs[ours]
        try:
            return kind.to_ours(arrays[names[ours]]).shape
        except ValueError as error:
            raise ValueError(f"misshapen: {names[ours]}: {error}") from error

    return options_of(source.network, shape)


def misfit(arrays, sources):
    """Return why no source fits: a known reason, or the nearest sources and what differs."""
    for name, reason in UNKNOWN.items():
        if name in arrays:
            return f"these weights are of none of the four networks, but of {reason}"
    if not arrays:
        return "there is no array"
    distances = {(s.maker, s.network): (_distance(s, arrays), s) for s in sources}
    nearest = sorted(distances.values(), key=lambda pair: pair[0])[:3]
    least, _ = nearest[0]
    if least == 1:
        makers = ", ".join(dict.fromkeys(source.maker for source in sources))
        (names,) = _some("these names", [*arrays])
        return f"no source ({makers}) has any of {names.strip()}. Try source='guess'"
    lines = ["these weights fit no source. The nearest:"]
    for source in (source for distance, source in nearest if distance < min(1, 2 * least)):
        had, wanted = source.prepare(arrays), expected(source).values()
        lines.append(f"  {source.maker}, {source.network.__name__}")
        lines += _some("missing", [name for name in wanted if name not in had])
        lines += _some("unexpected", [name for name in had if name not in set(wanted)])
    return "\n".join(lines)


def _distance(source, arrays):
    """The share of names that only one side has."""
    wanted, had = set(expected(source).values()), set(source.prepare(arrays))
    return len(wanted ^ had) / len(wanted | had)


def _some(what, names):
    if not names:
        return []
    rest = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return [f"    {what}: {', '.join(names[:SHOWN])}{rest}"]
