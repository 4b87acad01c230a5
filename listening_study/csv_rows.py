"""Rows of CSV files with their numbers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emomod.checks import check_number
from emomod.errors import InputError
from emomod.reading.csv_lines import MOST_BYTES, TableError, csv_lines
from emomod.reading.text import read_text


@dataclass(frozen=True)
class Row:
    """A row below the header."""

    place: str  # file and row, for errors
    cells: dict[str, str]  # by column
    line: tuple[str, ...]  # the cells as they stand


def read_rows(path: str | Path, *, columns: Sequence[str] = (), ragged: bool = False) -> tuple[list[str], list[Row]]:
    """The header and the rows that are not empty of a CSV file in UTF-8, with or without byte order mark.

    InputError names the file, and the row that has not as many cells as the header, unless rows may be ``ragged``: such
    a row has no ``cells`` by column. InputError also where one of ``columns`` is missing or a column comes twice.
    """
    source = Path(path)
    if not source.is_file():
        raise InputError(f"{source}: {'is a folder' if source.is_dir() else 'there is no such file'}")
    lines = _lines(source)
    if not lines:
        raise InputError(f"{source}: is empty")
    (first, header), below = lines[0], lines[1:]
    if len(header) == 1 and ";" in header[0]:
        raise InputError(f"{first}: must have commas between columns, got semicolons; save it as CSV with commas")
    if missing := [name for name in columns if name not in header]:
        raise InputError(
            f"{first}: must have the columns {', '.join(missing)}; the header is {', '.join(header)[:300]}"
        )
    if twice := [name for name, count in Counter(header).items() if name and count > 1]:
        raise InputError(f"{first}: has more than one column {twice[0]}")
    rows = []
    for place, cells in below:
        if not (fits := len(cells) == len(header)) and not ragged:
            raise InputError(f"{place}: must have {len(header)} cells as the header has, got {len(cells)}")
        rows.append(Row(place, dict(zip(header, cells, strict=True)) if fits else {}, tuple(cells)))
    return header, rows


def _lines(source: Path) -> list[tuple[str, list[str]]]:
    """The place of each row that is not empty, by the line on which it begins, and its cells."""
    text = read_text(source, most=MOST_BYTES)
    try:
        lines = csv_lines(text, strict=True)
        return [(f"{source}, row {begin}", cells) for begin, cells in lines if any(cells)]
    except TableError as error:
        raise InputError(f"{source}, row {error.line}: {error}") from None


def optional_number(name: str, cell: str, *, scale: float = 1.0) -> float | None:
    """A cell that may be empty as a number times ``scale``; InputError where it is none."""
    text = cell.strip()
    return None if text in ("", "NA", "null", "None") else check_number(name, text) * scale  # type: ignore[arg-type]
