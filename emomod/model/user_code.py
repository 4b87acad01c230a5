"""What a user's own code did when it was run: errors in one line that name the file and the line, and its hash."""

import functools
import hashlib
import inspect
import os
import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from emomod.audio import file_sha256

MOST = 200  # characters of another program's message that are told
_FOLDERS = {str(Path(__file__).parents[1])} | {
    sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")
}
_NOT_THEIRS = (*(f"{folder}{os.sep}" for folder in _FOLDERS), "<frozen ", "<string>")  # of emomod, Python and libraries


def tell(error: BaseException) -> str:
    """Return an error of a user's code in one line: its type, its message, and where in that code it arose.

    >>> tell(ValueError("too  long"))
    'ValueError: too long'
    """
    words = " ".join((error.msg if isinstance(error, SyntaxError) else str(error)).split())
    words = words if len(words) <= MOST else f"{words[:MOST]}..."
    place = [f"{Path(file).name}, line {line}" for file, line in _places(error)][-1:]
    return type(error).__name__ + (f": {words}" if words else "") + "".join(f" ({where})" for where in place)


def _places(error: BaseException) -> Iterator[tuple[str, int | None]]:
    """File and line of the calls that led to an error, outermost first, without those of libraries and of emomod."""
    for frame in traceback.extract_tb(error.__traceback__):
        if not frame.filename.startswith(_NOT_THEIRS):
            yield frame.filename, frame.lineno
    if isinstance(error, SyntaxError) and error.filename:
        yield error.filename, error.lineno


def name_of(function: Any) -> str:
    """Return what a callable is called: a function's or else a class's name; "" where it has none."""
    while isinstance(function, functools.partial):
        function = function.func
    name = str(getattr(function, "__name__", type(function).__name__))
    return "" if name == "<lambda>" else name


def source_sha256(function: Any) -> str:
    """Return the SHA-256 of the file that a function or the class of an object was written in; "" where none is."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    try:
        is_code = inspect.isroutine(function)
        source = inspect.getsourcefile(function if is_code else type(function))
    except TypeError:  # written in another language
        return ""
    return file_sha256(source) if source and Path(source).is_file() else ""


def tensors_sha256(module: torch.nn.Module) -> str:
    """Return the SHA-256 of a torch module's parameters and buffers, with their names, types and shapes.

    A module that has none is known by the file that it was written in.
    """
    tensors = [*module.named_parameters(), *module.named_buffers()]
    if not tensors:
        return source_sha256(module)
    digest = hashlib.sha256()
    for name, tensor in tensors:
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
