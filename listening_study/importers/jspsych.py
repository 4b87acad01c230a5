"""Results of the jsPsych page: CSV, a JSON array, or JSON lines as JATOS exports them (an array for each component).

Records of the plugin emomod-compare are answers; records of other plugins are pages of text and have none. The record
of an answer has study, participant, session, list, trial_id, sounds, response, rt, listened_ms, n_plays and n_switches.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from emomod.checks import check_number
from emomod.errors import InputError
from listening_study.csv_rows import read_rows
from listening_study.importers.collect import Found, at, check_sounds, collected, files_of, text_of, trial_told
from listening_study.package import Study
from listening_study.responses import said
from listening_study.table import Answer, Given, Session

PLUGIN = "emomod-compare"
COLUMNS = ("trial_type", "study", "participant", "session", "list", "trial_id", "sounds", "response", "rt")
DID = {"rt": "rt_ms", "listened_ms": "listened_ms", "n_plays": "n_plays", "n_switches": "n_switches"}
Record = tuple[str, dict[str, Any]]  # place and fields


def import_jspsych(study: Study, files: Sequence[str | Path]) -> tuple[Answer, ...]:
    """The answers in ``files``; InputError names the file and row (or record) that is refused."""
    return collected(study, (found for file in files_of(files) for found in _found(study, Path(file))))


def _found(study: Study, file: Path) -> Iterator[Found]:
    records = list(_csv(file) if file.suffix.casefold() == ".csv" else _json(file))
    answers = [record for record in records if record[1].get("trial_type") == PLUGIN]
    if not answers:
        raise InputError(f"{file}: has no record of the plugin {PLUGIN}")
    for place, record in answers:
        with at(place):
            found = _answer(study, place, record)
        yield found


def _answer(study: Study, place: str, record: dict[str, Any]) -> Found:
    trial = trial_told(study, text_of(record, "trial_id"), told_study=text_of(record, "study"))
    if text_of(record, "list") != str(trial.list):
        raise InputError(f"list must be {trial.list}, which has {trial.trial_id}, got {record['list']!r}")
    sounds = _parsed(record.get("sounds"))
    check_sounds(study, trial, sounds if isinstance(sounds, list) else [sounds])
    if "response" not in record:
        raise InputError("response must be there")
    session = Session(
        participant=text_of(record, "participant"),
        session=text_of(record, "session"),
        device=str(record.get("device") or ""),
        source_format="jspsych",
        software_version=str(record.get("software") or ""),
    )
    did: dict[str, Any] = {name: _optional(field, record.get(field)) for field, name in DID.items()}
    return Found(place, trial, session, Given(said(trial, _parsed(record["response"])), **did))


def _csv(file: Path) -> Iterator[Record]:
    for row in read_rows(file, columns=COLUMNS)[1]:
        yield row.place, row.cells


def _json(file: Path) -> Iterator[Record]:
    """Records of one JSON value, or of one in each line."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read as UTF-8 ({error})") from None
    try:
        values = [(str(file), json.loads(text))]
    except (ValueError, RecursionError):
        lines = [(f"{file}, line {number}", line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
        values = [(place, _line(place, line)) for place, line in lines]
    for place, value in values:
        records = value if isinstance(value, list) else [value]
        for number, record in enumerate(records, 1):
            if not isinstance(record, dict):
                raise InputError(f"{place}, record {number}: must be an object, got {str(record)[:80]!r}")
            yield f"{place}, record {number}", record


def _line(place: str, line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place}: is no JSON ({error})") from None


def _parsed(found: Any) -> Any:
    """A value that CSV has as JSON text."""
    if not isinstance(found, str):
        return found
    try:
        return json.loads(found) if found.startswith("[") else found
    except ValueError:
        raise InputError(f"must be a JSON array, got {found[:80]!r}") from None


def _optional(name: str, found: Any) -> float | None:
    return None if found in (None, "", "null") else check_number(name, found, low=0.0)
