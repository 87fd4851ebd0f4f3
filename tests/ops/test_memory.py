"""Memory is used again when nothing views it any more, and never before."""

import ctypes
import os
import subprocess
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import npnets
from npnets import ops
from npnets.ops import memory
from npnets.optim import SGD

NETWORKS = (
    "mobilenet_v1_x0_25",
    "mobilenet_v2_x0_35",
    "shufflenet_v1_x0_25_g3",
    "shufflenet_v2_x0_5",
)
MEGABYTE = 1 << 20
every_network = pytest.mark.parametrize("name", NETWORKS)
needs_numba = pytest.mark.skipif(not ops.op.has_numba, reason="Numba cannot be imported")
pytestmark = pytest.mark.skipif(not memory._counts, reason="references cannot be counted")


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    """Each test begins with no memory held, and the reuse switched on."""
    monkeypatch.setattr(memory, "_blocks", {})
    monkeypatch.setattr(memory, "_most", 0)
    monkeypatch.setattr(memory, "ALWAYS", 0)
    monkeypatch.setattr(memory, "_on", True)


def address(array):
    return array.__array_interface__["data"][0]


def block(kilobytes=256, dtype=np.float32):
    """Return an array that has a block to itself, with numbers in it."""
    array = memory.empty((kilobytes, 1024 // np.dtype(dtype).itemsize), dtype)
    array[...] = np.arange(array.size).reshape(array.shape)
    return array


def build(name):
    return npnets.create_model(name, num_classes=10, small_images=True, rng=0)


def images(N=4, size=16, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N, 3, size, size)).astype(np.float32)


def train_step(net, optimizer, x, seed=0):
    """Return logits and dx of one step."""
    labels = np.random.default_rng(seed).integers(0, 10, len(x))
    logits = net.forward(x)
    dx = net.backward(ops.cross_entropy_backward(logits, labels))
    optimizer.step(0.01)
    return logits, dx


# Used again, when the last view is gone


def test_what_is_let_go_serves_again():
    y = block()
    first = address(y)
    del y
    assert address(block()) == first


def test_what_is_kept_does_not():
    kept = [block() for _ in range(5)]
    assert len({address(array) for array in kept}) == 5
    for array in kept:
        assert_array_equal(array.ravel(), np.arange(array.size))


def test_sizes_that_are_nearly_equal_share_a_block():
    y = memory.empty(100_000, np.float32)
    first = address(y)
    del y
    y = memory.empty((49_500, 1), np.float64)
    assert address(y) == first
    assert y.shape == (49_500, 1)
    assert y.dtype == np.float64


@pytest.mark.parametrize("size", [memory.SMALL, 70_001, 98_304, 100_000, 131_073, 1_000_003])
def test_a_block_is_as_large_as_needed_and_at_most_an_eighth_larger(size):
    y = memory.empty(size, np.uint8)
    used, waiting = memory.memory_held()
    assert size <= used <= size * 9 / 8 + memory.ALIGNMENT
    assert waiting == 0
    start = address(y) - address(y.base)
    assert start >= 0
    assert start + size <= y.base.nbytes


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_arrays_begin_where_a_cache_line_does(dtype):
    kept = [memory.empty((n, 3), dtype) for n in range(12_000, 60_000, 2_003)]
    assert {address(array) % 64 for array in kept} == {0}
    assert all(array.flags.c_contiguous and array.flags.writeable for array in kept)


def test_small_arrays_are_not_held():
    assert memory.empty(memory.SMALL - 1, np.uint8).base is None
    assert memory.empty((0, 3, 8, 8), np.float32).shape == (0, 3, 8, 8)
    assert memory.empty((), np.float32).shape == ()
    assert memory.memory_held() == (0, 0)


def test_zeros_are_zero_where_there_were_numbers():
    y = block()
    first, shape = address(y), y.shape
    del y
    y = memory.zeros(shape, np.float32)
    assert address(y) == first
    assert not y.any()


# Kept, however it is kept


class Holder:
    pass


def keep_as_attribute(y):
    holder = Holder()
    holder.y = y
    return holder


def keep_in_a_closure(y):
    return lambda: y


def keep_in_a_cycle(y):
    cycle = [y]
    cycle.append(cycle)
    return cycle


def keep_in_torch(y):
    return pytest.importorskip("torch").from_numpy(y)[3:].permute(1, 0)


def keep_in_a_layer(y):
    layer = npnets.layers.ReLU()
    layer.save(y)
    return layer


KEEPERS = {
    "itself": lambda y: y,
    "a slice": lambda y: y[3:5, 7:9],
    "a slice of no numbers": lambda y: y[:0],
    "a slice of a slice": lambda y: y[3:][::2][:, ::-1],
    "another shape": lambda y: y.reshape(2, -1, 4),
    "flat": lambda y: y.ravel(),
    "transposed": lambda y: y.T,
    "one axis more": lambda y: y[None, ..., None],
    "another dtype": lambda y: y.view(np.int16),
    "a diagonal": lambda y: y.diagonal(),
    "broadcast": lambda y: np.broadcast_to(y, (3, *y.shape)),
    "windows": lambda y: np.lib.stride_tricks.sliding_window_view(y, 3, axis=0),
    "strided": lambda y: np.lib.stride_tricks.as_strided(y, (4, 4), (8, 4)),
    "a subclass": lambda y: y.view(np.ma.MaskedArray),
    "read-only": lambda y: np.require(y.view(), requirements="C"),
    "its base": lambda y: y.base,
    "an iterator": lambda y: y.flat,
    "a memoryview": lambda y: memoryview(y)[2:3],
    "bytes of a memoryview": lambda y: memoryview(y).cast("B")[5:],
    "a buffer": lambda y: np.frombuffer(y, np.uint8)[12:],
    "DLPack": np.from_dlpack,
    "a pointer": lambda y: y.ctypes.data_as(ctypes.c_void_p),
    "torch": keep_in_torch,
    "lists": lambda y: [[y]],
    "an object array": lambda y: np.array([None, y], object),
    "an attribute": keep_as_attribute,
    "a cycle": keep_in_a_cycle,
    "a closure": keep_in_a_closure,
    "a default": lambda y: lambda x=y: x,
    "a generator": lambda y: (row for row in y),
    "a layer": keep_in_a_layer,
}


@pytest.mark.parametrize("keep", KEEPERS.values(), ids=KEEPERS)
def test_an_array_that_is_kept_is_not_overwritten(keep):
    y = block()
    start, before = address(y), y.tobytes()
    kept = keep(y)
    del y
    for number in range(3):
        others = [block() for _ in range(2)]
        for other in others:
            assert address(other) != start
            other.fill(number)
    assert ctypes.string_at(start, len(before)) == before
    assert kept is not None


def test_an_array_in_another_thread_is_not_overwritten():
    start, kept, end, found = [], threading.Event(), threading.Event(), []

    def keep():
        y = block()
        start.append(address(y))
        kept.set()
        end.wait(10)
        found.append(y.copy())

    thread = threading.Thread(target=keep)
    thread.start()
    assert kept.wait(10)
    for _ in range(3):
        other = block()
        assert address(other) != start[0]
        other.fill(-1)
    end.set()
    thread.join(10)
    assert_array_equal(found[0].ravel(), np.arange(found[0].size))
    del thread
    assert start[0] in {address(block()) for _ in range(3)}, "the thread has let go of it"


@every_network
def test_what_a_user_keeps_of_a_step_outlives_the_next(name):
    net = build(name)
    optimizer, kept, copies = SGD(net.parameters()), [], []
    for step in range(3):
        x = images(seed=step)
        arrays = [x, *train_step(net, optimizer, x, step)]
        arrays += [parameter.grad for parameter in net.parameters().values()]
        kept += arrays
        copies += [array.copy() for array in arrays]
    net.eval()
    kept += [net.forward(images(seed=step)) for step in range(2)]
    copies += [array.copy() for array in kept[len(copies) :]]
    net.train()
    train_step(net, optimizer, images(seed=9))
    for array, copy in zip(kept, copies, strict=True):
        assert_array_equal(array, copy)


@every_network
def test_what_a_layer_saves_outlives_the_passes_of_other_networks(name):
    net, other = build(name), build(name)
    logits = net.forward(images())
    expected = net.backward(logits).copy()
    net.forward(images())
    train_step(other, SGD(other.parameters()), images(seed=1))
    other.eval().forward(images(seed=2))
    assert_array_equal(net.backward(logits), expected)


# The same results, and no more memory than that


@every_network
def test_reuse_changes_no_bit(name):
    states = []
    for on in (False, True, True):
        with ops.reuse_memory(on):
            net = build(name)
            optimizer = SGD(net.parameters(), weight_decay=1e-4)
            for step in range(3):
                logits, dx = train_step(net, optimizer, images(seed=step), step)
            states.append({**net.state(), "logits": logits.copy(), "dx": dx.copy()})
    for state in states[1:]:
        assert state.keys() == states[0].keys()
        for key, array in state.items():
            assert array.tobytes() == states[0][key].tobytes(), key


def asked_for(name, reuse):
    """Return the most bytes that a third training step holds of what it asked NumPy for."""
    net, x = build(name), images(16, 32)
    optimizer = SGD(net.parameters())
    with ops.use_kernels(True), ops.use_threads(1), ops.reuse_memory(reuse):
        for _ in range(2):
            train_step(net, optimizer, x)
        tracemalloc.start()
        try:
            train_step(net, optimizer, x)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


@needs_numba
@every_network
def test_after_the_first_steps_a_step_asks_for_little(name):
    """For the gradients of weights, their parts, and the statistics; not for images."""
    assert asked_for(name, reuse=True) < asked_for(name, reuse=False) / 10


@needs_numba
@every_network
def test_without_reuse_every_step_asks_for_memory(name):
    net, x = build(name), images(16, 32)
    with ops.use_kernels(True), ops.use_threads(1), ops.reuse_memory(False):
        tracemalloc.start()
        try:
            train_step(net, SGD(net.parameters()), x)
            assert tracemalloc.get_traced_memory()[1] > 8 * MEGABYTE
        finally:
            tracemalloc.stop()
    assert ops.memory_held() == (0, 0)


@pytest.fixture
def watched(monkeypatch):
    """A function that returns the most bytes in use at once, and the most held, so far."""
    most_used, most_held, draw = [0], [0], memory.empty

    def watching(shape, dtype):
        array = draw(shape, dtype)
        used, waiting = memory.memory_held()
        most_used.append(max(most_used[-1], used))
        assert used + waiting <= memory.SPARE * most_used[-1] + 64
        most_held.append(max(most_held[-1], used + waiting))
        return array

    monkeypatch.setattr(memory, "empty", watching)
    return lambda: (most_used[-1], most_held[-1])


def test_what_is_held_is_bounded_whatever_is_drawn(watched):
    rng, kept = np.random.default_rng(0), []
    for _ in range(1500):
        if kept and rng.random() < 0.5:
            kept.pop(rng.integers(len(kept)))
        if rng.random() < 0.02:
            kept.clear()
        kept.append(memory.empty(int(2 ** rng.uniform(10, 20)), np.uint8))
    most_used, most_held = watched()
    assert MEGABYTE < most_used <= most_held


def test_what_was_unused_the_longest_goes_first():
    sizes = 100, 200, 300, 400
    kept = [block(size) for size in sizes]
    used, _ = memory.memory_held()
    for _ in sizes:
        del kept[0]
    kept = block(600)  # too much beside all four
    assert sum(memory.memory_held()) <= memory.SPARE * used
    left = {size for size, alike in memory._blocks.items() if alike}
    assert memory._rounded(400 * 1024) in left
    assert memory._rounded(100 * 1024) not in left


def test_so_much_is_kept_in_any_case(monkeypatch):
    monkeypatch.setattr(memory, "ALWAYS", 2 * MEGABYTE)
    sizes = 100, 200, 300, 400  # kilobytes, one after another: never more than 400 are in use
    for size in sizes:
        block(size)
    used, waiting = memory.memory_held()
    assert used == 0
    assert waiting >= sum(sizes) * 1024


def test_memory_is_given_back():
    tracemalloc.start()
    try:
        kept = block(4096)
        dropped = [block(2048) for _ in range(3)]
        del dropped
        used, waiting = memory.memory_held()
        assert kept.nbytes <= used < 1.2 * kept.nbytes
        assert waiting >= 6 * MEGABYTE
        before, _ = tracemalloc.get_traced_memory()
        ops.release_memory()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert before - after >= 6 * MEGABYTE
    assert memory.memory_held() == (used, 0)
    assert_array_equal(kept.ravel(), np.arange(kept.size))
    del kept
    assert memory.memory_held() == (0, used), "it is known as before"


# Several threads at once


def test_threads_never_get_the_same_memory():
    wrong, start = [], threading.Barrier(3)

    def hammer(number):
        start.wait(10)
        for turn in range(2000):
            mine = [memory.empty(memory.SMALL, np.uint8) for _ in range(1 + turn % 3)]
            for array in mine:
                array[::512] = number
            if turn % 500 == 0:
                memory.release_memory()
            wrong.extend(array for array in mine if not (array[::512] == number).all())

    threads = [threading.Thread(target=hammer, args=(number,)) for number in range(3)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        sys.setswitchinterval(interval)
    assert not any(thread.is_alive() for thread in threads)
    assert not wrong
    assert memory.memory_held()[0] == 0


# On and off


def test_reuse_is_switched_for_good_and_for_a_block():
    ops.reuse_memory(False)
    assert block().base is None
    with ops.reuse_memory(True):
        assert block().base is not None
        with ops.reuse_memory(False):
            assert block().base is None
            assert memory.memory_held() == (0, 0), "nothing waits any more"
        assert block().base is not None
    assert block().base is None
    with pytest.raises(KeyError), ops.reuse_memory(True):
        raise KeyError
    assert block().base is None
    ops.reuse_memory()
    assert block().base is not None


def test_what_was_drawn_before_it_is_switched_off_stays():
    y = block()
    with ops.reuse_memory(False):
        block().fill(-1)
        assert_array_equal(y.ravel(), np.arange(y.size))
    block().fill(-1)
    assert_array_equal(y.ravel(), np.arange(y.size))


def test_where_references_cannot_be_counted_nothing_is_held(monkeypatch):
    monkeypatch.setattr(memory, "_counts", False)
    monkeypatch.setattr(memory, "_UNUSED", 0)
    monkeypatch.setattr(memory, "_on", False)
    with ops.reuse_memory(True):
        for _ in range(3):
            block()
        assert sum(len(alike) for alike in memory._blocks.values()) == 0


PROGRAM = """
import numpy as np
from npnets import ops
x = np.ones((4, 8, 64, 64), np.float32)
y = ops.add(x, x)
del y
y = ops.add(x, x)
print(y.sum(), *ops.memory_held())
"""


@needs_numba
@pytest.mark.parametrize(("setting", "held"), [("0", False), ("1", True), (None, True)])
def test_the_environment_switches_it_off(setting, held):
    environment = {**os.environ, "PYTHONPATH": str(Path(npnets.__file__).parents[1])}
    environment.pop("NPNETS_REUSE_MEMORY", None)
    environment["NPNETS_KERNELS"] = "1"
    if setting is not None:
        environment["NPNETS_REUSE_MEMORY"] = setting
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    total, used, waiting = map(float, done.stdout.split())
    assert total == 2 * 4 * 8 * 64 * 64
    assert (used > 0) is held
    assert waiting == 0, "the second result lies where the first did"


# Results where the caller wants them


def test_into_returns_the_array_it_is_given():
    out = np.empty((3, 4), np.float32)
    assert memory.into(out, (3, 4), np.float32) is out
    assert memory.into(out, [3, 4], np.float32, np.ones((3, 4))) is out


def test_into_draws_memory_where_there_is_no_array():
    y = memory.into(None, (64, 1024), np.float32, np.ones(3))
    assert y.shape == (64, 1024)
    assert memory.memory_held()[0] >= y.nbytes


@pytest.mark.parametrize(
    ("out", "came"),
    [
        (np.empty((3, 5), np.float32), r"got \(3, 5\), float32"),
        (np.empty((3, 4), np.float64), r"got \(3, 4\), float64"),
        (np.empty(12, np.float32), r"got \(12,\), float32"),
        ([[0.0] * 4] * 3, "got list"),
        (0.0, "got float"),
    ],
)
def test_into_says_what_was_needed_and_what_came(out, came):
    needed = r"out must be an array of shape \(3, 4\), float32, "
    with pytest.raises(ValueError, match=needed + came):
        memory.into(out, (3, 4), np.dtype(np.float32))


def test_into_says_the_dtype_alike_for_a_type_and_a_dtype():
    with pytest.raises(ValueError, match=r"shape \(3, 4\), .*float32.*, got list"):
        memory.into([], (3, 4), np.float32)


def test_into_wants_memory_in_order_and_writable():
    whole = np.empty((3, 8), np.float32)
    locked = np.empty((3, 4), np.float32)
    locked.setflags(write=False)
    for out in (whole[:, ::2], whole[:, :4], np.asfortranarray(whole[:, :4]), locked):
        with pytest.raises(ValueError, match="out must be C-contiguous and writable"):
            memory.into(out, (3, 4), np.float32)


def test_into_wants_memory_that_is_not_read():
    whole = np.empty((6, 4), np.float32)
    out = whole[:3]
    assert memory.into(out, (3, 4), np.float32, whole[3:]) is out
    for array in (whole, out, out[1:2, 1:2], whole.T, whole[2:5]):
        with pytest.raises(ValueError, match="out must not share memory with what the operation"):
            memory.into(out, (3, 4), np.float32, np.ones(3), array)
