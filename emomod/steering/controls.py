"""What the same change brings elsewhere: on random components, on the level of all, by a parametric equaliser.

All are as large as the steered one: the same root mean square gain over what is audible. The random ones have the same
gains on other groups of components. The equaliser is given the same request and may turn all of its bands.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.components.base import Sound
from emomod.steering.equaliser import EqualisedSound, Equaliser, band_gains_db, bounds, start
from emomod.steering.hearing import Hearing
from emomod.steering.objective import Objective
from emomod.steering.solve import Problem, go_down

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
    """The same gains [G] on other groups, made as large as ``gains_db``, or as large as their bounds allow."""
    limits, size = problem.parts.bounds_db, problem.parts.size_db(gains_db)
    drawn: Array = np.clip(rng.permutation(gains_db), -limits, limits)
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


def equaliser_control(
    hearing: Hearing, objective: Objective, sound: Sound, *, before: Array, max_gain_db: float
) -> EqualiserControl:
    """The equaliser that comes nearest to what ``objective`` asks within its budget, scored as it truly filters."""
    through, weights = EqualisedSound(sound.y), sound.spectrogram.log_spectrogram.double().sum(dim=1)
    share = (weights / weights.sum()).cpu()

    def size(parameters: torch.Tensor) -> torch.Tensor:
        return (share * band_gains_db(parameters) ** 2).sum()

    def value(parameters: torch.Tensor) -> torch.Tensor:
        scores = hearing.differentiable(through.sound(parameters).to(hearing.predict.device))[:, 0]
        square = size(parameters)
        moved = scores.double().cpu() - torch.from_numpy(before)
        return objective.of_scores(moved) + objective.of_size(square, torch.zeros_like(square))

    found = Equaliser.from_parameters(go_down(value, start(), bounds=bounds(max_gain_db)), max_gain_db=max_gain_db)
    found = _made_smaller(
        found, lambda each: float(size(torch.from_numpy(each.parameters)).sqrt()), objective.budget_db
    )
    shift = hearing.listeners[0].scores(found.apply(sound.y)[None])[0] - before[0]
    return EqualiserControl(found, shift, float(size(torch.from_numpy(found.parameters)).sqrt()))


def _made_smaller(equaliser: Equaliser, size: Callable[[Equaliser], float], budget_db: float | None) -> Equaliser:
    """The equaliser with all gains made smaller alike until it is within the budget."""
    for _ in range(20):
        if budget_db is None or (found := size(equaliser)) <= 1.001 * budget_db:
            break
        equaliser = replace(equaliser, gains_db=equaliser.gains_db * (budget_db / found))
    return equaliser
