"""JSON within bounds."""

import json
from pathlib import Path
from typing import Any

from emomod.errors import InputError
from emomod.reading.text import MEGABYTE, check_values, read_text

MOST_BYTES = 16 * MEGABYTE  # in memory up to 30 times as much; the largest are exports of other tools
MOST_HOLDERS = 1_000_000  # lists and objects: each takes 70 bytes for 3 of the text


def parse_json(text: str) -> Any:
    """Return the value of a JSON text; InputError says why it is none, or which bound it breaks.

    >>> parse_json('{"a": [1, null]}')
    {'a': [1, None]}
    """
    if text.count("[") + text.count("{") > MOST_HOLDERS:
        raise InputError(f"it has more than {MOST_HOLDERS} lists and objects")
    try:
        return check_values(json.loads(text))
    except RecursionError:
        raise InputError("it has too many lists and objects in each other") from None
    except InputError:
        raise
    except ValueError as error:
        raise InputError(str(error)[:200]) from None


def read_json(path: str | Path) -> Any:
    """Return the value of a JSON file; InputError names the file and what is wrong with it."""
    text = read_text(path, most=MOST_BYTES)
    try:
        return parse_json(text)
    except InputError as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from None


def read_object(path: str | Path) -> dict[str, Any]:
    """Return the object of a JSON file; InputError as of ``read_json``, and where it is something else."""
    found = read_json(path)
    if not isinstance(found, dict):
        raise InputError(f"{path}: must be a JSON object, got {found!r:.80}")
    return found
