"""All that the analysis finds in the answers to a study, attribute by attribute.

Ratings of single versions are first made into shifts from the original (``tables.rating_shifts``); then every figure is
of shifts. Analysed are the main trials of those whom no rule left out.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emomod.bootstrap import Estimate, estimate
from emomod.checks import check_rng
from emomod.errors import InputError
from evaluation.checks import UndefinedWarning
from listening_study.analysis.agreement import Agreement, evaluate
from listening_study.analysis.ceiling import SplitHalf, split_half
from listening_study.analysis.detection import Proportion, abx, proportion
from listening_study.analysis.exclusions import Rules, Screened, screen
from listening_study.analysis.preference import Preference, fit_preference
from listening_study.analysis.resampling import cell_sums, draw_both, ratio
from listening_study.analysis.selectivity import Selectivity, selectivity
from listening_study.analysis.tables import main_answers, numbered, rating_shifts
from listening_study.conditions import ORIGINAL
from listening_study.package import Study
from listening_study.table import Answer, check_answers, predicted_of, to_frame

if TYPE_CHECKING:
    import pandas as pd

SIGNS = {"enhanced": 1.0, "weakened": -1.0, "opposite": -1.0}
MARGINS = {"pair": 0.2, "ccr": 0.5, "scale": 0.5, "sliders": 5.0}  # shifts below which nothing is heard, by trial type
LEAST_LISTENERS = 3


@dataclass(frozen=True)
class VersionFound:
    """A version, asked about an attribute, over all items and listeners."""

    attribute: str
    condition: str
    human: Estimate  # mean response, or shift of ratings
    model: float  # mean predicted shift
    n_answers: int


@dataclass(frozen=True)
class Detected:
    """ABX: whether a version can be told from the original."""

    condition: str
    right: Proportion
    d_prime: Estimate


@dataclass(frozen=True, eq=False)
class Findings:
    """What a study found."""

    screened: Screened
    agreements: dict[str, Agreement]  # by attribute
    ceilings: dict[str, SplitHalf]
    versions: tuple[VersionFound, ...]
    preferences: dict[str, Preference]  # of pairs, by attribute
    selectivity: Selectivity | None  # where versions were asked about other attributes than their own
    detected: tuple[Detected, ...]  # of ABX
    unknown: dict[str, str]  # figures that could not be had, and why


def analyse(
    study: Study, answers: Sequence[Answer], *, rules: Rules | None = None, rng: int | np.random.Generator = 0
) -> Findings:
    """Analyse the ``answers`` to ``study``; InputError where they are not its answers, or the rules leave nobody."""
    if not answers:
        raise InputError("answers must be at least one, got none")
    check_answers(study, answers)
    generator = check_rng(rng)
    frame = to_frame(answers).assign(predicted=predicted_of(study, answers))
    screened = screen(frame, rules=rules or Rules())
    if study.plan.trial_type == "abx":
        return Findings(screened, {}, {}, (), {}, None, _detected(screened.kept), {})
    shifts = _shifts(screened.kept, study.plan.trial_type)
    found = Findings(screened, {}, {}, tuple(_versions(shifts, generator)), {}, None, (), {})
    for attribute, mine in shifts.groupby("attribute", sort=False):
        _of_attribute(found, str(attribute), mine.reset_index(drop=True), study, generator)
    if study.plan.asked == "all" and len(study.plan.targets) > 1:
        told = {
            each.name: (each.target, SIGNS[each.version]) for each in study.plan.conditions if each.version in SIGNS
        }
        margin = MARGINS[study.plan.trial_type]
        matrix = selectivity(shifts, manipulations=told, margin=margin, rng=generator)
        return Findings(**{**vars(found), "selectivity": matrix})
    return found


def _shifts(kept: "pd.DataFrame", trial_type: str) -> "pd.DataFrame":
    main = main_answers(kept)
    return rating_shifts(main, baseline=ORIGINAL) if trial_type in ("scale", "sliders") else main


def _of_attribute(
    found: Findings, attribute: str, mine: "pd.DataFrame", study: Study, rng: np.random.Generator
) -> None:
    """Agreement, ceiling and preferences of one attribute; what cannot be had is told with its reason."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UndefinedWarning)
        _figures_of_attribute(found, attribute, mine, study, rng)
    told = [str(each.message) for each in caught if issubclass(each.category, UndefinedWarning)]
    if told:
        found.unknown[f"some figures about {attribute}"] = "; ".join(dict.fromkeys(told))


def _figures_of_attribute(
    found: Findings, attribute: str, mine: "pd.DataFrame", study: Study, rng: np.random.Generator
) -> None:
    try:
        found.agreements[attribute] = evaluate(mine, rng=rng)
    except InputError as error:
        found.unknown[f"agreement about {attribute}"] = str(error)
    if mine["participant"].nunique() >= LEAST_LISTENERS:
        found.ceilings[attribute] = split_half(mine, rng=rng)
    else:
        found.unknown[f"noise ceiling of {attribute}"] = f"fewer than {LEAST_LISTENERS} listeners"
    if study.plan.trial_type == "pair":
        found.preferences[attribute] = fit_preference(mine, reference=ORIGINAL)


def _versions(shifts: "pd.DataFrame", rng: np.random.Generator) -> list[VersionFound]:
    rows = []
    for (attribute, condition), mine in shifts.groupby(["attribute", "condition"], sort=False):
        listener, _ = numbered(mine["participant"].tolist())
        item, _ = numbered(mine["item"].tolist())
        response = mine["response"].to_numpy(dtype=np.float64)
        above, below = (cell_sums(v, listener=listener, item=item) for v in (response, np.ones_like(response)))
        draws = draw_both(*above.shape, rng=rng)
        human = estimate(float(response.mean()), ratio(draws.totals(above), draws.totals(below)))
        rows.append(VersionFound(str(attribute), str(condition), human, float(mine["predicted"].mean()), len(mine)))
    return rows


def _detected(kept: "pd.DataFrame") -> tuple[Detected, ...]:
    main = main_answers(kept)
    found = []
    for condition, mine in main.groupby("condition", sort=False):
        right, n = int(mine["response"].sum()), len(mine)
        found.append(Detected(str(condition), proportion(n_right=right, n=n), abx(n_right=right, n=n)))
    return tuple(found)
