"""Results in the plain tables that listening_study.exporters.plain_csv writes, filled in."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from listening_study.csv_rows import Row, optional_number, read_rows
from listening_study.exporters.plain_csv import FILLED, KNOWN
from listening_study.exporters.sound_names import sound_columns
from listening_study.importers.collect import Found, at, check_sounds, collected, text_of, trial_told
from listening_study.package import Study
from listening_study.responses import said
from listening_study.table import Answer, Given, Session


def import_plain_csv(study: Study, files: Sequence[str | Path]) -> tuple[Answer, ...]:
    """The answers in ``files``; columns of ``KNOWN`` may be missing. InputError names the file and row refused."""
    return collected(study, files, lambda file: _found(study, file))


def _found(study: Study, file: Path) -> Iterator[Found]:
    sounds = sound_columns(study.plan.trial_type, len(study.lists[0][0].heard))
    for row in read_rows(file, columns=("study", "list", "trial_id", *sounds, *FILLED))[1]:
        with at(row.place):
            found = _answer(study, row, sounds)
        yield found


def _answer(study: Study, row: Row, sounds: Sequence[str]) -> Found:
    told = {name: text_of(row.cells, name) for name in ("trial_id", "study", "list")}
    trial = trial_told(study, told["trial_id"], told_study=told["study"], told_list=told["list"])
    check_sounds(study, trial, [row.cells[name].strip() for name in sounds])
    session = Session(
        participant=text_of(row.cells, "participant"),
        session=text_of(row.cells, "session"),
        device=row.cells.get("device", "").strip(),
        source_format="csv",
    )
    did: dict[str, Any] = {name: optional_number(name, row.cells.get(name, "")) for name in KNOWN if name != "device"}
    return Found(row.place, trial, session, Given(said(trial, row.cells["answer"]), **did))
