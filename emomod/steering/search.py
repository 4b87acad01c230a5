"""The search for gains: a part of the way at first, then all of it, and what to do where that is not enough.

A quarter of the request is solved for, then a half, and so on, each from where the last one ended: that leads the
descent along small changes, and gives the curve of what each further step costs. Where something that was asked is
missed at the end, it counts ever more beside the size of the change, until it is met or nothing helps.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from emomod.steering.objective import Objective
from emomod.steering.solve import Allowed, Found, Problem, convex_start, solve

CLOSE, HELD_CLOSE = 0.005, 0.015  # misses of a score that need no further try
WITHIN, HELD_WITHIN = 0.02, 0.03  # misses with which a request still counts as met
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
    allowed = np.ones(problem.parts.n_groups, dtype=bool)
    if most_changed is not None and most_changed < problem.parts.n_groups:
        announce("looking for the parts that count most")
        allowed = _largest(problem, objective, most_changed)
    if objective.most.any():
        return _as_far_as_it_goes(problem, objective, shares, allowed, announce)
    steps = _along(problem, objective, shares, allowed, announce)
    found = steps[-1].found
    for _ in range(TRIES):
        if is_met(objective, found.shifts[0]):
            break
        announce("what was asked is not met yet: going further")
        objective = objective.sterner(STERNER)
        found = solve(problem, objective, found.gains_db, allowed=allowed)
    return [*steps[:-1], Step(1.0, found)]


def is_met(objective: Objective, shifts: NDArray[np.float64]) -> bool:
    """Whether shifts [n_names] are near enough to what was asked."""
    miss = np.abs(objective.misses(shifts))
    return bool((miss <= np.where(objective.held, HELD_CLOSE, CLOSE)).all())


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


def _as_far_as_it_goes(
    problem: Problem, objective: Objective, shares: Sequence[float], allowed: Allowed, announce: Announce
) -> list[Step]:
    """The farthest gains; and shares of these, which are as loud a step each."""
    announce("solving for as much as there is")
    found = solve(problem, objective, convex_start(problem, objective, allowed=allowed), allowed=allowed)
    steps = [Step(float(share), problem.found(found.gains_db * share)) for share in shares[:-1]]
    return [*steps, Step(1.0, found)]


def _largest(problem: Problem, objective: Objective, n: int) -> Allowed:
    """The ``n`` groups that change most, by size and by how much of what is audible they are."""
    everywhere = np.ones(problem.parts.n_groups, dtype=bool)
    found = solve(problem, objective, convex_start(problem, objective, allowed=everywhere), allowed=everywhere)
    size = np.abs(found.gains_db) * np.sqrt(problem.parts.audible)
    return np.isin(np.arange(size.size), np.argsort(-size, kind="stable")[:n])


def most_there_is(problem: Problem, objective: Objective, *, from_: Found) -> Found:
    """The farthest way that the scores that were asked for go together, while others are held.

    Each is taken to be asked for by as much as its spread in the direction that was wanted.
    """
    far = np.where(objective.aimed, np.sign(np.nan_to_num(objective.wanted)) * np.inf, np.nan)
    everywhere = np.ones(problem.parts.n_groups, dtype=bool)
    return solve(problem, replace(objective, wanted=far), from_.gains_db, allowed=everywhere)
