"""Power: how often would a study of this size find the wanted effect? To be asked before anyone is invited.

Studies are simulated (``simulate``); the share in which the permutation test of no agreement (``permutation``), that of
the analysis, has a p-value of at most ``alpha`` is the power, and with a sensitivity of 0 the rate of false alarms.

Conventions
-----------
Every item has one version for each of the plan's predicted shifts, times a factor of the item (normal about 1 with
``shift_sd``), since no model moves all music equally. There are no sham versions: the analysis tests without them. Each
study has a seed of its own, drawn up front, so that study k is the same however many there are.

Green & MacLeod, SIMR: an R package for power analysis of generalized linear mixed models by simulation, Methods in
Ecology and Evolution 7(4), 2016.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from emomod.bootstrap import wilson_interval
from emomod.checks import check_choice, check_count, check_number, check_rng
from emomod.errors import InputError
from listening_study.analysis.permutation import no_agreement_test
from listening_study.analysis.simulate import ListenerModel, simulate_answers

if TYPE_CHECKING:
    import pandas as pd

N_STUDIES = 500
N_PERMUTATIONS = 499  # a study


@dataclass(frozen=True)
class StudySize:
    """The size of a study of one attribute."""

    n_listeners: int
    n_items: int
    shifts: tuple[float, ...] = (-1.0, 1.0)  # predicted, of an item's versions
    shift_sd: float = 0.2  # between items, relative
    n_repeats: int = 1
    trial_type: str = "pair"

    def __post_init__(self) -> None:
        check_count("n_listeners", self.n_listeners, low=2)
        check_count("n_items", self.n_items, low=2)
        check_count("n_repeats", self.n_repeats)
        check_number("shift_sd", self.shift_sd, low=0.0)
        check_choice("trial_type", self.trial_type, ("pair", "ccr"))
        if not any(self.shifts):
            raise InputError(f"shifts must have one that is not 0, got {self.shifts}")


@dataclass(frozen=True)
class Power:
    """Share of simulated studies that find agreement, with its 95 % Monte Carlo interval."""

    value: float
    low: float
    high: float
    n_studies: int
    plan: StudySize = field(repr=False)
    model: ListenerModel = field(repr=False)


def plan_trials(plan: StudySize, *, rng: int | np.random.Generator) -> "pd.DataFrame":
    """The trials of one study, with predicted shifts."""
    import pandas as pd

    factors = 1.0 + plan.shift_sd * check_rng(rng).normal(size=plan.n_items)
    rows = [
        (plan.trial_type, f"item{item:03d}", "attribute", f"version{version}", "original", shift * factor)
        for item, factor in enumerate(factors)
        for version, shift in enumerate(plan.shifts)
    ]
    return pd.DataFrame(rows, columns=["trial_type", "item", "attribute", "condition", "other", "predicted"])


def simulate_study(plan: StudySize, *, model: ListenerModel, rng: int | np.random.Generator) -> "pd.DataFrame":
    """The table of answers of one study."""
    generator = check_rng(rng)
    trials = plan_trials(plan, rng=generator)
    return simulate_answers(trials, model=model, n_listeners=plan.n_listeners, rng=generator, n_repeats=plan.n_repeats)


def power(
    plan: StudySize,
    *,
    model: ListenerModel,
    rng: int | np.random.Generator,
    alpha: float = 0.05,
    n_studies: int = N_STUDIES,
) -> Power:
    """Share of ``n_studies`` simulated studies in which the test finds agreement."""
    check_number("alpha", alpha, low=0.0, high=1.0)
    found = 0
    for seed in study_seeds(n_studies, rng=rng):
        generator = np.random.default_rng(seed)
        table = simulate_study(plan, model=model, rng=generator)
        found += no_agreement_test(table, rng=generator, n_permutations=N_PERMUTATIONS).p_value <= alpha
    low, high = wilson_interval(found, n_studies)
    return Power(found / n_studies, low, high, n_studies, plan, model)


def study_seeds(n_studies: int, *, rng: int | np.random.Generator) -> list[int]:
    """A seed for each study."""
    return [int(seed) for seed in check_rng(rng).integers(2**32, size=check_count("n_studies", n_studies))]
