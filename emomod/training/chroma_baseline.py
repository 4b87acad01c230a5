"""What a chroma of the model's own spectrograms says about key and mode, without a network: the bar to pass.

The 149 bands are folded to 12 pitch classes, and key profiles are laid over them: Krumhansl & Kessler (Psychological
Review 89(4), 1982) for tonal stability, Temperley (The Cognition of Basic Musical Structures, 2001) for minorness.
A chroma of everything that sounds counts noise and the skirts of tones with them; one of peaks only counts, in every
frame, the bands that stand out of their neighbours (after Gomez, Tonal Description of Music Audio Signals, 2006).
"""

import numpy as np
from numpy.typing import NDArray

from emomod.corpus.tonality import (
    KRUMHANSL_MAJOR,
    KRUMHANSL_MINOR,
    TEMPERLEY_MAJOR,
    TEMPERLEY_MINOR,
    key_correlations,
)
from emomod.spectrogram import band_frequencies

CHROMA_NAMES = ("tonal_stability", "minorness")
KINDS = ("all", "peaks")
LOWEST, HIGHEST = 100.0, 2500.0  # Hz; below, bands are two semitones wide; above are mostly overtones


def pitch_class_weights() -> NDArray[np.float64]:
    """Share [n_bands, 12] of each band in each pitch class (C is 0): 1 at its pitch, 0 a semitone away."""
    frequencies = band_frequencies()
    keys = 69 + 12 * np.log2(frequencies / 440.0)
    distance = (keys[:, None] - np.arange(12) + 6) % 12 - 6
    used = (frequencies >= LOWEST) & (frequencies <= HIGHEST)
    return np.asarray(np.clip(1 - np.abs(distance), 0, None) * used[:, None])


def fold_chroma(log_spectrogram: NDArray[np.floating], *, kind: str) -> NDArray[np.float64]:
    """Pitch classes [12] of a log spectrogram [n_bands, n_frames]: of the magnitudes of "all" cells, or of "peaks".

    Peaks are compressed by a square root, so that loud tones do not hide the others.
    """
    magnitude = 10.0 ** np.asarray(log_spectrogram, dtype=np.float64) - 1.0
    if kind == "peaks":
        inner = magnitude[1:-1]
        stands_out = (inner >= magnitude[:-2]) & (inner >= magnitude[2:])
        magnitude = np.pad(np.sqrt(inner) * stands_out, ((1, 1), (0, 0)))
    return np.asarray(pitch_class_weights().T @ magnitude.mean(axis=1))


def chroma_scores(log_spectrogram: NDArray[np.floating], *, kind: str) -> NDArray[np.float64]:
    """Key clarity and minorness [2], in the order of CHROMA_NAMES, of a log spectrogram [n_bands, n_frames].

    Both are correlations or differences of such: only their order matters, not their scale.
    """
    chroma = fold_chroma(log_spectrogram, kind=kind)
    clarity = key_correlations(chroma, major=KRUMHANSL_MAJOR, minor=KRUMHANSL_MINOR)
    mode = key_correlations(chroma, major=TEMPERLEY_MAJOR, minor=TEMPERLEY_MINOR)
    return np.array([clarity.max(), mode[12:].max() - mode[:12].max()])
