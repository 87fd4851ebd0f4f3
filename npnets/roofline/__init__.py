"""The reader's roofline: what a network should take on this machine, and what it takes.

A roofline says how long an operation takes at least: as long as its multiply-adds at the highest
rate that this machine multiplies, or as long as its bytes at the rate that memory moves them,
whichever is more. Source: Williams et al., "Roofline", doi:10.1145/1498765.1498785.

In reading order: `ceilings`, the rates of this machine; `placed`, what they predict for each
operation; `measure`, what it takes in place; `report` and `chart`, both beside each other.
`npnets roofline` is in `command`.
"""
