"""Loading: whose weights these are, what is said where they fit nothing, and what is guessed."""

import numpy as np
import pytest

import npnets
from npnets import data
from npnets.run import Recipe, Run, load_network
from npnets.weights import list_sources, load, load_arrays
from npnets.weights.load import sources_of
from npnets.weights.preprocessing import TORCHVISION, TORCHVISION_232
from npnets.weights.recognize import recognize


def arrays_of(maker, network=npnets.MobileNetV2, seed=0, **options):
    """Return random numbers under a maker's names, {name: array}."""
    source = next(source for source in sources_of(maker) if source.network is network)
    shapes = source.shapes(source.build(**options, rng=0))
    rng = np.random.default_rng(seed)
    return {name: rng.random(shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture
def arrays():
    return arrays_of("torchvision", width_mult=0.35, num_classes=4)


def test_the_network_is_ready(arrays):
    net = load_arrays(arrays)
    assert not any(layer.training for layer in net.layers().values())
    assert np.array_equal(net.stem.conv.weight.value, arrays["features.0.0.weight"])
    assert net.source.maker == "torchvision"
    assert net.source.options == {"width_mult": 0.35, "num_classes": 4, "in_channels": 3}
    assert str(net.source).startswith("torchvision: MobileNetV2(width_mult=0.35, num_classes=4")
    first = "stem.conv.weight", "features.0.0.weight", (16, 3, 3, 3)
    assert net.source.rows[0] == first
    assert len(net.source.table().splitlines()) == 1 + len(arrays)
    assert net.forward(np.zeros((1, 3, 32, 32), np.float32)).shape == (1, 4)


def test_arrays_are_copied_and_follow_dtype(arrays):
    given = {name: a.copy() for name, a in arrays.items()}
    net = load_arrays(arrays, dtype=np.float64)
    assert {a.dtype for a in net.state().values()} == {np.dtype(np.float64)}
    for parameter in net.parameters().values():
        parameter.value += 1
    assert all(np.array_equal(arrays[name], given[name]) for name in given)


def test_preprocessing_belongs_to_the_weights(arrays):
    assert load_arrays(arrays).preprocessing == TORCHVISION.named(4)
    assert load_arrays(arrays).preprocessing.class_names == ()  # there are 4, not 1000
    shuffle = arrays_of("torchvision", npnets.ShuffleNetV2, width_mult=0.5)
    assert load_arrays(shuffle).preprocessing == TORCHVISION
    shuffle = arrays_of("torchvision", npnets.ShuffleNetV2, width_mult=1.5, equal_ways=True)
    assert load_arrays(shuffle).preprocessing == TORCHVISION_232
    assert load_arrays(arrays_of("timm", width_mult=0.35)).preprocessing.interpolation == "bicubic"
    shuffle = arrays_of("megvii", npnets.ShuffleNetV2, width_mult=0.5)
    assert load_arrays(shuffle).preprocessing.channels == "BGR"


@pytest.mark.parametrize("network", [npnets.MobileNetV2, npnets.ShuffleNetV2])
def test_ten_classes_under_names_of_torchvision_are_taken_for_cifar(network):
    arrays = arrays_of("chenyaofo cifar", network, width_mult=0.5, num_classes=10)
    net = load_arrays(arrays)
    assert net.source.maker == "chenyaofo cifar"
    assert "torchvision has the same names" in str(net.source)
    assert net.stem.conv.window["stride"] == 1
    asked = load_arrays(arrays, "torchvision")
    assert asked.source.maker == "torchvision"
    assert asked.stem.conv.window["stride"] == 2


def test_relu_and_relu6_come_from_the_source():
    v1 = {"network": npnets.MobileNetV1, "width_mult": 0.25}
    for maker, ceiling in (("timm", 6), ("marvis", np.inf), ("pytorchcv", np.inf)):
        assert load_arrays(arrays_of(maker, **v1)).unit1.depthwise.act.ceiling == ceiling


def test_a_missing_array_is_named_with_the_nearest_source(arrays):
    del arrays["features.3.conv.1.0.weight"]
    with pytest.raises(
        ValueError, match=r"nearest:\n.*torchvision, MobileNetV2\n.*missing: fea"
    ) as e:
        load_arrays(arrays)
    assert "features.3.conv.1.0.weight" in str(e.value)
    assert "unexpected: " not in str(e.value).split("chenyaofo")[0]
    assert "marvis" not in str(e.value)  # which is far away


def test_an_unexpected_array_is_named(arrays):
    arrays["features.19.0.weight"] = np.zeros((2, 2), np.float32)
    with pytest.raises(ValueError, match=r"MobileNetV2\n    unexpected: features.19.0.weight\n"):
        load_arrays(arrays)


def test_counters_of_batches_are_dropped(arrays):
    arrays["features.0.1.num_batches_tracked"] = np.int64(7)
    assert load_arrays(arrays).source.maker == "torchvision"


def test_shapes_that_differ_are_listed(arrays):
    arrays["features.2.conv.1.0.weight"] = np.zeros((48, 1, 5, 5), np.float32)
    with pytest.raises(ValueError, match=r"1\.0\.weight must be \(48, 1, 3, 3\), got \(48"):
        load_arrays(arrays)


def test_a_wrong_number_of_axes_is_said(arrays):
    arrays["classifier.1.weight"] = arrays["classifier.1.weight"][:, :, None]
    with pytest.raises(ValueError, match=r"misshapen: classifier\.1\.weight: axes O I expected"):
        load_arrays(arrays)


def test_groups_that_no_network_has_are_refused():
    arrays = arrays_of("megvii", npnets.ShuffleNetV1, scale=0.5, groups=3)
    name = "features.1.branch_main_1.0.weight"
    for shape, groups in (((30, 24, 1, 1), 5), ((30, 0, 1, 1), 120)):
        arrays[name] = np.zeros(shape, np.float32)
        with pytest.raises(ValueError, match=f"groups must be one of 1, 2, 3, 4, 8, got {groups}"):
            load_arrays(arrays)


def test_whole_numbers_are_no_weights(arrays):
    arrays["features.0.0.weight"] = arrays["features.0.0.weight"].astype(np.int8)
    with pytest.raises(ValueError, match=r"stem\.conv\.weight is int8"):
        load_arrays(arrays)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("blocks.1.2.conv_pwl.weight", "more units than table 2"),
        ("features.1.block.0.0.weight", "MobileNet v3"),
        ("LastSE.SE_opr.1.weight", "hard swish"),
    ],
)
def test_near_networks_are_refused_with_the_reason(name, reason):
    with pytest.raises(ValueError, match=f"none of the four networks, but of .*{reason}"):
        load_arrays({name: np.zeros((1, 1, 1, 1), np.float32)})


