"""The benchmark of reliability: what is published follows from what was measured, and parts keep their figures."""

import csv
import json

import pytest

from benchmarks import reliability, reliability_kills
from benchmarks.reliability_batch import batch, draw_memory, ends_of, thinned
from benchmarks.reliability_kills import Effort, count_kills
from tests.killed_jobs import write_clips, write_recipe
from tests.killing import Job, Killed

KILLS = [
    {"command": "explain", "kills": 3, "bit_equal": 3, "usual_seconds": 1.5, "differing": ""},
    {"command": "study serve", "kills": 2, "bit_equal": 1, "usual_seconds": None, "differing": ""},
]
READ = {"fuzz_inputs": 7, "tracebacks": 1, "hangs": 0, "over_memory": 2}
WORKERS = {
    "n_clips": 4,
    "clip_seconds": 1.0,
    "n_masks": 512,
    "same_numbers": True,
    "clips_seconds_1": 10.0,
    "clips_seconds_2": 5.0,
    "speedup_of_clips_seconds": 2.0,
    "seconds_1": 12.0,
    "seconds_2": 8.0,
    "speedup_of_seconds": 1.5,
}
MEMORY = (
    {
        "n_tiny": 6,
        "tiny_seconds": 3.0,
        "tiny_peak_mib": 100.0,
        **{f"{who}_{when}_mib": 50.0 for who in ("driver", "workers") for when in ("first", "last")},
    },
    [{"seconds": 0.5, "driver_mib": 1.0, "workers_mib": 2.0}],
)
LONG = {"minutes": 60.0, "run_peak_mib": 600.0, "batch_peak_mib": 900.0}


@pytest.fixture
def measured(monkeypatch):
    """Parts that have no need to measure."""
    monkeypatch.setattr(reliability, "count_kills", lambda effort, folder: KILLS)
    monkeypatch.setattr(reliability, "fuzz", lambda effort: READ)
    monkeypatch.setattr(reliability, "compare_workers", lambda folder, quick: WORKERS)
    monkeypatch.setattr(reliability, "memory_of_many", lambda folder, n_clips, picture: MEMORY)
    monkeypatch.setattr(reliability, "long_file", lambda folder, minutes: LONG)


def test_reliability_publishes_what_was_measured(measured, tmp_path, capsys):
    reliability.main(["--json", "--out", str(tmp_path)])
    wanted = {"kills": 5, "bit_equal": 4, "fuzz_inputs": 7, "tracebacks": 1, "hangs": 0, "two_worker_speedup": 2.0}
    assert json.loads(capsys.readouterr().out) == wanted
    page = (tmp_path / "reliability.md").read_text()
    for told in ("| explain | 3 | 3 | 1.5 |", "| study serve | 2 | 1 | – |", "Tracebacks: 1", "are equal to the bit"):
        assert told in page
    assert "held at most 600 MiB" in page
    with (tmp_path / "reliability_kills.csv").open(newline="") as file:
        assert [row["command"] for row in csv.DictReader(file)] == ["explain", "study serve"]


def test_parts_that_are_not_run_keep_their_figures(measured, tmp_path, monkeypatch, capsys):
    reliability.main(["--parts", "kills", "--json", "--out", str(tmp_path)])
    assert json.loads(capsys.readouterr().out)["two_worker_speedup"] is None
    monkeypatch.setattr(reliability, "compare_workers", lambda folder, quick: WORKERS | {"same_numbers": False})
    reliability.main(["--parts", "workers", "--json", "--out", str(tmp_path)])
    told = json.loads(capsys.readouterr().out)
    assert (told["kills"], told["fuzz_inputs"], told["two_worker_speedup"]) == (5, None, 2.0)
    assert "of all clips DIFFER" in (tmp_path / "reliability.md").read_text()


def test_kills_are_shared_out_among_the_commands(monkeypatch, tmp_path):
    asked = []

    def killed(job, folder, *, n_kills, seed):
        asked.append((job, n_kills))
        return Killed(job.name, n_kills, n_kills - (job.name == "batch"), 2.0, (), ())

    jobs = {name: lambda folder, name=name: Job(name, (), lambda _: None) for name in ("explain", "batch")}
    monkeypatch.setattr(reliability_kills, "jobs_of", lambda effort: jobs)
    monkeypatch.setattr(reliability_kills, "kill_and_compare", killed)
    served = {"kills": 3, "bit_equal": False}
    monkeypatch.setattr(reliability_kills, "kill_server", lambda folder, n_kills, seed: served | {"kills": n_kills})
    rows = count_kills(Effort(kills=10), tmp_path)
    found = [(row["command"], row["kills"], row["bit_equal"]) for row in rows]
    assert found == [("explain", 4, 4), ("batch", 3, 2), ("study serve", 3, 0)]


def test_memory_over_time_against_theory(tmp_path):
    assert ends_of(list(range(100))) == (14.5, 84.5)
    assert len(thinned([{"a": k} for k in range(1700)], most=500)) == 425
    draw_memory([(0.0, 1.0, 2.0), (60.0, 2.0, 3.0)], tmp_path / "x.png", n_clips=2)
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_batch_is_watched(tmp_path):
    pytest.importorskip("distributed")
    corpus, recipe = write_clips(tmp_path, n_clips=1, seconds=0.5), write_recipe(tmp_path, n_masks=130)
    found = batch(corpus, recipe, tmp_path / "store", workers=1)
    assert found.told["done"] == 1
    assert 0 < found.clips_seconds < found.seconds
    assert found.peak_mib > 100
    assert max(workers for _, _, workers in found.samples) > 50
