"""How precise weights are: how much they would differ had chance drawn other masks.

It follows from the standard errors, without another run of the model. Weights hold chance themselves, by which they
seem larger than they are: on average |weights|^2 is |truth|^2 + |standard errors|^2. The truth is therefore taken to be
the weights made smaller by as much. Two runs with other seeds are imitated by adding independent normal errors to it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emomod.component_weights import ComponentWeights
from emomod.labels import spoken

TOP = 30  # components, about what the 2019 paper calls important
N_IMITATED = 50  # pairs of runs

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Precision:
    """What to expect of two runs with other seeds, for each of T scores."""

    relative_error: Array  # [T], expected size of the weights' error in parts of the true weights'
    top: int  # how many of the largest weights the other two are about: 30, of few components a third
    jaccard: Array  # [T], expected share in which the sets of the ``top`` largest weights overlap, 0 to 1
    sign: Array  # [T], expected share of the ``top`` largest weights of a run that have the same sign in the other

    def as_dict(self, names: tuple[str, ...]) -> dict[str, Any]:
        """The figures by score, for JSON."""
        by_name = {
            name: dict(zip(names, getattr(self, name).tolist(), strict=True))
            for name in ("relative_error", "jaccard", "sign")
        }
        return {"top": self.top, **by_name}


def _sizes(weights: Array, standard_errors: Array) -> tuple[Array, Array]:
    """|truth| [T], 0 where weights are no larger than chance makes them, and |error| [T]."""
    error = np.linalg.norm(standard_errors, axis=1)
    return np.sqrt(np.maximum((weights**2).sum(axis=1) - error**2, 0.0)), error


def relative_errors(weights: Array, standard_errors: Array) -> Array:
    """Return the expected |error| / |truth| [T] of weights [T, K]; infinity where they are no larger than chance."""
    size, error = _sizes(weights, standard_errors)
    relative: Array = np.divide(error, size, out=np.where(error > 0, np.inf, 0.0), where=size > 0)
    return relative


def precision_of(weights: ComponentWeights) -> Precision | None:
    """Return how precise ``weights`` are; None where the method states no standard errors."""
    errors = weights.standard_errors
    if errors is None:
        return None
    seen = np.linalg.norm(weights.weights, axis=1)
    shrinkage = np.divide(_sizes(weights.weights, errors)[0], seen, out=np.zeros_like(seen), where=seen > 0)
    truth = weights.weights * shrinkage[:, None]
    top, rng = min(TOP, -(-weights.weights.shape[1] // 3)), np.random.default_rng(0)
    overlap, agree = np.zeros(len(weights.names)), np.zeros(len(weights.names))
    for _ in range(N_IMITATED):
        one, other = (truth + errors * rng.standard_normal(errors.shape) for _ in range(2))
        largest, largest_too = _largest(one, top), _largest(other, top)
        shared = (largest & largest_too).sum(axis=1)
        overlap += shared / (2 * top - shared)
        agree += ((one > 0) == (other > 0)).sum(axis=1, where=largest) / top
    return Precision(relative_errors(weights.weights, errors), top, overlap / N_IMITATED, agree / N_IMITATED)


def precision_in_words(weights: ComponentWeights, *, target: str) -> str:
    """Say how precise the weights on ``target`` are, in a sentence; nothing for a method that fits no masks."""
    precision, row, n = precision_of(weights), weights.index(target), weights.n_masks
    if not n:
        return ""
    if precision is None:
        return f"All {n} mixtures that there are were scored: nothing is left to chance."
    overlap, error = precision.jaccard[row], precision.relative_error[row]
    if not np.isfinite(error):
        return f"From {n} random mixtures: the weights on {spoken(target)} are no larger than chance makes them."
    same = round(2.0 * precision.top * overlap / (1.0 + overlap))
    largest = f"{same} of the {precision.top} largest" if same < precision.top else f"the {precision.top} largest"
    return (
        f"From {n} random mixtures: chance moves the weights on {spoken(target)} by {100 * error:.0f} % of their size; "
        f"with others, {largest} would be the same."
    )


def _largest(weights: Array, top: int) -> NDArray[np.bool_]:
    """True for the ``top`` largest absolute weights of each row."""
    chosen = np.zeros(weights.shape, dtype=bool)
    np.put_along_axis(chosen, np.argsort(-np.abs(weights), axis=1)[:, :top], values=True, axis=1)
    return chosen
