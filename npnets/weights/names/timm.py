"""timm: MobileNet v1 and v2. Source: github.com/huggingface/pytorch-image-models,
timm/models/efficientnet.py (_gen_mobilenet_v1, _gen_mobilenet_v2)."""

from npnets.nets import MobileNetV1, MobileNetV2
from npnets.weights.preprocessing import TIMM, TIMM_V1
from npnets.weights.source import Source, table

# blocks.{level} are all units at one resolution.
MOBILENET_V1 = table("""
    npnets                               timm
    stem.conv                            conv_stem
    stem.norm                            bn1
    *.depthwise.conv                     blocks.{level-1}.{step-1}.conv_dw
    *.depthwise.norm                     blocks.{level-1}.{step-1}.bn1
    *.pointwise.conv                     blocks.{level-1}.{step-1}.conv_pw
    *.pointwise.norm                     blocks.{level-1}.{step-1}.bn2
    classifier                           classifier
""")

# conv_pw expands, conv_pwl projects (linear); in the first unit, which only projects, it is
# conv_pw that does.
MOBILENET_V2 = table("""
    npnets                               timm
    stem.conv                            conv_stem
    stem.norm                            bn1
    stage1.unit1.branch.depthwise.conv   blocks.0.0.conv_dw
    stage1.unit1.branch.depthwise.norm   blocks.0.0.bn1
    stage1.unit1.branch.project.conv     blocks.0.0.conv_pw
    stage1.unit1.branch.project.norm     blocks.0.0.bn2
    *.branch.expand.conv                 blocks.{stage-1}.{unit-1}.conv_pw
    *.branch.expand.norm                 blocks.{stage-1}.{unit-1}.bn1
    *.branch.depthwise.conv              blocks.{stage-1}.{unit-1}.conv_dw
    *.branch.depthwise.norm              blocks.{stage-1}.{unit-1}.bn2
    *.branch.project.conv                blocks.{stage-1}.{unit-1}.conv_pwl
    *.branch.project.norm                blocks.{stage-1}.{unit-1}.bn3
    head.conv                            conv_head
    head.norm                            bn2
    classifier                           classifier
""")

SOURCES = (
    Source("timm", MobileNetV1, MOBILENET_V1, TIMM_V1, options={"relu6": True}),
    Source("timm", MobileNetV2, MOBILENET_V2, TIMM),
)
