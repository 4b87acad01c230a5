"""The seven mid-level labels of a clip, computed from its score as played.

Each raw value is a published measure or a sum of such, on its own scale; ``scaled_labels`` brings it to 0..1 by its
rank among clips of the composer, so that the spread resembles ratings x 0.1. The features are those of Aljanaki &
Soleymani (ISMIR 2018); the labels are what a score says about them, not what listeners said.

- melodiousness: presence, range and steps of the lead and of the top line (Huron, Sweet Anticipation, 2006), key
  clarity, consonance
- articulation: duration / inter-onset interval and sounding duration, both inverted (Repp 1997; Bresin & Battel 2000),
  and onset density (rated density goes -.79 with what we take for rated legato: 100 excerpts of MusicScienceData)
- rhythm_complexity: onset density, syncopation a second (Longuet-Higgins & Lee 1984), entropy of inter-onset intervals
- rhythm_stability: pulse clarity in windows of 3 s (Lartillot et al. 2008), timing deviation
- dissonance: interval-class consonance of sounding pairs, inverted (Huron 1994), roughness of their partials
  (Hutchinson & Knopoff 1978, Sethares 1993), the share of drums (noise)
- tonal_stability: key clarity of windows of 2 s, and how well they fit the clip's key (Krumhansl & Kessler 1982)
- minorness: best minor minus best major key correlation in windows of 2 s (Temperley 2001)
"""

import json
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emomod.corpus.roughness import roughness
from emomod.corpus.score import NoteTable, Score, note_table
from emomod.corpus.timing import (
    articulation,
    interval_entropy,
    onset_density,
    pulse_clarity,
    syncopation,
    timing_deviation,
)
from emomod.corpus.tonality import dissonance, key_clarity, minorness, sounding
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES

LOWEST, HIGHEST = (0.1, 0.9)  # scaled labels of the lowest and highest clip of the composer
N_QUANTILES = 41
AUDIBLE_DEVIATION = 0.03  # s, about what one notices in a slow rhythm (Friberg & Sundberg 1995)
LOWEST_OF_A_LINE = 55  # key from which the highest notes are taken for a line


def raw_labels(score: Score) -> NDArray[np.float64]:
    """Raw labels [7] in the order of MIDLEVEL_NAMES, each on its own scale; a score of drums only raises InputError.

    Where measures are added, fixed divisors and factors say how much each counts.
    Among measures of one thing, those were taken that can be heard within a few seconds.
    """
    notes = note_table(score)
    pitched = notes.only(~notes.is_drum)
    if not pitched.onset.size:
        raise InputError("a score must have at least one note that is not a drum")
    keys = sounding(pitched, seconds=score.seconds)
    ratio, log_duration = articulation(notes, seconds=score.seconds)
    clarity, steadiness = key_clarity(keys)
    drums = float((notes.loudness[notes.is_drum] ** 2).sum() / max((notes.loudness**2).sum(), 1e-12))
    rough = dissonance(keys) + 0.7 * roughness(keys) + 0.5 * drums
    density = onset_density(notes, seconds=score.seconds)
    pulse = pulse_clarity(notes, seconds=score.seconds)
    return np.array(
        [
            lead_quality(score) / 2 + top_line_quality(score) + 0.6 * clarity / 0.15 - rough,
            density / 0.5 - ratio / 0.35 - 2 * log_duration / 0.7,
            density / 0.5 + syncopation(score, notes) / 0.5 + 0.5 * interval_entropy(notes) / 0.35,
            pulse / 0.2 - np.log(timing_deviation(score, notes) + AUDIBLE_DEVIATION),
            rough,
            clarity + 0.25 * steadiness,
            minorness(keys),
        ]
    )


