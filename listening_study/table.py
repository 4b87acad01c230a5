"""The canonical table of answers, one row each: what imports and server write, and what the analysis reads.

Conventions
-----------
``response`` speaks of ``condition`` against ``other``: pair +1 the condition was chosen, 0 a tie, -1 the other; ccr
-3..+3; sliders (0..100) and scale (1..9) rate the condition alone, and ``other`` is empty; abx 1 right, 0 wrong. A
sliders trial has a row for each version. ``position`` is the place of the condition among what was heard, from 1.
``stimulus`` and ``other_stimulus`` are tokens. ``confidence`` is 1 (guessing) .. 5 (certain); times are milliseconds.
``listened_ms`` is what was listened to of the version of a sliders row, and of all versions together in other rows;
``device`` is computer, tablet or phone, or other where something else was told.
What is not known is empty; a trial that was shown and not answered has an empty response.

Files are CSV in UTF-8. Cells of text are as ``emomod.reading.cells`` makes them, so that no spreadsheet runs one as a
formula; ``read_table`` gives back what was written. Numbers are numbers.
"""

import csv
import io
import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emomod.checks import check_number
from emomod.errors import InputError
from emomod.output import whole_file
from emomod.reading.cells import escaped, unescaped
from listening_study.conditions import ORIGINAL
from listening_study.csv_rows import optional_number, read_rows
from listening_study.package import Study
from listening_study.questions import LOUDNESS
from listening_study.responses import CHOICES, RANGES, Value, responses_of
from listening_study.trials import Trial

if TYPE_CHECKING:
    import pandas as pd

CONFIDENCE = (1.0, 5.0)


@dataclass(frozen=True)
class Answer:
    """A row of the table."""

    study: str
    participant: str  # pseudonym
    session: str
    list: int
    trial_index: int  # in the order heard, from 0
    trial_id: str
    phase: str
    trial_type: str
    item: str
    attribute: str
    condition: str
    other: str
    position: int
    stimulus: str
    other_stimulus: str
    response: float | None
    confidence: float | None
    rt_ms: float | None
    listened_ms: float | None
    n_plays: float | None
    n_switches: float | None
    device: str
    headphone_pass: bool | None
    source_format: str
    software_version: str
    stimulus_sha256: str


COLUMNS = tuple(field.name for field in fields(Answer))
TEXT = tuple(field.name for field in fields(Answer) if field.type is str)
WHOLE_NUMBERS = ("list", "trial_index", "position")
WHOLE = (*CHOICES, "ccr", "scale")  # trial types whose responses are whole numbers
NUMBERS = ("response", "confidence", "rt_ms", "listened_ms", "n_plays", "n_switches")


@dataclass(frozen=True)
class Session:
    """Who answered, and how."""

    participant: str
    session: str
    device: str = ""
    headphone_pass: bool | None = None
    source_format: str = ""
    software_version: str = ""


@dataclass(frozen=True)
class Given:
    """What a listener did in a trial, in terms of what was presented."""

    value: Value  # as listening_study.responses says
    confidence: float | None = None
    rt_ms: float | None = None
    listened_ms: float | None = None
    n_plays: float | None = None
    n_switches: float | None = None
    places: tuple[int, ...] = ()  # of sliders: where each of what is heard stood, from 1, if not in that order


def study_id(study: Study) -> str:
    """The name by which results know their study; it follows from its trials and sounds and tells nothing of them."""
    return f"study_{study.identity[:10]}"


# ---- from a trial to rows --------------------------------------------------------------------------------------------


def answers_of(
    study: Study, trial: Trial, *, session: Session, given: Given, trial_index: int | None = None
) -> tuple[Answer, ...]:
    """The rows of an answered trial; ``trial_index`` is by default the trial's place in its list.

    InputError where the value given is none that the trial allows.
    """
    responses = responses_of(trial, given.value)
    did = {name: getattr(given, name) for name in NUMBERS if name != "response"}
    index = trial.place if trial_index is None else trial_index
    rows = []
    for number, response in enumerate(responses):
        told = {**_of_trial(study, trial, number), **asdict(session), **did}
        told["position"] = given.places[number] if given.places else told["position"]
        rows.append(Answer(**told, trial_index=index, trial_id=trial.trial_id, response=response))
    return tuple(rows)


