"""The Components seam: a sound is a mixture of K components, and everything emomod does is a choice of K gains.

Conventions: gains are factors of amplitude >= 0; 1 leaves a component as it is, 0 silences it. ``mix``, ``sound`` and
``render`` mean the same sound, and unit gains give the sound back. They differ in one thing: a rendered sound is
peak-normalised again when it is scored, as any file is, while ``mix`` keeps the level, so that single gains stay
comparable. ``mix`` and ``sound`` can be differentiated by the gains.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from emomod.checks import check_waveform
from emomod.component_map import Location
from emomod.errors import InputError
from emomod.spectrogram import Spectrogram, compute_spectrogram


class Components(Protocol):
    """A sound as a mixture of K components."""

    @property
    def n_components(self) -> int:
        """K."""
        ...

    def mix(self, gains: torch.Tensor) -> torch.Tensor:
        """Return the log spectrograms [n, n_bands, n_frames] of gains [n, K], on the components' device."""
        ...

    def sound(self, gains: torch.Tensor) -> torch.Tensor:
        """Return the waveforms [n, n_samples] of gains [n, K], on the components' device."""
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

    def shares(self) -> csr_array:
        """Share [K, n_bands * n_frames] of each component in the spectrogram's cells; a cell's sum to 1 or less."""
        ...


@dataclass(frozen=True, eq=False)
class Sound:
    """What components are cut from."""

    y: NDArray[np.float32]  # [n_samples], mono at 22 050 Hz
    spectrogram: Spectrogram
    start: float = 0.0  # s, where it begins in its file


def sound_of(y: ArrayLike, *, start: float = 0.0) -> Sound:
    """Return a waveform [n_samples], mono at 22 050 Hz, as what components are cut from; InputError where silent."""
    waveform = check_waveform(y)
    return Sound(waveform, compute_spectrogram(waveform), start)


@dataclass(frozen=True, eq=False)
class Layers:
    """Sounds that add up to one: each may be cut further into regions of time and frequency."""

    names: tuple[str, ...]  # none twice
    transforms: torch.Tensor  # complex64 [n_layers, n_fft // 2 + 1, n_stft_frames], of the sound with a peak of 1
    shared_phase: bool  # each is a share >= 0 of the sound's own transform, so that magnitudes add up
    rest: torch.Tensor | None = None  # complex64, what is no layer and always sounds
    notes: tuple[str, ...] = ()  # what a user should know of them

    def __post_init__(self) -> None:
        if self.shared_phase and self.rest is not None:
            raise InputError("layers that share the phase of the sound must be all of it, so that there is no rest")
