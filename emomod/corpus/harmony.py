"""Draw the chords of a clip: key, mode, progression, modulation, and the ways out of tonality.

A chord names pitch classes 0..11 and the scale around it; times are beats from the start.
"""

from dataclasses import dataclass

import numpy as np

MODES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "whole tone": (0, 2, 4, 6, 8, 10),
    "octatonic": (0, 1, 3, 4, 6, 7, 9, 10),
    "chromatic": tuple(range(12)),
}
TONAL_MODES = ("major", "minor", "harmonic minor", "dorian", "mixolydian", "phrygian", "lydian")
TONAL_ODDS = (0.40, 0.30, 0.13, 0.05, 0.06, 0.03, 0.03)
PROGRESSIONS = (
    (0,), (0, 4), (0, 3), (0, 3, 4, 0), (0, 5, 3, 4), (0, 4, 5, 3), (5, 3, 0, 4), (0, 3, 0, 4), (1, 4, 0, 0),
    (0, 6, 5, 4), (0, 5, 1, 4), (0, 2, 3, 4), (0, 6, 3, 0), (0, 3, 6, 2, 5, 1, 4, 0), (0, 0, 3, 4),
)  # fmt: skip


@dataclass(frozen=True)
class HarmonyStyle:
    """How the chords of a clip are drawn."""

    mode: str  # a key of MODES
    tonic: int  # pitch class
    beats_per_chord: int
    n_tones: int  # tones of a chord: 1 (bare root) .. 5 (ninth chord)
    modulation: float  # chance that the key changes at a chord
    wandering: float  # chance that a chord is any degree instead of the progression's


@dataclass(frozen=True)
class Chord:
    """What sounds together from one beat to another."""

    start: float  # beats
    stop: float  # beats
    tones: tuple[int, ...]  # pitch classes, root first
    scale: tuple[int, ...]  # pitch classes in ascending order from the tonic


def draw_harmony_style(rng: np.random.Generator, *, strain: float, beats_per_bar: int) -> HarmonyStyle:
    """Draw a style; ``strain`` 0..1 is how far the clip may leave plain tonality."""
    outside = rng.random() < 0.45 * strain
    mode = rng.choice(("whole tone", "octatonic", "chromatic")) if outside else rng.choice(TONAL_MODES, p=TONAL_ODDS)
    length = beats_per_bar * rng.choice((0.5, 1.0, 2.0, 8.0), p=(0.17, 0.5, 0.25, 0.08))
    n_tones = int(rng.choice((1, 2, 3, 4, 5), p=(0.05, 0.08, 0.62, 0.19, 0.06)))
    modulation = rng.choice((0.0, 0.12, 0.5), p=(1 - 0.45 * strain - 0.1, 0.1, 0.45 * strain))
    wandering = rng.choice((0.0, 0.3, 1.0), p=(0.6, 0.25, 0.15))
    return HarmonyStyle(
        str(mode), int(rng.integers(12)), max(1, int(length)), n_tones, float(modulation), float(wandering)
    )


def draw_chords(rng: np.random.Generator, style: HarmonyStyle, *, n_beats: int) -> tuple[Chord, ...]:
    """Draw chords that cover ``n_beats``."""
    progression = PROGRESSIONS[rng.integers(len(PROGRESSIONS))]
    tonic, chords = style.tonic, []
    for index, start in enumerate(range(0, n_beats, style.beats_per_chord)):
        if index and rng.random() < style.modulation:
            tonic = (tonic + int(rng.integers(1, 12))) % 12
        scale = tuple((tonic + step) % 12 for step in MODES[style.mode])
        degree = progression[index % len(progression)]
        if rng.random() < style.wandering:
            degree = int(rng.integers(len(scale)))
        stop = min(start + style.beats_per_chord, n_beats)
        chords.append(Chord(start, stop, _chord_tones(rng, scale, degree=degree, style=style), scale))
    return tuple(chords)


def _chord_tones(
    rng: np.random.Generator, scale: tuple[int, ...], *, degree: int, style: HarmonyStyle
) -> tuple[int, ...]:
    """Thirds stacked on a degree of the scale; outside of tonality any tones of the scale."""
    if style.mode == "chromatic":
        return tuple(int(tone) for tone in rng.choice(12, size=style.n_tones, replace=False))
    steps = (0, 4) if style.n_tones == 2 else tuple(range(0, 2 * style.n_tones, 2))
    tones = [scale[(degree + step) % len(scale)] for step in steps]
    if style.mode == "minor" and degree == 4 and style.n_tones >= 3:
        tones[1] = (tones[0] + 4) % 12  # the dominant of a minor key is major, as usual
    return tuple(tones)


def chord_at(chords: tuple[Chord, ...], beat: float) -> Chord:
    """The chord that sounds at ``beat``."""
    for chord in reversed(chords):
        if chord.start <= beat + 1e-9:
            return chord
    return chords[0]


def nearest_key(pitch_class: int, *, to: float) -> int:
    """The MIDI key of ``pitch_class`` that is nearest to the key ``to``.

    >>> nearest_key(0, to=62)
    60
    """
    return int(pitch_class + 12 * round((to - pitch_class) / 12))
