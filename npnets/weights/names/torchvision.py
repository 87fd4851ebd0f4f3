"""torchvision: MobileNet v2 and ShuffleNet v2. Source: github.com/pytorch/vision,
torchvision/models/mobilenetv2.py and shufflenetv2.py."""

from npnets.nets import MobileNetV2, ShuffleNetV2
from npnets.weights.preprocessing import TORCHVISION, TORCHVISION_232
from npnets.weights.source import Source, table

# A unit's first block of convolution, norm and ReLU6 is conv.0, and so on; the last convolution
# and its norm, without an activation, stand alone. In the first unit nothing is expanded.
MOBILENET_V2 = table("""
    npnets                               torchvision
    stem.conv                            features.0.0
    stem.norm                            features.0.1
    stage1.unit1.branch.depthwise.conv   features.1.conv.0.0
    stage1.unit1.branch.depthwise.norm   features.1.conv.0.1
    stage1.unit1.branch.project.conv     features.1.conv.1
    stage1.unit1.branch.project.norm     features.1.conv.2
    *.branch.expand.conv                 features.{n}.conv.0.0
    *.branch.expand.norm                 features.{n}.conv.0.1
    *.branch.depthwise.conv              features.{n}.conv.1.0
    *.branch.depthwise.norm              features.{n}.conv.1.1
    *.branch.project.conv                features.{n}.conv.2
    *.branch.project.norm                features.{n}.conv.3
    head.conv                            features.18.0
    head.norm                            features.18.1
    classifier                           classifier.1
""")

# branch1 is the shortcut, branch2 the branch; number 2 is the ReLU there.
SHUFFLENET_V2 = table("""
    npnets                               torchvision
    stem.conv                            conv1.0
    stem.norm                            conv1.1
    *.shortcut.depthwise.conv            stage{stage}.{unit-1}.branch1.0
    *.shortcut.depthwise.norm            stage{stage}.{unit-1}.branch1.1
    *.shortcut.pointwise.conv            stage{stage}.{unit-1}.branch1.2
    *.shortcut.pointwise.norm            stage{stage}.{unit-1}.branch1.3
    *.branch.pointwise1.conv             stage{stage}.{unit-1}.branch2.0
    *.branch.pointwise1.norm             stage{stage}.{unit-1}.branch2.1
    *.branch.depthwise.conv              stage{stage}.{unit-1}.branch2.3
    *.branch.depthwise.norm              stage{stage}.{unit-1}.branch2.4
    *.branch.pointwise2.conv             stage{stage}.{unit-1}.branch2.5
    *.branch.pointwise2.norm             stage{stage}.{unit-1}.branch2.6
    head.conv                            conv5.0
    head.norm                            conv5.1
    classifier                           fc
""")


def newer_recipe(options):
    """Return whether torchvision trained this width with its newer recipe only."""
    return options.get("width_mult") in (1.5, 2.0)


# MobileNet v2 has weights of both recipes, with the same names and shapes: for those of the newer,
# IMAGENET1K_V2, set net.preprocessing to TORCHVISION_232.
SOURCES = (
    Source("torchvision", MobileNetV2, MOBILENET_V2, TORCHVISION),
    Source("torchvision", ShuffleNetV2, SHUFFLENET_V2, TORCHVISION),
    Source("torchvision", ShuffleNetV2, SHUFFLENET_V2, TORCHVISION_232, chosen=newer_recipe),
)
