"""A study on disk without a model: two items, silence for sounds; and what other tools would make of its answers."""

import csv
import io
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from emomod.audio import file_sha256, write_wav
from emomod.labels import SCORE_NAMES
from listening_study.exporters.sound_names import sound_columns, sounds_of
from listening_study.exporters.webmushra import page_sounds
from listening_study.package import PRIVATE, STIMULI, Study, write_private
from listening_study.plan import Item, StudyPlan
from listening_study.server.webmushra import BEFORE
from listening_study.stimuli import Stimulus, token_of
from listening_study.table import Given, Session, answers_of, study_id, write_table
from listening_study.trials import draw_lists

FOLDER = TemporaryDirectory()
PLAN = StudyPlan("Fuzz", (Item("a", "a.wav"), Item("b", "b.wav", start=1.5)), ("energy",), lists=2, repeats=1)


@cache
def study() -> Study:
    """The study, written once for a process."""
    folder = Path(FOLDER.name)
    (folder / STIMULI).mkdir()
    (folder / PRIVATE).mkdir()
    lists = draw_lists(PLAN)
    heard = {(trial.item, condition) for trials in lists for trial in trials for condition in trial.heard}
    stimuli = [_stimulus(folder, item, condition) for item, condition in sorted(heard)]
    made = Study(folder, PLAN, lists, {each.token: each for each in stimuli}, SCORE_NAMES, {"model": {"name": "none"}})
    hashes = write_private(folder / PRIVATE, made)
    return replace(made, record=made.record | hashes)


def _stimulus(folder: Path, item: str, condition: str) -> Stimulus:
    token = token_of(PLAN, item, condition)
    path = write_wav(folder / STIMULI / f"{token}.wav", np.zeros(100), bits=16)
    scores = np.full(len(SCORE_NAMES), 0.5)
    return Stimulus(token, item, condition, file_sha256(path), 3, -1.5, -23.0, -1.0, scores)


def _csv(rows: list[dict[str, Any]]) -> bytes:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()


def table() -> bytes:
    """Answers of one listener to the first list, in our own table."""
    session = Session("ann", "ann1", "computer", True, "emomod", "1")
    answers = [
        each
        for trial in study().lists[0]
        for each in answers_of(study(), trial, session=session, given=Given("first", confidence=3.0, rt_ms=1500.0))
    ]
    with TemporaryDirectory() as folder:
        return write_table(Path(folder) / "answers.csv", answers).read_bytes()


def plain() -> bytes:
    """The same in the plain tables."""
    return _csv(
        [
            {"study": study_id(study()), "list": 0, "trial_id": trial.trial_id}
            | dict(zip(sound_columns("pair", 2), sounds_of(study(), trial), strict=True))
            | {"participant": "ann", "session": "ann1", "answer": "first", "rt_ms": "1500", "confidence": "3"}
            for trial in study().lists[0]
        ]
    )


def psychopy() -> bytes:
    """The same of PsychoPy."""
    return _csv(
        [
            {"study_id": study_id(study()), "list_id": 0, "trial_id": trial.trial_id, "participant": "ann"}
            | dict(zip(sound_columns("pair", 2), sounds_of(study(), trial), strict=True))
            | {"session": "1", "date": "today", "answer.response": "1", "answer.rt": "1.25", "psychopyVersion": "2026"}
            for trial in study().lists[0]
        ]
    )


def jspsych() -> list[dict[str, Any]]:
    """The same of jsPsych, as records."""
    shared = {"study": study_id(study()), "list": 0, "participant": "ann", "session": "ann1", "simulated": False}
    return [
        {"trial_type": "emomod-compare", "trial_id": trial.trial_id, "sounds": list(sounds_of(study(), trial))}
        | {"response": "first", "rt_ms": 2345, "listened_ms": [1500, 1600.5], "n_plays": 1, "confidence": 4, **shared}
        for trial in study().lists[0]
    ]


def jspsych_csv() -> bytes:
    """The same of jsPsych, as a table."""
    return _csv(
        [
            {key: json.dumps(value) if isinstance(value, (list, bool)) else value for key, value in record.items()}
            for record in jspsych()
        ]
    )


def label_studio() -> list[dict[str, Any]]:
    """The same of Label Studio."""
    result = {"from_name": "answer", "value": {"choices": ["first"]}}
    who = {"completed_by": {"id": 7, "email": "a@example.org"}, "result": [result], "lead_time": 2.5}
    return [
        {
            "data": {"study": study_id(study()), "list": 0, "trial_id": trial.trial_id}
            | dict(zip(sound_columns("pair", 2), sounds_of(study(), trial), strict=True)),
            "annotations": [{**who, "was_cancelled": False}],
        }
        for trial in study().lists[0]
    ]


def webmushra_csv() -> bytes:
    """The same of webMUSHRA, as a table."""
    shared = {"session_test_id": f"{study_id(study())}_l00_p0001", "participant_id": "ann"}
    return _csv(
        [
            shared
            | {"trial_id": trial.trial_id, "stimuli_rating": "first"}
            | {"stimuli": page_sounds(study(), trial, "p0001")[0], "rating_time": "5321"}
            for trial in study().lists[0]
        ]
    )


def webmushra_posts() -> bytes:
    """The same of webMUSHRA, as our server keeps what it posts."""
    trials = [
        {
            "id": trial.trial_id,
            "responses": [
                {"stimulus": page_sounds(study(), trial, "p0001")[0], "stimulusRating": ["first"], "time": 5321}
            ],
        }
        for trial in study().lists[0]
    ]
    who = {"name": ["participant_id"], "response": ["ann"]}
    session = {"testId": f"{study_id(study())}_l00_p0001", "participant": who, "trials": trials}
    return json.dumps({"at_ms": 1, "body": BEFORE + json.dumps(session)}).encode() + b"\n"
