# %% [markdown]
# # 0 · Start here
#
# These chapters build MobileNet v1 out of NumPy and loops, and prove each step. MobileNet v2 and ShuffleNet v1 and v2 are in the package, to be read and measured.
# A chapter has a text, small experiments that run on your machine, and exercises with tests. It can be worked through alone, and taught from.
#
# **You need** Python and NumPy, and to have seen a convolutional network; a laptop with two cores and no GPU.
# **It takes** ten minutes to read, under a minute to run, and downloads nothing.
#
# ## What to install
#
# In a virtual environment, from a copy of the repository:
#
#     python -m pip install -e ".[tutorials]"
#     npnets tutorials copy my-chapters --open
#
# The first line brings Jupyter, Matplotlib and scikit-learn, which has the images of handwritten digits. The second copies the chapters to a folder of your own, without the solutions, and opens Jupyter there. `--solved` copies them with solutions and outputs. `npnets tutorials list my-chapters` says how far you have come.
#
# This cell says whether all is there. Its last line is a gradient check of a depthwise convolution, which chapter 4 explains.

# %%
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np

import npnets
from npnets import gradcheck, ops
from npnets.tutorials.overview import Table, glances

print("Python", sys.version.split()[0], "and npnets", npnets.__version__)
for package in ("numpy", "numba", "matplotlib", "scikit-learn"):
    print(package, version(package))
rng = np.random.default_rng(0)
arrays = {"x": rng.standard_normal((2, 3, 6, 5)), "weight": rng.standard_normal((3, 1, 3, 3))}
report = gradcheck.check(ops.depthwise_conv2d, ops.depthwise_conv2d_backward, arrays)
print(report.verdict)
assert sys.version_info >= (3, 11) and report.ok

# %% [markdown]
# The first run compiles the loops that make npnets fast, and later ones find them on disk. `npnets warmup` compiles all of them at once.
#
# ## The map
#
# What a chapter says of itself. How long it runs was measured when it was last run, on two cores.

# %%
chapters = [chapter for chapter in glances() if chapter.exercises]
Table({
    "chapter": [f"[{chapter.title}]({chapter.name}.ipynb)" for chapter in chapters],
    "afterwards you can": ["; ".join(chapter.able) for chapter in chapters],
    "to read": [chapter.read for chapter in chapters],
    "to run": [f"{chapter.seconds:.0f} s" for chapter in chapters],
    "exercises": [str(chapter.exercises) for chapter in chapters],
})  # fmt: skip

# %% [markdown]
# Each chapter begins with the smallest case and ends with what was measured. What earlier chapters built is imported from npnets; what is new is written out, and compared with npnets on random cases.
#
# - **Predict first.** Before a measurement stands a prediction. Write down your own before you run the cell. Where the two differ, there is something to learn.
# - **Change things.** A chapter runs in a minute or so. Break a line, and see which assertion notices.
# - **Exercises.** Under the statement is a hint, then a cell to write into, then a test. `raise NotImplementedError()` marks the place. The exercises of a chapter do not depend on each other.
# - **Timings are yours.** The text never says how many milliseconds a cell takes. The outputs that you got with a solved copy are those of another machine.
#
# ## Three ways through
#
# **On your own.** One chapter in an evening or two, in order. Chapters 1 to 6 rest on each other. Who knows convolution and its gradients can begin with chapter 7, and go back where a word is not familiar. Do the warm-up and the code exercise of each chapter at least; keep the open one for a weekend.
#
# **A module of two weeks**, ten sessions of 90 minutes, with the exercises as homework:
#
# | session | in class | homework |
# |---|---|---|
# | 1 | chapter 1 to section 1.6 | sections 1.7 to 1.9, exercises of chapter 1 |
# | 2 | chapter 2: the memory price, the ladder | its gradient (2.6), exercises of chapter 2 |
# | 3 | chapter 3, derived on the blackboard | exercises of chapter 3 |
# | 4 | chapter 4: the V-curve, the bug zoo | exercise 4.6: a bug of one's own, to be convicted by a neighbour |
# | 5 | chapter 5: the three paths | exercises of chapter 5 |
# | 6 | chapter 6: checks before training | exercise 6.6: a network of one's own |
# | 7 | chapter 6: breaking it on purpose | exercises of chapter 6 |
# | 8 | chapter 7: the ratio derived and counted | section 7.8, on every laptop of the class |
# | 9 | chapter 8: the network from its table | exercises of chapter 8 |
# | 10 | the measurements of the class side by side: where did the predictions fail? | |
#
# **A term**, fourteen weeks of a lecture and a lab. The lecture derives, the lab runs the chapter:
#
# | week | lecture | lab |
# |---|---|---|
# | 1, 2 | chapters 1 and 2 | their exercises |
# | 3, 4 | chapters 3 and 4 | every backward on trial |
# | 5 | which bugs a check cannot see | `python -m tests.zoo` in the repository, and three new bugs |
# | 6 | chapter 5 | its exercises |
# | 7, 8 | chapter 6 | a small network trained, broken and mended |
# | 9 | chapter 7 | the ratio, on different machines |
# | 10 | chapter 8 | the tables of the paper given back |
# | 11 | ShuffleNet v1, read beside `nets/shufflenet_v1.py` | `npnets experiment groups` |
# | 12 | MobileNet v2, read beside `nets/mobilenet_v2.py` | `npnets experiment relu` |
# | 13 | ShuffleNet v2, its four guidelines | `npnets experiment g1`, and `npnets roofline shufflenet_v2` |
# | 14 | | each group presents one measurement, with its prediction |
#
# How to hand out, collect and grade is in TEACHING.md, beside this notebook in the repository.
#
# ## The package in one evening
#
# Read in this order, each file from the top down to where the kernel begins, and skip kernels at first: they say the same again, for speed.

# %%
ROUTE = {
    "ops/window.py": "the window that convolution and pooling share; what a tap is",
    "ops/depthwise.py": "formula, forward and backward of the smallest convolution",
    "ops/conv.py": "groups, im2col, and col2im as its transpose",
    "ops/pointwise.py": "the 1 × 1 convolution: a matrix product for each image",
    "ops/channel.py": "split, concat and shuffle, each with its inverse",
    "ops/norm.py": "the three ways in which x acts on y",
    "ops/op.py": "how a definition gets its kernel",
    "layer.py": "what a layer saves for its backward; there is no tape",
    "layers.py": "one thin class for each operation",
    "blocks.py": "the two phrases that all four papers are written in",
    "nets/mobilenet_v1.py": "Table 1 of the paper, and the network that it is",
    "nets/shufflenet_v1.py": "a fork in forward, a sum in backward",
    "nets/mobilenet_v2.py": "the residual block turned inside out",
    "nets/shufflenet_v2.py": "split and concat in place of the sum",
    "gradcheck.py": "a backward pass on trial",
    "cost/formulas.py": "what the papers say that it costs",
    "train.py": "a generator of epochs",
}
root = Path(npnets.__file__).parent
counts = [len((root / file).read_text(encoding="utf-8").splitlines()) for file in ROUTE]
print(len(ROUTE), "files,", sum(counts), "lines")
Table({"file": list(ROUTE), "lines": list(map(str, counts)), "what to see": list(ROUTE.values())})

# %% [markdown]
# When you have read `ops/window.py` and `ops/depthwise.py`, chapter 1 and chapter 7 will look familiar, and the other way round. A good last stop is the folder `tests/zoo` of the repository: the bugs that people write, planted one by one, and what finds them.
