"""Conditions files for PsychoPy, and what PsychoPy itself reads in them.

EMOMOD_PSYCHOPY_PYTHON names a Python that has psychopy (GPL, never imported here); without it that test is skipped.
"""

import csv
import json
import os
import subprocess

import pytest
from test_study_export_jspsych import told_of_the_key
from test_study_table import KINDS, study_of

from emomod.errors import InputError
from listening_study.exporters import psychopy
from listening_study.exporters.presented import sounds_of
from listening_study.exporters.psychopy import export_psychopy, sound_columns
from listening_study.exporters.words import ENGLISH
from listening_study.table import study_id

PYTHON = os.environ.get("EMOMOD_PSYCHOPY_PYTHON")
READ = """
import json, sys
from psychopy.data import importConditions
print("CONDITIONS" + json.dumps([[dict(row) for row in importConditions(name)] for name in sys.argv[1:]], default=int))
"""


@pytest.mark.parametrize("kind", KINDS)
def test_conditions_against_the_study(kind, tmp_path):
    study = study_of(kind)
    folder = export_psychopy(study, tmp_path / "out")
    assert told_of_the_key(study, folder) == []
    assert (folder / "choose_list.csv").read_text().split() == ["conditions_file", "list_00.csv", "list_01.csv"]
    for number, trials in enumerate(study.lists):
        with (folder / f"list_{number:02d}.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert [row["trial_id"] for row in rows] == [trial.trial_id for trial in trials]
        assert {(row["study_id"], row["list_id"]) for row in rows} == {(study_id(study), str(number))}
        assert all(name.isidentifier() for name in rows[0])
        for row, trial in zip(rows, trials, strict=True):
            columns = sound_columns(kind, len(trial.heard))
            assert [row[name] for name in columns] == [f"stimuli/{name}.wav" for name in sounds_of(study, trial)]
            assert all((folder / row[name]).is_file() for name in columns)
            assert row["practice"] == ("1" if trial.phase == "practice" else "0")
            assert len(row["labels"].split("|")) == {"pair": 3, "abx": 2, "ccr": 7, "scale": 1, "sliders": 1}[kind]


def test_texts_iv(tmp_path, monkeypatch):
    from dataclasses import replace

    monkeypatch.setattr(psychopy, "words_of", lambda language: replace(ENGLISH, version="[1]"))
    with pytest.raises(InputError, match=r"labels must not begin with \[ or be a number with a comma"):
        export_psychopy(study_of("pair"), tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(PYTHON is None, reason="EMOMOD_PSYCHOPY_PYTHON names no Python with psychopy")
@pytest.mark.parametrize(("kind", "language"), [*((kind, "en") for kind in KINDS), ("pair", "de")])
def test_conditions_against_psychopy(kind, language, tmp_path):
    folder = export_psychopy(study_of(kind, language), tmp_path / "out")
    files = [folder / "choose_list.csv", *sorted(folder.glob("list_*.csv"))]
    command = [str(PYTHON), "-c", READ, *map(str, files)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    read = json.loads(done.stdout.partition("CONDITIONS")[2])
    for path, found in zip(files, read, strict=True):
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        typed = [{k: int(v) if k in ("list_id", "practice") else v or None for k, v in row.items()} for row in rows]
        assert found == typed
