"""Turn chosen components up or down and write the versions of a clip.

Gains are decibels of amplitude: +6.02 doubles an amplitude. All versions of a clip share one static gain, chosen so
that none clips; there is no limiter.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emomod.checks import check_choice, check_number
from emomod.component_weights import Selection
from emomod.components.base import Components
from emomod.output import VERSIONS

SIDES = ("positive", "negative", "both")
CEILING = 0.999  # largest absolute sample of a written version
MAX_GAIN_DB = 40.0


def amplitude(gain_db: float) -> float:
    """Return the factor of amplitude of a gain in dB.

    >>> round(amplitude(-6.0), 4)
    0.5012
    """
    return float(10.0 ** (gain_db / 20.0))


@dataclass(frozen=True, eq=False)
class Plan:
    """Gains [K] of each version of a clip, as factors of amplitude."""

    gain_db: float
    sides: str  # whose gains change: the positive components, the negative ones, or both
    original: NDArray[np.float64]
    enhanced: NDArray[np.float64]
    weakened: NDArray[np.float64]
    positive: NDArray[np.float64]  # the positive components alone
    negative: NDArray[np.float64]  # the negative components alone

    def versions(self) -> dict[str, NDArray[np.float64]]:
        """Gains by the name of the version."""
        return {name: getattr(self, name) for name in VERSIONS}


def plan_gains(selection: Selection, *, n_components: int, gain_db: float, sides: str = "positive") -> Plan:
    """Return the gains that enhance and weaken the selection's target by ``gain_db`` (0..40 dB).

    Enhancing turns positive components up and negative ones down, weakening does the opposite; ``sides`` says which
    take part.
    """
    check_number("gain_db", gain_db, low=0.0, high=MAX_GAIN_DB)
    check_choice("sides", sides, SIDES)
    sign = np.zeros(n_components)
    if sides != "negative":
        sign[selection.positive] = 1.0
    if sides != "positive":
        sign[selection.negative] = -1.0
    isolated = [
        np.isin(np.arange(n_components), side).astype(float) for side in (selection.positive, selection.negative)
    ]
    up, down = amplitude(gain_db) ** sign, amplitude(gain_db) ** -sign
    return Plan(gain_db, sides, np.ones(n_components), up, down, *isolated)


@dataclass(frozen=True, eq=False)
class Versions:
    """The versions of a clip as waveforms that may be written as they are."""

    waveforms: dict[str, NDArray[np.float32]]  # [n_samples] by name, within -1..1
    static_gain_db: float  # given to all of them; 0 where none would have clipped


def render_versions(components: Components, plan: Plan) -> Versions:
    """Render every version of ``plan`` and scale all by one factor so that none clips."""
    waveforms = {name: components.render(gains) for name, gains in plan.versions().items()}
    peak = max(float(np.abs(y).max()) for y in waveforms.values())
    factor = min(1.0, CEILING / peak)
    scaled = {name: (y * np.float32(factor)).astype(np.float32) for name, y in waveforms.items()}
    return Versions(scaled, float(20.0 * np.log10(factor)))
