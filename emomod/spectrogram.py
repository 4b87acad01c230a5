"""The model's log-frequency spectrogram of a sound, and the way back from changed cells to a sound.

Conventions: waveforms are mono at 22 050 Hz; arrays are [n_bands, n_frames]; a gain is a factor of amplitude; a cell
that is switched off is 0 (silence), since a cell holds log10(1 + magnitude).

The front end follows madmom's LogarithmicFilteredSpectrogram (Boeck et al., madmom: a new Python Audio and Music Signal
Processing Library, ACM MM 2016), which the original system used. Resynthesis scales the complex STFT with gains
that are spread from bands to STFT bins by a partition of unity, so that unit gains give the sound back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from emomod.audio import SAMPLE_RATE
from emomod.checks import check_choice, check_waveform
from emomod.errors import InputError

N_FFT = 2048
HOP_LENGTH = 704
BANDS_PER_OCTAVE = 24
FMIN, FMAX, FREF = 20.0, 16000.0, 440.0
N_BANDS = 149
FRONT_END = {
    "sample_rate": SAMPLE_RATE,
    "n_fft": N_FFT,
    "hop_length": HOP_LENGTH,
    "bands_per_octave": BANDS_PER_OCTAVE,
    "fmin": FMIN,
    "fmax": FMAX,
    "n_bands": N_BANDS,
    "scaling": "log10(1 + magnitude), peak-normalised",
}


def _band_edges() -> NDArray[np.intp]:
    """STFT bins nearest to the log-spaced frequencies between FMIN and FMAX, duplicates removed, below Nyquist."""
    steps = np.arange(
        np.floor(np.log2(FMIN / FREF) * BANDS_PER_OCTAVE), np.ceil(np.log2(FMAX / FREF) * BANDS_PER_OCTAVE)
    )
    frequencies = FREF * 2.0 ** (steps / BANDS_PER_OCTAVE)
    frequencies = frequencies[(frequencies >= FMIN) & (frequencies <= FMAX)]
    nearest = np.round(frequencies * N_FFT / SAMPLE_RATE).astype(np.intp)
    return np.unique(np.minimum(nearest, N_FFT // 2 - 1))


@lru_cache(maxsize=1)
def filterbank() -> NDArray[np.float32]:
    """Triangular filters [n_fft // 2, n_bands], each of unit sum; the Nyquist bin is left out, as madmom does."""
    edges = _band_edges()
    bins = np.arange(N_FFT // 2)[:, None]
    start, centre, stop = edges[:-2], edges[1:-1], edges[2:]
    narrow = stop - start < 2
    centre, stop = np.where(narrow, start, centre), np.where(narrow, start + 1, stop)
    rising = (bins - start) / np.maximum(centre - start, 1)
    falling = (stop - bins) / (stop - centre)
    triangles = np.where(bins < centre, rising, falling).clip(min=0.0)
    normalised: NDArray[np.float32] = (triangles / triangles.sum(axis=0)).astype(np.float32)
    return normalised


@lru_cache(maxsize=1)
def _spread() -> torch.Tensor:
    """Weights [n_fft // 2 + 1, n_bands], rows of unit sum: how band gains reach STFT bins (outer bins: nearest
    band).
    """
    triangles = np.vstack([filterbank() / filterbank().max(axis=0), np.zeros((1, N_BANDS))])
    covered = np.flatnonzero(triangles.sum(axis=1))
    nearest = np.clip(np.arange(len(triangles)), covered[0], covered[-1])
    nearest = covered[np.searchsorted(covered, nearest)]
    weights = triangles[nearest]
    return torch.from_numpy(weights / weights.sum(axis=1, keepdims=True)).float()


def band_frequencies() -> NDArray[np.float64]:
    """Centre frequencies [n_bands] of the filters, in Hz."""
    frequencies: NDArray[np.float64] = np.argmax(filterbank(), axis=0) * SAMPLE_RATE / N_FFT
    return frequencies


@lru_cache(maxsize=1)
def _inverse_filterbank() -> torch.Tensor:
    """Pseudo-inverse of the filterbank [n_fft // 2, n_bands]."""
    return torch.from_numpy(np.linalg.pinv(filterbank().astype(np.float64)).T).float()


@lru_cache(maxsize=1)
def _window() -> torch.Tensor:
    return torch.hann_window(N_FFT, periodic=False)


def stft(y: ArrayLike) -> torch.Tensor:
    """Complex STFT [n_fft // 2 + 1, n_stft_frames] of ``y`` [n_samples]; frame t is centred on sample t * hop_length.

    Two frames more than the model sees are kept, so that every sample lies well inside some window.
    """
    return _stft(torch.from_numpy(check_waveform(y).copy()))


def _stft(waveforms: torch.Tensor) -> torch.Tensor:
    n_samples = waveforms.shape[-1]
    whole_hops = -(-n_samples // HOP_LENGTH) * HOP_LENGTH
    padded = torch.nn.functional.pad(waveforms, (0, whole_hops - n_samples))
    window = _window().to(waveforms.device)
    return torch.stft(padded, N_FFT, HOP_LENGTH, window=window, center=True, pad_mode="constant", return_complex=True)


def n_frames_of(n_samples: int) -> int:
    """Number of frames that the model sees of ``n_samples``; 10 s give 313."""
    return max(1, n_samples // HOP_LENGTH)


def band_magnitudes(transform: torch.Tensor) -> torch.Tensor:
    """Filtered magnitude [..., n_bands, n_frames] of a complex STFT [..., n_fft // 2 + 1, n_frames]."""
    bands = torch.from_numpy(filterbank()).to(transform.device)
    return bands.T @ transform[..., :-1, :].abs()


def spread_bands(gains: torch.Tensor) -> torch.Tensor:
    """Gains of STFT bins [..., n_fft // 2 + 1, n_frames] from those of bands [..., n_bands, n_frames]."""
    return _spread().to(gains.device) @ gains


def band_energies(transform: torch.Tensor) -> torch.Tensor:
    """Energy [..., n_bands, n_frames] of each cell of a complex STFT, shared out as gains are spread; float64.

    They sum to the STFT's energy.
    """
    return _spread().to(transform.device).T.double() @ transform.abs().double().square()


def istft(transform: torch.Tensor, *, n_samples: int) -> torch.Tensor:
    """The waveforms [..., n_samples] of complex STFTs with the frames that ``stft`` gives."""
    window = _window().to(transform.device)
    return torch.istft(transform, N_FFT, HOP_LENGTH, window=window, center=True, length=n_samples)


def all_frames(seen: torch.Tensor, *, n_stft_frames: int) -> torch.Tensor:
    """Values [..., n_stft_frames] of all frames of an STFT from those [..., n_frames] that the model sees."""
    last = torch.full((n_stft_frames,), seen.shape[-1] - 1, device=seen.device)
    return seen[..., torch.minimum(torch.arange(n_stft_frames, device=seen.device), last)]


@dataclass(frozen=True, eq=False)
class Spectrogram:
    """A sound as the model sees it, with what is needed to hear it again after a change."""

    log_spectrogram: torch.Tensor  # float32 [n_bands, n_frames], log10(1 + magnitude) of the peak-normalised sound
    transform: torch.Tensor  # complex64 [n_fft // 2 + 1, n_stft_frames], of the peak-normalised sound
    peak: float  # largest absolute sample of the sound, > 0
    n_samples: int

    @property
    def shape(self) -> tuple[int, int]:
        """(n_bands, n_frames)."""
        return (self.log_spectrogram.shape[0], self.log_spectrogram.shape[1])

    def resynthesise(self, gains: ArrayLike | None = None, *, method: str = "mask") -> NDArray[np.float32]:
        """Return the waveform [n_samples] after scaling each cell's amplitude by ``gains`` [n_bands, n_frames].

        ``method="mask"`` scales the complex STFT and is exact at unit gain. ``method="pinv"`` inverts the
        filterbank with a pseudo-inverse and keeps the original phase, as the 2019 system did; it is lossy.
        """
        check_choice("method", method, ("mask", "pinv"))
        cells = torch.ones(self.shape) if gains is None else torch.as_tensor(np.asarray(gains), dtype=torch.float32)
        if tuple(cells.shape) != self.shape:
            raise InputError(f"gains must have the spectrogram's shape {self.shape}, got {tuple(cells.shape)}")
        changed = self._masked(cells) if method == "mask" else self._inverted(cells)
        return (istft(changed, n_samples=self.n_samples) * self.peak).numpy()

    def _masked(self, cells: torch.Tensor) -> torch.Tensor:
        return self.transform * all_frames(spread_bands(cells), n_stft_frames=self.transform.shape[1])

    def _inverted(self, cells: torch.Tensor) -> torch.Tensor:
        bands = cells * (10.0**self.log_spectrogram - 1.0)
        seen = self.transform[:, : cells.shape[1]]
        changed = torch.zeros_like(self.transform)
        changed[:-1, : cells.shape[1]] = torch.polar(torch.ones(()), seen[:-1].angle()) * (
            _inverse_filterbank() @ bands
        )
        return changed


def peak_of(y: ArrayLike) -> float:
    """Return the largest absolute sample of ``y`` [n_samples]; InputError where it is silent."""
    peak = float(np.abs(check_waveform(y)).max())
    if peak == 0.0:
        raise InputError("y must not be silent: there is nothing to hear in it")
    return peak


def compute_spectrogram(y: ArrayLike) -> Spectrogram:
    """Return the Spectrogram of ``y`` [n_samples], mono at 22 050 Hz; a silent ``y`` raises InputError."""
    waveform = check_waveform(y)
    peak = peak_of(waveform)
    transform = stft(waveform / np.float32(peak))
    return Spectrogram(_log_spectrograms(transform, waveform.size), transform, peak, waveform.size)


def log_spectrograms(waveforms: Sequence[ArrayLike], *, device: torch.device | str = "cpu") -> torch.Tensor:
    """Return the log spectrograms [n, n_bands, n_frames] of n sounds of one length, made on ``device``.

    They are those of ``compute_spectrogram`` but for rounding. Raises InputError where a sound is silent.
    """
    checked = [check_waveform(y) for y in waveforms]
    normalised = torch.from_numpy(np.stack([y / np.float32(peak_of(y)) for y in checked]))
    return _log_spectrograms(_stft(normalised.to(device)), normalised.shape[1])


def heard_spectrograms(waveforms: torch.Tensor) -> torch.Tensor:
    """Return the log spectrograms [n, n_bands, n_frames] of waveforms [n, n_samples], none of them silent.

    They are those of ``log_spectrograms`` but for rounding, and can be differentiated by the waveforms.
    """
    peaks = waveforms.abs().amax(dim=-1, keepdim=True)
    return _log_spectrograms(_stft(waveforms / peaks), waveforms.shape[-1])


def _log_spectrograms(transforms: torch.Tensor, n_samples: int) -> torch.Tensor:
    return torch.log10(1.0 + band_magnitudes(transforms[..., : n_frames_of(n_samples)]))
