"""Can listeners tell the versions apart at all? d' of yes/no and ABX trials, and exact tests of proportions.

Conventions
-----------
Of yes/no trials, a hit is a "yes" to a signal (a modified version), a false alarm a "yes" to none (an identical pair).
Rates are log-linearly corrected, so that 0 and 1 have a d': half an answer is added to each count, one to each total.
Intervals are of 95 %: of d' from yes/no by the normal approximation, of a proportion Clopper & Pearson's exact one, and
of d' from ABX those ends as d'. Trials are taken as independent: they are of one listener, or speak of these listeners.

ABX models, of a listener without bias; Phi is the normal distribution:

- "differencing" (the default): X is called what it differs from least; for trials whose A and B change from trial to
  trial. p(right) = Phi(d'/sqrt 2) Phi(d'/sqrt 6) + Phi(-d'/sqrt 2) Phi(-d'/sqrt 6)
- "independent": the listener knows A and B and the best use of them, for one pair throughout.
  p(right) = Phi(d'/sqrt 2) Phi(d'/2) + Phi(-d'/sqrt 2) Phi(-d'/2)

Hautus, Corrections for extreme proportions and their biasing effects on estimated values of d', Behavior Research
Methods, Instruments & Computers 27, 1995; Gourevitch & Galanter, A significance test for one parameter isosensitivity
functions, Psychometrika 32, 1967 (the variance); Macmillan & Creelman, Detection Theory, 2nd edition 2005, chapter 9.
"""

from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from emomod.bootstrap import NORMAL_95, Estimate
from emomod.checks import check_choice, check_count, check_number
from emomod.errors import InputError

SECOND_FACTOR = {"differencing": np.sqrt(6.0), "independent": 2.0}
LARGEST = 12.0  # d' at which ABX is right but for 1 answer in a million, by either model


@dataclass(frozen=True)
class YesNo:
    """Sensitivity and bias of yes/no answers."""

    d_prime: Estimate
    criterion: float  # 0 without bias, above 0 where "no" is said too often


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


def yes_no(*, hits: int, signals: int, false_alarms: int, noises: int) -> YesNo:
    """Sensitivity d' and criterion of ``hits`` out of ``signals`` and ``false_alarms`` out of ``noises``.

    >>> round(yes_no(hits=20, signals=25, false_alarms=10, noises=25).d_prime.value, 3)
    1.044
    """
    _counts(hits, signals, names=("hits", "signals"))
    _counts(false_alarms, noises, names=("false_alarms", "noises"))
    rates = np.array([(hits + 0.5) / (signals + 1.0), (false_alarms + 0.5) / (noises + 1.0)])
    z = stats.norm.ppf(rates)
    variance = float((rates * (1 - rates) / (np.array([signals + 1.0, noises + 1.0]) * stats.norm.pdf(z) ** 2)).sum())
    d_prime, half = float(z[0] - z[1]), NORMAL_95 * float(np.sqrt(variance))
    return YesNo(Estimate(d_prime, d_prime - half, d_prime + half), -float(z.sum()) / 2)


def abx_share(d_prime: float, *, model: str = "differencing") -> float:
    """Share .5..1 of right ABX answers at a ``d_prime`` >= 0."""
    factor = SECOND_FACTOR[check_choice("model", model, tuple(SECOND_FACTOR))]
    ends = np.array([1.0, -1.0]) * check_number("d_prime", d_prime, low=0.0)
    return float((stats.norm.cdf(ends / np.sqrt(2.0)) * stats.norm.cdf(ends / factor)).sum())


def _abx_d_prime(share: float, model: str) -> float:
    """The d' of a share; 0 at or below chance, ``LARGEST`` where it is beyond."""
    if share <= 0.5:
        return 0.0
    if share >= abx_share(LARGEST, model=model):
        return LARGEST
    return float(optimize.brentq(lambda d: abx_share(d, model=model) - share, 0.0, LARGEST))


def abx(*, n_right: int, n: int, model: str = "differencing") -> Estimate:
    """Sensitivity d' of ABX answers, of the corrected share; 0 at or below chance, at most ``LARGEST``."""
    check_choice("model", model, tuple(SECOND_FACTOR))
    test = proportion(n_right=n_right, n=n)
    shares = (n_right + 0.5) / (n + 1.0), test.share.low, test.share.high
    return Estimate(*(_abx_d_prime(share, model) for share in shares))


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
