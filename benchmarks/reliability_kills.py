"""Kills for the page of reliability: five commands at random moments, and broken files.

The commands, and what is compared, are those of tests/killed_jobs.py, tests/killing.py and tests/kill_serve.py; the
broken files are those of tests/fuzz.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import ROOT, Row, note
from tests.kill_serve import kill_and_compare as kill_server
from tests.killed_jobs import batch_job, explain_job, render_job, train_job
from tests.killing import Job, kill_and_compare

FOUND = ("fuzz_inputs", "tracebacks", "hangs", "over_memory")  # of reading broken files


@dataclass(frozen=True)
class Effort:
    """How much is done."""

    kills: int = 50
    fuzz_inputs: int = 10_000
    seed: int = 1
    quick: bool = False


def jobs_of(effort: Effort) -> dict[str, Callable[[Path], Job]]:
    """The commands by name, each as a function of the folder for its input."""
    at_length = not effort.quick
    return {
        "explain": lambda folder: explain_job(folder, at_length=at_length),
        "batch": lambda folder: batch_job(folder, n_clips=12 if at_length else 2),
        "train": lambda folder: train_job(folder, at_length=at_length),
        "render": lambda folder: render_job(n_clips=80 if at_length else 2, stems=True),
    }


def count_kills(effort: Effort, folder: Path) -> list[Row]:
    """A row for each command: kills, and those after which its output was that of an undisturbed run."""
    jobs = jobs_of(effort)
    shares = [effort.kills // (len(jobs) + 1)] * (len(jobs) + 1)
    shares[0] += effort.kills - sum(shares)
    rows = []
    for number, (name, make) in enumerate(jobs.items()):
        place = folder / name
        found = kill_and_compare(make(place / "input"), place, n_kills=shares[number], seed=effort.seed)
        rows.append(_row(name, found.kills, found.bit_equal, found.usual_seconds, " ".join(found.differing)))
    served = kill_server(folder / "serve", n_kills=shares[-1], seed=effort.seed)
    equal = served["kills"] if served["bit_equal"] else 0
    return [*rows, _row("study serve", served["kills"], equal)]


def _row(command: str, kills: int, bit_equal: int, usual: float | None = None, differing: str = "") -> Row:
    note(f"{command}: {kills} kills, {bit_equal} bit-equal {differing}")
    figures = {"kills": kills, "bit_equal": bit_equal, "usual_seconds": usual}
    return {"command": command, **figures, "differing": differing}


def fuzz(effort: Effort) -> Row:
    """What reading broken files came to: FOUND."""
    words = [sys.executable, "-m", "tests.fuzz", "--inputs", str(effort.fuzz_inputs), "--json"]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    if done.returncode > 1 or not done.stdout:
        raise RuntimeError(f"tests.fuzz ended with {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout)
    return {name: int(found[name]) for name in FOUND}
