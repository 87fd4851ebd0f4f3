"""MobileNets, arXiv:1704.04861: how each of its numbers is counted."""

from fractions import Fraction

from npnets.cost import formulas
from npnets.cost.trace import trace
from npnets.nets import MobileNetV1
from npnets.nets.mobilenet_v1 import separable_unit
from npnets.papers import others
from npnets.papers.networks import (
    MACS,
    WEIGHTS,
    Count,
    conv_mobilenet,
    cost,
    counts,
    full_unit,
    layer_cost,
    layers,
    not_built,
    shallow_mobilenet,
    without_classifier,
)
from npnets.papers.published import said

DOGS = 120  # breeds in Stanford Dogs
SMALL = "0.50 MobileNet-160"


def section_3_1():
    found = {}
    for N in (64, 128, 512, 1024):
        one, other = (layer_cost(unit(512, N, 1), 512, 14) for unit in (separable_unit, full_unit))
        ratio = Count(Fraction(one.macs, other.macs), formula=formulas.separable_ratio(N, 3))
        found[f"512 to {N} channels", "cost over that of a full convolution"] = ratio
    return found


def table_1():
    found, numbers = {}, {"Conv": 0, "Conv dw": 0, "Conv pw": 0}
    for call in trace(MobileNetV1(), (3, 224, 224)):
        if call.op in ("conv2d", "depthwise_conv2d", "pointwise_conv2d"):
            word = {"c": "Conv", "d": "Conv dw", "p": "Conv pw"}[call.op[0]]
            numbers[word] += 1
            name = f"{word} {numbers[word]}"
            found[name, "stride"] = Count(f"s{_height(call) // call.result.shape[2]}")
            found[name, "filter shape"] = Count(_filter_shape(call.arguments["weight"]))
            found[name, "input size"] = Count(_size(call))
        elif call.op == "global_avg_pool":
            height = _height(call)
            found["Avg Pool", "filter shape"] = Count(f"Pool {height}×{height}")
            found["Avg Pool", "input size"] = Count(_size(call))
        elif call.op == "linear":
            O, I = call.arguments["weight"].shape
            found["FC", "filter shape"] = Count(f"{I}×{O}")
            found["FC", "input size"] = Count(f"1×1×{call.arguments['x'].shape[1]}")
    return found


def _height(call):
    return call.arguments["x"].shape[2]


def _size(call):
    _, C, H, W = call.arguments["x"].shape
    return f"{H}×{W}×{C}"


def _filter_shape(weight):
    O, C, K, _ = weight.shape
    return f"{K}×{K}×{O} dw" if C == 1 else f"{K}×{K}×{C}×{O}"


def section_3_2():
    net = cost(MobileNetV1)
    found = {("MobileNet", "layers"): Count(layers(net))}
    return found | _shares(net, {"Conv 1×1": "pointwise"})


def table_2():
    kinds = {
        "Conv 1×1": "pointwise",
        "Conv DW 3×3": "depthwise",
        "Conv 3×3": "stem",
        "Fully Connected": "fully connected",
    }
    return _shares(cost(MobileNetV1), kinds)


def _shares(net, kinds):
    found = {}
    for row, kind in kinds.items():
        part = net.of_kind(kind)
        found[row, MACS] = Count(Fraction(part.macs, net.macs))
        found[row, WEIGHTS] = Count(Fraction(part.weights, net.weights))
    return found


def table_3():
    return counts({
        "Convolution": layer_cost(full_unit(512, 512, 1), 512, 14),
        "Depthwise Separable Conv": layer_cost(separable_unit(512, 512, 1), 512, 14),
        "α = 0.75": layer_cost(separable_unit(384, 384, 1), 384, 14),
        "ρ = 0.714": layer_cost(separable_unit(384, 384, 1), 384, 10),
    })  # fmt: skip


def table_4():
    full = cost(conv_mobilenet)
    found = counts({"Conv MobileNet": full, "MobileNet": cost(MobileNetV1)})
    return found | {("Conv MobileNet", MACS): Count(full.macs, without_classifier(full))}


