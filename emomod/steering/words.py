"""A steered clip in two or three plain sentences: what moved, through which qualities, by turning what up and down."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from emomod.component_map import Location
from emomod.labels import spoken
from emomod.sentences import MOMENTS, listed, places, signed

CAUSES = 2  # mid-level features that are named
LEAST = 0.005  # shift of a feature that is named

Array = NDArray[np.float64]


def steering_in_words(
    shifts: Mapping[str, float],
    features: Mapping[str, Mapping[str, float]],
    shares: Mapping[str, Array],
    *,
    gains_db: Array,
    locations: Sequence[Location],
    moved: Sequence[str],
) -> str:
    """Say what ``moved`` (scores that were asked for), by the ``shifts`` of all scores, and what carried it.

    ``features``: what each feature adds to an emotion; ``shares``: of components [K] in the shift of each score.
    """
    said = [_moved(name, shifts, features.get(name, {})) for name in moved]
    carried = np.sum([np.sign(shifts[name]) * shares[name] for name in moved], axis=0)
    return " ".join([*said, _turned(carried, gains_db, locations)])


def _moved(name: str, shifts: Mapping[str, float], features: Mapping[str, float]) -> str:
    opening = f"{spoken(name).capitalize()} {signed(shifts[name])}"
    causes = [
        feature for feature, added in features.items() if added * shifts[name] > 0 and abs(shifts[feature]) >= LEAST
    ]
    if not causes:
        return f"{opening}."
    words = [
        f"{'more' if shifts[feature] > 0 else 'less'} {spoken(feature)} ({signed(shifts[feature])})"
        for feature in causes[:CAUSES]
    ]
    return f"{opening} mainly through {listed(words)}."


def _turned(carried: Array, gains_db: Array, locations: Sequence[Location]) -> str:
    """What was turned up and down that carried most."""
    seconds = max(location.end for location in locations)
    said = []
    for words, side in (("up", gains_db > 0), ("down", gains_db < 0)):
        order = [index for index in np.argsort(-carried, kind="stable") if side[index] and carried[index] > 0]
        if order:
            found = places([locations[index] for index in order[:MOMENTS]], seconds=seconds)
            said.append(f"of the parts turned {words}, those {found} brought most")
    words = "; ".join(said) or "nothing was turned up or down"
    return f"{words[0].upper()}{words[1:]}."
