"""Components that are sources over time: stems whose sum is the sound, cut into stretches of equal length.

Haunschmid, Manilow, Widmer: audioLIME, Listenable Explanations using Source Separation, 2020 (arXiv:2008.00582).
Gains act on the frames of each source's STFT, so that neighbouring stretches fade into each other within a window.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from emomod.audio import SAMPLE_RATE
from emomod.checks import check_count, check_gains, check_waveform
from emomod.components.base import Location
from emomod.errors import InputError
from emomod.spectrogram import HOP_LENGTH, band_frequencies, istft, log_magnitude, n_frames_of, stft


@dataclass(frozen=True, eq=False)
class SourceComponents:
    """A sound as the sum of its sources; component ``source * n_segments + segment`` is a stretch of one source."""

    names: tuple[str, ...]  # of the sources
    transforms: torch.Tensor  # complex64 [n_sources, n_fft // 2 + 1, n_stft_frames], of the mix with a peak of 1
    rest: torch.Tensor  # complex64 [n_fft // 2 + 1, n_stft_frames], what is no source and always sounds
    n_segments: int  # stretches of time
    peak: float  # largest absolute sample of the mix
    n_samples: int

    @property
    def n_components(self) -> int:
        """K."""
        return len(self.names) * self.n_segments

    @property
    def n_frames(self) -> int:
        """Frames that the model sees."""
        return n_frames_of(self.n_samples)

    @cached_property
    def _segments(self) -> torch.Tensor:
        """The stretch [n_frames] of each frame."""
        return torch.arange(self.n_frames, device=self.rest.device) * self.n_segments // self.n_frames

    def _mixed(self, gains: torch.Tensor, n_frames: int) -> torch.Tensor:
        """STFT [n, n_fft // 2 + 1, n_frames] of gains [n, K]; one product of matrices for each stretch."""
        by_source = gains.to(self.rest.device, torch.complex64).view(len(gains), len(self.names), self.n_segments)
        ends = [*torch.bincount(self._segments).cumsum(0).tolist()[:-1], n_frames]  # the last stretch goes on
        mixed = self.rest[:, :n_frames].repeat(len(gains), 1, 1)
        for segment, (start, end) in enumerate(pairwise([0, *ends])):
            part = self.transforms[..., start:end]
            mixed[..., start:end] += (by_source[..., segment] @ part.flatten(1)).view(len(gains), *part.shape[1:])
        return mixed

    def mix(self, gains: torch.Tensor) -> torch.Tensor:
        """Return log spectrograms [n, n_bands, n_frames] of gains [n, K]."""
        return log_magnitude(self._mixed(gains, self.n_frames))

    def render(self, gains: ArrayLike) -> NDArray[np.float32]:
        """Return the waveform [n_samples] of gains [K]."""
        factors = torch.from_numpy(check_gains(gains, n_components=self.n_components))
        mixed = self._mixed(factors[None], self.rest.shape[1])[0].cpu()
        y = istft(mixed, n_samples=self.n_samples) * self.peak
        return np.asarray(y.numpy())

    def energies(self) -> NDArray[np.float64]:
        """Energy [K] of each stretch of each source, as it would be alone."""
        energy = self.transforms[..., : self.n_frames].abs().double().square().sum(dim=1)
        found = torch.zeros(len(self.names), self.n_segments, dtype=torch.float64, device=energy.device)
        return np.asarray(found.index_add_(1, self._segments, energy).cpu().numpy().ravel())

    def locations(self) -> list[Location]:
        """Where each stretch lies; all reach over all bands."""
        seconds = np.arange(self.n_frames) * HOP_LENGTH / SAMPLE_RATE
        low, high = (float(band_frequencies()[end]) for end in (0, -1))
        segments, found = self._segments.cpu().numpy(), []
        for energy in self.transforms[..., : self.n_frames].abs().double().square().sum(dim=1).cpu().numpy():
            for segment in range(self.n_segments):
                inside = seconds[segments == segment]
                centre = np.average(inside, weights=energy[segments == segment] + np.finfo(float).tiny)
                found.append(Location(float(inside[0]), float(inside[-1]), float(centre), low, high))
        return found


def cut_sources(
    names: Sequence[str],
    sources: Sequence[ArrayLike] | NDArray[np.floating],
    *,
    n_segments: int = 1,
    rest: ArrayLike | None = None,
    device: torch.device | str = "cpu",
) -> SourceComponents:
    """Return the ``sources`` [n_sources, n_samples], mono at 22 050 Hz, as components whose ``mix`` runs on ``device``.

    Their sum, with the ``rest`` [n_samples] if there is one, is the sound. InputError where that is silent, where
    names and sources do not match, or where the sound has fewer frames than ``n_segments``.
    """
    waveforms = [check_waveform(source, name="sources") for source in sources]
    if not waveforms or len(names) != len(waveforms) or len(set(names)) != len(names):
        raise InputError(f"names must be {len(waveforms)}, one a source and none twice, got {list(names)}")
    remainder = np.zeros_like(waveforms[0]) if rest is None else check_waveform(rest, name="rest")
    if {each.size for each in waveforms} != {remainder.size}:
        sizes = [each.size for each in (*waveforms, remainder)]
        raise InputError(f"sources and rest must be of one length, got {sizes}")
    if check_count("n_segments", n_segments) > n_frames_of(remainder.size):
        raise InputError(f"n_segments must be at most {n_frames_of(remainder.size)}, the frames, got {n_segments}")
    peak = float(np.abs(np.sum([*waveforms, remainder], axis=0)).max())
    if peak == 0.0:
        raise InputError("sources must not be silent: there is nothing to hear in their sum")
    transforms = torch.stack([stft(y / np.float32(peak)) for y in waveforms]).to(device)
    whole = stft(remainder / np.float32(peak)).to(device)
    return SourceComponents(tuple(names), transforms, whole, n_segments, peak, remainder.size)
