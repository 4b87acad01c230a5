"""The main job on every window of a long file."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from emomod.audio import read_windows
from emomod.errors import InputError
from emomod.model.predictor import ScoringModel, load_predictor
from emomod.output import check_writable, write_csv
from emomod.pipeline import RunSettings, run
from emomod.result import RunResult
from emomod.stages import Stages

OURS = r"windows\.csv|\d{5}\.\ds"


def _check_folder(out: str | Path) -> Path:
    """Return ``out`` as an absolute path that is new, empty, or holds what ``run_windows`` wrote and nothing else."""
    folder = Path(out).resolve()
    check_writable(folder)
    if folder.is_dir() and not all(re.fullmatch(OURS, path.name) for path in folder.iterdir()):
        raise InputError(f"out: {folder} is not empty and not an earlier output for all windows; name a new folder")
    return folder


@contextmanager
def _nothing_left(folder: Path) -> Iterator[None]:
    """Remove the folder after an error if nothing is in it."""
    try:
        yield
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
        raise


def run_windows(
    path: str | Path,
    *,
    target: str,
    out: str | Path,
    settings: RunSettings | None = None,
    predictor: ScoringModel | None = None,
    stages: Stages | None = None,
) -> Iterator[RunResult]:
    """Run the job on every window that sounds, each into its folder ``out/NNNN.Ns``; yield results one by one.

    ``out/windows.csv`` grows by the scores of each window as it is done, so that nothing is lost when the job is ended.
    """
    settings, predictor = settings or RunSettings(), predictor or load_predictor()
    predictor.check_name(target)
    folder = _check_folder(out)
    starts = [start for start, _ in read_windows(path, seconds=predictor.window_seconds)]
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for start in starts:
        with _nothing_left(folder):
            result = run(
                path,
                target=target,
                out=folder / f"{start:07.1f}s",
                settings=replace(settings, start=start),
                predictor=predictor,
                stages=stages,
            )
        rows += [{"start": start, **row} for row in result.modification.rows()]
        write_csv(folder / "windows.csv", rows)
        yield result
