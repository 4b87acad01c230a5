"""What a component that is off leaves behind: less of itself, nothing, or a plain sound in its place.

An explanation says what a component does beside the same sound without it, so it depends on what "without" is (Mishra
et al., Reliable Local Explanations for Machine Listening, IJCNN 2020). The meanings:

- "-6dB", or any other cut: the component, softer; nothing new enters the sound, and mixtures stay near it
- "silence": nothing
- "mean": each cell has the mean log magnitude of its component, as LIME fills a hidden segment with its mean colour
- "noise_floor": each cell has what its band does not fall below in nine tenths of the clip, or less
- "background": each cell has the median of its band over the clip, up to 20 dB more than what was there

The last three are magnitudes, per layer, in bands; the phase is that of the sound. A cell in which nothing sounds
stays silent.
"""

import re
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from emomod.components.base import Components
from emomod.components.layered import LayeredComponents
from emomod.errors import InputError

Array = NDArray[np.float64]
FLOOR, MEDIAN = 0.1, 0.5  # quantiles of a band's magnitudes over time
MOST = 10.0  # times what was there: 20 dB
CUT = re.compile(r"-?(\d+(?:\.\d+)?)\s*dB")


def _mean(magnitudes: Array, regions: NDArray[np.intp]) -> Array:
    logs, labels = np.log10(1.0 + magnitudes).ravel(), regions.ravel()
    means = np.bincount(labels, logs) / np.bincount(labels)
    return np.asarray(10.0 ** means[regions] - 1.0)


def _noise_floor(magnitudes: Array, _: NDArray[np.intp]) -> Array:
    return np.minimum(magnitudes, np.quantile(magnitudes, FLOOR, axis=1, keepdims=True))


def _background(magnitudes: Array, _: NDArray[np.intp]) -> Array:
    return np.broadcast_to(np.quantile(magnitudes, MEDIAN, axis=1, keepdims=True), magnitudes.shape)


_FLOORS: dict[str, Callable[[Array, NDArray[np.intp]], Array]] = {
    "mean": _mean,
    "noise_floor": _noise_floor,
    "background": _background,
}
NAMED = ("silence", *_FLOORS)


def check_off(off: str) -> str:
    """Return ``off`` if it is a meaning of off: one of NAMED or a cut in dB, with or without its sign."""
    found = CUT.fullmatch(str(off))
    if off not in NAMED and (not found or float(found[1]) == 0.0):
        raise InputError(f'off must be a cut in dB such as "-6dB", or {", ".join(NAMED)}; got {off!r}')
    return off


def off_gain(off: str) -> float:
    """Return the amplitude factor of a component that is off.

    >>> off_gain("silence"), round(off_gain("-6dB"), 4), round(off_gain("6dB"), 4)
    (0.0, 0.5012, 0.5012)
    """
    found = CUT.fullmatch(check_off(off))
    return float(10 ** (-float(found[1]) / 20)) if found else 0.0


def switched(components: Components, off: str) -> tuple[Components, float]:
    """Return components, and the gain at which one is ``off``; InputError where they cannot be off in this way."""
    low = off_gain(off)
    if off not in _FLOORS:
        return components, low
    if not isinstance(components, LayeredComponents):
        raise InputError(f"off must be silence or a cut in dB for components of your own, got {off!r}")
    magnitudes = components.cell_magnitudes()
    floors = np.stack([_FLOORS[off](layer, components.regions) for layer in magnitudes])
    factors = np.divide(floors, magnitudes, out=np.zeros_like(floors), where=magnitudes > 0)
    return components.above(np.minimum(factors, MOST).astype(np.float32)), low
