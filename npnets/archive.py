"""Zip archives whose members are stored as they are, and the arrays of NumPy in them.

Many formats for weights are such archives: npnets' own, NumPy's .npz, PyTorch's .pth and Keras'
.keras. Stored members that do not overlap cannot hold more than the file does, whatever they
say of themselves, so that no file fills the memory. Nothing is unpacked to disk.
"""

import struct
import tokenize
import zipfile
import zlib

import numpy as np

# What a damaged archive, and NumPy or JSON on what is in it, may raise.
# fmt: off
DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, KeyError, ValueError,
           OverflowError, NotImplementedError, RuntimeError, RecursionError, MemoryError)
# fmt: on

LOCAL_HEADER = struct.Struct("<26xHH")  # what stands before each member: … length of name, extra


def members(archive):
    """Return {name: ZipInfo} of an open ZipFile, in the order of its directory.

    Raises ValueError where a member is compressed, lies on another or beyond the directory, or
    has the name of another.
    """
    infos = {info.filename: info for info in archive.infolist()}
    if len(infos) != len(archive.infolist()):
        raise ValueError("two of its members have one name")
    by_place = sorted(infos.values(), key=lambda info: info.header_offset)
    ends = [info.header_offset for info in by_place[1:]] + [archive.start_dir]
    if by_place and by_place[0].header_offset < 0:
        raise ValueError(f"{by_place[0].filename} would begin before the file")
    for info, end in zip(by_place, ends, strict=False):
        if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
            raise ValueError(f"{info.filename} is compressed; save it without compression")
        if _data_offset(archive, info) + info.file_size > end:
            raise ValueError(f"{info.filename} reaches into what comes after it")
    return infos


def _data_offset(archive, info):
    """Return where in the file the contents of a member begin."""
    archive.fp.seek(info.header_offset)
    header = archive.fp.read(LOCAL_HEADER.size)
    return info.header_offset + LOCAL_HEADER.size + sum(LOCAL_HEADER.unpack(header))


def read_npy(archive, info):
    """Return the array in a member, having made sure that it is as large as its header promises.

    Raises ValueError for pickled objects, and for what is not an array.
    """
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        if version != (1, 0):
            raise ValueError(f"{info.filename} has an unknown version, {version}")
        try:
            shape, _, dtype = np.lib.format.read_array_header_1_0(member)
        except (SyntaxError, tokenize.TokenError) as error:
            raise ValueError(f"{info.filename} has a damaged header ({error})") from error
        if dtype.hasobject or np.dtype(dtype).itemsize == 0:
            raise ValueError(f"{info.filename} holds {dtype}, not numbers")
        promised = dtype.itemsize * int(np.prod(shape, dtype=object))
        if promised != info.file_size - member.tell():
            raise ValueError(f"{info.filename} promises {promised} bytes and has another number")
    with archive.open(info) as member:
        return np.lib.format.read_array(member, allow_pickle=False)
