"""A bug, and how it is planted: in a copy of the code, never in the code itself."""

import inspect
from dataclasses import dataclass
from importlib import import_module
from types import FunctionType, SimpleNamespace

MODULES = [
    import_module(f"npnets.{name}")
    for name in (
        "ops.window", "ops.bias", "ops.conv", "ops.depthwise", "ops.pointwise", "ops.channel",
        "ops.activation", "ops.norm", "ops.pool", "ops.linear", "ops.loss", "layer", "layers",
        "blocks", "nets.mobilenet_v2", "nets.shufflenet_v1", "nets.shufflenet_v2",
    )
]  # fmt: skip

# Why a bug survives a check whose loss is the sum of y, so that each dy is 1
ALIKE = "every dy is 1, so that it does not matter which one is taken"
FACTOR = "every dy is 1, so that a dy that is left out is not missed"
NORMAL = "a normalized channel sums to beta times its size, whatever x is: the true dx is 0"


@dataclass(frozen=True)
class Bug:
    """A small edit of the source of one function or class: `old`, found once, becomes `new`.

    `why` says what went wrong. `survives_sum` says why the bug survives a check whose loss is
    the sum of y, and is empty where it does not.
    """

    function: str
    old: str
    new: str
    why: str
    survives_sum: str = ""

    def edit(self, source):
        """Return the source with the bug in it, or raise ValueError."""
        if (found := source.count(self.old)) != 1:
            raise ValueError(
                f"{self.old!r} must be found once in {self.function}, got {found} times: the code "
                "has changed, and the bug must follow"
            )
        return source.replace(self.old, self.new)


def true_code():
    """Return all operations, layers and units in one namespace, helpers included."""
    everything = {}
    for module in MODULES:
        everything |= {n: thing for n, thing in vars(module).items() if not n.startswith("__")}
    return SimpleNamespace(**everything)


def plant(bug):
    """Return a copy of the true code in which the bug lives; kernels are left out.

    Every function of the copy looks its helpers up in the copy: a bug in a helper is seen by all
    functions that use it. Functions of other modules, which say how operations run, stay.
    """
    code = vars(true_code())
    source = inspect.getsource(code[bug.function])
    names = {module.__name__ for module in MODULES}
    for name, thing in code.items():
        function = getattr(thing, "definition", thing)
        if isinstance(function, FunctionType) and function.__module__ in names:
            code[name] = _copy(function, code)
    exec(bug.edit(source[source.index(_keyword(code[bug.function])) :]), code)
    code[bug.function].definition = code[bug.function]
    return SimpleNamespace(**code)


def _copy(function, code):
    """Return the same function, which finds in `code` what it refers to by name."""
    twin = FunctionType(
        function.__code__, code, function.__name__, function.__defaults__, function.__closure__
    )
    twin.__kwdefaults__, twin.definition = function.__kwdefaults__, twin
    return twin


def _keyword(thing):
    """Return where the source starts that is to be run: behind the decorators."""
    return "class " if inspect.isclass(thing) else "def "
