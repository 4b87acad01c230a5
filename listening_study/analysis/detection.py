"""Can listeners tell the versions apart at all? d' of ABX trials, and exact tests of proportions.

Conventions
-----------
A rate is log-linearly corrected, so that 1 has a d': half an answer is added to its count, one to its total. Intervals
are of 95 %: of a proportion Clopper & Pearson's exact one, and of d' those ends as d'. Trials are taken as independent:
figures speak of these listeners and this music.

The listener has no bias and calls X what it differs from least (the differencing model, for trials whose A and B
change): p(right) = Phi(d'/sqrt 2) Phi(d'/sqrt 6) + Phi(-d'/sqrt 2) Phi(-d'/sqrt 6), with Phi the normal distribution.

Hautus, Corrections for extreme proportions and their biasing effects on estimated values of d', Behavior Research
Methods, Instruments & Computers 27, 1995; Macmillan & Creelman, Detection Theory, 2nd edition 2005, chapter 9.
"""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from emomod.bootstrap import Estimate
from emomod.checks import check_count, check_number
from emomod.errors import InputError

LARGEST = 12.0  # d' at which ABX is right but for 1 answer in a million


@dataclass(frozen=True)
class Proportion:
    """A share of right answers, with its exact interval and the two-sided test against ``chance``."""

    share: Estimate
    n_right: int
    n: int
    chance: float
    p_value: float


def _counts(n_right: int, n: int, *, names: tuple[str, str]) -> tuple[int, int]:
    check_count(names[0], n_right, low=0)
    if n_right > check_count(names[1], n):
        raise InputError(f"{names[0]} must be at most {names[1]}, {n}, got {n_right}")
    return int(n_right), int(n)


def abx_share(d_prime: float) -> float:
    """Share .5..1 of right ABX answers at a ``d_prime`` >= 0."""
    ends = np.array([1.0, -1.0]) * check_number("d_prime", d_prime, low=0.0)
    return float((stats.norm.cdf(ends / np.sqrt(2.0)) * stats.norm.cdf(ends / np.sqrt(6.0))).sum())


def _abx_d_prime(share: float) -> float:
    """The d' of a share; 0 at or below chance, ``LARGEST`` where it is beyond."""
    if share <= 0.5:
        return 0.0
    if share >= abx_share(LARGEST):
        return LARGEST
    return float(optimize.brentq(lambda d: abx_share(d) - share, 0.0, LARGEST))


def abx(*, n_right: int, n: int) -> Estimate:
    """Sensitivity d' of ABX answers, of the corrected share; 0 at or below chance, at most ``LARGEST``."""
    test = proportion(n_right=n_right, n=n)
    shares = (n_right + 0.5) / (n + 1.0), test.share.low, test.share.high
    return Estimate(*(_abx_d_prime(share) for share in shares))


def proportion(*, n_right: int, n: int, chance: float = 0.5) -> Proportion:
    """The share of right answers beside ``chance``, by the exact binomial test.

    >>> round(proportion(n_right=12, n=16).p_value, 4)
    0.0768
    """
    _counts(n_right, n, names=("n_right", "n"))
    check_number("chance", chance, low=0.0, high=1.0)
    found = stats.binomtest(n_right, n, chance)
    interval = found.proportion_ci(0.95, method="exact")
    share = Estimate(n_right / n, float(interval.low), float(interval.high))
    return Proportion(share, int(n_right), int(n), float(chance), float(found.pvalue))
