"""The bug zoo: the gradient check convicts every bug, and acquits the true code."""

import inspect

import numpy as np
import pytest
from zoo import CASES, CLEAR, OPS, SMALL_OPS, ZOO, Bug, plant, trial, true_code
from zoo.bug import MODULES

from npnets import ops
from npnets.ops.op import KERNELS

pytestmark = pytest.mark.mutants
# How operations are to run
NO_OPERATIONS = {
    "memory_held", "release_memory", "reuse_memory", "thread_count", "use_kernels", "use_threads",
}  # fmt: skip

BUGS = {
    f"{op}-{number}": (op, bug) for op, bugs in ZOO.items() for number, bug in enumerate(bugs, 1)
}
TRUE = {
    f"{op}-{number}": case for op, cases in CASES.items() for number, case in enumerate(cases, 1)
}
every_bug = pytest.mark.parametrize(("op", "bug"), BUGS.values(), ids=BUGS)
every_case = pytest.mark.parametrize("case", TRUE.values(), ids=TRUE)


@every_bug
def test_is_convicted_beyond_doubt(op, bug):
    outcome = trial(op, bug)
    assert outcome.margin > CLEAR, "\n".join([bug.why, *outcome.verdicts])


@every_bug
def test_survives_the_sum_of_y_exactly_where_the_zoo_says_so(op, bug):
    outcome = trial(op, bug, upstream="ones")
    assert not outcome.crashes or outcome.convicted
    assert outcome.convicted == (not bug.survives_sum), "\n".join([bug.why, *outcome.verdicts])


@pytest.mark.parametrize("kernels", [False, True])
@every_case
def test_the_true_code_is_acquitted(case, kernels):
    if kernels and not ops.op.has_numba:
        pytest.skip("Numba cannot be imported")
    with ops.use_kernels(kernels):
        report = case(true_code())
    assert report.ok, report


@every_case
def test_the_true_code_survives_the_sum_of_y(case):
    """Not convicted, that is: where all slopes are zero, rounding may pass for kinks."""
    with ops.use_kernels(False):
        report = case(true_code(), upstream="ones")
    assert report.max_relative_error <= report.tolerance, report
    assert not report.written


def test_at_least_a_dozen_bugs_for_each_operation():
    assert {op: len(bugs) for op, bugs in OPS.items() if len(bugs) < 12} == {}
    assert {op: len(bugs) for op, bugs in SMALL_OPS.items() if len(bugs) < 3} == {}
    layers = ZOO.keys() - OPS.keys() - SMALL_OPS.keys()
    assert sum(len(ZOO[layer]) for layer in layers) >= 24


def test_no_operation_is_without_a_bug():
    bitten = {bug.function for bugs in ZOO.values() for bug in bugs}
    assert set(ops.__all__) - NO_OPERATIONS <= bitten


def test_no_bug_is_there_twice():
    edits = [(op, bug.function, bug.old, bug.new) for op, bug in BUGS.values()]
    assert len(set(edits)) == len(edits)
    for bugs in ZOO.values():
        assert len({bug.why for bug in bugs}) == len(bugs)


def test_what_is_edited_has_a_name_of_its_own():
    """So that the copy, which knows no modules, holds the right one."""
    for _, bug in BUGS.values():
        things = {id(vars(m)[bug.function]) for m in MODULES if bug.function in vars(m)}
        assert len(things) == 1, bug.function


def test_planting_leaves_the_true_code_alone():
    dy, y = np.array([1.0, 2]), np.array([0.0, 3])
    before, kernels = inspect.getsource(ops.relu_backward), dict(KERNELS)
    bug = Bug("relu_backward", old="(y > 0)", new="(y < 1)", why="The wrong half.")
    assert plant(bug).relu_backward(dy, y).tolist() == [1, 0]
    assert ops.relu_backward(dy, y).tolist() == [0, 2]
    assert inspect.getsource(ops.relu_backward) == before
    assert kernels == KERNELS


def test_a_bug_in_a_helper_reaches_all_that_use_it():
    bug = Bug("pad", old="= x\n", new="= 2 * x\n", why="Twice as bright.")
    x, weight = np.ones((1, 1, 1, 1)), np.ones((1, 1, 3, 3))
    code = plant(bug)
    assert code.conv2d(x, weight, padding=1).item() == 2
    assert code.depthwise_conv2d(x, weight, padding=1).item() == 2
    assert code.avg_pool2d(x, 3, padding=1).item() == 2 / 9


@pytest.mark.parametrize("old", ["y > 1", "y"])
def test_a_bug_that_no_longer_fits_the_code_says_so(old):
    bug = Bug("relu_backward", old=old, new="", why="")
    with pytest.raises(ValueError, match=r"must be found once in relu_backward, got \d+ times"):
        plant(bug)
