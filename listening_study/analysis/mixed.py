"""Crossed mixed models: a slope that shall hold for other listeners and other music than those of the study.

response ~ 1 + predictor + covariates, with random intercepts of the levels ("participant", "item") and random slopes of
the predictor of some of them, by restricted maximum likelihood with statsmodels. Intercepts and slopes of a level are
taken as uncorrelated, as statsmodels' variance components are. The estimates and standard errors of the fixed effects
are the generalised least squares of the components found (``crossed``), so that a component of 0 does no harm.

Conventions
-----------
Intervals (95 %) and p-values (two-sided) are of Student's t with as many degrees of freedom as the level with fewest
members has, less one: on the safe side.

statsmodels is believed only where it says that it has converged and no other value of a component has a clearly better
likelihood: it fails on many studies one of whose components is 0, and its L-BFGS at times stops early and says that all
is well. Otherwise, and if asked for, the likelihood of ``crossed`` is maximised directly, which takes milliseconds and
comes out the same. If that fails too, all figures are NaN, with a warning, and ``converged`` is False. ``optimiser``
says which one it was; ``boundary`` names the components that are 0.

Baayen, Davidson, Bates, Mixed-effects modeling with crossed random effects for subjects and items, J. Memory and
Language 59(4), 2008; Laird & Ware, Random-effects models for longitudinal data, Biometrics 38(4), 1982.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from emomod.checks import check_choice
from emomod.errors import InputError
from evaluation.checks import undefined
from listening_study.analysis.crossed import CrossedDesign
from listening_study.analysis.tables import check_table, numbered

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
OPTIMISERS = ("statsmodels", "direct")
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

    effects: dict[str, Effect]  # "intercept", the predictor, the covariates
    variances: dict[str, float]  # by level, and "<level>:<predictor>" of slopes; "residual"
    n_answers: int
    n_levels: dict[str, int]  # members of each level
    dof: int
    converged: bool
    optimiser: str  # that found them; empty where none did
    boundary: tuple[str, ...]  # components that were found to be 0


def fit_mixed(
    table: "pd.DataFrame",
    *,
    predictor: str,
    intercepts: Sequence[str] = ("participant", "item"),
    slopes: Sequence[str] = ("participant",),
    covariates: Sequence[str] = (),
    response: str = "response",
    optimiser: str = "statsmodels",
) -> MixedFit:
    """Fit all rows of ``table``; InputError where a column is missing or a level has fewer than two members.

    ``slopes`` are some of the levels in ``intercepts``.
    """
    check_choice("optimiser", optimiser, OPTIMISERS)
    check_table(table, [response, predictor, *covariates, *intercepts])
    for level in slopes:
        check_choice("slopes", level, tuple(intercepts))
    names = ("intercept", predictor, *covariates)
    y, x = _numbers(table, response), [_numbers(table, name) for name in names[1:]]
    X = np.column_stack([np.ones_like(y), *x])
    if np.linalg.matrix_rank(X) < X.shape[1] or len(y) <= X.shape[1]:
        raise InputError(f"{', '.join(names[1:])} must vary, not all together, over more than {X.shape[1]} answers")
    members = {level: _members(table, level) for level in intercepts}
    designs = dict(members) | {f"{level}:{predictor}": members[level] * X[:, 1:2] for level in slopes}
    n_levels = {level: columns.shape[1] for level, columns in members.items()}
    design = CrossedDesign(y, X, designs)
    given = _unknown(designs) if optimiser == "direct" else _by_statsmodels(y, X, designs)
    variances, used = _best(given, design)
    dof = min(n_levels.values()) - 1
    return MixedFit(
        effects=_effects(names, design, variances, dof),
        variances=variances,
        n_answers=len(y),
        n_levels=n_levels,
        dof=dof,
        converged=bool(used),
        optimiser=used,
        boundary=tuple(name for name, size in variances.items() if size == 0.0),
    )


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


def _best(given: dict[str, float], design: CrossedDesign) -> tuple[dict[str, float], str]:
    """What statsmodels gave if it is best, else what the direct search finds; and which of them it is."""
    if _is_best(given, design):
        return given, "statsmodels"
    relative = design.best()
    residual = design.residual(relative)
    found = _named(dict(zip(design.names, relative * residual, strict=True)), residual)
    if _is_best(found, design):
        return found, "direct"
    undefined("mixed model whose likelihood has no maximum that was found", float("nan"))
    return dict.fromkeys(given, float("nan")), ""


def _by_statsmodels(y: Array, X: Array, designs: dict[str, Array]) -> dict[str, float]:
    """Variances by name; NaN where the optimiser does not converge."""
    from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

    labels = [[f"{name}{k}" for k in range(columns.shape[1])] for name, columns in designs.items()]
    spec = VCSpec(list(designs), [[label] for label in labels], [[columns] for columns in designs.values()])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an optimiser that did not converge, or of the boundary: both are told
        try:
            found = MixedLM(y, X, groups=np.ones(len(y)), exog_vc=spec).fit(reml=True, method="bfgs")
        except (np.linalg.LinAlgError, ValueError):
            return _unknown(designs)
    if not found.converged:
        return _unknown(designs)
    return _named(dict(zip(found.model.exog_vc.names, found.vcomp, strict=True)), float(found.scale))


def _unknown(designs: dict[str, Array]) -> dict[str, float]:
    return dict.fromkeys([*designs, "residual"], float("nan"))


def _named(sizes: dict[str, Any], residual: float) -> dict[str, float]:
    """Variances with that of the residual; those close to 0 are 0."""
    cleaned = {name: 0.0 if size < ZERO * residual else float(size) for name, size in sizes.items()}
    return cleaned | {"residual": residual}


def _relative(variances: dict[str, float], design: CrossedDesign) -> Array:
    return np.array([variances[name] for name in design.names]) / variances["residual"]


def _is_best(variances: dict[str, float], design: CrossedDesign) -> bool:
    known = np.isfinite(list(variances.values())).all() and variances["residual"] > 0
    return bool(known) and design.is_best(_relative(variances, design))


def _effects(names: Sequence[str], design: CrossedDesign, variances: dict[str, float], dof: int) -> dict[str, Effect]:
    if not np.isfinite(variances["residual"]):
        return dict.fromkeys(names, Effect(*[float("nan")] * 5))
    values, errors = design.fixed_effects(_relative(variances, design), variances["residual"])
    half = float(stats.t.ppf(0.975, dof)) * errors
    p_values = 2 * stats.t.sf(np.abs(values) / errors, dof)
    ends = zip(values, errors, values - half, values + half, p_values, strict=True)
    return {name: Effect(*map(float, figures)) for name, figures in zip(names, ends, strict=True)}
