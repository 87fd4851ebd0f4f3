"""Bugs in conv2d and its backward, as they are written when im2col is written by hand."""

from .bug import ALIKE, FACTOR, Bug

CONV2D = [
    Bug(
        "col2im",
        old="tap += columns[:, :, i, j]",
        new="tap[...] = columns[:, :, i, j]",
        why="Where windows overlap, the last one overwrites the others; they should add up.",
    ),
    Bug(
        "conv2d_backward",
        old="unpad(dpadded, padding)",
        new="dpadded[:, :, : x.shape[2], : x.shape[3]]",
        why="The border is cut off at the bottom and at the right, as if it all lay there.",
    ),
    Bug(
        "conv2d_backward",
        old="return unpad(dpadded, padding).copy()",
        new="return dpadded",
        why="The border is not cut off, and dx is larger than x.",
    ),
    Bug(
        "conv2d_backward",
        old="pad(x, padding)",
        new="pad(x, [four_sides(padding)[k] for k in (1, 0, 3, 2)])",
        why="Top and bottom, left and right of the border are exchanged for dweight.",
    ),
    Bug(
        "conv2d_backward",
        old="pad(x, padding)",
        new="pad(x, padding, 1)",
        why="Backward fills the border with ones where forward had zeros.",
    ),
    Bug(
        "conv2d_backward",
        old="stride, dilation, (P, Q))",
        new="1, dilation, (P, Q))",
        why="The stride is forgotten in backward.",
    ),
    Bug(
        "conv2d_backward",
        old="stride, dilation, (P, Q))",
        new="stride, 1, (P, Q))",
        why="The dilation is forgotten in backward.",
    ),
    Bug(
        "conv2d_backward",
        old="col2im(dcolumns, padded.shape, *window)",
        new="col2im(dcolumns, (N, x.shape[1], *(stride * (n - 1) + dilation * (k - 1) + 1 "
        "for n, k in zip((P, Q), weight.shape[2:]))), *window)",
        why="dx ends where the last window ends: the rows that stride 2 left over are missing.",
    ),
    Bug(
        "conv2d_backward",
        old="_per_group(weight.astype",
        new="_per_group(weight[:, :, ::-1, ::-1].astype",
        why="The filters are flipped once too often: col2im has turned them around already.",
    ),
    Bug(
        "conv2d_backward",
        old="_per_group(weight.astype",
        new="_per_group(weight.swapaxes(2, 3).astype",
        why="i and j of the filters are exchanged on the way to dx.",
    ),
    Bug(
        "im2col",
        old="columns[:, :, i, j]",
        new="columns[:, :, -1 - i, -1 - j]",
        why="im2col flips the filters, a convolution by the book, and col2im does not.",
    ),
    Bug(
        "conv2d_backward",
        old="outer(dy, columns)",
        new="outer(dy[:1], columns[:1])",
        why="dweight is that of the first image alone.",
    ),
    Bug(
        "conv2d_backward",
        old="outer(dy, columns)",
        new="(outer(dy, columns) / N)",
        why="dweight is averaged over the batch; the loss has done that already, in dy.",
    ),
    Bug(
        "conv2d_backward",
        old="outer(dy, columns)",
        new="outer(columns, dy)",
        why="dweight is transposed, and reshape makes it look right.",
    ),
    Bug(
        "conv2d_backward",
        old="outer(dy, columns)",
        new="outer(np.ones_like(dy), columns)",
        why="dweight leaves out dy: it is the gradient of the sum of y.",
        survives_sum=FACTOR,
    ),
    Bug(
        "conv2d_backward",
        old="groups).swapaxes(1, 2) @ dy",
        new="groups)[::-1].swapaxes(1, 2) @ dy",
        why="Each group goes back through the filters of another group.",
    ),
    Bug(
        "conv2d_backward",
        old=".reshape(N, O, P * Q), groups, 1)",
        new=".reshape(N, O // groups, groups, P * Q).swapaxes(1, 2).reshape(N, O, P * Q), "
        "groups, 1)",
        why="Output channel o is taken for one of group o % g; it is one of group o // (O/g).",
        survives_sum=ALIKE,
    ),
    Bug(
        "conv2d_backward",
        old=".reshape(N, O, P * Q)",
        new=".swapaxes(2, 3).reshape(N, O, P * Q)",
        why="The pixels of dy are laid out column by column, those of x row by row.",
        survives_sum=ALIKE,
    ),
    Bug(
        "conv2d",
        old="@ _per_group(columns, groups, 1)",
        new="@ _per_group(columns, groups, 1)[:, :1]",
        why="Forward shows every group the channels of the first one.",
    ),
]
