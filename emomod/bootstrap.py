"""Figures with 95 % intervals: how far a figure moves when the clips or phrases had been others of their kind.

The bootstrap (Efron & Tibshirani, An Introduction to the Bootstrap, 1993): what was measured is drawn again with
replacement, a draw is told by how often each item comes up in it, and the interval holds the middle 95 % of the draws'
figures. Items that belong together (one song, one series) are drawn together, else the interval is too narrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from emomod.checks import check_count, check_rng

N_DRAWS = 2000
NORMAL_95 = NormalDist().inv_cdf(0.975)
TAIL = 2.5  # per cent of the draws beyond each end of an interval


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """The figure, then the interval in brackets, with two decimals; a dash for what is not defined."""
        if not np.isfinite(self.value):
            return "–"
        return f"{self.value:.2f} [{_told(self.low)}, {_told(self.high)}]"


def _told(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"


def estimate(value: float, draws: NDArray[np.float64]) -> Estimate:
    """``value`` with the interval of ``draws`` [n_draws]; draws without a figure (NaN) do not count.

    >>> str(estimate(0.5, np.linspace(0.0, 1.0, 1001)))
    '0.50 [0.03, 0.97]'
    """
    found = draws[np.isfinite(draws)]
    if not found.size:
        return Estimate(float(value), float("nan"), float("nan"))
    low, high = np.percentile(found, [TAIL, 100 - TAIL])
    return Estimate(float(value), float(low), float(high))


def draw_groups(groups: Sequence[str], *, rng: int | np.random.Generator, n_draws: int = N_DRAWS) -> NDArray[np.intp]:
    """How often each item [n_draws, n] comes up when whole ``groups`` [n] are drawn with replacement."""
    _, members = np.unique(groups, return_inverse=True)
    n_groups = int(members.max()) + 1
    counts = check_rng(rng).multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n_draws)
    return np.asarray(counts[:, members], dtype=np.intp)


def draw_within(groups: Sequence[str], *, rng: int | np.random.Generator, n_draws: int = N_DRAWS) -> NDArray[np.intp]:
    """How often each item [n_draws, n] comes up when the items of each group are drawn, so that all groups stay."""
    generator, counts = check_rng(rng), np.zeros((n_draws, len(groups)), dtype=np.intp)
    for group in np.unique(groups):
        members = np.flatnonzero(np.asarray(groups) == group)
        counts[:, members] = generator.multinomial(members.size, np.full(members.size, 1 / members.size), size=n_draws)
    return counts


def wilson_interval(n_right: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of ``n_right`` in ``n`` (J. American Statistical Association 22, 1927).

    >>> [round(end, 4) for end in wilson_interval(9, 10)]
    [0.5958, 0.9821]
    """
    check_count("n", n)
    square, share = NORMAL_95**2, n_right / n
    centre = (share + square / (2 * n)) / (1 + square / n)
    half = NORMAL_95 / (1 + square / n) * float(np.sqrt(share * (1 - share) / n + square / (4 * n**2)))
    return max(0.0, centre - half), min(1.0, centre + half)
