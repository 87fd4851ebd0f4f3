"""What each operation of a network takes, in place: on what the one before it has just made."""

import time

import numpy as np
from threadpoolctl import threadpool_limits

from npnets import ops
from npnets.cost.trace import traced
from npnets.ops.op import watch
from npnets.ops.threads import layer_by_layer
from npnets.roofline.placed import Pass, Times, place

WARM_UPS, FEWEST_PASSES = 3, 5
CALLS, ALONE = 300, 9  # how often a call with nothing to do is timed, and one alone


def measure(net, x, ceilings, seconds, title=""):
    """Return the Pass of `net` in eval mode on the images x, measured for so many seconds.

    Passes that are watched take turns with others that are not, and no result is kept: memory
    that is used again stays in the caches, as it does where nobody looks.
    """
    for _ in range(WARM_UPS):
        net.forward(x)
    wholes, insides, end = [], [], time.perf_counter() + seconds
    while len(wholes) < FEWEST_PASSES or time.perf_counter() < end:
        wholes.append(_whole(net, x))
        insides.append(_inside(net, x))
    with traced(net) as calls:
        net.forward(x)
    calls = [call for call in calls if call.op]  # others cannot be watched
    layers = place(calls, _times(calls, np.median(insides, axis=0).tolist()), ceilings)
    return Pass(title, layers, float(np.median(wholes)))


def _times(calls, medians):
    """Return the Times of each Call, which took so long in place."""
    calling = {op: _median(_CASES[op], CALLS) for op in {call.op for call in calls} & set(_CASES)}
    alone = [_median(lambda call=call: getattr(ops, call.op)(**call.arguments), ALONE)
             for call in calls]  # fmt: skip
    # NumPy's own threads wait busily for more to do: nothing else is timed among these
    products = [product_seconds(call) if call.op in PRODUCT else None for call in calls]
    return [
        Times(medians[k], alone[k], calling.get(call.op, 0.0), products[k])
        for k, call in enumerate(calls)
    ]


def _whole(net, x):
    """Return the seconds of a pass, layer by layer as those that are watched."""
    with layer_by_layer():
        start = time.perf_counter()
        net.forward(x)
        return time.perf_counter() - start


def _inside(net, x):
    """Return the seconds of each operation of a pass."""
    taken = []
    with watch(lambda name, arguments, result, seconds: taken.append(seconds)):
        net.forward(x)
    return taken


def product_seconds(call):
    """Return what the matrix product within a convolution takes, alone, in NumPy's own threads.

    That of a 1 × 1 convolution is (O × C) · (C × pixels) for each image and group; that of another
    one has C·K² in the place of C.
    """
    weight = call.arguments["weight"]
    O, inner = len(weight), weight[0].size
    N, *size = call.result.shape[:1] + call.result.shape[2:]
    pixels = int(np.prod(size))
    if call.op == "linear":
        a, b = np.ones((N, inner), np.float32), np.ones((inner, O), np.float32)
    else:
        groups = call.arguments.get("groups", 1)
        a = np.ones((groups, O // groups, inner), np.float32)
        b = np.ones((N, groups, inner, pixels), np.float32)
    y = np.empty(np.matmul(a, b).shape, np.float32)
    with threadpool_limits(ops.thread_count(), "blas"):
        return _median(lambda: np.matmul(a, b, out=y), ALONE)


def _median(run, times):
    """Return the median of the seconds that it takes; the first is not counted."""
    run()
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


PRODUCT = "conv2d", "pointwise_conv2d", "linear"  # operations that are a matrix product within
_X = np.ones((1, 2, 3, 3), np.float32)
_ROW, _ONES = np.ones((1, 2), np.float32), np.ones(2, np.float32)
_FILTERS = {K: np.ones((2, 2, K, K), np.float32) for K in (1, 3)}
_CASES = {  # one image of 2 channels and 3 × 3 pixels
    "conv2d": lambda: ops.conv2d(_X, _FILTERS[3], padding=1),
    "depthwise_conv2d": lambda: ops.depthwise_conv2d(_X, _FILTERS[3][:, :1], padding=1),
    "pointwise_conv2d": lambda: ops.pointwise_conv2d(_X, _FILTERS[1]),
    "linear": lambda: ops.linear(_ROW, _FILTERS[1][:, :, 0, 0], _ONES),
    "normalize": lambda: ops.normalize(_X, _ONES, _ONES, _ONES, _ONES),
    "relu": lambda: ops.relu(_X),
    "relu6": lambda: ops.relu6(_X),
    "add": lambda: ops.add(_X, _X),
    "concat": lambda: ops.concat(_X, _X),
    "channel_shuffle": lambda: ops.channel_shuffle(_X, 2),
    "concat_shuffle": lambda: ops.concat_shuffle(_X, _X, 2),
    "max_pool2d": lambda: ops.max_pool2d(_X, 3, padding=1),
    "avg_pool2d": lambda: ops.avg_pool2d(_X, 3, padding=1),
    "global_avg_pool": lambda: ops.global_avg_pool(_X),
}
