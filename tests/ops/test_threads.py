"""Work is shared out among threads: each part once, the same bits, and nobody waits for ever."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl
from numpy.testing import assert_array_equal

import npnets
from npnets import ops
from npnets.ops import memory, threads
from npnets.ops.threads import IMAGES, by_images, layer_by_layer, share
from npnets.optim import SGD

NETWORKS = (
    "mobilenet_v1_x0_25",
    "mobilenet_v2_x0_35",
    "shufflenet_v1_x0_25_g3",
    "shufflenet_v2_x0_5",
)
LARGE = 1 << 30  # numbers to touch: worth sharing
every_network = pytest.mark.parametrize("name", NETWORKS)
needs_numba = pytest.mark.skipif(not ops.op.has_numba, reason="Numba cannot be imported")


@pytest.fixture(autouse=True)
def as_before():
    with ops.use_threads(ops.thread_count()):
        yield


@pytest.fixture
def share_all(monkeypatch):
    """Even the smallest work is shared."""
    monkeypatch.setattr(threads, "SMALL", 0)


def in_time(*functions, seconds=30):
    """Return what each function returns, each on a thread of its own; fail if one hangs."""
    results, errors, start = [None] * len(functions), [], threading.Barrier(len(functions))

    def run(k):
        try:
            start.wait(seconds)
            results[k] = functions[k]()
        except BaseException as error:
            errors.append(error)

    running = [threading.Thread(target=run, args=(k,), daemon=True) for k in range(len(functions))]
    for thread in running:
        thread.start()
    end = time.monotonic() + seconds
    for thread in running:
        thread.join(max(0, end - time.monotonic()))
    assert not any(thread.is_alive() for thread in running), "it hangs"
    if errors:
        raise errors[0]
    return results


def one_step(name, dtype=np.float32):
    """Return the bytes of all that one training step of a network makes."""
    net = npnets.create_model(name, num_classes=10, small_images=True, rng=0).astype(dtype)
    x = np.random.default_rng(0).standard_normal((4, 3, 16, 16)).astype(dtype)
    logits = net.forward(x)
    dx = net.backward(ops.cross_entropy_backward(logits, np.arange(4)))
    arrays = {name: parameter.grad for name, parameter in net.parameters().items()}
    SGD(net.parameters()).step(0.1)
    arrays = {"logits": logits, "dx": dx, **arrays}
    arrays |= {f"{key} after": value for key, value in net.state().items()}
    return {key: array.tobytes() for key, array in arrays.items()}


# Parts


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 8, 9, 13, 64, 101])
def test_parts_cover_everything_once(n, count):
    parts = []
    with ops.use_threads(n):
        in_time(lambda: share(lambda first, last: parts.append((first, last)), count, LARGE))
    assert all(first < last for first, last in parts)
    assert sorted(k for first, last in parts for k in range(first, last)) == list(range(count))


@pytest.mark.parametrize(("n", "count", "size"), [(1, 9, LARGE), (3, 1, LARGE), (3, 9, 1000)])
def test_what_is_not_worth_sharing_is_done_at_once_by_the_caller(n, count, size):
    calls = []
    with ops.use_threads(n):
        share(lambda *part: calls.append((*part, threading.current_thread())), count, size)
    assert calls == [(0, count, threading.current_thread())]


@pytest.mark.parametrize("n", [2, 3, 4])
def test_as_many_threads_as_asked_for_work_at_the_same_time(n):
    meet, seen = threading.Barrier(n), []

    def work(first, last):
        meet.wait(10)  # broken, and so an error, unless n threads come
        seen.append(threading.current_thread())

    with ops.use_threads(n):
        in_time(lambda: share(work, n, LARGE))
    assert len(set(seen)) == n


def test_with_fewer_threads_than_before_the_others_rest():
    with ops.use_threads(4):
        share(lambda *_: None, 4, LARGE)
    seen = set()
    with ops.use_threads(2):
        share(lambda *_: (time.sleep(0.01), seen.add(threading.current_thread())), 8, LARGE)
    assert len(seen) <= 2


def test_shared_work_may_share_again():
    total = np.zeros((7, 5))

    def outer(first, last):
        for row in range(first, last):
            share(lambda i, j, row=row: total[row, i:j].__iadd__(1), 5, LARGE)

    with ops.use_threads(3):
        in_time(lambda: share(outer, 7, LARGE))
    assert_array_equal(total, 1)


def test_callers_do_not_get_in_each_others_way():
    def caller(number):
        counts = np.zeros(23, int)

        def work(first, last):
            counts[first:last] += number

        for _ in range(100):
            share(work, 23, LARGE)
        return counts

    with ops.use_threads(3):
        found = in_time(*[lambda k=k: caller(k) for k in range(1, 6)])
    for number, counts in enumerate(found, 1):
        assert_array_equal(counts, 100 * number)


def test_what_was_shared_is_let_go_of_though_a_helper_is_late():
    with ops.use_threads(2):
        share(lambda *_: None, 2, LARGE)  # from here on there is a helper
        begun, end = threading.Semaphore(0), threading.Event()

        def busy(first, last):
            begun.release()
            end.wait(10)

        caller = threading.Thread(target=share, args=(busy, 2, LARGE))
        caller.start()
        try:
            assert begun.acquire(timeout=10)
            assert begun.acquire(timeout=10)  # the caller is at work, and so are all helpers
            result = np.zeros(10)
            kept = weakref.ref(result)
            late = [threads.use_threads(2), result]
            share(lambda i, j, y=result: y[i:j].fill(1), 10, LARGE)
            assert result.all()
            del late, result
            assert kept() is None
        finally:
            end.set()
            caller.join(10)


# Errors


class PartError(Exception):
    pass


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("part", [0, 5, 12])
@pytest.mark.parametrize("kind", [PartError, KeyboardInterrupt, SystemExit])
def test_an_error_in_a_part_reaches_the_caller(n, part, kind):
    def work(first, last):
        if first <= part < last:
            raise kind(f"part {part}")

    with ops.use_threads(n), pytest.raises(kind, match=f"part {part}"):
        in_time(lambda: share(work, 13, LARGE))


def test_an_error_on_another_thread_reaches_the_caller_and_the_thread_lives_on():
    def caller():
        meet, me, seen = threading.Barrier(2), threading.current_thread(), set()

        def work(first, last):
            meet.wait(10)
            seen.add(threading.current_thread())
            if threading.current_thread() is not me:
                raise PartError

        for _ in range(3):
            with pytest.raises(PartError):
                share(work, 2, LARGE)
        return seen

    with ops.use_threads(2):
        (seen,) = in_time(caller)
    assert all(thread.is_alive() or thread.daemon for thread in seen)
    test_as_many_threads_as_asked_for_work_at_the_same_time(2)


def test_if_all_parts_fail_one_error_comes():
    def work(first, last):
        raise PartError(first)

    with ops.use_threads(3), pytest.raises(PartError):
        in_time(lambda: share(work, 100, LARGE))


# A few images at a time


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("N", [1, IMAGES, IMAGES + 1, 3 * IMAGES + 2])
def test_images_go_through_a_few_at_a_time_and_come_in_order(n, N, share_all):
    x, seen = np.arange(2 * N).reshape(N, 2), []

    def forward(images):
        seen.append(len(images))
        return images[:, :1] ** 2

    with ops.use_threads(n):
        assert_array_equal(by_images(forward, x), x[:, :1] ** 2)
    assert sorted(seen) == sorted([IMAGES] * (N // IMAGES) + [N % IMAGES] * (N % IMAGES > 0))


def test_no_images_go_through_at_once():
    assert by_images(lambda images: images[:, :1], np.empty((0, 3))).shape == (0, 1)


def test_layer_by_layer_all_images_go_through_at_once():
    x, seen = np.zeros((3 * IMAGES, 1)), []
    with layer_by_layer():
        by_images(lambda images: seen.append(len(images)) or images, x)
    by_images(lambda images: seen.append(len(images)) or images, x)
    assert seen == [3 * IMAGES] + 3 * [IMAGES]


def test_several_threads_take_images_at_once_and_each_stays_with_its_own(share_all):
    together, workers = threading.Barrier(2), set()

    def forward(images):
        together.wait(30)  # both are in the midst of their images
        inner = []
        share(lambda *_: inner.append(threading.get_ident()), 4, LARGE)
        workers.add((threading.get_ident(), *inner))
        return images

    with ops.use_threads(2):
        in_time(lambda: by_images(forward, np.zeros((2 * IMAGES, 1))))
    assert len(workers) == 2
    assert all(len(set(worker)) == 1 for worker in workers)


# The same bits


@needs_numba
@every_network
def test_the_number_of_threads_changes_no_bit_of_a_training_step(name, share_all):
    found = []
    with ops.use_kernels(True):
        for n in (1, 2, 3):
            with ops.use_threads(n):
                found.append(one_step(name))
    for other in found[1:]:
        assert [key for key in found[0] if found[0][key] != other[key]] == []


@needs_numba
def test_networks_on_several_threads_at_once_do_as_alone(share_all):
    def steps(name):
        return [one_step(name) for _ in range(3)]

    with ops.use_kernels(True), ops.use_threads(2):
        alone = {name: one_step(name) for name in NETWORKS}
        names = NETWORKS * 2
        together = in_time(*[lambda name=name: steps(name) for name in names], seconds=60)
    for name, found in zip(names, together, strict=True):
        for step in found:
            assert [key for key in alone[name] if alone[name][key] != step[key]] == []


# One thread for matrix products


def blas_threads():
    return [library.num_threads for library in threads._blas()]


@pytest.fixture
def two_blas_threads():
    if not threads._blas():
        pytest.skip("threadpoolctl does not know this BLAS")
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        if set(before) != {2}:
            pytest.skip("this BLAS has one thread whatever it is told")
        yield before


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("size", [1, LARGE])
def test_within_share_a_matrix_product_has_one_thread(n, size, two_blas_threads):
    seen = []
    with ops.use_threads(n):
        share(lambda *_: seen.append(set(blas_threads())), 6, size)
    assert seen
    assert all(numbers == {1} for numbers in seen)
    assert blas_threads() == two_blas_threads


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("kind", [PartError, KeyboardInterrupt])
def test_after_an_error_matrix_products_have_their_threads_back(n, kind, two_blas_threads):
    def work(first, last):
        raise kind

    with ops.use_threads(n), pytest.raises(kind):
        in_time(lambda: share(work, 6, LARGE))
    assert blas_threads() == two_blas_threads


def test_the_last_of_several_callers_gives_matrix_products_their_threads_back(two_blas_threads):
    both_in, one_out, seen = threading.Barrier(2), threading.Event(), []

    def first(*_):
        both_in.wait(30)

    def last(*_):
        both_in.wait(30)
        assert one_out.wait(30)
        seen.append(blas_threads())

    def leave_first():
        share(first, 1, 1)
        seen.append(blas_threads())
        one_out.set()

    in_time(leave_first, lambda: share(last, 1, 1))
    assert [set(numbers) for numbers in seen] == [{1}, {1}]
    assert blas_threads() == two_blas_threads


# How many


def test_the_number_of_threads_is_set_for_good_and_for_a_block():
    ops.use_threads(3)
    assert ops.thread_count() == 3
    with ops.use_threads(1):
        assert ops.thread_count() == 1
        with ops.use_threads(np.int64(5)):
            assert ops.thread_count() == 5
        assert ops.thread_count() == 1
    assert ops.thread_count() == 3
    with pytest.raises(PartError), ops.use_threads(2):
        raise PartError
    assert ops.thread_count() == 3


@pytest.mark.parametrize("n", [0, -1, 1.5, True, "2", None])
def test_a_number_of_threads_that_makes_no_sense(n):
    before = ops.thread_count()
    with pytest.raises(ValueError, match=r"threads must be an int of at least 1, got"):
        ops.use_threads(n)
    assert ops.thread_count() == before


def cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


ENVIRONMENTS = [
    ({}, cores()),
    ({"NPNETS_THREADS": "3"}, 3),
    ({"OMP_NUM_THREADS": "5"}, 5),
    ({"NPNETS_THREADS": "3", "OMP_NUM_THREADS": "5"}, 3),
    ({"NPNETS_THREADS": "many", "OMP_NUM_THREADS": "5"}, 5),
    ({"NPNETS_THREADS": "0"}, 1),
    ({"NPNETS_THREADS": ""}, cores()),
    ({"NPNETS_THREADS": "-2"}, cores()),
    ({"NPNETS_THREADS": "1.5"}, cores()),
    ({"NPNETS_THREADS": "²"}, cores()),  # a digit to str.isdigit
]


@pytest.mark.parametrize(("settings", "expected"), ENVIRONMENTS)
def test_the_environment_says_how_many(settings, expected, monkeypatch):
    for name in ("NPNETS_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert threads._cores() == expected


# Other processes


def python(program, **settings):
    """Return what a program prints in a fresh Python."""
    environment = {**os.environ, "PYTHONPATH": str(Path(npnets.__file__).parents[1])}
    for name in ("NPNETS_THREADS", "OMP_NUM_THREADS"):
        environment.pop(name, None)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | settings,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(("settings", "expected"), [ENVIRONMENTS[1], ENVIRONMENTS[2]])
def test_the_environment_is_read_at_import(settings, expected):
    program = "from npnets import ops; print(ops.thread_count())"
    assert python(program, **settings) == str(expected)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be taken away")
def test_cores_that_a_process_may_not_use_do_not_count():
    program = (
        "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]);"
        "from npnets import ops; print(ops.thread_count())"
    )
    assert python(program) == "1"


IMPORTS = """
import os, sys, threading
before = dict(os.environ)
import npnets
assert dict(os.environ) == before, "the environment is the user's"
assert threading.active_count() == 1, "threads come with the first work"
print([name for name in ("numba", "torch", "matplotlib", "PIL") if name in sys.modules])
"""


def test_importing_npnets_changes_no_environment_and_imports_nothing_large():
    assert python(IMPORTS) == "[]"


ENDS = """
import threading
from npnets import ops
from npnets.ops.threads import IMAGES, by_images, layer_by_layer, share
with ops.use_threads(4):
    share(lambda first, last: None, 4, 1 << 30)
