"""Selectivity: when one attribute is manipulated, which attributes do listeners hear change, and which the model?

Conventions
-----------
Matrices are [n_manipulated, n_asked]; NaN where that was not asked. A cell is the mean of the signed responses to the
conditions that manipulate the attribute of its row, asked about that of its column: positive where it went the way of
the manipulation. The model's is the mean of the signed predictions for the same answers. Intervals (95 %) and standard
errors come from one two-way bootstrap for all cells (``resampling``); p-values are of Student's t with the smaller of
the numbers of listeners and items, less one, as degrees of freedom.

Metrics
-------
- ``human``, ``model``: the matrices, in units of the response and of the score
- ``scale``: least-squares factor, through the origin, from the model's matrix to the listeners'
- ``difference``: human - scale * model; ``difference_q`` are its p-values adjusted for the rate of false discoveries
- ``equivalence_p``: of two one-sided tests, off the diagonal, that listeners hear a change smaller than ``margin``

Benjamini & Hochberg, Controlling the false discovery rate, J. Royal Statistical Society B 57(1), 1995; Schuirmann, A
comparison of the two one-sided tests procedure and the power approach, J. Pharmacokinetics and Biopharmaceutics 15(6),
1987.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from emomod.bootstrap import N_DRAWS, TAIL
from emomod.checks import check_number
from emomod.errors import InputError
from emomod.undefined import undefined
from listening_study.analysis.resampling import TwoWayDraws, cell_sums, draw_both, ratio
from listening_study.analysis.tables import numbered, shift_answers

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Selectivity:
    """The listeners' matrix beside the model's."""

    manipulated: tuple[str, ...]
    asked: tuple[str, ...]
    n_answers: NDArray[np.intp]
    human: Array
    human_low: Array
    human_high: Array
    model: Array
    scale: float
    difference: Array
    difference_low: Array
    difference_high: Array
    difference_p: Array
    difference_q: Array  # adjusted: to reject where it is at most the rate wanted
    equivalence_p: Array  # NaN on the diagonal
    margin: float  # in units of the response


@dataclass(frozen=True, eq=False)
class _Cells:
    """Sums of one pair of attributes over listeners x items, drawn and as they are."""

    count: int
    human: float
    model: float
    drawn_human: Array  # [n_draws]
    drawn_model: Array


def selectivity(
    table: "pd.DataFrame",
    *,
    manipulations: Mapping[str, tuple[str, float]],
    margin: float,
    rng: int | np.random.Generator,
    n_draws: int = N_DRAWS,
) -> Selectivity:
    """The matrices of ``table``; other conditions than those in ``manipulations`` are left out.

    ``manipulations``: of a condition, the attribute that it manipulates, and +1 (enhanced) or -1 (weakened).
    """
    check_number("margin", margin, low=0.0)
    kept = shift_answers(table)
    kept = kept[kept["condition"].isin(list(manipulations))].reset_index(drop=True)
    if not len(kept):
        raise InputError(f"manipulations must have some of the table's conditions, got {', '.join(manipulations)}")
    targets, signs = zip(*(manipulations[name] for name in kept["condition"]), strict=True)
    if not np.isin(signs, (-1.0, 1.0)).all():
        raise InputError(f"manipulations must have signs of +1 or -1, got {sorted(set(signs))}")
    manipulated = tuple(dict.fromkeys(target for target, _ in manipulations.values() if target in targets))
    found = set(kept["attribute"])
    asked = (*(name for name in manipulated if name in found), *sorted(found - set(manipulated)))
    listener, listeners = numbered(kept["participant"].astype(str).tolist())
    item, items = numbered(kept["item"].astype(str).tolist())
    draws = draw_both(len(listeners), len(items), rng=rng, n_draws=n_draws)
    signed = [kept[name].to_numpy(dtype=np.float64) * np.array(signs) for name in ("response", "predicted")]
    attribute = kept["attribute"].to_numpy()
    cells = [
        [_cells(signed, (np.array(targets) == row) & (attribute == column), listener, item, draws) for column in asked]
        for row in manipulated
    ]
    return _compared(cells, manipulated, asked, margin, min(len(listeners), len(items)) - 1)


def _cells(
    signed: list[Array],
    chosen: NDArray[np.bool_],
    listener: NDArray[np.intp],
    item: NDArray[np.intp],
    draws: TwoWayDraws,
) -> _Cells:
    count = int(chosen.sum())
    totals = draws.totals(cell_sums(chosen.astype(np.float64), listener=listener, item=item))
    sums = [np.where(chosen, values, 0.0) for values in signed]
    human, model = (float(each.sum()) / count if count else float("nan") for each in sums)
    drawn = [ratio(draws.totals(cell_sums(each, listener=listener, item=item)), totals) for each in sums]
    return _Cells(count, human, model, *drawn)


def _scale(human: Array, model: Array) -> Array:
    """Factors [...] through the origin of matrices [..., n_manipulated, n_asked]; NaN for a model of zeros."""
    known = np.isfinite(human) & np.isfinite(model)
    x, y = np.where(known, model, 0.0), np.where(known, human, 0.0)
    return ratio((x * y).sum(axis=(-2, -1)), (x * x).sum(axis=(-2, -1)))


def _compared(
    cells: list[list[_Cells]], manipulated: tuple[str, ...], asked: tuple[str, ...], margin: float, dof: int
) -> Selectivity:
    human, model = (np.array([[getattr(c, name) for c in row] for row in cells]) for name in ("human", "model"))
    drawn_human, drawn_model = (
        np.moveaxis(np.array([[getattr(c, f"drawn_{name}") for c in row] for row in cells]), 2, 0)
        for name in ("human", "model")
    )
    scale = float(_scale(human, model))
    if np.isnan(scale):
        undefined("scale of a model that predicts no shift", scale)
    difference = human - scale * model
    drawn_difference = drawn_human - _scale(drawn_human, drawn_model)[:, None, None] * drawn_model
    difference_p = 2 * stats.t.sf(_in_errors(np.abs(difference), drawn_difference), dof)
    target = np.array(manipulated)[:, None] == np.array(asked)
    equivalence = stats.t.sf(_in_errors(margin - np.abs(human), drawn_human), dof)
    human_low, human_high = _ends(drawn_human)
    difference_low, difference_high = _ends(drawn_difference)
    return Selectivity(
        manipulated=manipulated,
        asked=asked,
        n_answers=np.array([[c.count for c in row] for row in cells]),
        human=human,
        human_low=human_low,
        human_high=human_high,
        model=model,
        scale=scale,
        difference=difference,
        difference_low=difference_low,
        difference_high=difference_high,
        difference_p=difference_p,
        difference_q=adjusted(difference_p),
        equivalence_p=np.where(target, np.nan, equivalence),
        margin=margin,
    )


def _ends(drawn: Array) -> tuple[Array, Array]:
    """95 % intervals over the first axis, of the draws that have a figure; NaN where none has."""
    ends = np.full((2, *drawn.shape[1:]), np.nan)
    for place in np.argwhere(np.isfinite(drawn).any(axis=0)):
        ends[(slice(None), *place)] = np.nanpercentile(drawn[(slice(None), *place)], [TAIL, 100 - TAIL])
    return ends[0], ends[1]


def _in_errors(values: Array, drawn: Array) -> Array:
    """``values`` in standard deviations of the draws; NaN where there are none, or they do not differ."""
    known = np.isfinite(drawn)
    n = known.sum(axis=0)
    mean = np.where(known, drawn, 0.0).sum(axis=0) / np.maximum(n, 1)
    squares = np.where(known, drawn - mean, 0.0) ** 2
    errors = np.sqrt(squares.sum(axis=0) / np.maximum(n - 1, 1))
    return np.where(errors > 0, values / np.where(errors > 0, errors, 1.0), np.nan)


def adjusted(p_values: Array) -> Array:
    """Benjamini and Hochberg's adjusted p-values of all that are known, of any shape.

    >>> adjusted(np.array([0.01, 0.04, np.nan, 0.03])).tolist()
    [0.03, 0.04, nan, 0.04]
    """
    found, known = np.full(p_values.shape, np.nan), np.isfinite(p_values)
    if known.any():
        found[known] = stats.false_discovery_control(p_values[known], method="bh")
    return found
