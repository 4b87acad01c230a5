import fcntl
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import sound_file, tiny_checkpoint
from small_batches import QUICK

from emomod.audio import file_sha256
from emomod.batch import work as stage
from emomod.batch.clip_list import Listed
from emomod.batch.recipe import recipe_of
from emomod.batch.run import record_of
from emomod.batch.store import MANIFEST, RECORD, folder_of, found_keys, open_store
from emomod.batch.work import Job, Outcome, Window, do, look
from emomod.model.load import load_model
from emomod.output import scores_file
from emomod.pipeline import write_run


@pytest.fixture
def job(tmp_path):
    return job_of(tmp_path)


def job_of(folder, **recipe):
    checkpoint = tiny_checkpoint(folder / "tiny.safetensors")
    wanted = recipe_of({"targets": "energy", **QUICK, "model": str(checkpoint), **recipe})
    store, predictor = folder / "store", load_model(checkpoint)
    store.mkdir()
    open_store(store, record_of(wanted, predictor))
    return Job(str(store), wanted, None, predictor.sha256)


def window_of(folder, job):
    (window,) = look([Listed(str(sound_file(folder)))], job)
    assert isinstance(window, Window)
    return window


def test_look_against_the_design_one_window_or_all_that_sound(tmp_path):
    path = str(sound_file(tmp_path, seconds=5.0))
    job = job_of(tmp_path, windows="all")
    assert [each.start for each in look([Listed(path)], job)] == [0.0, 1.5, 3.0]
    assert [each.start for each in look([Listed(path, 1.0)], job)] == [1.0]
    first = replace(job, recipe=replace(job.recipe, windows="first"))
    assert [each.start for each in look([Listed(path), Listed(path, 2.5)], first)] == [0.0, 2.5]
    assert len({each.key for each in look([Listed(path)], job)}) == 3


def test_look_against_the_design_keys_are_of_content(tmp_path, job):
    one, same, other = (str(sound_file(tmp_path, name=f"{k}.wav", seed=seed)) for k, seed in enumerate((0, 0, 1)))
    keys = [each.key for each in look([Listed(one), Listed(same), Listed(other)], job)]
    assert (keys[0] == keys[1], keys[0] == keys[2]) == (True, False)
    assert look([Listed(one)], replace(job, model_sha256="0" * 64))[0].key != keys[0]


@pytest.mark.parametrize("error", (RuntimeError("odd"), OSError("odd"), MemoryError()))
def test_look_against_the_design_a_clip_costs_no_other_clip(tmp_path, job, monkeypatch, error):
    paths = [str(sound_file(tmp_path, name=f"{k}.wav", seed=k)) for k in range(2)]

    def breaks(path):
        if path == paths[0]:
            raise error
        return file_sha256(path)

    monkeypatch.setattr(stage, "file_sha256", breaks)
    failed, window = look([Listed(path) for path in paths], job)
    assert isinstance(failed, Outcome)
    assert (failed.path, bool(failed.error), failed.final, failed.fatal) == (paths[0], True, False, False)
    assert window.path == paths[1]


@pytest.mark.parametrize(
    ("keep", "kept"),
    (
        ("[]", set()),
        ("[sounds]", {"original.wav", "enhanced.wav", "weakened.wav", "positive.wav", "negative.wav"}),
        ("[explanation]", {"explanation.npz", "explanation.json"}),
        ("[report]", {"report.html", "figures"}),
    ),
)
def test_do_against_the_design_what_is_kept(tmp_path, keep, kept):
    job = job_of(tmp_path, keep=[word for word in keep.strip("[]").split(",") if word])
    window = window_of(tmp_path, job)
    assert do(window, job) == Outcome(window.path, window.start, window.key)
    folder = folder_of(tmp_path / "store", window.path, window.key)
    assert {path.name for path in (folder / "energy").iterdir()} == kept | {"run.json", "shifts.csv", "components.csv"}


def test_do_against_the_design_what_is_there_is_left_alone(tmp_path, job, monkeypatch):
    window = window_of(tmp_path, job)
    folder = folder_of(tmp_path / "store", window.path, window.key)
    folder.mkdir()
    (folder / MANIFEST).write_text("{}")
    monkeypatch.setattr(stage, "explain_clip", None)
    assert do(window, job).error == ""


def test_do_against_the_design_a_clip_that_was_changed(tmp_path, job):
    window = window_of(tmp_path, job)
    sound_file(tmp_path, seed=9)
    told = do(window, job)
    assert (told.error, told.final) == (f"{window.path}: was changed while the batch ran", True)
    assert found_keys(tmp_path / "store") == {}


def test_do_against_the_design_the_store_or_the_model_is_to_blame(tmp_path, job):
    window = window_of(tmp_path, job)
    told = do(window, replace(job, model_sha256="0" * 64))
    assert (told.fatal, "is another one on this machine" in told.error) == (True, True)
    (tmp_path / "store" / RECORD).unlink()
    told = do(window, job)
    assert (told.fatal, "is not there any more" in told.error) == (True, True)


def test_do_against_the_design_a_worker_of_an_earlier_run_is_waited_for(tmp_path, job, monkeypatch):
    window = window_of(tmp_path, job)
    scores = scores_file(folder_of(tmp_path / "store", window.path, window.key))
    monkeypatch.setattr(stage, "PATIENCE", 0.0)
    with open(scores, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        told = do(window, job)
        assert ("another run is at work" in told.error, told.final, told.fatal) == (True, False, False)
        assert scores.exists()
        monkeypatch.undo()
        waits = threading.Event()
        monkeypatch.setattr(time, "sleep", lambda seconds: waits.set())

        def end() -> None:
            waits.wait()
            file.close()

        ended = threading.Thread(target=end)
        ended.start()
        assert do(window, job).error == ""
        ended.join()
    assert not scores.exists()
    assert Path(folder_of(tmp_path / "store", window.path, window.key), MANIFEST).is_file()


def test_do_iv_a_worker_of_another_version(tmp_path, job):
    window = window_of(tmp_path, job)
    found = do(window, replace(job, emomod="0.0.1"))
    assert found.fatal
    assert "and the batch was started with 0.0.1" in found.error


def test_do_regression_a_window_is_held_until_it_is_written(tmp_path, job, monkeypatch):
    """A worker of a run that was stopped is still writing; the next run waits, and does nothing twice."""
    window = window_of(tmp_path, job)
    begun, go_on, real, written = threading.Event(), threading.Event(), write_run, []

    def slow(*given, **named):
        written.append(threading.current_thread().name)
        begun.set()
        assert go_on.wait(60)
        return real(*given, **named)

    monkeypatch.setattr(stage, "write_run", slow)
    outcomes = []
    threads = [threading.Thread(target=lambda: outcomes.append(do(window, job)), name=name) for name in ("one", "two")]
    threads[0].start()
    assert begun.wait(60)
    threads[1].start()
    threads[1].join(1.5)
    assert threads[1].is_alive()  # it waits
    go_on.set()
    for thread in threads:
        thread.join(120)
    assert [outcome.error for outcome in outcomes] == ["", ""]
    assert written == ["one"]
