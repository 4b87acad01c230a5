"""What the figures of a run mean, in words that need no statistics."""

import math
from collections.abc import Mapping
from typing import Any

HINTS = {
    "melodiousness": "how easy it is to sing along",
    "articulation": "legato to staccato",
    "rhythm_complexity": "how hard the rhythm is to tap",
    "rhythm_stability": "how easy it is to march to",
    "dissonance": "how harsh it sounds",
    "tonal_stability": "how clear the key is",
    "minorness": "how much it sounds minor",
    "valence": "unpleasant to pleasant",
    "energy": "calm to lively",
    "tension": "relaxed to tense",
}
CONTROL_WORDS = {"count": "of as many parts", "energy": "of parts with as much sound energy"}
SIGNIFICANT = 0.05
CLEAR_R2, FAIR_R2 = 0.7, 0.4
DIRECTIONS = {"enhanced": "up", "weakened": "down"}


def number(value: float | None, digits: int = 3) -> str:
    """Write a number, or that there is none.

    >>> number(0.5), number(-0.25, 1), number(float("nan"))
    ('0.500', '−0.2', 'not defined')
    """
    if value is None or not math.isfinite(value):
        return "not defined"
    return f"{value:.{digits}f}".replace("-", "−")


def signed(value: float | None, digits: int = 3) -> str:
    """Write a change with its sign.

    >>> signed(0.0341), signed(-6.0, 1)
    ('+0.034', '−6.0')
    """
    return number(value, digits) if value is None or value < 0 or not math.isfinite(value) else f"+{value:.{digits}f}"


def parts(count: int) -> str:
    """Write a number of parts.

    >>> parts(1), parts(12)
    ('1 part', '12 parts')
    """
    return f"{count} part" if count == 1 else f"{count} parts"


def off_words(off: str) -> str:
    """Say what happens to a part that is off.

    >>> off_words("-6dB"), off_words("silence")
    ('turned down by 6 dB', 'silenced')
    """
    return "silenced" if off == "silence" else f"turned down by {off.removeprefix('-').removesuffix('dB').strip()} dB"


def describe_versions(record: Mapping[str, Any], *, target: str) -> dict[str, str]:
    """Say what each version is; ``target`` as it is spoken."""
    n_for, n_against = record["n_positive"], record["n_negative"]
    gain, sides = abs(record["gain_db"]), record["settings"]["modify"]["sides"]
    changes = {
        "positive": [(f"the {parts(n_for)} for {target}", 1)] if n_for and sides != "negative" else [],
        "negative": [(f"the {parts(n_against)} against it", -1)] if n_against and sides != "positive" else [],
    }
    chosen = [*changes["positive"], *changes["negative"]]

    def turned(direction: int) -> str:
        words = [f"{what} {'up' if sign * direction > 0 else 'down'} by {gain:g} dB" for what, sign in chosen]
        return " and ".join(words) if words else "nothing stood out to be changed: same as the original"

    return {
        "original": "the clip as it is",
        "enhanced": turned(1),
        "weakened": turned(-1),
        "positive": f"only the {parts(n_for)} for {target}" if n_for else f"silent: nothing stands out for {target}",
        "negative": f"only the {parts(n_against)} against it" if n_against else "silent: nothing stands out against it",
    }


def moved_as_meant(shift: float, version: str) -> bool:
    """True when a version moved its target the intended way."""
    return shift > 0 if version == "enhanced" else shift < 0


def verdict(
    version: str, *, target: str, before: float, shift: float, controls: Mapping[str, Mapping[str, float]]
) -> str:
    """Say how far one version moved the target and how that compares with random changes."""
    way = "up" if shift > 0 else "down"
    words = f"{target} went {way} by {number(abs(shift))}, from {number(before)} to {number(before + shift)}"
    if shift == 0:
        words = f"{target} stayed at {number(before)}"
    elif not moved_as_meant(shift, version):
        words += ", which is the wrong way"
    compared = [
        f"{_share(control)} random changes {CONTROL_WORDS.get(kind, kind)} (p = {number(control['p_value'], 2)})"
        for kind, control in controls.items()
    ]
    return f"{words}. That is further {DIRECTIONS[version]} than {' and '.join(compared)}."


def _share(control: Mapping[str, float]) -> str:
    if control["share_beaten"] == 1:
        return f"all {control['n']:.0f}"
    return f"{100 * control['share_beaten']:.0f} % of {control['n']:.0f}"


def headline(record: Mapping[str, Any], *, target: str) -> str:
    """Say in one sentence whether the change did what it was meant to do."""
    shifts = {version: moved[record["target"]] for version, moved in record["shifts"].items()}
    meant = [moved_as_meant(shift, version) for version, shift in shifts.items()]
    p_values = [control["p_value"] for kinds in record["controls"].values() for control in kinds.values()]
    if not any(shifts.values()):
        return f"Nothing changed: {target} stayed where it was."
    if all(meant) and max(p_values) <= SIGNIFICANT:
        return f"Yes: {target} moved the intended way both times, clearly further than random changes of the same size."
    if all(meant):
        return f"In part: {target} moved the intended way both times, but not always further than random changes."
    if any(meant):
        return f"In part: {target} moved the intended way in one version only."
    return f"No: {target} did not move the intended way."


def trust(r2: float | None) -> str:
    """Say what a neighbourhood R2 means.

    >>> trust(0.9), trust(0.5), trust(0.1)
    ('good', 'fair', 'poor: do not read much into the parts')
    """
    if r2 is None or not math.isfinite(r2):
        return "not defined"
    return "good" if r2 >= CLEAR_R2 else "fair" if r2 >= FAIR_R2 else "poor: do not read much into the parts"
