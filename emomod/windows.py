"""The main job on every window of a long file, and the whole file put together from them.

A job that was stopped goes on: windows that are whole, and of the same clip, target, model, settings and versions by
their run.json, are kept. What follows from them is read from their files, so that it is the same either way.
"""

import csv
import json
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from shutil import rmtree
from typing import Any

from emomod.alone import alone
from emomod.attribution.methods import as_method
from emomod.audio import file_sha256, read_windows
from emomod.components.kinds import is_told_by_text
from emomod.errors import InputError
from emomod.explained import method_record, model_record
from emomod.model.predictor import ScoringModel, load_predictor
from emomod.output import check_writable, to_json, whole_file
from emomod.pipeline import RunSettings, run
from emomod.provenance import package_versions
from emomod.reading.json_files import read_object
from emomod.stages import Stages
from emomod.whole_file import FILES, WRITTEN, join_windows, part_of

TABLE = "windows.csv"
WINDOW = r"\d{5,}\.\d+s"
UNFINISHED = r"\..*\.(partial|earlier|scores)|(windows|whole)\.(csv|json)\.partial"  # of a job that was killed
RECORD, SHIFTS = "run.json", "shifts.csv"
NEEDED = (RECORD, SHIFTS, "explanation.npz", "explanation.json", *(f"{name}.wav" for name in WRITTEN))  # of a window


@dataclass(frozen=True, eq=False)
class WindowRun:
    """A window whose run is written, by this job or by an earlier one that was stopped."""

    folder: Path
    record: dict[str, Any]  # the content of its run.json


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


def _clear(folder: Path, *, kept: Collection[str], coming: Collection[str]) -> None:
    """Remove what an earlier job left: what is of the whole file, unfinished, or of windows that are not ``kept``.

    Scores of windows that are ``coming`` stay, so that they go on. The table goes last: by it the rest is known to be
    ours.
    """
    for path in sorted(folder.iterdir(), key=lambda path: path.name == TABLE):
        old = re.fullmatch(WINDOW, path.name) and path.name not in kept
        left = re.fullmatch(UNFINISHED, path.name) and path.name not in {f".{name}.scores" for name in coming}
        if old or left or path.name in (TABLE, *FILES):
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
) -> Iterator[WindowRun]:
    """Run the job on every window that sounds, each into its folder ``out/NNNN.Ns``; yield them one by one.

    ``out/windows.csv`` grows by the scores of each window as it is done, so that nothing is lost when the job is ended;
    the same job goes on with the windows that are missing. After the last window, original.wav, enhanced.wav and
    weakened.wav of the whole file are written into ``out``, with what the model hears in them (whole.csv, whole.json);
    see emomod.whole_file. InputError where another job is at work on ``out``.
    """
    settings, predictor, stages = settings or RunSettings(), predictor or load_predictor(), stages or Stages()
    predictor.check_name(target)
    folder = _check_folder(out, clip=path)
    starts = [start for start, _ in read_windows(path, seconds=predictor.window_seconds)]
    folder.mkdir(parents=True, exist_ok=True)
    named = dict(zip(_names(starts), starts, strict=True))
    with alone(folder) as check_there, _nothing_left(folder):
        done: dict[str, WindowRun] = {}
        kept = _kept(folder, named, expected=_expected(path, target, settings, predictor))
        for name, start in named.items():
            check_there()
            job = replace(settings, start=start)
            done[name] = kept.get(name) or _run(path, target, folder / name, job, predictor, stages)
            if len(done) == 1:
                _clear(folder, kept={name, *kept}, coming=set(named) - {name, *kept})
            _write_table(folder, done.values())
            yield done[name]
        parts = [part_of(window.folder, window.record) for window in done.values()]
        join_windows(
            path, parts, target=target, out=folder, settings=settings.modify, predictor=predictor, stages=stages
        )


def _run(
    path: str | Path, target: str, folder: Path, settings: RunSettings, predictor: ScoringModel, stages: Stages
) -> WindowRun:
    found = run(path, target=target, out=folder, settings=settings, predictor=predictor, stages=stages.anew())
    return WindowRun(folder, found.record)


def _write_table(folder: Path, windows: Collection[WindowRun]) -> None:
    """Write the scores of all windows so far, as their own tables have them."""
    lines: list[list[str]] = []
    for window in windows:
        with open(window.folder / SHIFTS, newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file)
        start = f"{window.record['window']['start']:.6g}"
        lines += [["start", *header]] if not lines else []
        lines += [[start, *row] for row in rows]
    with whole_file(folder / TABLE) as partial, open(partial, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)


# ---- what a job that was stopped has done ----------------------------------------------------------------------------


def _expected(path: str | Path, target: str, settings: RunSettings, predictor: ScoringModel) -> dict[str, Any] | None:
    """What run.json of a window of this job says, but for its start; None where that does not say all."""
    if not is_told_by_text(settings.components):
        return None
    told = {
        "clip": str(path),
        "clip_sha256": file_sha256(path),
        "target": target,
        "model": model_record(predictor),
        "settings": {
            "components": settings.components,
            "method": method_record(as_method(settings.method)),
            "modify": asdict(settings.modify),
        },
        "versions": package_versions(),
    }
    return dict(json.loads(to_json(told)))


def _kept(folder: Path, named: dict[str, float], *, expected: dict[str, Any] | None) -> dict[str, WindowRun]:
    """The windows in ``folder`` that are whole and of the ``expected`` job, by name."""
    if expected is None:
        return {}
    found: dict[str, WindowRun] = {}
    for name, start in named.items():
        window = folder / name
        with suppress(OSError, ValueError):
            record = read_object(window / RECORD)
            wanted = expected | {"settings": {"start": start, **expected["settings"]}}
            same = all(record.get(key) == value for key, value in wanted.items())
            if same and all((window / needed).is_file() for needed in NEEDED):
                found[name] = WindowRun(window, record)
    return found
