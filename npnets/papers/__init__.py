"""The four papers' tables of cost, beside what npnets counts.

In reading order: `published`, the numbers in print, from one CSV file for each paper; `networks`
and `others`, what is counted for them; a module for each paper, whose functions say how each cell
of a table is built and counted; `compare`, which holds one against the other; `report`, as text.
"""

from npnets.papers.compare import Cell, compare

__all__ = ["Cell", "compare"]
