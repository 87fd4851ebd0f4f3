"""The benchmark: what it counts, that its peers compute the same, and how it fails."""

import csv
import dataclasses
import json
import math
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import npnets
from npnets import cli
from npnets.bench import (
    chart,
    files,
    machine,
    op_cases,
    ours,
    peers,
    process,
    report,
    stats,
    turns,
    worker,
    workloads,
)

LIMITS = {"gflops": 100.0, "gb_per_s": 20.0}
TINY = workloads.NetWorkload("shufflenet_v1_x0_25_g2", "step", 4, 32, True)
SHUFFLE = workloads.OpWorkload("shuffle-32x240x28x28-s1-g3", True)
MEMORY = {"baseline": 10**8, "peak": 10**9}


def found(**seconds):
    """What turns.measure yields, of peers with these seconds."""
    return {
        name.replace("_", "-"): {"seconds": s, "first": 2.5, "difference": 0.0, **MEMORY}
        for name, s in seconds.items()
    }


class Fake:
    """A worker that answers at once, and notes what it was asked."""

    log, results = [], {}

    def __init__(self, name, threads):
        self.name = name
        self.log.append(("start", name))

    def ask(self, do, timeout, **message):
        self.log.append((do, self.name))
        if do == "prepare":
            loss = self.results.get(self.name, 1.0)
            results = [[[loss]], [[loss / 2]]]
            return {"baseline": 1, "seconds": [9.0, 0.1], "results": results}
        return {"seconds": [0.1] * message["count"], "peak": 2}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.log.append(("end", self.name))


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(Fake, "log", [])
    monkeypatch.setattr(Fake, "results", {})
    return Fake


def test_summarize_gives_quartiles():
    said = stats.summarize([5.0, 1.0, 2.0, 4.0, 3.0])
    assert said == {"count": 5, "median": 3.0, "q1": 2.0, "q3": 4.0, "min": 1.0}
    with pytest.raises(ValueError, match="no times"):
        stats.summarize([])


@pytest.mark.parametrize(
    ("ours", "theirs", "apart"),
    [
        ([[1.0, -2.0]], [[1.0, -2.0]], 0),
        ([[1.0, -2.0]], [[1.5, -2.0]], 0.25),
        ([[4.0], [1.0]], [[4.0], [2.0]], 1),
        ([[1.0]], [[1.0, 2.0]], math.inf),
        ([[1.0]], [[1.0], [1.0]], math.inf),
        ([[1.0]], [[math.nan]], math.inf),
    ],
)
def test_disagreement_is_relative_to_the_largest_number(ours, theirs, apart):
    assert stats.disagreement(ours, theirs) == apart


def test_sample_is_short_and_meets_every_column():
    array = np.arange(64 * 64, dtype=np.float32).reshape(64, 64)
    assert stats.sample(array, count=5000) == array.ravel().tolist()
    few = stats.sample(array, count=256)
    assert 200 < len(few) <= 256
    assert {int(number) % 64 for number in few} == set(range(64))


@pytest.mark.parametrize(
    ("text", "options", "names"),
    [
        ("step,forward", {}, ["m:step:32", "m:forward:1", "m:forward:32"]),
        ("step", {"small_images": True}, ["m:step:128"]),
        ("forward:7, step:16", {"batch": 4}, ["m:forward:7", "m:step:16"]),
        ("forward", {"batch": 4}, ["m:forward:1", "m:forward:4"]),
        ("ops:shuffle,ops:shuffle", {}, [f"{SHUFFLE.case}:forward", SHUFFLE.name]),
    ],
)
def test_parse(text, options, names):
    model = "shufflenet_v1_x0_25_g2"
    said = [workload.name for workload in workloads.parse(text, [model], **options)]
    assert said == [name.replace("m:", f"{model}:") for name in names]


def test_parse_gives_the_size_that_the_stem_wants():
    (large,) = workloads.parse("step", ["mobilenet_v1_x0_25"])
    (small,) = workloads.parse("step", ["mobilenet_v1_x0_25"], small_images=True)
    assert (large.size, large.num_classes, large.batch) == (224, 1000, 32)
    assert (small.size, small.num_classes, small.batch) == (32, 10, 128)
    assert len(workloads.parse("ops", [])) == 2 * len(op_cases.CASES)


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("steps", {}, "a workload must be one of step, forward, ops, got 'steps'"),
        ("forward:x", {}, "forward:x must have a number"),
        ("forward:0", {}, "must be at least 1"),
        ("step", {"size": -1}, "must be at least 1"),
        ("step", {"batch": 1}, "a training step needs at least 2 images"),
        ("ops:depthwize", {}, "no op has 'depthwize' in its name; there are: depthwise3-"),
    ],
)
def test_parse_refuses(text, options, said):
    with pytest.raises(ValueError, match=said):
        workloads.parse(text, ["shufflenet_v1_x0_25_g2"], **options)


