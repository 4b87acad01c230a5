"""Sensory roughness of the sounding partials.

Two partials beat when they fall into one critical band; the curve is Sethares' fit to Plomp & Levelt (Sethares, J.
Acoust. Soc. Am. 94(3), 1993), the sum over pairs is relative to the power as in Hutchinson & Knopoff (Interface 7(1),
1978). Every key has six partials that fall by .88 each, as in Sethares' examples.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

N_PARTIALS, DECLINE = 6, 0.88
SLOW, FAST = 3.5, 5.75  # of Sethares' two exponentials
WIDEST, BAND_SLOPE, BAND_OFFSET = 0.24, 0.021, 19.0  # where the curve peaks, and how that follows the frequency


def pair_roughness(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """Roughness of partials of unit amplitude at frequencies ``low`` <= ``high`` in Hz, of one shape.

    >>> pair_roughness(np.array([440.0]), np.array([440.0]))
    array([0.])
    """
    scale = WIDEST / (BAND_SLOPE * low + BAND_OFFSET)
    distance = scale * (high - low)
    return np.asarray(np.exp(-SLOW * distance) - np.exp(-FAST * distance))


@lru_cache(maxsize=1)
def key_roughness() -> NDArray[np.float64]:
    """Roughness [128, 128] of two keys of unit amplitude, all their partials together."""
    number = np.arange(1, N_PARTIALS + 1)
    frequency = (440.0 * 2 ** ((np.arange(128) - 69) / 12))[:, None] * number
    amplitude = np.broadcast_to(DECLINE ** (number - 1), frequency.shape).ravel()
    flat = frequency.ravel()
    low, high = np.minimum.outer(flat, flat), np.maximum.outer(flat, flat)
    rough = pair_roughness(low, high) * np.minimum.outer(amplitude, amplitude)
    return np.asarray(rough.reshape(128, N_PARTIALS, 128, N_PARTIALS).sum(axis=(1, 3)))


def roughness(keys: NDArray[np.float64]) -> float:
    """Roughness (>= 0) of the keys that sound together in ``keys``, power [128, n_frames], relative to all power."""
    amplitude, between = np.sqrt(keys), key_roughness() * (1 - np.eye(128))
    power = max(float(keys.sum()), 1e-12)
    return float(np.einsum("it,ij,jt->", amplitude, between, amplitude, optimize=True)) / 2 / power
