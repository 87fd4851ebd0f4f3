"""What ONNX Runtime runs in the benchmark: the model that npnets writes of a network.

Imported in its own process only.
"""

from npnets.bench.ours import network
from npnets.extras import require
from npnets.weights.onnx import IMAGES, to_onnx


def build(workload, peer, threads):
    """Return a function that runs the network once; ONNX Runtime folds batch norm by itself."""
    onnxruntime = require("onnxruntime", "bench")
    net, images, _ = network(workload)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(
        to_onnx(net, images.shape[1:]).SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
    )
    return lambda: session.run(None, {IMAGES: images})
