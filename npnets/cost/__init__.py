"""What a network costs: parameters, multiply-adds, memory traffic, memory, receptive field.

One multiply-add counts as one. Convolutions and the fully connected layer count, nothing else
does: so do all four papers, whether they say multiply-adds or FLOPs.

In reading order: `trace`, which operations a network runs; `kinds`, what there is; `summary`, the
cost of each; `memory`, what has to be there at once, and `parts`, how it can be less;
`receptive_field`, what of the image each number sees; `formulas`, the papers' own.
"""

from npnets.cost import formulas, kinds, memory, receptive_field
from npnets.cost.parts import in_parts, inner_elements
from npnets.cost.summary import Row, Share, Summary, summarize

__all__ = [
    "Row", "Share", "Summary", "formulas", "in_parts", "inner_elements", "kinds", "memory",
    "receptive_field", "summarize",
]  # fmt: skip
