"""What a network costs: parameters, multiply-adds, memory traffic, memory, receptive field.

One multiply-add counts as one. Convolutions and the fully connected layer count, nothing else
does: so do all four papers, whether they say multiply-adds or FLOPs.

In reading order: `trace`, which operations a network runs; `kinds`, what there is; `summary`, the
cost of each; `memory`, what has to be kept at once; `receptive_field`, what of the image each
number sees; `formulas`, the papers' own.
"""

from npnets.cost import formulas, kinds
from npnets.cost.summary import Row, Share, Summary, summarize

__all__ = ["Row", "Share", "Summary", "formulas", "kinds", "summarize"]
