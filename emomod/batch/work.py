"""What a worker does: look at clips, and do one window of a clip from its sound to its folder in the store.

Workers share nothing but the store. What they are told and what they give back is small and plain, so that it can
travel to other machines; the model is loaded once in each.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from emomod.alone import InUse, alone
from emomod.attribution.common import Array, Masks, Through, directly
from emomod.audio import file_sha256, read_windows
from emomod.batch.clip_list import Listed
from emomod.batch.recipe import Recipe
from emomod.batch.store import (
    MANIFEST,
    StoreError,
    blaming,
    check_there,
    folder_of,
    key_of,
    lock_of,
    plain_name,
    write_manifest,
)
from emomod.batch.tables import run_row
from emomod.errors import EmomodError, InputError
from emomod.explained import explain_clip
from emomod.model.load import load_model
from emomod.model.predictor import ScoringModel
from emomod.output import VERSIONS, finite, new_folder, scores_file
from emomod.pipeline import write_run
from emomod.provenance import package_versions
from emomod.stages import Stages

PATIENCE = 600.0  # s that another process may still be at a window


@dataclass(frozen=True)
class Job:
    """What all windows of a batch have in common."""

    store: str  # path, the same on all machines
    recipe: Recipe
    device: str | None
    model_sha256: str
    model: str = ""  # where all machines find it; empty: as the recipe names it
    emomod: str = field(default_factory=lambda: package_versions()["emomod"])  # the version


@dataclass(frozen=True, slots=True)
class Window:
    """A window of a clip that is to be done."""

    path: str
    clip_sha256: str
    start: float  # s
    key: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a clip or of one of its windows."""

    path: str
    start: float | None
    key: str = ""
    error: str = ""  # empty: it is done
    final: bool = True  # False where another try may help
    fatal: bool = False  # the store is to blame, and the run has to end


def model_of(job: Job) -> ScoringModel:
    """The model, loaded once in a process.

    StoreError where it, or emomod itself, is not the one that the batch was started with.
    """
    if (here := package_versions()["emomod"]) != job.emomod:
        raise StoreError(f"a worker has emomod {here}, and the batch was started with {job.emomod}")
    origin = job.model or job.recipe.model
    predictor = _loaded(origin, job.device)
    if predictor.sha256 != job.model_sha256:
        raise StoreError(f"the model {origin or 'that ships'} is another one on this machine")
    return predictor


@lru_cache(maxsize=1)
def _loaded(origin: str, device: str | None) -> ScoringModel:
    return load_model(origin or None, device=device)


def look(clips: Sequence[Listed], job: Job) -> list[Window | Outcome]:
    """The windows of clips, or why a clip has none."""
    return [each for clip in clips for each in _windows(clip.path, clip.start, job)]


def _windows(path: str, start: float | None, job: Job) -> list[Window | Outcome]:
    try:
        if not Path(path).is_file():
            raise InputError(f"{path}: there is no such file")
        sha256 = file_sha256(path)
        starts = [start or 0.0]
        if job.recipe.windows == "all" and start is None:
            starts = [begin for begin, _ in read_windows(path, seconds=model_of(job).window_seconds)]
    except Exception as error:  # whatever a clip does to a library, the others go on
        return [_failure(error, path, start)]
    keys = [key_of(sha256, begin, job.recipe.sha256, job.model_sha256) for begin in starts]
    return [Window(path, sha256, begin, key) for begin, key in zip(starts, keys, strict=True)]


def do(window: Window, job: Job, *, through: Through = directly) -> Outcome:
    """Explain, modify and re-score a window for all targets; what is there already is left alone.

    Masks are scored by way of ``through``.
    """
    store = Path(job.store)
    folder = folder_of(store, window.path, window.key)
    try:
        with blaming(store):
            check_there(store)
            _once(folder, lambda: _write(window, job.recipe, model_of(job), through, store=store, folder=folder))
    except Exception as error:
        return _failure(error, window.path, window.start, key=window.key)
    return Outcome(window.path, window.start, window.key)


def _once(folder: Path, write: Callable[[], None]) -> None:
    """Have a window's ``folder`` written, unless it is there.

    A worker of a run that was stopped may still be at it, which is waited for.
    """
    deadline = time.monotonic() + PATIENCE
    while not (folder / MANIFEST).is_file():
        try:
            with alone(lock_of(folder)):
                if not (folder / MANIFEST).is_file():
                    write()
        except InUse:
            if time.monotonic() > deadline:
                raise
            time.sleep(1.0)


def _failure(error: Exception, path: str, start: float | None, *, key: str = "") -> Outcome:
    """What is told of an error."""
    ours = isinstance(error, EmomodError)
    told = " ".join(str(error).split()) if ours or isinstance(error, OSError) else repr(error)
    return Outcome(
        path,
        start,
        key,
        told or repr(error),
        final=ours and not isinstance(error, InUse),
        fatal=isinstance(error, StoreError),
    )


def _write(
    window: Window, recipe: Recipe, predictor: ScoringModel, through: Through, *, store: Path, folder: Path
) -> None:
    def scored(masks: Masks, score: Callable[[Masks], Array]) -> Array:
        found = through(masks, score)
        check_there(store)  # before they are written
        return found

    settings, stages, scores = recipe.settings(window.start), Stages(), scores_file(folder)
    explained = explain_clip(window.path, predictor, stages, scores=scores, through=scored, **settings.explaining)
    if explained.clip.sha256 != window.clip_sha256:
        raise InputError(f"{window.path}: was changed while the batch ran")
    rows: dict[str, list[dict[str, Any]]] = {"runs": [], "shifts": []}
    check_there(store)
    with new_folder(folder, inputs=[window.path]) as partial, blaming(store):  # while it still takes its room
        for target in recipe.targets:
            place = partial / plain_name(target)
            place.mkdir()
            result = write_run(
                explained,
                target=target,
                settings=settings,
                folder=place,
                out=folder / place.name,
                stages=stages.anew(),
                report="report" in recipe.keep,
            )
            _remove(place, recipe)
            told = {"key": window.key, "target": target}
            inside = str((folder / place.name).relative_to(store))
            rows["runs"].append(run_row(result.record, key=window.key, folder=inside))
            rows["shifts"] += [told | row for row in result.modification.rows()]
        clip = {"path": window.path, "sha256": window.clip_sha256, "start": window.start}
        write_manifest(partial, finite({"key": window.key, "clip": clip, **rows}))


def _remove(place: Path, recipe: Recipe) -> None:
    """Remove what the recipe does not keep."""
    sounds = [place / f"{version}.wav" for version in VERSIONS] if "sounds" not in recipe.keep else []
    arrays = [place / "explanation.npz", place / "explanation.json"] if "explanation" not in recipe.keep else []
    for path in (*sounds, *arrays):
        path.unlink()
