"""chenyaofo's networks for CIFAR-10 and CIFAR-100, with torchvision's names. Source:
github.com/chenyaofo/pytorch-cifar-models, pytorch_cifar_models/mobilenetv2.py and shufflenetv2.py.

Only the number of classes tells them from torchvision's own; where that says the wrong thing, as
for ten classes of large photos, name the source.
"""

from npnets.nets import MobileNetV2, ShuffleNetV2
from npnets.weights.names.torchvision import MOBILENET_V2, SHUFFLENET_V2
from npnets.weights.preprocessing import CIFAR
from npnets.weights.source import Source


def for_cifar(options):
    """Return whether there are as many classes as in CIFAR-10 or CIFAR-100."""
    return options["num_classes"] in (10, 100)


def keep_size(net):
    """Let stage 2 keep the size of the image."""
    net.stage2.unit1.branch.depthwise.conv.window["stride"] = 1


SOURCES = (
    Source(
        "chenyaofo cifar",
        MobileNetV2,
        MOBILENET_V2,
        CIFAR,
        options={"small_images": True},
        changes={"stage 2 has stride 1": keep_size},
        chosen=for_cifar,
    ),
    Source(
        "chenyaofo cifar",
        ShuffleNetV2,
        SHUFFLENET_V2,
        CIFAR,
        options={"small_images": True},
        chosen=for_cifar,
    ),
)
