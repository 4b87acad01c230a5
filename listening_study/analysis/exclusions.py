"""Who counts: rules fixed beforehand, and a ledger of everyone whom a rule left out, with the figure that broke it.

Conventions
-----------
A rule that is None is not applied. Practice answers are never analysed; all other rows of those who stay are kept.

- ``least_catch_share``: of catch trials with a right answer (``condition`` is another than ``other``), share in which
  the response is above 0
- ``least_repeat_share``: of repeat trials, share whose response is within ``repeat_tolerance`` of that, or the mean of
  those, to the same trial in the main phase; of pairs and abx, whose response must be the same
- ``least_answers_share``: of the main trials that the participant has rows of, share with a response
- ``headphones``: the check must have been passed; who was not checked has not

Other figures that cannot be told (no catch trial, no repeat) are in the ledger, and leave nobody out.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emomod.checks import check_number
from emomod.errors import InputError
from listening_study.analysis.tables import STIMULUS, check_table

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["participant", "phase", "trial_type", *STIMULUS, "response", "headphone_pass"]
LEDGER = ["participant", "rule", "figure", "limit", "excluded"]
FIGURES = {
    "least_catch_share": "catch_share",
    "least_repeat_share": "repeat_share",
    "least_answers_share": "answers_share",
    "headphones": "headphones",
}  # what the figure of each rule is called
SAID = {
    "least_catch_share": "share of catch trials passed",
    "least_repeat_share": "share of repeats answered alike",
    "least_answers_share": "share of trials answered",
    "headphones": "headphone check passed",
}  # in words
STEPS = {"pair": 0.0, "abx": 0.0, "ccr": 1.0, "scale": 1.0, "sliders": 10.0}  # what a step is, by trial type


@dataclass(frozen=True)
class Rules:
    """What leaves a participant out; None: not applied."""

    least_catch_share: float | None = 0.75
    least_repeat_share: float | None = None  # what cannot be heard is answered by chance
    repeat_tolerance: float = 1.0  # steps of the scale; a step of sliders is 10
    least_answers_share: float | None = 0.5
    headphones: bool = False

    def __post_init__(self) -> None:
        for name in ("least_catch_share", "least_repeat_share", "least_answers_share"):
            if (share := getattr(self, name)) is not None:
                check_number(name, share, low=0.0, high=1.0)
        check_number("repeat_tolerance", self.repeat_tolerance, low=0.0)


@dataclass(frozen=True, eq=False)
class Screened:
    """The answers that count, and why others do not."""

    kept: "pd.DataFrame"  # without practice and without those left out
    ledger: "pd.DataFrame"  # participant, rule, figure, limit, excluded: a row for each rule broken or not known
    listeners: "pd.DataFrame"  # participant, the figures of all rules, excluded: a row for each participant
    n_participants: int
    n_excluded: int
    n_practice: int  # answers


def screen(table: "pd.DataFrame", *, rules: Rules) -> Screened:
    """Apply ``rules`` to a table of answers; InputError where nobody would be left."""
    import pandas as pd

    check_table(table, COLUMNS)
    figures = {str(name): _figures(answers, rules) for name, answers in table.groupby("participant", sort=True)}
    rows = [(name, *broken) for name, mine in figures.items() for broken in _broken(mine, rules)]
    ledger = pd.DataFrame(rows, columns=LEDGER).astype({"excluded": bool})
    left_out = set(ledger.loc[ledger["excluded"], "participant"])
    told = [
        {"participant": name, **{FIGURES[rule]: figure for rule, figure in mine.items()}, "excluded": name in left_out}
        for name, mine in figures.items()
    ]
    practice = table["phase"] == "practice"
    kept = table[~practice & ~table["participant"].isin(left_out)].reset_index(drop=True)
    n_participants = table["participant"].nunique()
    if not len(kept):
        broken = ", ".join(f"{rule}: {SAID[rule]}" for rule in dict.fromkeys(ledger.loc[ledger["excluded"], "rule"]))
        raise InputError(
            f"rules must leave somebody, but leave out all participants ({n_participants}), by {broken}; lower a limit"
        )
    return Screened(kept, ledger, pd.DataFrame(told), n_participants, len(left_out), int(practice.sum()))


def _figures(answers: "pd.DataFrame", rules: Rules) -> dict[str, float]:
    """What each rule looks at, for one participant; NaN where it cannot be told."""
    main = answers[answers["phase"] == "main"]
    return {
        "least_catch_share": catch_share(answers),
        "least_repeat_share": repeat_share(answers, tolerance=rules.repeat_tolerance),
        "least_answers_share": float(main["response"].notna().mean()) if len(main) else 0.0,
        "headphones": _headphones(answers),
    }


def _broken(figures: dict[str, float], rules: Rules) -> list[tuple[str, float, float, bool]]:
    """Rule, figure, limit and whether it excludes, of each rule that is broken or has no figure."""
    found = []
    for rule, figure in figures.items():
        limit = getattr(rules, rule)
        if limit is None or limit is False:
            continue
        if np.isnan(figure):
            found.append((rule, figure, float(limit), rule == "headphones"))
        elif figure < limit:
            found.append((rule, figure, float(limit), True))
    return found


def _headphones(answers: "pd.DataFrame") -> float:
    known = answers["headphone_pass"].dropna()
    return float(known.astype(bool).all()) if len(known) else float("nan")


def catch_share(answers: "pd.DataFrame") -> float:
    """Share 0..1 of catch trials that one participant passed, one without an answer is not; NaN without any."""
    caught = answers[(answers["phase"] == "catch") & (answers["condition"] != answers["other"])]
    return float((caught["response"] > 0).mean()) if len(caught) else float("nan")


def repeat_share(answers: "pd.DataFrame", *, tolerance: float) -> float:
    """Share 0..1 of repeat trials that one participant answered as before; NaN without any that can be compared."""
    keys = ["trial_type", *STIMULUS]
    answered = answers[answers["response"].notna()].assign(other=answers["other"].fillna(""))
    before = answered[answered["phase"] == "main"].groupby(keys)["response"].mean().rename("before").reset_index()
    both = answered[answered["phase"] == "repeat"].merge(before, on=keys, how="inner")
    if not len(both):
        return float("nan")
    allowed = tolerance * both["trial_type"].map(STEPS).to_numpy(dtype=np.float64)
    return float((np.abs(both["response"] - both["before"]) <= allowed + 1e-9).mean())
