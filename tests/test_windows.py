"""The main job on every window of a file."""

import csv
import json
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from fakes import sound_file, tiny_checkpoint, tones

from emomod import pipeline, whole_file, windows
from emomod.attribution.lime import LimeSettings
from emomod.audio import SAMPLE_RATE, quantise, read_blocks, read_clip
from emomod.cli.main import main
from emomod.errors import InputError
from emomod.labels import SCORE_NAMES
from emomod.model.predictor import load_predictor
from emomod.output import to_json
from emomod.pipeline import ModifySettings, RunSettings, predict
from emomod.whole_file import FILES
from emomod.windows import run_windows

QUICK = RunSettings(
    method=LimeSettings(n_perturbations=128, n_held_out=2), modify=ModifySettings(n_controls=1, rule="top:9")
)


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Run every window of a file with a model of 2 s windows; reports are left out."""
    monkeypatch.setattr(pipeline, "write_report", lambda result, folder: None)
    predictor = load_predictor(tiny_checkpoint(tmp_path / "t.safetensors"), device="cpu")
    return lambda path, settings=QUICK, target="fear", predictor=predictor: run_windows(
        path, target=target, out=tmp_path / "out", settings=settings, predictor=predictor
    )


def rows_of(folder, name="windows.csv"):
    with open(folder / name, newline="") as file:
        return list(csv.DictReader(file))


def whole(path):
    return np.concatenate(list(read_blocks(path)))


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
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"00000.0s", "windows.csv"}


def test_run_windows_against_itself_the_whole_file_is_that_of_its_windows(tmp_path, job):
    path, out = sound_file(tmp_path, seconds=3.5), tmp_path / "out"
    windows = list(job(path))
    assert {item.name for item in out.iterdir()} == {"00000.0s", "00001.5s", "windows.csv", *FILES}
    versions = {name: whole(out / f"{name}.wav") for name in ("original", "enhanced", "weakened")}
    level = np.abs(versions["original"]).max() / np.abs(whole(path)).max()  # of all of them
    for window, stretch in zip(windows, (slice(0, 38_000), slice(39_000, None)), strict=True):  # they meet at 1.75 s
        begin = round(window.record["window"]["start"] * SAMPLE_RATE)
        gain = level / 10 ** (window.record["static_gain_db"] / 20)
        own = slice(stretch.start - begin, None if stretch.stop is None else stretch.stop - begin)
        for name, y in versions.items():
            np.testing.assert_allclose(y[stretch], gain * whole(window.folder / f"{name}.wav")[own], atol=1e-5)
    assert not np.allclose(versions["enhanced"], versions["original"], atol=1e-3)


def test_run_windows_against_theory_at_unit_gain_the_whole_file_is_the_file(tmp_path, job):
    path = sound_file(tmp_path, seconds=3.5)
    unit = RunSettings(method=QUICK.method, modify=ModifySettings(gain_db=0.0, n_controls=1, rule="top:9"))
    list(job(path, settings=unit))
    for name in ("original", "enhanced", "weakened"):
        np.testing.assert_array_equal(whole(tmp_path / "out" / f"{name}.wav"), quantise(whole(path), bits=24))
    assert {row["shift_enhanced"] for row in rows_of(tmp_path / "out", "whole.csv")} == {"0"}


def test_whole_csv_against_predict(tmp_path, job):
    list(job(sound_file(tmp_path, seconds=3.5)))
    predictor = load_predictor(tmp_path / "t.safetensors", device="cpu")
    for name in ("original", "enhanced", "weakened"):
        heard = predict(tmp_path / "out" / f"{name}.wav", predictor=predictor)
        scores = heard.midlevel | heard.emotion
        found = {row["name"]: float(row[name]) for row in rows_of(tmp_path / "out", "whole.csv")}
        assert found == pytest.approx(scores, rel=1e-5)


def test_command_line_tells_of_each_window_and_of_the_whole_file(tmp_path, job, capsys):
    model, out = str(tiny_checkpoint(tmp_path / "t.safetensors")), str(tmp_path / "out")
    path = str(sound_file(tmp_path, seconds=3.5))
    quick = ["--masks", "128", "--method", "lime:n_held_out=2", "--controls", "1", "--rule", "top:9", "--device", "cpu"]
    words = ["run", path, "--target", "fear", "--out", out, "--all-windows", "--model", model, *quick]
    assert main(words) == 0
    printed = capsys.readouterr().out
    row = next(row for row in rows_of(tmp_path / "out", "whole.csv") if row["name"] == "fear")
    assert "(from 0.0 s on, 2.0 of 3.5 s)" in printed
    assert "(from 1.5 s on, 2.0 of 3.5 s)" in printed
    told = printed[printed.index("the whole file:") :]
    assert f"fear {float(row['original']):.3f} as it is (mean of 2 windows)" in told
    assert f"enhanced  {float(row['enhanced']):.3f} ({float(row['shift_enhanced']):+.3f})" in told
    assert told.endswith(f"{out}/original.wav enhanced.wav weakened.wav whole.csv\n")


def test_run_windows_against_itself_a_job_replaces_an_earlier_one(tmp_path, job):
    path, out = sound_file(tmp_path, seconds=3.5), tmp_path / "out"
    list(job(path))
    (out / ".whole.x.partial").mkdir()  # as a job leaves it that was killed
    (out / "windows.csv.partial").write_text("start")
    (out / "00001.5s").rename(out / "00060.0s")  # of a longer file
    windows = job(path)
    (out / "00001.5s").mkdir()
    next(windows)
    windows.close()
    assert {item.name for item in out.iterdir()} == {"00000.0s", "windows.csv"}
    list(job(path))
    assert set(FILES) <= {item.name for item in out.iterdir()}


def written(folder):
    """What each file holds, times in run.json left out."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name in [name for name in found if name.endswith("run.json")]:
        found[name] = json.dumps({k: v for k, v in json.loads(found[name]).items() if k != "seconds"}).encode()
    return found


