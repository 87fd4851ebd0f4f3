"""What the chapters of tutorials/ import, and what finds, runs, checks and hands them out.

`QUICK` is for the chapters: where it is true they take smaller sizes and fewer repeats. In reading
order: `chapters`, where they are; `execute`, how a text becomes a notebook with outputs;
`exercises`, what is asked; `student`, the same without solutions; `bar`, what a program can check
of a good chapter; `command`, `npnets tutorials`.
"""

import os

QUICK = os.environ.get("NPNETS_QUICK") == "1"
