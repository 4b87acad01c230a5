"""All that the analysis finds in the answers to a study, attribute by attribute.

Ratings of single versions are first made into shifts from the original (``tables.rating_shifts``); then every figure is
of shifts. Analysed are the main trials of those whom no rule left out. Sham versions are controls: they stand beside
the others and do not count for the agreement, since the model predicts next to nothing of them.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from emomod.bootstrap import Estimate, estimate
from emomod.checks import check_rng
from emomod.errors import InputError
from emomod.undefined import UndefinedWarning
from listening_study.analysis.agreement import Agreement, evaluate
from listening_study.analysis.ceiling import (
    LeaveOneOut,
    ModelAsListener,
    SplitHalf,
    leave_one_out,
    model_as_listener,
    split_half,
)
from listening_study.analysis.detection import Proportion, abx, proportion
from listening_study.analysis.exclusions import Rules, Screened, screen
from listening_study.analysis.preference import Preference, fit_preference
from listening_study.analysis.reliability import intraclass, krippendorff_alpha
from listening_study.analysis.resampling import cell_sums, draw_both, ratio
from listening_study.analysis.selectivity import Selectivity, selectivity
from listening_study.analysis.tables import grid_of, main_answers, numbered, rating_shifts
from listening_study.conditions import ORIGINAL
from listening_study.package import Study
from listening_study.table import Answer, check_answers, predicted_of, to_frame

if TYPE_CHECKING:
    import pandas as pd

SIGNS = {"enhanced": 1.0, "weakened": -1.0, "opposite": -1.0}
MARGINS = {"pair": 0.2, "ccr": 0.5, "scale": 0.5, "sliders": 5.0}  # shifts below which next to nothing is heard
LEVELS = {"pair": "ordinal", "ccr": "ordinal", "scale": "ordinal", "sliders": "interval"}
Figure = TypeVar("Figure")
Unknown = dict[str, str]  # figures that could not be had, and why


@dataclass(frozen=True, eq=False)
class AttributeFound:
    """What was found about one attribute; None what could not be had."""

    agreement: Agreement
    split_half: SplitHalf | None
    leave_one_out: LeaveOneOut | None
    model_as_listener: ModelAsListener | None
    alpha: Estimate | None  # Krippendorff's, of shifts
    icc: Estimate | None  # ICC(2,1): how well one listener tells what others would say
    preference: Preference | None  # of pairs


@dataclass(frozen=True)
class VersionFound:
    """A version, asked about an attribute, over all items and listeners."""

    attribute: str
    condition: str
    human: Estimate  # mean response, or shift of ratings
    model: float  # mean predicted shift
    confidence: float | None  # mean, 1 (guessing) .. 5 (certain); None where it was not asked
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

    rules: Rules  # that were applied
    screened: Screened
    attributes: dict[str, AttributeFound]
    versions: tuple[VersionFound, ...]
    selectivity: Selectivity | None  # where versions were asked about other attributes than their own
    detected: tuple[Detected, ...]  # of ABX
    unknown: Unknown


def analyse(
    study: Study, answers: Sequence[Answer], *, rules: Rules | None = None, rng: int | np.random.Generator = 0
) -> Findings:
    """Analyse the ``answers`` to ``study``; InputError where they are not its answers, or the rules leave nobody.

    The rule about catch trials is not applied to a study that has none.
    """
    if not answers:
        raise InputError("answers must be at least one, got none")
    check_answers(study, answers)
    generator, unknown = check_rng(rng), Unknown()
    frame = to_frame(answers).assign(predicted=predicted_of(study, answers))
    applied = rules or Rules()
    applied = applied if study.plan.has_catch_trials else replace(applied, least_catch_share=None)
    screened = screen(frame, rules=applied)
    if study.plan.trial_type == "abx":
        return Findings(applied, screened, {}, (), None, _detected(screened.kept), unknown)
    shifts = _shifts(screened.kept, study.plan.trial_type)
    with _told(unknown, "some figures"):
        attributes = {
            str(attribute): _of_attribute(str(attribute), mine.reset_index(drop=True), study, generator, unknown)
            for attribute, mine in shifts.groupby("attribute", sort=False)
        }
        versions = tuple(_versions(shifts, study, generator))
        matrix = _selectivity(shifts, study, generator)
    return Findings(applied, screened, attributes, versions, matrix, (), unknown)


def _shifts(kept: "pd.DataFrame", trial_type: str) -> "pd.DataFrame":
    main = main_answers(kept)
    return rating_shifts(main, baseline=ORIGINAL) if trial_type in ("scale", "sliders") else main


@contextmanager
def _told(unknown: Unknown, name: str) -> Iterator[None]:
    """What is not defined within goes into ``unknown``; other warnings go on."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UndefinedWarning)
        yield
    reasons = [str(each.message) for each in caught if issubclass(each.category, UndefinedWarning)]
    if reasons:
        unknown[name] = "; ".join(dict.fromkeys(reasons))
    for each in caught:
        if not issubclass(each.category, UndefinedWarning):
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)


