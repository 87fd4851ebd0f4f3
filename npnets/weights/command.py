"""The commands `npnets predict`, `npnets compare` and `npnets export`."""

import sys
from pathlib import Path

import numpy as np

from npnets.files import whole
from npnets.ops import softmax
from npnets.weights import export, occlusion
from npnets.weights.compare import activations, compare
from npnets.weights.onnx import save_onnx
from npnets.weights.opened import open_weights
from npnets.weights.reading import read

SOURCE = "who trained the weights, such as torchvision; default: what their names tell"


def add_predict_options(parser):
    """Add the options of `npnets predict` to its parser."""
    add = parser.add_argument
    parser.usage = (
        "npnets predict CHECKPOINT IMAGE … [options]\n       "
        "npnets predict IMAGE … --weights FILE [options]"
    )
    add("checkpoint", metavar="CHECKPOINT", help="a checkpoint.npz, or the folder of a run")
    add("images", nargs="*", metavar="IMAGE", help="image files")
    add("--weights", metavar="FILE", help="weights that others trained, in place of CHECKPOINT: a "
        "file, or the name of one that npnets.weights.download knows")  # fmt: skip
    add("--source", default="auto", help=SOURCE)
    add("--top", type=int, default=5, help="how many classes (default: 5)")
    add("--explain", metavar="PNG", help="draw which part of the photo the answer goes by")


def predict(args):
    """Print the most likely classes of each image; draw what the first of them goes by."""
    if args.weights:
        args.images, args.checkpoint = [args.checkpoint, *args.images], args.weights
    if not args.images:
        raise ValueError(
            f"weights and an image are needed, got only {args.checkpoint}: npnets predict "
            "CHECKPOINT IMAGE, or npnets predict IMAGE --weights FILE"
        )
    if args.top < 1:
        raise ValueError(f"--top must be at least 1, got {args.top}")
    if args.explain and len(args.images) > 1:
        raise ValueError(f"--explain draws one photo, got {len(args.images)}")
    if args.explain and not args.explain.endswith((".png", ".svg")):
        raise ValueError(f"--explain must end in .png or .svg, got {args.explain}")
    opened = open_weights(args.checkpoint, args.source)
    for file in args.images:
        x = opened.look(file)
        probabilities = softmax(opened.net.forward(x))[0]
        best = np.argsort(-probabilities, kind="stable")[: args.top]
        print(f"{file}:")
        for k in best:
            print(f"  {probabilities[k]:6.1%}  {opened.name(k)}")
        if args.explain:
            found = occlusion.occlude(opened.net, x, opened.grey(), progress=sys.stderr.isatty())
            name = opened.name(found.label)
            occlusion.draw(found, opened.pixels(file), args.explain, name)
            print(f"what {name!r} goes by is in {args.explain}")


def add_compare_options(parser):
    """Add the options of `npnets compare` to its parser."""
    add = parser.add_argument
    parser.usage = (
        "npnets compare A B IMAGE [options]\n       npnets compare A --save NPZ IMAGE [options]"
    )
    add("a", metavar="A", help="a checkpoint")
    add("b", metavar="B", help="another one, or a .npz of activations by the names of layers")
    add("images", nargs="*", metavar="IMAGE", help="an image file")
    add("--source", default="auto", help="of A: " + SOURCE)
    add("--source-b", default="auto", help="of B")
    add("--tolerance", type=float, help="largest relative difference; default: 1e-5, and 1e-4 "
        "for activations")  # fmt: skip
    add("--save", metavar="NPZ", help="write the activations of A to this file")


def compare_(args):
    """Print where two networks part, layer by layer; fail where they do."""
    if args.save:
        if args.images:
            raise ValueError("--save takes one network: npnets compare A --save NPZ IMAGE")
        return _save_activations(args)
    if len(args.images) != 1:
        raise ValueError(f"one image is needed, got {len(args.images)}: npnets compare A B IMAGE")
    (image,) = args.images
    opened = open_weights(args.a, args.source)
    x = opened.look(image)
    other = _other(args.b, args.source_b, opened)
    if not isinstance(other, dict):
        if other.pixels is not None and not np.array_equal(other.look(image), x):
            print("B wants to see the photo otherwise than A; both are given what A wants\n")
        other = other.net
    report = compare(opened.net, other, x, args.tolerance)
    print(report)
    return 0 if report.ok else 1


def _save_activations(args):
    opened = open_weights(args.a, args.source)
    found = activations(opened.net, opened.look(args.b))
    with whole(args.save) as beside, open(beside, "wb") as file:
        np.savez(file, **found)
    print(f"{len(found)} arrays are in {args.save}")
    return 0


def _other(path, source, opened):
    """Return what is Opened, or activations, {name: array}, where names are those of layers."""
    if Path(path).is_file() and path.endswith(".npz"):
        arrays = read(path).arrays
        if arrays.keys() & {"input", *opened.net.layers()}:  # arrays of weights have longer names
            return arrays
    return open_weights(path, source)


def add_export_options(parser):
    """Add the options of `npnets export` to its parser."""
    add = parser.add_argument
    parser.usage = "npnets export CHECKPOINT OUT [options]"
    checkpoint = "a checkpoint.npz, the folder of a run, or weights of others"
    add("checkpoint", metavar="CHECKPOINT", help=checkpoint)
    add("out", metavar="OUT", help="the file to write: .safetensors, .pth, .npz or .onnx")
    add("--names", default=export.OWN, help="whose names the arrays get, such as torchvision; "
        "default: npnets' own")  # fmt: skip
    add("--source", default="auto", help=SOURCE)
    add("--size", type=int, help="of images, in pixels, for .onnx; default: as trained")


def export_(args):
    """Write a network for others to read."""
    opened = open_weights(args.checkpoint, args.source)
    kind = type(opened.net).__name__
    if args.out.endswith(".onnx"):
        if args.size is not None and args.size < 1:
            raise ValueError(f"--size must be at least 1, got {args.size}")
        if opened.shape is None and args.size is None:
            raise ValueError("--size is needed: the height and width of the images, in pixels")
        C, H, W = opened.shape or (3, 0, 0)
        shape = (C, args.size or H, args.size or W)
        save_onnx(opened.net, args.out, shape)
        print(f"{kind}, for images of {C} × {shape[1]} × {shape[2]}, is in {args.out}")
    else:
        export.save(opened.net, args.out, args.names)
        print(f"{kind}, under the names of {args.names}, is in {args.out}")
