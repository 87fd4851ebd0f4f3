"""A bug on trial: the gradient check is the judge, and the cases of its operation are heard."""

from dataclasses import dataclass

import numpy as np

from npnets.ops import use_kernels

from .bug import plant
from .cases import CASES

CLEAR = 100  # how many times the tolerance an error must be to leave no doubt


@dataclass(frozen=True)
class Outcome:
    """What became of a bug: its largest error, in tolerances, and what was said in each case.

    `crashes` is in how many cases an exception gave it away instead: loud, and no conviction.
    """

    margin: float
    crashes: int
    verdicts: tuple[str, ...]

    @property
    def convicted(self):
        """Whether a case found a wrong gradient, or an array that was written into."""
        return self.margin > 1


def trial(op, bug, **how):
    """Plant the bug and check `op` in one case after another, until there is no doubt.

    Return an Outcome. `how` are options of the gradient check.
    """
    code, margin, crashes, verdicts = plant(bug), 0.0, 0, []
    for case in CASES[op]:
        try:
            with np.errstate(all="ignore"), use_kernels(False):
                report = case(code, **how)
        except Exception as error:  # whatever a bug may raise
            crashes += 1
            verdicts.append(f"{type(error).__name__}: {error}")
            continue
        verdicts.append(report.verdict)
        error = np.inf if report.written else report.max_relative_error
        margin = max(margin, error / report.tolerance)
        if margin > CLEAR:
            break
    return Outcome(margin, crashes, tuple(verdicts))
