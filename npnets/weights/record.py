"""What was loaded: a record that can be printed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """Which source the weights of a network are from, and how they were taken over.

    `rows` holds (array of npnets, the maker's name, shape) of each array, in the order of the
    forward pass; `changes` says where the network differs from that of the paper's table.
    """

    maker: str
    network: str
    options: dict
    changes: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple], ...]

    def __str__(self):
        """One line; and one for each change."""
        options = ", ".join(f"{name}={value}" for name, value in self.options.items())
        return "\n  ".join([f"{self.maker}: {self.network}({options})", *self.changes])

    def table(self):
        """Return the rows as text: npnets, the maker, shape."""
        rows = [("npnets", self.maker, "shape")]
        rows += [(ours, theirs, " × ".join(map(str, shape))) for ours, theirs, shape in self.rows]
        left, middle = (max(len(row[column]) for row in rows) for column in (0, 1))
        return "\n".join(f"{a:{left}}   {b:{middle}}   {c}".rstrip() for a, b, c in rows)
