"""A clip with and without one of its parts, so that what the part does to a label is known."""

import numpy as np
from numpy.typing import NDArray

from emomod.corpus.labels import raw_labels, scaled_labels
from emomod.corpus.score import Score
from emomod.corpus.versions import Versions, with_notes
from emomod.labels import MIDLEVEL_NAMES

LEAST_EFFECT = 0.1  # of the label, whose clips lie between .1 and .9


def effects_of_parts(score: Score) -> dict[int, NDArray[np.float64]]:
    """The labels [7] of the whole less those without a part, by the index of each part that sounds.

    There is none for the only part with a pitch, as a clip without it has no labels.
    """
    sounding = [k for k, part in enumerate(score.parts) if any(note.onset < score.seconds for note in part.notes)]
    pitched = {part for part in sounding if not score.parts[part].is_drums}
    removable = [part for part in sounding if pitched - {part}]
    whole = scaled_labels(raw_labels(score)) if removable else np.zeros(len(MIDLEVEL_NAMES))
    return {part: whole - scaled_labels(raw_labels(with_notes(score, part, ()))) for part in removable}


def draw_removal(score: Score, feature: str, rng: np.random.Generator) -> Versions | None:
    """``score`` and the same without a part whose effect on the label of ``feature`` is .1 or more, up or down.

    None where it has no such part.
    """
    column = MIDLEVEL_NAMES.index(feature)
    parts = [part for part, effects in effects_of_parts(score).items() if abs(effects[column]) >= LEAST_EFFECT]
    if not parts:
        return None
    return score, with_notes(score, parts[int(rng.integers(len(parts)))], ())
