"""What npnets runs in the benchmark."""

import numpy as np

from npnets import ops
from npnets.bench import op_cases
from npnets.optim import SGD

LR, MOMENTUM = 0.01, 0.9


def network(workload):
    """Return (network, images, labels) of a workload, the same in every process.

    Batch norm gets random parameters and statistics, so that a peer that leaves one out is found.
    """
    net, rng = workload.create(), np.random.default_rng(1)
    state = net.state()
    for path, array in state.items():
        if array.ndim == 1:
            offset = 1 if path.endswith(("gamma", "running_var")) else 0
            state[path] = (offset + rng.uniform(-0.2, 0.2, array.shape)).astype(array.dtype)
    shape = (workload.batch, 3, workload.size, workload.size)
    images = rng.standard_normal(shape, dtype=np.float32)
    return net.load_state(state), images, rng.integers(0, workload.num_classes, workload.batch)


def build(workload, peer, threads):
    """Return a function that runs the workload once and returns its results as arrays."""
    if workload.kind == "op":
        return _op(workload)
    net, x, labels = network(workload)
    if workload.kind == "step":
        return _step(net.train(), x, labels)
    net = net.eval().fold() if peer.folded else net.eval()
    return lambda: (net.forward(x),)


def _step(net, x, labels):
    optimizer = SGD(net.parameters(), momentum=MOMENTUM)

    def step():
        logits = net.forward(x)
        loss = float(ops.cross_entropy(logits, labels))
        net.backward(ops.cross_entropy_backward(logits, labels))
        optimizer.step(LR)
        return (np.array(loss),)

    return step


def _op(workload):
    case = op_cases.CASES[workload.case]
    x, learned, dy = op_cases.arrays(case)
    forward, backward = OPS[case.op]
    if not workload.backward:
        return lambda: forward(case, x, *learned)[:1]

    def both():
        y, *kept = forward(case, x, *learned)
        gradients = backward(case, dy, x, *learned, y, *kept)
        return (y, *gradients)

    return both


def _window(case):
    return {"stride": case.stride, "padding": case.padding}


# Each op: what its forward returns, y in front, and what its backward makes of that.
OPS = {
    "depthwise": (
        lambda c, x, w: (ops.depthwise_conv2d(x, w, **_window(c)),),
        lambda c, dy, x, w, y: ops.depthwise_conv2d_backward(dy, x, w, **_window(c)),
    ),
    "pointwise": (
        lambda c, x, w: (ops.pointwise_conv2d(x, w, groups=c.groups),),
        lambda c, dy, x, w, y: ops.pointwise_conv2d_backward(dy, x, w, groups=c.groups),
    ),
    "conv": (
        lambda c, x, w: (ops.conv2d(x, w, **_window(c)),),
        lambda c, dy, x, w, y: ops.conv2d_backward(dy, x, w, **_window(c)),
    ),
    "norm_relu6": (
        lambda c, x, *learned: ops.batch_norm_relu(x, *learned, ceiling=6),
        lambda c, dy, x, gamma, beta, y, *statistics: ops.batch_norm_relu_backward(
            dy, x, gamma, beta, *statistics, ceiling=6
        ),
    ),
    "max_pool": (
        lambda c, x: (ops.max_pool2d(x, c.kernel_size, **_window(c)),),
        lambda c, dy, x, y: (ops.max_pool2d_backward(dy, x, c.kernel_size, **_window(c)),),
    ),
    "shuffle": (
        lambda c, x: (ops.channel_shuffle(x, c.groups),),
        lambda c, dy, x, y: (ops.channel_shuffle_backward(dy, c.groups),),
    ),
}
