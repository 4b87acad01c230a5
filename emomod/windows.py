"""The main job on every window of a long file."""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from emomod.audio import read_windows
from emomod.model.predictor import Predictor, load_predictor
from emomod.output import check_output
from emomod.pipeline import RunSettings, run
from emomod.result import RunResult
from emomod.stages import Stages

FIELDS = ("start", "name", "before", "shift_enhanced", "shift_weakened")


def run_windows(
    path: str | Path,
    *,
    target: str,
    out: str | Path,
    settings: RunSettings | None = None,
    predictor: Predictor | None = None,
    stages: Stages | None = None,
) -> Iterator[RunResult]:
    """Run the job on every window that sounds, each into its folder ``out/NNNN.Ns``; yield results one by one.

    ``out/windows.csv`` grows by the scores of each window as it is done, so that nothing is lost when the job is ended.
    """
    settings, predictor = settings or RunSettings(), predictor or load_predictor()
    folder = check_output(out)
    starts = [start for start, _ in read_windows(path, seconds=predictor.window_seconds)]
    folder.mkdir(exist_ok=True)
    with open(folder / "windows.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, FIELDS, extrasaction="ignore")
        table.writeheader()
        for start in starts:
            result = run(
                path,
                target=target,
                out=folder / f"{start:07.1f}s",
                settings=replace(settings, start=start),
                predictor=predictor,
                stages=stages,
            )
            table.writerows(row | {"start": start} for row in result.modification.rows())
            file.flush()
            yield result
