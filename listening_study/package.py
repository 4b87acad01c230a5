"""A study on disk: what participants receive, and apart from it the key to what it is.

stimuli/TOKEN.wav     every version under an opaque name
private/study.yaml    the plan
private/key.csv       every token: item, condition, hash, levels, the model's scores, and its shifts from the original
private/lists.csv     every trial of every list
private/study.json    model, versions of the software, settings, hashes of the plan and of given versions
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from emomod.attribution.lime import LimeSettings
from emomod.attribution.methods import MethodSettings
from emomod.audio import file_sha256
from emomod.components.kinds import DEFAULT, Cutting, text_of
from emomod.errors import InputError
from emomod.explained import method_record, model_record
from emomod.labels import SCORE_NAMES
from emomod.model.predictor import ScoringModel
from emomod.output import check_output, new_folder, to_json, write_csv
from emomod.provenance import package_versions
from emomod.reading.cells import unescaped
from emomod.reading.json_files import read_object
from emomod.reading.text import name_beside, path_inside
from emomod.stages import Stages
from listening_study.conditions import ORIGINAL
from listening_study.csv_rows import Row, read_rows
from listening_study.plan import Item, StudyPlan, read_plan, write_plan
from listening_study.series import read_series
from listening_study.stimuli import Stimulus, make_stimuli
from listening_study.trials import Trial, draw_lists

STIMULI, PRIVATE = "stimuli", "private"
PLAN, KEY, LISTS, RECORD = "study.yaml", "key.csv", "lists.csv", "study.json"


@dataclass(frozen=True, eq=False)
class Study:
    """A study that can be run, exported and analysed."""

    folder: Path
    plan: StudyPlan
    lists: tuple[tuple[Trial, ...], ...]
    stimuli: dict[str, Stimulus]  # by token
    names: tuple[str, ...]  # of the stimuli's scores
    record: dict[str, Any]

    def stimulus(self, item: str, condition: str) -> Stimulus:
        """A version of an item."""
        return self._by_version[item, condition]

    @cached_property
    def identity(self) -> str:
        """A hash of all that was heard and asked: trials of all lists and sounds; answers belong to it."""
        heard = [list_rows(self), sorted((each.token, each.sha256) for each in self.stimuli.values())]
        return hashlib.sha256(to_json(heard).encode()).hexdigest()

    @cached_property
    def _by_version(self) -> dict[tuple[str, str], Stimulus]:
        return {(each.item, each.condition): each for each in self.stimuli.values()}

    def path(self, stimulus: Stimulus) -> Path:
        """The delivered file."""
        return self.folder / STIMULI / f"{stimulus.token}.wav"

    def predicted(self, item: str, condition: str, attribute: str, *, other: str = ORIGINAL) -> float:
        """The model's shift of ``attribute`` from ``other`` to ``condition``, on the delivered files."""
        column = self.names.index(attribute)
        after, before = (self.stimulus(item, name).scores[column] for name in (condition, other))
        return float(after - before)


def make_study(
    plan: StudyPlan,
    out: str | Path,
    *,
    predictor: ScoringModel,
    components: Cutting = DEFAULT,
    method: MethodSettings | None = None,
    stages: Stages | None = None,
) -> Study:
    """Draw the lists, write all stimuli and the key into the new folder ``out``, whole or not at all."""
    if Path(out, PRIVATE, RECORD).is_file():
        raise InputError(
            f"out: {out} is a study, and never replaced, since answers may belong to it; name a new folder"
        )
    check_output(out, inputs=[item.clip for item in plan.items])
    for target in plan.targets:
        predictor.check_name(target)
    lists = draw_lists(plan)
    with new_folder(out, inputs=[item.clip for item in plan.items]) as folder:
        (folder / STIMULI).mkdir()
        (folder / PRIVATE).mkdir()
        how: dict[str, Any] = {"components": components, "method": method or LimeSettings()}
        made = make_stimuli(plan, folder / STIMULI, predictor=predictor, stages=stages, **how)
        resolved = tuple(map(_resolved, plan.items))
        making = {"components": text_of(components), "method": method_record(how["method"])}
        record: dict[str, Any] = {
            **({"given": given_hashes(plan)} if plan.items[0].steered else making),
            "model": model_record(predictor),
            "versions": package_versions(),
        }
        study = Study(Path(out), replace(plan, items=resolved), lists, _by_token(made), predictor.names, record)
        record |= write_private(folder / PRIVATE, study)
    return study


def _resolved(item: Item) -> Item:
    explanation = str(Path(item.explanation).resolve()) if item.explanation else ""
    return replace(item, clip=str(Path(item.clip).resolve()), explanation=explanation)


