"""Names of the scores that the model gives, in the one order used everywhere.

Scores are on 0..1 (ratings x 0.1). Mid-level features: Aljanaki & Soleymani, A Data-driven Approach to Mid-level
Perceptual Musical Feature Modeling, ISMIR 2018. Emotions: Eerola & Vuoskoski, Psychology of Music 39(1), 2011.
"""

MIDLEVEL_NAMES: tuple[str, ...] = (
    "melodiousness",
    "articulation",
    "rhythm_complexity",
    "rhythm_stability",
    "dissonance",
    "tonal_stability",
    "minorness",
)
EMOTION_NAMES: tuple[str, ...] = ("valence", "energy", "tension", "anger", "fear", "happy", "sad", "tender")
SCORE_NAMES: tuple[str, ...] = MIDLEVEL_NAMES + EMOTION_NAMES
LEVELS = ("midlevel", "emotion", "score")


def level_of(name: str) -> str:
    """Return the level of a score: midlevel or emotion, or "score" for what only another model gives.

    >>> level_of("minorness"), level_of("happy"), level_of("guitar")
    ('midlevel', 'emotion', 'score')
    """
    if name in MIDLEVEL_NAMES:
        return "midlevel"
    return "emotion" if name in EMOTION_NAMES else "score"


def spoken(name: str) -> str:
    """Return a score's name as it is written in a sentence.

    >>> spoken("rhythm_stability")
    'rhythm stability'
    """
    return name.replace("_", " ")
