"""What a worker does: look at clips, and do one window of a clip from its sound to its folder in the store.

Workers share nothing but the store. What they are told and what they give back is small and plain, so that it can
travel to other machines; the model is loaded once in each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from emomod.attribution.common import Through, directly
from emomod.audio import file_sha256, read_windows
from emomod.batch.clip_list import Listed
from emomod.batch.recipe import Recipe
from emomod.batch.store import (
    MANIFEST,
    StoreError,
    check_usable,
    folder_of,
    key_of,
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
from emomod.stages import Stages


@dataclass(frozen=True)
class Job:
    """What all windows of a batch have in common."""

    store: str  # path, the same on all machines
    recipe: Recipe
    device: str | None
    model_sha256: str


@dataclass(frozen=True)
class Window:
    """A window of a clip that is to be done."""

    path: str
    clip_sha256: str
    start: float  # s
    key: str


@dataclass(frozen=True)
class Outcome:
    """What became of a clip or of one of its windows."""

    path: str
    start: float | None
    key: str = ""
    error: str = ""  # empty: it is done
    final: bool = True  # False where another try may help
    fatal: bool = False  # the store is to blame, and the run has to end


@lru_cache(maxsize=1)
def model_of(origin: str, device: str | None, sha256: str) -> ScoringModel:
    """The model, loaded once in a process; StoreError where it is not the one that the batch was started with."""
    predictor = load_model(origin or None, device=device)
    if predictor.sha256 != sha256:
        raise StoreError(f"the model {origin or 'that ships'} is another one on this machine")
    return predictor


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
            seconds = model_of(job.recipe.model, job.device, job.model_sha256).window_seconds
            starts = [begin for begin, _ in read_windows(path, seconds=seconds)]
    except (EmomodError, OSError) as error:
        return [_failure(error, Path(job.store), path, start)]
    keys = [key_of(sha256, begin, job.recipe.sha256, job.model_sha256) for begin in starts]
    return [Window(path, sha256, begin, key) for begin, key in zip(starts, keys, strict=True)]


def do(window: Window, job: Job, *, through: Through = directly) -> Outcome:
    """Explain, modify and re-score a window for all targets; what is there already is left alone.

    Masks are scored by way of ``through``.
    """
    store = Path(job.store)
    folder = folder_of(store, window.path, window.key)
    try:
        if not (folder / MANIFEST).is_file():
            predictor = model_of(job.recipe.model, job.device, job.model_sha256)
            _write(window, job.recipe, predictor, through, store=store, folder=folder)
    except Exception as error:  # whatever a clip does to a library, the others go on
        return _failure(error, store, window.path, window.start, key=window.key)
    return Outcome(window.path, window.start, window.key)


def _failure(error: Exception, store: Path, path: str, start: float | None, *, key: str = "") -> Outcome:
    """What is told of an error; of the store's state, if that is to blame."""
    fatal = isinstance(error, StoreError)
    if not fatal:
        try:
            check_usable(store)
        except StoreError as worse:
            error, fatal = worse, True
    told = " ".join(str(error).split()) if isinstance(error, (EmomodError, OSError)) else repr(error)
    return Outcome(path, start, key, told or repr(error), final=isinstance(error, EmomodError), fatal=fatal)


def _write(
    window: Window, recipe: Recipe, predictor: ScoringModel, through: Through, *, store: Path, folder: Path
) -> None:
    settings, stages, scores = recipe.settings(window.start), Stages(), scores_file(folder)
    explained = explain_clip(window.path, predictor, stages, scores=scores, through=through, **settings.explaining)
    if explained.clip.sha256 != window.clip_sha256:
        raise InputError(f"{window.path}: was changed while the batch ran")
    rows: dict[str, list[dict[str, Any]]] = {"runs": [], "shifts": []}
    with new_folder(folder, inputs=[window.path]) as partial:
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
