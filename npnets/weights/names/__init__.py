"""What each maker calls the layers: one file a maker, to be read side by side."""

from npnets.weights.names import coral, huggingface, keras, torchvision, wake_words

SOURCES = (
    *torchvision.SOURCES,
    *huggingface.SOURCES,
    *keras.SOURCES,
    *wake_words.SOURCES,
    *coral.SOURCES,
)
