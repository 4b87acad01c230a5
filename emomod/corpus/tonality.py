"""How consonant, how tonal and how minor the sounding notes are.

Notes are sampled ten times a second; a note's level falls with its instrument's decay while it is held.

Consonance of an interval class: Huron, Interval-Class Content in Equally Tempered Pitch-Class Sets, Music Perception
11(3), 1994. Key profiles: Krumhansl & Kessler, Psychological Review 89(4), 1982 (key clarity); Temperley, The Cognition
of Basic Musical Structures, 2001 (major against minor). Key finding: Krumhansl, Cognitive Foundations, 1990. Keys are
found in windows of 2 s, about what listeners keep in mind of a tonal context (Leman, Music Perception 17(4), 2000).
"""

import numpy as np
from numpy.typing import NDArray

from emomod.corpus.instruments import instrument
from emomod.corpus.score import NoteTable

FRAMES_PER_SECOND = 10
WINDOW_SECONDS, STEP_SECONDS = 2.0, 0.5  # of the windows in which keys are found
HURON = (0.0, -1.428, -0.582, 0.594, 0.386, 1.240, -0.453)  # consonance of interval classes 0..6; unisons do not count
TRIAD = (0.594 + 0.386 + 1.240) / 3  # mean consonance of a major or minor triad: what a single line counts as
KRUMHANSL_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
KRUMHANSL_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
TEMPERLEY_MAJOR = (5.0, 2.0, 3.5, 2.0, 4.5, 4.0, 2.0, 4.5, 2.0, 3.5, 1.5, 4.0)
TEMPERLEY_MINOR = (5.0, 2.0, 3.5, 4.5, 2.0, 4.0, 2.0, 4.5, 3.5, 2.0, 1.5, 4.0)
LINE_WEIGHT = 0.02  # weight of "a single line" among the sounding pairs, in units of amplitude squared


def sounding(notes: NoteTable, *, seconds: float) -> NDArray[np.float64]:
    """Power [128, n_frames] of each key over time; ``notes`` without drums."""
    times = (np.arange(round(seconds * FRAMES_PER_SECOND)) + 0.5) / FRAMES_PER_SECOND
    half = 0.5 / FRAMES_PER_SECOND
    onset, end = notes.onset[:, None], (notes.onset + notes.duration)[:, None]
    decay = np.array([instrument(int(program)).decay for program in notes.program])[:, None]
    share = (np.minimum(end, times + half) - np.maximum(onset, times - half)).clip(0.0) * FRAMES_PER_SECOND
    power = share * notes.loudness[:, None] ** 2 * np.exp(-2 * np.maximum(times - onset, 0.0) / decay)
    keys = np.zeros((128, times.size))
    np.add.at(keys, notes.pitch, power)
    return keys


def dissonance(keys: NDArray[np.float64]) -> float:
    """Minus the mean consonance of the pairs that sound together in ``keys`` [128, n_frames], by level and time.

    A single line counts as consonant as a triad. More tones at once count as more dissonant, by 15 % for each factor e.
    """
    amplitude = np.sqrt(keys)
    classes = np.abs(np.arange(128)[:, None] - np.arange(128)) % 12
    classes = np.minimum(classes, 12 - classes)
    consonance = np.array(HURON)[classes]
    pairs = float(np.einsum("it,ij,jt->", amplitude, consonance, amplitude, optimize=True)) / 2
    weight = float(np.einsum("it,ij,jt->", amplitude, (classes > 0).astype(float), amplitude, optimize=True)) / 2
    line = LINE_WEIGHT * max(float((amplitude.max(axis=0) ** 2).sum()), 1e-12)
    n_tones = (amplitude > 0.1 * amplitude.max(axis=0, keepdims=True).clip(min=1e-9)).sum(axis=0)
    crowd = 1 + 0.15 * np.log(max(float(n_tones[n_tones > 0].mean()) / 3, 1.0)) if (n_tones > 0).any() else 1.0
    value = -(pairs + line * TRIAD) / (weight + line)
    return float(value + (crowd - 1) * 1.5)


def pitch_classes(keys: NDArray[np.float64]) -> NDArray[np.float64]:
    """Amplitude-weighted time of each pitch class [12] in ``keys`` [128, n_frames]."""
    classes = np.zeros(12)
    np.add.at(classes, np.arange(128) % 12, np.sqrt(keys).sum(axis=1))
    return classes


def key_correlations(
    classes: NDArray[np.float64], *, major: tuple[float, ...], minor: tuple[float, ...]
) -> NDArray[np.float64]:
    """Pearson r [24] of ``classes`` [12] with the profiles of the 12 major, then the 12 minor keys; 0 where flat."""
    profiles = np.array([np.roll(profile, tonic) for profile in (major, minor) for tonic in range(12)])
    centred, deviation = (profiles - profiles.mean(axis=1, keepdims=True), classes - classes.mean())
    scale = np.linalg.norm(centred, axis=1) * np.linalg.norm(deviation)
    return np.asarray(np.divide(centred @ deviation, scale, out=np.zeros(24), where=scale > 1e-12))


def windows(keys: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """The sounding windows of 2 s, every half second, of ``keys`` [128, n_frames]; the whole where it is shorter."""
    width, step = round(WINDOW_SECONDS * FRAMES_PER_SECOND), round(STEP_SECONDS * FRAMES_PER_SECOND)
    found = [keys[:, first : first + width] for first in range(0, max(1, keys.shape[1] - width + 1), step)]
    return [window for window in found if window.any()]


def key_clarity(keys: NDArray[np.float64]) -> tuple[float, float]:
    """Means over windows of the best key correlation and of the correlation with the clip's best key; 0 if silent.

    The first says how clear a key is at any moment, the second falls when the key changes.
    """
    found = np.array([_krumhansl(window) for window in windows(keys)] or [np.zeros(24)])
    return float(found.max(axis=1).mean()), float(found[:, int(_krumhansl(keys).argmax())].mean())


def _krumhansl(keys: NDArray[np.float64]) -> NDArray[np.float64]:
    return key_correlations(pitch_classes(keys), major=KRUMHANSL_MAJOR, minor=KRUMHANSL_MINOR)


def minorness(keys: NDArray[np.float64]) -> float:
    """Mean over windows of the best correlation with a minor key minus that with a major key, Temperley's profiles."""
    found = np.array(
        [
            key_correlations(pitch_classes(window), major=TEMPERLEY_MAJOR, minor=TEMPERLEY_MINOR)
            for window in windows(keys)
        ]
        or [np.zeros(24)]
    )
    return float((found[:, 12:].max(axis=1) - found[:, :12].max(axis=1)).mean())
