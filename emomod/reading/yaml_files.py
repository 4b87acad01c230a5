"""YAML files within bounds; emomod.reading.yaml_loader says what may be in them."""

from importlib import import_module
from pathlib import Path
from typing import Any

from emomod.errors import InputError
from emomod.reading.text import MEGABYTE, check_values, read_text

MOST_BYTES = MEGABYTE // 8  # some thousand lines; the reader is slow (3 s) and takes 300 times as much memory


def import_yaml(*, extra: str) -> Any:
    """The module; InputError names the ``extra`` of emomod that brings it."""
    try:
        return import_module("yaml")
    except ImportError:
        raise InputError(f'pyyaml was not found; install it with: python -m pip install "emomod[{extra}]"') from None


def read_yaml(path: str | Path, *, extra: str) -> dict[str, Any]:
    """Return the mapping that a YAML file holds; InputError names the file, and the line with what is wrong.

    ``extra``: which extra of emomod brings the reader, for whoever lacks it.
    """
    yaml = import_yaml(extra=extra)
    loader = import_module("emomod.reading.yaml_loader").Loader  # whose first line needs the reader
    text = read_text(path, most=MOST_BYTES)
    try:
        found = check_values(loader(text).get_single_data())
    except yaml.YAMLError as error:
        raise InputError(f"{path}: cannot be read ({_told(error)})") from None
    except InputError as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: must hold lines of `field: value`")
    return found


def _told(error: Any) -> str:
    """What is wrong, after the line where the reader tells one."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    line = "" if mark is None else f"line {mark.line + 1}: "
    return " ".join(f"{line}{problem}".split())[:200]
