"""Why one sound is heard angrier than another: the difference of an emotion, split exactly by feature, and in words.

An emotion is linear in the mid-level features, so that its difference between two sounds is
``sum_j weight_j * (feature_j of one - feature_j of the other)``; the intercept falls out.
"""

import numpy as np
from numpy.typing import NDArray

from emomod.labels import MIDLEVEL_NAMES, spoken
from emomod.sentences import listed, signed

COMPARED = {  # emotion: more of it, less of it, as much of it
    "valence": ("more pleasant", "less pleasant", "as pleasant"),
    "energy": ("livelier", "calmer", "as lively"),
    "tension": ("more tense", "less tense", "as tense"),
    "anger": ("angrier", "less angry", "as angry"),
    "fear": ("more fearful", "less fearful", "as fearful"),
    "happy": ("happier", "less happy", "as happy"),
    "sad": ("sadder", "less sad", "as sad"),
    "tender": ("more tender", "less tender", "as tender"),
}
SEEN = 0.005  # what is smaller is written as 0.00
EQUAL = 0.015  # what is smaller is no difference worth a comparative
MOST = 0.75  # share of what points one way that the named features make up
MAX_NAMED = 3
WORTH_SAYING = 0.25  # of the difference: from here on what works against it is named


def difference_sentence(
    emotion: str, changes: NDArray[np.floating], weights: NDArray[np.floating], *, who: str, than: str
) -> str:
    """Say how differently an emotion is heard in ``who`` than in ``than``, and through which features.

    changes: features [7] of ``who`` minus those of ``than``; weights: those [7] of the emotion.

    >>> changes = np.array([0, 0, 0, 0, 0.1, -0.25, 0])
    >>> difference_sentence("anger", changes, np.array([0, 0, 0, 0, 0.2, -0.2, 0.1]), who="B", than="A")
    'B is heard angrier than A (+0.07), mainly through less tonal stability (+0.05) and more dissonance (+0.02).'
    """
    parts = weights * changes
    total = float(parts.sum())
    more, less, as_much = COMPARED[emotion]
    ahead, against = (_named(changes, parts, sign=sign * (1.0 if total >= 0 else -1.0)) for sign in (1.0, -1.0))
    if abs(total) < EQUAL:
        opening = f"{who} is heard about {as_much} as {than} ({signed(total)})"
        return (
            f"{opening}: {listed(ahead)} and, against that, {listed(against)}." if ahead and against else f"{opening}."
        )
    opening = f"{who} is heard {more if total > 0 else less} than {than} ({signed(total)})"
    through = f", mainly through {listed(ahead)}" if ahead else ", through many small differences"
    strongest = float(-(parts * np.sign(total)).min())
    held = against[:1] if strongest >= max(SEEN, WORTH_SAYING * abs(total)) else []
    return f"{opening}{through}{f'; {held[0]} works against it' if held else ''}."


def _named(changes: NDArray[np.floating], parts: NDArray[np.floating], *, sign: float) -> list[str]:
    """Name the features whose parts have this sign, largest first, until they make up most of what there is."""
    towards = np.maximum(sign * parts, 0.0)
    found: list[str] = []
    named = 0.0
    for column in np.argsort(-towards, kind="stable")[:MAX_NAMED]:
        if towards[column] < SEEN or named >= MOST * towards.sum():
            break
        named += float(towards[column])
        way = "more" if changes[column] > 0 else "less"
        found.append(f"{way} {spoken(MIDLEVEL_NAMES[column])} ({signed(float(parts[column]))})")
    return found
