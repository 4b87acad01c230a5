"""Fidelity: does the surrogate of an explanation predict the model's scores of mixtures that its fit has not seen?

Conventions
-----------
A surrogate has weights w [T, K] and intercepts a [T] (emomod.component_weights), fitted with components that are
either unchanged or off, where off is a gain. A mixture with gains g [K] is predicted as a + sum_k w_k z_k, where z_k =
(g_k - off) / (1 - off): 1 for an unchanged component, 0 for one that is off, linear in the amplitude.

A neighbourhood is a distribution of mixtures: each component is unchanged with a probability, else at a gain. That of
the fit has probability 1/2 and the gain that off meant. Nearer ones keep more components or cut them less.

Metrics
-------
- ``r2``: 1 - sum (s - prediction)^2 / sum (s - mean)^2 over the mixtures, for each score. At most 1; below 0 the mean
  of the scores would have been the better prediction
- ``r2_weighted``: the same with LIME's kernel of the share of unchanged components as weights (Ribeiro et al. 2016)
- ``clip_r2``: what the 2019 notebook prints as R2: over the targets, of the predictions for the unchanged clip alone.
  It says nothing about mixtures
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emomod.checks import check_count, check_number, check_rng
from emomod.component_weights import ComponentWeights
from emomod.components.base import Components
from emomod.components.off import off_gain
from emomod.errors import InputError
from emomod.mixtures import score_mixtures
from emomod.model.predictor import Predict
from emomod.perturbation import HELD_OUT
from emomod.surrogate import cosine_kernel
from emomod.undefined import undefined
from evaluation.checks import check_alike, check_numbers

Array = NDArray[np.float64]
KERNEL_WIDTH = 0.25  # LIME's for images
FLAT = 1e-14  # sum of squares of scores that do not vary


@dataclass(frozen=True)
class Neighbourhood:
    """A distribution of mixtures about a clip."""

    on_probability: float  # 0..1, that a component is unchanged
    off: str  # what it is else: "silence" or a cut in dB

    def __post_init__(self) -> None:
        check_number("on_probability", self.on_probability, low=0.0, high=1.0)
        off_gain(self.off)


NEIGHBOURHOODS = (
    *(Neighbourhood(probability, "-6dB") for probability in (0.25, 0.5, 0.75, 0.9)),
    *(Neighbourhood(0.5, off) for off in ("-1.5dB", "-3dB", "-12dB", "-24dB", "silence")),
)


def r2(scores: ArrayLike, predicted: ArrayLike, kernel: ArrayLike | None = None) -> Array:
    """Coefficient of determination [T] of ``predicted`` [n, T] for ``scores`` [n, T], weighted by ``kernel`` [n].

    For a score that does not vary it is 1 if it is predicted exactly and 0 if not, with a warning.
    """
    truth = check_numbers("scores", scores, ndim=2, rows=2)
    guess = check_numbers("predicted", predicted, ndim=2, rows=2)
    check_alike(scores=truth, predicted=guess)
    weight = np.ones(len(truth)) if kernel is None else check_numbers("kernel", kernel, ndim=1)
    if weight.shape != (len(truth),) or (weight < 0).any() or not weight.any():
        raise InputError(f"kernel must be {len(truth)} weights >= 0, not all 0, got shape {list(weight.shape)}")
    spread = weight @ (truth - np.average(truth, axis=0, weights=weight)) ** 2
    missed = weight @ (truth - guess) ** 2
    return np.array(
        [
            1.0 - error / total if total > FLAT else undefined("r2 of a score that does not vary", float(error <= FLAT))
            for error, total in zip(missed, spread, strict=True)
        ]
    )


def predict_mixtures(weights: ComponentWeights, gains: ArrayLike, *, off: str) -> Array:
    """Scores [n, T] that the surrogate predicts for ``gains`` [n, K]; ``off``: what its fit meant by off."""
    factors = check_numbers("gains", gains, ndim=2)
    if factors.shape[1] != weights.weights.shape[1]:
        raise InputError(f"gains must be of {weights.weights.shape[1]} components, got {factors.shape[1]}")
    low = off_gain(off)
    return np.asarray((factors - low) / (1.0 - low) @ weights.weights.T + weights.intercepts)


def draw_gains(n_components: int, neighbourhood: Neighbourhood, *, n_mixtures: int, seed: int) -> Array:
    """Gains [n_mixtures, n_components] of mixtures that no fit has seen; one seed keeps nested components unchanged.

    With one seed, what is unchanged at a probability is also unchanged at every higher one.
    """
    check_rng(seed)
    rng = np.random.default_rng([seed, HELD_OUT, 1])
    kept = rng.random((check_count("n_mixtures", n_mixtures, low=2), n_components)) < neighbourhood.on_probability
    return np.where(kept, 1.0, off_gain(neighbourhood.off))


def evaluate(
    predict: Predict,
    components: Components,
    weights: ComponentWeights,
    *,
    off: str,
    neighbourhoods: Sequence[Neighbourhood] = NEIGHBOURHOODS,
    n_mixtures: int = 256,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """A row for each neighbourhood and score: target, on_probability, off, r2, r2_weighted, clip_r2.

    ``off``: what the fit of ``weights`` meant by off. InputError where components and weights do not belong together.
    """
    if predict.names != weights.names:
        raise InputError(f"weights must be of the model's scores {predict.names}, got {weights.names}")
    rows = []
    for place in neighbourhoods:
        gains = draw_gains(components.n_components, place, n_mixtures=n_mixtures, seed=seed)
        scores, predicted = score_mixtures(predict, components, gains), predict_mixtures(weights, gains, off=off)
        kernel = cosine_kernel(gains == 1.0, width=KERNEL_WIDTH)
        plain, weighted = r2(scores, predicted), r2(scores, predicted, kernel)
        rows += [
            {
                "target": name,
                "on_probability": place.on_probability,
                "off": place.off,
                "r2": float(plain[column]),
                "r2_weighted": float(weighted[column]),
                "clip_r2": weights.clip_r2,
            }
            for column, name in enumerate(weights.names)
        ]
    return rows
