"""Networks that are near to the four and none of them: an array that only they have, and why."""

UNKNOWN = {
    "features.0.2a.proj.conv.weight": (
        "megvii's ShuffleNetV2.Large: its 3 × 3 convolutions have 8 groups, where the paper's are "
        "depthwise, and its units have squeeze-and-excitation blocks"
    ),
    "LastSE.SE_opr.1.weight": (
        "megvii's ShuffleNetV2+: it has four stages, squeeze-and-excitation blocks and hard swish"
    ),
    "blocks.1.2.conv_pwl.weight": (
        "a network of timm that has more units than table 2 of MobileNet v2, such as "
        "mobilenetv2_110d, or is of another family"
    ),
    "features.1.block.0.0.weight": (
        "torchvision's MobileNet v3, of another paper: arXiv:1905.02244"
    ),
}