def test_names_of_no_one():
    with pytest.raises(ValueError, match=r"has any of these names: a, b\. Try source='guess'"):
        load_arrays({"a": np.zeros(3), "b": np.zeros(2)})
    with pytest.raises(ValueError, match=r"names: 0, 1, 2, 3, 4 and 2 more\. Try"):
        load_arrays({str(n): np.zeros(2) for n in range(7)})
    with pytest.raises(ValueError, match="there is no array"):
        load_arrays({})
    with pytest.raises(ValueError, match="unknown source 'torchvisoin'; did you mean 'torchv"):
        load_arrays({}, "torchvisoin")


def test_the_makers_are_listed():
    assert {"torchvision", "timm", "megvii", "npnets"} <= set(list_sources())
    assert len(set(list_sources())) == len(list_sources())


def test_names_of_another_maker_than_said(arrays):
    said = r"no source \(timm\) has any of these names: features(.|\n)*those of 'torchvision'$"
    with pytest.raises(ValueError, match=said):
        load_arrays(arrays, "timm")
    with pytest.raises(ValueError, match=r"source='guess'$"):
        load_arrays({"a": np.zeros(3)}, "timm")


def test_several_sources_that_fit_must_be_told_apart(arrays):
    twice = 2 * sources_of("torchvision")
    with pytest.raises(ValueError, match="several sources; say which, source='torchvision' or"):
        recognize(arrays, twice)


