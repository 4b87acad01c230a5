"""Rows of CSV text within bounds."""

import csv
import io
from collections.abc import Iterator

from emomod.errors import InputError
from emomod.reading.text import MEGABYTE

MOST_BYTES = 64 * MEGABYTE  # of a table
MOST_CELLS = 5_000_000  # of a table: 190 000 answers; in memory 200 bytes each
MOST_ROWS = 500_000  # a row takes 700 bytes, however few cells it has
MOST_COLUMNS = 4096  # the longest table of ours has some hundred


class TableError(InputError):
    """A table cannot be read, from the row that begins on ``line`` on."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(what)
        self.line = line


def csv_lines(text: str, *, separator: str = ",", strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    r"""Yield the line on which each row begins, as an editor counts, and its cells.

    Blanks before a cell are left out unless it is ``strict``, and what follows a closed quotation mark is not refused.
    TableError where it cannot be read on or has too many cells.

    >>> list(csv_lines('a,b\n"1\n2", 3\n'))
    [(1, ['a', 'b']), (2, ['1\n2', '3'])]
    """
    table = io.StringIO(text, newline="")
    reader = csv.reader(table, delimiter=separator, skipinitialspace=not strict, strict=strict)
    begin, n_cells = 1, 0
    try:
        for number, cells in enumerate(reader, 1):
            n_cells += len(cells)
            if len(cells) > MOST_COLUMNS or n_cells > MOST_CELLS or number > MOST_ROWS:
                bounds = f"{MOST_COLUMNS} columns, {MOST_ROWS} rows or {MOST_CELLS} cells"
                raise TableError(f"has more than {bounds}", begin)
            yield begin, cells
            begin = reader.line_num + 1
    except csv.Error as error:
        raise TableError(f"cannot be read as CSV from here on ({error})", begin) from None
