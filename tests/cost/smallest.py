"""The four networks at their smallest published widths."""

import pytest

from npnets import MobileNetV1, MobileNetV2, ShuffleNetV1, ShuffleNetV2

NETWORKS = [
    (MobileNetV1, {"width_mult": 0.25}),
    (MobileNetV2, {"width_mult": 0.35}),
    (ShuffleNetV1, {"scale": 0.25}),
    (ShuffleNetV2, {"width_mult": 0.5}),
]
networks = pytest.mark.parametrize(("network", "options"), NETWORKS)