def guessable(**changes):
    """Return arrays under names that say nothing, in the order of the forward pass."""
    net = npnets.MobileNetV1(0.25, num_classes=5, rng=0)
    return {f"array{i}": a for i, a in enumerate(net.state().values())}, net


def test_a_guess_is_shown(capsys):
    arrays, net = guessable()
    loaded = load_arrays(arrays, "guess")
    state = net.state()
    assert all(np.array_equal(a, state[name]) for name, a in loaded.state().items())
    assert loaded.preprocessing is None
    assert "by a guess" in str(loaded.source)
    shown = capsys.readouterr().out
    assert str(loaded.source) in shown
    (line,) = (
        line for line in shown.splitlines() if line.startswith("unit1.depthwise.norm.gamma")
    )
    assert line.split()[1:] == ["array6", "8"]


@pytest.mark.parametrize(
    ("network", "options"),
    [
        (npnets.MobileNetV2, {"width_mult": 0.5}),
        (npnets.MobileNetV2, {"width_mult": 0.35, "always_expand": True}),
        (npnets.ShuffleNetV1, {"scale": 0.5, "groups": 3}),
        (npnets.ShuffleNetV2, {"width_mult": 1.0, "equal_ways": True}),
    ],
)
def test_each_network_can_be_guessed(network, options, capsys):
    net = network(**options, num_classes=6, rng=3)
    arrays = {str(i): a for i, a in enumerate(net.state().values())}
    loaded = load_arrays(arrays, "guess")
    assert repr(loaded) == repr(net)
    assert "by a guess" in capsys.readouterr().out


def test_what_no_guess_fits():
    arrays, _ = guessable()
    with pytest.raises(ValueError, match="to guess; they fit none"):
        load_arrays(dict(reversed(arrays.items())), "guess")
    arrays["array4"] = arrays["array4"] - 2  # a variance below zero
    with pytest.raises(ValueError, match="to guess; they fit none"):
        load_arrays(arrays, "guess")
    with pytest.raises(ValueError, match="to guess; they fit none"):
        load_arrays({"a": np.zeros(3)}, "guess")


def test_the_path_is_in_the_error(tmp_path, arrays):
    del arrays["features.0.0.weight"]
    np.savez(tmp_path / "some.npz", **arrays)
    with pytest.raises(ValueError, match=r"some\.npz: these weights fit no source"):
        load(tmp_path / "some.npz")


def run_of(dataset, model="shufflenet_v2_x0_5"):
    """Return a run of one epoch, not yet begun."""
    options = {"num_classes": len(dataset.class_names), "small_images": True}
    options["in_channels"] = dataset.images.shape[1]
    net = npnets.create_model(model, **options, rng=0)
    return Run(net, dataset, Recipe(epochs=1), {"model": model, "options": options})


def test_a_training_run_of_npnets_is_taken_as_it_says(tmp_path, shapes):
    colours = data.Dataset(np.repeat(shapes.images, 3, axis=1), shapes.labels, shapes.class_names)
    run_of(colours).save(tmp_path / "checkpoint.npz")
    net = load(tmp_path / "checkpoint.npz")
    same, normalization, _ = load_network(tmp_path / "checkpoint.npz")
    assert repr(net) == repr(same)
    assert net.source.maker == "npnets"
    assert net.preprocessing.class_names == shapes.class_names
    x = net.preprocessing.normalize(colours.images)
    np.testing.assert_allclose(x, normalization(colours.images), rtol=1e-5, atol=1e-6)
    assert np.array_equal(net.forward(x), same.forward(x))


def test_a_run_of_grey_images_has_no_preprocessing_for_photos(tmp_path, shapes):
    run_of(shapes).save(tmp_path / "checkpoint.npz")
    net = load(tmp_path / "checkpoint.npz", dtype=np.float64)
    assert net.preprocessing is None
    assert net.classifier.weight.value.dtype == np.float64


def test_a_bare_state_of_npnets(tmp_path):
    net = npnets.ShuffleNetV1(0.5, 3, num_classes=4, rng=0)
    np.savez(tmp_path / "state.npz", **net.state())
    loaded = load(tmp_path / "state.npz")
    assert loaded.source.maker == "npnets"
    assert repr(loaded) == repr(net)
