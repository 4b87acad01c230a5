"""Layers that are stems: sounds of their own that add up to the mix, but for a rest that always sounds.

Conventions: stems are mono at 22 050 Hz, as the mix, and at its level; the level of the rest is its energy in dB beside
that of the mix. Whoever has the stems of a recording has the separation that no network can better (Vincent et al.,
Oracle Estimators for the Benchmarking of Source Separation Algorithms, Signal Processing 87(8), 2007).

Haunschmid, Manilow, Widmer: audioLIME, Listenable Explanations using Source Separation, 2020 (arXiv:2008.00582).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray

from emomod.audio import SAMPLE_RATE, SILENCE, Clip, read_clip
from emomod.components.base import Layers, Sound
from emomod.errors import InputError
from emomod.spectrogram import stft

Waveform = NDArray[np.float32]
AUDIOLIME = "Haunschmid, Manilow, Widmer: audioLIME, 2020 (arXiv:2008.00582)"
MAX_REST_DB = -20.0  # dB; stems in files that leave more are not the stems of this sound
NOTHING_DB = -100.0  # dB, below which a rest is a matter of rounding
TOLERATED = 0.05  # s by which a stem may be shorter than the sound
ANY_LEVEL = -1.0  # as ``silence`` of read_clip: no sound is refused as silent


def level_of_rest(sound: Sound, stems: Mapping[str, Waveform]) -> float:
    """Return the energy of what ``stems`` [n_samples] leave of a sound, in dB of its own; -inf where they are it."""
    y = sound.y.astype(np.float64)
    rest = y - np.sum(list(stems.values()), axis=0, dtype=np.float64)
    with np.errstate(divide="ignore"):
        return float(10.0 * np.log10(np.square(rest).sum() / np.square(y).sum()))


def stem_layers(
    sound: Sound, stems: Mapping[str, Waveform], *, max_rest_db: float, notes: Sequence[str] = ()
) -> Layers:
    """Return named ``stems`` [n_samples] as layers of a sound; those that are silent are left out.

    What they leave of the sound is the rest, whose level is noted. InputError where that is above ``max_rest_db``, or
    where all are silent.
    """
    peak = np.float32(sound.spectrogram.peak)
    heard = {name: stem for name, stem in stems.items() if np.abs(stem).max() > SILENCE * peak}
    if not heard:
        raise InputError(f"stems must not all be silent in this stretch, got {', '.join(stems)}")
    level = level_of_rest(sound, stems)
    if level > max_rest_db:
        raise InputError(
            f"stems must add up to the sound but for a rest of at most {max_rest_db:g} dB, got {_decibels(level)}; "
            "they must be all that sounds in this recording, in step with it and at its level"
        )
    transforms = torch.stack([stft(stem / peak) for stem in heard.values()])
    rest = sound.spectrogram.transform - transforms.sum(dim=0)
    silent = [name for name in stems if name not in heard]
    said = [f"silent in this stretch and left out: {', '.join(silent)}"] if silent else []
    return Layers(tuple(heard), transforms, shared_phase=False, rest=rest, notes=(*notes, *said, _told_rest(level)))


def _told_rest(level: float) -> str:
    if level <= NOTHING_DB:
        return f"the stems add up to the sound (their rest is below {NOTHING_DB:g} dB)"
    return f"the stems leave a rest of {_decibels(level)}, which always sounds"


def _decibels(level: float) -> str:
    return f"{round(level, 1) + 0.0:.1f} dB"  # + 0.0: never "-0.0"


@dataclass(frozen=True)
class Stems:
    """Stems of the recording that you have as files, each with a name: stems:drums=drums.wav,bass=bass.wav"""

    files: Mapping[str, str]  # name -> path of a sound file as long as the sound's own; any rate

    reference: ClassVar[str] = AUDIOLIME

    def __post_init__(self) -> None:
        files = {str(name).strip(): str(path) for name, path in dict(self.files).items()}
        if not files or "" in files:
            raise InputError(f"stems must be files with a name each, as in drums=drums.wav, got {dict(self.files)}")
        places: dict[Path, str] = {}
        for name, path in files.items():
            other = places.setdefault(Path(path).resolve(), name)
            if other != name:
                raise InputError(f"stems must be a file each, got {path} as {other} and as {name}")
        object.__setattr__(self, "files", files)

    def layers(self, sound: Sound) -> Layers:
        """Return a layer for each stem that is heard, and the rest.

        InputError where a file cannot be read or ends too early, where all are silent, or where what they leave of the
        sound is above MAX_REST_DB.
        """
        clips = {name: _read(name, path, sound) for name, path in self.files.items()}
        stems = {name: _fitted(name, clip, sound) for name, clip in clips.items()}
        return stem_layers(sound, stems, max_rest_db=MAX_REST_DB, notes=_notes_on_files(clips))


def _read(name: str, path: str, sound: Sound) -> Clip:
    """The stretch of a stem's file that is the sound's own, silent or not."""
    try:
        return read_clip(path, start=sound.start, seconds=sound.y.size / SAMPLE_RATE, silence=ANY_LEVEL)
    except InputError as error:
        raise InputError(f"stem {name}: {error}") from None


def _fitted(name: str, clip: Clip, sound: Sound) -> Waveform:
    """The stem [n_samples], cut or padded by a little where its rate was converted."""
    if sound.y.size - clip.y.size > TOLERATED * SAMPLE_RATE:
        raise InputError(
            f"stem {name}: {clip.path} must reach as far as the sound, {sound.y.size / SAMPLE_RATE:.2f} s from "
            f"{sound.start:g} s on, and ends after {clip.seconds:.2f} s"
        )
    return fit_length(clip.y, sound.y.size)


def fit_length(y: Waveform, n_samples: int) -> Waveform:
    """Return ``y`` cut, or padded with silence, at its end to [n_samples]."""
    return np.pad(y[:n_samples], (0, max(0, n_samples - y.size)))


def _notes_on_files(clips: Mapping[str, Clip]) -> list[str]:
    """What a user should know of the files: rates that were converted, lengths that differ."""
    rates = {name: int(soundfile.info(clip.path).samplerate) for name, clip in clips.items()}
    converted = [f"{name} from {rate} Hz" for name, rate in rates.items() if rate != SAMPLE_RATE]
    notes = [f"converted to {SAMPLE_RATE} Hz: {', '.join(converted)}"] if converted else []
    lengths = {name: clip.file_seconds for name, clip in clips.items()}
    if max(lengths.values()) - min(lengths.values()) > TOLERATED:
        told = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in lengths.items())
        notes.append(f"the files differ in length: {told}")
    return notes
