"""Conditions files for PsychoPy, and what PsychoPy itself (GPL, never imported here) reads in them."""

import csv
import json

import pytest
from test_study_export_jspsych import told_of_the_key
from test_study_table import KINDS, study_of

from emomod.errors import InputError
from listening_study.exporters import psychopy
from listening_study.exporters.psychopy import export_psychopy
from listening_study.exporters.sound_names import sound_columns, sounds_of
from listening_study.table import study_id

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
    monkeypatch.setattr(psychopy, "choices_of", lambda kind, language: [("first", "[1]")])
    with pytest.raises(InputError, match=r"labels must not begin with \[ or be a number with a comma"):
        export_psychopy(study_of("pair"), tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "language"), [*((kind, "en") for kind in KINDS), ("pair", "de")])
def test_conditions_against_psychopy(kind, language, tmp_path, run_with_tool):
    folder = export_psychopy(study_of(kind, language), tmp_path / "out")
    files = [folder / "choose_list.csv", *sorted(folder.glob("list_*.csv"))]
    read = json.loads(run_with_tool("psychopy", READ, *files).partition("CONDITIONS")[2])
    for path, found in zip(files, read, strict=True):
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        typed = [{k: int(v) if k in ("list_id", "practice") else v or None for k, v in row.items()} for row in rows]
        assert found == typed
