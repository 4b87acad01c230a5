"""Stability: does the explanation come out the same when nothing but chance, or next to nothing, is different?

Conventions
-----------
Repeats are explanations of one clip and one target over the same K components: ``weights`` [R, K] and their
``standard_errors`` [R, K]. A selection is an array of component indices, in any order. Means over pairs run over the R
(R - 1) / 2 pairs of repeats.

Metrics
-------
- ``jaccard``: |A and B| / |A or B| of two selections
- ``spearman``, ``kendall``: rank correlation of the signed weights
- ``sign_agreement``: share of components whose weights have one sign
- ``vsi``: variables stability index, percent of the k largest weights that two repeats share
- ``csi``: coefficients stability index, percent of pairs of 95 % intervals that overlap, over the components that
  are among the k largest of both repeats
- ``relative_error``: |w - reference| / |reference|, Euclidean

VSI and CSI: Visani, Bagli, Chesani, Poluzzi, Capuzzo, Statistical stability indices for LIME, J. Operational Research
Society 73(1), 2022.
"""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from emomod.checks import check_count
from emomod.component_weights import ComponentWeights, select_components
from emomod.errors import InputError
from emomod.undefined import undefined
from evaluation.checks import check_alike, check_numbers

Array = NDArray[np.float64]
INTERVAL = 1.959963984540054  # standard errors on each side of a weight
TOP = 30  # components, about what the 2019 paper calls important


def validate(weights: ArrayLike) -> Array:
    """Return repeats [R, K] as finite floats; InputError unless there are two or more."""
    return check_numbers("weights", weights, ndim=2, rows=2)


def jaccard(first: ArrayLike, second: ArrayLike) -> float:
    """Jaccard index 0..1 of two selections; 1, with a warning, of two empty ones.

    >>> jaccard([1, 2, 3], [3, 2, 5])
    0.5
    """
    a, b = set(np.asarray(first, dtype=np.intp).tolist()), set(np.asarray(second, dtype=np.intp).tolist())
    if not a | b:
        return undefined("jaccard of two empty selections", 1.0)
    return len(a & b) / len(a | b)


def largest(weights: ArrayLike, k: int) -> NDArray[np.intp]:
    """Indices of the ``k`` largest absolute weights of [K], largest first; all K where k is larger."""
    return np.argsort(-np.abs(np.asarray(weights)), kind="stable")[: check_count("k", k)]


def over_pairs(metric: Callable[[Array, Array], float], repeats: Sequence[Array] | Array) -> float:
    """Mean of ``metric`` over all pairs of two or more ``repeats``."""
    if len(repeats) < 2:
        raise InputError(f"repeats must be at least 2, got {len(repeats)}")
    return float(np.mean([metric(a, b) for a, b in combinations(repeats, 2)]))


def _correlation(name: str, coefficient: Callable[[Array, Array], float], first: ArrayLike, second: ArrayLike) -> float:
    a, b = (check_numbers("weights", values, ndim=1) for values in (first, second))
    check_alike(first=a, second=b)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return undefined(f"{name} of weights that are all equal", float(np.ptp(a) == np.ptp(b)))
    return float(coefficient(a, b))


def spearman(first: ArrayLike, second: ArrayLike) -> float:
    """Rank correlation of weights [K]; where all are equal 0, or 1 if they are so in both, with a warning."""
    return _correlation("spearman", lambda a, b: float(stats.spearmanr(a, b).statistic), first, second)


def kendall(first: ArrayLike, second: ArrayLike) -> float:
    """Kendall's tau-b of weights [K]; where all are equal as ``spearman``."""
    return _correlation("kendall", lambda a, b: float(stats.kendalltau(a, b).statistic), first, second)


def sign_agreement(first: ArrayLike, second: ArrayLike) -> float:
    """Share 0..1 of components whose weights [K] have one sign, or are both 0."""
    a, b = (check_numbers("weights", values, ndim=1) for values in (first, second))
    check_alike(first=a, second=b)
    return float((np.sign(a) == np.sign(b)).mean())


