"""The outcome of a gradient check, argument by argument, and in a sentence."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """What came out for one argument. `error` is the largest relative error, at `where`.

    `tried` directions were compared, `kinks` more were left out. `note` names what is wrong
    where that is not an error in a number: a shape, or a value that is not finite.
    """

    argument: str
    tried: int
    kinks: int
    error: float
    where: str
    backward: float
    difference: float
    note: str = ""


@dataclass(frozen=True)
class Report:
    """The outcome of a check; print it for the verdict.

    `ok` is True where every argument was proven: no relative error above the tolerance, not most
    of the directions lost to kinks, and no pass wrote into what it was given.
    """

    findings: tuple[Finding, ...]
    step: float
    tolerance: float
    written: tuple[str, ...] = field(default=())

    @property
    def worst(self):
        """The finding with the largest error."""
        return max(self.findings, key=lambda finding: finding.error)

    @property
    def max_relative_error(self):
        """The largest relative error of all arguments."""
        return self.worst.error

    @property
    def kinks(self):
        """How many directions were left out because they crossed a kink."""
        return sum(finding.kinks for finding in self.findings)

    @property
    def unproven(self):
        """The arguments of which nothing was tried, or kinks left less than a fifth."""
        return [f.argument for f in self.findings if not f.tried or f.kinks > 4 * f.tried]

    @property
    def ok(self):
        """Whether the backward pass is proven."""
        return self.max_relative_error <= self.tolerance and not (self.unproven or self.written)

    @property
    def verdict(self):
        """The outcome in a sentence."""
        tried = sum(finding.tried for finding in self.findings)
        left_out = f"; {self.kinks} that crossed a kink were left out" if self.kinks else ""
        worst = self.worst
        if worst.error > self.tolerance:
            said = worst.note or (
                f"backward says {worst.backward:.6g}, the finite difference "
                f"{worst.difference:.6g}, a relative error of {worst.error:.1e}"
            )
            return f"WRONG: the gradient of {worst.argument} at {worst.where}: {said}{left_out}."
        if self.written:
            return f"WRONG: a pass wrote into {', '.join(self.written)}{left_out}."
        if self.unproven:
            return f"NOT PROVEN: too little was tried of {', '.join(self.unproven)}{left_out}."
        return (
            f"RIGHT: {tried} directions in {len(self.findings)} arguments agree to "
            f"{worst.error:.1e} or better (step {self.step:g}, tolerance {self.tolerance:g})"
            f"{left_out}."
        )

    def __str__(self):
        width = max(len(finding.argument) for finding in self.findings)
        lines = [f"{'argument':<{max(8, width)}}   tried   kinks   worst error   at"]
        lines += [
            f"{f.argument:<{max(8, width)}}   {f.tried:5d}   {f.kinks:5d}   {f.error:11.1e}   "
            f"{f.where} {f.note}".rstrip()
            for f in self.findings
        ]
        return "\n".join([*lines, self.verdict])
