"""What is timed: a training step or inference of a network, or a single operation."""

from dataclasses import dataclass
from functools import cached_property

from npnets.bench.op_cases import CASES
from npnets.cost import summarize
from npnets.nets import create_model

MODELS = "mobilenet_v1", "mobilenet_v2", "shufflenet_v1_x1_0_g3", "shufflenet_v2_x1_0"
WORKLOADS = "step,forward"
KINDS = "step", "forward", "ops"


@dataclass(frozen=True)
class NetWorkload:
    """A training step ("step") or inference ("forward") of a network on a batch of images."""

    model: str
    kind: str
    batch: int
    size: int
    small_images: bool = False

    @property
    def name(self):
        """A name such as mobilenet_v2:step:32."""
        return f"{self.model}:{self.kind}:{self.batch}"

    @property
    def group(self):
        return self.model

    @property
    def title(self):
        what = {"step": "training step", "forward": "inference"}[self.kind]
        images = "1 image" if self.batch == 1 else f"{self.batch} images"
        return f"{what}, {images} of {self.size} × {self.size}"

    @property
    def num_classes(self):
        return 10 if self.small_images else 1000

    def create(self):
        """Return the network in npnets, drawn from a fixed seed."""
        options = {"num_classes": self.num_classes, "small_images": self.small_images}
        return create_model(self.model, rng=0, **options)

    @cached_property
    def macs(self):
        """Multiply-adds; a training step takes three times those of its forward pass."""
        per_image = summarize(self.create(), (3, self.size, self.size)).macs
        return per_image * self.batch * (3 if self.kind == "step" else 1)

    bytes = None  # what a network must move depends on how much of it stays in the caches


@dataclass(frozen=True)
class OpWorkload:
    """One of op_cases.CASES: its forward, or its forward and backward."""

    case: str
    backward: bool

    kind = "op"

    @property
    def name(self):
        return f"{self.case}:{'forward+backward' if self.backward else 'forward'}"

    @property
    def group(self):
        return CASES[self.case].title

    @property
    def title(self):
        return "forward and backward" if self.backward else "forward"

    @property
    def macs(self):
        return CASES[self.case].macs(self.backward)

    @property
    def bytes(self):
        return CASES[self.case].bytes(self.backward)


def parse(text, models, *, batch=None, size=None, small_images=False):
    """Return the workloads of a list such as "step,forward:1,ops:depthwise".

    step and forward are of every model, with `batch` images or as many as stand behind the
    colon; forward alone is of one image, too. ops are all CASES, or those whose name has what
    stands behind the colon. Raises ValueError for what is unknown.
    """
    usual = batch or (128 if small_images else 32)
    size = size or (32 if small_images else 224)
    nets, ops = [], []
    for word in text.split(","):
        kind, _, detail = word.strip().partition(":")
        if kind not in KINDS:
            raise ValueError(f"a workload must be one of {', '.join(KINDS)}, got {word!r}")
        if kind == "ops":
            ops += _cases(detail)
        else:
            nets += [(kind, n) for n in _batches(kind, detail, usual)]
    if min([usual, size, *(n for _, n in nets)]) < 1:
        raise ValueError("--batch, --size and the number of images must be at least 1")
    if any(work == ("step", 1) for work in nets):
        raise ValueError("a training step needs at least 2 images: batch norm compares them")
    found = [NetWorkload(m, k, n, size, small_images) for m in models for k, n in nets]
    for workload in found[:: max(1, len(nets))]:
        workload.create()  # so that a wrong name fails now
    found += [OpWorkload(case, backward) for case in ops for backward in (False, True)]
    return list(dict.fromkeys(found))


def _batches(kind, detail, usual):
    if not detail:
        return [1, usual] if kind == "forward" else [usual]
    if not detail.isdecimal():
        raise ValueError(f"{kind}:{detail} must have a number of images behind the colon")
    return [int(detail)]


def _cases(detail):
    found = [name for name in CASES if detail in name]
    if not found:
        raise ValueError(f"no op has {detail!r} in its name; there are: {', '.join(CASES)}")
    return found
