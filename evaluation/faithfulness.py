"""Faithfulness: do the components that an explanation names move the model's score the way that it says?

Conventions
-----------
``weights`` [K] are one target's; f is the model's score of the target as a function of the gains g [K] of the
components, so that f(1) is the clip's. Off means a gain, here silence unless said otherwise. Other tools' metrics are
made for class probabilities; what stands here is for scores, which go up and down.

Metrics
-------
- ``deletion_gap``, ``insertion_gap``: see evaluation.curves
- ``kept_shift`` and ``lost_shift``, by side: f of the side's components alone less f(1); f(1) less f without them.
  Positive components should have a lost_shift above 0 (faithfulness, FF: Parekh et al., Listen to Interpret, NeurIPS
  2022), negative ones below 0
- ``average_increase``, ``average_drop``, ``average_gain``: AI, AD, AG (Chattopadhay et al., Grad-CAM++, WACV 2018;
  Zhang et al., Opti-CAM, 2024) of one clip in percent, for scores in 0..1. With o = f(1) and p = f of the positive
  components alone: AI = 100 if p > o else 0, AD = 100 max(0, o - p) / o, AG = 100 max(0, p - o) / (1 - o). For the
  negative components o and p are 1 - f
- ``infidelity``: mean over mixtures of ((1 - g) . phi - (f(1) - f(g)))^2, where phi is the weight by unit of gain
  (Yeh et al., On the (In)fidelity and Sensitivity of Explanations, NeurIPS 2019), in squares of the score; normalised,
  phi is scaled to fit best, as captum does
- ``infidelity_share``: infidelity over that of an explanation of zeros, so that scores can be compared; 0 is best
- ``sensitivity_max``: largest relative change of an explanation under small changes of its input (ibid.)
- ``complexity``: entropy of |w| / sum |w|, in nats; up to log K (Bhatt, Weller, Moura, IJCAI 2020)
- ``sparseness``: Gini index of |w|, 0 (all alike) to 1 - 1 / K (Chalasani et al., ICML 2020)
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emomod.checks import check_choice, check_count, check_number, check_rng
from emomod.component_weights import Selection, complexity
from emomod.components.base import Components
from emomod.components.off import off_gain
from emomod.errors import InputError
from emomod.mixtures import score_mixtures
from emomod.model.predictor import Predict
from emomod.undefined import undefined
from evaluation.checks import check_numbers
from evaluation.curves import Score, deletion_curves, insertion_curves

Array = NDArray[np.float64]
SIDES = {"positive": 1.0, "negative": -1.0}
ROOM = 1e-9  # below which a score has no way to go


class MixtureScores:
    """The model's scores of mixtures of one clip; what was asked for before is not computed again."""

    def __init__(self, predict: Predict, components: Components) -> None:
        self._predict, self._components = predict, components
        self._known: dict[bytes, Array] = {}

    def __call__(self, gains: Array) -> Array:
        """Scores [n, n_names] of gains [n, K]."""
        key = sha256(np.ascontiguousarray(gains, dtype=np.float64).tobytes()).digest()
        if key not in self._known:
            self._known[key] = score_mixtures(self._predict, self._components, gains)
        return self._known[key]

    def of(self, target: str) -> Score:
        """One score as a function of gains [n, K]."""
        column = self._predict.names.index(check_choice("target", target, self._predict.names))
        return lambda gains: self(gains)[:, column]


# ---- keeping and losing one side -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SideShift:
    """What the components of one side do to a score alone, and what the clip is without them."""

    side: str  # positive or negative
    score: float  # of the clip
    kept: float  # of the side's components alone
    lost: float  # of all the others

    @property
    def kept_shift(self) -> float:
        """Score of the side alone less the clip's."""
        return self.kept - self.score

    @property
    def lost_shift(self) -> float:
        """Score of the clip less that without the side."""
        return self.score - self.lost

    def _towards(self) -> tuple[float, float]:
        """Clip's and side's score, cut to 0..1, counted so that the side should raise it."""
        before, after = (min(max(value, 0.0), 1.0) for value in (self.score, self.kept))
        return (before, after) if SIDES[self.side] > 0 else (1.0 - before, 1.0 - after)

    @property
    def average_increase(self) -> float:
        """100 if the side alone moves the score its way, else 0."""
        before, after = self._towards()
        return 100.0 * (after > before)

    @property
    def average_drop(self) -> float:
        """Percent of the score that is lost with the other components; 0, with a warning, of a score of 0."""
        before, after = self._towards()
        if before < ROOM:
            return undefined("average_drop of a score of 0", 0.0)
        return 100.0 * max(0.0, before - after) / before

    @property
    def average_gain(self) -> float:
        """Percent of the room to the end of the scale that is gained; 0, with a warning, where there is none."""
        before, after = self._towards()
        if before > 1.0 - ROOM:
            return undefined("average_gain of a score at the end of its scale", 0.0)
        return 100.0 * max(0.0, after - before) / (1.0 - before)


