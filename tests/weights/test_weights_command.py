"""predict, compare and export, as a person types them."""

from pathlib import Path

import numpy as np
import pytest
from lively import lively
from PIL import Image

from npnets import cli, ops
from npnets.data.cifar10 import CLASS_NAMES
from npnets.weights import load, opened, read
from npnets.weights.export import save, under_names_of

WEIGHTS = "cifar.npz"


@pytest.fixture(autouse=True)
def a_folder_with_weights_and_photos(tmp_path, monkeypatch):
    """ShuffleNet v2 for CIFAR-10, under the names of torchvision, and two photos."""
    monkeypatch.chdir(tmp_path)
    net = lively("shufflenet_v2_x0_5", num_classes=10)
    net.classifier.weight.value *= 20  # so that it is sure of something
    np.savez(WEIGHTS, **under_names_of("chenyaofo cifar", net))
    rng = np.random.default_rng(0)
    for name in ("one.png", "two.png"):
        Image.fromarray(rng.integers(0, 256, (40, 50, 3), np.uint8)).save(name)


def run(*arguments):
    return cli.main([str(a) for a in arguments])


def spoil(path, name, change):
    """Write the weights again, one array changed."""
    arrays = dict(read(WEIGHTS).arrays)
    arrays[name] = change(arrays[name])
    np.savez(path, **arrays)


def probabilities(photo):
    net = load(WEIGHTS)
    return ops.softmax(net.forward(net.preprocessing(Image.open(photo))))[0]


def test_predict_prints_the_top_five_with_names_and_probabilities(capsys):
    assert run("predict", "one.png", "two.png", "--weights", WEIGHTS) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [lines[0], lines[6]] == ["one.png:", "two.png:"]
    assert len(lines) == 12
    for photo, shown in (("one.png", lines[1:6]), ("two.png", lines[7:])):
        chance = probabilities(photo)
        for line, k in zip(shown, np.argsort(-chance), strict=False):
            assert line == f"  {chance[k]:6.1%}  {CLASS_NAMES[k]}"
    assert len({line.index("%") for line in lines if "%" in line}) == 1


def test_predict_can_be_told_the_source_and_how_many(capsys):
    assert run("predict", "one.png", "--weights", WEIGHTS, "--source", "chenyaofo cifar",
               "--top", 2) == 0  # fmt: skip
    assert capsys.readouterr().out.count("%") == 2
    assert run("predict", "one.png", "--weights", WEIGHTS, "--source", "chenyaofo") == 1
    assert "did you mean 'chenyaofo cifar'?" in capsys.readouterr().err


def test_options_may_stand_anywhere(capsys):
    outputs = []
    for arguments in (
        ["--weights", WEIGHTS, "--top", 2, "one.png", "two.png"],
        ["one.png", "--top", 2, "two.png", "--weights", WEIGHTS],
        ["one.png", "--weights", WEIGHTS, "two.png", "--top", 2],
    ):
        assert run("predict", *arguments) == 0
        outputs.append(capsys.readouterr().out)
    assert outputs[0].count("%") == 4
    assert outputs == outputs[:1] * 3
    assert run("predict", WEIGHTS, "--top", 1, "one.png") == 0
    assert capsys.readouterr().out.count("%") == 1
    assert run("compare", WEIGHTS, WEIGHTS, "--tolerance", 1, "one.png") == 0


@pytest.mark.parametrize(
    "arguments", [["predict", WEIGHTS, "one.png", "--topp", "2"], ["export", "a", "b.npz", "c"]]
)
def test_what_no_option_and_no_image_is_is_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        run(*arguments)
    assert "unrecognized arguments" in capsys.readouterr().err


def test_a_published_checkpoint_goes_by_its_name(capsys, monkeypatch):
    files = {"mobilenet_v2-cifar10": Path(WEIGHTS)}
    monkeypatch.setattr(opened, "download", files.get)
    assert run("predict", "one.png", "--weights", "mobilenet_v2-cifar10") == 0
    by_name = capsys.readouterr().out
    assert run("predict", "one.png", "--weights", WEIGHTS) == 0
    assert capsys.readouterr().out == by_name


