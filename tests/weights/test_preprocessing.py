"""Preprocessing: each step against the rule that its maker gives, in other words."""

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from npnets.weights import preprocessing
from npnets.weights.preprocessing import Preprocessing, four_pixels

Image = pytest.importorskip("PIL.Image", reason='needs Pillow: pip install "npnets[weights]"')
PRESETS = {k: v for k, v in vars(preprocessing).items() if isinstance(v, Preprocessing)}
SIZES = [(300, 400), (400, 301), (375, 500), (257, 999), (1000, 257), (230, 230), (640, 427)]


def photo(width, height, seed=0):
    """Return a PIL image with something in it at every scale."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 16 + 1, width // 16 + 1, 3), np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height)), int)
    noisy = smooth + rng.integers(-40, 40, smooth.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


# Resize and crop


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", ["CORAL_V1", "CORAL_V2", "WAKE_WORDS"])
def test_the_rule_of_the_dequantised_weights(name, size):
    """R = round(S / 0.875); the other side rounded; the crop begins at (w − S) // 2."""
    given, image = PRESETS[name], photo(*size)
    S, (w, h) = given.size, size
    R = round(S / 0.875)
    small = image.resize(
        (R, round(h * R / w)) if w <= h else (round(w * R / h), R), Image.Resampling.BILINEAR
    )
    left, top = (small.width - S) // 2, (small.height - S) // 2
    expected = np.asarray(small)[top : top + S, left : left + S].transpose(2, 0, 1)
    assert_array_equal(given.pixels(image), expected)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", ["TORCHVISION", "TORCHVISION_232", "TIMM", "HUGGINGFACE"])
def test_the_rule_of_torchvision_timm_and_hugging_face(name, size):
    """The longer side is cut off, not rounded; torchvision rounds where the crop begins."""
    given, image = PRESETS[name], photo(*size)
    S, R, (w, h) = given.size, given.resize, size
    how = Image.Resampling.BICUBIC if name == "TIMM" else Image.Resampling.BILINEAR
    small = image.resize((int(R * w / min(size)), int(R * h / min(size))), how)
    whole = math.floor if name == "HUGGINGFACE" else round
    left, top = whole((small.width - S) / 2), whole((small.height - S) / 2)
    expected = np.asarray(small)[top : top + S, left : left + S].transpose(2, 0, 1)
    assert_array_equal(given.pixels(image), expected)
    shift = np.reshape(given.mean, (3, 1, 1)), np.reshape(given.std, (3, 1, 1))
    assert_allclose(given(image)[0], (expected / 255 - shift[0]) / shift[1], rtol=1e-5, atol=1e-6)


def test_torchvision_and_hugging_face_differ_by_a_pixel_where_half_a_pixel_is_left_over():
    """256 × 341 of a photo of 300 × 400 leaves 117 rows around the 224."""
    given, image = PRESETS["TORCHVISION"], photo(300, 400)
    lower, upper = given.pixels(image), replace(given, rounding="huggingface").pixels(image)
    assert_array_equal(lower, upper)  # 58.5 is rounded to the even number
    image = photo(300, 402)  # 256 × 343: 59.5 is rounded up
    lower, upper = given.pixels(image), replace(given, rounding="huggingface").pixels(image)
    assert_array_equal(lower[:, :-1], upper[:, 1:])


def test_megvii_rounds_the_longer_side_and_looks_at_four_pixels_only():
    given, image = PRESETS["MEGVII"], photo(300, 403)
    small = np.asarray(four_pixels(image, 256, 344), int)
    expected = small[60 : 60 + 224, 16 : 16 + 224].transpose(2, 0, 1)
    assert_array_equal(given.pixels(image), expected)
    assert_array_equal(given(image)[0], expected[::-1])  # BGR, as they are


@pytest.mark.parametrize("size", [(7, 5), (13, 20), (3, 2), (1, 1)], ids=str)
def test_four_pixels_is_bilinear_between_the_centres(size):
    (width, height), image = size, photo(10, 8)
    x = np.asarray(image, float)
    expected = np.zeros((height, width, 3))
    for p, q in np.ndindex(height, width):
        h = min(max((p + 0.5) * 8 / height - 0.5, 0), 7)
        w = min(max((q + 0.5) * 10 / width - 0.5, 0), 9)
        for i, j in np.ndindex(8, 10):
            share = max(0, 1 - abs(h - i)) * max(0, 1 - abs(w - j))
            expected[p, q] += share * x[i, j]
    assert np.abs(np.asarray(four_pixels(image, width, height)) - expected).max() < 0.501


