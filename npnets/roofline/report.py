"""The roofline as text, and as numbers."""

import dataclasses
import json

from npnets.cost import table
from npnets.files import write_text
from npnets.ops.threads import SMALL

COLUMNS = (
    ("kind", lambda g: g.kind),
    ("count", lambda g: f"{g.count}"),
    ("multiply-adds", lambda g: table.percent(g.share_of_macs)),
    ("predicted", lambda g: ms(g.predicted)),
    ("small products", lambda g: ms(g.small)),
    ("calling", lambda g: ms(g.calling)),
    ("cold", lambda g: ms(g.cold)),
    ("rest", lambda g: ms(g.rest)),
    ("measured", lambda g: ms(g.measured)),
    ("measured ÷ predicted", lambda g: f"{g.measured / g.predicted:.1f}"),
)
LEGEND = f"""\
Times are in ms. predicted: the multiply-adds at the highest rate of a matrix product, or the bytes
at the rate of the smallest memory that holds them, whichever takes longer. small products: what a
matrix product of this shape takes beyond that, alone. calling: as many calls, with next to
nothing to do. cold: what they take in place beyond what they take over and over, alone. rest: what
is left: bias, short rows, copies; and where there are fewer than {SMALL:,} numbers, one thread
works. Parts that overlap make a rest below 0."""


def ceilings_text(ceilings):
    """Return the rates of the machine, a line each."""
    lines = [f"matrix product: {ceilings.macs_per_s / 1e9:.1f} G multiply-adds/s"]
    for level in ceilings.levels:
        holds = f", {level.capacity / 2**20:g} MiB" if level.capacity < float("inf") else ""
        lines.append(
            f"{level.name}{holds}: {level.bytes_per_s / 1e9:.1f} GB/s; bound by compute from "
            f"{ceilings.ridge(level):.2f} multiply-adds per byte on"
        )
    return "\n".join(lines)


def pass_text(found):
    """Return the table of a Pass, by kind, and what is not explained."""
    total = found.total
    lines = table.rows(COLUMNS, [*found.by_kind(), total], left=1)
    lines.insert(-1, lines[1])
    parts = (
        ("small products", total.small),
        ("calling", total.calling),
        ("cold", total.cold),
        ("rest", total.rest),
        ("between the operations", found.between),
    )
    said = ", ".join(f"{name} {ms(seconds)}" for name, seconds in parts)
    explained = total.predicted / found.whole
    return "\n".join(
        [
            found.title,
            *lines,
            f"whole pass {ms(found.whole)} = predicted {ms(total.predicted)} "
            f"({explained:.0%}) + unexplained {ms(found.unexplained)}",
            f"unexplained: {said}",
        ]
    )


def write_json(path, about, ceilings, passes):
    """Write the machine, its rates, and every operation of each Pass; times in seconds.

    `about` is a dict: the machine, the network, and the images.
    """
    levels = [dataclasses.asdict(level) for level in ceilings.levels]
    for level in levels:
        level["capacity"] = level["capacity"] if level["capacity"] < float("inf") else None
    everything = {
        **about,
        "ceilings": {"macs_per_s": ceilings.macs_per_s, "levels": levels},
        "passes": [
            {
                "title": found.title,
                "whole": found.whole,
                "between": found.between,
                "unexplained": found.unexplained,
                "total": dataclasses.asdict(found.total),
                "kinds": [dataclasses.asdict(group) for group in found.by_kind()],
                "layers": [dataclasses.asdict(k) | {"rest": k.rest} for k in found.layers],
            }
            for found in passes
        ],
    }
    write_text(path, json.dumps(everything, indent=1) + "\n")


def ms(seconds):
    """Milliseconds with as many digits as a time has."""
    value = 1e3 * seconds
    return f"{value:.{0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2}f}"