def _of_attribute(
    attribute: str, mine: "pd.DataFrame", study: Study, rng: np.random.Generator, unknown: Unknown
) -> AttributeFound:
    def figure(name: str, work: Callable[[], Figure]) -> Figure | None:
        try:
            with _told(unknown, f"{name} of {attribute}"):
                return work()
        except InputError as error:
            unknown[f"{name} of {attribute}"] = str(error)
            return None

    shams = [each.name for each in study.plan.conditions if each.version == "sham"]
    real = mine[~mine["condition"].isin(shams)].reset_index(drop=True)
    judged = real if len(real) else mine
    agreement, missing = evaluate(judged, rng=rng)
    unknown |= {f"{name} of {attribute}": why for name, why in missing.items()}
    ratings, level = grid_of(mine).responses.T, LEVELS[study.plan.trial_type]
    is_pair = study.plan.trial_type == "pair"
    return AttributeFound(
        agreement=agreement,
        split_half=figure("noise ceiling", lambda: split_half(judged, rng=rng)),
        leave_one_out=figure("leave one out", lambda: leave_one_out(judged)),
        model_as_listener=figure("model as a listener", lambda: model_as_listener(judged, rng=rng)),
        alpha=figure("alpha", lambda: krippendorff_alpha(ratings, level=level, rng=rng)),
        icc=figure("ICC", lambda: intraclass(ratings).icc["2,1"]),
        preference=figure("log worths", lambda: fit_preference(mine, reference=ORIGINAL)) if is_pair else None,
    )


def _versions(shifts: "pd.DataFrame", study: Study, rng: np.random.Generator) -> Iterator[VersionFound]:
    """In the order of the plan."""
    order = [(attribute, each.name) for attribute in study.plan.targets for each in study.plan.conditions]
    groups = dict(iter(shifts.groupby(["attribute", "condition"])))
    for attribute, condition in (key for key in order if key in groups):
        mine = groups[attribute, condition]
        listener, _ = numbered(mine["participant"].tolist())
        item, _ = numbered(mine["item"].tolist())
        response = mine["response"].to_numpy(dtype=np.float64)
        above, below = (cell_sums(v, listener=listener, item=item) for v in (response, np.ones_like(response)))
        draws = draw_both(*above.shape, rng=rng)
        human = estimate(float(response.mean()), ratio(draws.totals(above), draws.totals(below)))
        sure = mine["confidence"].dropna()
        confidence = float(sure.mean()) if len(sure) else None
        yield VersionFound(attribute, condition, human, float(mine["predicted"].mean()), confidence, len(mine))


def _selectivity(shifts: "pd.DataFrame", study: Study, rng: np.random.Generator) -> Selectivity | None:
    if study.plan.asked != "all" or len(study.plan.targets) == 1:
        return None
    told = {each.name: (each.target, SIGNS[each.version]) for each in study.plan.conditions if each.version in SIGNS}
    return selectivity(shifts, manipulations=told, margin=MARGINS[study.plan.trial_type], rng=rng)


def _detected(kept: "pd.DataFrame") -> tuple[Detected, ...]:
    main = main_answers(kept)
    found = []
    for condition, mine in main.groupby("condition", sort=False):
        right, n = int(mine["response"].sum()), len(mine)
        found.append(Detected(str(condition), proportion(n_right=right, n=n), abx(n_right=right, n=n)))
    return tuple(found)