def test_four_pixels_is_opencv_to_within_a_unit():
    cv2 = pytest.importorskip("cv2", reason="needs OpenCV: pip install opencv-python-headless")
    image = photo(301, 200)
    expected = cv2.resize(np.asarray(image), (128, 96), interpolation=cv2.INTER_LINEAR)
    found = np.asarray(four_pixels(image, 128, 96), int)
    assert np.abs(found - expected).max() <= 1


def test_without_resizing_a_photo_is_cut_out_of_its_centre_or_refused():
    given = Preprocessing(size=4, resize=None)
    x = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    assert_array_equal(given.pixels(Image.fromarray(x)), x[1:5, 2:6].transpose(2, 0, 1))
    with pytest.raises(ValueError, match="at least 4 × 4 pixels to be cut out, got 8 × 3"):
        given.pixels(Image.fromarray(x[:3]))


def test_grey_photos_and_those_with_transparency_become_rgb():
    given = Preprocessing(size=8, resize=8)
    assert given(photo(9, 8).convert("L")).shape == (1, 3, 8, 8)
    assert given(photo(9, 8).convert("RGBA")).shape == (1, 3, 8, 8)


def test_at_another_size_the_same_share_is_cut_out():
    given = PRESETS["TORCHVISION"]
    assert (given.at(96).size, given.at(96).resize) == (96, 110)
    assert (PRESETS["CORAL_V1"].size, PRESETS["CORAL_V1"].resize) == (128, 146)
    assert Preprocessing(resize=None).at(96).resize is None


# Colours


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("given", PRESETS.values(), ids=PRESETS)
def test_normalize_is_scale_mean_and_std_in_the_order_of_the_channels(given, dtype):
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 5, 4), np.uint8)
    x = images[:, ::-1] if given.channels == "BGR" else images
    mean, std = (np.reshape(numbers, (3, 1, 1)) for numbers in (given.mean, given.std))
    found = given.normalize(images, dtype)
    assert found.dtype == dtype
    assert_allclose(found, (x * given.scale - mean) / std, rtol=4 * np.finfo(dtype).eps, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [("KERAS", -1, 1), ("HUGGINGFACE", -1, 1), ("TIMM_V1", -1, 1), ("MEGVII", 0, 255),
     ("WAKE_WORDS", 0, 1), ("CORAL_V1", -1, 127 / 128)],
)  # fmt: skip
def test_black_and_white_are_the_ends_of_the_range(name, lowest, highest):
    ends = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1).repeat(3, axis=1)
    x = PRESETS[name].normalize(ends, np.float64)
    assert_allclose(x[:, :, 0, 0], [[lowest] * 3, [highest] * 3], atol=1e-12)


@pytest.mark.parametrize(
    "images",
    [np.zeros((1, 3, 4, 4)), np.zeros((3, 4, 4), np.uint8), np.zeros((1, 4, 4, 3), np.uint8)],
    ids=["floats", "no batch", "channels last"],
)
def test_normalize_asks_for_bytes_in_nchw(images):
    with pytest.raises(ValueError, match=r"must be \(N, 3, H, W\) uint8, RGB"):
        Preprocessing().normalize(images)


@pytest.mark.parametrize("wrong", [{"channels": "GBR"}, {"interpolation": "linear"},
                                   {"rounding": "up"}], ids=str)  # fmt: skip
def test_unknown_words_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be in "):
        Preprocessing(**wrong)


def test_a_path_is_no_image():
    with pytest.raises(TypeError, match="a PIL image is needed, got a str"):
        PRESETS["TORCHVISION"]("cat.jpg")


# What a reader sees


def test_it_says_in_words_what_it_does():
    assert repr(PRESETS["TORCHVISION"]) == (
        "Preprocessing\n"
        "  resize   its shorter side to 256 pixels, bilinear\n"
        "  cut out  224 × 224 pixels in the centre\n"
        "  colours  RGB, each x of 0 … 255 as "
        "(x/255 − (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)\n"
        "           so that they are -2.12 … 2.64\n"
        "  classes  1000: tench, Tinca tinca … toilet tissue, toilet paper, bathroom tissue"
    )
    assert "as x/127.5 − 1\n" in repr(PRESETS["KERAS"])
    assert "BGR, each x of 0 … 255 as x\n" in repr(PRESETS["MEGVII"])
    assert "not at all" in repr(Preprocessing(resize=None))


def test_names_of_classes_are_known_for_as_many_classes_only():
    given = PRESETS["TORCHVISION"]
    assert given.named(1000) is given
    assert given.named(7).class_names == ()
    assert "names are not known" in repr(given.named(7))
