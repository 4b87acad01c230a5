"""How loud sounds are, and the gains at which versions of a clip are equally loud.

Loudness is that of ITU-R BS.1770-4: K-weighted power of 400 ms blocks, gated, in LUFS. The recommendation gives its
filters for 48 kHz; here they are made for 22 050 Hz from the analogue filters that lie behind them.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from emomod.audio import SAMPLE_RATE

BLOCK_SECONDS, HOPS_PER_BLOCK = 0.4, 4
ABSOLUTE_GATE, RELATIVE_GATE = -70.0, -10.0  # LUFS; dB below the blocks that pass the first gate
OFFSET = -0.691  # dB, so that a full-scale sine of 997 Hz has -3.01 LUFS
MAX_GAIN_DB = 20.0  # more would only bring up noise

Filter = tuple[NDArray[np.float64], NDArray[np.float64]]  # numerator and denominator


def k_weighting(sr: float) -> tuple[Filter, Filter]:
    """Return the shelf (a head's shadow) and the high-pass of K-weighting at the rate ``sr`` (Hz)."""
    k, q = np.tan(np.pi * 1681.974450955533 / sr), 0.7071752369554196
    high, band = 10 ** (3.999843853973347 / 20), 10 ** (3.999843853973347 / 20 * 0.4996667741545416)
    numerator = np.array([high + band * k / q + k**2, 2 * (k**2 - high), high - band * k / q + k**2])
    denominator = np.array([1 + k / q + k**2, 2 * (k**2 - 1), 1 - k / q + k**2])
    shelf = (numerator / denominator[0], denominator / denominator[0])
    k, q = np.tan(np.pi * 38.13547087602444 / sr), 0.5003270373238773
    denominator = np.array([1 + k / q + k**2, 2 * (k**2 - 1), 1 - k / q + k**2])
    return shelf, (np.array([1.0, -2.0, 1.0]), denominator / denominator[0])


def loudness(y: NDArray[np.floating], *, sr: float = SAMPLE_RATE) -> float:
    """Return the gated loudness (LUFS) of a mono waveform [n_samples] of 0.4 s or more; -inf for silence."""
    weighted = np.asarray(y, dtype=np.float64)
    for numerator, denominator in k_weighting(sr):
        weighted = lfilter(numerator, denominator, weighted)
    hop = round(BLOCK_SECONDS * sr / HOPS_PER_BLOCK)
    powers = (weighted[: weighted.size // hop * hop].reshape(-1, hop) ** 2).mean(axis=1)  # whole hops only
    blocks = np.lib.stride_tricks.sliding_window_view(powers, HOPS_PER_BLOCK).mean(axis=1)
    blocks = blocks[_level(blocks) > ABSOLUTE_GATE]
    if not blocks.size:
        return float("-inf")
    return float(_level(blocks[_level(blocks) > _level(blocks.mean()) + RELATIVE_GATE].mean()))


def _level(power: NDArray[np.float64] | np.float64) -> NDArray[np.float64]:
    return np.asarray(OFFSET + 10.0 * np.log10(np.maximum(power, np.finfo(float).tiny)))


def matched_gains_db(waveforms: Mapping[str, NDArray[np.floating]]) -> dict[str, float]:
    """Return the gains (dB) by name at which waveforms [n_samples] are equally loud and none clips.

    No gain exceeds MAX_GAIN_DB, so a version that is softer than that stays softer; a silent one gets 0 dB.
    """
    levels = {name: loudness(y) for name, y in waveforms.items()}
    sounding = {name: level for name, level in levels.items() if np.isfinite(level)}
    loudest = max(sounding.values(), default=0.0)
    wanted = min([loudest, *(_ceiling(waveforms[name], level) for name, level in sounding.items())])
    return {name: min(wanted - level, MAX_GAIN_DB) if name in sounding else 0.0 for name, level in levels.items()}


def _ceiling(y: NDArray[np.floating], level: float) -> float:
    """Loudness at which a waveform of this loudness would clip, unless its gain would be cut off before."""
    headroom = -20.0 * float(np.log10(np.abs(y).max()))
    return level + headroom if headroom < MAX_GAIN_DB else float("inf")
