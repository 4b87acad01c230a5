"""The main job on every window of a file."""

import csv

import numpy as np
import pytest
import soundfile
from fakes import sound_file, tiny_checkpoint, tones

from emomod import pipeline
from emomod.attribution.lime import LimeSettings
from emomod.audio import SAMPLE_RATE, read_clip
from emomod.errors import InputError
from emomod.labels import SCORE_NAMES
from emomod.model.predictor import load_predictor
from emomod.pipeline import ModifySettings, RunSettings
from emomod.windows import run_windows

QUICK = RunSettings(
    method=LimeSettings(n_perturbations=128, n_held_out=2), modify=ModifySettings(n_controls=1, rule="top:9")
)


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Run every window of a file with a model of 2 s windows; reports are left out."""
    monkeypatch.setattr(pipeline, "write_report", lambda result, folder: None)
    predictor = load_predictor(tiny_checkpoint(tmp_path / "t.safetensors"), device="cpu")
    return lambda path: run_windows(path, target="fear", out=tmp_path / "out", settings=QUICK, predictor=predictor)


def rows_of(folder):
    with open(folder / "windows.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_run_windows_against_read_clip(tmp_path, job):
    path = sound_file(tmp_path, seconds=3.5)
    windows = list(job(path))
    assert [window.folder.name for window in windows] == ["00000.0s", "00001.5s"]
    for window, start in zip(windows, (0.0, 1.5), strict=True):
        assert window.record["window"] == {"start": start, "seconds": 2.0, "file_seconds": 3.5}
        truth = read_clip(path, start=start, seconds=2.0).y
        assert np.corrcoef(read_clip(window.folder / "original.wav").y, truth)[0, 1] > 0.9999
    rows = rows_of(tmp_path / "out")
    assert [(float(row["start"]), row["name"]) for row in rows] == [
        (s, name) for s in (0.0, 1.5) for name in SCORE_NAMES
    ]
    fear = [row for row in rows if row["name"] == "fear"]
    expected = [window.record["shifts"]["enhanced"]["fear"] for window in windows]
    assert [float(row["shift_enhanced"]) for row in fear] == pytest.approx(expected, rel=1e-5)


def test_run_windows_against_itself_what_is_done_is_kept_when_the_job_ends_early(tmp_path, job):
    windows = job(sound_file(tmp_path, seconds=3.5))
    next(windows)
    windows.close()
    assert {row["start"] for row in rows_of(tmp_path / "out")} == {"0"}
    assert (tmp_path / "out" / "00000.0s" / "run.json").exists()


def test_run_windows_against_itself_scores_are_on_disk_while_the_job_runs(tmp_path, job):
    windows = job(sound_file(tmp_path, seconds=3.5))
    first = next(windows)
    rows = rows_of(tmp_path / "out")
    assert list(rows[0]) == ["start", *first.modification.rows()[0]]
    for row, truth in zip(rows, first.modification.rows(), strict=True):
        assert row["name"] == truth["name"]
        for key in ("before", "shift_enhanced", "p_count_weakened"):
            assert float(row[key]) == pytest.approx(truth[key], rel=1e-5)
    windows.close()


def test_run_windows_against_theory_silent_windows_are_left_out(tmp_path, job):
    sound = tones(2.0)
    soundfile.write(tmp_path / "a.wav", np.concatenate([sound, np.zeros_like(sound), sound]), SAMPLE_RATE)
    assert [window.folder.name for window in job(tmp_path / "a.wav")] == ["00000.0s", "00004.0s"]


def test_run_windows_iv_nothing_is_made_for_a_target_that_is_none(tmp_path):
    predictor = load_predictor(tiny_checkpoint(tmp_path / "t.safetensors"), device="cpu")
    with pytest.raises(InputError, match="target must be one of"):
        next(run_windows(sound_file(tmp_path), target="groove", out=tmp_path / "out", predictor=predictor))
    assert not (tmp_path / "out").exists()


def test_run_windows_iv_a_folder_of_other_things(tmp_path, job):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="not empty and not an earlier output for all windows"):
        next(job(sound_file(tmp_path, seconds=3.5)))
