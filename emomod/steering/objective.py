"""What steering makes small: misses of what was asked, drift of what was not, and the size of the change.

The value of scores s for gains g, beside the scores s0 of the sound as it is:

    aim * mean over models of sum over wanted scores of ((s - s0 - wanted) / AIM)^2
    + aim * the same of held scores, of ((s - s0) / HOLD)^2
    + DRIFT * mean over models and all other scores of ((s - s0) / spread)^2
    + OVERTAKEN * mean over models of sum over all other scores of what |s - s0| / spread is beyond BEHIND times the
      least |wanted| / spread: the scores that were asked for should be those that move most
    + SIZE * (mean square gain over what is audible + smoothness * mean square difference of neighbours)

``spread`` is how far a score varies from clip to clip; AIM and HOLD are parts of the model's scale. Where a score is to
go as far as it can, its own term is -MOST * mean over models of (s - s0) / spread in its direction. Gains beyond the
budget are taken as those that they point to within it, so that no gains ever go beyond.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from emomod.steering.parts import Parts
from emomod.steering.request import Request

AIM, HOLD = 0.005, 0.01  # misses of a score that count 1
DRIFT, OVERTAKEN, SIZE, MOST = 1.0, 30.0, 0.05, 100.0  # MOST: as far as it goes, nearly whatever the change costs
BEHIND = 0.8  # of what was asked, in spreads, that other scores may move

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Objective:
    """What is to be small, as a function of scores and of the gains that make them."""

    wanted: Array  # [n_names], NaN where nothing is asked, infinity for as far as it goes
    held: NDArray[np.bool_]  # [n_names]
    spread: Array  # [n_names]
    budget_db: float | None = None
    smoothness: float = 0.0
    scale: float = 1.0  # highest less lowest score of the model
    aim: float = 1.0  # how much what was asked counts beside the rest

    def part_way(self, share: float) -> "Objective":
        """The objective of a share of the wanted shifts."""
        return replace(self, wanted=self.wanted * share)

    def sterner(self, factor: float) -> "Objective":
        """The objective in which shifts of a certain size, and none of held scores, count more."""
        return replace(self, aim=self.aim * factor)

    @property
    def aimed(self) -> NDArray[np.bool_]:
        """Scores that are to move by so much."""
        return np.isfinite(self.wanted)

    @property
    def most(self) -> NDArray[np.bool_]:
        """Scores that are to go as far as they can."""
        return np.isinf(self.wanted)

    @property
    def left(self) -> NDArray[np.bool_]:
        """Scores of which nothing is asked."""
        return ~(self.aimed | self.most | self.held)

    def misses(self, shifts: Array) -> Array:
        """What shifts [n_names] lack of what was asked; 0 where nothing, or as much as there is, was asked."""
        return np.where(self.aimed, np.nan_to_num(self.wanted) - shifts, np.where(self.held, -shifts, 0.0))

    @cached_property
    def _rows(self) -> tuple[torch.Tensor, ...]:
        chosen = (self.aimed, self.held, self.left, self.most)
        return tuple(torch.from_numpy(np.flatnonzero(each)) for each in chosen)

    def of_scores(self, shifts: torch.Tensor) -> torch.Tensor:
        """The part that scores have, of their shifts [n_models, n_names] from those of the sound as it is."""
        aimed, held, left, farthest = self._rows
        wanted, spread = (torch.from_numpy(values).to(shifts) for values in (self.wanted, self.spread))
        value = self.aim * (((shifts[:, aimed] - wanted[aimed]) / (AIM * self.scale)) ** 2).sum(dim=1)
        value = value + self.aim * ((shifts[:, held] / (HOLD * self.scale)) ** 2).sum(dim=1)
        if len(left):
            drift = (shifts[:, left] / spread[left]).abs()
            value = value + DRIFT * (drift**2).mean(dim=1)
            if len(aimed):
                most = BEHIND * (wanted[aimed] / spread[aimed]).abs().min()
                value = value + OVERTAKEN * (torch.relu(drift - most) ** 2).sum(dim=1)
        value = value - MOST * (shifts[:, farthest] * torch.sign(wanted[farthest]) / spread[farthest]).sum(dim=1)
        return value.mean()

    def of_size(self, square_db: torch.Tensor, roughness: torch.Tensor) -> torch.Tensor:
        """The part that the change has, of its mean square gain and mean square difference between neighbours, dB^2."""
        return SIZE * (square_db + self.smoothness * roughness)

    def of_gains(self, gains: torch.Tensor, parts: Parts) -> torch.Tensor:
        """The part that gains [G] in dB have."""
        one, other = (gains[torch.from_numpy(parts.edges[:, side])] for side in (0, 1))
        roughness = (torch.from_numpy(parts.lengths) * (one - other) ** 2).sum()
        return self.of_size(_mean_square(gains, parts), roughness)

    def within(self, square_db: torch.Tensor) -> torch.Tensor:
        """The factor, at most 1, that brings gains of this mean square (dB^2) within the budget."""
        if self.budget_db is None:
            return torch.ones_like(square_db)
        return (self.budget_db / square_db.clamp(min=1e-12).sqrt()).clamp(max=1.0)

    def within_budget(self, gains: torch.Tensor, parts: Parts) -> torch.Tensor:
        """Gains [G] in dB, all made smaller alike where they go beyond the budget."""
        return gains * self.within(_mean_square(gains, parts))


def _mean_square(gains: torch.Tensor, parts: Parts) -> torch.Tensor:
    """Of gains [G] over what is audible."""
    audible = torch.from_numpy(parts.audible)
    return (audible * gains**2).sum() / audible.sum()


def objective_of(request: Request, names: tuple[str, ...], *, spread: Array, scale: float = 1.0) -> Objective:
    """The objective of a request for a model with ``names``, whose highest and lowest scores are ``scale`` apart."""
    wanted = np.array([request.shifts.get(name, np.nan) for name in names])
    held = np.isin(names, request.hold)
    return Objective(wanted, held, spread, request.budget_db, request.smoothness, scale)
