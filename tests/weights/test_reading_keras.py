"""Keras' files, good ones and ones that would reach for something else."""

import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from good_files import CONFIG, GOOD_KERAS, KERAS, fill_keras_2, hdf5, keras_zip
from test_reading import assert_same

from npnets.weights.reading import hdf5 as program
from npnets.weights.reading import keras, read
from npnets.weights.reading.keras_names import name_arrays

VWW = Path(__file__).parents[3] / "shared" / "weights" / "mobilenetv1_0.25_96_vww"


@pytest.mark.parametrize("name", GOOD_KERAS)
def test_every_way_to_write_it_gives_the_same(name, tmp_path):
    (tmp_path / "a").write_bytes(GOOD_KERAS[name])
    found = read(tmp_path / "a")
    if "weights alone" in name:  # no description: layers in the order of their numbers, or names
        assert set(found.arrays) == set(KERAS)
    else:
        assert found.metadata == {"config": json.loads(CONFIG)}
        assert list(found.arrays) == list(KERAS)
    assert_same(found.arrays, {layer: KERAS[layer] for layer in found.arrays})
    assert found.format == "keras"


def test_layers_of_an_inner_model_have_their_own_names(tmp_path):
    def fill(file):
        fill_keras_2(file.create_group("inner"))
        inner = file["inner"]
        for layer in ("conv1", "conv1_bn", "conv_dw_1"):
            inner.move(f"{layer}/{layer}", f"{layer}_")
            del inner[layer]
            inner.move(f"{layer}_", layer)
        file["top/top/kernel:0"] = np.ones((2, 2))

    (tmp_path / "a").write_bytes(hdf5(fill))
    arrays = read(tmp_path / "a").arrays
    assert set(arrays) == {*KERAS, "top/kernel"}


def test_what_a_group_says_of_its_layer_counts_more_than_its_number():
    attributes = {"": {}, "layers/conv2d/vars": {"name": ["b"]}}
    layers = {"a": "conv2d", "b": "conv2d"}
    assert name_arrays({"layers/conv2d/vars/0": 1}, attributes, layers) == {"b/kernel": 1}
    attributes["layers/conv2d/vars"] = {}
    assert name_arrays({"layers/conv2d/vars/0": 1}, attributes, layers) == {"a/kernel": 1}


def test_a_batch_norm_without_scale_keeps_its_numbers(tmp_path):
    def fill(file):
        for number in range(3):
            file[f"layers/batch_normalization/vars/{number}"] = np.ones(2)

    (tmp_path / "a").write_bytes(hdf5(fill))
    assert list(read(tmp_path / "a").arrays) == [f"batch_normalization/{n}" for n in range(3)]


@pytest.mark.skipif(not VWW.exists(), reason="../shared has no weights of Keras")
def test_weights_that_keras_trained():
    expected = read(VWW / "weights.safetensors").arrays
    found = read(VWW / "vww_96.h5").arrays
    assert list(found)[:2] == ["conv2d/kernel", "conv2d/bias"]
    assert_same({name: found[name] for name in expected}, expected)
    assert set(found) == set(expected)


def twice(file):
    file["a/vars/0"] = file["b/vars/0"] = np.ones(3)
    for group in ("a/vars", "b/vars"):
        file[group].attrs["name"] = "same"


def virtual(file):
    layout = h5py.VirtualLayout((2**40,), "f4")
    layout[:2] = h5py.VirtualSource("/etc/hostname", "x", (2,))
    file.create_virtual_dataset("x", layout)


def cycle(file):
    group = file.create_group("a")
    group["b"] = group


def shared(file):
    file["x"] = np.ones(2000, np.float32)
    for number in range(10):
        file[f"y{number}"] = file["x"]


