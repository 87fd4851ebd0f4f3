"""Whose weights these are: recognised by the names of arrays and, where needed, their shapes."""

import functools

from npnets.weights.options import SMALLEST, options_of

SHOWN = 5  # names of each kind in an error


def recognize(arrays, sources):
    """Return (source, the network's options, its arrays as the source prepares them).

    Where names fit several sources, those win that the shapes speak for, too. Raises ValueError
    where no source fits, with the nearest, and where several do.
    """
    fits = []
    for source in sources:
        prepared = source.prepare(arrays)
        names = expected(source)
        if set(names.values()) == prepared.keys():
            fits.append((source, read_options(source, prepared, names), prepared))
    fits = _chosen(fits) if len(fits) > 1 else fits
    if not fits:
        raise ValueError(misfit(arrays, sources))
    if len(fits) > 1:
        makers = " or ".join(repr(source.maker) for source, _, _ in fits)
        raise ValueError(f"these weights fit several sources; say which, source={makers}")
    return fits[0]


def _chosen(fits):
    """Return those that the shapes speak for; without any, those that do not ask for it."""
    asking = [fit for fit in fits if fit[0].chosen and fit[0].chosen(fit[1])]
    return asking or [fit for fit in fits if fit[0].chosen is None]


@functools.cache
def smallest(source):
    """Return the smallest network of a source: all of its family have the same names."""
    return source.build(**SMALLEST[source.network], num_classes=1, rng=0)


@functools.cache
def expected(source):
    """Return {array of npnets: the maker's name} for any network of a source."""
    return source.names(smallest(source))


def read_options(source, arrays, names):
    """Return the options of the network, read off the shapes of the maker's arrays."""
    kinds = source.kinds_of(smallest(source))

    def shape(ours):
        array = arrays[names[ours]]
        try:
            return kinds[ours].to_ours(array).shape
        except ValueError as error:
            raise ValueError(f"misshapen: {names[ours]}: {error}") from error

    return options_of(source.network, shape)


def misfit(arrays, sources):
    """Return why no source fits: a known reason, or the nearest source and what differs."""
    nearest = sorted(sources, key=lambda source: _distance(source, arrays))[:3]
    lines = ["these weights fit no source:"]
    for source in nearest:
        wanted, had = set(expected(source).values()), source.prepare(arrays)
        missing = [name for name in expected(source).values() if name not in had]
        unexpected = [name for name in had if name not in wanted]
        lines.append(f"  {source.maker} {source.network.__name__}")
        lines += _some("missing", missing) + _some("unexpected", unexpected)
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