def test_explain_draws_a_map(capsys):
    assert run("predict", "one.png", "--weights", WEIGHTS, "--explain", "map.png") == 0
    best = CLASS_NAMES[probabilities("one.png").argmax()]
    assert f"what {best!r} goes by is in map.png" in capsys.readouterr().out
    with Image.open("map.png") as picture:
        assert min(picture.size) > 500
        assert len(np.unique(np.asarray(picture.convert("L")))) > 50


def test_the_patch_is_what_the_network_sees_of_grey():
    Image.new("RGB", (32, 32), (128, 128, 128)).save("grey.png")
    file = opened.open_weights(WEIGHTS)
    np.testing.assert_allclose(file.look("grey.png")[0], file.grey() + np.zeros((3, 32, 32)))


def test_a_photo_is_turned_upright(capsys):
    """A camera that was held on its side says so; whoever looks at the photo sees it turned."""
    with Image.open("one.png") as image:
        upright = image.copy()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter, clockwise
    upright.rotate(90, expand=True).save("turned.png", exif=exif)
    assert run("predict", "one.png", "turned.png", "--weights", WEIGHTS) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:6] == lines[7:]


def test_files_that_only_look_like_a_run_or_a_photo(capsys, tmp_path):
    archive = bytearray(Path(WEIGHTS).read_bytes())
    archive[archive.rfind(b"PK\x01\x02")] = 0  # in the directory at its end
    Path("broken.npz").write_bytes(archive)
    Image.fromarray(np.zeros((40, 50), np.uint16)).save("deep.png")
    for arguments, said in (
        (["one.png", "--weights", "broken.npz"], "broken.npz cannot be read: "),
        (["one.png", "--weights", tmp_path], "is a folder, give a file in it: broken.npz, cifar"),
        (["deep.png", "--weights", WEIGHTS], "deep.png: no image that can be read (8 bits per"),
    ):
        assert run("predict", *arguments) == 1
        err = capsys.readouterr().err
        assert said in err
        assert err.count("\n") == 1


def test_compare_finds_the_layer_with_the_mistake(capsys):
    assert run("compare", WEIGHTS, WEIGHTS, "one.png") == 0
    assert "layers agree to 0.0e+00 or better" in capsys.readouterr().out
    spoil("wrong.npz", "stage3.2.branch2.3.weight", lambda w: w.swapaxes(2, 3))
    assert run("compare", WEIGHTS, "wrong.npz", "one.png") == 1
    out = capsys.readouterr().out
    assert out.endswith("THEY PART at stage3.unit3.branch.depthwise.conv (tolerance 1e-05): "
                        "weight differs: each filter transposed.\n")  # fmt: skip
    assert "stem.conv                             24×32×32" in out


def test_compare_reads_the_same_file_under_another_source(capsys):
    assert run("compare", WEIGHTS, WEIGHTS, "one.png", "--source-b", "torchvision") == 1
    out = capsys.readouterr().out
    assert out.startswith("B wants to see the photo otherwise than A")
    assert "THEY PART at stem.conv" in out
    assert "stride is 1 in A and 2 in B" in out


def test_compare_with_activations_of_others(capsys):
    assert run("compare", WEIGHTS, "--save", "found.npz", "one.png") == 0
    assert " arrays are in found.npz" in capsys.readouterr().out
    assert run("compare", WEIGHTS, "found.npz", "one.png") == 0
    found = dict(read("found.npz").arrays)
    assert run("compare", WEIGHTS, "found.npz", "two.png") == 1
    assert capsys.readouterr().out.endswith(": B was given another image.\n")
    np.savez("some.npz", stage2=found["stage2.unit4.shuffle"][:, ::-1], stem=found["stem.act"])
    assert run("compare", WEIGHTS, "some.npz", "one.png") == 1
    assert capsys.readouterr().out.endswith(
        "THEY PART at stage2 (tolerance 0.0001): B is the same with the channels in another "
        "order.\n"
    )
    assert run("compare", WEIGHTS, "some.npz", "one.png", "--tolerance", "10") == 0


