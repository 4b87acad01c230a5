"""The clips of a batch: a CSV with a column ``path`` and perhaps ``start``, or a folder of sound files."""

import csv
from dataclasses import dataclass
from pathlib import Path

from emomod.errors import InputError
from emomod.many_clips import find_clips

PATH, START = "path", "start"


@dataclass(frozen=True)
class Listed:
    """A line of the list."""

    path: str  # of the file, as a program can open it
    start: float | None = None  # s, of the window; None where the list says nothing


def read_clip_list(source: str | Path) -> list[Listed]:
    """Return the clips of a CSV, whose paths are relative to it, or of a folder; none twice, in their order.

    Other columns are left alone. Files are not opened here. InputError where there is no such list or folder, the
    column is missing, or a start is no number of at least 0.
    """
    place = Path(source)
    if place.is_dir():
        return [Listed(path) for path in find_clips([place])]
    if not place.is_file():
        raise InputError(f"{source}: there is no such file or folder")
    try:
        with open(place, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if PATH not in (reader.fieldnames or ()):
                raise InputError(
                    f"{source}: must have a column {PATH}, got {', '.join(reader.fieldnames or ()) or 'none'}"
                )
            listed = [_listed(row, reader.line_num, place) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{source}: cannot be read as CSV ({error})") from None
    if not listed:
        raise InputError(f"{source}: lists no clip")
    return list(dict.fromkeys(listed))


def _listed(row: dict[str, str | None], line: int, place: Path) -> Listed:
    path, start = (row.get(PATH) or "").strip(), (row.get(START) or "").strip()
    if not path or "\0" in path:
        raise InputError(f"{place}: line {line} has no {PATH}")
    try:
        seconds = float(start) if start else None
    except ValueError:
        seconds = -1.0
    if seconds is not None and not 0.0 <= seconds < float("inf"):
        raise InputError(f"{place}: line {line}: {START} must be a number of at least 0 s, got {start!r}")
    return Listed(str(place.parent / path), seconds)