def test_a_workload_counts_the_multiply_adds_of_the_network():
    forward = dataclasses.replace(TINY, kind="forward")
    net = npnets.create_model(TINY.model, num_classes=10, small_images=True)
    assert forward.macs == 4 * npnets.cost.summarize(net, (3, 32, 32)).macs
    assert TINY.macs == 3 * forward.macs


def test_an_op_counts_its_multiply_adds_and_bytes():
    case = op_cases.CASES["depthwise3-32x96x112x112-s2"]
    assert case.output_shape == (32, 96, 56, 56)
    assert case.macs(backward=False) == 32 * 96 * 56 * 56 * 9
    assert case.macs(backward=True) == 3 * case.macs(backward=False)
    x, weight, y = 32 * 96 * 112 * 112, 96 * 9, 32 * 96 * 56 * 56
    assert case.bytes(backward=False) == 4 * (x + weight + y)
    assert case.bytes(backward=True) == 4 * (3 * x + 3 * weight + 2 * y)
    grouped = op_cases.CASES["pointwise-32x240x28x28-o60-s1-g3"]
    assert grouped.macs(backward=False) == 32 * 60 * 28 * 28 * 80
    assert op_cases.CASES[SHUFFLE.case].macs(backward=True) == 0
    assert op_cases.CASES[SHUFFLE.case].bytes(backward=True) == 4 * 4 * 32 * 240 * 28 * 28


def small(case):
    """The same op on two small images."""
    N, C, H, W = case.shape
    return dataclasses.replace(case, shape=(2, C, min(H, 12), min(W, 12)))


@pytest.fixture
def few_pixels(monkeypatch):
    """All ops on small images; each kind of op once or twice."""
    cases = {case.title: small(case) for case in op_cases.CASES.values()}
    cases = {(c.op, c.stride, c.groups, c.kernel_size): c for c in cases.values()}
    cases = {case.name: case for case in cases.values()}
    monkeypatch.setattr(op_cases, "CASES", cases)
    return [workloads.OpWorkload(name, backward=True) for name in cases]


def test_the_ops_give_results_of_the_shapes_that_are_counted(few_pixels):
    assert {op_cases.CASES[w.case].op for w in few_pixels} == set(ours.OPS)
    for workload in few_pixels:
        case = op_cases.CASES[workload.case]
        y, dx, *_ = ours.build(workload, peers.PEERS["npnets"], 1)()
        assert y.shape == case.output_shape
        assert dx.shape == case.shape
        assert y.dtype == dx.dtype == np.float32


@pytest.fixture
def theirs():
    """The module that needs PyTorch, and PyTorch's threads as they were."""
    torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "npnets[bench]"')
    from npnets.bench import theirs

    threads = torch.get_num_threads()
    yield theirs
    torch.set_num_threads(threads)


def agree(workload, name, theirs):
    def results(library, peer):
        run = library.build(workload, peers.peer_of(peer), 1)
        return [[stats.sample(array) for array in run()] for _ in range(2)]

    builder = import_module(f"npnets.bench.{worker.BUILDERS[peers.peer_of(name).library]}")
    both = {"npnets": results(ours, "npnets"), name: results(builder, name)}
    return turns.check_agreement(workload, both)[name]


def test_the_ops_of_torch_compute_the_same(few_pixels, theirs):
    for workload in few_pixels:
        for backward in (False, True):
            for name in ("torch", "torch-channels-last"):
                assert agree(dataclasses.replace(workload, backward=backward), name, theirs) < 1e-4


SMALLEST = (
    "mobilenet_v1_x0_25", "mobilenet_v2_x0_35", "shufflenet_v1_x0_25_g3", "shufflenet_v2_x0_5",
)  # fmt: skip


@pytest.mark.parametrize("model", SMALLEST)
@pytest.mark.parametrize("name", [name for name in peers.PEERS if not name.startswith("npnets")])
def test_the_networks_of_the_peers_compute_the_same(model, name, theirs):
    if name == "onnxruntime":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnx")
    for kind in ("forward", "step"):
        workload = workloads.NetWorkload(model, kind, 8, 32, small_images=True)
        if peers.takes_part(name, workload):
            assert agree(workload, name, theirs) < max(turns.TOLERANCES)