def test_export_and_read_back(capsys):
    pytest.importorskip("safetensors")
    assert run("export", WEIGHTS, "own.safetensors") == 0
    assert "ShuffleNetV2, under the names of npnets, is in own.safetensors" in (
        capsys.readouterr().out
    )
    state = load(WEIGHTS).state()
    found = read("own.safetensors").arrays
    assert {name: a.tobytes() for name, a in found.items()} == {
        name: a.tobytes() for name, a in state.items()
    }
    net = lively("mobilenet_v2_x0_35", 64)
    save(net, "photos.npz", "torchvision")
    assert run("export", "photos.npz", "back.npz", "--names", "torchvision") == 0
    again, first = read("back.npz").arrays, read("photos.npz").arrays
    assert {n: a.tobytes() for n, a in again.items()} == {n: a.tobytes() for n, a in first.items()}


def test_export_says_what_torchvision_lacks(capsys):
    assert run("export", WEIGHTS, "theirs.npz", "--names", "torchvision") == 1
    err = capsys.readouterr().err
    assert "npnets export: torchvision's ShuffleNetV2 is another network" in err
    assert "max_pool is there in torchvision alone" in err


def test_export_to_onnx(capsys):
    onnx = pytest.importorskip("onnx")
    for arguments, size in (((), 32), (("--size", 64), 64)):
        assert run("export", WEIGHTS, "net.onnx", *arguments) == 0
        assert f"for images of 3 × {size} × {size}, is in net.onnx" in capsys.readouterr().out
        (images,) = onnx.load("net.onnx").graph.input
        sizes = images.type.tensor_type.shape.dim
        assert [d.dim_value for d in sizes[1:]] == [3, size, size]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["predict", "one.png"], "weights and an image are needed, got only one.png: npnets pred"),
        (["predict", "one.png", "--weights", WEIGHTS, "--top", "0"], "--top must be at least 1"),
        (["predict", "one.png", "--weights", WEIGHTS, "--explain", "map"],
         "--explain must end in .png or .svg, got map"),
        (["predict", "none.png", "--weights", WEIGHTS], "there is no file none.png"),
        (["predict", "one.png", "--weights", "mobilenet_v2"],
         "no file mobilenet_v2; did you mean mobilenet_v2-"),
        (["predict", "one.png", "two.png", "--weights", WEIGHTS, "--explain", "m.png"],
         "--explain draws one photo, got 2"),
        (["predict", WEIGHTS, "--weights", WEIGHTS], "no image that can be read"),
        (["predict", "one.png", "--weights", "nowhere.npz"], "there is no file nowhere.npz\n"),
        (["predict", "one.png", "--weights", "one.png"], "one.png cannot be read"),
        (["compare", WEIGHTS, WEIGHTS], "one image is needed, got 0: npnets compare A B IMAGE"),
        (["compare", WEIGHTS, WEIGHTS, "one.png", "two.png"], "one image is needed, got 2"),
        (["compare", WEIGHTS, WEIGHTS, "one.png", "--save", "x.npz"], "--save takes one network"),
        (["export", WEIGHTS, "net.h5"], "must end in .safetensors, .pth, .npz or .onnx"),
        (["export", WEIGHTS, "net.onnx", "--size", "0"], "--size must be at least 1, got 0"),
        (["export", WEIGHTS, "no/net.npz"], "there is no folder no to write net.npz to"),
    ],
)  # fmt: skip
def test_mistakes_end_with_one_line(arguments, said, capsys):
    assert run(*arguments) == 1
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_weights_that_do_not_say_what_they_want_to_see(capsys):
    save(load(WEIGHTS), "own.npz")
    assert run("predict", "one.png", "--weights", "own.npz") == 1
    assert "does not say what photos its network wants to see" in capsys.readouterr().err
    assert run("compare", WEIGHTS, "own.npz", "one.png") == 1  # own names keep no small_images
    assert "stride is 1 in A and 2 in B" in capsys.readouterr().out
    assert run("export", "own.npz", "own.onnx") == 1
    assert "--size is needed" in capsys.readouterr().err
