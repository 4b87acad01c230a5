"""Change the tonality of written music: parallel mode, key changes, scales without a key. Pitches are MIDI keys."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emomod.corpus.harmony import MODES
from emomod.corpus.tonality import KRUMHANSL_MAJOR, KRUMHANSL_MINOR, key_correlations

TO_MINOR = {4: 3, 9: 8, 11: 10}  # semitones above the tonic: mediant, submediant, leading note
TO_MAJOR = {3: 4, 8: 9, 10: 11}
KEYLESS = ("whole tone", "octatonic", "chromatic")
REMOTE = (1, 2, 3, 4, 6, 8, 9, 10, 11)  # semitones of a change of key; a fourth or a fifth is hardly one


@dataclass(frozen=True)
class Retuning:
    """What becomes of each pitch, by the beat at which it begins."""

    tonic: int  # pitch class of the key that was found
    swapped: bool  # minor for major, major for minor
    is_minor: bool  # of the key that was found
    shifts: tuple[int, ...]  # semitones for each stretch of ``beats_per_shift`` beats
    beats_per_shift: int
    scale: str  # "" or one of KEYLESS

    def apply(self, pitch: int, beat: float) -> int:
        """The key that is played instead of ``pitch`` at ``beat``."""
        degree = (pitch - self.tonic) % 12
        if self.swapped:
            pitch += (TO_MAJOR if self.is_minor else TO_MINOR).get(degree, degree) - degree
        if self.scale:
            steps = np.array(MODES[self.scale])
            degree = (pitch - self.tonic) % 12
            pitch += int(steps[np.abs(steps - degree).argmin()]) - degree
        return int(pitch + self.shifts[min(max(0, int(beat // self.beats_per_shift)), len(self.shifts) - 1)])


def find_key(classes: NDArray[np.floating]) -> tuple[int, bool]:
    """Tonic 0..11 and whether it is minor of weights of pitch classes [12] (Krumhansl & Kessler 1982)."""
    found = key_correlations(np.asarray(classes, dtype=np.float64), major=KRUMHANSL_MAJOR, minor=KRUMHANSL_MINOR)
    best = int(found.argmax())
    return best % 12, best >= 12


def draw_retuning(rng: np.random.Generator, classes: NDArray[np.floating], *, strain: bool, n_beats: int) -> Retuning:
    """Draw what becomes of music with the pitch classes [12]; only with ``strain`` does it leave its key."""
    tonic, is_minor = find_key(classes)
    swapped = bool(rng.random() < (0.5 if not is_minor else 0.3))
    modulates, keyless = (bool(strain and rng.random() < chance) for chance in (0.35, 0.15))
    beats_per_shift = int(rng.choice((1, 2, 4, 8), p=(0.15, 0.25, 0.35, 0.25)))
    n_stretches = n_beats // beats_per_shift + 1
    shifts = np.zeros(n_stretches, dtype=int)
    if modulates:
        changes = rng.choice(REMOTE, n_stretches) * (rng.random(n_stretches) < rng.choice((0.4, 1.0)))
        changes[0] = 0
        shifts = (np.cumsum(changes) + 6) % 12 - 6
    scale = str(rng.choice(KEYLESS[:2])) if keyless else ""
    return Retuning(tonic, swapped, is_minor, tuple(int(shift) for shift in shifts), beats_per_shift, scale)
