"""The files that attack the readers: how many there are, and how each of them ended.

All that were thought out are read in every run, and of those that are damaged at random a few.
All of them take a minute: NPNETS_ALL_ATTACKS=1 pytest tests/weights. At the end pytest says how
many they were.
"""

import os
from collections import Counter

ALL = "NPNETS_ALL_ATTACKS" in os.environ
RANDOM = 1000 if ALL else 60  # files of each kind

ends = Counter()  # "refused" or "read", once a file