def lead_quality(score: Score) -> float:
    """How much of a singable lead there is: 0 without one, about 6 for a present, stepwise line in vocal range."""
    notes = note_table(score)
    is_lead = np.array([part.role == "melody" for part in score.parts])[notes.part]
    if not is_lead.any():
        return 0.0
    lead = _top_line(notes.only(is_lead))
    if lead.onset.size < 3:
        return 0.0
    covered = float(np.minimum(lead.duration, np.diff(lead.onset, append=score.seconds)).clip(0).sum()) / score.seconds
    share = float((lead.loudness**2).sum() / (notes.loudness**2)[~notes.is_drum].sum())
    presence = min(1.0, covered / 0.6) * min(1.0, share / 0.3)
    intervals = np.abs(np.diff(lead.pitch))
    steps, leaps, same = (float(part.mean()) for part in (_within(intervals, 1, 2), intervals > 4, intervals == 0))
    singable = float(_within(lead.pitch, 53, 81).mean()) * float(np.clip(1.6 - np.ptp(lead.pitch) / 30, 0.3, 1.0))
    return presence * (2.0 + 2.0 * singable + 2.0 * (steps - leaps - 0.5 * same))


def top_line_quality(score: Score) -> float:
    """Share of the clip that the highest notes cover, plus that of steps, less that of leaps and half of repeats."""
    notes = note_table(score)
    pitched = notes.only(~notes.is_drum)
    high = pitched.only(pitched.pitch >= LOWEST_OF_A_LINE)
    line = _top_line(high if high.onset.size >= 3 else pitched)
    if line.onset.size < 3:
        return 0.0
    covered = np.minimum(line.duration, np.diff(line.onset, append=score.seconds)).clip(0).sum() / score.seconds
    intervals = np.abs(np.diff(line.pitch))
    steps, leaps, same = (float(part.mean()) for part in (_within(intervals, 1, 2), intervals > 4, intervals == 0))
    return float(covered) + steps - leaps - 0.5 * same


def _within(values: NDArray[np.intp], low: int, high: int) -> NDArray[np.bool_]:
    return (values >= low) & (values <= high)


def _top_line(notes: NoteTable) -> NoteTable:
    """The highest note of each group of onsets."""
    order = np.lexsort((-notes.pitch, np.round(notes.onset / 0.03)))
    first = np.diff(np.round(notes.onset / 0.03)[order], prepend=-1.0) > 0
    chosen = np.zeros(notes.onset.size, dtype=bool)
    chosen[order[first]] = True
    return notes.only(chosen)


def draw_quantiles(scores: Iterable[Score]) -> dict[str, list[float]]:
    """Raw labels at evenly spaced ranks among ``scores``, by name: the scale for ``scaled_labels``."""
    raw = np.array([raw_labels(score) for score in scores])
    quantiles = np.quantile(raw, np.linspace(0, 1, N_QUANTILES), axis=0)
    return {
        name: [round(float(value), 5) for value in quantiles[:, column]] for column, name in enumerate(MIDLEVEL_NAMES)
    }


@lru_cache(maxsize=1)
def stored_quantiles() -> dict[str, list[float]]:
    """The scale that ships with emomod; ``python -m emomod.corpus.label_scale`` makes it."""
    stored: dict[str, list[float]] = json.loads((files("emomod.corpus") / "label_scale.json").read_text())["quantiles"]
    return stored


def scaled_labels(raw: ArrayLike) -> NDArray[np.float64]:
    """Bring raw labels [..., 7] to 0..1 by their rank among clips of the composer: .1 the lowest, .9 the highest."""
    values = np.asarray(raw, dtype=np.float64)
    if values.shape[-1:] != (len(MIDLEVEL_NAMES),) or not np.isfinite(values).all():
        raise InputError(f"raw labels must be finite, of shape [..., {len(MIDLEVEL_NAMES)}], got {values.shape}")
    ranks = np.linspace(LOWEST, HIGHEST, N_QUANTILES)
    columns = [np.interp(values[..., i], stored_quantiles()[name], ranks) for i, name in enumerate(MIDLEVEL_NAMES)]
    return np.stack(columns, axis=-1)
