"""Plain tables of a study."""

import csv

import pytest
from test_study_export_jspsych import told_of_the_key
from test_study_table import KINDS, study_of

from listening_study.exporters.choices import choices_of
from listening_study.exporters.plain_csv import FILLED, KNOWN, export_plain_csv
from listening_study.exporters.sound_names import sound_columns, sounds_of
from listening_study.questions import languages


@pytest.mark.parametrize("kind", KINDS)
def test_tables_against_the_study(kind, tmp_path):
    study = study_of(kind)
    folder = export_plain_csv(study, tmp_path / "out")
    assert told_of_the_key(study, folder) == []
    for number, trials in enumerate(study.lists):
        with (folder / f"list_{number:02d}.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert [row["trial_id"] for row in rows] == [trial.trial_id for trial in trials]
        for row, trial in zip(rows, trials, strict=True):
            columns = sound_columns(kind, len(trial.heard))
            assert [row[name] for name in columns] == [f"stimuli/{name}.wav" for name in sounds_of(study, trial)]
            assert {row[name] for name in (*FILLED, *KNOWN)} == {""}


@pytest.mark.parametrize("kind", KINDS)
def test_every_language_of_questions_has_words_for_answers(kind):
    values = {"pair": 3, "abx": 2, "ccr": 7}.get(kind, 0)
    assert {len(choices_of(kind, language=language)) for language in languages()} == {values}


def test_an_export_is_the_same_again(tmp_path):
    first, second = (export_plain_csv(study_of("pair"), tmp_path / name) for name in ("a", "b"))
    for path in first.rglob("*.*"):
        assert path.read_bytes() == (second / path.relative_to(first)).read_bytes()
