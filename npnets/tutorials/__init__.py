"""What the chapters of tutorials/ import, and what finds, runs, checks and hands them out.

`QUICK` is for the chapters: where it is true they take smaller sizes and fewer repeats. In reading
order: `chapters`, where they are; `execute`, how a text becomes a notebook with outputs;
`exercises`, what is asked; `student`, the same without solutions; `rehearsal`, whether the tests
notice; `overview` and `progress`, what there is, and how far a reader has come; `bar` and
`bar_code`, what a program can check of a good chapter; `authors`, what its author does; `command`,
`npnets tutorials`. `draw` draws the figures.
"""

import os

QUICK = os.environ.get("NPNETS_QUICK") == "1"
