"""Agreement of model and listeners: does what is heard move as the model says, and how far?

Conventions
-----------
All take answers that are shifts (``tables``): of pairs, of CCR, or of ratings after ``rating_shifts``. Intervals are of
95 %, by a two-way bootstrap over listeners and items (``resampling``), so that they speak of other listeners and other
music. Where the model predicts no shift at all, answers count for the slope but have no sign to agree with.

Metrics
-------
- ``sign_agreement``: share 0..1 of answers in the direction that the model predicts; ties count half; chance is .5
- ``calibration``: least-squares slope, with an intercept, of the responses over the predicted shifts, in units of the
  response for one unit of the score
- ``calibration_model``: that slope by a crossed mixed model, (1 + predicted | listener) + (1 | item) + (1 | stimulus).
  The last term, of items with several versions, is what listeners share about a version and the model does not know;
  without it such a study of a useless model comes out significant far too often
- ``correlation_of_versions``: Pearson's, over stimuli, of predicted shift and mean response; its ceiling is that of
  ``ceiling.split_half``
- ``evaluate`` adds the test of no agreement at all (``permutation``)

Barr, Levy, Scheepers, Tily, Random effects structure for confirmatory hypothesis testing: Keep it maximal, J. Memory
and Language 68(3), 2013; Judd, Westfall, Kenny, Treating stimuli as a random factor in social psychology, J. of
Personality and Social Psychology 103(1), 2012.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from emomod.bootstrap import N_DRAWS, Estimate, estimate
from emomod.checks import check_rng
from emomod.errors import InputError
from emomod.undefined import undefined
from listening_study.analysis.mixed import MixedFit, fit_mixed
from listening_study.analysis.permutation import PermutationTest, no_agreement_test
from listening_study.analysis.resampling import Array, cell_sums, correlation, draw_both, ratio
from listening_study.analysis.tables import STIMULUS, grid_of, numbered, shift_answers

if TYPE_CHECKING:
    import pandas as pd


Figure = TypeVar("Figure")


@dataclass(frozen=True)
class Agreement:
    """All figures of the agreement on one table."""

    sign: Estimate
    slope: Estimate
    correlation: Estimate
    test: PermutationTest | None  # None where there is nothing to exchange
    model: MixedFit | None  # None of one listener or one item
    n_answers: int
    n_listeners: int
    n_items: int
    n_stimuli: int


def _numbers(kept: "pd.DataFrame") -> tuple[NDArray[np.intp], NDArray[np.intp], Array, Array]:
    """Listener, item, response and predicted shift of each answer."""
    listener, _ = numbered(kept["participant"].astype(str).tolist())
    item, _ = numbered(kept["item"].astype(str).tolist())
    return listener, item, *(kept[name].to_numpy(dtype=np.float64) for name in ("response", "predicted"))


def sign_agreement(table: "pd.DataFrame", *, rng: int | np.random.Generator, n_draws: int = N_DRAWS) -> Estimate:
    """Share of answers in the predicted direction; NaN, with a warning, where no shift is predicted."""
    listener, item, response, predicted = _numbers(shift_answers(table))
    told = predicted != 0
    if not told.any():
        nothing = undefined("sign_agreement with predictions that are all 0", float("nan"))
        return Estimate(nothing, nothing, nothing)
    right = np.where(told, (1.0 + np.sign(response) * np.sign(predicted)) / 2, 0.0)
    above, below = (cell_sums(v, listener=listener, item=item) for v in (right, told.astype(np.float64)))
    draws = draw_both(*above.shape, rng=rng, n_draws=n_draws)
    return estimate(above.sum() / below.sum(), ratio(draws.totals(above), draws.totals(below)))


def calibration(table: "pd.DataFrame", *, rng: int | np.random.Generator, n_draws: int = N_DRAWS) -> Estimate:
    """Slope of response over predicted shift; NaN, with a warning, where all predictions are equal."""
    listener, item, response, predicted = _numbers(shift_answers(table))
    if np.ptp(predicted) == 0:
        nothing = undefined("calibration over predictions that are all equal", float("nan"))
        return Estimate(nothing, nothing, nothing)
    x = predicted - predicted.mean()
    parts = (np.ones_like(x), x, response, x * x, x * response)
    cells = [cell_sums(part, listener=listener, item=item) for part in parts]
    draws = draw_both(*cells[0].shape, rng=rng, n_draws=n_draws)
    n, sum_x, sum_y, sum_xx, sum_xy = (draws.totals(cell) for cell in cells)
    drawn = ratio(n * sum_xy - sum_x * sum_y, np.maximum(n * sum_xx - sum_x**2, 0.0))
    return estimate(float(x @ response / (x @ x)), drawn)


def calibration_model(table: "pd.DataFrame") -> MixedFit:
    """The crossed mixed model of the slope; stimuli are a level of their own where some item has several."""
    kept = shift_answers(table)
    names = ["|".join(map(str, row)) for row in kept[STIMULUS].to_numpy()]
    levels = ["participant", "item", *(["stimulus_key"] if len(set(names)) > kept["item"].nunique() else [])]
    named = kept.assign(stimulus_key=names)
    return fit_mixed(named, predictor="predicted", intercepts=levels, slopes=["participant"])


def correlation_of_versions(
    table: "pd.DataFrame", *, rng: int | np.random.Generator, n_draws: int = N_DRAWS
) -> Estimate:
    """Pearson's correlation over stimuli; NaN, with a warning, of fewer than three or where one side is constant."""
    grid = grid_of(table)
    value = correlation(grid.predicted, grid.means)
    if np.isnan(value):
        undefined("correlation_of_versions of fewer than three, or of constants", value)
        return Estimate(value, value, value)
    draws = draw_both(len(grid.listeners), int(grid.items.max()) + 1, rng=rng, n_draws=n_draws)
    if not draws.can_tell:
        return estimate(value, np.full(n_draws, np.nan))
    known, times = np.isfinite(grid.responses), draws.listeners.astype(np.float64)
    means = ratio(times @ np.where(known, grid.responses, 0.0), times @ known)
    drawn = np.empty(n_draws)
    for draw, (mean, counts) in enumerate(zip(means, draws.items[:, grid.items], strict=True)):
        chosen = np.repeat(np.arange(mean.size), counts)
        drawn[draw] = correlation(grid.predicted[chosen], mean[chosen])
    return estimate(value, drawn)


def evaluate(table: "pd.DataFrame", *, rng: int | np.random.Generator) -> tuple[Agreement, dict[str, str]]:
    """All figures of one table, and why those that are None could not be had."""
    kept, grid, generator = shift_answers(table), grid_of(table), check_rng(rng)
    unknown: dict[str, str] = {}
    found = Agreement(
        sign=sign_agreement(table, rng=generator),
        slope=calibration(table, rng=generator),
        correlation=correlation_of_versions(table, rng=generator),
        test=_unless(unknown, "test of no agreement", lambda: no_agreement_test(table, rng=generator)),
        model=_unless(unknown, "mixed model", lambda: calibration_model(table)),
        n_answers=len(kept),
        n_listeners=len(grid.listeners),
        n_items=int(grid.items.max()) + 1,
        n_stimuli=len(grid.stimuli),
    )
    return found, unknown


def _unless(unknown: dict[str, str], name: str, work: Callable[[], Figure]) -> Figure | None:
    """What ``work`` gives; None, and the reason in ``unknown``, where the table does not allow it."""
    try:
        return work()
    except InputError as error:
        unknown[name] = str(error)
        return None
