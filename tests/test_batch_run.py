"""Whole batches on real workers: what they leave, and what bad days leave of them."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import dask
import distributed
import pytest
import soundfile
from batch_corpus import (
    ENVIRONMENT,
    N_CLIPS,
    begun,
    children_of,
    differences,
    emomod_batch,
    made,
    meanwhile,
    paused,
    rows_of,
    scheduler_and_worker,
    wait_for,
    write_corpus,
)
from fakes import tones
from killing import processes_of

from emomod.audio import SAMPLE_RATE
from emomod.batch import cluster as stage
from emomod.batch import run as driver
from emomod.batch.cluster import GONE, QUIET
from emomod.batch.run import DIED, run_batch
from emomod.batch.store import CLIPS_TABLE, MANIFEST, PROBE, StoreError, found_keys, held, lock_of
from emomod.batch.verify import verify_store
from emomod.cli.main import main
from emomod.errors import InputError
from emomod.stages import Stages

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Windows take long enough that what befalls a batch finds it at work."""
    return write_corpus(tmp_path_factory.mktemp("corpus"), n_masks=3072)


@pytest.fixture(scope="module")
def scheduler():
    """The address of a cluster of two workers, as one that is running already."""
    environment = {"distributed.nanny.pre-spawn-environ": ENVIRONMENT}
    with (
        dask.config.set(QUIET | environment),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as own,
    ):
        yield own.scheduler_address


@pytest.fixture(scope="module")
def undisturbed(corpus, scheduler, tmp_path_factory):
    """The store of a run that nothing befell."""
    store = tmp_path_factory.mktemp("undisturbed") / "store"
    run(corpus, store, scheduler=scheduler)
    return store


def run(corpus, store, **settings):
    return run_batch(corpus / "list.csv", corpus / "recipe.yaml", out=store, **settings)


def test_run_batch_against_the_design_what_a_batch_leaves(undisturbed):
    rows = {Path(row["path"]).name: row for row in rows_of(undisturbed)}
    assert {name: row["state"] for name, row in rows.items()} == {
        **{f"clip{k}.wav": "done" for k in range(N_CLIPS)},
        "copy.wav": "done",
        "bad.wav": "failed",
        "absent.wav": "failed",
    }
    assert rows["copy.wav"]["folder"] == rows["clip0.wav"]["folder"]
    assert "is no WAV" in rows["bad.wav"]["error"]
    assert "there is no such file" in rows["absent.wav"]["error"]
    folders = found_keys(undisturbed)
    assert len(folders) == N_CLIPS
    for folder in folders.values():
        assert sorted(path.name for path in folder.iterdir()) == ["articulation", "energy", MANIFEST]
        assert {"run.json", "enhanced.wav", "explanation.npz", "shifts.csv"} <= {
            path.name for path in (folder / "energy").iterdir()
        }
    assert list((undisturbed / "clips").glob("??/.*")) == []
    assert sorted(path.name for path in undisturbed.iterdir()) == ["batch.json", "clips", "clips.csv", "tables"]


def test_run_batch_against_itself_one_worker_of_its_own_two_of_others_and_split_masks(
    corpus, undisturbed, scheduler, tmp_path, capsys
):
    words = ["batch", str(corpus / "list.csv"), "--recipe", str(corpus / "recipe.yaml"), "--workers", "1"]
    assert main([*words, "--out", str(tmp_path / "one")]) == 1
    told = capsys.readouterr()
    assert f"{N_CLIPS + 1} windows are done" in told.out
    assert "2 failed (see" in told.out
    assert "Traceback" not in told.err
    run(corpus, tmp_path / "masks", scheduler=scheduler, split="masks")
    for name in ("one", "masks"):
        assert differences(tmp_path / name, undisturbed) == []