def test_another_learning_rate_does_not_compute_the_same(theirs, monkeypatch):
    monkeypatch.setattr(theirs, "LR", 2 * ours.LR)
    with pytest.raises(ValueError, match="torch differs from npnets by"):
        agree(TINY, "torch", theirs)


@pytest.mark.parametrize(
    "name",
    ["mobilenet_v1_x0_75", "mobilenet_v2_x1_4", "shufflenet_v1_x0_5_g8", "shufflenet_v2_x2_0"],
)
def test_the_twin_of_a_name_is_that_network(name, theirs):
    net = npnets.create_model(name, num_classes=7)
    twin = theirs.twin_of(name, num_classes=7)
    assert len(theirs.copy_into(twin, net).state_dict()) > len(net.state())
    with pytest.raises(ValueError, match=r"does not pair with|arrays"):
        theirs.copy_into(theirs.twin_of("mobilenet_v1_x0_25"), net)


def test_select_times_both_forms_of_torch_where_malloc_can_be_tuned(monkeypatch):
    monkeypatch.setattr(peers, "NEEDS", dict.fromkeys(peers.NEEDS, ()))
    monkeypatch.setattr(peers, "tunable_malloc", lambda: True)
    selected = peers.select("onnxruntime, torch,torch-tuned")
    assert selected[0] == "npnets"
    assert selected[-3:] == ["onnxruntime", "torch", "torch-tuned"]
    monkeypatch.setattr(peers, "tunable_malloc", lambda: False)
    assert peers.select("torch")[-1] == "torch"
    with pytest.raises(ValueError, match="torch-tuned needs glibc"):
        peers.select("torch-tuned")
    assert {peers.peer_of(name).library for name in peers.select("none")} == {"npnets"}
    with pytest.raises(ValueError, match="unknown peer 'pytorch'; did you mean 'torch'"):
        peers.select("pytorch")


def test_a_peer_that_is_not_installed_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(peers, "NEEDS", {**peers.NEEDS, "torch": ("no_such_package",)})
    with pytest.raises(ImportError, match=r'no_such_package.*pip install "npnets\[bench\]"'):
        peers.select("torch")


def test_what_is_folded_takes_part_in_inference_only():
    forward = dataclasses.replace(TINY, kind="forward")
    for name in peers.PEERS:
        assert peers.takes_part(name, forward)
        for other in (TINY, SHUFFLE):
            assert peers.takes_part(name, other) == (
                name in ("npnets", "torch", "torch-channels-last")
            )


