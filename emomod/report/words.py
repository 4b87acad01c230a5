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
WAYS = {"enhanced": "up", "weakened": "down"}
ENOUGH_CONTROLS = 19  # with fewer, beating all of them still leaves p above SIGNIFICANT


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


def why_unchanged(record: Mapping[str, Any]) -> str:
    """Say why no version differs from the original; empty where something was changed."""
    sides = record["settings"]["modify"]["sides"]
    chosen = [record[f"n_{side}"] for side in ("positive", "negative") if sides in (side, "both")]
    if not any(chosen):
        return "no part was selected"
    return "" if record["gain_db"] else "the gain is 0 dB"


def verdict(
    version: str,
    *,
    target: str,
    before: float,
    shift: float,
    controls: Mapping[str, Mapping[str, float]],
    unchanged: str = "",
) -> str:
    """Say how far one version moved the target and how that compares with random changes.

    ``unchanged``: why the version is the original, where it is.
    """
    if unchanged:
        return f"nothing changed, because {unchanged}: {target} stayed at {number(before)}."
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
    return f"{words}. That is further {WAYS[version]} than {' and '.join(compared)}."


def _share(control: Mapping[str, float]) -> str:
    if control["share_beaten"] in (0, 1):
        return f"{'all' if control['share_beaten'] else 'none of the'} {control['n']:.0f}"
    return f"{100 * control['share_beaten']:.0f} % of {control['n']:.0f}"


def headline(record: Mapping[str, Any], *, target: str) -> str:
    """Say in a sentence or two whether the change did what it was meant to do."""
    if reason := why_unchanged(record):
        return f"Nothing changed, because {reason}: {target} stayed where it was."
    shifts = {version: moved[record["target"]] for version, moved in record["shifts"].items()}
    meant = [moved_as_meant(shift, version) for version, shift in shifts.items()]
    if not any(shifts.values()):
        return f"Nothing moved: {target} stayed where it was."
    if all(meant):
        return _beside_controls(record, f"{target} moved the intended way both times")
    if any(meant):
        return f"In part: {target} moved the intended way in one version only."
    return f"No: {target} did not move the intended way."


def _beside_controls(record: Mapping[str, Any], moved: str) -> str:
    """Headline of two versions that ``moved`` as meant, beside random changes of the same size."""
    controls = [control for kinds in record["controls"].values() for control in kinds.values()]
    beats_all = min(control["share_beaten"] for control in controls) == 1
    if few := few_controls(record):
        if beats_all:
            return f"So far yes: {moved}, further than all random changes of the same size. {few}"
        return f"In part: {moved}, but some random changes of the same size moved it as far. {few}"
    if max(control["p_value"] for control in controls) <= SIGNIFICANT:
        return f"Yes: {moved}, clearly further than random changes of the same size."
    return f"In part: {moved}, but too many random changes of the same size moved it as far."


def few_controls(record: Mapping[str, Any]) -> str:
    """Say that a run made too few random changes to tell much; empty where it made enough."""
    n = min(control["n"] for kinds in record["controls"].values() for control in kinds.values())
    if n >= ENOUGH_CONTROLS:
        return ""
    changes = "change" if n == 1 else "changes"
    return f"With only {n:.0f} random {changes} of each kind this cannot tell much: ask for {ENOUGH_CONTROLS} or more."


def marking(record: Mapping[str, Any]) -> str:
    """Say which shifts in the table are marked, or why none is."""
    if few := few_controls(record):
        return f"No change is marked: even one that is larger than all random changes could be chance. {few}"
    return (
        "Coloured changes are larger than nearly all random changes of the same size "
        f"(p at most {SIGNIFICANT:g} against each kind); grey ones are not."
    )


def trust(r2: float | None) -> str:
    """Say what a neighbourhood R2 means.

    >>> trust(0.9), trust(0.5), trust(0.1)
    ('good', 'fair', 'poor: do not read much into the parts')
    """
    if r2 is None or not math.isfinite(r2):
        return "not defined"
    return "good" if r2 >= CLEAR_R2 else "fair" if r2 >= FAIR_R2 else "poor: do not read much into the parts"
