"""Models that can be differentiated: scores that are any function of the gains of components, and small networks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch

from emomod.components.layered import LayeredComponents
from emomod.labels import MIDLEVEL_NAMES
from emomod.model.mid_to_emotion import MidToEmotion
from emomod.model.predictor import Takes


@dataclass(frozen=True, eq=False)
class Game:
    """Scores that are a function of gains [n, K], which are read off the magnitudes of the spectrogram."""

    components: LayeredComponents  # of one layer
    scores: Callable[[torch.Tensor], torch.Tensor]  # of gains [n, K], float64; gives [n, T]
    names: tuple[str, ...] = MIDLEVEL_NAMES
    mid_to_emotion: MidToEmotion | None = None
    takes: Takes = "spectrogram"
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    module: torch.nn.Module = field(default_factory=torch.nn.Identity)

    @cached_property
    def _shares(self) -> torch.Tensor:
        """Share [n_cells, K] of each cell in the magnitude of its component."""
        magnitudes, regions = self.components.cell_magnitudes().ravel(), self.components.regions.ravel()
        shares = np.zeros((magnitudes.size, self.components.n_components))
        shares[np.arange(magnitudes.size), regions] = magnitudes / np.bincount(regions, magnitudes)[regions]
        return torch.from_numpy(shares)

    def differentiable(self, spectrograms: torch.Tensor, /) -> torch.Tensor:
        magnitudes = (10.0 ** spectrograms.double() - 1.0).flatten(1)
        whole = torch.from_numpy(self.components.cell_magnitudes().ravel())
        gains = (magnitudes / whole) @ self._shares
        targets = self.scores(gains)
        if self.mid_to_emotion is None:
            return targets
        layer = self.mid_to_emotion
        emotions = targets @ torch.from_numpy(layer.weights).T + torch.from_numpy(layer.intercepts)
        return torch.cat([targets, emotions], dim=1)

    @torch.no_grad()
    def __call__(self, spectrograms: torch.Tensor, /) -> torch.Tensor:
        return self.differentiable(spectrograms)


@dataclass(frozen=True, eq=False)
class Network:
    """A torch module of spectrograms [n, 1, n_bands, n_frames] behind the seam."""

    module: torch.nn.Module
    names: tuple[str, ...]
    mid_to_emotion: MidToEmotion | None = None
    takes: Takes = "spectrogram"
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def differentiable(self, spectrograms: torch.Tensor, /) -> torch.Tensor:
        scores: torch.Tensor = self.module(spectrograms[:, None])
        return scores

    @torch.no_grad()
    def __call__(self, spectrograms: torch.Tensor, /) -> torch.Tensor:
        return self.differentiable(spectrograms)
