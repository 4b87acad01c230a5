"""From an explained sound and a request to the search for gains."""

from collections.abc import Sequence

import numpy as np

from emomod.component_map import ComponentMap
from emomod.component_weights import ComponentWeights
from emomod.components.base import Components, Sound
from emomod.components.off import off_gain
from emomod.steering.hearing import Hearing, Listener
from emomod.steering.parts import parts_of
from emomod.steering.request import Request
from emomod.steering.solve import Problem


def problem_of(
    sound: Sound,
    components: Components,
    weights: ComponentWeights,
    request: Request,
    *,
    listeners: Sequence[Listener],
    off: str,
) -> Problem:
    """Return the search for gains of a sound's components, whose ``weights`` were found with a cut of ``off`` in dB."""
    locations, where = components.locations(), ComponentMap(components.shares(), sound.spectrogram.shape)
    log_spectrogram = sound.spectrogram.log_spectrogram.numpy()
    parts = parts_of(where, locations, log_spectrogram, bounds_db=request.bounds_db(locations))
    slopes = np.zeros((len(weights.names), parts.n_groups))
    np.add.at(slopes.T, parts.group, weights.weights.T / (-20.0 * np.log10(off_gain(off))))
    hearing = Hearing(tuple(listeners), components)
    return Problem(hearing, parts, slopes, hearing.scores(np.zeros((1, components.n_components)))[:, 0])
