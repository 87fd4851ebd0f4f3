"""Folders of images, and the many ways in which they will not do."""

from pathlib import Path

import pytest

from npnets import data
from npnets.extras import require


def picture(path, mode="RGB", size=(6, 4), colour=None):
    """Write an image of one colour; size is width, height."""
    Image = require("PIL.Image")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, colour if colour is not None else 0).save(path)


def write_classes(folder, counts, **options):
    for name, count in counts.items():
        for number in range(count):
            picture(folder / name / f"{number}.png", colour=(number, 0, 9), **options)


def test_a_folder_of_classes_is_split_by_every_fifth_file(tmp_path):
    write_classes(tmp_path, {"dog": 10, "cat": 7})
    (tmp_path / "notes.txt").write_text("beside the classes, files do not count")
    (tmp_path / "cat" / ".hidden").write_text("nor do hidden files")
    (tmp_path / ".git").mkdir()
    train, test = data.load("folder", tmp_path)
    assert train.class_names == test.class_names == ("cat", "dog")
    assert test.images[:, 0, 0, 0].tolist() == [0, 5, 0, 5]
    assert test.labels.tolist() == [0, 0, 1, 1]
    assert train.images[:, 0, 0, 0].tolist() == [1, 2, 3, 4, 6, 1, 2, 3, 4, 6, 7, 8, 9]
    assert train.labels.tolist() == [0] * 5 + [1] * 8
    assert train.images.shape == (13, 3, 4, 6), "height comes before width"
    assert (train.images[:, 2] == 9).all()


def test_a_folder_with_train_and_test_keeps_them(tmp_path):
    write_classes(tmp_path / "train", {"b": 3, "a": 1})
    write_classes(tmp_path / "test", {"a": 1, "b": 2})
    train, test = data.load("folder", str(tmp_path))
    assert train.labels.tolist() == [0, 1, 1, 1]
    assert test.labels.tolist() == [0, 1, 1]
    assert test.images[:, 0, 0, 0].tolist() == [0, 0, 1]


def test_photos_are_turned_upright(tmp_path):
    Image = require("PIL.Image")
    camera = Image.Exif()
    camera[0x0112] = 6  # to be turned by a quarter, clockwise
    upright = Image.new("RGB", (6, 4))
    upright.putpixel((0, 0), (255, 0, 0))
    upright.rotate(90, expand=True).save(tmp_path / "turned.png", exif=camera)
    pixels = data.read_image(tmp_path / "turned.png", 3, (4, 6))
    assert pixels[0].tolist() == [[255, 0, 0, 0, 0, 0], *3 * [[0] * 6]]


def test_images_are_grey_only_where_all_of_them_are(tmp_path):
    picture(tmp_path / "a" / "0.png", "L", colour=200)
    picture(tmp_path / "a" / "1.png", "1", colour=1)
    train, test = data.load("folder", tmp_path)
    assert train.images.shape == test.images.shape == (1, 1, 4, 6)
    assert (test.images == 200).all()
    assert (train.images == 255).all()

    picture(tmp_path / "b" / "0.png", "RGB", colour=(1, 2, 3))
    picture(tmp_path / "b" / "1.png", "RGBA", colour=(4, 5, 6, 128))
    train, test = data.load("folder", tmp_path)
    assert test.images[:, :, 0, 0].tolist() == [[200, 200, 200], [1, 2, 3]]
    assert train.images[:, :, 0, 0].tolist() == [[255, 255, 255], [4, 5, 6]]


def test_a_folder_is_needed():
    with pytest.raises(ValueError, match="'folder' needs data_dir"):
        data.load("folder")
    with pytest.raises(FileNotFoundError, match="no folder no/such/place"):
        data.load("folder", Path("no/such/place"))


def spoil_size(folder):
    picture(folder / "b" / "1.png", size=(4, 6))


def spoil_text(folder):
    (folder / "a" / "readme.txt").write_text("no image")


def spoil_cut(folder):
    picture(folder / "a" / "big.png", size=(200, 200))
    content = (folder / "a" / "big.png").read_bytes()
    (folder / "a" / "big.png").write_bytes(content[: len(content) // 2])


def spoil_depth(folder):
    picture(folder / "a" / "deep.png", "I;16", colour=40000)


def spoil_empty(folder):
    (folder / "c").mkdir()


def spoil_single(folder):
    write_classes(folder, {"c": 1})


def spoil_classes(folder):
    write_classes(folder / "train", {"x": 1})
    write_classes(folder / "test", {"x": 1, "y": 1})


def spoil_no_test_class(folder):
    write_classes(folder / "train", {"x": 1})
    (folder / "test").mkdir()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_size, r"b.1.png: is 6 × 4 pixels, .*a.1.png is 4 × 6; resize them"),
        (spoil_text, r"readme.txt: no image that can be read \("),
        (spoil_cut, r"big.png: no image that can be read \("),
        (spoil_depth, r"deep.png: .*8 bits per channel are needed, got mode I;16"),
        (spoil_empty, "c: needs at least one image, got none"),
        (spoil_single, "c: needs at least two images, one to train and one to test with, got 1"),
        (spoil_classes, r"need the same classes, got \['x'\] and \['x', 'y'\]"),
        (spoil_no_test_class, "test: needs one folder of images per class, got none"),
    ],
)
def test_a_folder_that_will_not_do_is_refused_by_name(spoil, message, tmp_path):
    write_classes(tmp_path, {"a": 2, "b": 2})
    assert len(data.load("folder", tmp_path)[0]) == 2
    spoil(tmp_path)
    with pytest.raises(ValueError, match=message):
        data.load("folder", tmp_path)
