"""What each maker calls the layers: one file a maker, to be read side by side."""

from npnets.weights.names import (
    chenyaofo,
    coral,
    huggingface,
    keras,
    megvii,
    own,
    pytorchcv,
    timm,
    torch_ports,
    torchvision,
    wake_words,
)

SOURCES = (
    *torchvision.SOURCES,
    *timm.SOURCES,
    *huggingface.SOURCES,
    *keras.SOURCES,
    *megvii.SOURCES,
    *pytorchcv.SOURCES,
    *torch_ports.SOURCES,
    *chenyaofo.SOURCES,
    *wake_words.SOURCES,
    *coral.SOURCES,
    *own.SOURCES,
)
