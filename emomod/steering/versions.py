"""Versions of a sound at other gains of its components, all equally loud, as files can hold them."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from emomod.components.base import Components
from emomod.loudness import matched_gains_db
from emomod.modification import CEILING

ORIGINAL = "original"
Array = NDArray[np.float64]
Wave = NDArray[np.float32]


def equally_loud(components: Components, gains_db: Mapping[str, Array]) -> tuple[dict[str, Wave], dict[str, float]]:
    """Return versions by name of gains [K] in dB, and the "original", equally loud and none beyond full scale.

    The second is the gain (dB) that each version was given for that.
    """
    asked = {ORIGINAL: np.zeros(components.n_components), **gains_db}
    sounds = {name: components.render(10.0 ** (each / 20.0)) for name, each in asked.items()}
    level_db = matched_gains_db(sounds)
    matched = {name: y * np.float32(10.0 ** (level_db[name] / 20.0)) for name, y in sounds.items()}
    factor = min(1.0, CEILING / max(float(np.abs(y).max()) for y in matched.values()))
    room_db = float(20.0 * np.log10(factor))
    return (
        {name: (y * np.float32(factor)).astype(np.float32) for name, y in matched.items()},
        {name: gain_db + room_db for name, gain_db in level_db.items()},
    )