ARRAY = np.ones((100, 100), np.float32)
# What an HDF5 file may have that is refused, and the reason that is given.
HARM = {
    "external link": (lambda f: f.update({"x": h5py.ExternalLink("/etc/passwd", "y")}),
                      "'x' is a link to elsewhere"),
    "soft link": (lambda f: f.update({"x": h5py.SoftLink("/y")}), "'x' is a link to elsewhere"),
    "model_weights elsewhere": (lambda f: f.update(
        {"model_weights": h5py.ExternalLink("other.h5", "/")}), "is a link to elsewhere"),
    "virtual": (virtual, "'x' is virtual, external or compressed"),
    "external": (lambda f: f.create_dataset("x", (8,), "u1", external="/etc/hostname"),
                 "'x' is virtual, external or compressed"),
    "compressed": (lambda f: f.create_dataset("x", (10**4, 10**4), "f4", compression="gzip"),
                   "'x' is virtual, external or compressed"),
    "nothing but a shape": (lambda f: f.create_dataset("x", (2**30, 2**30), "f4"),
                            "'x' promises 4611686018427387904 bytes"),
    "chunks that are not there": (lambda f: f.create_dataset("x", (2**20,), "f4", chunks=(2**8,)),
                                  "'x' promises 4194304 bytes"),
    "one array many times": (shared, "would fill 88000 bytes"),
    "text": (lambda f: f.create_dataset("x", data=["a", "b"]), "'x' holds object, not numbers"),
    "references": (lambda f: f.create_dataset("x", data=np.array([f.ref], h5py.ref_dtype)),
                   "'x' holds object, not numbers"),
    "objects": (lambda f: f.create_dataset("x", (2,), h5py.vlen_dtype("f4")),
                "'x' holds object, not numbers"),
    "complex": (lambda f: f.create_dataset("x", data=[1j]), "'x' holds complex128, not numbers"),
    "no array": (lambda f: f.create_dataset("x", data=h5py.Empty("f4")), "not numbers"),
    "a group in itself": (cycle, "8 levels"),
}  # fmt: skip


@pytest.mark.parametrize("name", HARM)
def test_what_reaches_elsewhere_is_refused(name, tmp_path):
    fill, reason = HARM[name]
    (tmp_path / "a").write_bytes(hdf5(fill))
    with pytest.raises(ValueError, match=reason):
        program.main(tmp_path / "a", tmp_path / "arrays.npz")
    assert not (tmp_path / "arrays.npz").exists()


def test_a_reason_of_the_program_is_passed_on(tmp_path):
    (tmp_path / "a").write_bytes(hdf5(virtual))
    with pytest.raises(ValueError, match=r"a cannot be read: .*'x' is virtual"):
        read(tmp_path / "a")


def test_two_arrays_of_one_name_are_refused(tmp_path):
    (tmp_path / "a").write_bytes(hdf5(twice))
    with pytest.raises(ValueError, match="two of its arrays are called 'same/0'"):
        read(tmp_path / "a")


def test_so_many_objects_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(program, "MOST_OBJECTS", 6)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        fill_keras_2(file)
        with pytest.raises(ValueError, match="more than 6 objects"):
            program._walk(file)


def test_many_texts_of_any_length_are_not_read():
    def fill(file):
        file.attrs["layer_names"] = np.array(["a" * 100] * 50, object)
        file.attrs["name"] = np.array([b"a", b"b"])
        file.attrs["model_config"] = "ü"

    with h5py.File(io.BytesIO(hdf5(fill)), "r") as file:
        found = [program._texts(file.attrs, name) for name in program.TEXTS]
    assert found == [["ü"], [], ["a", "b"]]


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        ("while True: pass", "did not finish in 1 s"),
        ("import os; os.abort()", "crashed"),
        ("raise MemoryError('too much')", r"a damaged HDF5 file \(.*too much"),
    ],
)
def test_a_library_that_hangs_or_crashes_does_no_harm(does, reason, tmp_path, monkeypatch):
    (tmp_path / "program.py").write_text(does)
    (tmp_path / "a").write_bytes(GOOD_KERAS["keras 2"])
    monkeypatch.setattr(keras, "PROGRAM", tmp_path / "program.py")
    monkeypatch.setattr(keras, "SECONDS", 1 if "finish" in reason else 60)
    with pytest.raises(ValueError, match=f"a cannot be read: .*{reason}"):
        read(tmp_path / "a")


def test_compressed_members_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", CONFIG)
        archive.writestr("model.weights.h5", bytes(10**6))
    with pytest.raises(ValueError, match="is compressed"):
        read(tmp_path / "a")


def test_the_inner_file_must_be_hdf5(tmp_path):
    (tmp_path / "a").write_bytes(keras_zip(b"not HDF5"))
    with pytest.raises(ValueError, match="a damaged HDF5 file"):
        read(tmp_path / "a")
