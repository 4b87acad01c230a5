"""Results of PsychoPy: the wide CSV of a session, a row for each trial, with the columns of the conditions file.

What else the columns are called depends on the names of components, so PsychopyColumns says it; its defaults are those
that the export's README.md asks for. Rows without a trial_id are those of other routines, and must have no answer.
Times are seconds there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emomod.errors import InputError
from listening_study.csv_rows import Row, optional_number, read_rows
from listening_study.exporters.psychopy import sound_columns
from listening_study.importers.collect import Found, at, check_sounds, collected, files_of, text_of, trial_told
from listening_study.package import Study
from listening_study.responses import CHOICES, MISSING, said
from listening_study.table import Answer, Given, Session
from listening_study.trials import Trial

KEYS = ("study_id", "list_id", "trial_id")
VERSION = "psychopyVersion"


@dataclass(frozen=True)
class PsychopyColumns:
    """Names of columns in PsychoPy's CSV."""

    answer: str = "answer.response"
    several: str = "answer_{}.response"  # of sliders; {} is the number of the sound, from 1
    rt: str = "answer.rt"  # s; may be missing
    participant: str = "participant"
    session: str = "session"
    date: str = "date"
    codes: Mapping[str, str] = field(default_factory=dict)  # of pair and abx: what is recorded -> first, same, second

    def meaning(self, trial: Trial, cell: str) -> str:
        """What an answer to a pair or an ABX says; without ``codes``, ticks are counted from 1."""
        choices = CHOICES[trial.trial_type]
        counted = {form: choice for place, choice in enumerate(choices, 1) for form in (f"{place}", f"{place}.0")}
        return {**counted, **self.codes}.get(cell.strip(), cell)


def import_psychopy(
    study: Study, files: Sequence[str | Path], *, columns: PsychopyColumns | None = None
) -> tuple[Answer, ...]:
    """The answers in ``files``; InputError names the file and row that is refused, or the column that is missing."""
    named = columns or PsychopyColumns()
    return collected(study, (found for file in files_of(files) for found in _found(study, Path(file), named)))


def _found(study: Study, file: Path, columns: PsychopyColumns) -> Iterator[Found]:
    heard = len(study.lists[0][0].heard)
    sliders = study.plan.trial_type == "sliders"
    answers = [columns.several.format(place + 1) for place in range(heard)] if sliders else [columns.answer]
    wanted = (*KEYS, columns.participant, columns.session, columns.date, *answers)
    for row in read_rows(file, columns=wanted)[1]:
        cells = [row.cells[name].strip() for name in answers]
        if row.cells["trial_id"].strip() in MISSING:
            if any(cell not in MISSING for cell in cells):
                raise InputError(f"{row.place}: trial_id must be there where there is an answer, got {cells}")
            continue
        with at(row.place):
            found = _answer(study, row, cells, columns)
        yield found


def _answer(study: Study, row: Row, cells: list[str], columns: PsychopyColumns) -> Found:
    trial = trial_told(study, row.cells["trial_id"].strip(), told_study=row.cells["study_id"].strip())
    if row.cells["list_id"].strip() not in (str(trial.list), f"{trial.list}.0"):
        raise InputError(f"list_id must be {trial.list}, which has {trial.trial_id}, got {row.cells['list_id']!r}")
    check_sounds(study, trial, [row.cells.get(name, "") for name in sound_columns(trial.trial_type, len(trial.heard))])
    participant = text_of(row.cells, columns.participant)
    told = [participant, row.cells[columns.session].strip(), row.cells[columns.date].strip()]
    version = row.cells.get(VERSION, "").strip()
    session = Session(
        participant=participant,
        session="_".join(each for each in told if each),
        source_format="psychopy",
        software_version=f"PsychoPy {version}" if version else "",
    )
    value: Any = cells if trial.trial_type == "sliders" else cells[0]
    if trial.trial_type in CHOICES:
        value = columns.meaning(trial, value)
    time = optional_number(columns.rt, row.cells.get(columns.rt, ""), scale=1000.0)
    return Found(row.place, trial, session, Given(said(trial, value), rt_ms=time))
