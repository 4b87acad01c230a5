"""What participants receive of a trial: opaque sounds in their order, a question and the ends of its scale; no key.

A sound that comes twice in a trial (X of an ABX, an identical pair) has a second name the second time, since equal
names in a page's source would give the answer away.
"""

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from listening_study.package import STIMULI, Study
from listening_study.questions import LOUDNESS, Question, question_about
from listening_study.trials import Trial


@dataclass(frozen=True)
class Screen:
    """A trial as participants get it."""

    trial_id: str
    kind: str  # trial type
    practice: bool
    explained: str  # about the attribute, before the first trial that asks about it; else ""
    question: str
    low: str  # ends of a scale
    high: str
    sounds: tuple[str, ...]  # names without suffix, in the order presented


def sounds_of(study: Study, trial: Trial) -> tuple[str, ...]:
    """Names of the sounds of a trial in the order presented."""
    tokens = [study.stimulus(trial.item, condition).token for condition in trial.heard]
    return tuple(second_name(study, token) if token in tokens[:place] else token for place, token in enumerate(tokens))


def second_name(study: Study, token: str) -> str:
    """The other name of a sound; without the study's record it cannot be told from the first."""
    told = f"{study.record['plan_sha256']}\n{token}"
    return "s" + hashlib.sha256(told.encode()).hexdigest()[:14]


def screens_of(study: Study, trials: Sequence[Trial]) -> Iterator[Screen]:
    """The trials of a list as participants get them."""
    before = ""
    for trial in trials:
        about = question_about(trial.attribute, language=study.plan.language)
        new = trial.attribute not in (before, LOUDNESS)
        before = trial.attribute if new else before
        yield _screen(study, trial, about, about.explained if new else "")


def _screen(study: Study, trial: Trial, about: Question, explained: str) -> Screen:
    alone = trial.trial_type in ("sliders", "scale")
    return Screen(
        trial_id=trial.trial_id,
        kind=trial.trial_type,
        practice=trial.phase == "practice",
        explained=explained,
        question=about.scale if alone else about.pair,
        low=about.low,
        high=about.high,
        sounds=sounds_of(study, trial),
    )


def copy_sounds(study: Study, folder: Path) -> None:
    """Copy every sound that a trial of ``study`` has into the new folder ``folder``/stimuli."""
    (folder / STIMULI).mkdir()
    first = {token: token for token in study.stimuli}
    second = {second_name(study, token): token for token in study.stimuli}
    used = {name for trials in study.lists for trial in trials for name in sounds_of(study, trial)}
    for name in sorted(used):
        source = study.path(study.stimuli[{**second, **first}[name]])
        shutil.copyfile(source, folder / STIMULI / f"{name}.wav")
