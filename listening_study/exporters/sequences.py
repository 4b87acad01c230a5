"""Versions one after another in one sound, for tools that play one sound a trial: A, a pause, B (and X)."""

import hashlib
import wave
from pathlib import Path

from listening_study.exporters.presented import sounds_of
from listening_study.package import Study
from listening_study.trials import Trial

PAUSE_SECONDS = 0.5


def sequence_name(study: Study, trial: Trial) -> str:
    """The opaque name of the sound that holds what is heard in ``trial``."""
    told = "\n".join([study.identity, *sounds_of(study, trial)])
    return "q" + hashlib.sha256(told.encode()).hexdigest()[:14]


def write_sequence(study: Study, trial: Trial, folder: Path) -> Path:
    """Write what is heard in ``trial`` as ``folder``/NAME.wav; the samples are those of the delivered files."""
    target = folder / f"{sequence_name(study, trial)}.wav"
    parts: list[bytes] = []
    for condition in trial.heard:
        with wave.open(str(study.path(study.stimulus(trial.item, condition))), "rb") as sound:
            settings = sound.getparams()
            parts.append(sound.readframes(sound.getnframes()))
    pause = bytes(round(PAUSE_SECONDS * settings.framerate) * settings.sampwidth * settings.nchannels)
    with wave.open(str(target), "wb") as sound:
        sound.setparams(settings)
        sound.writeframes(pause.join(parts))
    return target
