"""Disks that are full, read-only or gone, and two runs into one place: one clear line, nothing half-written.

Full and read-only disks are real ones: small file systems in memory, which take the right to mount.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import pytest

from emomod.alone import alone
from emomod.cli.main import main
from emomod.errors import InputError
from emomod.output import scores_file
from tests.killed_jobs import ONE_THREAD, explain_job, render_job, train_job, write_tones
from tests.killing import Job, contents, emomod, leftovers, new, run_to_end

WRITERS = ("explain", "run", "train", "render", "windows")
FEW = ("--components", "grid", "--method", "lime:n_held_out=2", "--masks", "64", "--device", "cpu")
RUN = ("--target", "energy", "--rule", "top:9", "--controls", "1")


@pytest.fixture(autouse=True)
def few_threads(monkeypatch):
    for name, value in ONE_THREAD.items():
        monkeypatch.setenv(name, value)


def job_of(name: str, folder: Path) -> Job:
    """A command whose output is relative to where it runs."""
    clip = write_tones(folder / "in" / "clip.wav")
    return {
        "explain": lambda: explain_job(folder / "in"),
        "run": lambda: Job("run", ("run", str(clip), *RUN, *FEW, "--out", "out"), lambda _: None),
        "windows": lambda: Job(
            "windows", ("run", str(clip), "--all-windows", *RUN, *FEW, "--out", "out"), lambda _: None
        ),
        "train": lambda: train_job(folder / "in"),
        "render": lambda: render_job(n_clips=2, workers=1, stems=True),
    }[name]()


@dataclass(frozen=True)
class Disk:
    """A file system of its own."""

    folder: Path

    def remount(self, options: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{options}", self.folder], check=True, capture_output=True)

    def fill(self, *, left_kib: int) -> None:
        """Have room for no more than ``left_kib``."""
        state = os.statvfs(self.folder)
        with open(self.folder / "ballast", "wb") as file:
            file.write(bytes(max(0, state.f_bavail * state.f_frsize - 1024 * left_kib)))


@pytest.fixture
def disk(tmp_path) -> Iterator[Disk]:
    """A disk of 2 MiB in memory."""
    folder = new(tmp_path / "disk")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=False, capture_output=True, text=True
    ) if shutil.which("mount") else None  # fmt: skip
    if done is None or done.returncode:
        pytest.skip(f"needs the right to mount a file system ({done.stderr.strip() if done else 'no mount'})")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "-l", folder], check=False, capture_output=True)


def refused(job: Job, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a job that must end with exit code 1 and one line; return the line."""
    capsys.readouterr()
    with contextlib.chdir(folder):
        assert main(list(job.words)) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("emomod: ")]
    assert lines, "nothing was told"
    assert "Traceback" not in lines[-1]
    return lines[-1]


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_told_in_one_line_and_nothing_is_left_on_it(name, tmp_path, disk, capsys):
    job = job_of(name, tmp_path)
    disk.fill(left_kib=8)
    told = refused(job, disk.folder, capsys)
    assert "No space left on device" in told or "System error" in told
    assert [path for path in leftovers(disk.folder) if path.suffix != ".scores"] == []  # with which it goes on
    job.check(disk.folder)
    (disk.folder / "ballast").unlink()
    disk.remount("size=32m")
    with contextlib.chdir(disk.folder):
        assert main(list(job.words)) == 0
    job.check(disk.folder)
    assert leftovers(disk.folder) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["explain", "run"])
def test_an_earlier_result_stays_when_the_disk_is_full(name, tmp_path, disk, capsys):
    job = job_of(name, tmp_path)
    disk.remount("size=32m")
    with contextlib.chdir(disk.folder):
        assert main(list(job.words)) == 0
    before = contents(disk.folder / "out")
    disk.fill(left_kib=8)
    refused(replace(job, words=(*job.words, "--seed", "1")), disk.folder, capsys)
    assert contents(disk.folder / "out") == before
    assert [path for path in leftovers(disk.folder) if path.suffix != ".scores"] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_a_read_only_disk_is_told_in_one_line(name, tmp_path, disk, capsys):
    job = job_of(name, tmp_path)
    disk.remount("ro")
    told = refused(job, disk.folder, capsys)
    assert "read-only" in told.lower()
    assert list(disk.folder.iterdir()) == []


