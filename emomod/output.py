"""Output folders that appear whole or not at all, and JSON without NaN."""

import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emomod.errors import InputError

MARKS = (
    "run.json",
    "explanation.json",
    "modification.json",
    "windows.csv",
)  # a folder with one of these is ours to replace


def _writable_parent(out: Path) -> Path:
    """Return the folder that ``out`` goes into, made if need be; InputError where it cannot be written."""
    nearest = next(folder for folder in (out, *out.parents) if folder.exists())
    if not nearest.is_dir():
        raise InputError(f"out: {nearest} is a file, not a folder")
    if not nearest.stat().st_mode & 0o222 or not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"out: the folder {nearest} is read-only")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"out: {out.parent} cannot be made ({error.strerror})") from None
    return out.parent


def check_output(out: str | Path) -> Path:
    """Return ``out`` as an absolute path, links followed, that may be written: new, empty, or an earlier output of
    emomod.
    """
    folder = Path(out).resolve()
    parent = _writable_parent(folder)
    if folder.exists() and any(folder.iterdir()) and not any((folder / mark).exists() for mark in MARKS):
        raise InputError(f"out: {folder} is not empty and not an earlier output of emomod; name a new folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(f"out: the folder {parent} is read-only")
    return folder


@contextmanager
def new_folder(out: str | Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes ``out`` when all went well and disappears when it did not."""
    folder = check_output(out)
    try:
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".partial", dir=folder.parent))
    except OSError as error:
        raise InputError(f"out: {folder.parent} cannot be written ({error.strerror})") from None
    try:
        partial.chmod(0o755)
        yield partial
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def finite(value: Any) -> Any:
    """Return ``value`` with NaN and infinity, which JSON does not know, as None."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_json(value: Any) -> str:
    """Return ``value`` as indented JSON text."""
    return json.dumps(finite(value), indent=1, allow_nan=False)
