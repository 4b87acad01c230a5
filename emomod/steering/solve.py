"""Gains for an objective: a convex start from the surrogate, then descent through the sound and the network.

The start solves bounded least squares on the surrogate, whose weights per decibel are taken to hold for any gain; a
score that is to go as far as it can is one that is asked to go very far, and that none should overtake is left out.
Where gains go beyond the budget, their size counts more until they are within. From there L-BFGS-B (Byrd, Lu, Nocedal,
Zhu, SIAM J. Scientific Computing 16(5), 1995) goes down the objective, with exact gradients by way of the rendered
sound. A model that cannot be differentiated stays with the surrogate: what that missed is asked of it again, some times
over.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import bisect, lsq_linear, minimize

from emomod.attribution.gradients import finite_array
from emomod.steering.hearing import Hearing
from emomod.steering.objective import AIM, DRIFT, HOLD, MOST, SIZE, Objective
from emomod.steering.parts import Parts

MOST_STEPS = 40  # of a descent
CORRECTIONS = 6  # of what a surrogate missed
FAR = 100.0  # spreads, that a surrogate is asked for where a score is to go as far as it can
HEAVIEST = 60.0  # times that the weight of size is doubled to come within a budget, at most

Array = NDArray[np.float64]
Allowed = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Found:
    """Gains and what they do, by the chain that a file goes through but for its rounding."""

    gains_db: Array  # [G]
    shifts: Array  # [n_listeners, n_names]


@dataclass(frozen=True, eq=False)
class Problem:
    """A sound, who hears it, how it may change, and a surrogate of its scores."""

    hearing: Hearing
    parts: Parts
    slopes: Array  # [n_names, G], change of a score for one decibel, by the surrogate
    before: Array  # [n_listeners, n_names], of the sound as it is

    def found(self, gains_db: Array) -> Found:
        """What gains [G] in dB do."""
        scores = self.hearing.scores(self.parts.spread(gains_db)[None])[:, 0]
        return Found(gains_db, scores - self.before)


def solve(problem: Problem, objective: Objective, start: Array, *, allowed: Allowed) -> Found:
    """The best gains from ``start`` [G] on; those not ``allowed`` [G] are 0."""
    solver = descend if problem.hearing.can_differentiate else _ask_again
    limits = np.where(allowed, problem.parts.bounds_db, 0.0)
    begin = _within_budget(objective, np.clip(start, -limits, limits), problem.parts)
    return solver(problem, objective, begin, allowed=allowed)


def convex_start(problem: Problem, objective: Objective, *, allowed: Allowed) -> Array:
    """Gains [G] that the surrogate asks for, within bounds and budget; those not ``allowed`` [G] are 0."""
    parts, budget = problem.parts, objective.budget_db
    gains = _least_squares(problem, objective, allowed)
    if budget is None or parts.size_db(gains) <= budget:
        return gains

    def lighter(doublings: float) -> Array:
        return _least_squares(problem, objective, allowed, size=SIZE * 2.0**doublings)

    doublings = bisect(lambda at: parts.size_db(lighter(at)) - budget, 0.0, HEAVIEST, xtol=0.05)
    return _within_budget(objective, lighter(doublings), parts)


def _least_squares(problem: Problem, objective: Objective, allowed: Allowed, *, size: float = SIZE) -> Array:
    """The same but for the budget; ``size`` is the weight of the size of the change."""
    parts, spread = problem.parts, objective.spread
    strong, weak = np.sqrt(objective.aim), np.sqrt(DRIFT / max(objective.left.sum(), 1))
    far = np.sqrt(MOST / (2.0 * FAR))  # so that the slope is that of -MOST * shift / spread
    wanted = np.nan_to_num(np.where(objective.most, np.sign(objective.wanted) * FAR * spread, objective.wanted))
    weight = np.select(
        [objective.aimed, objective.most, objective.held],
        [strong / (AIM * objective.scale), far / spread, strong / (HOLD * objective.scale)],
        weak / spread,
    )
    rows = [problem.slopes * weight[:, None], np.diag(np.sqrt(size * parts.audible / parts.audible.sum()))]
    sides = [wanted * weight, np.zeros(parts.n_groups)]
    if objective.smoothness > 0.0:
        rows.append(np.sqrt(size * objective.smoothness * parts.lengths)[:, None] * parts.differences)
        sides.append(np.zeros(len(parts.edges)))
    gains, free = np.zeros(parts.n_groups), allowed & (parts.bounds_db > 0)
    bounds = parts.bounds_db[free]
    gains[free] = lsq_linear(np.vstack(rows)[:, free], np.concatenate(sides), bounds=(-bounds, bounds)).x
    return gains


def _within_budget(objective: Objective, gains: Array, parts: Parts) -> Array:
    return np.asarray(objective.within_budget(torch.from_numpy(gains), parts).numpy())


def descend(problem: Problem, objective: Objective, start: Array, *, allowed: Allowed) -> Found:
    """Go down the ``objective`` from gains ``start`` [G]."""
    parts, before = problem.parts, torch.from_numpy(problem.before)
    free = np.flatnonzero(allowed & (parts.bounds_db > 0))
    group, places = torch.from_numpy(parts.group), torch.from_numpy(free)

    def value(chosen: torch.Tensor) -> torch.Tensor:
        gains = torch.zeros(parts.n_groups, dtype=chosen.dtype).index_put((places,), chosen)
        gains = objective.within_budget(gains, parts)
        scores = problem.hearing.differentiable(problem.hearing.sound(gains[group][None].float()))[:, 0]
        return objective.of_scores(scores.double().cpu() - before) + objective.of_gains(gains, parts)

    bounds = np.stack([-parts.bounds_db[free], parts.bounds_db[free]], axis=1)
    gains = np.zeros(parts.n_groups)
    gains[free] = go_down(value, start[free], bounds=bounds)
    return problem.found(_within_budget(objective, gains, parts))


def go_down(value: Callable[[torch.Tensor], torch.Tensor], start: Array, *, bounds: Array) -> Array:
    """Where ``value``, a function of numbers [n] that can be differentiated, is small, within ``bounds`` [n, 2]."""

    def with_slope(at: Array) -> tuple[float, Array]:
        point = torch.from_numpy(at.copy()).requires_grad_()
        with torch.enable_grad():
            found = value(point)
        (slope,) = torch.autograd.grad(found, point)
        return float(found.detach()), finite_array(slope)

    options = {"maxiter": MOST_STEPS, "maxfun": 2 * MOST_STEPS, "ftol": 1e-6, "gtol": 1e-6}
    begin = np.clip(start, bounds[:, 0], bounds[:, 1])
    ended: Array = minimize(with_slope, begin, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    return ended


def _ask_again(problem: Problem, objective: Objective, start: Array, *, allowed: Allowed) -> Found:
    """The best of what the surrogate finds when what it missed is asked of it again."""
    best = found = problem.found(start)
    asked = objective
    for _ in range(CORRECTIONS):
        missed = objective.misses(found.shifts[0])
        if not missed.any():
            break
        asked = replace(asked, wanted=np.where(objective.held, np.nan_to_num(asked.wanted), asked.wanted) + missed)
        found = problem.found(convex_start(problem, replace(asked, held=objective.held & False), allowed=allowed))
        if np.abs(objective.misses(found.shifts[0])).max() < np.abs(objective.misses(best.shifts[0])).max():
            best = found
    return best