# ---- the folder goes away while a command is at work -----------------------------------------------------------------

AT_WORK = {  # what is called in the middle of the work, before something is written
    "run": "emomod.pipeline.write_csv",
    "windows": "emomod.pipeline.write_csv",
    "train": "emomod.training.fit.heard_r",
    "render": "emomod.corpus.render.compute_spectrogram",
}


def at_work(monkeypatch: pytest.MonkeyPatch, where: str, do: Callable[[], object]) -> None:
    """Have something done, once, when a function is called."""
    module, _, name = where.rpartition(".")
    as_ever, left = getattr(import_module(module), name), [do]

    def called(*given, **more):
        if left:
            left.pop()()
        return as_ever(*given, **more)

    monkeypatch.setattr(f"{module}.{name}", called)


def writing_to(job: Job, out: Path) -> Job:
    """The job with another output."""
    words = list(job.words)
    words[words.index("--out") + 1] = str(out)
    return replace(job, words=tuple(words))


@pytest.mark.slow
@pytest.mark.parametrize("name", AT_WORK)
def test_a_folder_that_is_removed_is_told_in_one_line_and_not_made_anew(name, tmp_path, capsys, monkeypatch):
    job, place = job_of(name, tmp_path), new(tmp_path / "place")
    at_work(monkeypatch, AT_WORK[name], lambda: shutil.rmtree(place))
    assert str(place) in refused(writing_to(job, place / "x"), tmp_path, capsys)
    assert not place.exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", AT_WORK)
def test_a_disk_that_goes_away_is_told_in_one_line_and_nothing_is_written_in_its_place(
    name, tmp_path, disk, capsys, monkeypatch
):
    job = job_of(name, tmp_path)
    disk.remount("size=32m")
    out = disk.folder if name in ("windows", "render") else disk.folder / "x"
    at_work(monkeypatch, AT_WORK[name], lambda: subprocess.run(["umount", "-l", disk.folder], check=True))
    assert str(disk.folder) in refused(writing_to(job, out), tmp_path, capsys)
    assert not disk.folder.exists() or list(disk.folder.iterdir()) == []


# ---- two runs into one place -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["explain", "train", "render", "windows"])
def test_two_runs_into_one_place_leave_what_one_leaves(name, tmp_path):
    job = job_of(name, tmp_path)
    one, two = new(tmp_path / "one"), new(tmp_path / "two")
    both = [emomod(job, two), emomod(job, two)]
    run_to_end(job, one)
    said = [process.communicate(timeout=300)[1] for process in both]
    codes = [process.returncode for process in both]
    assert min(codes) == 0
    for code, told in zip(codes, said, strict=True):
        assert code in (0, 1)
        assert "Traceback" not in told
        if code:
            assert "another run is at work on it" in told.splitlines()[-1]
    assert contents(two) == contents(one)


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_a_run_beside_another_one_is_refused(name, tmp_path, capsys):
    job, place = job_of(name, tmp_path), new(tmp_path / "place")
    held = {
        "explain": scores_file(place / "out"),
        "run": scores_file(place / "out"),
        "windows": place / "out",
        "train": place / "mine.safetensors.state.lock",
        "render": place / "corpus",
    }[name]
    if name in ("windows", "render"):
        held.mkdir()
    with alone(held):
        assert "another run is at work on it" in refused(job, place, capsys)


def test_alone_against_theory(tmp_path):
    lock = tmp_path / "x.lock"
    with alone(lock):
        with pytest.raises(InputError, match=r"another run is at work on it \(.*x\.lock is in use\)"), alone(lock):
            pass
        assert lock.exists()
    assert not lock.exists()
    with alone(tmp_path), pytest.raises(InputError, match="another run"), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass
    with pytest.raises(InputError, match="cannot be written"), alone(tmp_path / "no" / "x.lock"):
        pass


def test_alone_against_theory_a_killed_process_lets_go(tmp_path):
    code = f"""
import sys, time
from pathlib import Path
from emomod.alone import alone
with alone(Path({str(tmp_path / "x.lock")!r})):
    print("held", flush=True)
    time.sleep(100)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with pytest.raises(InputError, match="another run"), alone(tmp_path / "x.lock"):
        pass
    process.kill()
    process.communicate()
    assert (tmp_path / "x.lock").exists()
    with alone(tmp_path / "x.lock"):
        pass
