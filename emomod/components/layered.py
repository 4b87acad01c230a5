"""Components that are layers of a sound, cut into regions of its spectrogram: all kinds are made of these two.

A segmentation is one layer and many regions; stems are many layers and one region; stems over time are both. Gains act
on the layers' STFT, spread from bands to bins as everywhere (see emomod.spectrogram). Where layers share the phase of
the sound, their magnitudes add up and mixtures are made in bands, from one table; sources that have phases of their
own are mixed bin by bin.

Haunschmid, Chowdhury, Widmer, 2019 (arXiv:1905.11760) for segments; Haunschmid, Manilow, Widmer: audioLIME, Listenable
Explanations using Source Separation, 2020 (arXiv:2008.00582) for sources over time.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from emomod.audio import SAMPLE_RATE
from emomod.checks import check_gains, check_segments
from emomod.component_map import Location
from emomod.components.base import Layers, Sound
from emomod.errors import InputError
from emomod.spectrogram import (
    HOP_LENGTH,
    all_frames,
    band_energies,
    band_frequencies,
    band_magnitudes,
    istft,
    spread_bands,
)

FAINT = 1e-3  # share of a cell below which a component is not said to be in it


@dataclass(frozen=True, eq=False)
class LayeredComponents:
    """A sound as the sum of its layers' regions; component ``layer * n_regions + region``."""

    layers: Layers
    regions: NDArray[np.intp]  # [n_bands, n_frames], labelled 0..n_regions-1
    peak: float  # largest absolute sample of the sound
    n_samples: int
    device: torch.device | str = "cpu"  # where ``mix`` and ``sound`` run
    floor: NDArray[np.float32] | None = None  # [n_layers, n_bands, n_frames], what a gain of 0 leaves of a cell

    def __post_init__(self) -> None:
        object.__setattr__(self, "regions", check_segments(self.regions, shape=self.regions.shape))
        if self.floor is not None and self.floor.shape != (len(self.names), *self.shape):
            raise InputError(f"floor must have shape {(len(self.names), *self.shape)}, got {self.floor.shape}")

    @property
    def names(self) -> tuple[str, ...]:
        """Of the layers."""
        return self.layers.names

    @property
    def shape(self) -> tuple[int, int]:
        """(n_bands, n_frames)."""
        return (self.regions.shape[0], self.regions.shape[1])

    @cached_property
    def n_regions(self) -> int:
        """Regions that each layer is cut into."""
        return int(self.regions.max()) + 1

    @property
    def n_components(self) -> int:
        """K."""
        return len(self.names) * self.n_regions

    def above(self, floor: NDArray[np.float32] | None) -> "LayeredComponents":
        """The same components, of which a gain of 0 leaves the ``floor``."""
        return replace(self, floor=floor)

    @cached_property
    def _transforms(self) -> torch.Tensor:
        return self.layers.transforms.to(self.device)

    @cached_property
    def _rest(self) -> torch.Tensor | None:
        return None if self.layers.rest is None else self.layers.rest.to(self.device)

    @cached_property
    def _labels(self) -> torch.Tensor:
        return torch.from_numpy(self.regions.ravel()).to(self.device)

    @cached_property
    def _floor(self) -> torch.Tensor | None:
        return None if self.floor is None else torch.from_numpy(self.floor).to(self.device)

    @cached_property
    def _magnitudes(self) -> torch.Tensor:
        """[n_layers, n_bands * n_frames]"""
        return band_magnitudes(self._transforms[..., : self.shape[1]]).flatten(1)

    def _cells(self, gains: torch.Tensor) -> Iterator[torch.Tensor]:
        """Yield the gains of the cells [n, n_bands * n_frames] of each layer."""
        by_layer = gains.to(self.device, torch.float32).view(len(gains), len(self.names), self.n_regions)
        for layer in range(len(self.names)):
            cells = by_layer[:, layer][:, self._labels]
            if self._floor is not None:
                left = self._floor[layer].flatten()
                cells = (left + cells * (1.0 - left)).clamp(min=0.0)  # a floor above the sound, a gain above 1
            yield cells

    def _mixed(self, gains: torch.Tensor, n_frames: int) -> torch.Tensor:
        """STFT [n, n_fft // 2 + 1, n_frames] of gains [n, K]."""
        mixed = torch.zeros((), device=self.device) if self._rest is None else self._rest[:, :n_frames]
        for transform, cells in zip(self._transforms, self._cells(gains), strict=True):
            bands = all_frames(cells.view(len(cells), *self.shape), n_stft_frames=n_frames)
            mixed = mixed + transform[:, :n_frames] * spread_bands(bands)
        return mixed

    def mix(self, gains: torch.Tensor) -> torch.Tensor:
        """Return log spectrograms [n, n_bands, n_frames] of gains [n, K]."""
        if not self.layers.shared_phase:
            return (1.0 + band_magnitudes(self._mixed(gains, self.shape[1]))).log10()
        cells = list(self._cells(gains))
        magnitudes = cells[0] * self._magnitudes[0]
        for layer in range(1, len(cells)):
            magnitudes = magnitudes + cells[layer] * self._magnitudes[layer]
        return (1.0 + magnitudes).log10().view(len(gains), *self.shape)

    def sound(self, gains: torch.Tensor) -> torch.Tensor:
        """Return waveforms [n, n_samples] of gains [n, K]."""
        return istft(self._mixed(gains, self._transforms.shape[-1]), n_samples=self.n_samples) * self.peak

    def render(self, gains: ArrayLike) -> NDArray[np.float32]:
        """Return the waveform [n_samples] of gains [K]."""
        factors = torch.from_numpy(check_gains(gains, n_components=self.n_components))
        y: NDArray[np.float32] = self.sound(factors[None])[0].cpu().numpy()
        return y

    def cell_magnitudes(self) -> NDArray[np.float64]:
        """Magnitude [n_layers, n_bands, n_frames] of each layer in each cell, as it would be alone."""
        magnitudes: NDArray[np.float64] = self._magnitudes.view(-1, *self.shape).cpu().double().numpy()
        return magnitudes

    def cell_energies(self) -> NDArray[np.float64]:
        """Energy [n_layers, n_bands, n_frames] of each layer in each cell, as it would be alone."""
        return np.asarray(band_energies(self._transforms[..., : self.shape[1]]).cpu().numpy())

    def energies(self) -> NDArray[np.float64]:
        """Energy [K] of each region of each layer."""
        labels = self.regions.ravel()
        found = [np.bincount(labels, each.ravel(), minlength=self.n_regions) for each in self.cell_energies()]
        return np.concatenate(found).astype(np.float64)

    def locations(self) -> list[Location]:
        """Where each region of each layer lies; times are frame centres, frequencies band centres."""
        bands, places = band_frequencies(), list(self._places())
        found = []
        for name, cells in zip(self.names, self.cell_energies(), strict=True):
            for rows, frames in places:
                seconds = frames * HOP_LENGTH / SAMPLE_RATE
                centre = np.average(seconds, weights=cells[rows, frames] + np.finfo(float).tiny)
                centre = np.clip(centre, seconds.min(), seconds.max())  # of one frame, rounding may leave it
                start, end, low, high = seconds.min(), seconds.max(), bands[rows.min()], bands[rows.max()]
                found.append(Location(float(start), float(end), float(centre), float(low), float(high), name))
        return found

    def _places(self) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Yield the cells (bands, frames) of each region."""
        order = np.argsort(self.regions, axis=None, kind="stable")
        for cells in np.split(order, np.cumsum(np.bincount(self.regions.ravel()))[:-1]):
            rows, frames = np.unravel_index(cells, self.shape)
            yield rows, frames

    def shares(self) -> csr_array:
        """Share [K, n_bands * n_frames] of each component in the magnitude of each cell; those below .001 are left out.

        Cells in which nothing sounds are shared out equally.
        """
        magnitudes = self.cell_magnitudes().reshape(len(self.names), -1)
        total = magnitudes.sum(axis=0)
        share = np.where(total > 0, magnitudes / np.where(total > 0, total, 1.0), 1.0 / len(magnitudes))
        layers, cells = np.nonzero(share >= FAINT)
        rows = layers * self.n_regions + self.regions.ravel()[cells]
        values = share[layers, cells].astype(np.float32)
        return csr_array((values, (rows, cells)), shape=(self.n_components, share.shape[1]))


def whole_sound(sound: Sound) -> Layers:
    """A sound as its only layer."""
    return Layers(("",), sound.spectrogram.transform[None], shared_phase=True)


def everywhere(sound: Sound) -> NDArray[np.intp]:
    """All of the spectrogram [n_bands, n_frames] as one region."""
    return np.zeros(sound.spectrogram.shape, dtype=np.intp)


def layered(
    sound: Sound,
    *,
    layers: Layers | None = None,
    regions: NDArray[np.intp] | None = None,
    device: torch.device | str = "cpu",
) -> LayeredComponents:
    """Return a sound cut into ``layers`` (default: itself) and ``regions`` (default: one), ready to be mixed."""
    spectrogram = sound.spectrogram
    return LayeredComponents(
        layers or whole_sound(sound),
        everywhere(sound) if regions is None else check_segments(regions, shape=spectrogram.shape),
        spectrogram.peak,
        spectrogram.n_samples,
        device,
    )
