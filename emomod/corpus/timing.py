"""How dense, syncopated, even and short the notes of a score are.

Syncopation: Longuet-Higgins & Lee, Music Perception 1(4), 1984. Pulse clarity as the largest normalised autocorrelation
of the onsets: Lartillot, Eerola, Toiviainen, Fornari, ISMIR 2008. Articulation as the ratio of duration to inter-onset
interval: Repp, J. Acoust. Soc. Am. 102(3), 1997; Bresin & Battel, J. New Music Research 29(3), 2000.
"""

import numpy as np
from numpy.typing import NDArray

from emomod.corpus.instruments import UNDAMPED, instrument
from emomod.corpus.score import NoteTable, Score

CHORD_SECONDS = 0.03  # onsets closer than this are one
DRUM_SECONDS = 0.12  # how long a drum counts as sounding
PULSE_LAGS = (0.25, 1.6)  # s
PULSE_WINDOW, PULSE_STEP = 3.0, 1.0  # s


def distinct_onsets(onset: NDArray[np.float64]) -> NDArray[np.float64]:
    """``onset`` in ascending order, each group closer than 30 ms reduced to its first."""
    ordered = np.sort(onset)
    kept: list[float] = []
    for time in ordered.tolist():
        if not kept or time - kept[-1] >= CHORD_SECONDS:
            kept.append(time)
    return np.array(kept)


def onset_density(notes: NoteTable, *, seconds: float) -> float:
    """Natural logarithm of the distinct onsets a second."""
    return float(np.log(max(distinct_onsets(notes.onset).size, 1) / seconds))


def articulation(notes: NoteTable, *, seconds: float) -> tuple[float, float]:
    """Loudness-weighted means over notes: duration / time to the next onset (at most 1.5), log duration.

    The next onset is the part's own; durations are capped by the instrument's decay, which is also how long an
    undamped instrument's notes are however short they are held; drums count as short notes.
    """
    ratios = np.empty(notes.onset.size)
    for part in np.unique(notes.part):
        mine = notes.part == part
        onsets = distinct_onsets(notes.onset[mine])
        following = np.searchsorted(onsets, notes.onset[mine] + CHORD_SECONDS, side="left")
        next_onset = np.append(onsets, max(seconds, onsets[-1] + 0.5))[following]
        ratios[mine] = np.clip(_sounding_duration(notes.only(mine)) / (next_onset - notes.onset[mine]), 0.0, 1.5)
    weight = notes.loudness + 1e-6
    logarithms = np.log(_sounding_duration(notes) + 0.02)
    return float(np.average(ratios, weights=weight)), float(np.average(logarithms, weights=weight))


def _sounding_duration(notes: NoteTable) -> NDArray[np.float64]:
    decay = np.array([instrument(int(program)).decay for program in notes.program])
    held = np.where(np.isin(notes.program, UNDAMPED), decay, np.minimum(notes.duration, decay))
    return np.asarray(np.where(notes.is_drum, np.minimum(notes.duration, DRUM_SECONDS), held))


def beat_positions(score: Score, onset: NDArray[np.float64]) -> NDArray[np.float64]:
    """``onset`` (s) as beats of the score, tempo changes followed."""
    beats = np.array(score.beats)
    return np.interp(onset, beats, np.arange(beats.size))


def timing_deviation(score: Score, notes: NoteTable) -> float:
    """Spread of the onsets about the nearest quarter or third of a beat plus spread of the beats, in seconds."""
    position = beat_positions(score, notes.onset)
    beats = np.array(score.beats)
    lengths = np.diff(beats[beats <= score.seconds + np.diff(beats).max()])
    errors = [np.abs(position - np.round(position * grid) / grid) for grid in (4, 3)]
    jitter = min(float(np.sqrt(np.mean(error**2))) for error in errors) * float(lengths.mean())
    return jitter + 0.5 * float(lengths.std())


def pulse_clarity(notes: NoteTable, *, seconds: float) -> float:
    """Mean over windows of 3 s of the largest normalised autocorrelation -1..1 of the onsets at lags of 0.25..1.6 s.

    A window with fewer than three onsets counts as 0.
    """
    starts = np.arange(0.0, max(seconds - PULSE_WINDOW, 0.0) + 1e-9, PULSE_STEP)
    return float(np.mean([_pulse_of(notes, start=start, seconds=min(PULSE_WINDOW, seconds)) for start in starts]))


def _pulse_of(notes: NoteTable, *, start: float, seconds: float) -> float:
    rate = 100
    inside = (notes.onset >= start) & (notes.onset < start + seconds)
    onset = notes.onset[inside] - start
    if distinct_onsets(onset).size < 3:
        return 0.0
    train = np.bincount(
        np.round(onset * rate).astype(int), weights=notes.loudness[inside], minlength=round(seconds * rate) + 1
    )
    kernel = np.exp(-0.5 * (np.arange(-8, 9) / 2.5) ** 2)
    curve = np.convolve(np.sqrt(train), kernel, mode="same")
    curve = curve - curve.mean()
    spectrum = np.abs(np.fft.rfft(curve, 2 * curve.size)) ** 2
    correlation = np.fft.irfft(spectrum)[: curve.size]
    lags = np.arange(round(PULSE_LAGS[0] * rate), min(round(PULSE_LAGS[1] * rate), curve.size - 1) + 1)
    unbiased = correlation[lags] * curve.size / (curve.size - lags)
    return float((unbiased / max(correlation[0], 1e-12)).max())


def interval_entropy(notes: NoteTable) -> float:
    """Entropy in bits of the inter-onset intervals, binned by thirds of an octave."""
    intervals = np.diff(distinct_onsets(notes.onset))
    if intervals.size < 2:
        return 0.0
    _, counts = np.unique(np.round(np.log2(intervals) * 3), return_counts=True)
    shares = counts / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def metrical_levels(beats_per_bar: int) -> NDArray[np.intp]:
    """Longuet-Higgins & Lee's weights of the sixteenths of a bar [4 * beats_per_bar]: 0 the bar, then -1, -2, ...

    >>> metrical_levels(4).tolist()
    [0, -4, -3, -4, -2, -4, -3, -4, -1, -4, -3, -4, -2, -4, -3, -4]
    >>> metrical_levels(3).tolist()
    [0, -3, -2, -3, -1, -3, -2, -3, -1, -3, -2, -3]
    """
    halved = beats_per_bar > 2 and beats_per_bar % 2 == 0
    beat = -2 if halved else -1
    levels = np.full(4 * beats_per_bar, beat - 2, dtype=np.intp)
    levels[2::4], levels[::4] = beat - 1, beat
    if halved:
        levels[:: 2 * beats_per_bar] = -1
    levels[0] = 0
    return levels


def syncopation(score: Score, notes: NoteTable) -> float:
    """Logarithm of 1 plus the syncopation a second: how much stronger than a note the strongest silent position is.

    That position lies between the note and the part's next one; nothing counts where no stronger one is silent.
    """
    levels = metrical_levels(score.beats_per_bar)
    total = 0
    for part in np.unique(notes.part):
        slots = np.unique(np.round(beat_positions(score, notes.onset[notes.part == part]) * 4).astype(int))
        for slot, following in zip(slots, [*slots[1:], slots[-1] + 1], strict=True):
            silent = levels[np.arange(slot + 1, min(following, slot + levels.size)) % levels.size]
            total += max(0, int(silent.max()) - int(levels[slot % levels.size])) if silent.size else 0
    return float(np.log1p(total / score.seconds))
