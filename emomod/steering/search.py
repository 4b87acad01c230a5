"""The search for gains: a part of the way at first, then all of it, and what to do where that is not enough.

A quarter of the request is solved for, then a half, and so on, each from where the last one ended: that leads the
descent along small changes, and gives the curve of what each further step costs. Where something that was asked is
missed at the end, it counts ever more beside the rest, until it is met or nothing helps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.steering.objective import Objective
from emomod.steering.solve import Allowed, Found, Problem, convex_start, solve

CLOSE, HELD_CLOSE = 0.005, 0.015  # misses of a score that need no further try, parts of the model's scale
CLOSE_SHARE = 0.1  # the same as a share of the wanted shift; what is less counts
WITHIN, HELD_WITHIN = 0.02, 0.03  # misses with which a request still counts as met, parts of the model's scale
WITHIN_SHARE = 0.5  # the same as a share of the wanted shift
STERNER, TRIES = 10.0, 3

Announce = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Step:
    """Gains for a share of what was asked."""

    share: float
    found: Found


def search(
    problem: Problem, objective: Objective, *, shares: Sequence[float], most_changed: int | None, announce: Announce
) -> list[Step]:
    """Gains for growing ``shares`` of what ``objective`` asks, 1 the last."""
    allowed = _allowed(problem, objective, most_changed)
    if objective.most.any():
        announce("solving for as much as there is")
        found = _farthest(problem, objective, allowed, announce)
        steps = [Step(float(share), problem.found(found.gains_db * share)) for share in shares[:-1]]
        return [*steps, Step(1.0, found)]
    steps = _along(problem, objective, shares, allowed, announce)
    return [*steps[:-1], Step(1.0, _until_met(problem, objective, steps[-1].found, allowed, announce))]


def most_there_is(problem: Problem, objective: Objective, *, from_: Found, most_changed: int | None = None) -> Found:
    """The farthest way that the scores that were asked for go together, while others are held.

    They share the way as their spreads are to each other. ``from_`` is what was found for ``objective``; it is given
    back where nothing better for them is found.
    """
    far = replace(objective, wanted=np.where(objective.aimed, np.copysign(np.inf, objective.wanted), objective.wanted))
    found = _farthest(problem, far, _allowed(problem, far, most_changed), lambda text: None)
    return min((found, from_), key=lambda each: float(far.of_scores(torch.from_numpy(each.shifts))))


def is_met(objective: Objective, shifts: NDArray[np.float64]) -> bool:
    """Whether shifts [n_names] are so near to what was asked that no further try is needed."""
    return bool((_misses(objective, shifts, CLOSE, HELD_CLOSE, CLOSE_SHARE) <= 0.0).all())


def beyond(objective: Objective, shifts: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which scores [n_names] are so far from what was asked of them that the request does not count as met."""
    return _misses(objective, shifts, WITHIN, HELD_WITHIN, WITHIN_SHARE) > 0.0


def _misses(
    objective: Objective, shifts: NDArray[np.float64], within: float, held_within: float, share: float
) -> NDArray[np.float64]:
    """How far shifts [n_names] lie outside what is allowed, which is no more than a ``share`` of the wanted shift."""
    allowed = np.fmin(within * objective.scale, share * np.abs(objective.wanted))
    allowed = np.where(objective.held, held_within * objective.scale, allowed)
    outside: NDArray[np.float64] = np.abs(objective.misses(shifts)) - allowed
    return np.where(np.isfinite(allowed), outside, 0.0)


def _along(
    problem: Problem, objective: Objective, shares: Sequence[float], allowed: Allowed, announce: Announce
) -> list[Step]:
    steps: list[Step] = []
    for share in map(float, shares):
        announce(f"solving for {100 * share:.0f} % of the request")
        part = objective.part_way(share)
        start = steps[-1].found.gains_db * share / steps[-1].share if steps else None
        begin = convex_start(problem, part, allowed=allowed) if start is None else start
        steps.append(Step(share, solve(problem, part, begin, allowed=allowed)))
    return steps


def _until_met(problem: Problem, objective: Objective, found: Found, allowed: Allowed, announce: Announce) -> Found:
    for _ in range(TRIES):
        if is_met(objective, found.shifts[0]):
            break
        announce("what was asked is not met yet: going further")
        objective = objective.sterner(STERNER)
        found = solve(problem, objective, found.gains_db, allowed=allowed)
    return found


def _farthest(problem: Problem, objective: Objective, allowed: Allowed, announce: Announce) -> Found:
    found = solve(problem, objective, convex_start(problem, objective, allowed=allowed), allowed=allowed)
    return _until_met(problem, objective, found, allowed, announce)


def _allowed(problem: Problem, objective: Objective, n: int | None) -> Allowed:
    """Which groups may change: ``n`` at most, those that else change most, by gain and by how audible they are."""
    everywhere = np.ones(problem.parts.n_groups, dtype=bool)
    if n is None or n >= everywhere.size:
        return everywhere
    found = solve(problem, objective, convex_start(problem, objective, allowed=everywhere), allowed=everywhere)
    size = np.abs(found.gains_db) * np.sqrt(problem.parts.audible)
    return np.isin(np.arange(size.size), np.argsort(-size, kind="stable")[:n])