def test_run_batch_against_the_design_only_what_is_missing_is_done_again(corpus, scheduler, undisturbed, tmp_path):
    store = tmp_path / "store"
    run(corpus, store, scheduler=scheduler)
    before = made(store)
    again = run(corpus, store, scheduler=scheduler)
    assert (again.n_done, again.n_kept, len(again.failed)) == (N_CLIPS + 1, N_CLIPS + 1, 2)
    assert made(store) == before
    damaged = min(found_keys(store).values())
    (damaged / "energy" / "enhanced.wav").write_bytes(b"")
    assert list(verify_store(store, repair=True).damaged) == [str(damaged.relative_to(store))]
    run(corpus, store, scheduler=scheduler)
    after = made(store)
    assert {path for path in after if after[path] != before[path]} == {damaged / MANIFEST}
    assert differences(store, undisturbed) == []


def test_run_batch_against_the_design_tables_grow_while_it_runs(corpus, scheduler, undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(driver, "TABLES_EVERY", 1)
    store, ended = tmp_path / "store", []

    def see():
        wait_for(lambda: list((store / "tables" / "runs").glob("*.parquet")))
        ended.append((store / CLIPS_TABLE).exists())

    with meanwhile(see):
        run(corpus, store, scheduler=scheduler)
    assert ended == [False]
    assert differences(store, undisturbed) == []


def test_run_batch_iv_a_manifest_that_somebody_changed(corpus, scheduler, undisturbed, tmp_path, monkeypatch):
    monkeypatch.setattr(driver, "TABLES_EVERY", 1)
    store, stages = shutil.copytree(undisturbed, tmp_path / "store"), Stages()
    shutil.rmtree(store / "tables")
    spoiled, gone, *_ = found_keys(store).values()
    (spoiled / MANIFEST).write_text("nonsense")
    shutil.rmtree(gone)
    with pytest.raises(InputError, match=r"`emomod store verify .* --repair` removes the folder"):
        run(corpus, store, scheduler=scheduler, stages=stages)
    assert "tables" not in stages.seconds  # it was found before the run came to its end


def test_run_batch_against_the_design_half_of_the_workers_are_killed(corpus, undisturbed, tmp_path, capfd):
    store, finished, others = tmp_path / "store", {}, set(children_of(os.getpid()))

    def kill():
        finished.update(begun(store, 2))
        workers = sorted(set(children_of(os.getpid())) - others)
        assert len(workers) == 4
        for worker in workers[:2]:
            os.kill(worker, signal.SIGKILL)

    with meanwhile(kill):
        result = run(corpus, store, n_workers=4)
    assert (result.n_done, len(result.failed)) == (N_CLIPS + 1, 2)
    assert finished.items() <= made(store).items()
    assert differences(store, undisturbed) == []
    assert set(children_of(os.getpid())) <= others
    assert capfd.readouterr().err == ""


def test_run_batch_against_the_design_a_worker_dies_when_its_window_was_finished(
    corpus, scheduler, undisturbed, tmp_path
):
    store = tmp_path / "store"
    left: list[Path] = []

    def leave_a_lock():
        left.extend(lock_of(manifest.parent) for manifest in begun(store))
        left[0].touch()

    with meanwhile(leave_a_lock):
        run(corpus, store, scheduler=scheduler)
    assert left
    assert differences(store, undisturbed) == []


def test_batch_against_the_design_the_driver_is_killed(corpus, scheduler, undisturbed, tmp_path):
    store = tmp_path / "store"
    process = emomod_batch(corpus, store, "--workers", "2")
    finished = begun(store)
    assert len(processes_of(process.pid)) > 2
    process.kill()
    process.communicate()
    wait_for(lambda: not processes_of(process.pid), seconds=30.0)
    finished |= made(store)
    assert not verify_store(store).ended
    result = run(corpus, store, scheduler=scheduler)
    assert result.n_kept >= len(finished)
    assert finished.items() <= made(store).items()
    assert differences(store, undisturbed) == []


def test_batch_against_the_design_workers_outlive_their_driver(corpus, scheduler, undisturbed, tmp_path):
    store = tmp_path / "store"
    process = emomod_batch(corpus, store, "--scheduler", scheduler)
    finished = begun(store)
    process.kill()
    process.communicate()
    run(corpus, store, scheduler=scheduler)  # while they may still be at windows of the first run
    assert finished.items() <= made(store).items()
    assert differences(store, undisturbed) == []


def test_batch_against_the_design_ctrl_c_and_a_second_run_at_the_same_time(corpus, tmp_path):
    store = tmp_path / "store"
    process = emomod_batch(corpus, store, "--workers", "2")
    begun(store)
    with pytest.raises(InputError, match="another run is at work on it"), held(store):
        pass
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 130, told
    assert told.splitlines()[-1] == "emomod: interrupted"
    assert "Traceback" not in told
    wait_for(lambda: not processes_of(process.pid), seconds=30.0)


def test_run_batch_against_the_design_the_scheduler_is_killed_and_started_again(corpus, undisturbed, tmp_path, capfd):
    store, port = tmp_path / "store", 18_000 + os.getpid() % 10_000
    arguments = ["batch", str(corpus / "list.csv"), "--recipe", str(corpus / "recipe.yaml"), "--out", str(store)]
    arguments += ["--scheduler", f"tcp://127.0.0.1:{port}"]
    with scheduler_and_worker(tmp_path, port) as process, meanwhile(lambda: begun(store) and process.kill()):
        assert main(arguments) == 1
    assert capfd.readouterr().err.splitlines()[-1] == f"emomod: {GONE}"
    finished = made(store)
    with scheduler_and_worker(tmp_path, port):
        assert main(arguments) == 1  # for the clips that cannot be used
    assert finished.items() <= made(store).items()
    assert differences(store, undisturbed) == []


def test_run_batch_against_the_design_a_cluster_whose_workers_come_later(tmp_path):
    corpus, told = write_corpus(tmp_path), list[str]()
    with (
        dask.config.set(QUIET),
        distributed.LocalCluster(
            n_workers=0, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as own,
    ):

        def come():
            wait_for(lambda: told)
            own.scale(1)

        with meanwhile(come):
            result = run(corpus, tmp_path / "store", scheduler=own.scheduler_address, log=told.append)
    assert told == ["no worker is there yet; the clips wait for the first one"]
    assert (result.n_done, len(result.failed)) == (N_CLIPS + 1, 2)


def test_run_batch_iv_no_scheduler(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "TIMEOUT", "1s")
    for address in ("tcp://127.0.0.1:1", "nowhere", "tcp://"):
        with pytest.raises(InputError, match="scheduler: nothing answers at"):
            run(corpus, tmp_path / "store", scheduler=address)
        (tmp_path / "store" / CLIPS_TABLE).touch()  # of an earlier run, which the next address does not undo
    assert (tmp_path / "store" / CLIPS_TABLE).exists()


# ---- disks -----------------------------------------------------------------------------------------------------------


def mount(*words):
    """Mount as told; skips the test where that is not allowed."""
    done = subprocess.run(["mount", *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs leave to mount: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path):
    """A folder to mount at; nothing is mounted there at the end."""
    place = tmp_path / "disk"
    place.mkdir()
    yield place
    while not subprocess.run(["umount", "-l", place], capture_output=True, check=False).returncode:
        pass


def test_run_batch_against_the_design_a_full_disk(corpus, scheduler, undisturbed, disk):
    mount("-t", "tmpfs", "-o", f"size={PROBE + 3 * 2**20}", "tmpfs", disk)
    with pytest.raises(StoreError, match="cannot be written: No space left on device"):
        run(corpus, disk / "store", scheduler=scheduler)
    finished = made(disk / "store")
    assert len(finished) < N_CLIPS
    assert all(damage == "" for damage in verify_store(disk / "store").damaged.values())
    mount("-o", "remount,size=200M", disk)
    run(corpus, disk / "store", scheduler=scheduler)
    assert finished.items() <= made(disk / "store").items()
    assert differences(disk / "store", undisturbed) == []


def test_run_batch_against_the_design_a_disk_that_turns_read_only(corpus, scheduler, undisturbed, disk, tmp_path):
    (tmp_path / "real").mkdir()
    mount("--bind", tmp_path / "real", disk)
    store = disk / "store"

    def turn_read_only():
        """By a mount above that is: the one below cannot be turned while a file is open for writing."""
        begun(store)
        with paused(children_of(os.getpid())):
            mount("--bind", tmp_path / "real", disk)
            mount("-o", "remount,ro,bind", disk)

    with meanwhile(turn_read_only), pytest.raises(StoreError, match="cannot be written: Read-only file system"):
        run(corpus, store, scheduler=scheduler)
    with pytest.raises(InputError, match=r"out: the folder .*store is read-only"):
        run(corpus, store, scheduler=scheduler)
    finished = made(store)
    mount("-o", "remount,rw,bind", disk)
    run(corpus, store, scheduler=scheduler)
    assert finished.items() <= made(store).items()
    assert differences(store, undisturbed) == []


def test_run_batch_against_the_design_a_disk_that_vanishes(corpus, scheduler, undisturbed, disk, tmp_path):
    (tmp_path / "real").mkdir()
    mount("--bind", tmp_path / "real", disk)
    store = disk / "store"

    def vanish():
        begun(store)
        with paused(children_of(os.getpid())):
            subprocess.run(["umount", "-l", disk], check=True)

    with meanwhile(vanish), pytest.raises(StoreError, match="cannot be written: it is not there any more"):
        run(corpus, store, scheduler=scheduler)
    assert list(disk.iterdir()) == []  # nothing was written in its place
    mount("--bind", tmp_path / "real", disk)
    finished = made(store)
    run(corpus, store, scheduler=scheduler)
    assert finished.items() <= made(store).items()
    assert differences(store, undisturbed) == []


# ---- clips that take their worker down -------------------------------------------------------------------------------

KILLER = """
import os, signal, time
import numpy as np
from emomod import Model

def scores(sounds):
    peaks = np.abs(sounds).max(axis=-1)
    if (peaks > 0.9).any():
        os.kill(os.getpid(), signal.SIGKILL)
    kept = []
    while (np.abs(peaks - 0.8) < 0.02).any():
        kept.append(np.ones(2**23))
        time.sleep(0.05)
    return np.stack([peaks, sounds.std(axis=-1)], axis=1)

model = Model(scores, names=("peak", "spread"), takes="waveform", window_seconds=1.0)
"""


def test_run_batch_against_the_design_clips_that_kill_their_worker_or_take_all_memory(tmp_path, monkeypatch, capfd):
    (tmp_path / "killer.py").write_text(KILLER)
    for name, peak in (("a_kills", 0.99), ("b_eats", 0.8), ("c", 0.3), ("d", 0.4)):
        soundfile.write(tmp_path / f"{name}.wav", 2 * peak * tones(1.0), SAMPLE_RATE)
    (tmp_path / "recipe.yaml").write_text(
        f"targets: [spread]\nmodel: {tmp_path}/killer.py:model\ncomponents: grid\nkeep: []\n"
        "method: occlusion:n_held_out=8\nmodify: {n_controls: 1, rule: highest:1}\n"
    )
    (tmp_path / "list.csv").write_text("path\na_kills.wav\nb_eats.wav\nc.wav\nd.wav\n")
    monkeypatch.setattr(stage, "MEMORY_LIMIT", 2**30)
    result = run(tmp_path, tmp_path / "store", n_workers=1, retries=1)
    assert (result.n_done, [Path(each.path).name for each in result.failed]) == (2, ["a_kills.wav", "b_eats.wav"])
    assert {each.error for each in result.failed} == {DIED}
    assert [row["tries"] for row in rows_of(tmp_path / "store")] == ["2", "2", "1", "1"]
    assert {path.name for path in next((tmp_path / "store" / "clips").glob("??/c-*")).glob("*/*")} == {
        "components.csv", "run.json", "shifts.csv"
    }  # fmt: skip
    assert capfd.readouterr().err == ""