@pytest.fixture
def explained(monkeypatch):
    """The starts of the windows that are explained."""
    starts, as_ever = [], pipeline.run

    def noted(path, **given):
        starts.append(given["settings"].start)
        return as_ever(path, **given)

    monkeypatch.setattr(windows, "run", noted)
    return starts


def test_run_windows_against_itself_a_job_that_was_stopped_goes_on_to_the_same_files(tmp_path, job, explained):
    path, out = sound_file(tmp_path, seconds=5.5), tmp_path / "out"
    list(job(path))
    whole_job = written(out)
    shutil.rmtree(out)
    stopped = job(path)
    next(stopped), next(stopped)
    stopped.close()
    (out / ".00003.5s.scores").write_bytes(b"of the window that was at work")
    (out / ".00000.0s.scores").write_bytes(b"of one that is done")
    explained.clear()
    going_on = job(path)
    assert [next(going_on).folder.name for _ in range(2)] == ["00000.0s", "00001.8s"]
    assert {path.name for path in out.glob(".*")} == {".00003.5s.scores"}
    assert [window.folder.name for window in going_on] == ["00003.5s"]
    assert explained == [3.5]
    assert written(out) == whole_job


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """A folder with a clip, two models and the first window of a job on it."""
    folder = tmp_path_factory.mktemp("earlier")
    sound_file(folder, seconds=3.5)
    predictors = [
        load_predictor(tiny_checkpoint(folder / name, seed=seed), device="cpu")
        for seed, name in enumerate(("t.safetensors", "other.safetensors"))
    ]
    next(run_windows(folder / "clip.wav", target="fear", out=folder / "out", settings=QUICK, predictor=predictors[0]))
    return folder


@pytest.mark.parametrize(
    "change",
    [
        "nothing",
        "settings",
        "target",
        "clip",
        "model",
        "functions",
        "lost file",
        "no JSON",
        "no record",
        "versions",
    ],
)
def test_run_windows_against_itself_windows_of_another_job_are_made_anew(
    earlier, tmp_path, job, explained, monkeypatch, change
):
    monkeypatch.setattr(pipeline, "write_report", lambda result, folder: None)
    out, path, settings, target, model = tmp_path / "out", earlier / "clip.wav", QUICK, "fear", "t"
    shutil.copytree(earlier / "out", out)
    if change == "settings":
        settings = replace(QUICK, modify=replace(QUICK.modify, gain_db=3.0))
    elif change == "target":
        target = "happy"
    elif change == "clip":
        path = sound_file(tmp_path, seconds=3.5, seed=1)
    elif change == "model":
        model = "other"
    elif change == "functions":
        settings = replace(QUICK, components=own_parts)
    elif change == "lost file":
        (out / "00000.0s" / "enhanced.wav").unlink()
    elif change in ("no JSON", "no record"):
        (out / "00000.0s" / "run.json").write_text({"no JSON": "{", "no record": "[1]"}[change])
    elif change == "versions":
        monkeypatch.setattr(windows, "package_versions", lambda: {"emomod": "9"})
    predictor = load_predictor(earlier / f"{model}.safetensors", device="cpu")
    found = next(job(path, settings=settings, target=target, predictor=predictor))
    assert explained == ([] if change == "nothing" else [0.0])
    assert found.record["target"] == target
    assert json.loads((out / "00000.0s" / "run.json").read_text()) == json.loads(to_json(found.record))


