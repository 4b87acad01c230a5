"""Is there any agreement of model and listeners? A permutation test whose false alarms are as rare as they should be.

Listeners agree with each other about what they hear, also where the model knows nothing, so that answers are far from
independent. Therefore what is exchanged are the predictions of whole stimuli. The statistic is the sum of predicted
shift times response, over listeners and stimuli, divided by its standard error of answers that depend on each other by
listener and by item. So it is exact where predictions have nothing to do with what is heard, and nearly so where
listeners follow them, some one way and some the other, but not in the mean. One-sided.

Schemes, of which the first that the study has versions for is taken
-------
- "within": predictions change places among the versions of an item and attribute; needs items with several versions
- "flip": all predictions of an item change their sign, or none. Where listeners would as often shift one way as the
  other if the model knew nothing, this also tells whether the mean shift is right, as with one version an item and
  predictions that are all positive; a processed version that sounds "more" of everything passes it wrongly

Ernst, Permutation Methods: A Basis for Exact Inference, Statistical Science 19(4), 2004; Cameron, Gelbach, Miller,
Robust Inference with Multiway Clustering, J. Business & Economic Statistics 29(2), 2011 (the standard error); DiCiccio,
Romano, Robust Permutation Tests for Correlation and Regression Coefficients, J. American Statistical Association
112(519), 2017 (why to divide by it).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emomod.checks import check_choice, check_count, check_rng
from emomod.errors import InputError
from emomod.undefined import undefined
from listening_study.analysis.tables import Grid, grid_of, numbered

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
SCHEMES = ("within", "flip")
N_PERMUTATIONS = 4999


@dataclass(frozen=True)
class PermutationTest:
    """A one-sided test of "no agreement"."""

    statistic: float  # in standard errors
    p_value: float  # (1 + permutations that reach it) / (1 + n_permutations)
    scheme: str
    n_permutations: int


def no_agreement_test(
    table: "pd.DataFrame",
    *,
    rng: int | np.random.Generator,
    scheme: str | None = None,
    n_permutations: int = N_PERMUTATIONS,
) -> PermutationTest:
    """Test the shifts of ``table``; p is 1, with a warning, where all responses are equal.

    InputError where no predictions differ that could be exchanged.
    """
    check_count("n_permutations", n_permutations)
    grid, generator = grid_of(table), check_rng(rng)
    scheme = check_choice("scheme", scheme or scheme_of(grid), SCHEMES)
    groups = _groups(grid, scheme)
    predicted = grid.predicted if scheme == "flip" else grid.predicted - _group_means(grid.predicted, groups)
    if not predicted.any():
        raise InputError(f"scheme {scheme} must have different predictions that it can exchange, got none")
    heard = np.where(np.isfinite(grid.responses), grid.responses, 0.0)
    if scheme != "flip":
        level = _group_means(grid.means, groups)
        heard = np.where(np.isfinite(grid.responses), grid.responses - level, 0.0)
    if not heard.any():
        return PermutationTest(0.0, undefined("p of responses that are all equal", 1.0), scheme, n_permutations)
    exchange = _flipped if scheme == "flip" else _exchanged
    drawn = _studentised(exchange(predicted, groups, generator, n_permutations), heard, grid.items)
    found = float(_studentised(predicted[None], heard, grid.items)[0])
    reached = drawn >= found - 1e-9  # as large, up to rounding
    return PermutationTest(found, (1 + int(reached.sum())) / (1 + n_permutations), scheme, n_permutations)


def scheme_of(grid: Grid) -> str:
    """The scheme of a study: "within" where an item has versions with different predictions of an attribute."""
    groups = _groups(grid, "within")
    return "within" if np.ptp(grid.predicted - _group_means(grid.predicted, groups)) > 0.0 else "flip"


def _groups(grid: Grid, scheme: str) -> NDArray[np.intp]:
    """Number [n_stimuli] of the group within which predictions change places, or their sign."""
    return numbered([stimulus[:2] for stimulus in grid.stimuli])[0] if scheme == "within" else grid.items


def _group_means(values: Array, groups: NDArray[np.intp]) -> Array:
    """The mean of each value's group."""
    return np.asarray((np.bincount(groups, weights=values) / np.bincount(groups))[groups])


def _flipped(predicted: Array, groups: NDArray[np.intp], rng: np.random.Generator, n: int) -> Array:
    """Predictions [n, n_stimuli] with a random sign for each group."""
    signs = rng.choice([-1.0, 1.0], size=(n, int(groups.max()) + 1))
    return np.asarray(predicted * signs[:, groups])


def _exchanged(predicted: Array, groups: NDArray[np.intp], rng: np.random.Generator, n: int) -> Array:
    """Predictions [n, n_stimuli] in other places of their group."""
    places = np.argsort(groups, kind="stable")
    order = np.argsort(groups + rng.random((n, groups.size)), axis=1)  # group by group, at random within each
    exchanged = np.empty(order.shape)
    exchanged[:, places] = predicted[order]
    return exchanged


def _studentised(predicted: Array, heard: Array, items: NDArray[np.intp]) -> Array:
    """Sums [n] of ``predicted`` [n, n_stimuli] times ``heard`` [n_listeners, n_stimuli], in standard errors.

    The variance is that of sums by listener, plus by item, less by both; at least that of one of them.
    """
    by_listener = predicted @ heard.T
    by_item = (predicted * heard.sum(axis=0)) @ np.eye(int(items.max()) + 1)[items]
    products = np.where(items[:, None] == items, heard.T @ heard, 0.0)  # of responses to the same item
    both = ((predicted @ products) * predicted).sum(axis=1)
    listener, item = (by_listener**2).sum(axis=1), (by_item**2).sum(axis=1)
    variance = np.maximum(np.maximum(listener, item), listener + item - both)
    return np.asarray(by_listener.sum(axis=1) / np.sqrt(np.where(variance > 0, variance, np.inf)))
