"""Results of Label Studio: its exports JSON (tasks with annotations) and JSON_MIN (a record for each annotation).

Results are known by the name of their control (answer, or answer_1, ... of sliders), whatever they are attached to. An
annotator becomes annotatorNUMBER; names and e-mail addresses are left out. Where JSON_MIN tells only an address, a name
is made of it that cannot be led back without the study. Files in which the one is told and files in which the other
are not taken together, since nobody sees whether they tell of the same person. A task that was skipped has an empty
answer, unless the annotator answered it later; one without annotations has none. Lead times are seconds.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from emomod.checks import check_number
from emomod.errors import InputError
from emomod.reading.json_files import read_json
from listening_study.exporters.label_studio import answer_names
from listening_study.exporters.sound_names import sound_columns
from listening_study.importers.collect import Found, at, check_sounds, collected, text_of, trial_told
from listening_study.package import Study
from listening_study.responses import said
from listening_study.table import Answer, Given, Session
from listening_study.trials import Trial

SIDES = {"A": "first", "B": "second", "left": "first", "right": "second"}  # other names of the choices
VALUES = ("choices", "number", "rating", "selected")
BY_NUMBER, BY_ADDRESS = "annotator", "annotator_"  # beginnings of pseudonyms
Record = dict[str, Any]


def import_label_studio(study: Study, files: Sequence[str | Path]) -> tuple[Answer, ...]:
    """The answers in ``files``; InputError names the file and record (or annotation) that is refused."""
    first: dict[bool, str] = {}  # where an annotator is first told by address, and where by number

    def found_in(file: Path) -> Iterator[Found]:
        for found in _found(study, file):
            first.setdefault(found.session.participant.startswith(BY_ADDRESS), found.place)
            if len(first) > 1:
                told = f"{first[False]} has a number, {first[True]} an address"
                raise InputError(f"files must all tell annotators alike, by number or by address; {told}")
            yield found

    return collected(study, files, found_in)


def _found(study: Study, file: Path) -> Iterator[Found]:
    records = read_json(file)
    if not isinstance(records, list):
        raise InputError(f"{file}: must be a list of tasks or annotations, got {str(records)[:80]!r}")
    for number, record in enumerate(records, 1):
        place = f"{file}, record {number}"
        if not isinstance(record, dict):
            raise InputError(f"{place}: must be an object, got {str(record)[:80]!r}")
        with at(place):
            found = list(_of_task(study, place, record) if "annotations" in record else _of_min(study, place, record))
        yield from found


def _of_task(study: Study, place: str, task: Record) -> Iterator[Found]:
    """The annotations of a task."""
    data, annotations = task.get("data"), task["annotations"]
    if not isinstance(data, dict) or not isinstance(annotations, list):
        raise InputError("must have data, an object, and annotations, a list")
    for number, each in enumerate(annotations, 1):
        if not isinstance(each, dict) or not isinstance(each.get("result") or [], list):
            raise InputError(f"annotation {number}: must be an object with a list of results, got {str(each)[:80]!r}")
    answered = {_annotator(study, each.get("completed_by")) for each in annotations if not each.get("was_cancelled")}
    for number, each in enumerate(annotations, 1):
        annotator, skipped = _annotator(study, each.get("completed_by")), bool(each.get("was_cancelled"))
        if skipped and annotator in answered:
            continue
        answered.add(annotator)
        values = {} if skipped else _values_of(each.get("result") or [])
        yield _answer(study, f"{place}, annotation {number}", {**data, **values}, annotator, each.get("lead_time"))


def _values_of(results: list[Any]) -> Record:
    """Values of an annotation by name of the control."""
    values: Record = {}
    for result in results:
        name = text_of(result if isinstance(result, dict) else {}, "from_name")
        if name in values:
            raise InputError(f"{name} must be given once in an annotation")
        values[name] = result.get("value")
    return values


def _of_min(study: Study, place: str, record: Record) -> Iterator[Found]:
    names = [name for name in record if name.startswith("answer")]
    if record.get("annotator") in (None, "") and not names:
        return  # nobody saw the task
    annotator = _annotator(study, record.get("annotator"))
    yield _answer(study, place, record, annotator, record.get("lead_time"))


def _annotator(study: Study, found: Any) -> str:
    """A pseudonym of who is told by number, by an object with a number, or by an e-mail address."""
    number = found.get("id", found.get("email")) if isinstance(found, dict) else found
    if isinstance(number, int) and not isinstance(number, bool):
        return f"{BY_NUMBER}{number}"
    if isinstance(number, str) and number.strip():
        told = f"{study.identity}\n{number.strip().casefold()}"
        return f"{BY_ADDRESS}{hashlib.sha256(told.encode()).hexdigest()[:10]}"
    raise InputError(f"annotator (completed_by) must be told by number or address, got {type(found).__name__}")


def _answer(study: Study, place: str, told: Record, annotator: str, lead_time: Any) -> Found:
    number = text_of(told, "list")
    trial = trial_told(study, text_of(told, "trial_id"), told_study=text_of(told, "study"), told_list=number)
    columns = sound_columns(trial.trial_type, len(trial.heard))
    check_sounds(study, trial, [text_of(told, name) for name in columns])
    values = [_value(trial, told.get(name)) for name in answer_names(trial.trial_type, len(trial.heard))]
    time = None if lead_time is None else 1000.0 * check_number("lead_time", lead_time, low=0.0)
    session = Session(annotator, f"{annotator}_l{trial.list:02d}", source_format="label-studio")
    given = said(trial, values if trial.trial_type == "sliders" else values[0])
    return Found(place, trial, session, Given(given, rt_ms=time))


def _value(trial: Trial, found: Any) -> Any:
    """What a control says: bare, in an object, in a list of one, or nothing."""
    while isinstance(found, list):
        if len(found) > 1:
            raise InputError(f"the answer to {trial.trial_id} must be one, got {found!r:.200}")
        found = found[0] if found else None
    if isinstance(found, dict):
        known = [name for name in VALUES if name in found]
        if not known:
            raise InputError(
                f"the answer to {trial.trial_id} must be of {', '.join(VALUES)}, got {sorted(found)!s:.200}"
            )
        return _value(trial, found[known[0]])
    return SIDES.get(found, found) if isinstance(found, str) else found
