"""Music as it is played: notes with times in seconds, in parts, with the beats that they were meant against.

Times are seconds from the start of the clip; pitches are MIDI keys 0..127 (60 is middle C); velocities are 1..127;
programs are General MIDI 0..127. Everything is frozen, so that a label always belongs to exactly one performance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emomod.errors import InputError

ROLES = ("melody", "harmony", "bass", "drums")


@dataclass(frozen=True)
class Note:
    """One note as it sounds."""

    onset: float  # s, >= 0
    duration: float  # s, > 0
    pitch: int  # MIDI key; for drums the key of the General MIDI percussion map
    velocity: int  # 1..127

    def __post_init__(self) -> None:
        if not (self.onset >= 0.0 and self.duration > 0.0):
            raise InputError(f"a note must start at >= 0 s and last > 0 s, got {self.onset} s and {self.duration} s")
        if not (0 <= self.pitch <= 127 and 1 <= self.velocity <= 127):
            raise InputError(f"a note must have pitch 0..127, velocity 1..127, got {self.pitch} and {self.velocity}")


@dataclass(frozen=True)
class Part:
    """The notes of one instrument."""

    role: str  # one of ROLES
    program: int  # General MIDI program 0..127; 0 for drums
    notes: tuple[Note, ...]
    level: float = 1.0  # factor of amplitude 0..1, as set on a mixing desk

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise InputError(f"a part's role must be one of {', '.join(ROLES)}, got {self.role!r}")
        if not (0 <= self.program <= 127 and 0.0 < self.level <= 1.0):
            raise InputError(f"a part must have program 0..127, level 0..1, got {self.program} and {self.level}")

    @property
    def is_drums(self) -> bool:
        """Whether the keys are drums and not pitches."""
        return self.role == "drums"


@dataclass(frozen=True)
class Score:
    """A short piece as it is played."""

    parts: tuple[Part, ...]
    seconds: float  # length of the clip; notes may ring beyond it
    beats: tuple[float, ...]  # s, the times of the beats from 0 on, tempo changes included, covering the clip
    beats_per_bar: int = 4

    def __post_init__(self) -> None:
        if self.seconds <= 0.0:
            raise InputError(f"a score must last > 0 s, got {self.seconds} s")
        if len(self.beats) < 2 or min(np.diff(self.beats)) <= 0.0:
            raise InputError("a score must have at least two beats, in ascending order")
        if not any(part.notes for part in self.parts):
            raise InputError("a score must have at least one note")

    @property
    def has_pitch(self) -> bool:
        """Whether any note that starts within the clip is not a drum's."""
        return any(note.onset < self.seconds for part in self.parts if not part.is_drums for note in part.notes)


@dataclass(frozen=True, eq=False)
class NoteTable:
    """The notes of a score as columns, ordered by onset."""

    onset: NDArray[np.float64]  # [n], s
    duration: NDArray[np.float64]  # [n], s
    pitch: NDArray[np.intp]  # [n]
    loudness: NDArray[np.float64]  # [n], amplitude: (velocity / 127) ** 2 * level of the part
    part: NDArray[np.intp]  # [n], index of the part
    program: NDArray[np.intp]  # [n]
    is_drum: NDArray[np.bool_]  # [n]

    def only(self, chosen: NDArray[np.bool_]) -> "NoteTable":
        """The rows where ``chosen`` [n] is true."""
        return NoteTable(
            self.onset[chosen],
            self.duration[chosen],
            self.pitch[chosen],
            self.loudness[chosen],
            self.part[chosen],
            self.program[chosen],
            self.is_drum[chosen],
        )


def note_table(score: Score) -> NoteTable:
    """The notes that start within the clip, as columns."""
    rows = sorted(
        (
            note.onset,
            note.duration,
            note.pitch,
            (note.velocity / 127) ** 2 * part.level,
            index,
            part.program,
            part.is_drums,
        )
        for index, part in enumerate(score.parts)
        for note in part.notes
        if note.onset < score.seconds
    )
    onset, duration, pitch, loudness, part, program, is_drum = (np.array(column) for column in zip(*rows, strict=True))
    return NoteTable(onset, duration, pitch, loudness, part, program, is_drum)