def test_the_environment_sets_threads_and_the_malloc_of_tuned_peers(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    plain, tuned = peers.environment("torch", 3), peers.environment("torch-tuned", 3)
    assert {plain[name] for name in peers.THREADS} == {"3"}
    assert tuned == plain | peers.MALLOC
    assert Path(plain["PYTHONPATH"].split(machine.os.pathsep)[0], "npnets/bench").is_dir()


def test_imports_leave_the_environment_as_it_is_and_packages_alone():
    """What npnets sets, PyTorch would find: it would not run as its users know it."""
    code = (
        "import os, sys; before = dict(os.environ); import npnets.cli; after = dict(os.environ); "
        "changed = {k for k in after.keys() | before.keys() if after.get(k) != before.get(k)}; "
        "changed -= {'KMP_DUPLICATE_LIB_OK', 'KMP_INIT_AT_FORK'}; "  # harmless: threadpoolctl's
        "print(sorted(changed), sorted({'torch', 'onnxruntime', 'matplotlib'} & set(sys.modules)))"
    )
    root = str(Path(npnets.__file__).parents[1])
    clean = {"PATH": machine.os.environ.get("PATH", ""), "PYTHONPATH": root}
    clean |= {k: machine.os.environ[k] for k in ("SYSTEMROOT", "HOME") if k in machine.os.environ}
    out = subprocess.run([sys.executable, "-c", code], check=True, env=clean, capture_output=True)
    assert out.stdout.decode().split() == ["[]", "[]"]


def test_peers_take_turns_and_memory_is_told_from_one_process_for_each_training(fake):
    forward = [dataclasses.replace(TINY, kind="forward", batch=n) for n in (1, 4)]
    names = ["npnets", "torch", "torch-folded"]
    done = dict(turns.measure([TINY, *forward], names, 1, 1e-9, start=fake))
    assert list(done) == [TINY, *forward]
    step = [("start", "npnets"), ("start", "torch"), ("prepare", "npnets"), ("prepare", "torch")]
    step += [("turn", "npnets"), ("turn", "torch"), ("turn", "torch"), ("turn", "npnets")]
    step += [("end", "torch"), ("end", "npnets")]
    assert fake.log[: len(step)] == step
    assert [what for what, _ in fake.log].count("start") == 2 + 3
    assert list(done[TINY]) == ["npnets", "torch"]
    assert done[TINY]["torch"]["seconds"] == [0.1] * 10  # two turns of half a second
    assert done[TINY]["torch"]["peak"] == 2
    assert done[TINY]["torch"]["first"] == 9.0


def test_peers_that_compute_something_else_are_not_timed(fake):
    fake.results["torch"] = 1.01
    with pytest.raises(ValueError, match=r"torch differs from npnets by 1\.0e-02"):
        list(turns.measure([TINY], ["npnets", "torch"], 1, 1, start=fake))
    assert [what for what, _ in fake.log].count("end") == 2
    assert "turn" not in {what for what, _ in fake.log}


def test_peers_that_do_not_fit_into_memory_are_refused(fake, monkeypatch):
    monkeypatch.setattr(turns, "physical_memory", lambda: 1000)
    with pytest.raises(ValueError, match="take a smaller --batch"):
        list(turns.measure([TINY], ["npnets"], 1, 1, start=fake))


def running(code):
    return process.Worker("npnets", 1, command=[sys.executable, "-c", code])


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        (
            "import sys; sys.exit('the reason')",
            ChildProcessError,
            "code 1; it said:\n  the reason",
        ),
        ("import time; time.sleep(60)", TimeoutError, "npnets did not answer 'turn' within 1 s"),
    ],
)
def test_a_worker_that_fails_ends_the_benchmark_with_its_last_words(code, error, said):
    with running(code) as broken, pytest.raises(error, match=said):
        broken.ask("turn", 1 if error is TimeoutError else 30, count=1)
    assert broken.process.returncode is not None


def test_a_worker_that_fails_while_it_measures_is_told(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(worker, "message", lambda w: {"kind": "NetWorkload", "fields": {"no": 1}})
    monkeypatch.setattr(turns, "limits", lambda threads: {threads: LIMITS})
    arguments = ["bench", TINY.model, "--against", "none", "--threads", "1"]
    assert cli.main([*arguments, "--workloads", "step", "--out", str(tmp_path)]) == 1
    assert "unexpected keyword argument 'no'" in capsys.readouterr().err


def test_ratios_are_ours_over_theirs_and_shares_are_of_the_limit():
    forward = dataclasses.replace(TINY, kind="forward")
    seconds = {"npnets": [0.2, 0.3, 0.4], "npnets_folded": [0.1], "torch": [0.6]}
    ours_row, folded, torch = report.rows(forward, found(**seconds), 2, LIMITS)
    assert (ours_row.median_ms, ours_row.min_ms, ours_row.count) == (300, 200, 3)
    assert (torch.npnets_over_peer, folded.npnets_over_peer) == pytest.approx((0.5, 3))
    assert torch.folded_over_peer == pytest.approx(1 / 6)
    assert ours_row.gmacs_per_s == pytest.approx(forward.macs / 0.3 / 1e9)
    assert ours_row.share_of_product == pytest.approx(2 * ours_row.gmacs_per_s / 100)
    assert ours_row.peak_mb is None
    (step,) = report.rows(TINY, found(npnets=[0.1]), 2, LIMITS)
    assert (step.baseline_mb, step.peak_mb, step.folded_over_peer) == (100, 1000, None)
    (op,) = report.rows(SHUFFLE, found(npnets=[0.1]), 2, LIMITS)
    assert op.gmacs_per_s is None
    assert op.share_of_bandwidth == pytest.approx(SHUFFLE.bytes / 0.1 / 1e9 / 20)


def many(workload, seconds):
    names = [name + end for name in peers.PEERS for end in ("", "-tuned")]
    kept = [n for n in names if peers.takes_part(n, workload) and "npnets-t" not in n]
    result = {name: found(npnets=seconds)["npnets"] for name in kept}
    return report.rows(workload, result, 2, LIMITS)


@pytest.mark.parametrize("seconds", [[0.0001234] * 3, [12.34, 13.4, 14.5, 15.6]])
def test_tables_are_narrow_and_aligned(seconds):
    step = report.network_table(many(TINY, seconds)).splitlines()
    forward = report.network_table(many(dataclasses.replace(TINY, kind="forward"), seconds))
    ops = [workloads.OpWorkload(case, b) for case in op_cases.CASES for b in (False, True)]
    table = report.ops_table([many(op, seconds) for op in ops])
    for lines in step[1:], forward.splitlines()[1:], table.splitlines()[1:]:
        assert len({len(line) for line in lines}) == 1
        assert len(lines[0]) <= 110
    assert "folded ÷" not in step[1]
    assert "peak MB" not in forward
    assert table.count("\n") == 2 + len(ops)
    assert report.ms(seconds[0] * 1e3) in step[3]


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [(0.1234, "0.123"), (1.234, "1.23"), (12.34, "12.3"), (1234.5, "1234")],
)
def test_milliseconds_have_three_digits(milliseconds, said):
    assert report.ms(milliseconds) == said


