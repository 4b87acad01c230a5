"""How loud each program of a soundfont is at each key, measured once, so that scores count what is heard.

Levels are decibels of the RMS of a note of velocity 90, held 0.3 s. Programs differ by more than 20 dB, and some are
silent in part of the keyboard; a note more than 30 dB below its program's median level is dropped before labelling,
and louder programs are turned down towards the quieter ones.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emomod.corpus.fluidsynth import render_scores
from emomod.corpus.score import Note, Part, Score

KEYS = tuple(range(24, 109, 6))
SILENT_DB = -30.0  # below the program's median
QUIET_QUANTILE = 0.25  # programs above this quantile are turned down to it
SLOT, HELD = 0.5, 0.3  # s


@dataclass(frozen=True, eq=False)
class ProgramLevels:
    """Levels of a soundfont."""

    levels: NDArray[np.float64]  # [128, len(KEYS)], dB

    @property
    def medians(self) -> NDArray[np.float64]:
        """Median level of each program [128] over its audible keys, dB."""
        audible = np.where(self.levels > self.levels.max(axis=1, keepdims=True) - 40, self.levels, np.nan)
        return np.asarray(np.nanmedian(audible, axis=1))

    def audible(self, score: Score) -> Score:
        """``score`` without the notes that its soundfont cannot sound; parts that fall silent stay empty."""
        return replace(score, parts=tuple(self._audible_part(part) for part in score.parts))

    def _audible_part(self, part: Part) -> Part:
        if part.is_drums or not part.notes:
            return part
        level = np.interp([note.pitch for note in part.notes], KEYS, self.levels[part.program])
        kept = level > self.medians[part.program] + SILENT_DB
        return replace(part, notes=tuple(note for note, keep in zip(part.notes, kept, strict=True) if keep))

    def volume_of(self, part: Part) -> int:
        """MIDI volume 1..127 that gives ``part`` its level, its program's own loudness evened out."""
        aim = float(np.quantile(self.medians, QUIET_QUANTILE))
        excess = 0.0 if part.is_drums else max(0.0, float(self.medians[part.program]) - aim)
        decibels = 20 * np.log10(part.level) - min(excess, 24.0)
        return max(1, round(127 * float(10 ** (decibels / 40))))


def measure_levels(soundfont: str | Path | None = None) -> ProgramLevels:
    """Render every program at every sixth key with FluidSynth and measure it; about ten seconds."""
    seconds = SLOT * len(KEYS)
    notes = tuple(Note(SLOT * place, HELD, key, 90) for place, key in enumerate(KEYS))
    beats = tuple(float(beat) for beat in np.arange(0.0, seconds + 1))
    scores = [Score((Part("harmony", program, notes),), seconds, beats) for program in range(128)]
    clips = render_scores(scores, soundfont=soundfont, render_rate=22050)
    power = np.array([[float((piece**2).mean()) for piece in np.array_split(clip, len(KEYS))] for clip in clips])
    return ProgramLevels(10 * np.log10(power + 1e-12))
