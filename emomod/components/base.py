"""The Components seam: a sound is a mixture of K components, and everything emomod does is a choice of K gains.

Conventions: gains are factors of amplitude >= 0; 1 leaves a component as it is, 0 silences it. ``mix`` and ``render``
mean the same sound, and unit gains give the sound back. They differ in one thing: a rendered sound is peak-normalised
again when it is scored, as any file is, while ``mix`` keeps the level, so that single gains stay comparable.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Location:
    """Where a component lies in the sound."""

    start: float  # s
    end: float  # s
    centre: float  # s, energy-weighted
    low: float  # Hz, centre of the lowest band
    high: float  # Hz, centre of the highest band


class Components(Protocol):
    """A sound as a mixture of K components."""

    @property
    def n_components(self) -> int:
        """K."""
        ...

    def mix(self, gains: torch.Tensor) -> torch.Tensor:
        """Return the model inputs [n, n_bands, n_frames] of gains [n, K], on the components' device."""
        ...

    def render(self, gains: ArrayLike) -> NDArray[np.float32]:
        """Return the waveform [n_samples] of gains [K]."""
        ...

    def energies(self) -> NDArray[np.float64]:
        """Energy [K] of each component alone; where no two share a cell they sum to that of the sound's spectrogram."""
        ...

    def locations(self) -> list[Location]:
        """Where each of the K components lies."""
        ...
