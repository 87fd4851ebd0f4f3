"""What a photo goes through before a network sees it. It is data, and belongs to the weights:

    photo = ImageOps.exif_transpose(Image.open("cat.jpg"))      # upright
    x = preprocessing(photo)                                    # (1, 3, 224, 224), float32

Weights are trained for one size, one order of colours and one range of numbers. Others raise no
error: the network answers, and is wrong more often. `npnets.weights.mistakes` measures how often.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from npnets.extras import require
from npnets.weights.class_names import CIFAR10, IMAGENET, IMAGENET_1001, VISUAL_WAKE_WORDS

# How the longer side, and how the first pixel of the crop, is made a whole number.
ROUNDING = {
    "huggingface": (math.floor, math.floor),
    "torchvision": (math.floor, round),
    "coral":       (round, math.floor),
    "megvii":      (lambda pixels: math.floor(pixels + 0.5), round),
}  # fmt: skip

KNOWN = {
    "rounding": tuple(ROUNDING),
    "interpolation": ("nearest", "bilinear", "bicubic", "bilinear, 4 pixels"),
    "channels": ("RGB", "BGR"),
}


@dataclass(frozen=True, repr=False)
class Preprocessing:
    """Resize the shorter side, cut out the centre, and make of each number of a pixel

        (scale · x − mean) / std          x = 0 … 255; mean and std in the order of `channels`

    resize is None where photos are cut at the size they come in. interpolation is "nearest",
    "bilinear", "bicubic" (Pillow's, which average over all pixels that one pixel takes the place
    of) or "bilinear, 4 pixels" (OpenCV's, which only looks at the nearest four). channels is "RGB"
    or "BGR"; rounding is a key of ROUNDING. Raises ValueError for others.
    """

    size: int = 224
    resize: int | None = 256
    interpolation: str = "bilinear"
    rounding: str = "torchvision"
    channels: str = "RGB"
    scale: float = 1.0
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    class_names: tuple[str, ...] = IMAGENET

    def __post_init__(self):
        for name, known in KNOWN.items():
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be in {known}, got {getattr(self, name)!r}")

    def at(self, size):
        """Return the same for another size of image, with the same share of the photo cut out."""
        resize = None if self.resize is None else round(self.resize * size / self.size)
        return replace(self, size=size, resize=resize)

    def named(self, num_classes):
        """Return the same, without names of classes where those are others than num_classes."""
        fits = len(self.class_names) == num_classes
        return self if fits else replace(self, class_names=())

    def __call__(self, image):
        """Return what the network sees of a PIL image: (1, 3, size, size) float32."""
        return self.normalize(self.pixels(image)[None])

    def pixels(self, image):
        """Return the pixels that are left of a PIL image, (3, size, size) uint8, RGB.

        Raises TypeError for anything but an image, and ValueError for one that is too small.
        """
        if not hasattr(image, "convert"):
            raise TypeError(f"a PIL image is needed, got a {type(image).__name__}")
        image = image.convert("RGB")
        longer_side, offset = ROUNDING[self.rounding]
        if self.resize is not None:
            short = min(image.size)
            sides = (longer_side(self.resize * side / short) for side in image.size)
            image = self._resized(image, *sides)
        width, height = image.size
        if min(width, height) < self.size:
            raise ValueError(
                f"a photo must have at least {self.size} × {self.size} pixels to be cut out, "
                f"got {width} × {height}"
            )
        left, top = offset((width - self.size) / 2), offset((height - self.size) / 2)
        image = image.crop((left, top, left + self.size, top + self.size))
        return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))

    def _resized(self, image, width, height):
        if self.interpolation == "bilinear, 4 pixels":
            return four_pixels(image, width, height)
        filters = require("PIL.Image", "weights").Resampling
        return image.resize((width, height), filters[self.interpolation.upper()])

    def normalize(self, images, dtype=np.float32):
        """Return images, (N, 3, H, W) uint8 RGB, as the network wants their colours."""
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(
                "images must be (N, 3, H, W) uint8, RGB, of 0 … 255; "
                f"got {images.shape} {images.dtype}"
            )
        if self.channels == "BGR":
            images = images[:, ::-1]
        table = self._table().astype(dtype)  # a byte has 256 values: each is computed once
        x = np.empty(images.shape, dtype)
        for channel, values in enumerate(table):
            x[:, channel] = values[images[:, channel]]
        return x

    def _table(self):
        mean, std = np.float64(self.mean)[:, None], np.float64(self.std)[:, None]
        return (self.scale * np.arange(256) - mean) / std

    def __repr__(self):
        table, names = self._table(), self.class_names
        resize = f"its shorter side to {self.resize} pixels, {self.interpolation}"
        numbers = _formula(self.scale, self.mean, self.std)
        named = f": {names[0]} … {names[-1]}" if names else ", whose names are not known"
        rows = (
            "Preprocessing",
            f"  resize   {'not at all' if self.resize is None else resize}",
            f"  cut out  {self.size} × {self.size} pixels in the centre",
            f"  colours  {self.channels}, each x of 0 … 255 as {numbers}",
            f"           so that they are {table.min():.3g} … {table.max():.3g}",
            f"  classes  {len(names) or 'some'}{named}",
        )
        return "\n".join(rows)


def four_pixels(image, width, height):
    """Return a PIL image in another size: each pixel from the four around its centre, as

        y[p]  =  (1 − t)·x[h] + t·x[h+1],     h + t  =  (p + 1/2)·H/P − 1/2

    along both axes. Where an image shrinks, pixels in between are skipped. To within one unit it
    is cv2.resize with INTER_LINEAR.
    """
    x = np.asarray(image, np.float32)
    for axis, P in ((0, height), (1, width)):
        H = x.shape[axis]
        place = np.clip((np.arange(P) + 0.5) * (H / P) - 0.5, 0, H - 1)
        h = np.floor(place).astype(int)
        t = np.float32(place - h).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        x = (1 - t) * x.take(h, axis) + t * x.take(np.minimum(h + 1, H - 1), axis)
    return require("PIL.Image", "weights").fromarray(np.uint8(np.rint(x)))


def _formula(scale, mean, std):
    """Return (scale · x − mean) / std with its numbers in it."""
    text = "x" if scale == 1 else f"x/{1 / scale:.6g}"
    text = f"{text} − {_numbers(mean)}" if any(mean) else text
    return text if set(std) == {1} else f"({text}) / {_numbers(std)}"


def _numbers(of_channels):
    """Return a number for each channel, or one where they are all alike."""
    texts = [f"{number:.6g}" for number in of_channels]
    return texts[0] if len(set(texts)) == 1 else f"({', '.join(texts)})"


# What each maker does. At 224 pixels all of them keep the inner 7/8, of 256, but for one.

TORCHVISION = Preprocessing(  # pytorch/vision: torchvision/transforms/_presets.py
    scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
)
# MobileNet_V2 IMAGENET1K_V2 and ShuffleNet_V2 X1_5, X2_0: the newer recipe of its makers
TORCHVISION_232 = replace(TORCHVISION, resize=232)

# rwightman/timm: models/efficientnet.py, the default; and that of mobilenetv1_100
TIMM = replace(TORCHVISION, interpolation="bicubic")
TIMM_V1 = replace(TIMM, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))

MEGVII = Preprocessing(  # megvii-model/ShuffleNet-Series: ShuffleNetV1/train.py, as for V2
    interpolation="bilinear, 4 pixels", rounding="megvii", channels="BGR"
)
# keras-team/keras: applications/imagenet_utils.py, mode "tf". It leaves resizing to the caller;
# here it is done as in torchvision.
KERAS = Preprocessing(scale=1 / 127.5, mean=(1.0, 1.0, 1.0))

HUGGINGFACE = Preprocessing(  # google/mobilenet_v1_1.0_224, and v2: preprocessor_config.json
    rounding="huggingface", scale=1 / 255, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5),
    class_names=IMAGENET_1001,
)  # fmt: skip

# google-coral/test_data: x is quantised, so the file says what it stands for: (x − 127) · scale
CORAL_V2 = Preprocessing(
    rounding="coral", mean=(127.0,) * 3, std=(1 / 0.007843137718737125,) * 3,
    class_names=IMAGENET_1001,
)  # fmt: skip
CORAL_V1 = replace(CORAL_V2, mean=(128.0,) * 3, std=(128.0,) * 3).at(128)

WAKE_WORDS = Preprocessing(  # mlcommons/tiny: benchmark/training/visual_wake_words
    rounding="coral", scale=1 / 255, class_names=VISUAL_WAKE_WORDS
).at(96)
CIFAR = Preprocessing(  # chenyaofo/pytorch-cifar-models
    size=32, resize=32, scale=1 / 255, mean=(0.4914, 0.4822, 0.4465),
    std=(0.2023, 0.1994, 0.2010), class_names=CIFAR10,
)  # fmt: skip
