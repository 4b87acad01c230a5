"""Text files and names within bounds, whoever wrote them."""

import re
from pathlib import Path
from typing import Any

from emomod.errors import InputError

MEGABYTE = 1 << 20
MOST_DEPTH = 32  # of lists and mappings in each other; no file of emomod's has more than 8
MOST_WHOLE = 2**63  # whole numbers stay below, so that arrays and floats can hold them
OPAQUE = re.compile(r"[A-Za-z0-9_-]{1,120}")


def read_text(path: str | Path, *, most: int) -> str:
    """Return a file's text, UTF-8 with or without byte order mark, as it stands; InputError above ``most`` bytes."""
    source = Path(path)
    try:
        if source.exists() and not source.is_file():
            raise InputError(f"{source}: cannot be read (it is no file)")
        with source.open("rb") as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise InputError(f"{source}: cannot be read (it has more than the {most // 1024} kB allowed)")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{source}: cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(f"{source}: cannot be read (line {line}: it is not UTF-8)") from None


def check_values(value: Any) -> Any:
    """Return a value of JSON or YAML; InputError where it is too deep, or no array or file could hold its parts.

    >>> check_values({"a": [1, 2.5, "text", None]})
    {'a': [1, 2.5, 'text', None]}
    """
    level: list[Any] = [[value]]
    depth = 0
    while level:
        if depth > MOST_DEPTH:
            raise InputError(f"it has more than {MOST_DEPTH} lists and mappings in each other")
        level, depth = [holder for each in level for holder in _holders(each)], depth + 1
    return value


def _holders(holder: Any) -> list[Any]:
    """The lists and mappings in one, whose other parts are checked."""
    found = []
    for part in holder if isinstance(holder, list) else (*holder, *holder.values()):
        if isinstance(part, (list, dict)):
            if part:
                found.append(part)
        elif isinstance(part, int):
            if not -MOST_WHOLE < part < MOST_WHOLE:
                raise InputError("it has a whole number beyond 2 ** 63")
        elif isinstance(part, str) and "\0" in part:
            raise InputError("it has a text with a character of code 0")
        elif isinstance(part, str) and not part.isascii() and any("\ud800" <= sign <= "\udfff" for sign in part):
            raise InputError("it has half a character (a surrogate)")
    return found


def name_beside(name: Any, *, what: str) -> str:
    """Return the ``name`` of a file that lies beside the one that tells it; InputError where it leads elsewhere.

    >>> name_beside("x3f2a", what="token")
    'x3f2a'
    """
    if not isinstance(name, str) or not OPAQUE.fullmatch(name):
        raise InputError(f"{what} must be of letters, digits, _ and - alone, got {name!r:.80}")
    return name


def path_inside(path: Path, *, folder: Path) -> Path:
    """Return ``path`` if it lies in ``folder`` with its links followed; InputError where it leads out of it."""
    if not path.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{path}: is a link that leads out of {folder}")
    return path
