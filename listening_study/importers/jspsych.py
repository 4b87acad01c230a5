"""Results of the jsPsych page: CSV, a JSON array, or JSON lines as JATOS exports them (an array for each component).

Records of the plugin emomod-compare are answers; records of other plugins are pages of text and have none. The record
of an answer has study, participant, session, list, trial_id, sounds, response, confidence, rt_ms, listened_ms (of each
sound), n_plays, n_switches, and whether it is simulated: answers that jsPsych drew by chance are refused.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from emomod.checks import check_number
from emomod.errors import InputError
from emomod.reading.json_files import MOST_BYTES, parse_json
from emomod.reading.text import read_text
from listening_study.csv_rows import read_rows
from listening_study.importers.collect import Found, at, check_sounds, collected, text_of, trial_told
from listening_study.package import Study
from listening_study.responses import said
from listening_study.table import Answer, Given, Session
from listening_study.trials import Trial

PLUGIN = "emomod-compare"
DID = ("confidence", "rt_ms", "n_plays", "n_switches")
COLUMNS = (
    "trial_type", "simulated", "study", "participant", "session", "list", "trial_id", "sounds", "response",
    "listened_ms",
)  # fmt: skip
Record = tuple[str, dict[str, Any]]  # place and fields


def import_jspsych(study: Study, files: Sequence[str | Path]) -> tuple[Answer, ...]:
    """The answers in ``files``; InputError names the file and row (or record) that is refused."""
    return collected(study, files, lambda file: _found(study, file))


def _found(study: Study, file: Path) -> Iterator[Found]:
    for place, record in _csv(file) if file.suffix.casefold() == ".csv" else _json(file):
        if record.get("trial_type") == PLUGIN:
            with at(place):
                found = _answer(study, place, record)
            yield found


def _answer(study: Study, place: str, record: dict[str, Any]) -> Found:
    if text_of(record, "simulated").casefold() != "false":
        raise InputError("simulated must be false: these answers are drawn by chance (?simulate), no listener's")
    told = {name: text_of(record, name) for name in ("trial_id", "study", "list")}
    trial = trial_told(study, told["trial_id"], told_study=told["study"], told_list=told["list"])
    check_sounds(study, trial, _several("sounds", record))
    if "response" not in record:
        raise InputError("response must be there")
    session = Session(
        participant=text_of(record, "participant"),
        session=text_of(record, "session"),
        device=str(record.get("device") or ""),
        source_format="jspsych",
        software_version=str(record.get("software") or ""),
    )
    did: dict[str, Any] = {name: _optional(name, record.get(name)) for name in DID}
    given = Given(said(trial, _parsed(record["response"])), **did)
    return Found(place, trial, session, given, _listened(record, trial))


def _listened(record: dict[str, Any], trial: Trial) -> tuple[float, ...]:
    """What was listened to of each sound, ms."""
    found = _several("listened_ms", record)
    if len(found) != len(trial.heard):
        raise InputError(f"listened_ms must be {len(trial.heard)} numbers, one for each sound, got {found!r:.200}")
    return tuple(check_number("listened_ms", each, low=0.0) for each in found)


def _csv(file: Path) -> Iterator[Record]:
    for row in read_rows(file, columns=COLUMNS)[1]:
        yield row.place, row.cells


def _json(file: Path) -> Iterator[Record]:
    """Records of one JSON value, or of one in each line."""
    text = read_text(file, most=MOST_BYTES)
    try:
        values = [(str(file), parse_json(text))]
    except InputError as error:
        if "\n" not in text.strip():
            raise InputError(f"{file}: is no JSON ({error})") from None
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
        return parse_json(line)
    except InputError as error:
        raise InputError(f"{place}: is no JSON ({error})") from None


def _parsed(found: Any) -> Any:
    """A value that CSV has as JSON text."""
    if not isinstance(found, str):
        return found
    try:
        return parse_json(found) if found.startswith("[") else found
    except InputError:
        raise InputError(f"must be a JSON array, got {found[:80]!r}") from None


def _several(name: str, record: dict[str, Any]) -> list[Any]:
    found = _parsed(record.get(name))
    if not isinstance(found, list):
        raise InputError(f"{name} must be a JSON array, got {found!r:.200}")
    return found


def _optional(name: str, found: Any) -> float | None:
    return None if found in (None, "", "null") else check_number(name, found, low=0.0)
