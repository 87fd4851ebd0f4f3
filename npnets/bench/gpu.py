"""The GPU half of the story: the networks, and their units in stacks, in PyTorch on one GPU.

    python -m npnets.bench.gpu --out gpu.csv

It needs PyTorch and this package, and an NVIDIA GPU; `--device cpu` tries it where there is none.
The networks are those of torch_twin, inference, eager, in float32 with TF32 off, and with
cudnn.benchmark on, which lets cuDNN choose the fastest of its algorithms. Each is timed with one
image and with 64, in both layouts: NCHW, and channels_last, which is NHWC in memory.

Calls are queued one behind the other between CUDA events; a time is what passes on the GPU from
the event before a call to the event behind it. Where the GPU is done before Python has queued the
next operation, its waiting is in that time, as a user meets it. The first calls are not counted.

What is counted is counted by npnets on its own network, whose weights the twin is given: if the
two did not pair array by array, that would fail. `read` returns what a run has left.
"""

import argparse
import csv
import dataclasses
import io
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from npnets.bench import gpu_subjects, machine, stats
from npnets.files import write_text

SCRIPT = 1  # to be raised when a change here changes what is measured
BATCHES, LAYOUTS = (1, 64), ("NCHW", "channels_last")
WARM_UP, FEWEST, MOST = 0.5, 20, 1000  # seconds before, and calls that are counted


@dataclass(frozen=True)
class Row:
    """What one batch takes: a subject, a batch size and a layout, on a machine.

    `subject` is a network, or ten units in a stack ("units:…"), whose input is (batch, channels,
    size, size). Multiply-adds, and elements read or written, are of the whole batch; `ms` is the
    median of `calls`, with quartiles; gmacs_per_s is 10⁹ multiply-adds per second. The rest says
    where the numbers come from.
    """

    subject: str
    channels: int
    size: int
    batch: int
    layout: str
    multiply_adds: int
    elements: int
    ms: float
    ms_q1: float
    ms_q3: float
    calls: int
    gmacs_per_s: float
    device: str
    driver: str
    torch: str
    cuda: str
    cudnn: str
    dtype: str
    tf32: str
    cudnn_benchmark: str
    date: str
    script: int


def main(argv=None):
    """Measure all that is asked for and write the CSV; return 0, or 1 where it cannot be."""
    args = _parser().parse_args(argv)
    try:
        torch = gpu_subjects.pytorch()
        check_device(torch, args.device)
        subjects = gpu_subjects.all_of(args.models, args.units)
        if min(args.batch) < 1 or not args.seconds > 0:
            raise ValueError("--batch must be at least 1, and --seconds positive")
        rows = []
        for subject in subjects:
            rows += measure(subject, args.device, args.batch, args.seconds)
            write(args.out, rows)  # so that a run that is cut off leaves what it has
            for row in rows[-len(args.batch) * len(LAYOUTS) :]:
                print(shown(row), flush=True)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        print(f"npnets.bench.gpu: {error}", file=sys.stderr)
        return 1
    return 0


def _parser():
    parser = argparse.ArgumentParser(prog="python -m npnets.bench.gpu", allow_abbrev=False)
    add = parser.add_argument
    add("--out", required=True, metavar="FILE.csv", help="where the table goes")
    add("--models", nargs="*", help="names that `npnets list` shows; default: all of them")
    add("--units", action=argparse.BooleanOptionalAction, default=True, help="also stacked units")
    add("--batch", type=int, nargs="+", default=BATCHES, help="images in a batch (default: 1 64)")
    add("--seconds", type=float, default=1.0, help="for each row, about (default: 1)")
    add("--device", choices=("cuda", "cpu"), default="cuda", help="cpu: only to try this script")
    return parser


def check_device(torch, device):
    """Raise RuntimeError, with what is needed, where the device is not there."""
    if device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError(
            "this needs an NVIDIA GPU and a PyTorch that can use it, but PyTorch "
            f"{torch.__version__} finds none (torch.cuda.is_available() is False). Run the same "
            "command on a machine that has one. --device cpu tries the script without a GPU."
        )


