"""Results in the plain tables that listening_study.exporters.plain_csv writes, filled in."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from emomod.errors import InputError
from listening_study.csv_rows import Row, optional_number, read_rows
from listening_study.exporters.plain_csv import FILLED, KNOWN
from listening_study.exporters.psychopy import sound_columns
from listening_study.importers.collect import Found, at, check_sounds, collected, files_of, text_of, trial_told
from listening_study.package import Study
from listening_study.responses import said
from listening_study.table import Answer, Given, Session


def import_plain_csv(study: Study, files: Sequence[str | Path]) -> tuple[Answer, ...]:
    """The answers in ``files``; columns of ``KNOWN`` may be missing. InputError names the file and row refused."""
    return collected(study, (found for file in files_of(files) for found in _found(study, Path(file))))


def _found(study: Study, file: Path) -> Iterator[Found]:
    sounds = sound_columns(study.plan.trial_type, len(study.lists[0][0].heard))
    for row in read_rows(file, columns=("study", "list", "trial_id", *sounds, *FILLED))[1]:
        with at(row.place):
            found = _answer(study, row, sounds)
        yield found


def _answer(study: Study, row: Row, sounds: Sequence[str]) -> Found:
    trial = trial_told(study, text_of(row.cells, "trial_id"), told_study=text_of(row.cells, "study"))
    if row.cells["list"].strip() != str(trial.list):
        raise InputError(f"list must be {trial.list}, which has {trial.trial_id}, got {row.cells['list']!r}")
    check_sounds(study, trial, [row.cells[name].strip() for name in sounds])
    session = Session(
        participant=text_of(row.cells, "participant"),
        session=text_of(row.cells, "session"),
        device=row.cells.get("device", "").strip(),
        source_format="csv",
    )
    did: dict[str, Any] = {name: optional_number(name, row.cells.get(name, "")) for name in KNOWN if name != "device"}
    return Found(row.place, trial, session, Given(said(trial, row.cells["answer"]), **did))
