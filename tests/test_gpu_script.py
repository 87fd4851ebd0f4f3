"""The script for a GPU: what it counts, what it writes, and what it says where there is none."""

import dataclasses
import itertools
import sys
import types

import numpy as np
import pytest

from npnets.bench import gpu, gpu_subjects
from npnets.bench.gpu import Row
from npnets.cost import formulas, summarize
from npnets.experiments import units
from npnets.nets import create_model, list_models

MODEL = "shufflenet_v2_x0_5"
ROW = Row(
    "mobilenet_v2", 3, 224, 64, "NCHW", 300_774_272 * 64, 10**9, 12.5, 12.25, 13.0, 80, 1540.25,
    "NVIDIA H100", "550.54", "2.13.0", "12.8", "90100", "float32", "off", "on",
    "2026-01-02T03:04:05+00:00", 1,
)  # fmt: skip


@pytest.fixture
def torch():
    """PyTorch on one thread: on a busy machine two wait for each other, many times as long."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(threads)


@pytest.fixture
def short(monkeypatch):
    """Few calls, hardly a warm-up, and small images."""
    monkeypatch.setattr(gpu_subjects, "IMAGE", 64)
    monkeypatch.setattr(gpu, "FEWEST", 3)
    monkeypatch.setattr(gpu, "MOST", 3)
    monkeypatch.setattr(gpu, "WARM_UP", 1e-3)


def test_what_is_written_is_read(tmp_path):
    other = dataclasses.replace(
        ROW, subject="units: 10 of a, 12 channels", ms=0.125, driver="a, b"
    )
    gpu.write(tmp_path / "gpu.csv", [ROW, other])
    assert gpu.read(tmp_path / "gpu.csv") == [ROW, other]


def test_a_table_that_is_missing_says_how_it_is_made(tmp_path):
    path = tmp_path / "none.csv"
    with pytest.raises(FileNotFoundError, match=r"missing.*GPU: python -m npnets.bench.gpu --out"):
        gpu.read(path)


def test_another_table_is_refused(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"must have the columns \['subject'.*got \['a', 'b'\]"):
        gpu.read(path)
    path.write_text("", encoding="utf-8")
    with pytest.raises(ValueError, match=r"must have the columns .* got None"):
        gpu.read(path)


def test_all_published_networks_and_24_stacks_are_subjects():
    names = [subject.name for subject in gpu_subjects.all_of()]
    assert names[: len(list_models())] == list_models()
    assert len(names) == len(list_models()) + 24
    assert len({(subject.name, subject.size) for subject in gpu_subjects.all_of()}) == len(names)
    assert [subject.name for subject in gpu_subjects.all_of([MODEL], units=False)] == [MODEL]
    with pytest.raises(
        ValueError, match="unknown model 'mobilnet_v2'; did you mean 'mobilenet_v2'"
    ):
        gpu_subjects.all_of(["mobilnet_v2"])


@pytest.mark.parametrize("channels", gpu_subjects.WIDTHS)
def test_stacks_have_the_widths_of_the_experiment_and_nearly_equal_cost(channels):
    widths = {family: gpu_subjects.width(family, channels) for family in gpu_subjects.UNIT_OF}
    theirs = {
        name.replace("Net v", "net_v").lower(): c for name, c in units.widths(channels).items()
    }
    assert widths == theirs
    assert (gpu_subjects.UNITS, gpu_subjects.GROUPS) == (units.UNITS, units.GROUPS)
    half = channels // 2
    macs = 10 * 28 * 28 * (2 * half * half + 9 * half)
    for family, c in widths.items():
        cost = gpu_subjects.stack(family, c, 28).cost()
        assert cost.macs == pytest.approx(macs, rel=0.08)
    assert cost.macs == macs
    c = widths["shufflenet_v1"]
    counted = gpu_subjects.stack("shufflenet_v1", c, 28).cost().macs
    assert counted == 10 * formulas.shufflenet_unit(28, 28, c, c // 4, 3)


@pytest.mark.parametrize("family", gpu_subjects.UNIT_OF)
def test_a_stack_computes_the_same_in_pytorch(family, torch):
    channels = gpu_subjects.width(family, 64)
    subject = gpu_subjects.stack(family, channels, 28)
    x = np.random.default_rng(0).standard_normal((2, channels, 5, 6), np.float32)
    with torch.inference_mode():
        theirs = subject.twin().eval()(torch.from_numpy(x)).numpy()
    ours = subject.build().eval().forward(x)
    assert theirs.shape == ours.shape
    scale = np.abs(ours).max()
    np.testing.assert_allclose(theirs / scale, ours / scale, rtol=0, atol=1e-4)


def test_it_runs_on_the_cpu(tmp_path, capsys, short, torch):
    before = torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32
    path = tmp_path / "gpu.csv"
    options = "--no-units", "--batch", "1", "2", "--seconds", "0.001", "--device", "cpu"
    assert gpu.main(["--out", str(path), "--models", MODEL, *options]) == 0
    rows, cost = gpu.read(path), summarize(create_model(MODEL), (3, 64, 64))
    keys = [(row.subject, row.batch, row.layout) for row in rows]
    assert keys == [(MODEL, n, form) for n, form in itertools.product((1, 2), gpu.LAYOUTS)]
    for row in rows:
        assert row.multiply_adds == row.batch * cost.macs
        assert row.elements - cost.values == row.batch * (cost.elements - cost.values)
        assert 0 < row.ms_q1 <= row.ms <= row.ms_q3
        assert (row.calls, row.size) == (3, 64)
        assert row.gmacs_per_s == pytest.approx(row.multiply_adds / row.ms / 1e6, rel=1e-5)
        assert row.device.startswith("CPU: ")
        assert (row.torch, row.driver, row.tf32) == (torch.__version__, "none", "off")
    assert capsys.readouterr().out.count(MODEL) == 4
    assert (torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32) == before


def test_without_a_gpu_it_says_what_it_needs(tmp_path, capsys, torch):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert gpu.main(["--out", str(tmp_path / "gpu.csv")]) == 1
    said = capsys.readouterr().err
    assert "needs an NVIDIA GPU" in said
    assert "--device cpu" in said
    assert not list(tmp_path.iterdir())


def test_without_pytorch_it_says_what_it_needs(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert gpu.main(["--out", str(tmp_path / "gpu.csv"), "--device", "cpu"]) == 1
    assert "this needs torch" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--batch", "0"], ["--seconds", "0"], ["--seconds", "nan"]])
def test_bad_options_are_refused(wrong, tmp_path, capsys, torch):
    out = ["--out", str(tmp_path / "gpu.csv"), "--device", "cpu"]
    assert gpu.main([*out, "--models", MODEL, "--no-units", *wrong]) == 1
    assert "--batch must be at least 1, and --seconds positive" in capsys.readouterr().err


def test_full_float32_is_set_for_the_block_only():
    cudnn = types.SimpleNamespace(benchmark=False, allow_tf32=True)
    matmul = types.SimpleNamespace(allow_tf32=True)
    backends = types.SimpleNamespace(cudnn=cudnn, cuda=types.SimpleNamespace(matmul=matmul))
    with gpu.settings(types.SimpleNamespace(backends=backends)):
        assert (cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32) == (True, False, False)
    assert (cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32) == (False, True, True)


def test_each_call_is_timed_between_its_own_events():
    """A stand-in for CUDA: each event notes the time of a clock that only calls move."""
    clock, made = [0.0], []

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing
            made.append(self)

        def record(self):
            self.time = clock[0]

        def elapsed_time(self, other):
            return 1e3 * (other.time - self.time)

    def run():
        clock[0] += len(made)

    synchronized = []
    cuda = types.SimpleNamespace(Event=Event, synchronize=lambda: synchronized.append(1))
    times = gpu._by_events(types.SimpleNamespace(cuda=cuda), run, 3)
    assert times == [6.0, 6.0, 6.0]
    assert synchronized == [1]
