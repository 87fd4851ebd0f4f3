"""What kinds of operation there are, in words: the same words in every table and picture."""

STEM = "stem"
CONVOLUTION = "convolution"
POINTWISE = "pointwise"
GROUPED_POINTWISE = "grouped pointwise"
DEPTHWISE = "depthwise"
FULLY_CONNECTED = "fully connected"
BATCH_NORM = "batch norm"
ACTIVATION = "activation"
SHUFFLE = "shuffle"  # also one that is done together with a concatenation, in one copy
CONCAT = "concat"
SPLIT = "split"  # one that copies; a split into views moves nothing, and has no row
ADD = "add"
POOL = "pool"
OTHER = "other"

KINDS = (
    STEM, CONVOLUTION, POINTWISE, GROUPED_POINTWISE, DEPTHWISE, FULLY_CONNECTED, BATCH_NORM,
    ACTIVATION, ADD, CONCAT, SPLIT, SHUFFLE, POOL, OTHER,
)  # fmt: skip
MULTIPLYING = STEM, CONVOLUTION, POINTWISE, GROUPED_POINTWISE, DEPTHWISE, FULLY_CONNECTED

_BY_OP = {
    "linear": FULLY_CONNECTED,
    "normalize": BATCH_NORM,
    "batch_norm": BATCH_NORM,
    "batch_norm_relu": BATCH_NORM,
    "relu": ACTIVATION,
    "relu6": ACTIVATION,
    "add": ADD,
    "concat": CONCAT,
    "split": SPLIT,
    "channel_shuffle": SHUFFLE,
    "concat_shuffle": SHUFFLE,
    "max_pool2d": POOL,
    "avg_pool2d": POOL,
    "global_avg_pool": POOL,
}


def kind_of(call):
    """Return the kind of a Call. A convolution in a part of that name is the stem."""
    if call.op not in ("conv2d", "depthwise_conv2d", "pointwise_conv2d"):
        return _BY_OP.get(call.op, OTHER)
    if call.name.partition(".")[0] == "stem":
        return STEM
    return _convolution(call.arguments["x"].shape[1], *call.arguments["weight"].shape)


def _convolution(C, O, C_group, K, _):
    if C == O > 1 and C_group == 1:
        return DEPTHWISE
    if K > 1:
        return CONVOLUTION
    return POINTWISE if C_group == C else GROUPED_POINTWISE
