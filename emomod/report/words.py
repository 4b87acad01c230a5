"""What the figures of a run mean, in words that need no statistics."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from emomod.labels import spoken

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
MAX_NAMED = 4  # other scores named in a sentence


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


def change(value: float, digits: int = 2) -> str:
    """Write a change with its sign; what rounds to 0 has a plus.

    >>> change(0.341), change(-0.06), change(-0.001)
    ('+0.34', '−0.06', '+0.00')
    """
    return signed(round(value, digits) + 0.0, digits)


def printed(sentence: str) -> str:
    """Write the changes in a sentence with the minus sign of print, as numbers of a page are; words keep their hyphens.

    >>> printed("B is heard calmer than a-1 (-0.07), through less tonal stability (-0.05 to +0.02)")
    'B is heard calmer than a-1 (−0.07), through less tonal stability (−0.05 to +0.02)'
    """
    return re.sub(r"(?<![\w.-])-(?=\d+\.\d\d(?![\d.]))", "−", sentence)


def parts(count: int) -> str:
    """Write a number of parts.

    >>> parts(1), parts(12)
    ('1 part', '12 parts')
    """
    return f"{count} part" if count == 1 else f"{count} parts"


OFF_WORDS = {
    "silence": "silenced",
    "mean": "evened out to its mean",
    "noise_floor": "lowered to the noise floor of the clip",
    "background": "replaced by the median sound of the clip",
}


def off_words(off: str) -> str:
    """Say what happens to a part that is off.

    >>> off_words("-6dB"), off_words("silence")
    ('turned down by 6 dB', 'silenced')
    """
    return OFF_WORDS.get(off, f"turned down by {off.removeprefix('-').removesuffix('dB').strip()} dB")


def carried_by(complexity: float, n_components: int) -> str:
    """Say over how many parts the weights are spread, from their entropy (nats).

    >>> carried_by(math.log(12), 300)
    'as evenly as over 12 of 300'
    """
    return f"as evenly as over {max(1, round(math.exp(complexity)))} of {n_components}"


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
        f"{_share(control)} random changes {CONTROL_WORDS.get(kind, kind)} ({p_words(control)})"
        for kind, control in controls.items()
    ]
    return f"{words}. That is further {WAYS[version]} than {_explained_once(' and '.join(compared))}."


def _explained_once(words: str) -> str:
    """Leave out what "smallest" means wherever it was just said.

    >>> _explained_once("a (p ≤ 0.5, the smallest that 1 can show) and b (p ≤ 0.5, the smallest that 1 can show)")
    'a (p ≤ 0.5, the smallest that 1 can show) and b (p ≤ 0.5)'
    """
    opening, smallest, rest = words.partition(", the smallest")
    return opening + smallest + re.sub(r", the smallest[^)]*", "", rest)


def p_words(control: Mapping[str, float]) -> str:
    """Write a p-value; where all n random changes are beaten it is 1 / (n + 1), the smallest there is, rounded up.

    >>> p_words({"p_value": 0.03, "share_beaten": 0.98, "n": 99})
    'p = 0.03'
    >>> p_words({"p_value": 1 / 30, "share_beaten": 1.0, "n": 29})
    'p ≤ 0.034, the smallest that 29 random changes can show'
    """
    if control["share_beaten"] < 1:
        return f"p = {control['p_value']:.2g}"
    n = round(control["n"])
    scale = 10 ** (len(str(n)) + 1)
    smallest = -(-scale // (n + 1)) / scale
    return f"p ≤ {smallest:g}, the smallest that {n} random change{'' if n == 1 else 's'} can show"


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


def moved_further(record: Mapping[str, Any]) -> str:
    """Say which other scores moved at least as far as the target; empty where nothing was changed or measured.

    >>> moved = {"enhanced": ["tension"], "weakened": []}
    >>> record = {"moved_further": moved, "settings": {"modify": {"sides": "positive"}}, "n_positive": 1, "gain_db": 6}
    >>> moved_further(record | {"shifts": {"enhanced": {"tension": 0.0731}, "weakened": {"tension": 0.0}}})
    'Other scores moved at least as far: enhanced: tension (+0.073); weakened: none.'
    """
    further = record.get("moved_further", {})
    if not further or why_unchanged(record):
        return ""
    if not any(further.values()):
        return "No other score moved as far as the target."
    listed = [f"{version}: {_named(names, record['shifts'][version])}" for version, names in further.items()]
    return f"Other scores moved at least as far: {'; '.join(listed)}."


def _named(names: Sequence[str], shifts: Mapping[str, float]) -> str:
    words = [f"{spoken(name)} ({signed(shifts[name])})" for name in names[:MAX_NAMED]]
    more = [f"{len(names) - MAX_NAMED} more in the table"] if len(names) > MAX_NAMED else []
    return ", ".join([*words, *more]) or "none"


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
        "Bold changes are larger than nearly all random changes of the same size "
        f"(p at most {SIGNIFICANT:g} against each kind); the others are not."
    )


def sidedness(record: Mapping[str, Any]) -> str:
    """Say what kind of p-values those of the target and of the table are."""
    n_scores = len(next(iter(record["shifts"].values())))
    return (
        "The target's p in the text above is one-sided (in the intended direction); those behind this table, of the "
        "other scores and of the target, are two-sided; none is corrected for the number of scores "
        f"({n_scores} scores × {len(record['shifts'])} versions)."
    )


def window_words(start: float) -> str:
    """Say from where on times are counted; empty where a window begins with its file.

    >>> window_words(0.0), window_words(12.5)
    ('', 'Times are counted from the start of the window, 12.5 s into the file.')
    """
    return f"Times are counted from the start of the window, {start:g} s into the file." if start > 0 else ""


def held_out_r(card: Mapping[str, Any]) -> dict[str, str]:
    """Write the correlations with held-out labels that a model card has, by name of the score.

    >>> held_out_r({"figures": {"test_r": {"valence": 0.789, "energy": None}}}), held_out_r({})
    ({'valence': 'r .79'}, {})
    """
    figures = card.get("figures")
    found = figures.get("test_r") if isinstance(figures, Mapping) else None
    known = found.items() if isinstance(found, Mapping) else ()
    return {
        name: f"r {number(r, 2).replace('0.', '.', 1)}"
        for name, r in known
        if isinstance(r, (int, float)) and math.isfinite(r)
    }


def trust(r2: float | None) -> str:
    """Say what a neighbourhood R2 means.

    >>> trust(0.9), trust(0.5), trust(0.1)
    ('good', 'fair', 'poor: do not read much into the parts')
    """
    if r2 is None or not math.isfinite(r2):
        return "not defined"
    return "good" if r2 >= CLEAR_R2 else "fair" if r2 >= FAIR_R2 else "poor: do not read much into the parts"
