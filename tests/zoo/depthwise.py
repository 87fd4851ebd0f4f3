"""Bugs in depthwise_conv2d and its backward."""

from .bug import ALIKE, FACTOR, Bug

DEPTHWISE_CONV2D = [
    Bug(
        "depthwise_conv2d_backward",
        old="dtap += weight",
        new="dtap[...] = weight",
        why="Where windows overlap, the last one overwrites the others; they should add up.",
    ),
    Bug(
        "depthwise_conv2d_backward",
        old="dtap += weight[:, 0, i, j,",
        new="dtap += weight[:, 0, j, i,",
        why="i and j of the filters are exchanged on the way to dx.",
    ),
    Bug(
        "depthwise_conv2d_backward",
        old="dtap += weight[:, 0, i, j,",
        new="dtap += weight[:, 0, -1 - i, -1 - j,",
        why="The filters are flipped once too often: going back through the tap turns them.",
    ),
    Bug(
        "depthwise_conv2d_backward",
        old="dtap += weight[:, 0, i, j,",
        new="dtap += weight[:1, 0, i, j,",
        why="Every channel goes back through the filter of the first.",
    ),
    Bug(
        "depthwise_conv2d_backward",
        old="None, None] * dy",
        new="None, None] * tap",
        why="x goes back through the filters instead of dy.",
    ),
    Bug(
        "depthwise_conv2d_backward",
        old="None, None] * dy",
        new="None, None] * dy.sum(axis=1, keepdims=True)",
        why="Each channel hears of all outputs, as in a full convolution.",
    ),
    Bug(
        "depthwise_conv2d_backward",
        old="None, None] * dy",
        new="None, None] * dy[:, ::-1]",
        why="Each filter meets the dy of another channel.",
        survives_sum=ALIKE,
    ),
    Bug(
        "depthwise_conv2d_backward",
        old="dweight[:, 0, i, j] =",
        new="dweight[:, 0, j, i] =",
        why="dweight is stored with i and j exchanged.",
    ),
    Bug(
        "depthwise_conv2d_backward",
        old='np.einsum("ncpq,ncpq->c", dy, tap)',
        new='np.einsum("cpq,cpq->c", dy[0], tap[0])',
        why="dweight is that of the first image alone.",
    ),
    Bug(
        "depthwise_conv2d_backward",
        old='np.einsum("ncpq,ncpq->c", dy, tap)',
        new="(dy * tap).mean(axis=(0, 2, 3))",
        why="dweight is averaged over images and pixels; it is their sum.",
    ),
    Bug(
        "depthwise_conv2d_backward",
        old='"ncpq,ncpq->c"',
        new='"ncpq,nkpq->c"',
        why="The dy of a channel meets the pixels of all channels.",
    ),
    Bug(
        "depthwise_conv2d_backward",
        old='np.einsum("ncpq,ncpq->c", dy, tap)',
        new="tap.sum(axis=(0, 2, 3))",
        why="dweight leaves out dy: it is the gradient of the sum of y.",
        survives_sum=FACTOR,
    ),
    Bug(
        "depthwise_conv2d_backward",
        old='np.einsum("ncpq,ncpq->c", dy, tap)',
        new='np.einsum("ncpq,ncpq->c", dy[..., ::-1], tap)',
        why="The columns of dy run from right to left.",
        survives_sum=ALIKE,
    ),
    Bug(
        "depthwise_conv2d_backward",
        old="padded = pad(x, padding)",
        new="padded = pad(x, [four_sides(padding)[k] for k in (1, 0, 3, 2)])",
        why="Top and bottom, left and right of the border are exchanged for dweight.",
    ),
    Bug(
        "depthwise_conv2d_backward",
        old="unpad(dpadded, padding)",
        new="dpadded[:, :, : x.shape[2], : x.shape[3]]",
        why="The border is cut off at the bottom and at the right, as if it all lay there.",
    ),
    Bug(
        "depthwise_conv2d_backward",
        old="weight.shape[2:], stride, dilation,",
        new="weight.shape[2:], 1, dilation,",
        why="The stride is forgotten in backward.",
    ),
    Bug(
        "depthwise_conv2d_backward",
        old="weight.shape[2:], stride, dilation,",
        new="weight.shape[2:], stride, 1,",
        why="The dilation is forgotten in backward.",
    ),
    Bug(
        "depthwise_conv2d_backward",
        old="unpad(dpadded, padding)",
        new="unpad(np.roll(dpadded, 1, axis=2), padding)",
        why="Off by one: dx lies one row too low.",
    ),
    Bug(
        "depthwise_conv2d",
        old="y += weight[:, 0, i, j, None, None] * tap",
        new="tap *= weight[:, 0, i, j, None, None]; y += tap",
        why="A tap is a view: to multiply in place is to write into x.",
    ),
]