def vsi(weights: ArrayLike, *, k: int = TOP) -> float:
    """Variables stability index 0..100 of repeats [R, K]."""
    repeats = validate(weights)
    kept = min(check_count("k", k), repeats.shape[1])
    return 100.0 * over_pairs(lambda a, b: np.isin(largest(a, kept), largest(b, kept)).mean(), repeats)


def csi(weights: ArrayLike, standard_errors: ArrayLike, *, k: int = TOP) -> float:
    """Coefficients stability index 0..100 of repeats [R, K]; 0, with a warning, where no two share a component."""
    repeats, errors = validate(weights), check_numbers("standard_errors", standard_errors, ndim=2, rows=2)
    check_alike(weights=repeats, standard_errors=errors)
    chosen = np.zeros(repeats.shape, dtype=bool)
    for row, repeat in zip(chosen, repeats, strict=True):
        row[largest(repeat, k)] = True
    shared, overlapping = np.zeros(repeats.shape[1]), np.zeros(repeats.shape[1])
    for a, b in combinations(range(len(repeats)), 2):
        both = chosen[a] & chosen[b]
        shared += both
        overlapping += both & (np.abs(repeats[a] - repeats[b]) <= INTERVAL * (errors[a] + errors[b]))
    known = shared > 0
    if not known.any():
        return undefined("csi of repeats that share no component", 0.0)
    return float(100.0 * (overlapping[known] / shared[known]).mean())


def relative_error(weights: ArrayLike, reference: ArrayLike) -> float:
    """Euclidean error of weights [K], relative to the ``reference`` [K]; infinity, with a warning, for one of zeros."""
    a, b = check_numbers("weights", weights, ndim=1), check_numbers("reference", reference, ndim=1)
    check_alike(weights=a, reference=b)
    size = float(np.linalg.norm(b))
    if size == 0.0:
        return undefined("relative_error to a reference of zeros", 0.0 if not a.any() else float("inf"))
    return float(np.linalg.norm(a - b)) / size


def evaluate(
    repeats: Sequence[ComponentWeights],
    *,
    target: str,
    rule: str = "bh:0.05",
    k: int = TOP,
    reference: ComponentWeights | None = None,
) -> dict[str, float]:
    """All metrics of repeats of one explanation, by name; ``relative_error`` is the mean over repeats.

    InputError where repeats differ in their components or scores, or there are fewer than two.
    """
    if len(repeats) < 2:
        raise InputError(f"repeats must be at least 2, got {len(repeats)}")
    compared = [*repeats] if reference is None else [*repeats, reference]
    if len({(each.names, each.weights.shape) for each in compared}) > 1:
        raise InputError("repeats, and their reference, must have the same scores and number of components")
    row = repeats[0].index(target)
    weights = np.array([each.weights[row] for each in repeats])
    selections = [select_components(each, target=target, rule=rule) for each in repeats]
    sides = [np.concatenate([chosen.positive, chosen.negative]) for chosen in selections]
    found = {
        "jaccard_selected": over_pairs(jaccard, sides),
        "jaccard_top": over_pairs(lambda a, b: jaccard(largest(a, k), largest(b, k)), weights),
        "n_selected": float(np.mean([side.size for side in sides])),
        "spearman": over_pairs(spearman, weights),
        "kendall": over_pairs(kendall, weights),
        "sign_agreement": over_pairs(sign_agreement, weights),
        "vsi": vsi(weights, k=k),
    }
    if all(each.standard_errors is not None for each in repeats):
        errors = [each.standard_errors[row] for each in repeats if each.standard_errors is not None]
        found["csi"] = csi(weights, np.array(errors), k=k)
    if reference is not None:
        truth = reference.weights[row]
        found["relative_error"] = float(np.mean([relative_error(repeat, truth) for repeat in weights]))
    return found
