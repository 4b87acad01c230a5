"""Results of PsychoPy: the wide CSV of a session, a row for each trial, with the columns of the conditions file.

The other columns are named after components, as the export's README.md asks for: answer.response and answer.rt, of
sliders answer_1.response and answer_1.rt, ..., of which the last time counts; answers to pairs and ABX are numbers of
ticks, from 1. Rows without a trial_id are those of other routines, and must have no answer. Times are seconds there.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from emomod.errors import InputError
from listening_study.csv_rows import Row, optional_number, read_rows
from listening_study.exporters.sound_names import sound_columns
from listening_study.importers.collect import Found, at, check_sounds, collected, text_of, trial_told
from listening_study.package import Study
from listening_study.responses import CHOICES, MISSING, said
from listening_study.table import Answer, Given, Session
from listening_study.trials import Trial

KEYS = ("study_id", "list_id", "trial_id", "participant", "session", "date")
VERSION = "psychopyVersion"  # may be missing, as times may


def import_psychopy(study: Study, files: Sequence[str | Path]) -> tuple[Answer, ...]:
    """The answers in ``files``; InputError names the file and row that is refused, or the column that is missing."""
    return collected(study, files, lambda file: _found(study, file))


def _found(study: Study, file: Path) -> Iterator[Found]:
    n = len(study.lists[0][0].heard)
    answers = [f"answer_{number}" for number in range(1, n + 1)] if study.plan.trial_type == "sliders" else ["answer"]
    for row in read_rows(file, columns=(*KEYS, *(f"{name}.response" for name in answers)))[1]:
        cells = [row.cells[f"{name}.response"].strip() for name in answers]
        times = [f"{name}.rt" for name in answers]
        if row.cells["trial_id"].strip() in MISSING:
            if any(cell not in MISSING for cell in cells):
                raise InputError(f"{row.place}: trial_id must be there where there is an answer, got {cells!s:.200}")
            continue
        with at(row.place):
            found = _answer(study, row, cells, times)
        yield found


def _answer(study: Study, row: Row, cells: list[str], times: list[str]) -> Found:
    told = {name: row.cells[name].strip() for name in KEYS}
    number = told["list_id"].removesuffix(".0")
    trial = trial_told(study, told["trial_id"], told_study=told["study_id"], told_list=number)
    check_sounds(study, trial, [row.cells.get(name, "") for name in sound_columns(trial.trial_type, len(trial.heard))])
    participant, version = text_of(row.cells, "participant"), row.cells.get(VERSION, "").strip()
    session = Session(
        participant=participant,
        session="_".join(each for each in (participant, told["session"], told["date"]) if each),
        source_format="psychopy",
        software_version=f"PsychoPy {version}" if version else "",
    )
    value: Any = cells if trial.trial_type == "sliders" else _meaning(trial, cells[0])
    known = [optional_number(name, row.cells.get(name, ""), scale=1000.0) for name in times]
    time = max((each for each in known if each is not None), default=None)
    return Found(row.place, trial, session, Given(said(trial, value), rt_ms=time))


def _meaning(trial: Trial, cell: str) -> str:
    """What a tick says: of a pair or an ABX a choice, else its number."""
    choices = CHOICES.get(trial.trial_type, ())
    return next((choice for tick, choice in enumerate(choices, 1) if cell in (f"{tick}", f"{tick}.0")), cell)
