"""An explanation in one or two plain sentences."""

from collections.abc import Sequence

import numpy as np

from emomod.component_map import Location
from emomod.component_weights import Selection, select_components
from emomod.explanation import Effects, Explanation
from emomod.labels import EMOTION_NAMES, spoken

HIGH, LOW = 0.6, 0.4  # scores are ratings x 0.1 on 0..1
SHORT = 0.5  # s; of a longer component the beginning and end are named
ALL_REGISTERS = "all registers"
WHOLE = 0.98  # share of the sound from which on a component sounds all along
WIDE = 2.0**8  # times the lowest frequency: eight octaves
MOMENTS = 3  # components named for each side
BANDS = ((200.0, "below 200 Hz"), (2000.0, "between 200 Hz and 2 kHz"), (np.inf, "above 2 kHz"))


def degree(score: float) -> str:
    """Say how high a score of 0..1 is; scores are taken as they are written, with two decimals.

    >>> degree(0.88), degree(0.5), degree(0.401)
    ('high', 'middling', 'low')
    """
    written = round(score, 2)
    return "high" if written >= HIGH else "low" if written <= LOW else "middling"


def signed(value: float) -> str:
    """Write a change with its sign.

    >>> signed(0.391), signed(-0.052), signed(-0.001)
    ('+0.39', '-0.05', '+0.00')
    """
    return f"{round(value, 2) + 0.0:+.2f}"


def listed(words: Sequence[str]) -> str:
    """Write words, at least one, as a list.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def moment(location: Location) -> str:
    """Say when a component sounds: one time for a short one, a span for a long one.

    >>> moment(Location(1.0, 1.4, 1.2, 40, 150)), moment(Location(2.2, 5.4, 3.9, 40, 150))
    ('1.2 s', '2.2 to 5.4 s')
    """
    short = location.end - location.start < SHORT
    return f"{location.centre:.1f} s" if short else f"{location.start:.1f} to {location.end:.1f} s"


def register(location: Location) -> str:
    """Say in which register a component lies.

    >>> register(Location(0.0, 1.0, 0.5, 3000, 9000)), register(Location(0.0, 1.0, 0.5, 22, 10500))
    ('above 2 kHz', 'all registers')
    """
    if location.high / max(location.low, 1.0) > WIDE:
        return ALL_REGISTERS
    middle = float(np.sqrt(location.low * location.high))
    return next(words for limit, words in BANDS if middle < limit)


def what(location: Location) -> str:
    """Say what sounds, and in which register unless it is all of it.

    >>> what(Location(0.0, 1.0, 0.5, 22, 10500, "drums")), what(Location(0.0, 1.0, 0.5, 3000, 9000, "drums"))
    ('drums', 'drums, above 2 kHz')
    """
    words = register(location)
    if not location.part:
        return words
    return location.part if words == ALL_REGISTERS else f"{location.part}, {words}"


def places(locations: Sequence[Location], *, seconds: float = np.inf) -> str:
    """Say where components of a sound of ``seconds`` lie, grouped by what sounds and by register.

    >>> places([Location(1.0, 1.4, 1.2, 40, 150), Location(3.2, 5.6, 3.4, 40, 150), Location(5, 5.1, 5, 3000, 9000)])
    'at 1.2 s and 3.2 to 5.6 s (below 200 Hz); at 5.0 s (above 2 kHz)'
    >>> places([Location(0.0, 2.0, 1.2, 20, 11000, "drums")], seconds=2.0)
    'all along (drums)'
    """
    groups: dict[str, list[str]] = {}
    for location in sorted(locations, key=lambda found: found.centre):
        times = groups.setdefault(what(location), [])
        whole = location.end - location.start >= WHOLE * seconds
        if (time := "all along" if whole else f"at {moment(location)}") not in times:
            times.append(time)
    told = {
        words: listed([times[0], *(time.removeprefix("at ") for time in times[1:])]) for words, times in groups.items()
    }
    return "; ".join(f"{times} ({words})" for words, times in told.items())


def component_sentence(explanation: Explanation, selection: Selection) -> str:
    """Say which components carry the selection's target."""
    name = spoken(selection.target)
    if not selection.positive.size and not selection.negative.size:
        return f"No part of the sound stands out for or against {name} (rule {selection.rule})."
    sides = {"is carried by what sounds": selection.positive, "held back by what sounds": selection.negative}
    seconds = max(location.end for location in explanation.locations)
    parts = [
        f"{verb} {places([explanation.locations[index] for index in chosen[:MOMENTS]], seconds=seconds)}"
        for verb, chosen in sides.items()
        if chosen.size
    ]
    verb = "is " if not selection.positive.size else ""
    return f"{name.capitalize()} {verb}{', and '.join(parts)}."


def effect_sentence(explanation: Explanation, emotion: str) -> str:
    """Say which mid-level feature makes an emotion what it is."""
    score = explanation.score(emotion)
    height = degree(explanation.height(emotion))
    opening = f"{spoken(emotion).capitalize()} is {height} ({score:.2f})"
    if explanation.effects is None:
        return f"{opening}; this model has no mid-level features to explain it with."
    feature, effect = main_cause(explanation.effects, emotion, height)
    cause = explanation.score(feature)
    if height == "middling":
        return f"{opening}; what weighs most is {spoken(feature)} ({cause:.2f}, effect {signed(effect)})."
    return f"{opening} mainly because {spoken(feature)} is {degree(cause)} ({cause:.2f}, effect {signed(effect)})."


def main_cause(effects: Effects, emotion: str, degree: str) -> tuple[str, float]:
    """The mid-level feature with the largest effect that makes the emotion "high" or "low" (else of either sign)."""
    ordered = effects.of(emotion)
    direction = {"high": 1.0, "low": -1.0}.get(degree)
    towards = {name: value for name, value in ordered.items() if direction is None or direction * value > 0}
    return next(iter((towards or ordered).items()))


def consequence_sentence(explanation: Explanation, feature: str) -> str:
    """Say how high a mid-level feature is and which emotion it moves most."""
    score = explanation.score(feature)
    opening = f"{spoken(feature).capitalize()} is {degree(explanation.height(feature))} ({score:.2f})"
    if explanation.effects is None:
        return f"{opening}."
    by_emotion = {emotion: explanation.effects.of(emotion)[feature] for emotion in EMOTION_NAMES}
    emotion = max(by_emotion, key=lambda name: abs(by_emotion[name]))
    return f"{opening}; times its weight it adds {signed(by_emotion[emotion])} to {emotion}, its largest effect."


def explain_in_words(explanation: Explanation, selection: Selection) -> str:
    """Return one or two sentences on the selection's target: why it is what it is, and where in the sound that lies.

    For an emotion, that is also where its main cause among the mid-level features lies.
    """
    target = selection.target
    if target not in EMOTION_NAMES:
        return f"{consequence_sentence(explanation, target)} {component_sentence(explanation, selection)}"
    words = [effect_sentence(explanation, target)]
    if explanation.effects is not None:
        cause, _ = main_cause(explanation.effects, target, degree(explanation.height(target)))
        of_cause = select_components(explanation.weights, target=cause, rule=selection.rule)
        words.append(component_sentence(explanation, of_cause))
    return " ".join([*words, component_sentence(explanation, selection)])
