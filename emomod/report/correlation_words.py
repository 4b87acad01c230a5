"""What stands on a page about correlations: every number comes from ``Correlations``."""

import math
from typing import Any

from emomod.correlations import CONFIDENCE, FEW, Correlations, Pairwise
from emomod.effects import CorpusEffects
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES, spoken
from emomod.report.words import change, number

NAMED = 3  # pairs named in a sentence
MIN_CLIPS = 4  # below, there are no intervals
N_PAIRS = len(MIDLEVEL_NAMES) * (len(MIDLEVEL_NAMES) - 1) // 2 + len(EMOTION_NAMES) * len(MIDLEVEL_NAMES)


def correlation_content(found: Correlations, effects: CorpusEffects) -> dict[str, Any]:
    """Return the section's words and the rows of its tables."""
    return {
        "strongest": strongest_words(found),
        "flips": flip_words(found),
        "induced": induced_words(effects),
        "exact": effects.induced,
        "inflation": inflation_words(found),
        "caution": caution_words(found),
        "factors": _factors(found) if _known(found) else [],
        "pairs": [
            {"a": spoken(a), "b": spoken(b), **_cell(found.among, MIDLEVEL_NAMES.index(a), MIDLEVEL_NAMES.index(b))}
            for a, b in found.strongest
        ],
        "emotions": (rows := _emotions(found)),
        "flipped": [row for pair in found.flips for row in rows if row["names"] == pair],
    }


def interval(low: float, high: float) -> str:
    """Write an interval.

    >>> interval(-0.204, 0.5), interval(float("nan"), float("nan"))
    ('−0.20 to 0.50', 'not defined')
    """
    return f"{number(low, 2)} to {number(high, 2)}" if math.isfinite(low) else "not defined"


def _cell(pairs: Pairwise, row: int, column: int) -> dict[str, str]:
    low, high = float(pairs.low[row, column]), float(pairs.high[row, column])
    return {"r": number(float(pairs.r[row, column]), 2), "interval": interval(low, high)}


def strongest_words(found: Correlations) -> str:
    """Name the pairs of features that are most correlated."""
    if found.n < MIN_CLIPS:
        return f"Of {found.n} clips nothing can be said of how the qualities hang together; that takes many more."
    if not found.strongest:
        return "No two qualities differ between these clips, so that nothing can be said of how they hang together."
    named = []
    for a, b in found.strongest[:NAMED]:
        cell = _cell(found.among, MIDLEVEL_NAMES.index(a), MIDLEVEL_NAMES.index(b))
        named.append(f"{spoken(a)} and {spoken(b)} (r = {cell['r']}, 95 % interval {cell['interval']})")
    return f"Most closely tied in these {found.n} clips are {'; '.join(named)}."


def flip_words(found: Correlations) -> str:
    """Say how many weights have the other sign than the correlation, with the clearest as an example."""
    if not found.flips:
        return "Here no pair shows that clearly."
    emotion, feature = found.flips[0]
    row, column = EMOTION_NAMES.index(emotion), MIDLEVEL_NAMES.index(feature)
    r, weight = found.with_emotions.r[row, column], found.weights[row, column]
    return (
        f"Here that is so for {len(found.flips)} of {len(EMOTION_NAMES) * len(MIDLEVEL_NAMES)} pairs, most of all for "
        f"{emotion} and {spoken(feature)}: clips with more {spoken(feature)} score {'higher' if r > 0 else 'lower'} on "
        f"{emotion} (r = {number(r, 2)}) because of what comes with it, while {spoken(feature)} itself "
        f"{'adds' if weight > 0 else 'takes away'} (weight {change(weight)}). Statistics calls that suppression."
    )


def induced_words(effects: CorpusEffects) -> str:
    """Say what a correlation of a feature with an emotion can tell, by where the emotions come from."""
    if not effects.induced:
        return (
            "The emotions here came with the table and are not the layer's, so that their correlations with the "
            "qualities are found, not made by the layer. The weights are those of the layer, whatever the table says "
            "of emotions; without correlations among the qualities one would expect a layer fitted to this table to "
            "look like the right half."
        )
    return (
        "A word of caution: the emotions here are nothing but weighted sums of the qualities, so that their "
        "correlations with the qualities are no findings about emotions. They follow, exactly, from the weights, "
        "from how much each quality varies in these clips, and from how the qualities hang together. Without "
        "correlations among the qualities both halves would have the same signs; where they differ, other qualities "
        "are at work."
    )


def inflation_words(found: Correlations) -> str:
    """Say which feature varies least on its own, and what a variance inflation factor means."""
    if not (known := _known(found)):
        return f"That takes at least {FEW} clips, which differ in the qualities; there are {found.n}."
    least = max(known, key=lambda column: found.inflation[column])
    row = _factors(found)[least]
    return (
        f"Least its own is {row['name']}: {row['shared']} of how it varies from clip to clip is foretold by the other "
        f"six (factor {row['factor']}). The factor says how many times larger the variance of a weight fitted on "
        "these clips would be than if the quality varied alone; 1 is best, and 5 or 10 is often called high, though "
        "no number is a rule. The layer was not fitted on these clips: here the factor says how seldom a quality "
        "changes alone."
    )


def caution_words(found: Correlations) -> str:
    """Say how far the intervals can be trusted."""
    missed = round((1 - CONFIDENCE) * N_PAIRS)
    return (
        f"r over n = {found.n} clips, intervals by Fisher's z. They take clips for independent draws; cuts of one "
        f"song are not, and then they are too narrow. Of {N_PAIRS} intervals about {missed} miss the true value by "
        "chance. All of it is about what the model hears in these clips, not about listeners, and other clips hang "
        "together in other ways."
    )


def _known(found: Correlations) -> list[int]:
    """The features that have a variance inflation factor."""
    return [column for column, factor in enumerate(found.inflation.tolist()) if not math.isnan(factor)]


def _factors(found: Correlations) -> list[dict[str, str]]:
    rows = []
    for name, factor in zip(MIDLEVEL_NAMES, found.inflation.tolist(), strict=True):
        shared = "not defined" if math.isnan(factor) else f"{100 * (1 - 1 / factor):.0f} %"
        written = "infinite" if math.isinf(factor) else number(factor, 1)
        rows.append({"name": spoken(name), "factor": written, "shared": shared})
    return rows


def _emotions(found: Correlations) -> list[dict[str, Any]]:
    """One row an emotion and feature, in their order."""
    return [
        {
            "names": (emotion, feature),
            "order": i,
            "emotion": spoken(emotion),
            "feature": spoken(feature),
            "weight": change(float(found.weights[i, j])),
            "slope": change(float(found.slopes[i, j])),
            "opposite": (emotion, feature) in found.flips,
            **_cell(found.with_emotions, i, j),
        }
        for i, emotion in enumerate(EMOTION_NAMES)
        for j, feature in enumerate(MIDLEVEL_NAMES)
    ]
