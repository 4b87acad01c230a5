"""The main job on every window of a long file, and the whole file put together from them."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from typing import Any

from emomod.audio import read_windows
from emomod.errors import InputError
from emomod.model.predictor import ScoringModel, load_predictor
from emomod.output import check_writable, whole_file, write_csv
from emomod.pipeline import RunSettings, run
from emomod.result import RunResult
from emomod.stages import Stages
from emomod.whole_file import FILES, Part, join_windows, part_of

TABLE = "windows.csv"
WINDOW = r"\d{5,}\.\d+s"
UNFINISHED = r"\..*\.(partial|earlier)|(windows|whole)\.(csv|json)\.partial"  # of a job that was killed


def _check_folder(out: str | Path, *, clip: str | Path) -> Path:
    """Return ``out`` as an absolute path that is new, empty, or holds what ``run_windows`` wrote and nothing else."""
    folder = Path(out).resolve()
    check_writable(folder)
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    whole = {TABLE, *FILES} if TABLE in names else set()
    if not all(name in whole or re.fullmatch(f"{WINDOW}|{UNFINISHED}", name) for name in names):
        raise InputError(f"out: {folder} is not empty and not an earlier output for all windows; name a new folder")
    if folder in Path(clip).resolve().parents:
        raise InputError(f"out: {folder} would be replaced, but {clip} lies in it; name another folder")
    return folder


def _clear(folder: Path, *, windows: Sequence[str]) -> None:
    """Remove what an earlier job left: what is of the whole file, of ``windows`` that are not to come, or unfinished.

    The table goes last: by it the rest is known to be ours.
    """
    for path in sorted(folder.iterdir(), key=lambda path: path.name == TABLE):
        old = re.fullmatch(WINDOW, path.name) and path.name not in windows
        if old or re.fullmatch(UNFINISHED, path.name) or path.name in (TABLE, *FILES):
            rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()


def _names(starts: Sequence[float]) -> list[str]:
    """Names of folders by start (s), with one decimal, or as many as it takes that no two are the same."""
    named = ([f"{start:0{6 + digits}.{digits}f}s" for start in starts] for digits in range(1, 9))
    return next(names for names in named if len(set(names)) == len(names))


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
    After the last window, original.wav, enhanced.wav and weakened.wav of the whole file are written into ``out``, with
    what the model hears in them (whole.csv, whole.json); see emomod.whole_file.
    """
    settings, predictor, stages = settings or RunSettings(), predictor or load_predictor(), stages or Stages()
    predictor.check_name(target)
    folder = _check_folder(out, clip=path)
    starts = [start for start, _ in read_windows(path, seconds=predictor.window_seconds)]
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    parts: list[Part] = []
    names = _names(starts)
    for start, name in zip(starts, names, strict=True):
        with _nothing_left(folder):
            result = run(
                path,
                target=target,
                out=folder / name,
                settings=replace(settings, start=start),
                predictor=predictor,
                stages=stages.anew(),
            )
        if not parts:
            _clear(folder, windows=names)
        rows += [{"start": start, **row} for row in result.modification.rows()]
        with whole_file(folder / TABLE) as partial:
            write_csv(partial, rows)
        parts.append(part_of(result))
        yield result
    join_windows(path, parts, target=target, out=folder, settings=settings.modify, predictor=predictor, stages=stages)
