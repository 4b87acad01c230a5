"""Which version is more X? Worths of conditions from pairs, with ties and an effect of the order.

The Bradley-Terry-Davidson model: of a pair heard first f, then s, with worths w,

    p(f) : p(s) : p(tie)  =  w_f : order * w_s : tie * sqrt(w_f * w_s)

Conventions
-----------
All parameters are told as natural logarithms: of worths relative to a reference condition, of ``tie`` and of ``order``
(above 0 where what comes second is favoured). Standard errors are of the observed information, with normal intervals of
95 %; they take answers as independent, so they speak of these listeners and this music, not of others.

A penalty of ``penalty / 2`` times the sum of squares, of the log worths about their mean and of the other two, keeps
the estimates finite where answers are separable (a condition that always wins, an order that always decides). The
default is that of a normal prior with a standard deviation of 10, and does nothing that could be seen otherwise; of
separable answers it decides the figures, which ``separable`` and a warning tell.

Davidson, On extending the Bradley-Terry model to accommodate ties in paired comparison experiments, J. American
Statistical Association 65, 1970; Davidson & Beaver, On extending the Bradley-Terry model to incorporate within-pair
order effects, Biometrics 33(4), 1977; Ford, Solution of a ranking problem from binary comparisons, American
Mathematical Monthly 64(8), 1957 (what is separable).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats
from scipy.sparse.csgraph import connected_components

from emomod.bootstrap import NORMAL_95
from emomod.checks import check_choice, check_number
from emomod.errors import InputError
from emomod.undefined import undefined
from listening_study.analysis.mixed import Effect
from listening_study.analysis.tables import main_answers, numbered

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
PENALTY = 0.01
FIRST, SECOND, TIE = range(3)


@dataclass(frozen=True, eq=False)
class Preference:
    """Log worths of conditions, and what else decides an answer."""

    conditions: tuple[str, ...]  # the reference first
    worths: tuple[Effect, ...]  # log worths, of the reference 0 without an error
    order: Effect  # log of the factor of what comes second
    tie: Effect | None  # None where no answer is a tie
    covariance: Array  # of the log worths [n_conditions, n_conditions]
    separable: bool  # the penalty decides
    n_answers: int

    def difference(self, first: str, second: str) -> Effect:
        """Log worth of ``first`` less that of ``second``."""
        a, b = (self.conditions.index(check_choice("condition", name, self.conditions)) for name in (first, second))
        variance = self.covariance[a, a] + self.covariance[b, b] - 2 * self.covariance[a, b]
        return _effect(self.worths[a].value - self.worths[b].value, float(np.sqrt(variance)))


def _effect(value: float, se: float) -> Effect:
    half = NORMAL_95 * se
    p_value = 2 * float(stats.norm.sf(abs(value) / se)) if se > 0 else float("nan")
    return Effect(float(value), float(se), float(value - half), float(value + half), p_value)


def fit_preference(table: "pd.DataFrame", *, reference: str, penalty: float = PENALTY) -> Preference:
    """Fit the pairs of ``table``; identical pairs (condition = other) tell of ties and order only.

    InputError where a trial is no pair, a position is not 1 or 2, or conditions are not connected by pairs.
    """
    first, second, outcome, conditions = _pairs(table, reference)
    check_number("penalty", penalty, low=1e-9)
    with_ties = bool((outcome == TIE).any())
    rows = _design(first, second, len(conditions))[:, :, : None if with_ties else -1]
    if not with_ties:
        rows = rows[:, :TIE]
    ridge = np.zeros((rows.shape[2],) * 2)
    n = len(conditions) - 1
    ridge[:n, :n] = penalty * (np.eye(n) - 1 / (n + 1))  # about the mean, the reference's 0 included
    ridge[range(n, len(ridge)), range(n, len(ridge))] = penalty
    values, information = _maximum(rows, outcome, ridge)
    covariance = np.linalg.inv(information)
    effects = [_effect(value, se) for value, se in zip(values, np.sqrt(np.diag(covariance)), strict=True)]
    separable = _separable(first, second, outcome, len(conditions))
    if separable:
        undefined("log worths of separable pairs, at the penalty's bound", float(np.abs(values).max()))
    return Preference(
        conditions=conditions,
        worths=(_effect(0.0, 0.0), *effects[:n]),
        order=effects[n],
        tie=effects[n + 1] if with_ties else None,
        covariance=np.pad(covariance[:n, :n], ((1, 0), (1, 0))),
        separable=separable,
        n_answers=len(outcome),
    )


def _pairs(
    table: "pd.DataFrame", reference: str
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], tuple[str, ...]]:
    """What came first and second, the outcome, and the names of conditions."""
    kept = main_answers(table, columns=["trial_type", "condition", "other", "position"])
    if set(kept["trial_type"]) != {"pair"}:
        raise InputError(f"trial_type must be pair, got {', '.join(sorted(set(kept['trial_type'])))}")
    position, response = (kept[name].to_numpy(dtype=np.float64) for name in ("position", "response"))
    if not np.isin(position, (1, 2)).all() or not np.isin(response, (-1, 0, 1)).all():
        raise InputError("position must be 1 or 2 and response +1, 0 or -1 in all pairs, got others")
    names = kept["condition"].astype(str).tolist() + kept["other"].astype(str).tolist()
    check_choice("reference", reference, tuple(dict.fromkeys(names)))
    numbers, conditions = numbered([reference, *names])
    own, other = np.split(numbers[1:], 2)
    n_parts = connected_components(_edges(own, other, len(conditions)), directed=False)[0]
    if n_parts > 1:
        raise InputError(f"conditions must be connected by pairs, got {n_parts} groups of {', '.join(conditions)}")
    starts = position == 1
    outcome = np.where(response == 0, TIE, np.where((response > 0) == starts, FIRST, SECOND))
    return np.where(starts, own, other), np.where(starts, other, own), outcome.astype(np.intp), conditions


def _edges(tails: NDArray[np.intp], heads: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    found = np.zeros((n, n), dtype=np.intp)
    found[tails, heads] = 1
    return found


def _design(first: NDArray[np.intp], second: NDArray[np.intp], n: int) -> Array:
    """Log weights of the outcomes [n_answers, 3, n - 1 + order + tie] as multiples of the parameters."""
    rows, worths = np.zeros((len(first), 3, n + 1)), np.eye(n)[:, 1:]
    rows[:, FIRST, :-2], rows[:, SECOND, :-2] = worths[first], worths[second]
    rows[:, TIE, :-2] = (worths[first] + worths[second]) / 2
    rows[:, SECOND, -2] = rows[:, TIE, -1] = 1.0
    return rows


def _maximum(rows: Array, outcome: NDArray[np.intp], ridge: Array) -> tuple[Array, Array]:
    """Where the penalised likelihood is largest, and its information there."""
    chosen = rows[np.arange(len(rows)), outcome].sum(axis=0)

    def loss(values: Array) -> float:
        return float(special.logsumexp(rows @ values, axis=1).sum() - chosen @ values + values @ ridge @ values / 2)

    def slope(values: Array) -> Array:
        shares = special.softmax(rows @ values, axis=1)
        return np.asarray(np.einsum("no,nop->p", shares, rows) - chosen + ridge @ values)

    def information(values: Array) -> Array:
        shares = special.softmax(rows @ values, axis=1)
        means = np.einsum("no,nop->np", shares, rows)
        return np.asarray(np.einsum("no,nop,noq->pq", shares, rows, rows, optimize=True) - means.T @ means + ridge)

    found = optimize.minimize(loss, np.zeros(len(ridge)), jac=slope, hess=information, method="trust-exact")
    return found.x, information(found.x)


def _separable(first: NDArray[np.intp], second: NDArray[np.intp], outcome: NDArray[np.intp], n: int) -> bool:
    """Whether some conditions never lose to the rest, or what decides is always the order."""
    better = _edges(first[outcome != SECOND], second[outcome != SECOND], n)
    better |= _edges(second[outcome != FIRST], first[outcome != FIRST], n)
    decided = set(outcome[outcome != TIE].tolist())
    return bool(connected_components(better, directed=True, connection="strong")[0] > 1 or len(decided) < 2)
