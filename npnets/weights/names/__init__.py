"""What each maker calls the layers: one file a maker, to be read side by side."""

from npnets.weights.names import torchvision

SOURCES = (*torchvision.SOURCES,)
