"""What the chapters of the course share: how they draw, and whether they run in quick mode."""

import os

QUICK = os.environ.get("NPNETS_QUICK") == "1"  # short measurements, as the tests use