def given_hashes(plan: StudyPlan) -> dict[str, dict[str, str]]:
    """SHA-256 of the files that the versions of each item were given by, by condition."""
    found = {}
    for item in plan.items:
        series = read_series(item.clip)
        names = (ORIGINAL, *(condition.name for condition in plan.conditions))
        found[item.name] = dict(zip(names, map(file_sha256, (series.original, *series.steps)), strict=True))
    return found


def _by_token(stimuli: Iterable[Stimulus]) -> dict[str, Stimulus]:
    return {each.token: each for each in stimuli}


def write_private(folder: Path, study: Study) -> dict[str, str]:
    """Write what only the experimenter has into ``folder``; return the hashes that belong to the study's record."""
    write_plan(folder / PLAN, study.plan)
    write_csv(folder / KEY, key_rows(study))
    write_csv(folder / LISTS, list_rows(study))
    hashes = {"plan_sha256": file_sha256(folder / PLAN), "key_sha256": file_sha256(folder / KEY)}
    (folder / RECORD).write_text(to_json({**study.record, **hashes}) + "\n", encoding="utf-8")
    return hashes


def key_rows(study: Study) -> list[dict[str, Any]]:
    """A row for each stimulus: what it is, how loud, what the model hears in it, and its shift from the original."""
    rows = []
    for each in study.stimuli.values():
        told = {name: getattr(each, name) for name in KEY_FIELDS}
        scores = {f"score_{name}": float(score) for name, score in zip(study.names, each.scores, strict=True)}
        shifts = {f"shift_{name}": study.predicted(each.item, each.condition, name) for name in study.names}
        rows.append({**told, **scores, **shifts})
    return rows


KEY_FIELDS = ("token", "item", "condition", "sha256", "n_changed", "static_gain_db", "lufs", "true_peak_db")
NUMBERS: dict[str, Callable[[str], Any]] = {
    "n_changed": lambda told: int(told) if told else None,
    "static_gain_db": float,
    "lufs": float,
    "true_peak_db": float,
}


def list_rows(study: Study) -> list[dict[str, Any]]:
    """A row for each trial of each list, with the tokens that are heard in it, in their order."""
    return [
        {
            **{name: value for name, value in asdict(trial).items() if name != "heard"},
            "position": trial.position,
            "heard": " ".join(study.stimulus(trial.item, name).token for name in trial.heard),
        }
        for trials in study.lists
        for trial in trials
    ]


# ---- reading ---------------------------------------------------------------------------------------------------------


def read_study(folder: str | Path) -> Study:
    """Read a study; InputError where a file is missing, changed or not of one."""
    source = Path(folder)
    if not (source / PRIVATE / RECORD).is_file():
        raise InputError(f"study: {source} holds no study; `emomod study stimuli` makes one")
    plan = read_plan(source / PRIVATE / PLAN)
    try:
        record = read_object(source / PRIVATE / RECORD)
        header, rows = read_rows(source / PRIVATE / KEY, columns=KEY_FIELDS)
        names = tuple(name for name in SCORE_NAMES if f"score_{name}" in header)
        stimuli = _by_token(_stimulus(row, names) for row in rows)
    except InputError as error:
        raise InputError(f"study: {error}") from None
    study = Study(source, plan, draw_lists(plan), stimuli, names, record)
    _check(study)
    return study


def _stimulus(row: Row, names: Sequence[str]) -> Stimulus:
    try:
        told: dict[str, Any] = {name: NUMBERS.get(name, unescaped)(row.cells[name]) for name in KEY_FIELDS}
        scores = np.array([float(row.cells[f"score_{name}"]) for name in names])
        numbers = [value for value in told.values() if isinstance(value, float)]
        if not (np.isfinite(numbers).all() and np.isfinite(scores).all()):
            raise InputError("its numbers must be finite")
        name_beside(told["token"], what="token")
    except ValueError as error:
        raise InputError(f"{row.place}: {error!s:.200}") from None
    return Stimulus(**told, scores=scores)


def _check(study: Study) -> None:
    """The plan, the key and all stimuli must be those that were made, and those that are heard must be there."""
    for name, told in ((PLAN, "plan_sha256"), (KEY, "key_sha256")):
        path = study.folder / PRIVATE / name
        if file_sha256(path) != study.record.get(told):
            raise InputError(f"study: {path} was changed after the stimuli were made; make the study again")
    heard = {(trial.item, condition) for trials in study.lists for trial in trials for condition in trial.heard}
    if missing := sorted(heard - {(each.item, each.condition) for each in study.stimuli.values()}):
        raise InputError(f"study: {study.folder / PRIVATE / KEY} lacks {missing[0][1]} of {missing[0][0]}")
    for each in study.stimuli.values():
        path = study.path(each)
        if not path.is_file():
            raise InputError(f"study: {path} is missing ({each.item}, {each.condition})")
        path_inside(path, folder=study.folder)
        if file_sha256(path) != each.sha256:
            raise InputError(f"study: {path} was changed after it was made ({each.item}, {each.condition})")
