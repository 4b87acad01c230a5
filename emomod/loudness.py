"""How loud sounds are, and the gains at which versions of a clip are equally loud.

Loudness is that of ITU-R BS.1770-4, in LUFS, as pyloudnorm computes it (Steinmetz & Reiss, AES Convention 150, 2021).
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from emomod.audio import SAMPLE_RATE

MAX_GAIN_DB = 20.0  # more would only bring up noise


def loudness(y: NDArray[np.floating]) -> float:
    """Return the gated loudness (LUFS) of a mono waveform [n_samples] of 0.4 s or more; -inf for silence."""
    import pyloudnorm

    return float(pyloudnorm.Meter(SAMPLE_RATE).integrated_loudness(np.asarray(y, dtype=np.float64)))


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
