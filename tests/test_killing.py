"""Commands that are killed, at random moments and whenever they touch a file, end as if nobody had disturbed them."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.crash_points import chosen, crash
from tests.killed_jobs import check_table, explain_job, render_job, train_job
from tests.killing import Job, contents, differences, kill_and_compare, killed_at, new, processes_of, timeless

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see processes and files")


def job_of(name: str, folder: Path) -> Job:
    return {
        "explain": lambda: explain_job(folder),
        "train": lambda: train_job(folder),
        "render": lambda: render_job(n_clips=2, stems=True),
    }[name]()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["explain", "train", "render"])
def test_a_command_that_is_killed_at_random_moments_ends_with_the_same_files(name, tmp_path):
    found = kill_and_compare(job_of(name, tmp_path), tmp_path, n_kills=2, seed=440)
    assert found.differing == ()
    assert found.kills == found.bit_equal == 2
    assert all(0 < moment < found.usual_seconds for moment in found.moments)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["explain", "train", "render"])
def test_a_command_that_is_killed_when_it_touches_a_file_ends_with_the_same_files(name, tmp_path):
    points = crash(job_of(name, tmp_path), tmp_path, every=99 if name == "render" else 1)
    assert len(points) > 5
    assert [point for point in points if point.differing] == []
    assert [point for point in points if point.complaint] == []


# ---- the harness itself: it must see what goes wrong -----------------------------------------------------------------

CARELESS = """
import sys, time
from pathlib import Path
out = Path("out.csv")
{before}
with out.open("a") as file:
    for k in range(20):
        print(f"{{k}},1", file=file, flush=True)
        time.sleep(0.02)
"""


@pytest.fixture
def careless(monkeypatch):
    """A function that makes a job of a script, in the place of emomod."""

    def make(before):
        def start(job, folder):
            return subprocess.Popen(
                [sys.executable, "-c", CARELESS.format(before=before)],
                cwd=folder,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )

        monkeypatch.setattr("tests.killing.emomod", start)
        return Job("careless", (), lambda folder: None)

    return make


def test_killing_against_theory_a_file_that_goes_on_growing_is_found(careless, tmp_path):
    found = kill_and_compare(careless("pass"), tmp_path, n_kills=4, seed=1)
    assert found.kills == 4
    assert found.bit_equal < 4
    assert any(name.endswith("out.csv") for name in found.differing)


def test_killing_against_theory_a_file_that_is_begun_anew_is_equal(careless, tmp_path):
    found = kill_and_compare(careless("out.unlink(missing_ok=True)"), tmp_path, n_kills=4, seed=1)
    assert (found.kills, found.bit_equal, found.differing) == (4, 4, ())


def test_killing_against_theory_a_file_that_is_left_over_is_found(careless, tmp_path):
    left = 'out.unlink(missing_ok=True); Path(f".{time.time()}.partial").touch()'
    found = kill_and_compare(careless(left), tmp_path, n_kills=2, seed=1)
    assert found.bit_equal == 0
    assert any(".partial" in name for name in found.differing)


def test_killing_against_theory_what_a_reader_refuses_is_told(careless, tmp_path):
    def check(folder):
        for path in folder.glob("out.csv"):
            if len(path.read_text().splitlines()) != 20:
                raise RuntimeError(f"{path} is not whole")

    job = replace(careless("out.unlink(missing_ok=True)"), check=check)
    with pytest.raises(RuntimeError, match=r"out\.csv is not whole"):
        kill_and_compare(job, tmp_path, n_kills=4, seed=1)


def test_a_kill_reaches_what_the_command_started(monkeypatch, tmp_path):
    script = "import subprocess; subprocess.run(['sleep', '100'])"
    group = []

    def start(job, folder):
        process = subprocess.Popen(
            [sys.executable, "-c", script], stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        group.append(process.pid)
        while len(processes_of(process.pid)) < 2:
            time.sleep(0.01)
        return process

    monkeypatch.setattr("tests.killing.emomod", start)
    assert killed_at(Job("sleep", (), lambda folder: None), tmp_path, moment=0.1)
    assert processes_of(group[0]) == []


def test_a_point_is_of_every_kind():
    events = ["open a/1", "open a/2", "open .x.abcdefgh.partial", "open .x.12345678.partial", "open x.csv.partial"]
    assert chosen(events, every=9) == [2, 4, 5]
    assert chosen(events, every=3) == [2, 3, 4, 5]


def test_what_is_compared_against_theory(tmp_path):
    one, other = new(tmp_path / "1"), new(tmp_path / "2")
    for seconds, folder in enumerate((one, other)):
        (folder / ".hidden").mkdir()
        (folder / ".hidden" / "run.json").write_text(json.dumps({"a": 1, "seconds": {"total": seconds}}))
        (folder / "x.safetensors.csv").write_text(f"round,clips_per_second\n1,{seconds}\n")
        (folder / "b.bin").write_bytes(b"same")
    assert differences(contents(one), contents(other)) == []
    (other / "b.bin").write_bytes(b"other")
    (other / "c.bin").write_bytes(b"more")
    (other / "x.safetensors.csv").write_text("round,clips_per_second\n2,0\n")
    assert differences(contents(one), contents(other)) == ["b.bin", "c.bin", "x.safetensors.csv"]
    (one / "run.json").write_text("{}")
    with pytest.raises(KeyError, match="seconds"):
        timeless(one / "run.json")


def test_readers_refuse_what_is_not_whole(tmp_path):
    for text in ("", "a,b\n", "a,b\n1\n", "a,b\n1,2,3\n"):
        (tmp_path / "t.csv").write_text(text)
        with pytest.raises(RuntimeError, match="not whole"):
            check_table(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    check_table(tmp_path / "t.csv")
