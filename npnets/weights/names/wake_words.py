"""MLPerf Tiny's visual wake words: MobileNet v1 of a quarter of the width, person or no person.

Source: github.com/mlcommons/tiny, benchmark/training/visual_wake_words/vww_model.py. Keras numbers
its layers by kind, the first without a number. Convolutions have a bias and a batch norm; the
average over 3 × 3 pixels at the end is that of the whole image.
"""

from npnets.nets import MobileNetV1
from npnets.weights.adapt import TENSORFLOW, add_bias
from npnets.weights.names.keras import KINDS, keras_3
from npnets.weights.preprocessing import WAKE_WORDS
from npnets.weights.source import Source, table

MOBILENET_V1 = table("""
    npnets                 Keras
    stem.conv              conv2d
    stem.norm              batch_normalization
    unit1.depthwise.conv   depthwise_conv2d
    *.depthwise.conv       depthwise_conv2d_{n-1}
    *.depthwise.norm       batch_normalization_{2n-1}
    *.pointwise.conv       conv2d_{n}
    *.pointwise.norm       batch_normalization_{2n}
    classifier             dense
""")

SOURCES = (
    Source(
        "visual wake words", MobileNetV1, MOBILENET_V1, WAKE_WORDS, KINDS,
        changes=TENSORFLOW | {"convolutions have a bias": add_bias}, prepare=keras_3,
    ),
)  # fmt: skip
