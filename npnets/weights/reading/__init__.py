"""Files of weights, read and not run.

    checkpoint = read("mobilenet_v2-b0353104.pth")
    checkpoint.arrays["features.0.0.weight"]      # (32, 3, 3, 3), float32

Whoever wrote the file may have meant harm. Nothing in it is executed, nothing is unpacked to
disk, and no array is made before it is clear that the file holds that many numbers.
"""

import zipfile
from pathlib import Path

from npnets.archive import DAMAGED
from npnets.weights.reading import keras, npz, safetensors, torch_old, torch_zip
from npnets.weights.reading.checkpoint import Checkpoint

__all__ = ["Checkpoint", "read"]

# What such files are called; only to list them, for to read one its name does not matter.
SUFFIXES = (".pth", ".pt", ".safetensors", ".h5", ".keras", ".npz", ".bin")


def read(path):
    """Return the Checkpoint in a file; what kind of file it is, its first bytes tell.

    Raises ValueError, with the path and the reason, for a file that is damaged, of another
    kind, or asks for more than arrays; FileNotFoundError where there is none; and ImportError,
    with the command that installs it, where the library for this kind is missing. For a folder,
    IsADirectoryError names the files in it.
    """
    path = Path(path)
    if path.is_dir():
        names = sorted(file.name for file in path.iterdir() if file.suffix in SUFFIXES)
        there = f"give a file in it: {', '.join(names)}" if names else "without a file of weights"
        raise IsADirectoryError(f"{path} is a folder, {there}")
    try:
        return _reader(path).read(path)
    except DAMAGED as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def _reader(path):
    """Return the module that reads this kind of file."""
    with open(path, "rb") as file:
        head = file.read(512)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _reader_of_archive(path)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return keras
    if head[4:9] == b"\0\0\0\0{":  # the length of a header, in 8 bytes, and its first
        return safetensors
    if head.startswith(b"\x80"):
        return torch_old
    if head[257:262] == b"ustar":
        raise ValueError(
            "a tar archive: if PyTorch before 0.1.10 wrote it, load it with PyTorch and "
            "save it anew; otherwise unpack it first"
        )
    raise ValueError("it does not begin as a .pth, .safetensors, .h5, .keras or .npz file does")


def _reader_of_archive(path):
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise ValueError(f"a damaged archive, or half a download ({error})") from error
    if any(name.endswith("/data.pkl") for name in names):
        if any("/code/" in name for name in names):
            raise ValueError(
                "a program of TorchScript; load it with torch.jit.load, "
                "and torch.save(model.state_dict(), ...)"
            )
        return torch_zip
    if "model.weights.h5" in names:
        return keras
    if all(name.endswith((".npy", ".json")) for name in names):
        return npz
    raise ValueError(f"an archive with {names[0]!r:.80} in it is not a file of weights")
