"""Versions one after another in one sound, for tools that play one sound a trial: A, a pause, B (and X)."""

import hashlib
import wave
from pathlib import Path

from listening_study.exporters.sound_names import sounds_of
from listening_study.package import Study
from listening_study.trials import Trial

PAUSE_SECONDS = 0.5


def sequence_name(study: Study, trial: Trial, *, listener: str = "") -> str:
    """The opaque name of the sound that holds what is heard in ``trial``; ``listener`` as of ``sounds_of``."""
    told = "\n".join([study.identity, *sounds_of(study, trial, listener=listener)])
    return "q" + hashlib.sha256(told.encode()).hexdigest()[:14]


def write_sequence(study: Study, trial: Trial, target: Path) -> None:
    """Write what is heard in ``trial`` as the file ``target``; the samples are those of the delivered files."""
    parts: list[bytes] = []
    for condition in trial.heard:
        with wave.open(str(study.path(study.stimulus(trial.item, condition))), "rb") as sound:
            settings = sound.getparams()
            parts.append(sound.readframes(sound.getnframes()))
    pause = bytes(round(PAUSE_SECONDS * settings.framerate) * settings.sampwidth * settings.nchannels)
    with wave.open(str(target), "wb") as sound:
        sound.setparams(settings)
        sound.writeframes(pause.join(parts))