def table_5():
    return counts({
        "0.75 MobileNet": cost(MobileNetV1, 0.75),
        "Shallow MobileNet": cost(shallow_mobilenet),
    })  # fmt: skip


def table_6():
    return counts({f"{w} MobileNet-224": cost(MobileNetV1, w) for w in (1.0, 0.75, 0.5, 0.25)})


def table_7():
    sizes = 224, 192, 160, 128
    return counts({f"1.0 MobileNet-{size}": cost(MobileNetV1, 1.0, size=size) for size in sizes})


def section_4_2():
    small = cost(MobileNetV1, 0.5, size=160)
    pairs = {
        "VGG 16 over MobileNet": (others.vgg16(), cost(MobileNetV1)),
        f"AlexNet over {SMALL}": (others.alexnet(), small),
        f"Squeezenet over {SMALL}": (others.squeezenet(), small),
    }
    found = {}
    for row, (large, net) in pairs.items():
        found[row, MACS] = Count(Fraction(large.macs, net.macs))
        found[row, WEIGHTS] = Count(Fraction(large.weights, net.weights))
    alex, squeeze = list(pairs)[1:]
    twice = 2 * found[squeeze, MACS].exact
    alexnet, mobilenet = (said("mobilenet_v1", "9", row, WEIGHTS) for row in ("AlexNet", SMALL))
    found[alex, WEIGHTS] = Count(found[alex, WEIGHTS].exact, alexnet / mobilenet)
    found[squeeze, MACS] = Count(twice / 2, twice)
    del found[squeeze, WEIGHTS]  # "at about the same size"
    return found


def table_8():
    vgg, google = others.vgg16(), others.googlenet()
    nets = {"1.0 MobileNet-224": cost(MobileNetV1), "GoogleNet": google, "VGG 16": vgg}
    thousands = Fraction(others.googlenet(separable_stem=True).weights, 1024)
    return counts(nets) | {
        ("GoogleNet", WEIGHTS): Count(google.weights, 1000 * thousands),
        ("VGG 16", MACS): Count(vgg.macs, vgg.convolution_macs),
    }


def table_9():
    squeeze = others.squeezenet()
    nets = {
        SMALL: cost(MobileNetV1, 0.5, size=160),
        "Squeezenet": squeeze,
        "AlexNet": others.alexnet(),
    }
    return counts(nets) | {
        ("Squeezenet", MACS): Count(squeeze.macs, 2 * squeeze.macs),
        ("Squeezenet", WEIGHTS): Count(squeeze.weights, squeeze.params),
    }


def table_10():
    found = {}
    for width in (1.0, 0.75):
        for size in (224, 192):
            row = f"{width} MobileNet-{size}"
            found |= counts({row: cost(MobileNetV1, width, DOGS, size=size)})
            if width == 1.0:
                exact, imagenet = found[row, MACS].exact, cost(MobileNetV1, width, size=size)
                found[row, MACS] = Count(exact, imagenet.macs)
    return found


def table_12():
    found = {}
    for width in (1.0, 0.5, 0.25):
        for size in (224, 128):
            net = cost(MobileNetV1, width, size=size)
            row = f"{width} MobileNet-{size}"
            found[row, MACS] = Count(without_classifier(net))
            found[row, WEIGHTS] = Count(net.weights - net.of_kind("fully connected").weights)
    return found


TABLES = {
    "section 3.1": ("A separable convolution against a full one, 3 × 3", section_3_1),
    "1": ("The layers of MobileNet", table_1),
    "section 3.2": ("What the text says of the layers", section_3_2),
    "2": ("Shares of each kind of layer", table_2),
    "3": ("One layer, made cheaper step by step", table_3),
    "4": ("Full against separable convolutions", table_4),
    "5": ("Narrow against shallow", table_5),
    "6": ("Width multipliers", table_6),
    "7": ("Resolutions", table_7),
    "section 4.2": ("How many times less, in the text", section_4_2),
    "8": ("Beside larger networks", table_8),
    "9": ("Beside small networks", table_9),
    "10": ("120 breeds of dog", table_10),
    "12": ("Face attributes, counted without a classifier, whose size is not printed", table_12),
    "13": ("Object detection", not_built),
    "14": ("Face embeddings", not_built),
}
