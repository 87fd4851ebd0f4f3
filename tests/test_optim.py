"""Optimizers by hand for two steps, and schedules at their corners."""

import itertools
import math

import numpy as np
import pytest

from npnets.layers import Parameter
from npnets.optim import SGD, Cosine, Linear, RMSProp


def one_parameter(value=2.0, grad=0.5, decay=True):
    parameter = Parameter(np.array([value]), decay)
    parameter.grad = np.array([grad])
    return parameter


def test_sgd_with_momentum_by_hand():
    p = one_parameter()
    sgd = SGD({"p": p}, momentum=0.9)
    sgd.step(0.1)  # velocity 0.5
    assert p.value[0] == pytest.approx(2.0 - 0.05)
    sgd.step(0.1)  # velocity 0.9 · 0.5 + 0.5 = 0.95
    assert p.value[0] == pytest.approx(1.95 - 0.095)


def test_nesterov_looks_one_step_ahead():
    p = one_parameter()
    SGD({"p": p}, momentum=0.9, nesterov=True).step(0.1)  # 0.5 + 0.9 · 0.5 = 0.95
    assert p.value[0] == pytest.approx(2.0 - 0.095)


def test_rmsprop_by_hand():
    p = one_parameter()
    rmsprop = RMSProp({"p": p})
    rmsprop.step(0.1)
    square = 0.9 * 1 + 0.1 * 0.25
    velocity = 0.1 * 0.5 / math.sqrt(square + 1)
    assert p.value[0] == pytest.approx(2.0 - velocity)
    rmsprop.step(0.1)
    square = 0.9 * square + 0.1 * 0.25
    velocity = 0.9 * velocity + 0.1 * 0.5 / math.sqrt(square + 1)
    assert p.value[0] == pytest.approx(2.0 - 0.1 * 0.5 / math.sqrt(1.925) - velocity)


def test_weight_decay_pulls_at_some_parameters_and_spares_others():
    weight, bias = one_parameter(grad=0.0), one_parameter(grad=0.0, decay=False)
    SGD({"weight": weight, "bias": bias}, weight_decay=0.1).step(1.0)
    assert weight.value[0] == pytest.approx(2.0 - 0.2)
    assert bias.value[0] == 2.0


def test_a_step_changes_no_gradient():
    p = one_parameter()
    SGD({"p": p}, weight_decay=0.1, nesterov=True).step(0.1)
    assert p.grad[0] == 0.5


@pytest.mark.parametrize("make", [SGD, RMSProp])
def test_a_step_before_any_backward_says_so(make):
    with pytest.raises(RuntimeError, match="p has no gradient: call backward before step"):
        make({"p": Parameter(np.zeros(3))}).step(0.1)


@pytest.mark.parametrize("make", [SGD, RMSProp])
def test_state_goes_on_where_it_was(make):
    one, two = one_parameter(), one_parameter()
    first = make({"p": one})
    first.step(0.1)
    second = make({"p": two})
    two.value[...] = one.value
    second.load_state(first.state())
    first.step(0.1)
    second.step(0.1)
    assert one.value[0] == two.value[0]


def test_state_of_another_optimizer_is_refused_and_changes_nothing():
    sgd = SGD({"p": one_parameter()})
    sgd.step(0.1)
    before = sgd.state()["velocity/p"].copy()
    with pytest.raises(ValueError, match="of another optimizer or network: square/p"):
        sgd.load_state(RMSProp({"p": one_parameter()}).state())
    with pytest.raises(ValueError, match="of another optimizer or network"):
        sgd.load_state({"velocity/p": np.zeros(2)})
    assert sgd.state()["velocity/p"] == before


def test_the_state_that_is_handed_out_is_a_copy():
    sgd = SGD({"p": one_parameter()})
    sgd.state()["velocity/p"][...] = 7
    assert sgd.state()["velocity/p"][0] == 0


@pytest.mark.parametrize("make", [Linear, Cosine])
def test_schedules_climb_then_fall_to_zero(make):
    schedule = make(0.4, steps=12, warmup=4)
    rates = [schedule(step) for step in range(13)]
    assert rates[:4] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert rates[4] == pytest.approx(0.4)
    assert rates[8] == pytest.approx(0.2)  # both fall to half, half way
    assert rates[12] == pytest.approx(0.0)
    assert all(late < early for early, late in itertools.pairwise(rates[4:]))


def test_cosine_falls_slowly_at_first():
    assert Cosine(1.0, 8)(2) == pytest.approx(0.5 * (1 + math.sqrt(0.5)))
    assert Linear(1.0, 8)(2) == 0.75


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": 0.0, "steps": 5}, "lr must be positive and finite, got 0.0"),
        ({"lr": math.nan, "steps": 5}, "lr must be positive and finite, got nan"),
        ({"lr": 0.1, "steps": 5, "warmup": 5}, "less than steps=5, got 5"),
        ({"lr": 0.1, "steps": 5, "warmup": -1}, "got -1"),
    ],
)
def test_schedules_that_cannot_be(options, message):
    with pytest.raises(ValueError, match=message):
        Cosine(**options)
