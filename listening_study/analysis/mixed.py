"""Crossed mixed models: a slope that shall hold for other listeners and other music than those of the study.

response ~ 1 + predictor, with random intercepts of the levels ("participant", "item") and random slopes of the
predictor of some of them, by restricted maximum likelihood (``crossed``); those of a level are uncorrelated.
statsmodels fits the same model; it is the reference of the tests and not what is used, since on most studies with a
component of 0 its optimisers stop early, and one of them says all the same that it has converged.

Conventions
-----------
Intervals (95 %) and p-values (two-sided) are of Student's t with as many degrees of freedom as the level with fewest
members has, less one: on the safe side.

Where another value of a component has a clearly better likelihood than what was found, all figures are NaN, with a
warning, and ``converged`` is False.

Baayen, Davidson, Bates, Mixed-effects modeling with crossed random effects for subjects and items, J. Memory and
Language 59(4), 2008; Laird & Ware, Random-effects models for longitudinal data, Biometrics 38(4), 1982.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from emomod.checks import check_choice
from emomod.errors import InputError
from emomod.undefined import undefined
from listening_study.analysis.crossed import CrossedDesign
from listening_study.analysis.tables import check_table, numbered

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
ZERO = 1e-6  # of the residual variance: a component below it is taken as 0


@dataclass(frozen=True)
class Effect:
    """A fixed effect with its 95 % interval."""

    value: float
    se: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True)
class MixedFit:
    """What a crossed mixed model found."""

    effects: dict[str, Effect]  # "intercept" and the predictor
    variances: dict[str, float]  # by level, and "<level>:<predictor>" of slopes; "residual"
    n_answers: int
    n_levels: dict[str, int]  # members of each level
    dof: int
    converged: bool


def fit_mixed(
    table: "pd.DataFrame",
    *,
    predictor: str,
    intercepts: Sequence[str] = ("participant", "item"),
    slopes: Sequence[str] = ("participant",),
) -> MixedFit:
    """Fit all rows of ``table``; InputError where a column is missing or a level has fewer than two members.

    ``slopes`` are some of the levels in ``intercepts``.
    """
    check_table(table, ["response", predictor, *intercepts])
    for level in slopes:
        check_choice("slopes", level, tuple(intercepts))
    y, x = _numbers(table, "response"), _numbers(table, predictor)
    X = np.column_stack([np.ones_like(y), x])
    if np.ptp(x) == 0.0 or len(y) <= X.shape[1]:
        raise InputError(f"{predictor} must vary over more than {X.shape[1]} answers")
    members = {level: _members(table, level) for level in intercepts}
    designs = dict(members) | {f"{level}:{predictor}": members[level] * X[:, 1:] for level in slopes}
    n_levels = {level: columns.shape[1] for level, columns in members.items()}
    design, dof = CrossedDesign(y, X, designs), min(n_levels.values()) - 1
    relative, names = design.best(), ("intercept", predictor)
    if not design.is_best(relative):
        undefined("mixed model whose likelihood has no maximum that was found", float("nan"))
        nothing = dict.fromkeys([*designs, "residual"], float("nan"))
        effects = dict.fromkeys(names, Effect(*[float("nan")] * 5))
        return MixedFit(effects, nothing, len(y), n_levels, dof, False)
    residual = design.residual(relative)
    sizes = np.where(relative < ZERO, 0.0, relative * residual)
    variances = {**dict(zip(design.names, sizes.tolist(), strict=True)), "residual": residual}
    return MixedFit(_effects(names, design, relative, dof), variances, len(y), n_levels, dof, True)


def _numbers(table: "pd.DataFrame", column: str) -> Array:
    values = table[column].to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        raise InputError(f"{column} must be finite, got {int((~np.isfinite(values)).sum())} of NaN or infinity")
    return np.asarray(values)


def _members(table: "pd.DataFrame", level: str) -> Array:
    """1 in the column of each answer's member of the level [n, n_members]."""
    member, names = numbered(table[level].astype(str).tolist())
    if len(names) < 2:
        raise InputError(f"{level} must have at least two members, got {len(names)}")
    return np.eye(len(names))[member]


def _effects(names: Sequence[str], design: CrossedDesign, relative: Array, dof: int) -> dict[str, Effect]:
    values, errors = design.fixed_effects(relative, design.residual(relative))
    half = float(stats.t.ppf(0.975, dof)) * errors
    p_values = 2 * stats.t.sf(np.abs(values) / np.maximum(errors, np.finfo(float).tiny), dof)
    ends = zip(values, errors, values - half, values + half, p_values, strict=True)
    return {name: Effect(*map(float, figures)) for name, figures in zip(names, ends, strict=True)}
