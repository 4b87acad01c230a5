"""Do raters agree in what they rate? Intraclass correlations and Krippendorff's alpha.

Conventions
-----------
Ratings are [n_items, n_raters], NaN where one is missing. Intervals are of 95 %.

Metrics
-------
- ``intraclass``: six coefficients, of one rating or of the mean of k raters. (1): each item has other raters; (2): the
  raters are a sample of raters, whose levels count; (3): only these raters, whose levels do not count. They take the
  items that all raters rated; how many were left out is told. Intervals are those of F
- ``krippendorff_alpha``: 1 less observed over expected disagreement of all pairs of ratings of an item; 1 agreement,
  0 chance. ``level``: nominal, ordinal, interval or ratio. Items with fewer than two ratings do not count. Interval by
  a bootstrap over items

Shrout & Fleiss, Intraclass correlations: uses in assessing rater reliability, Psychological Bulletin 86(2), 1979;
McGraw & Wong, Forming inferences about some intraclass correlation coefficients, Psychological Methods 1(1), 1996;
Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from emomod.bootstrap import N_DRAWS, Estimate, draw_groups, estimate
from emomod.checks import check_choice, check_count, check_rng
from emomod.errors import InputError
from emomod.undefined import undefined

Array = NDArray[np.float64]
LEVELS = ("nominal", "ordinal", "interval", "ratio")


@dataclass(frozen=True)
class Intraclass:
    """Intraclass correlations with intervals, by Shrout & Fleiss' names."""

    icc: dict[str, Estimate]  # "1,1", "2,1", "3,1", "1,k", "2,k", "3,k"
    n_items: int  # that all raters rated
    n_raters: int
    n_dropped: int  # items with a missing rating


def _ratings(ratings: ArrayLike) -> Array:
    try:
        array = np.asarray(ratings, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"ratings must be numbers, got {ratings!r}") from None
    if array.ndim != 2 or min(array.shape) < 2 or np.isinf(array).any():
        raise InputError(f"ratings must be finite or NaN, of at least 2 items x 2 raters, got shape {array.shape}")
    return array


def intraclass(ratings: ArrayLike) -> Intraclass:
    """All six coefficients; NaN, with a warning, where no rating differs from another.

    InputError where fewer than two items were rated by all.
    """
    array = _ratings(ratings)
    full = array[np.isfinite(array).all(axis=1)]
    n, k = full.shape
    if n < 2:
        raise InputError(f"ratings must have at least two items that all raters rated, got {n}")
    rows, columns = full.mean(axis=1, keepdims=True), full.mean(axis=0, keepdims=True)
    between = k * float(((rows - full.mean()) ** 2).sum()) / (n - 1)
    within = float(((full - rows) ** 2).sum()) / (n * (k - 1))
    raters = n * float(((columns - full.mean()) ** 2).sum()) / (k - 1)
    error = float(((full - rows - columns + full.mean()) ** 2).sum()) / ((n - 1) * (k - 1))
    if np.ptp(full) == 0:
        nothing = undefined("intraclass of ratings that are all equal", float("nan"))
        found = {name: Estimate(nothing, nothing, nothing) for name in ("1,1", "2,1", "3,1")}
    else:
        found = {
            "1,1": _one_way(between, within, n - 1, n * (k - 1), k),
            "2,1": _absolute(between, raters, error, n, k),
            "3,1": _one_way(between, error, n - 1, (n - 1) * (k - 1), k),
        }
    means = {f"{name[0]},k": _of_mean(single, k) for name, single in found.items()}
    return Intraclass(found | means, n, k, len(array) - n)


def _one_way(between: float, error: float, dof_1: int, dof_2: int, k: int) -> Estimate:
    """Coefficient of one rating from the mean squares, whose ratio is distributed as F."""
    if error == 0.0:
        return Estimate(1.0, 1.0, 1.0)
    ratio = between / error
    ends = ratio / stats.f.ppf(0.975, dof_1, dof_2), ratio * stats.f.ppf(0.975, dof_2, dof_1)
    value, low, high = ((f - 1) / (f + k - 1) for f in (ratio, *ends))
    return Estimate(float(value), float(low), float(high))


def _absolute(between: float, raters: float, error: float, n: int, k: int) -> Estimate:
    """ICC(2,1): the degrees of freedom of its denominator are Satterthwaite's (McGraw & Wong, table 7)."""
    if error == raters == 0.0:
        return Estimate(1.0, 1.0, 1.0)
    value = (between - error) / (between + (k - 1) * error + k * (raters - error) / n)
    a, b = k * value / (n * (1 - value)), 1 + k * value * (n - 1) / (n * (1 - value))
    spread = (a * raters) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
    dof = (a * raters + b * error) ** 2 / spread
    upper, lower = stats.f.ppf(0.975, n - 1, dof), stats.f.ppf(0.975, dof, n - 1)
    rest = k * raters + (k * n - k - n) * error
    low = n * (between - upper * error) / (upper * rest + n * between)
    high = n * (lower * between - error) / (rest + n * lower * between)
    return Estimate(float(value), float(low), float(high))


def _of_mean(single: Estimate, k: int) -> Estimate:
    """Spearman-Brown: the coefficient of the mean of k raters."""
    value, low, high = (k * r / (1 + (k - 1) * r) for r in (single.value, single.low, single.high))
    return Estimate(value, low, high)


# ---- Krippendorff's alpha --------------------------------------------------------------------------------------------


def krippendorff_alpha(
    ratings: ArrayLike, *, level: str, rng: int | np.random.Generator, n_draws: int = N_DRAWS
) -> Estimate:
    """Alpha; NaN, with a warning, where no rating differs from another. InputError where no item has two ratings."""
    check_choice("level", level, LEVELS)
    array, generator = _ratings(ratings), check_rng(rng)
    check_count("n_draws", n_draws)
    values = np.unique(array[np.isfinite(array)])
    counts = (array[:, :, None] == values).sum(axis=1).astype(np.float64)  # [n_items, n_values]
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts):
        raise InputError("ratings must have an item that two raters rated, got none")
    value = _alpha(counts, np.ones(len(counts)), values, level)
    if np.isnan(value):
        undefined("krippendorff_alpha of ratings that are all equal", value)
    times = draw_groups([str(item) for item in range(len(counts))], rng=generator, n_draws=n_draws).astype(np.float64)
    return estimate(value, np.array([_alpha(counts, drawn, values, level) for drawn in times]))


def _alpha(counts: Array, times: Array, values: Array, level: str) -> float:
    """Alpha of items that come up ``times`` [n_items]."""
    weights = times / (counts.sum(axis=1) - 1)
    totals = times @ counts
    coincidences = (counts * weights[:, None]).T @ counts - np.diag(weights @ counts)
    distances = _distances(values, totals, level)
    expected = float(totals @ distances @ totals) / (totals.sum() - 1)
    return 1.0 - float((coincidences * distances).sum()) / expected if expected > 0 else float("nan")


def _distances(values: Array, totals: Array, level: str) -> Array:
    """Squared differences [n_values, n_values]; those of ordinal ratings count the ratings between two values."""
    if level == "nominal":
        return 1.0 - np.eye(values.size)
    if level == "ordinal":
        ranks = np.cumsum(totals) - totals / 2
        return np.asarray((ranks[:, None] - ranks) ** 2)
    apart = (values[:, None] - values) ** 2
    if level == "interval":
        return np.asarray(apart)
    sums = (values[:, None] + values) ** 2
    return np.where(sums > 0, apart / np.where(sums > 0, sums, 1.0), 0.0)