def test_csv_and_json_hold_every_row(tmp_path):
    results = found(npnets=[0.1, 0.2], torch=[0.3])
    measured = [(report.rows(TINY, results, 2, LIMITS), results)]
    files.write_csv(tmp_path / "a.csv", measured)
    files.write_json(tmp_path / "a.json", machine.describe(2), {2: LIMITS}, measured)
    with open(tmp_path / "a.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["peer"], row["median_ms"]) for row in rows] == [
        ("npnets", "150"),
        ("torch", "300"),
    ]
    assert rows[0]["folded_over_peer"] == ""
    said = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert [result["seconds"] for result in said["results"]] == [[0.1, 0.2], [0.3]]
    assert said["machine"]["packages"]["numpy"] == np.__version__
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.json"]


def test_the_chart_has_a_bar_for_every_peer(tmp_path):
    rows = many(TINY, [0.01, 0.02])
    chart.draw([[rows, rows[:2]], [rows[:1]]], tmp_path / "chart.png", "a machine")
    with Image.open(tmp_path / "chart.png") as picture:
        assert min(picture.size) > 300
        colours = {colour for _, colour in picture.convert("RGB").getcolors(2**20)}
    for row in rows:
        colour = chart.COLOURS[row.peer.removesuffix("-tuned")]
        assert tuple(bytes.fromhex(colour[1:])) in colours
    assert [path.name for path in tmp_path.iterdir()] == ["chart.png"]


def test_bench_measures_and_leaves_its_files(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(turns, "limits", lambda threads: {1: LIMITS, threads: LIMITS})
    arguments = ["bench", TINY.model, "--against", "none", "--small-images", "--batch", "4"]
    arguments += ["--workloads", "step,forward:1,ops:shuffle", "--seconds", "0.1"]
    arguments += ["--threads", "1", "--out", str(tmp_path / "out")]
    assert cli.main(arguments) == 0
    out = capsys.readouterr().out
    assert "training step, 4 images of 32 × 32" in out
    assert "shuffle g3 32×240×28×28" in out
    said = json.loads((tmp_path / "out/results.json").read_text(encoding="utf-8"))
    kinds = [(r["kind"], r["peer"]) for r in said["results"] if r["peer"] == "npnets"]
    assert kinds == [("step", "npnets"), ("forward", "npnets"), ("op", "npnets"), ("op", "npnets")]
    assert all(len(r["seconds"]) >= 6 and min(r["seconds"]) > 0 for r in said["results"])
    assert said["machine"]["threads"] == 1
    names = ["networks.png", "ops.png", "results.csv", "results.json"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mobilenet_v3"], "unknown model 'mobilenet_v3'"),
        (["--against", "tensorflow"], "unknown peer 'tensorflow'"),
        (["--threads", "0"], "--threads must be at least 1"),
        (["--seconds", "0"], "--seconds positive"),
        (["--workloads", "training"], "a workload must be one of"),
    ],
)
def test_mistakes_end_with_one_line(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["bench", *arguments]) == 1
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_limits_are_numbers(monkeypatch):
    monkeypatch.setattr(machine, "MATRIX", 64)
    monkeypatch.setattr(machine, "COPIED", 2**20)
    limits = machine.limits(2)
    assert set(limits) == set(LIMITS)
    assert min(limits.values()) > 0
    assert machine.cpu_model()
    assert machine.peak_memory() is None or machine.peak_memory() > 10**7
