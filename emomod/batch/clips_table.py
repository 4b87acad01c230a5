"""clips.csv: what became of every window of the last run that ended."""

import csv
from pathlib import Path

from emomod.batch.store import CLIPS_TABLE
from emomod.errors import InputError
from emomod.reading.cells import unescaped

COLUMNS = ("path", "start", "key", "folder", "state", "tries", "error")


def read_clips_table(store: Path) -> list[dict[str, str]] | None:
    """Return the rows, or None where no run has ended; InputError where the table cannot be read."""
    source = store / CLIPS_TABLE
    if not source.is_file():
        return None
    try:
        with open(source, newline="", encoding="utf-8") as file:
            return [{name: unescaped(row[name]) for name in COLUMNS} for row in csv.DictReader(file)]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise InputError(f"{source}: cannot be read ({error!r:.200}); remove it, and run the batch again") from None
