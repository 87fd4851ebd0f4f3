"""The comparison names the layer that a planted bug sits in, and says what the bug is."""

import copy

import numpy as np
import pytest
from lively import NAMES, images, lively

from npnets import ops
from npnets.layers import ReLU
from npnets.weights.compare import activations, compare
from npnets.weights.related import how_images, how_weights

V1, V2, SHUFFLE1, SHUFFLE2 = NAMES
X = images(1)


@pytest.fixture(scope="module")
def networks():
    """Networks by name; tests change copies."""
    return {name: lively(name) for name in NAMES}


def other(net, path, **changes):
    """Return a copy of the network in which arrays or options of the layer at `path` differ."""
    twin = copy.deepcopy(net)
    layer = twin.layers()[path]
    for name, change in changes.items():
        part = getattr(layer, name)
        if hasattr(part, "value"):
            part.value = np.ascontiguousarray(change(part.value))
        else:
            setattr(layer, name, change(part))
    return twin


def backwards(array):
    return array[::-1]


BUGS = {
    "channels permuted": (
        V2, "stem.conv", {"weight": backwards},
        ["weight differs: the output channels in another order"],
    ),
    "input channels permuted": (
        V2, "stem.conv", {"weight": lambda w: w[:, ::-1]},
        ["weight differs: the input channels in another order"],
    ),
    "eps of another framework": (
        V1, "unit3.pointwise.norm", {"eps": lambda _: 1e-3},
        ["eps is 1e-05 in A and 0.001 in B"],
    ),
    "symmetric padding": (
        V2, "stage3.unit1.branch.depthwise.conv",
        {"window": lambda window: {**window, "padding": (0, 1, 0, 1)}},
        ["padding is 1 in A and (0, 1, 0, 1) in B"],
    ),
    "transposed depthwise filter": (
        V1, "unit5.depthwise.conv", {"weight": lambda w: w.swapaxes(2, 3)},
        ["weight differs: each filter transposed"],
    ),
    "filters turned, as in a true convolution": (
        V1, "unit5.depthwise.conv", {"weight": lambda w: w[:, :, ::-1, ::-1]},
        ["weight differs: each filter turned by 180°"],
    ),
    "shuffle not undone in the weights": (
        SHUFFLE1, "stage3.unit2.branch.depthwise.conv",
        {"weight": lambda w: ops.channel_shuffle(w.swapaxes(0, 1), 3).swapaxes(0, 1)},
        ["weight differs: the output channels in another order"],
    ),
    "inverse shuffle": (
        SHUFFLE1, "stage3.unit2.branch.shuffle", {"groups": lambda g: 30 // g},
        ["groups is 3 in A and 10 in B"],
    ),
    "weights not scaled": (
        SHUFFLE2, "head.conv", {"weight": lambda w: w * 127},
        ["weight differs: the same times 127"],
    ),
    "bias left out": (
        V2, "classifier", {"bias": lambda b: 0 * b}, ["bias differs"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("bug", BUGS)
def test_the_layer_with_the_bug_is_named_and_the_bug_is_told(networks, bug):
    name, path, changes, said = BUGS[bug]
    report = compare(networks[name], other(networks[name], path, **changes), X)
    assert not report.ok
    assert report.first.name == path
    assert len(report.reasons) == len(said)
    for reason, expected in zip(report.reasons, said, strict=True):
        assert reason.startswith(expected)
    before = report.rows[: report.rows.index(report.first)]
    assert {row.difference for row in before} <= {0.0}


def test_gamma_and_beta_exchanged(networks):
    twin = copy.deepcopy(networks[V1])
    norm = twin.unit7.depthwise.norm
    norm.gamma.value, norm.beta.value = norm.beta.value, norm.gamma.value
    report = compare(networks[V1], twin, X)
    assert report.first.name == "unit7.depthwise.norm"
    assert report.reasons == ("beta and gamma are exchanged",)


def test_an_activation_that_only_one_of_them_has(networks):
    twin = copy.deepcopy(networks[V2])
    del twin.stage2.unit1.branch.expand.act
    path = "stage2.unit1.branch.expand.act"
    for a, b, who in ((networks[V2], twin, "A"), (twin, networks[V2], "B")):
        report = compare(a, b, X)
        assert report.first.name == path
        assert report.reasons == (f"{path} is only in {who}",)
        assert f"only in {who}" in str(report)


def test_another_activation(networks):
    twin = copy.deepcopy(networks[V2])
    twin.head.act = ReLU()
    assert compare(networks[V2], twin, X).ok  # nothing there is above 6
    bright = 40 * X
    twin.stem.act = ReLU()
    report = compare(networks[V2], twin, bright)
    assert report.first.name == "stem.act"
    assert report.reasons == ("A calls relu6 and B relu",)


def test_the_same_network_agrees_whole_and_folded(networks):
    for net in networks.values():
        report = compare(net, copy.deepcopy(net), X)
        assert report.ok
        assert report.verdict.startswith(f"SAME: {len(report.rows)} layers agree to 0.0e+00")
        twin = net.astype(np.float64)
        twin.classifier.bias.value += 1e-9  # too little for float32
        assert compare(net, twin, X).rows[-1].difference == pytest.approx(1e-9, rel=1e-3)
        assert compare(net, net.fold(), X).ok
        assert compare(net.fold(), net, X).ok


def test_a_bug_is_found_in_a_network_that_is_folded(networks):
    path = "stage3.unit1.branch.depthwise.conv"
    twin = other(networks[SHUFFLE2], path, weight=lambda w: w.swapaxes(2, 3)).fold()
    report = compare(networks[SHUFFLE2], twin, X)
    assert report.first.name == path
    assert report.reasons == ("weight differs: each filter transposed",)


@pytest.mark.parametrize("name", NAMES)
def test_activations_agree_with_the_network_they_are_of(networks, name):
    net = networks[name]
    found = activations(net, X)
    assert [*found][:2] == ["input", "stem.conv"]
    np.testing.assert_array_equal(found["classifier"], net.forward(X))
    report = compare(net, found, X)
    assert report.ok
    assert len(report.rows) == len(found)
    assert max(row.relative for row in report.rows) > 0  # in float32, and in float64


WRONG = {
    "channels last": (
        "stem.norm", lambda a: a.transpose(0, 2, 3, 1), "B is the same with the channels last"),
    "channels permuted": (
        "stem.conv", lambda a: a[:, ::-1], "B is the same with the channels in another order"),
    "a pixel to the right": (
        "stage1.unit1.branch.project.conv", lambda a: np.roll(a, 1, axis=3),
        "B is the same, shifted by one pixel right"),
    "a pixel up": (
        "stage1.unit1.branch.project.conv", lambda a: np.roll(a, -1, axis=2),
        "B is the same, shifted by one pixel up"),
    "scaled": ("head.act", lambda a: a / 255, "B is the same times 0.003922"),
    "not in 0 … 1": ("input", lambda a: 2 * a - 1, "B is the same times 2, plus -1"),
    "BGR": ("input", lambda a: a[:, ::-1], "B is the same with the channels in another order"),
}  # fmt: skip


@pytest.mark.parametrize("bug", WRONG)
def test_what_others_computed_wrongly_is_told_from_the_array_alone(networks, bug):
    path, change, said = WRONG[bug]
    found = activations(networks[V2], X)
    found[path] = change(found[path])
    report = compare(networks[V2], found, X)
    assert report.first.name == path
    assert report.reasons == (said,)


ELSEWHERE = {
    "eps": (V1, "stem.norm", {"eps": lambda _: 1e-3}, "what comes of eps 0.001, not 1e-05"),
    "transposed": (
        V1, "unit5.depthwise.conv", {"weight": lambda w: w.swapaxes(2, 3)},
        "what comes of transposed filters"),
    "turned": (
        V1, "stem.conv", {"weight": lambda w: w[:, :, ::-1, ::-1]},
        "what comes of filters turned by 180°"),
    "padding": (
        V2, "stage3.unit1.branch.depthwise.conv",
        {"window": lambda window: {**window, "padding": (0, 1, 0, 1)}},
        "what comes of padding (0, 1, 0, 1), top, bottom, left, right, not (1, 1, 1, 1)"),
    "inverse shuffle": (
        SHUFFLE1, "stage3.unit2.branch.shuffle", {"groups": lambda g: 30 // g},
        "what comes of the inverse shuffle"),
    "no shuffle": (
        SHUFFLE1, "stage3.unit2.branch.shuffle", {"groups": lambda g: 1},
        "the same after a channel shuffle of 10 groups"),
}  # fmt: skip


@pytest.mark.parametrize("bug", ELSEWHERE)
def test_what_another_program_did_otherwise_is_told_from_its_activations(networks, bug):
    name, path, changes, said = ELSEWHERE[bug]
    found = activations(other(networks[name], path, **changes), X)
    report = compare(networks[name], found, X)
    assert report.first.name == path
    assert any(reason.startswith(f"B is {said}") for reason in report.reasons)


def test_gamma_and_beta_exchanged_elsewhere(networks):
    twin = copy.deepcopy(networks[V1])
    norm = twin.unit7.depthwise.norm
    norm.gamma.value, norm.beta.value = norm.beta.value, norm.gamma.value
    report = compare(networks[V1], activations(twin, X), X)
    assert report.first.name == "unit7.depthwise.norm"
    assert "B is what comes of gamma and beta exchanged" in report.reasons


def test_activations_may_be_those_of_some_parts_in_any_order(networks):
    net, found = networks[V2], activations(networks[V2], X)
    some = {
        "classifier": found["classifier"],
        "stage4": found["stage4.unit4.add"],
        "stem": found["stem.act"],
    }
    report = compare(net, some, X)
    assert report.ok
    assert [row.name for row in report.rows] == ["stem", "stage4", "classifier"]
    some["stage4"] = some["stage4"] + 1
    report = compare(net, some, X)
    assert report.first.name == "stage4"
    assert report.reasons == ("B is the same plus 1",)


def test_what_cannot_be_compared(networks):
    net = networks[V2]
    with pytest.raises(ValueError, match=r"did you mean 'stem\.conv'"):
        compare(net, {"stem.cnv": X}, X)
    with pytest.raises(ValueError, match="there are no activations"):
        compare(net, {}, X)


def test_other_sizes_part_where_they_begin(networks):
    wide = lively("mobilenet_v2_x0_5")
    report = compare(networks[V2], wide, X)
    assert report.first.name == "stage2.unit1.branch.project.conv"
    assert report.first.shape == (8, 16, 16)
    assert report.first.note == "(1, 16, 16, 16) in B"
    assert "weight differs" in report.reasons


def test_numbers_that_are_none_part(networks):
    found = activations(networks[V2], X)
    found["stem.act"] = np.full_like(found["stem.act"], np.nan)
    assert compare(networks[V2], found, X).first.name == "stem.act"


def test_unrelated_arrays_are_not_related():
    a, b = np.random.default_rng(0).standard_normal((2, 2, 12, 5, 5))
    assert how_images(a, b, 1e-5) == ""
    assert how_images(a[:, :, 0, 0], b[:, :, 0, 0], 1e-5) == ""
    assert how_weights(a, b, 1e-5) == ""
    assert how_images(a, b[:, :7], 1e-5) == ""


def test_few_numbers_prove_no_factor_and_no_offset():
    """With one pixel a channel, a factor for each would explain everything."""
    a, b = np.random.default_rng(0).standard_normal((2, 1, 12, 1, 1))
    assert how_images(a, b, 1e-5) == ""
    assert how_images(a[:, :2], b[:, :2], 1e-5) == ""
