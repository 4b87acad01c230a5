"""Levels of delivered sounds: true peak, fades, dither; loudness itself is emomod.loudness.

True peak is that of ITU-R BS.1770-4, annex 2: the largest sample after oversampling by 4, in dB of full scale (dBTP).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from emomod.audio import SAMPLE_RATE

OVERSAMPLING = 4
FADE_SECONDS = 0.02
BITS = 16


def true_peak_db(y: NDArray[np.floating]) -> float:
    """Return the true peak (dBTP) of a waveform [n_samples]; -inf for silence."""
    found = resample_poly(np.asarray(y, dtype=np.float64), OVERSAMPLING, 1)
    peak = max(float(np.abs(found).max()), float(np.abs(y).max()))
    return 20.0 * float(np.log10(peak)) if peak > 0.0 else -np.inf


def faded(y: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return ``y`` [n_samples] with raised-cosine fades of 20 ms at both ends, or of half a shorter sound."""
    n = min(round(FADE_SECONDS * SAMPLE_RATE), len(y) // 2)
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(n) + 0.5) / max(n, 1))
    found = np.asarray(y, dtype=np.float64).copy()
    found[:n] *= ramp
    found[len(found) - n :] *= ramp[::-1]
    return found


def dithered(y: NDArray[np.floating], *, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return ``y`` [n_samples] with triangular dither of two steps of 16 bit, so that rounding is no distortion.

    Lipshitz, Wannamaker, Vanderkooy: Quantization and Dither, J. Audio Eng. Soc. 40, 1992.
    """
    step = 2.0 ** (1 - BITS)
    noise = rng.random(len(y)) - rng.random(len(y))
    return np.asarray(y, dtype=np.float64) + step * noise
