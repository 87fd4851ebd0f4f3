"""A summary as text: the layers, then the kinds, then the totals."""

LAYERS = (
    ("layer", lambda r: r.name),
    ("kind", lambda r: r.kind),
    ("output shape", lambda r: shape(r.output_shape)),
    ("parameters", lambda r: f"{r.params:,}"),
    ("multiply-adds", lambda r: f"{r.macs:,}"),
    ("elements moved", lambda r: f"{r.elements:,}"),
    ("per element", lambda r: intensity(r)),
)
KINDS = (
    ("kind", lambda s: s.kind),
    ("rows", lambda s: f"{s.rows}"),
    ("parameters", lambda s: percent(s.share_of_params)),
    ("multiply-adds", lambda s: percent(s.share_of_macs)),
    ("elements moved", lambda s: percent(s.share_of_elements)),
    ("per element", lambda s: intensity(s)),
)


def text(summary):
    """Return the tables of a Summary."""
    size = shape(summary.input_shape)
    return "\n".join(
        [
            *rows(LAYERS, summary.rows, left=3),
            "",
            *rows(KINDS, summary.by_kind(), left=1),
            "",
            f"{summary.title} on {size}: {_of(summary)}",
        ]
    )


def _of(summary):
    params, macs, moved = summary.params, summary.macs, summary.elements
    return (
        f"{params:,} parameters ({params / 1e6:.2f} M), "
        f"{macs:,} multiply-adds ({macs / 1e6:.1f} M), "
        f"{moved:,} elements moved ({moved / 1e6:.1f} M)"
    )


def rows(columns, items, left):
    """Return the lines of a table: heads, a rule, a line for each item.

    columns is a list of (head, what it shows of an item); the first `left` of them are words,
    and the others numbers, to the right.
    """
    heads = [head for head, _ in columns]
    cells = [[show(item) for _, show in columns] for item in items]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    lines = [
        "  ".join(
            f"{cell:<{width}}" if k < left else f"{cell:>{width}}"
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in (heads, *cells)
    ]
    return [lines[0], "─" * len(lines[0]), *lines[1:]]


def shape(sizes):
    """(64, 32, 32) -> 64×32×32"""
    return "×".join(map(str, sizes))


def percent(share):
    """A share, from 0 to 1, with as many digits as a table of a paper has."""
    return f"{100 * share:.2f} %" if share else "·"


def intensity(item):
    """Multiply-adds per element; a dot where nothing is multiplied."""
    return f"{item.intensity:.2f}" if item.macs else "·"
