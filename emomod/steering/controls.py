"""What the same change brings elsewhere: on random components, on the level of all, by a parametric equaliser.

All are as large as the steered one, in root mean square gain over what is audible, as far as bounds allow. The random
ones have the same gains on other groups of components. The equaliser is given the same request and that size as its
budget, and may turn all of its bands; of two searches from different settings the better one counts.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.components.base import Sound
from emomod.steering.equaliser import N_SECTIONS, OCTAVE_DB, EqualisedSound, Equaliser, band_gains_db, bounds, start
from emomod.steering.hearing import Hearing
from emomod.steering.objective import Objective
from emomod.steering.solve import Problem, go_down

PUSH_DB = 3.0  # of each section, where a second search begins: one alone may end in a local optimum
ROUNDS = 3  # of making an equaliser smaller; each leaves a few hundredths of what is beyond the budget

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class EqualiserControl:
    """A parametric equaliser that was given the same request."""

    equaliser: Equaliser
    shift: Array  # [n_names]
    size_db: float  # root mean square gain over what is audible


@dataclass(frozen=True, eq=False)
class Controls:
    """Shifts of changes that are as large."""

    random: Array  # [n_controls, n_names]
    level: Array  # [n_names], of all turned up alike
    equaliser: EqualiserControl | None  # None for a model that cannot be differentiated


def controls_of(
    problem: Problem,
    objective: Objective,
    gains_db: Array,
    *,
    sound: Sound,
    max_gain_db: float,
    n_random: int,
    seed: int,
) -> Controls:
    """What else is as large as gains [G] in dB, and its shifts."""
    size = problem.parts.size_db(gains_db)
    asked = replace(problem, hearing=Hearing(problem.hearing.listeners[:1], problem.hearing.components))
    equaliser = None
    if asked.hearing.can_differentiate:
        within = replace(objective, budget_db=size)
        equaliser = equaliser_control(asked.hearing, within, sound, before=problem.before[:1], max_gain_db=max_gain_db)
    level = asked.found(np.full(problem.parts.n_groups, size)).shifts[0]
    return Controls(_random_shifts(asked, gains_db, n=n_random, seed=seed), level, equaliser)


def random_gains(problem: Problem, gains_db: Array, *, rng: np.random.Generator) -> Array:
    """The same gains [G] on other groups that may change, as large as ``gains_db`` or as large as bounds allow."""
    limits, size = problem.parts.bounds_db, problem.parts.size_db(gains_db)
    drawn, free = np.zeros_like(gains_db), limits > 0.0
    for _ in range(20):  # of few groups, many draws are the gains themselves
        drawn[free] = np.clip(rng.permutation(gains_db[free]), -limits[free], limits[free])
        if not np.allclose(drawn, gains_db):
            break
    for _ in range(20):  # what the bounds cut off goes to the others
        found = problem.parts.size_db(drawn)
        if found == 0.0 or abs(found / size - 1.0) < 0.001:
            break
        drawn = np.clip(drawn * (size / found), -limits, limits)
    return drawn


def _random_shifts(problem: Problem, gains_db: Array, *, n: int, seed: int) -> Array:
    drawn = [random_gains(problem, gains_db, rng=np.random.default_rng([seed, k])) for k in range(n)]
    shifts: Array = problem.hearing.scores(problem.parts.spread(np.array(drawn)))[0] - problem.before[0]
    return shifts


def _pushed(value: Callable[[torch.Tensor], torch.Tensor], flat: Array) -> Array:
    """A second place to search from: each section turned by PUSH_DB the way that its slope says."""
    at = torch.from_numpy(flat.copy()).requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(value(at), at)
    way = -torch.sign(slope[:N_SECTIONS]).numpy() * PUSH_DB / OCTAVE_DB
    return np.concatenate([flat[:N_SECTIONS] + way, flat[N_SECTIONS:]])


def equaliser_control(
    hearing: Hearing, objective: Objective, sound: Sound, *, before: Array, max_gain_db: float
) -> EqualiserControl:
    """The equaliser that comes nearest to what ``objective`` asks within its budget, scored as it truly filters."""
    through, weights = EqualisedSound(sound.y), sound.spectrogram.log_spectrogram.double().sum(dim=1)
    share = (weights / weights.sum()).cpu()

    def square(parameters: torch.Tensor) -> torch.Tensor:
        return (share * band_gains_db(parameters) ** 2).sum()

    def within_budget(parameters: torch.Tensor) -> torch.Tensor:
        """All gains made smaller alike: in dB, those of a cascade are nearly proportional to those of its sections."""
        for _ in range(ROUNDS):
            factor = objective.within(square(parameters))
            parameters = torch.cat([parameters[:N_SECTIONS] * factor, parameters[N_SECTIONS:]])
        return parameters

    def value(parameters: torch.Tensor) -> torch.Tensor:
        parameters = within_budget(parameters)
        scores = hearing.differentiable(through.sound(parameters).to(hearing.predict.device))[:, 0]
        moved, size = scores.double().cpu() - torch.from_numpy(before), square(parameters)
        return objective.of_scores(moved) + objective.of_size(size, torch.zeros_like(size))

    limits = bounds(max_gain_db)
    ends = [go_down(value, begin, bounds=limits) for begin in (start(), _pushed(value, start()))]
    best = min(ends, key=lambda end: float(value(torch.from_numpy(end)).detach()))
    parameters = within_budget(torch.from_numpy(best))
    found = Equaliser.from_parameters(parameters.numpy(), max_gain_db=max_gain_db)
    shift = hearing.listeners[0].scores(found.apply(sound.y)[None])[0] - before[0]
    return EqualiserControl(found, shift, float(square(parameters).sqrt()))
