"""Names under which exports have the sounds of trials, and importers expect them.

A sound has another name each time that a list has it, since equal names would give away which sounds are the same: X of
an ABX, an identical pair, and by its frequency the original.
"""

import hashlib
import shutil
from collections import Counter
from functools import lru_cache
from pathlib import Path

from listening_study.package import Study
from listening_study.trials import Trial


def sounds_of(study: Study, trial: Trial, *, listener: str = "") -> tuple[str, ...]:
    """Names of the sounds of a trial in the order presented.

    ``listener``: the code of one whose sounds have names that nobody else's have.
    """
    return _names(study, listener)[trial.trial_id]


@lru_cache(maxsize=8)
def _names(study: Study, listener: str) -> dict[str, tuple[str, ...]]:
    """Names of the sounds of all trials: the n-th time that a list has a sound, it has the sound's n-th name."""
    found: dict[str, tuple[str, ...]] = {}
    for trials in study.lists:
        heard: Counter[str] = Counter()
        for trial in trials:
            names = []
            for condition in trial.heard:
                token = study.stimulus(trial.item, condition).token
                heard[token] += 1
                names.append(_name(study, listener, token, heard[token]))
            found[trial.trial_id] = tuple(names)
    return found


def _name(study: Study, listener: str, token: str, number: int) -> str:
    """A name of a sound; without the study it cannot be told which others are names of the same."""
    told = "\n".join([study.identity, listener, token, str(number)])
    return "x" + hashlib.sha256(told.encode()).hexdigest()[:14]


def sound_columns(kind: str, n: int) -> tuple[str, ...]:
    """The columns in which tables have a trial's ``n`` sounds, in the order presented.

    >>> sound_columns("pair", 2), sound_columns("sliders", 3)
    (('sound_a', 'sound_b'), ('sound_1', 'sound_2', 'sound_3'))
    """
    return tuple(f"sound_{place}" for place in (range(1, n + 1) if kind == "sliders" else "abx"[:n]))


def copy_sounds(study: Study, folder: Path) -> None:
    """Copy the sounds of all trials of ``study`` into the new ``folder``."""
    folder.mkdir()
    for trials in study.lists:
        for trial in trials:
            copy_sounds_of(study, trial, folder)


def copy_sounds_of(study: Study, trial: Trial, folder: Path, *, listener: str = "") -> None:
    """Copy those sounds of a trial into ``folder`` that are not there; ``listener`` as of ``sounds_of``."""
    for name, condition in zip(sounds_of(study, trial, listener=listener), trial.heard, strict=True):
        target = folder / f"{name}.wav"
        if not target.exists():
            shutil.copyfile(study.path(study.stimulus(trial.item, condition)), target)
