"""Read the tables of a dataset, CSV or Excel, with the row of every cell and every fault.

Read as they come: a byte order mark, blanks around cells, headers in any case and with blanks or hyphens for
underscores, empty rows, empty cells beyond the header, Excel sheets (the first of a file, whatever the file's name).
Reported: everything else that is not a table with the columns asked for.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from emomod.datasets.problems import Problem
from emomod.datasets.sheets import SheetError, read_sheet
from emomod.reading.csv_lines import MOST_BYTES, TableError, csv_lines

EXCEL = (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"PK\x03\x04")  # how .xls and .xlsx begin
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
SUFFIXES = (".csv", ".xls", ".xlsx")
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
SWALLOWS = "has a cell of several lines, which may be rows of their own; is a quotation mark not closed?"
Lines = list[tuple[int, list[str]]]  # rows that are not empty: row number, cells


@dataclass(frozen=True)
class Row:
    """A row of a table."""

    number: int
    cells: dict[str, str]  # by column as the reader asked for it, without blanks around; "" beyond the row's end
    faulty: bool  # its cells may be in the wrong columns; that has been reported


@dataclass(frozen=True)
class Table:
    """The rows of a file that are not empty."""

    file: str
    rows: tuple[Row, ...]


def find_entry(folder: Path, name: str) -> Path | None:
    """The file or folder ``name`` in ``folder``, whatever the case of its letters; None where there is none."""
    if not folder.is_dir():
        return None
    found = sorted(path for path in folder.iterdir() if path.name.casefold() == name.casefold())
    return next((path for path in found if path.name == name), found[0] if found else None)


def find_table(folders: Sequence[Path], stem: str) -> Path | None:
    """The table ``stem`` as .csv, .xls or .xlsx, in the first of ``folders`` that has one; None where there is none."""
    places = (find_entry(folder, stem + suffix) for folder in folders for suffix in SUFFIXES)
    return next((path for path in places if path is not None), None)


def read_table(
    path: Path, *, columns: Sequence[str], separator: str, problems: list[Problem], optional: Sequence[str] = ()
) -> Table | None:
    """Read the ``columns`` of a table; None when the file as a whole cannot be used. Appends to ``problems``.

    ``optional`` columns are among a row's cells where the table has them. A table that is returned has a row.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        problems.append(Problem(str(path), None, f"cannot be read ({error.strerror})"))
        return None
    try:
        if len(content) > MOST_BYTES:
            raise _Unusable(f"has more than the {MOST_BYTES >> 20} MB allowed")
        lines = _sheet(path) if content.startswith(EXCEL) else _lines(content, separator)
        places = _places(lines, columns, optional, separator=separator)
    except _Unusable as fault:
        problems.append(Problem(str(path), fault.row, fault.what))
        return None
    rows = [_row(number, cells, places, n_columns=len(lines[0][1])) for number, cells in lines[1:]]
    problems.extend(Problem(str(path), row.number, fault) for row, fault in rows if fault)
    return Table(str(path), tuple(row for row, _ in rows))


class _Unusable(Exception):  # noqa: N818  never leaves this file
    """A fault of the file as a whole."""

    def __init__(self, what: str, row: int | None = None) -> None:
        self.what, self.row = what, row


def _lines(content: bytes, separator: str) -> Lines:
    if content.startswith(UTF_16):
        raise _Unusable("is UTF-16 text; save it as CSV in UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = len(re.findall(rb"\r\n|\r|\n", content[: error.start])) + 1
        raise _Unusable(
            f"holds the byte {content[error.start]:#04x}, which is not UTF-8; save it as UTF-8", row
        ) from None
    try:
        lines = [(begin, [cell.strip() for cell in cells]) for begin, cells in csv_lines(text, separator=separator)]
    except TableError as error:
        raise _Unusable(f"{error}; is a quotation mark not closed?", error.line) from None
    return [(number, cells) for number, cells in lines if any(cells)]


def _sheet(path: Path) -> Lines:
    """Rows of the first sheet of an Excel file, numbers as text."""
    try:
        rows = read_sheet(path)
    except SheetError as error:
        raise _Unusable(str(error)) from None
    return [(number, cells) for number, cells in enumerate(rows, start=1) if any(cells)]


def _plain(header: str) -> str:
    """A header without its case, blanks and hyphens.

    >>> _plain(" Song  ID"), _plain("song_id")
    ('song_id', 'song_id')
    """
    return re.sub(r"[\s_-]+", "_", header.strip().casefold())


def _places(lines: Lines, columns: Sequence[str], optional: Sequence[str], *, separator: str) -> dict[str, int]:
    """Where each of ``columns`` stands, and each of ``optional`` that is there."""
    if not lines:
        raise _Unusable("is empty")
    row, header = lines[0][0], [_plain(cell) for cell in lines[0][1]]
    if _swallows(lines[0][1]):
        raise _Unusable(SWALLOWS, row)
    missing = [column for column in columns if _plain(column) not in header]
    if missing:
        found = ", ".join(repr(cell) for cell in lines[0][1][:12])
        wrong = _other_separator(lines[0][1], columns, separator=separator)
        raise _Unusable(wrong or f"must have the columns {', '.join(missing)}; its header is {found[:300]}", row)
    asked = [*columns, *(column for column in optional if _plain(column) in header)]
    twice = [column for column in asked if header.count(_plain(column)) > 1]
    if twice:
        raise _Unusable(f"has more than one column {', '.join(twice)}", row)
    if len(lines) == 1:
        raise _Unusable("has no rows below its header", row)
    return {column: header.index(_plain(column)) for column in asked}


def _other_separator(header: list[str], columns: Sequence[str], *, separator: str) -> str | None:
    """What to say when the columns are there with another separator."""
    for other, name in SEPARATORS.items():
        found = {_plain(cell) for cell in separator.join(header).split(other)}
        if {_plain(column) for column in columns} <= found:
            return f"its cells are separated by {name}; save it with {SEPARATORS[separator]}"
    return None


def _row(number: int, cells: list[str], places: dict[str, int], *, n_columns: int) -> tuple[Row, str | None]:
    """A row, and what is wrong with it; empty cells beyond the header do not count."""
    while len(cells) > n_columns and not cells[-1]:
        cells = cells[:-1]
    fault = _misfit(cells, n_columns=n_columns)
    named = {column: cells[place] if place < len(cells) else "" for column, place in places.items()}
    return Row(number, named, faulty=fault is not None), fault


def _swallows(cells: list[str]) -> bool:
    return any("\n" in cell or "\r" in cell for cell in cells)


def _misfit(cells: list[str], *, n_columns: int) -> str | None:
    """Why a row's cells may be in the wrong columns or hold other rows; None where they fit the header."""
    if _swallows(cells):
        return SWALLOWS
    fault = f"must have {n_columns} cells as the header has, got {len(cells)}"
    if len(cells) > n_columns:
        return f"{fault}; is there a separator within a cell, such as a decimal comma?"
    return fault if len(cells) < n_columns else None
