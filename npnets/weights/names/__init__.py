"""What each maker calls the layers: one file a maker, to be read side by side."""

from npnets.weights.names import chenyaofo, megvii, own, pytorchcv, timm, torch_ports, torchvision

SOURCES = (
    *torchvision.SOURCES,
    *timm.SOURCES,
    *megvii.SOURCES,
    *pytorchcv.SOURCES,
    *torch_ports.SOURCES,
    *chenyaofo.SOURCES,
    *own.SOURCES,
)
