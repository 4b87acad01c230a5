"""Does a shift last? The written files again, through mp3, cut elsewhere, softer, and heard by other models.

A shift that only one network hears, and only on the very samples that it was made for, is an artefact of that network.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emomod.audio import SAMPLE_RATE
from emomod.model.predictor import Predict, score_waveforms

LATER_SECONDS = 0.02
SOFTER_DB = -6.0

Array = NDArray[np.float64]
Wave = NDArray[np.float32]


def later(y: Wave, *, seconds: float = LATER_SECONDS) -> Wave:
    """The sound later by ``seconds``, its end lost."""
    n = round(seconds * SAMPLE_RATE)
    return np.concatenate([np.zeros(n, dtype=np.float32), y[:-n]])


def softer(y: Wave) -> Wave:
    """The sound 6 dB softer."""
    return y * np.float32(10.0 ** (SOFTER_DB / 20.0))


WAYS: dict[str, Callable[[Wave], Wave]] = {"20 ms later": later, "6 dB softer": softer}


@dataclass(frozen=True, eq=False)
class Transfer:
    """What another model hears."""

    model: str  # its name
    used: bool  # whether the gains were searched for with it, too
    before: Array  # [n_names]
    after: Array  # [n_names]

    @property
    def shift(self) -> Array:
        """[n_names]"""
        return self.after - self.before


def lasting_shifts(
    predict: Predict, original: Wave, steered: Wave, *, ways: Mapping[str, Callable[[Wave], Wave]]
) -> dict[str, Array]:
    """Shifts [n_names] between two sounds after each of the ``ways`` was done to both."""
    found = {}
    for name, change in ways.items():
        before, after = score_waveforms(predict, [change(original), change(steered)])
        found[name] = np.asarray(after - before)
    return found
