"""The clips of a batch: a CSV with a column ``path`` and perhaps ``start``, or a folder of sound files."""

from dataclasses import dataclass
from pathlib import Path

from emomod.errors import InputError
from emomod.many_clips import find_clips
from emomod.reading.cells import unescaped
from emomod.reading.csv_lines import MOST_BYTES, TableError, csv_lines
from emomod.reading.text import read_text

PATH, START = "path", "start"


@dataclass(frozen=True, slots=True)
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
    text = read_text(place, most=MOST_BYTES)
    try:
        rows = csv_lines(text)
        header = next((cells for _, cells in rows), [])
        if PATH not in header:
            raise InputError(f"{source}: must have a column {PATH}, got {', '.join(header)[:200] or 'none'}")
        listed = [_listed(dict(zip(header, cells, strict=False)), line, place) for line, cells in rows if any(cells)]
    except TableError as error:
        raise InputError(f"{source}: line {error.line}: {error}") from None
    if not listed:
        raise InputError(f"{source}: lists no clip")
    return list(dict.fromkeys(listed))


def _listed(row: dict[str, str], line: int, place: Path) -> Listed:
    path, start = unescaped(row.get(PATH, "").strip()), row.get(START, "").strip()
    if not path or "\0" in path:
        raise InputError(f"{place}: line {line} has no {PATH}")
    try:
        seconds = float(start) if start else None
    except ValueError:
        seconds = -1.0
    if seconds is not None and not 0.0 <= seconds < float("inf"):
        raise InputError(f"{place}: line {line}: {START} must be a number of at least 0 s, got {start!r}")
    return Listed(str(place.parent / path), seconds)
