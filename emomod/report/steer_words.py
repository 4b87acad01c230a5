"""What the figures of a steered clip mean, in plain words: what was reached, what it costs, and whether it lasts."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from emomod.ear import EarCost
from emomod.labels import spoken
from emomod.report.words import change, number, parts, signed
from emomod.sentences import listed
from emomod.steered import Steered, asked_of
from emomod.steering.equaliser import Equaliser
from emomod.steering.request import Request
from emomod.steering.search import HELD_WITHIN, WITHIN

HEARS, HEARS_SOME = 0.5, 0.1  # share of a shift that another model hears
LASTS = 0.8  # share of a shift that is left
AS_WELL, IN_PART = 0.9, 0.4  # shares of the shift that something simpler reaches
MOST_NAMED = 3  # other scores that moved

ASKED = {"max": "as high as it goes", "min": "as low as it goes", "hold": "to stay"}

READINGS = {
    "Size of the change": "How far parts were turned, root mean square over all that is audible. 0 is no change.",
    "Level change": "How much louder (+) or softer (−) the clip became, before the files were made equally loud.",
    "Spectral distance": "How far the spectra differ at equal loudness, root mean square over all that is audible. "
    "In speech coding 1 dB counts as unheard.",
    "Transient smear": "How much softer (+) or sharper (−) {} of the clip became, on average.",
    "Consistency error": "How far the sound is from the spectrogram that the gains asked for, here {} of it; lower is "
    "better.",
    "ViSQOL": "4.73 is the same sound. It was made for coded music: it tells how clearly the change is heard, not "
    "whether it is bad.",
}
NO_ATTACKS = "The clip has no clear attacks that could become softer."

Array = NDArray[np.float64]


def asked_words(request: Request, name: str) -> str:
    """Say what was asked of a score.

    >>> request = Request({"happy": 0.1}, hold=("energy",))
    >>> asked_words(request, "happy"), asked_words(request, "energy")
    ('+0.1', 'to stay')
    """
    asked = asked_of(request, name)
    if asked in ASKED:
        return ASKED[asked]
    return signed(float(asked)) if request.nearest else asked.replace("-", "−")


def verdict(request: Request, name: str, shift: float) -> str:
    """Say whether a score did what was asked of it.

    >>> request = Request({"happy": 0.1}, hold=("energy",))
    >>> verdict(request, "happy", 0.105), verdict(request, "happy", 0.06), verdict(request, "energy", -0.05)
    ('reached', 'missed by 0.040', 'moved all the same')
    """
    if name in request.hold:
        return "stayed" if abs(shift) <= HELD_WITHIN else "moved all the same"
    asked = request.shifts[name]
    if not np.isfinite(asked):
        return "went that way" if shift * asked > 0 else "did not go that way"
    return "reached" if abs(shift - asked) <= WITHIN else f"missed by {number(abs(shift - asked))}"


def others_moved(steered: Steered) -> str:
    """Say which scores moved most of those that nothing was asked of; empty where there are none."""
    named = {*steered.request.shifts, *steered.request.hold}
    shifts = dict(zip(steered.names, steered.shift.tolist(), strict=True))
    order = sorted((name for name in steered.names if name not in named), key=lambda name: -abs(shifts[name]))
    if not order:
        return ""
    words = listed([f"{spoken(name)} ({signed(shifts[name])})" for name in order[:MOST_NAMED]])
    said = f"Nothing was asked of the other scores; of these, {words} moved most."
    if further := steered.moved_further[:MOST_NAMED]:
        verb = "moves" if len(further) == 1 else "move"
        said += (
            f" {listed([spoken(name) for name in further]).capitalize()} {verb} at least as far as what was asked for."
        )
    return said


def share_of(found: Array, steered: Steered) -> float | None:
    """How much of the shifts that were asked for is in shifts [n_names]; None where the clip did not move.

    With several scores it is the share along the way that the clip went: 1 as far, 0 none of it, below 0 back.
    """
    rows = [steered.names.index(name) for name in steered.request.shifts]
    went = steered.shift[rows]
    length = float(went @ went)
    return float(found[rows] @ went) / length if length > 0 else None


def percent(share: float | None) -> str:
    """Write a share.

    >>> percent(0.234), percent(-0.05), percent(None)
    ('23 %', '−5 %', 'not defined')
    """
    return "not defined" if share is None else f"{round(100 * share) + 0:d} %".replace("-", "−")


def cost_rows(cost: EarCost, *, size_db: float) -> list[tuple[str, str, str]]:
    """What a change costs the listener: name, figure, how to read it; without what is not known."""
    attacks = "the one attack" if cost.n_attacks == 1 else f"the {cost.n_attacks} attacks"
    smear = READINGS["Transient smear"].format(attacks) if cost.n_attacks else NO_ATTACKS
    rows = [
        ("Size of the change", f"{number(size_db, 1)} dB", READINGS["Size of the change"]),
        ("Level change", f"{change(cost.level_change_lu, 1)} LU", READINGS["Level change"]),
        ("Spectral distance", f"{number(cost.spectral_distance_db, 1)} dB", READINGS["Spectral distance"]),
        ("Transient smear", f"{change(cost.transient_smear_db, 1)} dB", smear),
    ]
    if cost.consistency_error_db is not None:
        share = f"{100.0 * 10.0 ** (cost.consistency_error_db / 20.0):.1f} %"
        reading = READINGS["Consistency error"].format(share)
        rows.append(("Consistency error", f"{number(cost.consistency_error_db, 1)} dB", reading))
    if cost.mos_lqo is not None:
        rows.append(("ViSQOL", f"{number(cost.mos_lqo, 2)} of 5", READINGS["ViSQOL"]))
    return rows


def middle_random(steered: Steered) -> Array:
    """The shifts [n_names] of the random change that went the middle way, of an even number the farther of the two."""
    shares = [share_of(shift, steered) or 0.0 for shift in steered.controls.random]
    return np.asarray(steered.controls.random[np.argsort(shares, kind="stable")[len(shares) // 2]])


def random_words(steered: Steered) -> str:
    """Say how far random changes of the same size went."""
    shares = [share_of(shift, steered) for shift in steered.controls.random]
    n, as_far = len(shares), sum(share is not None and share >= 1.0 for share in shares)
    told = {0: "none", n: "all"}.get(as_far, f"{as_far}")
    return (
        f"The same gains were given to other parts at random, {n} {'time' if n == 1 else 'times'}: {told} of these "
        "changes went as far; the middle one is in the table."
    )


def sums_words(sums: Mapping[str, tuple[float, float]], *, n_components: int, components: str) -> str:
    """Say what the shares of all parts sum to, of what shift, by score.

    >>> sums_words({"happy": (0.0991, 0.1)}, n_components=285, components="felzenszwalb")
    'The shares of all 285 parts (felzenszwalb) sum to +0.099 of +0.100 for happy.'
    """
    told = [f"{change(total, 3)} of {change(shift, 3)} for {spoken(name)}" for name, (total, shift) in sums.items()]
    return f"The shares of all {n_components} parts ({components}) sum to {listed(told)}."


def shown_words(shown: Sequence[str], *, n_asked: int) -> str:
    """Say which of many scores the rest of the page shows; nothing where it shows all.

    >>> shown_words(["happy", "sad"], n_asked=5)
    'Below stand the 2 of these 5 that moved most, happy and sad; shifts.csv has all.'
    >>> shown_words(["happy", "sad"], n_asked=2)
    ''
    """
    if len(shown) == n_asked:
        return ""
    names = listed([spoken(name) for name in shown])
    return f"Below stand the {len(shown)} of these {n_asked} that moved most, {names}; shifts.csv has all."


def simpler_words(steered: Steered) -> str:
    """Answer whether something simpler would have done it: the equaliser, or random parts."""
    middle = share_of(middle_random(steered), steered) or 0.0
    control = steered.controls.equaliser
    shares = {"the equaliser": (share_of(control.shift, steered) or 0.0) if control else 0.0, "random parts": middle}
    best = max(shares, key=lambda name: shares[name])
    if shares[best] >= AS_WELL:
        return f"Yes: {best} did as well, by as large a change."
    if shares[best] >= IN_PART:
        return f"In part: {best} reached {percent(shares[best])} of it by as large a change."
    return f"Not by as large a change: the best of what was tried, {best}, reached {percent(shares[best])} of it."


def equaliser_words(equaliser: Equaliser) -> str:
    """Say what an equaliser does, from low to high.

    >>> flat = Equaliser([3.0, 0, 0, 0, 0, -2.0], [80, 200, 500, 1000, 3000, 8000], [0.7] * 6)
    >>> equaliser_words(flat)
    'low shelf at 80 Hz +3.0 dB, high shelf at 8000 Hz −2.0 dB'
    """
    kinds = ["low shelf", *["peak"] * (equaliser.gains_db.size - 2), "high shelf"]
    bands = sorted(zip(equaliser.frequencies, equaliser.gains_db, kinds, strict=True), key=lambda band: band[0])
    said = [f"{kind} at {hz:.0f} Hz {change(gain, 1)} dB" for hz, gain, kind in bands if abs(gain) >= 0.05]
    return ", ".join(said) or "it left the sound as it was"


def lasting_words(steered: Steered) -> str:
    """Say whether the shift is there after the files were treated."""
    shares = {way: share_of(shift, steered) for way, shift in steered.lasting.items()}
    known = {way: share for way, share in shares.items() if share is not None}
    if not known:
        return "The clip did not move, so there is nothing that could last."
    worst = min(known, key=lambda way: known[way])
    if known[worst] >= LASTS:
        return f"The shift lasts: at least {int(100 * known[worst])} % of it is left in each case."
    return f"The shift is fragile: {percent(known[worst])} of it is left after “{worst}”."


def transfer_words(steered: Steered) -> str:
    """Say what other models hear, or that nothing is known of that."""
    if not steered.transfers:
        return (
            "No other model with these scores was at hand: nothing is known of how far the shift carries over to other "
            "models, so it may be such an artefact."
        )
    judges = [(each.model, share_of(each.shift, steered)) for each in steered.transfers if not each.used]
    if not judges:
        return "The other models took part in the search: none is left to judge whether a fresh one hears the shift."
    words = [_heard_by(model, share) for model, share in judges]
    if not steered.record["settings"]["robust"] and any(share is not None and share < HEARS for _, share in judges):
        words.append("A robust search (--robust) listens to other models, too.")
    return " ".join(words)


def _heard_by(model: str, share: float | None) -> str:
    if share is None:
        return f"The clip did not move, so {model} can tell nothing."
    if share >= HEARS:
        return f"{model}, which took no part in the search, hears it, too: {percent(share)} of it."
    if share >= HEARS_SOME:
        return f"{model}, which took no part in the search, hears less than half of it: {percent(share)}."
    return f"{model}, which took no part in the search, does not hear it ({percent(share)}): take it for an artefact."


def mixing_words(gains: Mapping[str, float]) -> str:
    """Say how the parts were mixed, from mean gains (dB) by name.

    >>> mixing_words({"strings": -3.02, "drums": 2.1})
    'drums +2.1 dB, strings −3.0 dB'
    """
    order = sorted(gains, key=lambda part: -gains[part])
    return ", ".join(f"{part} {change(gains[part], 1)} dB" for part in order)


def rules_words(request: Request) -> str:
    """Say how far the sound was allowed to change."""
    rules = [f"parts by at most {request.max_gain_db:g} dB up and down"]
    rules += [f"between {each.low:g} and {each.high:g} Hz by at most {each.gain_db:g} dB" for each in request.limits]
    if request.budget_db is not None:
        rules.append(f"all of the sound by at most {request.budget_db:g} dB, root mean square")
    if request.most_changed is not None:
        rules.append(f"only {parts(request.most_changed)}")
    if request.smoothness:
        rules.append(f"neighbours alike (weight {request.smoothness:g})")
    return listed(rules)


def turned_words(up: int, down: int, *, share: float, n_components: int) -> str:
    """Say how many parts make up a share of the change.

    >>> turned_words(12, 1, share=0.95, n_components=300)
    '12 parts turned up and 1 part turned down make up 95 % of the change; the other 287 are left clear.'
    """
    others = n_components - up - down
    rest = f"; the other {others} {'is' if others == 1 else 'are'} left clear" if others else ""
    return f"{parts(up)} turned up and {parts(down)} turned down make up {percent(share)} of the change{rest}."
