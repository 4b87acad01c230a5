"""Who counts: rules fixed beforehand, and a ledger of everyone whom a rule left out, with the figure that broke it.

Conventions
-----------
A rule that is None is not applied. Practice answers are never analysed; all other rows of those who stay are kept.

- ``least_catch_share``: of catch trials whose condition is another than its other, share passed: a response above 0
  (``condition`` is the obviously right answer)
- ``least_repeat_share``: of repeat trials, share whose response is within ``repeat_tolerance`` of that, or the mean of
  those, to the same trial in the main phase; of pairs and abx, whose response must be the same
- ``least_listened_share``: median, over main trials, of listened_ms over ``trial_ms``, the length of what there is
- ``fastest_median_ms``: median of rt_ms over main trials, at least
- ``headphones``: the check must have been passed
- ``least_answers_share``: of the main trials that the participant has rows of, share with a response
- ``most_same_share``: of main trials, largest share of one response, at most: who always answers the same

Figures that cannot be told (no catch trial, no time recorded) are in the ledger as well; they leave nobody out unless
``exclude_unknown``.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from emomod.checks import check_number
from emomod.errors import InputError
from listening_study.analysis.tables import STIMULUS, check_table

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["participant", "phase", "trial_type", *STIMULUS, "response", "rt_ms", "listened_ms", "headphone_pass"]
LEDGER = ["participant", "rule", "figure", "limit", "excluded"]
STEPS = {"pair": 0.0, "abx": 0.0, "ccr": 1.0, "scale": 1.0, "sliders": 10.0}  # what a step is, by trial type
MOST = ("most_same_share",)  # rules whose limit is an upper one


@dataclass(frozen=True)
class Rules:
    """What leaves a participant out; None: not applied."""

    least_catch_share: float | None = 0.75
    least_repeat_share: float | None = None  # what cannot be heard is answered by chance
    repeat_tolerance: float = 1.0  # steps of the scale; a step of sliders is 10
    least_listened_share: float | None = None
    trial_ms: float | None = None
    fastest_median_ms: float | None = None
    headphones: bool = False
    least_answers_share: float | None = 0.5
    most_same_share: float | None = None
    exclude_unknown: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not isinstance(value, bool):
                check_number(field.name, value, low=0.0, high=1.0 if field.name.endswith("_share") else np.inf)
        if self.least_listened_share is not None and not self.trial_ms:
            raise InputError(f"trial_ms must be above 0 for least_listened_share, got {self.trial_ms}")


@dataclass(frozen=True, eq=False)
class Screened:
    """The answers that count, and why others do not."""

    kept: "pd.DataFrame"  # without practice and without those left out
    ledger: "pd.DataFrame"  # participant, rule, figure, limit, excluded: a row for each rule broken or not known
    n_participants: int
    n_excluded: int
    n_practice: int  # answers


def screen(table: "pd.DataFrame", *, rules: Rules) -> Screened:
    """Apply ``rules`` to a table of answers; InputError where nobody would be left."""
    import pandas as pd

    check_table(table, COLUMNS)
    rows = []
    for participant, answers in table.groupby("participant", sort=True):
        rows += [(participant, *broken) for broken in _broken(answers, rules)]
    ledger = pd.DataFrame(rows, columns=LEDGER).astype({"excluded": bool})
    left_out = set(ledger.loc[ledger["excluded"], "participant"])
    practice = table["phase"] == "practice"
    kept = table[~practice & ~table["participant"].isin(left_out)].reset_index(drop=True)
    n_participants = table["participant"].nunique()
    if not len(kept):
        raise InputError(
            f"rules must leave some answers, got {len(left_out)} of {n_participants} participants excluded"
        )
    return Screened(kept, ledger, n_participants, len(left_out), int(practice.sum()))


def _broken(answers: "pd.DataFrame", rules: Rules) -> list[tuple[str, float, float, bool]]:
    """Rule, figure, limit and whether it excludes, of each rule that one participant broke or has no figure for."""
    figures: dict[str, Callable[[], float]] = {
        "least_catch_share": lambda: catch_share(answers),
        "least_repeat_share": lambda: repeat_share(answers, tolerance=rules.repeat_tolerance),
        "least_listened_share": lambda: _main_median(answers, "listened_ms") / (rules.trial_ms or np.nan),
        "fastest_median_ms": lambda: _main_median(answers, "rt_ms"),
        "headphones": lambda: _headphones(answers),
        "least_answers_share": lambda: float(_main(answers)["response"].notna().mean()) if len(_main(answers)) else 0.0,
        "most_same_share": lambda: _same_share(answers),
    }
    found = []
    for rule, figure_of in figures.items():
        limit = getattr(rules, rule)
        if limit is None or limit is False:
            continue
        figure, limit = figure_of(), float(limit)
        if np.isnan(figure):
            found.append((rule, figure, limit, rules.exclude_unknown))
        elif figure > limit if rule in MOST else figure < limit:
            found.append((rule, figure, limit, True))
    return found


def _main(answers: "pd.DataFrame") -> "pd.DataFrame":
    return answers[answers["phase"] == "main"]


def _main_median(answers: "pd.DataFrame", column: str) -> float:
    known = _main(answers)[column].astype(float).dropna()
    return float(known.median()) if len(known) else float("nan")


def _headphones(answers: "pd.DataFrame") -> float:
    known = answers["headphone_pass"].dropna()
    return float(known.astype(bool).all()) if len(known) else float("nan")


def _same_share(answers: "pd.DataFrame") -> float:
    known = _main(answers)["response"].dropna()
    return float(known.value_counts(normalize=True).max()) if len(known) else float("nan")


def catch_share(answers: "pd.DataFrame") -> float:
    """Share 0..1 of catch trials that one participant passed, one without an answer is not; NaN without any."""
    caught = answers[(answers["phase"] == "catch") & (answers["condition"] != answers["other"])]
    return float((caught["response"] > 0).mean()) if len(caught) else float("nan")


def repeat_share(answers: "pd.DataFrame", *, tolerance: float) -> float:
    """Share 0..1 of repeat trials that one participant answered as before; NaN without any that can be compared."""
    keys = ["trial_type", *STIMULUS]
    answered = answers[answers["response"].notna()].assign(other=answers["other"].fillna(""))
    before = _main(answered).groupby(keys)["response"].mean().rename("before").reset_index()
    both = answered[answered["phase"] == "repeat"].merge(before, on=keys, how="inner")
    if not len(both):
        return float("nan")
    allowed = tolerance * both["trial_type"].map(STEPS).to_numpy(dtype=np.float64)
    return float((np.abs(both["response"] - both["before"]) <= allowed + 1e-9).mean())
