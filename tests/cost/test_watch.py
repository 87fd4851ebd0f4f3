"""Operations tell who watches, and nobody else."""

import threading

import numpy as np
import pytest

from npnets import MobileNetV2, ShuffleNetV2, create_model, ops
from npnets.cost.trace import trace, traced
from npnets.layers import PointwiseConv2d, Sequential
from npnets.ops.op import watch
from npnets.ops.threads import IMAGES

X = np.arange(-12, 12, dtype=np.float32).reshape(1, 4, 2, 3)


def test_each_operation_is_told_with_its_arguments_by_name():
    told = []
    with watch(lambda *call: told.append(call)):
        y = ops.channel_shuffle(ops.relu(X), groups=2)
        ops.avg_pool2d(X, 2, stride=1)
    assert [name for name, *_ in told] == ["relu", "channel_shuffle", "avg_pool2d"]
    (_, _, first, _), (_, arguments, result, seconds), (_, pooled, *_) = told
    assert arguments["x"] is first
    assert arguments["groups"] == 2
    assert result is y
    assert seconds > 0
    assert pooled == {"x": X, "kernel_size": 2, "stride": 1}


def test_what_runs_as_a_part_of_another_is_not_told():
    told = []
    with ops.use_kernels(False), watch(lambda name, *_: told.append(name)):
        ops.split_backward(X, X)  # which calls concat
    assert told == ["split_backward"]


def test_nobody_is_told_afterwards_and_the_inner_block_comes_first():
    outer, inner = [], []
    with watch(lambda name, *_: outer.append(name)):
        with watch(lambda name, *_: inner.append(name)):
            ops.relu(X)
        ops.relu6(X)
    ops.add(X, X)
    assert (outer, inner) == (["relu6"], ["relu"])


def test_the_callback_may_use_operations():
    told = []

    def callback(name, arguments, result, seconds):
        told.append(name)
        ops.relu(result)

    with watch(callback):
        ops.relu6(X)
    assert told == ["relu6"]


def test_what_another_thread_runs_is_not_told():
    told = []
    with watch(lambda name, *_: told.append(name)):
        thread = threading.Thread(target=ops.relu, args=(X,))
        thread.start()
        thread.join()
        ops.relu6(X)
    assert told == ["relu6"]


def test_after_an_error_the_watch_goes_on():
    told = []
    with watch(lambda name, *_: told.append(name)):
        with pytest.raises(ValueError, match="groups"):
            ops.channel_shuffle(X, 3)
        ops.relu(X)
    assert told == ["relu"]


def test_results_go_where_they_are_wanted():
    y = np.empty_like(X)
    with watch(lambda *_: None):
        assert ops.relu(X, out=y) is y
    assert (y == np.maximum(X, 0)).all()


@pytest.mark.parametrize("network", [MobileNetV2, ShuffleNetV2])
@pytest.mark.parametrize("kernels", [False, True] if ops.op.has_numba else [False])
def test_a_real_pass_runs_the_operations_of_the_trace(network, kernels):
    net = network(0.5, num_classes=3, rng=0).eval()
    x = np.zeros((2, 3, 32, 32), np.float32)
    with ops.use_kernels(kernels), traced(net) as calls:
        y = net.forward(x)
    expected = trace(net, (3, 32, 32))
    assert [(c.name, c.op) for c in calls] == [(c.name, c.op) for c in expected]
    assert [c.result.shape[1:] for c in calls] == [c.result.shape[1:] for c in expected]
    assert calls[-1].result is y
    assert calls[0].around[-1] is x
    assert not any("forward" in vars(layer) for layer in net.layers().values())


def test_an_error_leaves_no_trace_in_the_network():
    net = Sequential(conv=PointwiseConv2d(3, 4))
    with pytest.raises(ValueError, match="input channels"), traced(net):
        net.forward(X)
    assert not any("forward" in vars(layer) for layer in net.layers().values())


def test_of_a_folded_network_each_operation_is_told_once_however_many_images():
    net, told = create_model("mobilenet_v1_x0_25", num_classes=4, rng=0).eval().fold(), []
    for N in (1, 3 * IMAGES):
        with watch(lambda name, *_: told.append(name)):
            net.forward(np.ones((N, 3, 32, 32), np.float32))
    assert len(told) == 2 * (1 + 2 * 13 + 2)
    assert told[: len(told) // 2] == told[len(told) // 2 :]
