"""A small synthesiser in NumPy: harmonics with an envelope, and noise for drums. It needs no other program.

Its sounds are plainer than a soundfont's. It serves for tests and as a second, unrelated set of timbres on which a
model that was trained on a soundfont can be checked.
"""

import numpy as np
from numpy.typing import NDArray

from emomod.audio import SAMPLE_RATE
from emomod.corpus.instruments import SUSTAINED, instrument
from emomod.corpus.score import Note, Part, Score

RELEASE = 0.04  # s
N_HARMONICS = 10
LOW_DRUMS = (35, 36, 41, 43, 45, 47, 48, 50)  # kicks and toms; all others are noise


def synthesise(score: Score) -> NDArray[np.float32]:
    """Return the mono waveform [n_samples] of ``score`` at 22 050 Hz; the same score gives the same samples."""
    y = np.zeros(round(score.seconds * SAMPLE_RATE), dtype=np.float64)
    for part in score.parts:
        for note in part.notes:
            _add(y, note.onset, _drum(note) if part.is_drums else _tone(note, part), level=part.level)
    return (y * 0.1).astype(np.float32)


def _add(y: NDArray[np.float64], onset: float, sound: NDArray[np.float64], *, level: float) -> None:
    first = round(onset * SAMPLE_RATE)
    piece = sound[: max(0, y.size - first)]
    y[first : first + piece.size] += level * piece


def _spectrum(program: int) -> NDArray[np.float64]:
    """Amplitudes [N_HARMONICS] of a program's harmonics: a slope, for some weaker even ones, a fingerprint."""
    rng = np.random.default_rng(program)
    number = np.arange(1, N_HARMONICS + 1)
    amplitude = number ** -rng.uniform(0.7, 2.5) * np.exp(rng.normal(0, 0.5, N_HARMONICS))
    amplitude[1::2] *= rng.choice((1.0, 0.2), p=(0.7, 0.3))
    return np.asarray(amplitude / np.sqrt((amplitude**2).sum()))


def _tone(note: Note, part: Part) -> NDArray[np.float64]:
    """A note of a pitched instrument: attack, decay of its family while held, release."""
    decay = instrument(part.program).decay
    held = min(note.duration, 6 * decay)
    time = np.arange(round((held + RELEASE) * SAMPLE_RATE)) / SAMPLE_RATE
    frequency = 440.0 * 2 ** ((note.pitch - 69) / 12)
    amplitude = _spectrum(part.program)
    audible = np.flatnonzero(frequency * np.arange(1, N_HARMONICS + 1) < 0.95 * SAMPLE_RATE / 2)
    phase = (2 * np.pi * frequency * time).astype(np.float32)
    tone = np.zeros(time.size)
    for index in audible:
        tone += amplitude[index] * np.sin((index + 1) * phase)
    attack = 0.03 if decay == SUSTAINED else 0.004
    envelope = np.minimum(time / attack, 1.0) * np.exp(-time / decay) * np.clip((held + RELEASE - time) / RELEASE, 0, 1)
    return np.asarray(tone * envelope * (note.velocity / 127) ** 2)


def _drum(note: Note) -> NDArray[np.float64]:
    """A falling sine for kicks and toms, decaying noise for everything else."""
    rng = np.random.default_rng(note.pitch)
    if note.pitch in LOW_DRUMS:
        time = np.arange(round(0.25 * SAMPLE_RATE)) / SAMPLE_RATE
        sound = np.sin(2 * np.pi * (55 * time + 6 * (1 - np.exp(-time / 0.03)))) * np.exp(-time / 0.08)
    else:
        decay = float(rng.uniform(0.02, 0.15))
        time = np.arange(round(5 * decay * SAMPLE_RATE)) / SAMPLE_RATE
        sound = rng.normal(0, 0.5, time.size) * np.exp(-time / decay)
        sound = np.diff(sound, prepend=0.0) if note.pitch >= 42 else sound
    return np.asarray(sound * (note.velocity / 127) ** 2)
