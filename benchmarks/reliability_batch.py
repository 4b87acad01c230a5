"""``emomod batch`` for the page of reliability: two workers beside one, memory over many clips and over a long file.

RSS is the memory that processes hold, in MiB, from /proc, so Linux; of several processes their sum, in which libraries
that they share count once for each.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.long_file import CHANGES, QUICK, measure, rss_mib, write_long_file
from benchmarks.measuring import Row, note
from tests.killed_jobs import write_clips, write_recipe
from tests.killing import contents, differences, processes_of

N_CLIPS, CLIP_SECONDS = 40, 10.0  # of the speed
TINY_SECONDS, TINY_MASKS = 0.5, 34
MASKS = 512  # a quarter of the default; with fewer the loading of the model counts
ENDS = 0.1  # share of the samples at either end that memory is told of
TRIED = 3  # times that memory is sampled in a second, at most


@dataclass(frozen=True)
class Watched:
    """A batch that was watched."""

    seconds: float  # of the whole command
    told: dict[str, Any]  # what it printed
    samples: list[tuple[float, float, float]]  # s since its start, RSS (MiB) of the driver, and of its workers

    @property
    def peak_mib(self) -> float:
        """The most that driver and workers held together."""
        return max((driver + workers for _, driver, workers in self.samples), default=0.0)

    @property
    def clips_seconds(self) -> float:
        """From the first clip being given out to the last being done."""
        return float(self.told["seconds"]["clips"])


def batch(corpus: Path, recipe: Path, store: Path, *, workers: int) -> Watched:
    """Run ``emomod batch`` and watch its memory; RuntimeError where it fails."""
    words = ["batch", corpus, "--recipe", recipe, "--out", store, "--workers", workers, "--device", "cpu", "--json"]
    began, samples = time.perf_counter(), list[tuple[float, float, float]]()
    process = subprocess.Popen(
        [sys.executable, "-m", "emomod", *map(str, words)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    while True:
        try:
            told, _ = process.communicate(timeout=1 / TRIED)
            break
        except subprocess.TimeoutExpired:
            others = [pid for pid in processes_of(process.pid) if pid != process.pid]
            now = time.perf_counter() - began
            samples.append((now, rss_mib(process.pid), sum(map(rss_mib, others))))
    if process.returncode:
        raise RuntimeError(f"emomod batch ended with {process.returncode}: {told[-1000:]}")
    return Watched(time.perf_counter() - began, json.loads(told), samples)


def compare_workers(folder: Path, *, quick: bool) -> Row:
    """Seconds of the same clips by one worker and by two, and whether all that they wrote is equal to the bit."""
    n_clips, seconds = (4, 1.0) if quick else (N_CLIPS, CLIP_SECONDS)
    folder.mkdir(parents=True)
    corpus, recipe = write_clips(folder, n_clips=n_clips, seconds=seconds), write_recipe(folder, n_masks=MASKS)
    found = {workers: batch(corpus, recipe, folder / f"store_{workers}", workers=workers) for workers in (1, 2)}
    for workers, watched in found.items():
        note(f"{workers} workers: {watched.clips_seconds:.1f} s of {watched.seconds:.1f} s")
    stores = [contents(folder / f"store_{workers}", "clips/**/*") for workers in (1, 2)]
    row: Row = {"n_clips": n_clips, "clip_seconds": seconds, "n_masks": MASKS, "same_numbers": not differences(*stores)}
    for name in ("clips_seconds", "seconds"):
        row |= {f"{name}_{workers}": getattr(watched, name) for workers, watched in found.items()}
        row[f"speedup_of_{name}"] = row[f"{name}_1"] / row[f"{name}_2"]
    return row


def memory_of_many(folder: Path, *, n_clips: int, picture: Path) -> tuple[Row, list[Row]]:
    """Memory while a batch does ``n_clips`` tiny clips: its growth, and the samples; ``picture`` is a PNG of them."""
    folder.mkdir(parents=True)
    corpus = write_clips(folder, n_clips=n_clips, seconds=TINY_SECONDS)
    recipe = write_recipe(folder, n_masks=TINY_MASKS, components="time:seconds=0.1", keep=[])
    watched = batch(corpus, recipe, folder / "store", workers=2)
    samples = [{"seconds": at, "driver_mib": driver, "workers_mib": workers} for at, driver, workers in watched.samples]
    draw_memory(watched.samples, picture, n_clips=n_clips)
    row: Row = {"n_tiny": n_clips, "tiny_seconds": watched.seconds, "tiny_peak_mib": watched.peak_mib}
    for place, name in ((1, "driver"), (2, "workers")):
        first, last = ends_of([sample[place] for sample in watched.samples])
        row |= {f"{name}_first_mib": first, f"{name}_last_mib": last}
    return row, thinned(samples)


def ends_of(values: Sequence[float]) -> tuple[float, float]:
    """Medians of the second tenth, when all have started, and of the last tenth but the very end.

    >>> ends_of([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    (1.0, 8.0)
    """
    n = max(1, round(ENDS * len(values)))
    return float(np.median(values[n : 2 * n])), float(np.median(values[-2 * n : -n]))


def thinned(rows: Sequence[Row], *, most: int = 500) -> list[Row]:
    """At most ``most`` of the rows, evenly."""
    return list(rows[:: max(1, -(-len(rows) // most))])


def draw_memory(samples: Sequence[tuple[float, float, float]], path: Path, *, n_clips: int) -> None:
    """Draw RSS over time as a PNG."""
    figure = Figure(figsize=(7.0, 3.0), layout="constrained")
    axes = figure.add_subplot()
    minutes = [at / 60 for at, _, _ in samples]
    for place, name in ((1, "driver"), (2, "two workers, together")):
        axes.plot(minutes, [sample[place] for sample in samples], label=name)
    axes.set(xlabel="minutes", ylabel="RSS (MiB)", ylim=(0.0, None), title=f"emomod batch on {n_clips} clips")
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=120, metadata={"Software": None})


def long_file(folder: Path, *, minutes: float) -> Row:
    """The most memory of ``emomod run --all-windows`` and of ``emomod batch`` on a file of ``minutes``."""
    folder.mkdir(parents=True)
    path, corpus = folder / "long.wav", folder / "corpus.csv"
    write_long_file(path, minutes=minutes)
    corpus.write_text(f"path\n{path}\n", encoding="utf-8")
    recipe = write_recipe(folder, n_masks=64, windows="all", targets=["energy"])
    run = measure(["run", path, "--all-windows", "--out", folder / "out", *CHANGES, *QUICK])
    watched = batch(corpus, recipe, folder / "store", workers=1)
    return {"minutes": minutes, "run_peak_mib": run.peak_mib, "batch_peak_mib": watched.peak_mib}