def measure(subject, device, batches=BATCHES, seconds=1.0):
    """Return a Row for each batch size and layout of a Subject."""
    cost, twin, about = subject.cost(), subject.twin().to(device).eval(), provenance(device)
    rows = []
    for batch in batches:
        macs = batch * cost.macs
        elements = batch * (cost.elements - cost.values) + cost.values  # weights are read once
        shape = batch, subject.channels, subject.size, subject.size
        for layout in LAYOUTS:
            found = stats.summarize(forward_times(twin, shape, layout, device, seconds))
            ms = [1e3 * found[name] for name in ("median", "q1", "q3")]
            speed = 1e-9 * macs / found["median"]
            where = subject.name, subject.channels, subject.size, batch, layout
            rows.append(Row(*where, macs, elements, *ms, found["count"], speed, **about))
    return rows


def forward_times(twin, shape, layout, device, seconds):
    """Return the seconds of each call of a network on normal numbers of this shape."""
    torch = gpu_subjects.pytorch()
    form = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    images = torch.from_numpy(np.random.default_rng(0).standard_normal(shape, np.float32))
    x, twin = images.to(device, memory_format=form), twin.to(memory_format=form)
    with settings(torch), torch.inference_mode():
        return call_times(lambda: twin(x), device, seconds)


@contextmanager
def settings(torch):
    """Within the block: full float32, and algorithms that cuDNN has tried out."""
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    before = cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32
    cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = True, False, False
    try:
        yield
    finally:
        cudnn.benchmark, cudnn.allow_tf32, matmul.allow_tf32 = before


def call_times(run, device, seconds):
    """Return the seconds of each call, after calls for WARM_UP seconds, or `seconds` if fewer."""
    torch = gpu_subjects.pytorch()
    finish = torch.cuda.synchronize if device == "cuda" else lambda: None
    start, calls = time.perf_counter(), 0
    while calls < 3 or time.perf_counter() - start < min(WARM_UP, seconds):
        run()
        finish()
        calls += 1
    each = (time.perf_counter() - start) / calls
    count = int(min(MOST, max(FEWEST, seconds / each)))
    return _by_events(torch, run, count) if device == "cuda" else _by_clock(run, count)


def _by_events(torch, run, count):
    """The GPU notes the time before and behind each call; Python only queues them."""
    events = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(count)]
    for before, behind in events:
        before.record()
        run()
        behind.record()
    torch.cuda.synchronize()
    return [1e-3 * before.elapsed_time(behind) for before, behind in events]


def _by_clock(run, count):
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return seconds


def provenance(device):
    """Return the fields of a Row that say where its numbers come from."""
    torch = gpu_subjects.pytorch()
    on_gpu = device == "cuda"
    return {
        "device": torch.cuda.get_device_name() if on_gpu else f"CPU: {machine.cpu_model()}",
        "driver": _driver() if on_gpu else "none",
        "torch": torch.__version__,
        "cuda": (torch.version.cuda or "none") if on_gpu else "none",
        "cudnn": str(torch.backends.cudnn.version()) if on_gpu else "none",
        "dtype": "float32",
        "tf32": "off",
        "cudnn_benchmark": "on",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "script": SCRIPT,
    }


def _driver():
    command = "nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"
    try:
        asked = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return asked.stdout.splitlines()[0].strip() if asked.stdout.strip() else "unknown"


def shown(row):
    """Return a row as a line."""
    return (
        f"{row.subject:<40}{row.batch:>4} × {row.size:<4}{row.layout:<15}{row.ms:>9.3f} ms"
        f"{row.gmacs_per_s:>10.1f} GMAC/s"
    )


def write(path, rows):
    """Write rows as CSV, numbers with six digits."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in dataclasses.fields(Row)])
    writer.writeheader()
    for row in rows:
        cells = dataclasses.asdict(row).items()
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in cells})
    write_text(path, text.getvalue())


def read(path):
    """Return the Rows of a CSV that this script has written.

    Raises FileNotFoundError where there is none, and ValueError where it holds something else.
    """
    if not Path(path).exists():
        raise FileNotFoundError(
            f"the times on a GPU are missing: there is no {path}. On a machine with an NVIDIA "
            f"GPU: python -m npnets.bench.gpu --out {path}"
        )
    fields = {field.name: field.type for field in dataclasses.fields(Row)}
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if list(reader.fieldnames or []) != list(fields):
            raise ValueError(
                f"{path} must have the columns {list(fields)}, got {reader.fieldnames}"
            )
        return [Row(**{k: fields[k](v) for k, v in line.items()}) for line in reader]


if __name__ == "__main__":
    sys.exit(main())
