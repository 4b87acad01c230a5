"""Components that are segments of the spectrogram: each cell belongs to exactly one.

The default segmentation and its parameters are those of Haunschmid, Chowdhury, Widmer 2019 (arXiv:1905.11760):
Felzenszwalb & Huttenlocher, Efficient Graph-Based Image Segmentation, IJCV 59(2), 2004, with scale 25 and min_size
40 on the spectrogram divided by its maximum.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from skimage.segmentation import felzenszwalb

from emomod.audio import SAMPLE_RATE
from emomod.checks import check_gains, check_segments
from emomod.components.base import Location
from emomod.spectrogram import HOP_LENGTH, Spectrogram, band_frequencies, cell_energies

SCALE, MIN_SIZE = 25, 40  # of the 2019 paper


def felzenszwalb_segments(
    log_spectrogram: torch.Tensor, *, scale: float = SCALE, min_size: int = MIN_SIZE
) -> NDArray[np.intp]:
    """Return segments [n_bands, n_frames], labelled 0..n_segments-1, of a log spectrogram of the same shape."""
    image = log_spectrogram.cpu().double().numpy()
    segments: NDArray[np.intp] = felzenszwalb(image / np.abs(image).max(), scale=scale, min_size=min_size)
    return segments


@dataclass(frozen=True, eq=False)
class SegmentComponents:
    """A sound as the sum of its spectrogram's segments."""

    spectrogram: Spectrogram
    segments: NDArray[np.intp]  # [n_bands, n_frames], labelled 0..n_components-1
    device: torch.device | str = "cpu"  # where ``mix`` runs

    def __post_init__(self) -> None:
        object.__setattr__(self, "segments", check_segments(self.segments, shape=self.spectrogram.shape))

    @cached_property
    def n_components(self) -> int:
        """K."""
        return int(self.segments.max()) + 1

    @cached_property
    def _labels(self) -> torch.Tensor:
        return torch.from_numpy(self.segments.ravel()).to(self.device)

    @cached_property
    def _magnitudes(self) -> torch.Tensor:
        return (10.0 ** self.spectrogram.log_spectrogram.double() - 1.0).float().ravel().to(self.device)

    def mix(self, gains: torch.Tensor) -> torch.Tensor:
        """Return log spectrograms [n, n_bands, n_frames] of gains [n, K]."""
        cells = gains.to(self.device, torch.float32)[:, self._labels]
        return cells.mul_(self._magnitudes).add_(1.0).log10_().view(-1, *self.spectrogram.shape)

    def render(self, gains: ArrayLike) -> NDArray[np.float32]:
        """Return the waveform [n_samples] of gains [K]."""
        factors = check_gains(gains, n_components=self.n_components)
        return self.spectrogram.resynthesise(factors[self.segments])

    def energies(self) -> NDArray[np.float64]:
        """Energy [K] of each segment."""
        cells = cell_energies(self.spectrogram)
        return np.bincount(self.segments.ravel(), weights=cells.ravel(), minlength=self.n_components).astype(np.float64)

    def locations(self) -> list[Location]:
        """Where each segment lies; times are frame centres, frequencies band centres."""
        cells, bands = cell_energies(self.spectrogram), band_frequencies()
        found = []
        for label in range(self.n_components):
            rows, frames = np.nonzero(self.segments == label)
            seconds = frames * HOP_LENGTH / SAMPLE_RATE
            centre = np.average(seconds, weights=cells[rows, frames] + np.finfo(float).tiny)
            extent = (seconds.min(), seconds.max(), centre, bands[rows.min()], bands[rows.max()])
            found.append(Location(*(float(value) for value in extent)))
        return found


def cut_segments(spectrogram: Spectrogram, *, device: torch.device | str = "cpu") -> SegmentComponents:
    """Return the Felzenszwalb segments of a sound as components whose ``mix`` runs on ``device``."""
    segments = felzenszwalb_segments(spectrogram.log_spectrogram)
    return SegmentComponents(spectrogram, segments, device)
