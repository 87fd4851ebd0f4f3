"""`npnets roofline`: it ends, prints its parts, and leaves numbers and pictures."""

import json
import math

import pytest

from npnets import cli
from npnets.roofline import ceilings, chart, report
from npnets.roofline.ceilings import Ceilings, Level
from npnets.roofline.placed import Pass, Placed

ROOF = Ceilings(1e9, (Level("L2", 2**20, 4e9), Level("DRAM", math.inf, 1e9)))
LAYERS = (  # predicted, small, calling, cold, measured
    Placed("conv", "pointwise", 6_000_000, 1000, "L2", "compute", 6e-3, 1e-3, 5e-4, 2e-4, 8e-3),
    Placed("act", "activation", 0, 4_000_000, "DRAM", "memory", 4e-3, 0.0, 1e-3, 0.0, 5.6e-3),
)
PASS = Pass("a network", LAYERS, whole=0.015)


@pytest.fixture
def small_machine(monkeypatch):
    """Ceilings that take no time to measure."""
    monkeypatch.setattr(ceilings, "MOVED", 2**16)
    monkeypatch.setattr(ceilings.machine, "MATRIX", 64)
    monkeypatch.setattr(ceilings.machine, "COPIED", 2**20)


def test_the_command_leaves_numbers_and_pictures(small_machine, tmp_path, capsys):
    pytest.importorskip("matplotlib", reason='needs Matplotlib: pip install "npnets[bench]"')
    out = tmp_path / "new" / "folder"
    arguments = ["--size", "32", "--batch", "2", "--threads", "1", "--seconds", "0.001"]
    assert cli.main(["roofline", "shufflenet_v1_x0_25_g3", *arguments, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "shufflenet_v1_x0_25_g3, folded, 2 × 32 × 32" in printed
    assert printed.count("+ unexplained") == 2
    assert "matrix product:" in printed
    found = json.loads((out / "shufflenet_v1_x0_25_g3.json").read_text(encoding="utf-8"))
    assert found["machine"]["threads"] == 1
    assert found["images"] == [2, 3, 32, 32]
    as_it_is, folded = found["passes"]
    assert len(as_it_is["layers"]) > len(folded["layers"]) > 50
    for name in ("roofline", "times"):
        picture = out / f"shufflenet_v1_x0_25_g3-{name}.png"
        assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_text_of_a_pass():
    lines = report.pass_text(PASS).splitlines()
    assert lines[0] == "a network"
    rows = [" ".join(line.split()) for line in lines]
    assert rows[3] == "pointwise 1 100.00 % 6.00 1.00 0.50 0.20 0.30 8.00 1.3"
    assert rows[4] == "activation 1 · 4.00 0.00 1.00 0.00 0.60 5.60 1.4"
    assert rows[6] == "all operations 2 100.00 % 10.0 1.00 1.50 0.20 0.90 13.6 1.4"
    assert len({len(line) for line in lines[1:7]}) == 1, "columns are aligned"
    assert lines[-2] == "whole pass 15.0 = predicted 10.0 (67%) + unexplained 5.00"
    assert lines[-1] == (
        "unexplained: small products 1.00, calling 1.50, cold 0.20, rest 0.90, "
        "between the operations 1.40"
    )


def test_the_text_of_the_ceilings():
    assert report.ceilings_text(ROOF).splitlines() == [
        "matrix product: 1.0 G multiply-adds/s",
        "L2, 1 MiB: 4.0 GB/s; bound by compute from 0.25 multiply-adds per byte on",
        "DRAM: 1.0 GB/s; bound by compute from 1.00 multiply-adds per byte on",
    ]


def test_the_numbers(tmp_path):
    report.write_json(tmp_path / "x.json", {"model": "m"}, ROOF, [PASS])
    found = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
    assert found["model"] == "m"
    assert found["ceilings"]["levels"][1] == {"name": "DRAM", "capacity": None, "bytes_per_s": 1e9}
    (one,) = found["passes"]
    assert one["whole"] == 0.015
    assert one["unexplained"] == pytest.approx(0.005)
    assert one["between"] == pytest.approx(0.0014)
    assert [layer["name"] for layer in one["layers"]] == ["conv", "act"]
    assert one["layers"][0]["rest"] == pytest.approx(3e-4)
    assert [group["kind"] for group in one["kinds"]] == ["pointwise", "activation"]


def test_pictures_of_networks_that_only_move_or_only_multiply(tmp_path):
    pytest.importorskip("matplotlib", reason='needs Matplotlib: pip install "npnets[bench]"')
    for k, layers in enumerate((LAYERS[:1], LAYERS[1:])):
        passes = [Pass("a network", layers, whole=0.015)]
        chart.draw_roofline(passes, ROOF, tmp_path / f"roof{k}.png", "title")
        chart.draw_times(passes, tmp_path / f"times{k}.png", "title")
        assert (tmp_path / f"roof{k}.png").stat().st_size > 1000
        assert (tmp_path / f"times{k}.png").stat().st_size > 1000


def test_every_kind_has_a_marker_and_every_part_a_look():
    from npnets.cost.chart import COLOURS
    from npnets.cost.kinds import KINDS
    from npnets.roofline.placed import PARTS

    assert set(chart.MARKERS) == set(COLOURS) == set(KINDS)
    assert len(set(chart.MARKERS.values())) == len(set(COLOURS.values())) == len(KINDS)
    assert set(chart.PART_LOOKS) == {*PARTS, "between"}


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--size", "0", "--size must be an int of at least 1, got 0"),
        ("--batch", "-1", "--batch must be an int of at least 1, got -1"),
        ("--threads", "0", "--threads must be an int of at least 1, got 0"),
        ("--seconds", "0", "--seconds must be above 0, and finite, got 0.0"),
        ("--seconds", "nan", "--seconds must be above 0, and finite, got nan"),
    ],
)
def test_what_cannot_be_measured(option, value, message, capsys):
    assert cli.main(["roofline", "mobilenet_v2", option, value]) == 1
    assert message in capsys.readouterr().err


def test_an_unknown_model(capsys):
    assert cli.main(["roofline", "mobilnet_v2"]) == 1
    assert "did you mean 'mobilenet_v2'?" in capsys.readouterr().err