def _of_trial(study: Study, trial: Trial, number: int = 0) -> dict[str, Any]:
    """What the trial says of its row of a ``number``, which counts what is heard where the trial is one of sliders."""
    sliders = trial.trial_type == "sliders"
    condition = trial.heard[number] if sliders else trial.condition
    stimulus = study.stimulus(trial.item, condition)
    told = {name: getattr(trial, name) for name in ("list", "phase", "trial_type", "item", "attribute", "other")}
    return {
        **told,
        "study": study_id(study),
        "condition": condition,
        "position": number + 1 if sliders else trial.position,
        "stimulus": stimulus.token,
        "other_stimulus": study.stimulus(trial.item, trial.other).token if trial.other else "",
        "stimulus_sha256": stimulus.sha256,
    }


# ---- checks ----------------------------------------------------------------------------------------------------------


def check_answers(
    study: Study, answers: Sequence[Answer], *, places: Sequence[str] | None = None
) -> tuple[Answer, ...]:
    """Return ``answers`` if all are of ``study``; InputError names the place (by default "answer 1", ...) that is not.

    Refused: another study's answers, unknown trials, what is not as the trial has it, responses out of range, a session
    of two participants or lists, a trial that a participant answers twice, sliders that lack versions.
    """
    trials = {trial.trial_id: trial for trials in study.lists for trial in trials}
    owners: dict[str, tuple[str, int]] = {}
    seen: dict[tuple[str, str, str], str] = {}
    for number, answer in enumerate(answers):
        place = places[number] if places else f"answer {number + 1}"
        try:
            _check_answer(study, answer, trials)
            owner = (answer.participant, answer.list)
            if owners.setdefault(answer.session, owner) != owner:
                who, which = owners[answer.session]
                raise InputError(f"session {answer.session!r} is already that of participant {who!r}, list {which}")
            key = (answer.participant, answer.trial_id, answer.condition)
            if key in seen:
                told = f"participant {answer.participant!r} has answered {answer.trial_id} already"
                raise InputError(f"{told} ({seen[key]})")
            seen[key] = place
        except InputError as error:
            raise InputError(f"{place}: {error}") from None
    _check_sliders(trials, seen)
    return tuple(answers)


def _check_answer(study: Study, answer: Answer, trials: dict[str, Trial]) -> None:
    if answer.study != study_id(study):
        raise InputError(f"study must be {study_id(study)}, got {answer.study!r:.200}, another study's")
    if answer.trial_id not in trials:
        raise InputError(f"trial_id must be one of the study's, got {answer.trial_id!r:.200}")
    trial = trials[answer.trial_id]
    sliders = trial.trial_type == "sliders"
    if sliders and answer.condition not in trial.heard:
        raise InputError(f"condition must be one that {trial.trial_id} has, got {answer.condition!r:.200}")
    wanted = _of_trial(study, trial, trial.heard.index(answer.condition) if sliders else 0)
    for name, value in wanted.items():
        got = getattr(answer, name)
        if got != value and not (sliders and name == "position" and 1 <= got <= len(trial.heard)):
            raise InputError(f"{name} must be {value!r} in {trial.trial_id}, got {got!r:.200}")
    _check_numbers(answer)
    for name in TEXT:
        if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in getattr(answer, name)):
            raise InputError(f"{name} must be without control characters, got {getattr(answer, name)!r}")
    for name in ("participant", "session"):
        if not getattr(answer, name).strip():
            raise InputError(f"{name} must not be empty")


def _check_numbers(answer: Answer) -> None:
    ranges = {"response": RANGES[answer.trial_type], "confidence": CONFIDENCE}
    for name in (*NUMBERS, "trial_index"):
        low, high = ranges.get(name, (0.0, math.inf))
        if (value := getattr(answer, name)) is not None:
            check_number(name, value, low=low, high=high)
    if answer.trial_type in WHOLE and answer.response is not None and answer.response != round(answer.response):
        raise InputError(f"response must be a whole number, got {answer.response!r}")


