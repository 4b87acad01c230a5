"""Deletion and insertion: how a score moves while components are turned off, or on, the most important first.

Conventions: ``weights`` [K] are one target's; f is the model's score of the target as a function of the gains of the
components. Off means a gain, here silence unless said otherwise.

Metrics
-------
- ``deletion_gap``: components are turned off in steps, the most positive weights first. The mean area under f over the
  share that is off of random orders, less that of this order: above 0 if the weights rank well (deletion: Petsiuk, Das,
  Saenko, RISE, BMVC 2018). The most negative first would be the insertion curve read backwards
- ``insertion_gap``: the same from all off, components being turned on: area of this order less that of random ones
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emomod.checks import check_count, check_rng
from emomod.components.off import off_gain
from evaluation.checks import check_numbers

Array = NDArray[np.float64]
Score = Callable[[Array], Array]  # gains [n, K] in, scores [n] of one target out


@dataclass(frozen=True, eq=False)
class Curves:
    """Scores while components are turned off, or on, by their weights and in random orders."""

    share: Array  # [n_points], of the components that were turned, 0..1
    ordered: Array  # [n_points], most positive first
    random: Array  # [n_random, n_points]
    sign: float  # 1 where a large area is good, -1 where a small one is

    @property
    def area(self) -> float:
        """Area under the ordered curve: the mean score along it."""
        return float(np.trapezoid(self.ordered, self.share))

    @property
    def random_areas(self) -> Array:
        """[n_random]"""
        return np.asarray(np.trapezoid(self.random, self.share, axis=1))

    @property
    def gap(self) -> float:
        """How much better the area is than the mean of the random orders'."""
        return self.sign * (self.area - float(self.random_areas.mean()))

    @property
    def p_value(self) -> float:
        """One-sided p-value of the area among those of random orders."""
        as_good = self.sign * self.random_areas >= self.sign * self.area
        return float((1.0 + as_good.sum()) / (1.0 + as_good.size))


def deletion_curves(
    score: Score, weights: ArrayLike, *, n_steps: int = 20, n_random: int = 20, seed: int = 0, off: str = "silence"
) -> Curves:
    """Turn components off in steps, by the order of ``weights`` [K] and by ``n_random`` random orders."""
    orders = _orders(weights, n_random=n_random, seed=seed)
    share, found = _along(score, orders, n_steps=n_steps, ends=(1.0, off_gain(off)))
    return Curves(share, found[0], found[1:], -1.0)


def insertion_curves(
    score: Score, weights: ArrayLike, *, n_steps: int = 20, n_random: int = 20, seed: int = 0, off: str = "silence"
) -> Curves:
    """The same, but all components are off at first and are turned on."""
    orders = _orders(weights, n_random=n_random, seed=seed)
    share, found = _along(score, orders, n_steps=n_steps, ends=(off_gain(off), 1.0))
    return Curves(share, found[0], found[1:], 1.0)


def _orders(weights: ArrayLike, *, n_random: int, seed: int) -> list[NDArray[np.intp]]:
    """The components by their weights, most positive first, then in random orders."""
    values, rng = check_numbers("weights", weights, ndim=1), check_rng(seed)
    drawn = [rng.permutation(values.size) for _ in range(check_count("n_random", n_random))]
    return [np.argsort(-values, kind="stable"), *drawn]


def _along(
    score: Score, orders: Sequence[NDArray[np.intp]], *, n_steps: int, ends: tuple[float, float]
) -> tuple[Array, Array]:
    """Shares [n_points] of components at the second end, the others at the first, and scores [n_orders, n_points]."""
    n = orders[0].size
    counts = np.unique(np.round(np.linspace(0, n, check_count("n_steps", n_steps) + 1)).astype(int))
    places = [np.argsort(order) for order in orders]
    scores = [score(np.where(place[None, :] < counts[:, None], ends[1], ends[0])) for place in places]
    return counts / n, np.array(scores)