def own_parts(sound):
    return np.repeat([[0], [1], [2]], [50, 50, 49], axis=0) * np.ones((1, sound.spectrogram.shape[1]), dtype=np.intp)


def test_run_windows_iv_two_jobs_at_once(tmp_path, job):
    path, out = sound_file(tmp_path, seconds=3.5), tmp_path / "out"
    one = job(path)
    next(one)
    with pytest.raises(InputError, match="another run is at work on it"):
        next(job(path))
    list(one)
    assert set(FILES) <= {item.name for item in out.iterdir()}


def test_run_windows_against_itself_what_came_into_the_folder_meanwhile_stays(tmp_path, job):
    path, out = sound_file(tmp_path, seconds=3.5), tmp_path / "out"
    windows = job(path)
    next(windows)
    (out / "notes.txt").write_text("mine")
    (out / "more").mkdir()
    list(windows)
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "more").is_dir()


def test_run_windows_against_the_design_each_window_has_its_own_seconds(tmp_path, job):
    windows, before = job(sound_file(tmp_path, seconds=3.5)), 0.0
    for _ in range(2):
        began = time.perf_counter()
        spent = next(windows).record["seconds"]["total"]
        assert spent <= time.perf_counter() - began  # what earlier windows took is not in it
        before += spent
    assert before > spent


def test_run_windows_iv_an_earlier_job_is_kept_where_the_new_one_cannot_begin(tmp_path, job):
    path, out = sound_file(tmp_path, seconds=3.5), tmp_path / "out"
    list(job(path))
    before = {item: item.read_bytes() for item in out.rglob("*") if item.is_file()}
    few = RunSettings(method=LimeSettings(n_perturbations=2, n_held_out=2))
    with pytest.raises(InputError, match="n_perturbations must be at least"):
        list(job(path, settings=few))
    assert {item: item.read_bytes() for item in out.rglob("*") if item.is_file()} == before


@pytest.mark.parametrize("ends_in", ("_write_versions", "predict"))
def test_run_windows_iv_windows_are_kept_when_the_job_ends_while_the_whole_is_written(
    tmp_path, job, monkeypatch, ends_in
):
    def ended(*_, **__):
        raise SystemExit(143)

    monkeypatch.setattr(whole_file, ends_in, ended)
    with pytest.raises(SystemExit):
        list(job(sound_file(tmp_path, seconds=3.5)))
    assert {row["start"] for row in rows_of(tmp_path / "out")} == {"0", "1.5"}
    assert {"00000.0s", "00001.5s"} <= {item.name for item in (tmp_path / "out").iterdir()}
    assert not list((tmp_path / "out").glob("*partial"))


def test_run_windows_regression_windows_that_begin_almost_together_have_folders_of_their_own(tmp_path, job):
    windows = list(job(sound_file(tmp_path, seconds=2.03)))
    assert [window.folder.name for window in windows] == ["00000.00s", "00000.03s"]
    assert sorted({float(row["start"]) for row in rows_of(tmp_path / "out")}) == pytest.approx([0.0, 0.03], abs=1e-4)


def test_run_windows_against_itself_scores_are_on_disk_while_the_job_runs(tmp_path, job):
    windows = job(sound_file(tmp_path, seconds=3.5))
    first = next(windows)
    rows, own = rows_of(tmp_path / "out"), rows_of(first.folder, "shifts.csv")
    assert rows == [{"start": "0", **row} for row in own]
    for row in rows:
        for version in ("enhanced", "weakened"):
            told = first.record["shifts"][version][row["name"]]
            assert float(row[f"shift_{version}"]) == pytest.approx(told, rel=1e-5)
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


@pytest.mark.parametrize("name", ("thesis.tex", "enhanced.wav", "whole.csv"))
def test_run_windows_iv_a_folder_of_other_things(tmp_path, job, name):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("")
    with pytest.raises(InputError, match="not empty and not an earlier output for all windows"):
        next(job(sound_file(tmp_path, seconds=3.5)))
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


@pytest.mark.parametrize("name", ("enhanced.wav", "00001.5s/enhanced.wav"))
def test_run_windows_iv_a_clip_that_it_would_replace(tmp_path, job, name):
    list(job(sound_file(tmp_path, seconds=3.5)))
    with pytest.raises(InputError, match=r"would be replaced, but .*enhanced\.wav lies in it"):
        next(job(tmp_path / "out" / name))
    assert (tmp_path / "out" / name).exists()
