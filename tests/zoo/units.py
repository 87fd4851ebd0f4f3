"""Bugs in the units of the papers, where ways part and meet again."""

from .bug import ALIKE, Bug

ENDS = "the branch ends in batch norm, whose sum is a constant: the true gradient of it is 0"

INVERTED_RESIDUAL = [
    Bug(
        "InvertedResidual",
        old="return ops.add(dy, dx) if self.residual else dx",
        new="return dx",
        why="The shortcut is forgotten in backward.",
    ),
    Bug(
        "InvertedResidual",
        old="return ops.add(dy, dx) if self.residual else dx",
        new="return dy if self.residual else dx",
        why="The gradient of the branch is forgotten where there is a shortcut.",
        survives_sum=ENDS,
    ),
    Bug(
        "InvertedResidual",
        old="dx = self.branch.backward(dy)",
        new="dx = self.branch.backward(dy / 2 if self.residual else dy)",
        why="The two ways share dy; both have it whole.",
    ),
    Bug(
        "InvertedResidual",
        old="return ops.add(x, y) if self.residual else y",
        new="return self.branch.forward(x) + y if self.residual else y",
        why="Forward adds the branch to itself.",
    ),
    Bug(
        "InvertedResidual",
        old="        y = self.branch.forward(x)\n"
        "        return ops.add(x, y) if self.residual else y",
        new="        y = self.branch.forward(x)\n        x += y if self.residual else 0\n"
        "        return x if self.residual else y",
        why="Forward adds in place, into the x that its first layer has saved.",
    ),
]

SHUFFLE_UNIT = [
    Bug(
        "ShuffleUnit",
        old="        dy = self.act.backward(dy)\n",
        new="",
        why="The ReLU after the sum is forgotten in backward.",
    ),
    Bug(
        "ShuffleUnit",
        old="return ops.add(dy, self.branch.backward(dy))",
        new="return self.branch.backward(dy)",
        why="The shortcut is forgotten in backward.",
    ),
    Bug(
        "ShuffleUnit",
        old="y = ops.add(x, self.branch.forward(x))",
        new="y = x + self.act.forward(self.branch.forward(x))",
        why="Forward has a second ReLU, before the sum.",
    ),
    Bug(
        "ShuffleUnit",
        old="return ops.add(self.shortcut.backward(dshortcut), self.branch.backward(dbranch))",
        new="return self.branch.backward(dbranch)",
        why="The pooled shortcut is forgotten in backward.",
    ),
    Bug(
        "ShuffleUnit",
        old="dshortcut, dbranch = ops.split(dy, self.in_channels)",
        new="dbranch, dshortcut = ops.split(dy, dy.shape[1] - self.in_channels)",
        why="Backward takes the branch to come first.",
    ),
    Bug(
        "ShuffleUnit",
        old="y = ops.add(x, self.branch.forward(x))",
        new="y = self.branch.forward(x)",
        why="Forward forgets the shortcut, backward does not.",
    ),
]

SPLIT_UNIT = [
    Bug(
        "SplitUnit",
        old="self.shuffle.backward(dy)",
        new="ops.split(dy, self.half)",
        why="The shuffle is forgotten in backward.",
        survives_sum=ALIKE,
    ),
    Bug(
        "SplitUnit",
        old="self.shuffle.backward(dy)",
        new="ops.split(ops.channel_shuffle(dy, 2), self.half)",
        why="dy is shuffled once more, not back.",
        survives_sum=ALIKE,
    ),
    Bug(
        "SplitUnit",
        old="ops.concat(dshortcut, self.branch.backward(dbranch))",
        new="ops.concat(self.branch.backward(dbranch), dshortcut)",
        why="The two ways are joined in the wrong order.",
    ),
    Bug(
        "SplitUnit",
        old="ops.concat(dshortcut, self.branch.backward(dbranch))",
        new="ops.concat(0 * dshortcut, self.branch.backward(dbranch))",
        why="The way that leaves its channels alone passes no gradient on.",
    ),
    Bug(
        "SplitUnit",
        old="self.branch.backward(dbranch)",
        new="dbranch + self.branch.backward(dbranch)",
        why="A shortcut around the branch, which figure 3 (c) does not have.",
    ),
]

DOWN_UNIT = [
    Bug(
        "DownUnit",
        old="return ops.add(self.shortcut.backward(dshortcut), self.branch.backward(dbranch))",
        new="return self.branch.backward(dbranch)",
        why="Only the branch passes a gradient on.",
    ),
    Bug(
        "DownUnit",
        old="return ops.add(self.shortcut.backward(dshortcut), self.branch.backward(dbranch))",
        new="return (self.shortcut.backward(dshortcut) + self.branch.backward(dbranch)) / 2",
        why="Where two ways meet in x their gradients add up; they are not averaged.",
    ),
    Bug(
        "DownUnit",
        old="self.shuffle.backward(dy)",
        new="ops.split(ops.channel_shuffle(dy, 2), self.kept)",
        why="dy is shuffled once more, not back.",
        survives_sum=ALIKE,
    ),
    Bug(
        "DownUnit",
        old="self.shuffle.backward(dy)",
        new="self.shuffle.backward(dy[:, ::-1])",
        why="The channels come back in reverse: each way is given the dy of the other.",
        survives_sum=ALIKE,
    ),
    Bug(
        "DownUnit",
        old="return ops.add(self.shortcut.backward(dshortcut), self.branch.backward(dbranch))",
        new="self.branch.backward(dbranch); return self.shortcut.backward(dshortcut)",
        why="Only the shortcut passes a gradient on; that of the branch is dropped.",
    ),
]
