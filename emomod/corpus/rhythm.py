"""Draw rhythms on a metrical grid, and drum patterns. Positions are beats from the start."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

KICK, SNARE, STICK, CLOSED_HAT, OPEN_HAT, RIDE, CRASH, TOM, SHAKER, TAMBOURINE = (
    36,
    38,
    37,
    42,
    46,
    51,
    49,
    45,
    70,
    54,
)


AGAINST_THE_BEAT = (2 / 3, 0.75, 4 / 3, 1.5)  # beats between onsets: 3 against 2, 4 against 3, 3 against 4, 2 against 3


@dataclass(frozen=True)
class RhythmStyle:
    """How the onsets of a part are drawn."""

    density: float  # 0..1, share of the grid that is filled
    syncopation: float  # 0..1, 0: strong positions first; 1: weak positions first
    regular: float  # beats between onsets of an even rhythm; 0: not even
    repetition: float  # chance that a bar repeats the first bar
    grid: int  # positions a beat: 4, or 3 for triplets


def draw_rhythm_style(rng: np.random.Generator, *, density: float, syncopation: float) -> RhythmStyle:
    """Draw a style around the clip's ``density`` and ``syncopation`` (both 0..1)."""
    regular = float(rng.choice((0.25, 0.5, 1.0, 2.0), p=_odds_of_pulse(density))) if rng.random() < 0.3 else 0.0
    if rng.random() < 0.08:
        regular = float(rng.choice(AGAINST_THE_BEAT))
    return RhythmStyle(
        density=float(np.clip(density * np.exp(rng.normal(0, 0.35)), 0.03, 0.95)),
        syncopation=float(np.clip(syncopation + rng.normal(0, 0.12), 0.0, 1.0)),
        regular=regular,
        repetition=float(rng.choice((0.0, 0.6, 0.95), p=(0.25, 0.4, 0.35))),
        grid=3 if rng.random() < 0.12 else 4,
    )


def _odds_of_pulse(density: float) -> NDArray[np.float64]:
    odds = np.exp(-(((np.array([1.0, 0.55, 0.28, 0.12]) - density) / 0.3) ** 2)) + 0.02
    return np.asarray(odds / odds.sum())


def metrical_strength(grid: int, beats_per_bar: int) -> NDArray[np.float64]:
    """Strength 0..1 of each position of a bar [grid * beats_per_bar]: bar, beat, half beat, rest."""
    strength = np.full(grid * beats_per_bar, 0.18)
    if grid % 2 == 0:
        strength[grid // 2 :: grid] = 0.45
    strength[::grid] = 0.75
    strength[0] = 1.0
    return strength


def draw_onsets(rng: np.random.Generator, style: RhythmStyle, *, n_beats: int, beats_per_bar: int) -> list[float]:
    """Draw onsets (beats, ascending) that cover ``n_beats``; never empty."""
    if style.regular:
        shift = style.regular / 2 if rng.random() < 0.6 * style.syncopation else 0.0
        return [float(beat) for beat in np.arange(shift, n_beats, style.regular)]
    strength = metrical_strength(style.grid, beats_per_bar)
    appeal = (1 - style.syncopation) * strength + style.syncopation * (1.1 - strength)
    chance = np.clip(style.density * appeal / appeal.mean(), 0.0, 1.0)
    first = rng.random(chance.size) < chance
    onsets: list[float] = []
    for bar in range(0, n_beats, beats_per_bar):
        filled = first if rng.random() < style.repetition else rng.random(chance.size) < chance
        onsets += [bar + float(position) / style.grid for position in np.flatnonzero(filled)]
    return [beat for beat in onsets if beat < n_beats] or [0.0]


def draw_drums(rng: np.random.Generator, *, density: float, syncopation: float, beats_per_bar: int) -> "DrumPattern":
    """Draw a bar of drums: kick and snare, a time-keeper, and sometimes colour."""
    strength = metrical_strength(4, beats_per_bar)
    hits: list[tuple[float, int, float]] = []
    loose = (1 - syncopation) * strength + syncopation * rng.random(strength.size)
    hits += [(slot / 4, KICK, 0.9) for slot in np.argsort(-loose)[: max(1, round(density * 5))]]
    if rng.random() < 0.75:
        hits += [
            (beat + syncopation * float(rng.choice((0, 0, 0.5))), SNARE, 0.85) for beat in range(1, beats_per_bar, 2)
        ]
    keeper = int(rng.choice((CLOSED_HAT, RIDE, SHAKER, TAMBOURINE, OPEN_HAT)))
    every = float(rng.choice((0.25, 0.5, 1.0), p=_odds_of_pulse(density)[:3] / _odds_of_pulse(density)[:3].sum()))
    if rng.random() < 0.8:
        hits += [(float(beat), keeper, 0.6 if beat % 1 else 0.75) for beat in np.arange(0, beats_per_bar, every)]
    if rng.random() < density:
        colour = int(rng.choice((TOM, STICK, CRASH)))
        hits += [(slot / 4, colour, 0.6) for slot in rng.choice(strength.size, size=int(rng.integers(1, 5)))]
    return DrumPattern(tuple(hits), variation=float(rng.choice((0.0, 0.1, 0.35))))


@dataclass(frozen=True)
class DrumPattern:
    """A bar of drums."""

    hits: tuple[tuple[float, int, float], ...]  # beat in the bar, key, loudness 0..1
    variation: float  # chance that a hit is left out
