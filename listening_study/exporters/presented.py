"""What participants receive of a trial: opaque sounds in their order, a question and the ends of its scale; no key.

A sound has another name each time that a list has it, since equal names would give away which sounds are the same: X of
an ABX, an identical pair, and by its frequency the original.
"""

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
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
    return _names(study)[trial.trial_id]


@lru_cache(maxsize=8)
def _names(study: Study) -> dict[str, tuple[str, ...]]:
    """Names of the sounds of all trials: the n-th time that a list has a sound, it has the sound's n-th name."""
    found: dict[str, tuple[str, ...]] = {}
    for trials in study.lists:
        heard: Counter[str] = Counter()
        for trial in trials:
            names = []
            for condition in trial.heard:
                token = study.stimulus(trial.item, condition).token
                heard[token] += 1
                names.append(_name(study, token, heard[token]))
            found[trial.trial_id] = tuple(names)
    return found


def _name(study: Study, token: str, number: int) -> str:
    """A name of a sound; without the study it cannot be told which others are names of the same."""
    told = "\n".join([study.identity, token, str(number)])
    return "x" + hashlib.sha256(told.encode()).hexdigest()[:14]


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
    for trials in study.lists:
        for trial in trials:
            for name, condition in zip(sounds_of(study, trial), trial.heard, strict=True):
                target = folder / STIMULI / f"{name}.wav"
                if not target.exists():
                    shutil.copyfile(study.path(study.stimulus(trial.item, condition)), target)