def side_shift(score: Score, chosen: ArrayLike, *, n_components: int, side: str, off: str = "silence") -> SideShift:
    """Score the components ``chosen`` (indices) alone, and the clip without them; InputError for other than indices."""
    check_choice("side", side, tuple(SIDES))
    indices = np.asarray(chosen)
    inside = ((indices >= 0) & (indices < check_count("n_components", n_components))).all()
    if indices.dtype.kind not in "iu" or not indices.size or not inside:
        raise InputError(f"chosen must be indices 0..{n_components - 1}, at least one, got {indices.tolist()}")
    kept = np.isin(np.arange(n_components), indices)
    low = off_gain(off)
    whole, alone, without = score(np.stack([np.ones(n_components), np.where(kept, 1.0, low), np.where(kept, low, 1.0)]))
    return SideShift(side, float(whole), float(alone), float(without))


# ---- agreement with the model, and with itself -----------------------------------------------------------------------


def infidelity(score: Score, slopes: ArrayLike, gains: ArrayLike, *, normalise: bool = False) -> float:
    """Mean squared error >= 0 of ``slopes`` [K], change of score by unit of gain, on mixtures ``gains`` [n, K].

    Weights of a fit whose off is a gain g are slopes times (1 - g).
    """
    phi, factors = check_numbers("slopes", slopes, ndim=1), check_numbers("gains", gains, ndim=2)
    if factors.shape[1] != phi.size:
        raise InputError(f"gains must be of {phi.size} components, got {factors.shape[1]}")
    told = (1.0 - factors) @ phi
    true = score(np.ones((1, phi.size)))[0] - score(factors)
    if normalise:
        size = float(told @ told)
        told = told * (float(told @ true) / size if size > 0.0 else 1.0)
    return float(((told - true) ** 2).mean())


def sensitivity_max(
    explain: Callable[[Array], ArrayLike], x: ArrayLike, *, radius: float, n_changes: int = 10, seed: int = 0
) -> float:
    """Largest |phi(x + d) - phi(x)| / |phi(x)| over drawn changes d, each number uniform in +-``radius``.

    ``explain`` takes an array like ``x`` and gives weights. Infinity, with a warning, if those of ``x`` are all 0.
    """
    values, rng = np.asarray(x, dtype=np.float64), check_rng(seed)
    check_number("radius", radius, low=0.0)
    reference = np.asarray(explain(values), dtype=np.float64)
    size = float(np.linalg.norm(reference))
    if size == 0.0:
        return undefined("sensitivity_max of weights that are all 0", float("inf"))
    changes = (rng.uniform(-radius, radius, values.shape) for _ in range(check_count("n_changes", n_changes)))
    return max(float(np.linalg.norm(np.asarray(explain(values + change)) - reference)) / size for change in changes)


# ---- how many components it takes ------------------------------------------------------------------------------------


def _shares(weights: ArrayLike) -> Array | None:
    """|w| / sum |w|, or None where all are 0."""
    sizes = np.abs(check_numbers("weights", weights, ndim=1))
    return sizes / sizes.sum() if sizes.any() else None


def sparseness(weights: ArrayLike) -> float:
    """Gini index 0..1 of |w| of ``weights`` [K]; 0, with a warning, if all are 0.

    >>> sparseness([0.0, 0.0, 0.0, 2.0])
    0.75
    """
    shares = _shares(weights)
    if shares is None:
        return undefined("sparseness of weights that are all 0", 0.0)
    ranks = np.arange(1, shares.size + 1)
    return float(((2 * ranks - shares.size - 1) * np.sort(shares)).sum() / shares.size)


def evaluate(
    score: Score,
    weights: ArrayLike,
    selection: Selection,
    *,
    weights_off: str,
    gains: ArrayLike,
    off: str = "silence",
    seed: int = 0,
) -> dict[str, float | None]:
    """All metrics of one explanation but ``sensitivity_max``, by name.

    What is told of a side of the ``selection`` that has no components is None. ``weights_off``: what the fit of
    ``weights`` meant by off; ``gains`` [n, K]: mixtures for the infidelity; ``off``: what is done to components here.
    """
    values = check_numbers("weights", weights, ndim=1)
    slopes = values / (1.0 - off_gain(weights_off))
    found: dict[str, float | None] = {}
    for name, curves_of in (("deletion", deletion_curves), ("insertion", insertion_curves)):
        curves = curves_of(score, values, seed=seed, off=off)
        found |= {f"{name}_gap": curves.gap, f"{name}_p": curves.p_value}
    for side in SIDES:
        chosen = getattr(selection, side)
        shift = side_shift(score, chosen, n_components=values.size, side=side, off=off) if chosen.size else None
        names = ("kept_shift", "lost_shift", "average_increase", "average_drop", "average_gain")
        found |= {f"{side}_{name}": getattr(shift, name) if shift else None for name in names}
    missed, whole = infidelity(score, slopes, gains), infidelity(score, np.zeros_like(slopes), gains)
    return found | {
        "infidelity": missed,
        "infidelity_share": missed / whole if whole else undefined("infidelity_share of a score that stays", 0.0),
        "infidelity_normalised": infidelity(score, slopes, gains, normalise=True),
        "complexity": complexity(values),
        "sparseness": sparseness(values),
    }
