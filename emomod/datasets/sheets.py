"""The first sheet of an Excel file, read by a process of its own.

The reader is compiled, takes memory for every cell between the first and the last, and gives up in ways that no
``except`` catches. So it works in a child that may only take so much memory and time; a file of a few kB can ask for
any of both.
"""

import io
import json
import os
import resource
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from emomod.reading.csv_lines import MOST_CELLS, MOST_COLUMNS, MOST_ROWS

MOST_MEMORY = 1 << 30  # bytes that the child may take
MOST_SECONDS = 8.0  # for which it may work
CANNOT = "begins like an Excel file but cannot be read as one"


class SheetError(Exception):
    """An Excel file cannot be read; the message says why."""


def read_sheet(path: Path) -> list[list[str]]:
    """Return the rows of the first sheet as texts without blanks around, numbers as text; SheetError says why not."""
    if sys.modules.get("python_calamine", path) is None or find_spec("python_calamine") is None:
        needed = "is an Excel file, and reading it needs python-calamine: pip install 'emomod[train]'"
        raise SheetError(f"{needed}; or save it as CSV in UTF-8")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-P", "-m", __name__, str(path.resolve())]
    try:
        done = subprocess.run(command, capture_output=True, timeout=MOST_SECONDS, check=False, env=environment)
    except subprocess.TimeoutExpired:
        raise SheetError(f"{CANNOT} (it takes longer than {MOST_SECONDS:g} s)") from None
    if done.returncode or not done.stdout:
        raise SheetError(f"{CANNOT} (its reader gave up, or wanted more than {MOST_MEMORY >> 20} MB)")
    found = json.loads(done.stdout)
    if isinstance(found, str):
        raise SheetError(f"{CANNOT} ({found})")
    rows: list[list[str]] = found
    return rows


def _text(cell: Any) -> str:
    whole = isinstance(cell, float) and cell.is_integer()
    return str(int(cell) if whole else cell).strip()


def _read(path: str) -> Any:
    """The rows of a file, or what is wrong with it."""
    from python_calamine import CalamineWorkbook

    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(Path(path).read_bytes()))
        sheet = workbook.get_sheet_by_index(0)
        n_rows, n_columns = sheet.total_height, sheet.total_width
        if n_rows > MOST_ROWS or n_columns > MOST_COLUMNS or n_rows * n_columns > MOST_CELLS:
            return f"it has {n_rows} rows of {n_columns} columns, more than allowed"
        return [[_text(cell) for cell in row] for row in sheet.to_python(skip_empty_area=False)]
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # the reader is Rust, and where that gives up it raises what is no Exception
        return " ".join(str(error).split())[:200]


if __name__ == "__main__":
    with suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    told = json.dumps(_read(sys.argv[1]))
    sys.stdout.write(told)