def _check_sliders(trials: dict[str, Trial], seen: dict[tuple[str, str, str], str]) -> None:
    for (participant, trial_id, _), place in seen.items():
        missing = [name for name in trials[trial_id].heard if (participant, trial_id, name) not in seen]
        if trials[trial_id].trial_type == "sliders" and missing:
            raise InputError(
                f"{place}: {trial_id} must have a row for each version; participant {participant!r} lacks some"
            )


# ---- files -----------------------------------------------------------------------------------------------------------


def table_text(answers: Iterable[Answer]) -> str:
    """The table of answers as CSV, which ``read_table`` gives back."""
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(COLUMNS)
    writer.writerows([_cell(getattr(answer, name)) for name in COLUMNS] for answer in answers)
    return table.getvalue()


def write_table(path: str | Path, answers: Iterable[Answer]) -> Path:
    """Write the table of answers; the file appears whole or not at all."""
    target = Path(path)
    with whole_file(target) as partial:
        partial.write_text(table_text(answers), encoding="utf-8", newline="")
    return target


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return escaped(value)
    if value is None:
        return ""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def read_table(path: str | Path, *, study: Study | None = None) -> tuple[Answer, ...]:
    """Read a table, and check it against ``study``; InputError names the file and the row that cannot be read."""
    header, rows = read_rows(path, columns=COLUMNS)
    if len(header) > len(COLUMNS):
        unknown = [name for name in header if name not in COLUMNS]
        raise InputError(f"{path}, row 1: a table of answers has no column {', '.join(unknown):.300}")
    answers = []
    for row in rows:
        try:
            answers.append(_parsed(row.cells))
        except InputError as error:
            raise InputError(f"{row.place}: {error}") from None
    return check_answers(study, answers, places=[row.place for row in rows]) if study else tuple(answers)


def _parsed(cells: dict[str, str]) -> Answer:
    found: dict[str, Any] = {name: unescaped(cells[name]) for name in TEXT}
    found |= {name: optional_number(name, cells[name]) for name in NUMBERS}
    found["headphone_pass"] = cells["headphone_pass"]
    for name in WHOLE_NUMBERS:
        number = check_number(name, cells[name], low=0)  # type: ignore[arg-type]
        if number != round(number):
            raise InputError(f"{name} must be a whole number, got {cells[name]!r:.200}")
        found[name] = int(number)
    if found["headphone_pass"] not in ("", "0", "1"):
        raise InputError(f"headphone_pass must be 1, 0 or empty, got {found['headphone_pass']!r}")
    found["headphone_pass"] = found["headphone_pass"] == "1" if found["headphone_pass"] else None
    return Answer(**found)


# ---- for the analysis ------------------------------------------------------------------------------------------------


def to_frame(answers: Sequence[Answer]) -> "pd.DataFrame":
    """The table as a pandas DataFrame: texts, whole numbers, and numbers (and headphone_pass) with NaN for empty."""
    import pandas as pd

    columns: dict[str, Any] = {name: [getattr(answer, name) for answer in answers] for name in COLUMNS}
    for name in (*NUMBERS, "headphone_pass"):
        columns[name] = np.array([math.nan if value is None else value for value in columns[name]], dtype=np.float64)
    for name in WHOLE_NUMBERS:
        columns[name] = np.array(columns[name], dtype=np.int64)
    return pd.DataFrame(columns)


def predicted_of(study: Study, answers: Sequence[Answer]) -> NDArray[np.float64]:
    """The model's shift [n_answers] of the attribute's score from ``other``, or the original, to ``condition``.

    On the delivered files, on the scale 0..1 of scores. NaN for catch trials about loudness, which no score predicts.
    """

    def shift(answer: Answer) -> float:
        if answer.attribute == LOUDNESS:
            return math.nan
        return study.predicted(answer.item, answer.condition, answer.attribute, other=answer.other or ORIGINAL)

    return np.array([shift(answer) for answer in answers], dtype=np.float64)
