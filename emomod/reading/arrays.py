"""Arrays of numbers and texts from .npy and .npz files, within bounds.

A header is checked against the size of what follows it before anything is allocated, and a zip file against what it
says that it holds. Arrays of objects, which would be unpickled, are refused.
"""

import math
import sys
import warnings
import zipfile
import zlib
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from emomod.errors import InputError
from emomod.reading.text import MEGABYTE

MOST_UNPACKED = 512 * MEGABYTE  # of a compressed file; the largest explanations have a tenth of it
MOST_MEMBERS = 64  # arrays of a file
NUMBERS = "biuf"  # kinds of numbers
TEXTS = "U"
_UNREADABLE = (OSError, ValueError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error)
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npz(path: str | Path, *, names: Collection[str] | None = None, packed: bool = True) -> dict[str, NDArray[Any]]:
    """Return the arrays of an .npz file by name, or those of ``names``; InputError names the file and what is wrong.

    Where it must not be ``packed``, its arrays are as large as the file and no bound is needed.
    """
    try:
        if not Path(path).is_file():
            raise InputError("there is no such file")
        with zipfile.ZipFile(path) as file:
            members = {info.filename.removesuffix(".npy"): info for info in _checked(file.infolist(), packed=packed)}
            missing = [name for name in names or () if name not in members]
            if missing:
                raise InputError(f"it lacks {missing[0]}")
            return {name: _member(file, members[name], name) for name in names or members}
    except InputError as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    except (*_UNREADABLE, MemoryError) as error:
        raise InputError(f"{path}: cannot be read ({str(error)[:200] or type(error).__name__})") from None


def _checked(members: list[zipfile.ZipInfo], *, packed: bool) -> list[zipfile.ZipInfo]:
    """The members of a zip file; InputError where they are too many, too large or packed by a way that has no bound."""
    ways = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) if packed else (zipfile.ZIP_STORED,)
    if len(members) > MOST_MEMBERS:
        raise InputError(f"it has more than {MOST_MEMBERS} arrays")
    if any(info.compress_type not in ways for info in members):
        raise InputError("it is compressed as none of emomod's files is")
    if packed and sum(info.file_size for info in members) > MOST_UNPACKED:
        raise InputError(f"its arrays have more than the {MOST_UNPACKED // MEGABYTE} MB allowed")
    return members


def _member(file: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> NDArray[Any]:
    with file.open(info) as stored:
        try:
            return _array(stored, info.file_size)
        except InputError as error:
            raise InputError(f"{name}: {error}") from None


def read_npy(path: str | Path) -> NDArray[Any]:
    """Return the array of an .npy file; InputError names the file and what is wrong."""
    try:
        with Path(path).open("rb") as file:
            return _array(file, Path(path).stat().st_size)
    except (*_UNREADABLE, MemoryError) as error:
        raise InputError(f"{path}: cannot be read ({str(error)[:200] or type(error).__name__})") from None


def npy_form(path: str | Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and type of the array of an .npy file, which is not read; InputError as of ``read_npy``."""
    try:
        with Path(path).open("rb") as file:
            shape, _, dtype = _header(file)
            _check_size(file.tell(), Path(path).stat().st_size, shape, dtype)
            return shape, dtype
    except _UNREADABLE as error:
        raise InputError(f"{path}: cannot be read ({str(error)[:200] or type(error).__name__})") from None


def _array(file: IO[bytes], size: int) -> NDArray[Any]:
    """The array of a stream of ``size`` bytes."""
    shape, by_columns, dtype = _header(file)
    n_bytes = _check_size(file.tell(), size, shape, dtype)
    content = bytearray(file.read(n_bytes))
    if len(content) != n_bytes or file.read(1):  # the end is read too, where a zip file checks its sum
        raise InputError(f"it must have {n_bytes} bytes after its header, got {len(content)}")
    array = np.frombuffer(content, dtype=dtype).astype(dtype.newbyteorder("="), copy=False)
    codes = array.view(np.uint32) if dtype.kind == TEXTS else np.zeros(0, dtype=np.uint32)
    if ((codes > sys.maxunicode) | ((codes >= 0xD800) & (codes <= 0xDFFF))).any():
        raise InputError("its texts hold what is no character")
    return array.reshape(shape, order="F" if by_columns else "C")


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    with suppress(Exception), warnings.catch_warnings():  # whatever numpy and Python's parser make of it
        warnings.simplefilter("error")  # such as numpy's about files of Python 2
        shape, by_columns, dtype = _HEADERS[np.lib.format.read_magic(file)](file)
        return shape, by_columns, dtype
    raise InputError("its header is not one of an array")


def _check_size(begin: int, size: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Return the bytes of an array; InputError where they are not the ``size`` of its file without its header."""
    if dtype.kind not in NUMBERS + TEXTS or not dtype.itemsize or dtype.hasobject:
        raise InputError(f"it must hold numbers or texts, got {str(dtype)[:80]}")
    if any(side < 0 for side in shape) or len(shape) > 8:
        raise InputError(f"it must have a shape of at most 8 sides, each >= 0, got {str(shape)[:80]}")
    n_bytes = math.prod(shape) * dtype.itemsize
    if n_bytes != size - begin:
        raise InputError(f"it must have the {n_bytes} bytes that its header tells, got {size - begin}")
    return n_bytes
