"""Does the analysis find what is there? Simulated studies with a planted agreement, and with none.

Conventions
-----------
The planted value is the listeners' sensitivity. Studies are of CCR trials, whose answers are what was heard, rounded to
whole steps: where the noise is about a step or more, that does not bend the slope, unless the ends of the scale are
reached. ``coverage``: share of studies whose 95 % interval of the calibration slope contains the planted value, by the
bootstrap ("calibration") or the mixed model ("model"). False alarms are the ``power`` of listeners without sensitivity.
benchmarks/study_recovery.py calls both with many studies.
"""

from dataclasses import dataclass, replace

import numpy as np

from emomod.bootstrap import N_DRAWS, wilson_interval
from emomod.checks import check_choice
from emomod.errors import InputError
from listening_study.analysis.agreement import calibration, calibration_model
from listening_study.analysis.power import Power, StudySize, power, simulate_study, study_seeds
from listening_study.analysis.simulate import ListenerModel

ESTIMATORS = ("calibration", "model")


@dataclass(frozen=True)
class Coverage:
    """Share of simulated studies whose interval contains the planted slope, with its 95 % Monte Carlo interval."""

    value: float
    low: float
    high: float
    n_studies: int
    estimator: str
    mean: float  # of the estimates: planted, if they are not biased
    width: float  # mean width of the intervals


def coverage(
    plan: StudySize,
    *,
    model: ListenerModel,
    rng: int | np.random.Generator,
    estimator: str = "calibration",
    n_studies: int = 100,
) -> Coverage:
    """Simulate ``n_studies`` of the ``plan``; InputError unless its trials are CCR."""
    check_choice("estimator", estimator, ESTIMATORS)
    if plan.trial_type != "ccr":
        raise InputError(f"trial_type must be ccr, whose slope is the sensitivity, got {plan.trial_type!r}")
    ends = []
    for seed in study_seeds(n_studies, rng=rng):
        generator = np.random.default_rng(seed)
        table = simulate_study(plan, model=model, rng=generator)
        if estimator == "model":
            slope = calibration_model(table).effects["predicted"]
            ends.append((slope.low, slope.value, slope.high))
        else:
            told = calibration(table, rng=generator, n_draws=N_DRAWS)
            ends.append((told.low, told.value, told.high))
    low, value, high = np.array(ends).T
    inside = int(((low <= model.sensitivity) & (model.sensitivity <= high)).sum())
    bounds = wilson_interval(inside, n_studies)
    return Coverage(inside / n_studies, *bounds, n_studies, estimator, float(value.mean()), float((high - low).mean()))


def false_alarms(
    plan: StudySize, *, model: ListenerModel, rng: int | np.random.Generator, n_studies: int = 200
) -> Power:
    """Share of studies in which agreement is found although listeners hear nothing of what is predicted."""
    return power(plan, model=replace(model, sensitivity=0.0), rng=rng, n_studies=n_studies)
