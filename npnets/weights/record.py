"""What was loaded: a record that can be printed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """Which source the weights of a network are from, and how they were taken over.

    `changes` says where the network differs from the paper's, `zero` what the weights lack and
    is zero here. `rows` holds (array of npnets, the maker's name, shape) of each array, in the
    order of the forward pass; `table` prints them.
    """

    maker: str
    how: str
    network: str
    options: dict
    rows: tuple[tuple[str, str, tuple], ...]
    changes: tuple[str, ...] = ()
    zero: tuple[str, ...] = ()

    def __str__(self):
        options = ", ".join(f"{name}={value}" for name, value in self.options.items())
        lines = [f"{self.maker}: {self.network}({options})", f"recognised {self.how}"]
        lines += [*self.changes, *(f"{name} is zero" for name in self.zero)]
        return "\n  ".join([*lines, f"{len(self.rows)} arrays"])

    def table(self):
        """Return the rows as text: npnets, the maker, shape."""
        rows = [("npnets", self.maker, "shape")]
        rows += [(ours, theirs, " × ".join(map(str, shape))) for ours, theirs, shape in self.rows]
        left, middle = (max(len(row[column]) for row in rows) for column in (0, 1))
        return "\n".join(f"{a:{left}}   {b:{middle}}   {c}".rstrip() for a, b, c in rows)
