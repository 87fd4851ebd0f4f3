"""Print what becomes of every bug:    python -m tests.zoo"""

from . import ZOO, trial

ROW = "{:<18}{:>6}{:>12}{:>10}{:>15}"


def main():
    """Try every bug with a random dy, then with a dy of ones. Print counts, then survivors."""
    print(ROW.format("", "", "random dy:", "", "dy of ones:"))
    print(ROW.format("", "bugs", "convicted", "crashed", "not convicted"))
    survivors, margins, total = [], [], [0, 0, 0, 0]
    for op, bugs in ZOO.items():
        outcomes = [trial(op, bug) for bug in bugs]
        margins += [outcome.margin for outcome in outcomes]
        blind = [not trial(op, bug, upstream="ones").convicted for bug in bugs]
        convicted = sum(outcome.convicted for outcome in outcomes)
        crashed = sum(outcome.crashes > 0 and not outcome.convicted for outcome in outcomes)
        counts = len(bugs), convicted, crashed, sum(blind)
        print(ROW.format(op, *counts))
        total = [a + b for a, b in zip(total, counts, strict=True)]
        survivors += [
            (f"{op} {number}", bug)
            for number, (bug, survives) in enumerate(zip(bugs, blind, strict=True), 1)
            if survives
        ]
    print(ROW.format("all", *total))
    print(f"\nThe closest conviction: an error of {min(margins):.0f} times the tolerance.")
    print("\nNot convicted where the loss is the sum of y:")
    for name, bug in survivors:
        print(f"\n{name}: {bug.why}\n    {bug.survives_sum}")


if __name__ == "__main__":
    main()
