"""The command, used as a person would: in a folder of its own, and with mistakes."""

import csv
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from npnets import cli, commands

TINY = ["--model", "shufflenet_v1_x0_25_g2", "--enlarge", "1", "--batch-size", "128"]


@pytest.fixture(autouse=True)
def a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_list_shows_every_model_with_its_cost(capsys):
    assert cli.main(["list"]) == 0
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines()]
    assert ["mobilenet_v2", "3,504,872", "300,774,272"] in rows


def test_summary_ends_with_the_totals(capsys):
    assert cli.main(["summary", "mobilenet_v1_x0_25", "--size", "128"]) == 0
    out = capsys.readouterr().out
    assert "unit1.depthwise.conv" in out
    assert "470,072 parameters (0.47 M), 13,570,048 multiply-adds (13.6 M)" in out


def test_check_acquits_a_network(capsys):
    arguments = ["check", "shufflenet_v1_x0_25_g2", "--small-images", "--classes", "3"]
    assert cli.main(arguments) == 0
    assert "RIGHT: " in capsys.readouterr().out


def test_check_fails_where_a_gradient_is_wrong(capsys, monkeypatch):
    from npnets import ops

    right = ops.global_avg_pool_backward
    monkeypatch.setattr(ops, "global_avg_pool_backward", lambda dy, x: 1.01 * right(dy, x))
    arguments = ["check", "shufflenet_v1_x0_25_g2", "--small-images", "--classes", "3"]
    assert cli.main(arguments) == 1
    assert "WRONG: the gradient of " in capsys.readouterr().out


def test_train_evaluate_predict(capsys, tmp_path):
    assert cli.main(["train", *TINY, "--epochs", "2", "--out", "run"]) == 0
    out = capsys.readouterr().out
    assert "on digits: test accuracy" in out
    with open("run/history.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["number"] for row in rows] == ["1", "2"]
    with Image.open("run/curve.png") as picture:
        assert min(picture.size) > 300
        assert len(np.unique(np.asarray(picture.convert("L")))) > 20
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "checkpoint.npz", "curve.png", "history.csv",
    ]  # fmt: skip
    assert cli.main(["evaluate", "run"]) == 0
    assert f"accuracy {float(rows[-1]['test_accuracy']):.2%}" in capsys.readouterr().out
    Image.fromarray(np.full((20, 30), 200, np.uint8)).save("grey.png")
    assert cli.main(["predict", "run/checkpoint.npz", "grey.png", "--top", "2"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("grey.png:\n")
    assert out.count("%") == 2


def test_a_second_run_gets_a_folder_of_its_own(tmp_path):
    for _ in range(2):
        assert cli.main(["train", *TINY, "--epochs", "1"]) == 0
    folders = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert folders == ["shufflenet_v1_x0_25_g2-digits", "shufflenet_v1_x0_25_g2-digits-2"]


def wait_for(path, seconds=120):
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} never came"
        time.sleep(0.02)


def start(*arguments):
    command = [sys.executable, "-m", "npnets.cli", "train", *arguments]
    here = os.path.dirname(os.path.dirname(commands.__file__))
    environment = {**os.environ, "PYTHONPATH": here, "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def weights(folder):
    with np.load(folder / "checkpoint.npz") as file:
        return {name: file[name].tobytes() for name in file.files if name.startswith("net/")}


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process alone")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_stopped_at_any_moment_ends_with_the_same_weights(tmp_path, how, capsys):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert cli.main(["train", *TINY, "--epochs", "4", "--out", str(whole)]) == 0
    process = start(*TINY, "--epochs", "4", "--out", str(broken))
    wait_for(broken / "history.csv")  # one epoch is done
    process.send_signal(how)
    out, _ = process.communicate(timeout=60)
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert f"go on with: npnets train --resume {broken}" in out
    assert cli.main(["train", "--resume", str(broken)]) == 0
    assert weights(broken) == weights(whole)
    assert f"into {broken}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["summary", "mobilnet_v2"], "unknown model 'mobilnet_v2'; did you mean 'mobilenet_v2'?"),
        (["train", "--data", "cifar"], "no data set is called 'cifar', did you mean 'cifar10'?"),
        (["train", "--data", "cifar10", "--data-dir", "nowhere"], "nowhere"),
        (["train", "--epochs", "0"], "epochs must be an int of at least 1, got 0"),
        (["train", "--optimizer", "adam"], "optimizer must be one of sgd, rmsprop, got 'adam'"),
        (["train", "--resume", "nowhere"], "nowhere"),
        (["evaluate", "nowhere.npz"], "nowhere.npz"),
        (["summary", "mobilenet_v1", "--size", "0"], "--size must be at least 1"),
    ],
)
def test_mistakes_end_with_one_line(arguments, said, capsys):
    assert cli.main(arguments) == 1
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--ephocs", "3"], "unrecognized arguments: --ephocs 3; did you mean --epochs?"),
        (["trian"], "did you mean train?"),
        ([], "required: COMMAND"),
    ],
)
def test_unknown_options_suggest_the_nearest(arguments, said, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


def test_a_run_is_not_overwritten(capsys):
    assert cli.main(["train", *TINY, "--epochs", "1", "--out", "run"]) == 0
    before = weights(commands.Path("run"))
    assert cli.main(["train", *TINY, "--epochs", "1", "--out", "run", "--seed", "3"]) == 1
    assert "run holds a run already: --resume run goes on with it" in capsys.readouterr().err
    assert weights(commands.Path("run")) == before


def test_a_folder_that_cannot_be_made_fails_before_training(capsys):
    commands.Path("file").write_text("not a folder")
    assert cli.main(["train", *TINY, "--out", "file/run"]) == 1
    assert "file" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_to_fails_before_training(capsys, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", "run")

    monkeypatch.setattr("npnets.checkpoint.open", refuse, raising=False)
    assert cli.main(["train", *TINY, "--out", "run"]) == 1
    assert "Permission denied" in capsys.readouterr().err


def test_a_loss_that_explodes_keeps_the_last_good_checkpoint(capsys):
    arguments = [*TINY, "--epochs", "3", "--lr", "1e12", "--warmup-epochs", "0", "--out", "run"]
    with np.errstate(all="ignore"):
        assert cli.main(["train", *arguments]) == 1
    err = capsys.readouterr().err
    assert "the loss is nan at step" in err or "the loss is inf at step" in err
    assert "The last good checkpoint is kept: " in err
    assert cli.main(["evaluate", "run"]) == 0


def test_an_image_that_is_no_image(capsys):
    assert cli.main(["train", *TINY, "--epochs", "1", "--out", "run"]) == 0
    commands.Path("words.png").write_text("words")
    assert cli.main(["predict", "run", "words.png"]) == 1
    assert "words.png: no image that can be read" in capsys.readouterr().err


def test_a_folder_of_images_is_trained_on(capsys):
    rng = np.random.default_rng(0)
    for name, light in (("dark", 40), ("bright", 200)):
        folder = commands.Path("photos", name)
        folder.mkdir(parents=True)
        for number in range(10):
            pixels = (light + rng.integers(0, 30, (16, 16, 3))).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    arguments = ["--data", "folder", "--data-dir", "photos", "--epochs", "2", "--out", "run"]
    assert cli.main(["train", "--model", "shufflenet_v1_x0_25_g2", *arguments]) == 0
    assert cli.main(["predict", "run", "photos/dark/0.png"]) == 0
    assert "bright" in capsys.readouterr().out
