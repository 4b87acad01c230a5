"""How well could any model do? Agreement of the listeners with each other, and the model as one of them.

Conventions
-----------
All take answers that are shifts (``tables``), as means of listeners x stimuli, and use Pearson's correlation over
stimuli, of those that both sides answered, where there are three or more. What is not defined is NaN, with a warning.
Intervals are of 95 %, by a bootstrap over listeners; the stimuli stay, since all that is compared shares them.

Metrics
-------
- ``split_half``: mean correlation of the means of two random halves of the listeners, and by Spearman-Brown's formula
  the ``reliability`` of the mean of all. Its square root is the ``ceiling`` of any model's correlation with that mean;
  a correlation over it is what it would be with endless listeners, and by chance may exceed 1
- ``leave_one_out``: mean correlation of a listener with the mean of the others (lower bound of the ceiling for one
  listener) and of all, oneself included (upper bound)
- ``model_as_listener``: mean correlation of each listener with the other listeners, and that of the model with all
  listeners; a model without noise may beat all of them

Spearman, Correlation calculated from faulty data, and Brown, Some experimental results in the correlation of mental
abilities, both British J. Psychology 3, 1910; Nili et al., A Toolbox for Representational Similarity Analysis, PLoS
Computational Biology 10(4), 2014 (the bounds).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from emomod.bootstrap import N_DRAWS, Estimate, draw_groups, estimate
from emomod.checks import check_count, check_rng
from emomod.errors import InputError
from emomod.undefined import undefined
from listening_study.analysis.resampling import Array, correlation, mean_of_known, ratio
from listening_study.analysis.tables import Grid, grid_of

if TYPE_CHECKING:
    import pandas as pd

N_SPLITS = 500


@dataclass(frozen=True)
class SplitHalf:
    """Reliability of the listeners' mean responses."""

    correlation: float  # of two halves, mean over splits
    reliability: float  # of the mean of all listeners
    ceiling: float  # square root of the reliability, 0 where that is negative
    n_splits: int


@dataclass(frozen=True)
class LeaveOneOut:
    """Bounds of the correlation of one listener with what all listeners hear."""

    lower: float
    upper: float


@dataclass(frozen=True, eq=False)
class ModelAsListener:
    """The model beside the listeners."""

    model: Estimate  # mean correlation of the model with the listeners
    listeners: Estimate  # mean correlation of a listener with another
    difference: Estimate  # model less listeners
    each: Array  # [n_listeners], mean correlation of each with the others
    share_below: float  # of listeners who agree less with the others than the model does


def _grid(table: "pd.DataFrame") -> Grid:
    grid = grid_of(table)
    if len(grid.listeners) < 3:
        raise InputError(f"table must have at least 3 listeners, got {len(grid.listeners)}")
    return grid


def split_half(table: "pd.DataFrame", *, rng: int | np.random.Generator, n_splits: int = N_SPLITS) -> SplitHalf:
    """Reliability by random halves; of an odd number of listeners one half has one more."""
    responses, generator = _grid(table).responses, check_rng(rng)
    check_count("n_splits", n_splits)
    known, n = np.isfinite(responses), len(responses)
    first = generator.random((n_splits, n)).argsort(axis=1) < n // 2
    filled = np.where(known, responses, 0.0)
    halves = [ratio(half @ filled, half @ known) for half in (first.astype(np.float64), (~first).astype(np.float64))]
    found = mean_of_known([correlation(a, b) for a, b in zip(*halves, strict=True)])
    if np.isnan(found):
        undefined("split_half of responses that do not vary, or share no stimuli", float("nan"))
    reliability = float("-inf") if found <= -1 else 2 * found / (1 + found)
    return SplitHalf(found, reliability, float(np.sqrt(np.maximum(reliability, 0.0))), n_splits)


def leave_one_out(table: "pd.DataFrame") -> LeaveOneOut:
    """Bounds of what one listener can reach."""
    responses = _grid(table).responses
    known = np.isfinite(responses)
    filled = np.where(known, responses, 0.0)
    everyone = ratio(filled.sum(axis=0), known.sum(axis=0))
    others = ratio(filled.sum(axis=0) - filled, known.sum(axis=0) - known)
    lower = mean_of_known([correlation(own, rest) for own, rest in zip(responses, others, strict=True)])
    upper = mean_of_known([correlation(own, everyone) for own in responses])
    if np.isnan(lower):
        undefined("leave_one_out of responses that do not vary, or share no stimuli", float("nan"))
    return LeaveOneOut(lower, upper)


def model_as_listener(
    table: "pd.DataFrame", *, rng: int | np.random.Generator, n_draws: int = N_DRAWS
) -> ModelAsListener:
    """The model's mean correlation with listeners, beside theirs with each other."""
    grid = _grid(table)
    pairs = np.array([[correlation(a, b) for b in grid.responses] for a in grid.responses])
    np.fill_diagonal(pairs, np.nan)
    own = np.array([correlation(grid.predicted, row) for row in grid.responses])
    each = np.array([mean_of_known(row) for row in pairs])
    if np.isnan(own).all() or np.isnan(each).all():
        undefined("model_as_listener of responses or predictions that do not vary", float("nan"))
    draws = draw_groups(grid.listeners, rng=rng, n_draws=n_draws).astype(np.float64)
    model = _weighted(draws, own)
    known = np.isfinite(pairs)
    products = [((draws @ cells) * draws).sum(axis=1) for cells in (np.where(known, pairs, 0.0), known)]
    listeners = ratio(products[0], products[1])
    values = mean_of_known(own), mean_of_known(pairs.ravel())
    return ModelAsListener(
        model=estimate(values[0], model),
        listeners=estimate(values[1], listeners),
        difference=estimate(values[0] - values[1], model - listeners),
        each=each,
        share_below=float(np.mean(each[np.isfinite(each)] < values[0])) if np.isfinite(each).any() else float("nan"),
    )


def _weighted(draws: Array, values: Array) -> Array:
    """Means [n_draws] of the known ``values`` [n]."""
    known = np.isfinite(values)
    return ratio(draws @ np.where(known, values, 0.0), draws @ known)