print(threading.active_count())
"""


def test_threads_that_wait_do_not_keep_a_process_alive():
    assert python(ENDS) == "4"


def child_step(connection, name):
    """Send what one step makes in a child process that has its threads and memory yet to make."""
    with ops.use_threads(2):
        meet = threading.Barrier(2)
        share(lambda *_: meet.wait(20), 2, LARGE)
        threads.SMALL = 0
        found = [one_step(name) for _ in range(2)]
        with memory._lock:
            pass
    connection.send(found)
    connection.close()


def of_a_child(method, name, seconds):
    """Return what a child process sends, or fail in time."""
    context = multiprocessing.get_context(method)
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=child_step, args=(sender, name), daemon=True)
    process.start()
    sender.close()
    try:
        assert receiver.poll(seconds), f"the {method} child hangs"
        found = receiver.recv()
        process.join(seconds)
        assert process.exitcode == 0
    finally:
        if process.is_alive():
            process.kill()
        process.join(10)
    return found


needs_fork = pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork"
)
# Python 3.12 warns whoever forks with threads running: this is what these tests are about.
warned = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


@warned
@pytest.mark.parametrize("method", ["spawn", pytest.param("fork", marks=needs_fork)])
def test_a_child_process_does_as_its_parent(method, share_all):
    name = NETWORKS[3]
    with ops.use_threads(3):
        expected = one_step(name)
        test_as_many_threads_as_asked_for_work_at_the_same_time(3)
        found = of_a_child(method, name, 60)
        assert found == [expected, expected]
        assert one_step(name) == expected, "and its parent as before"


@warned
@needs_fork
@pytest.mark.parametrize("place", ["share", "matrix products", "memory"])
def test_a_child_does_not_wait_for_threads_of_its_parent(place, share_all):
    inside, leave = threading.Event(), threading.Event()
    locks = {"matrix products": threads.one_blas_thread.lock, "memory": memory._lock}

    def rest(*_):
        inside.set()
        leave.wait(20)

    def elsewhere():
        if place == "share":
            share(rest, 2, LARGE)
        else:
            with locks[place]:
                rest()

    name = NETWORKS[0]
    with ops.use_threads(2):
        expected = one_step(name)
        other = threading.Thread(target=elsewhere)
        other.start()
        try:
            assert inside.wait(10)
            assert of_a_child("fork", name, 10) == [expected, expected]
        finally:
            leave.set()
            other.join(10)
