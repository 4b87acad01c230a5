"""Rows of finished pieces of a run on disk, so that a run that was stopped goes on where it was."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from emomod.errors import InputError
from emomod.output import check_writable, to_json, whole_file
from emomod.reading.json_files import read_json

RECORD, PIECES = "record.json", "pieces"
Rows = list[dict[str, Any]]


class Store:
    """A folder of results: record.json says of what, pieces/EXPERIMENT/PIECE.json holds rows.

    InputError where the folder holds results of another run or something else.
    """

    def __init__(self, folder: str | Path, record: Mapping[str, Any]) -> None:
        self.folder, wanted = Path(folder), json.loads(to_json(dict(record)))
        check_writable(self.folder.resolve())
        path = self.folder / RECORD
        if path.is_file():
            if differing := _differing(_read(path), wanted):
                raise InputError(f"out: {folder} holds results of other settings ({', '.join(differing)})")
        elif self.folder.is_dir() and any(each.name != f"{RECORD}.partial" for each in self.folder.iterdir()):
            raise InputError(f"out: {folder} is neither empty nor results of an evaluation; name another folder")
        self.folder.mkdir(parents=True, exist_ok=True)
        _write(path, wanted)

    def piece(self, experiment: str, name: str, make: Callable[[], Rows]) -> Rows:
        """Rows of a piece: from disk, where they are made and kept unless they are there.

        So they are the same whether the run was stopped or not; numbers that JSON does not know come back as None.
        """
        path = self.folder / PIECES / experiment / f"{name.replace('/', '_')}.json"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, make())
        return [dict(row) for row in _read(path)]


def _differing(found: Any, wanted: Mapping[str, Any]) -> list[str]:
    stored = found if isinstance(found, dict) else {}
    return [key for key in {**wanted, **stored} if stored.get(key) != wanted.get(key)]


def _read(path: Path) -> Any:
    try:
        return read_json(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); remove it to have it made again") from None


def _write(path: Path, value: Any) -> None:
    with whole_file(path) as partial:
        partial.write_text(to_json(value) + "\n", encoding="utf-8")
