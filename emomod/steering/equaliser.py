"""A parametric equaliser, and the way from its parameters to what a model hears, which can be differentiated.

Six second-order sections in series: a low shelf, four peaks, a high shelf, for mono at 22 050 Hz. Gains are decibels of
amplitude, frequencies are Hz. Gains of sections add up, and a shelf of Q above .71 overshoots, so that the gain at one
frequency may be larger than that of any section.

Optimisers work on one vector [18] in octaves: log2 of the six amplitudes (6.02 dB is 1), of the six frequencies and
of the six Q. There the equalised sound is a product of spectra of the whole sound, long enough for the filters to ring
out; it is that of ``Equaliser.apply`` but for rounding up to gains of 20 dB, and to a thousandth of its peak up to 40.
Gains of single STFT frames would be cheaper, but filters at low frequencies ring for longer than a window lasts: their
log spectrogram is off by .01 to .06 (root mean square), and by 1 in single cells.

Bristow-Johnson: Audio EQ Cookbook, W3C Working Group Note, 2021, for the sections; Chu et al.: Text2FX, Harnessing CLAP
Embeddings for Text-Guided Audio Effects (arXiv:2409.18847), for equalisers turned by gradients.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.fft import next_fast_len

from emomod.audio import SAMPLE_RATE
from emomod.checks import check_number, check_waveform
from emomod.errors import InputError
from emomod.modification import MAX_GAIN_DB
from emomod.spectrogram import N_FFT, filterbank, heard_spectrograms, peak_of

N_SECTIONS = 6
OCTAVE_DB = float(20.0 * np.log10(2.0))  # a doubling of amplitude
FLAT_Q = 0.5**0.5  # the largest at which a shelf does not overshoot
RING = 2 * SAMPLE_RATE  # samples, the longest that filters ring for
ROUNDING = 1e-9

Array = NDArray[np.float64]

_STEPS: Array = np.geomspace(80.0 / 100.0**0.2, 8000.0 * 100.0**0.2, N_SECTIONS + 2)
FREQUENCIES = _STEPS[1:-1]  # Hz, where sections start: 80 to 8000
FREQUENCY_LIMITS: Array = np.stack([_STEPS[:-2], np.minimum(_STEPS[2:], 10000.0)], axis=1)  # where neighbours start
Q_LIMITS: Array = np.tile([0.3, 6.0], (N_SECTIONS, 1))


@dataclass(frozen=True, eq=False)
class Equaliser:
    """The settings of a parametric equaliser; InputError where they are none."""

    gains_db: Array  # [6], within +-MAX_GAIN_DB
    frequencies: Array  # [6], within FREQUENCY_LIMITS, Hz: the centres of peaks, the middle of the slope of shelves
    q: Array  # [6], within Q_LIMITS

    def __post_init__(self) -> None:
        limits = {"gains_db": _gain_limits(MAX_GAIN_DB), "frequencies": FREQUENCY_LIMITS, "q": Q_LIMITS}
        for name, within in limits.items():
            object.__setattr__(self, name, _checked(name, getattr(self, name), within))

    @classmethod
    def from_parameters(cls, parameters: ArrayLike, *, max_gain_db: float) -> "Equaliser":
        """The equaliser of a vector [18] in octaves, of which no section's gain exceeds ``max_gain_db``."""
        amplitudes, frequencies, q = _checked("parameters", parameters, bounds(max_gain_db)).reshape(3, N_SECTIONS)
        return cls(OCTAVE_DB * amplitudes, 2.0**frequencies, 2.0**q)

    @property
    def parameters(self) -> Array:
        """The vector [18] in octaves."""
        return np.concatenate([self.gains_db / OCTAVE_DB, np.log2(self.frequencies), np.log2(self.q)])

    def sections(self) -> Array:
        """Second-order sections [6, 6] as scipy takes them, each b0 b1 b2 1 a1 a2."""
        return np.asarray(_sections(torch.from_numpy(self.parameters)).numpy())

    def apply(self, y: ArrayLike) -> NDArray[np.float32]:
        """Return the equalised waveform [n_samples] of ``y`` [n_samples]; it may go beyond -1..1."""
        from scipy.signal import sosfilt

        filtered: NDArray[np.float32] = sosfilt(self.sections(), check_waveform(y).astype(np.float64)).astype(
            np.float32
        )
        return filtered

    def response_db(self, frequencies: ArrayLike) -> Array:
        """Gains [n] in dB at frequencies [n], 0..11 025 Hz."""
        from scipy.signal import sosfreqz

        wanted = _checked("frequencies", frequencies, np.tile([0.0, SAMPLE_RATE / 2.0], (np.size(frequencies), 1)))
        _, found = sosfreqz(self.sections(), worN=wanted, fs=SAMPLE_RATE)
        return np.asarray(20.0 * np.log10(np.abs(found)))


def bounds(max_gain_db: float) -> Array:
    """The lowest and highest parameters [18, 2] in octaves where gains are within +-``max_gain_db`` (.1..40)."""
    gains = _gain_limits(check_number("max_gain_db", max_gain_db, low=0.1, high=MAX_GAIN_DB))
    return np.concatenate([gains / OCTAVE_DB, np.log2(FREQUENCY_LIMITS), np.log2(Q_LIMITS)])


def start() -> Array:
    """The parameters [18] of an equaliser that changes nothing: FREQUENCIES, FLAT_Q, no gain."""
    return Equaliser(np.zeros(N_SECTIONS), FREQUENCIES, np.full(N_SECTIONS, FLAT_Q)).parameters


def response(parameters: torch.Tensor) -> torch.Tensor:
    """Gains [n_fft // 2 + 1] of STFT bins as factors of amplitude, float64, of parameters [18] in octaves."""
    return _transfer(parameters, _delays(N_FFT)).abs()


def band_gains_db(parameters: torch.Tensor) -> torch.Tensor:
    """Gains [n_bands] in dB of the model's bands, float64, of parameters [18] in octaves.

    Each is that of the band's magnitude where all its bins are equally loud.
    """
    bands = torch.from_numpy(filterbank()).double()
    return 20.0 * (bands.T @ response(parameters)[:-1]).log10()


@dataclass(frozen=True, eq=False)
class EqualisedSound:
    """A sound through equalisers, which can be differentiated by their parameters [18] in octaves."""

    y: NDArray[np.float32]  # [n_samples], mono at 22 050 Hz, not silent

    def __post_init__(self) -> None:
        peak_of(self.y)

    def sound(self, parameters: torch.Tensor) -> torch.Tensor:
        """The waveform [1, n_samples], float32, as ``Equaliser.apply`` gives it but for rounding."""
        rung: torch.Tensor = torch.fft.irfft(_transfer(parameters, _delays(RING)), RING)
        spectrum = self._spectrum * torch.fft.rfft(rung, self._length)
        y: torch.Tensor = torch.fft.irfft(spectrum, self._length)[None, : self.y.size].float()
        return y

    def log_spectrogram(self, parameters: torch.Tensor) -> torch.Tensor:
        """The log spectrogram [1, n_bands, n_frames] that a model takes of that waveform, peak-normalised."""
        return heard_spectrograms(self.sound(parameters))

    @property
    def _length(self) -> int:
        return int(next_fast_len(self.y.size + RING, real=True))

    @cached_property
    def _spectrum(self) -> torch.Tensor:
        spectrum: torch.Tensor = torch.fft.rfft(torch.tensor(self.y, dtype=torch.float64), self._length)
        return spectrum


def _gain_limits(largest: float) -> Array:
    return np.tile([-largest, largest], (N_SECTIONS, 1))


def _checked(name: str, values: ArrayLike, limits: Array) -> Array:
    """Values [n] as floats within limits [n, 2], rounding errors taken off."""
    found, (low, high) = np.asarray(values, dtype=np.float64), limits.T
    if found.shape != low.shape:
        raise InputError(f"{name} must have shape {list(low.shape)}, got {list(found.shape)}")
    inside = (found >= low - ROUNDING * np.abs(low)) & (found <= high + ROUNDING * np.abs(high))
    for index in np.flatnonzero(~inside):
        raise InputError(f"{name}[{index}] must be in {low[index]:g}..{high[index]:g}, got {found[index]:g}")
    return found.clip(low, high)


def _sections(parameters: torch.Tensor) -> torch.Tensor:
    """Second-order sections [6, 6], float64, of parameters [18]; a0 is 1."""
    if parameters.shape != (3 * N_SECTIONS,):
        raise InputError(f"parameters must have shape [{3 * N_SECTIONS}], got {list(parameters.shape)}")
    gains, frequencies, q = parameters.double().view(3, N_SECTIONS)
    root, angles = torch.exp2(gains / 2.0), 2.0 * torch.pi * torch.exp2(frequencies) / SAMPLE_RATE
    cosines, alphas = angles.cos(), angles.sin() / (2.0 * torch.exp2(q))
    shelves = _shelves(root[::5], cosines[::5], alphas[::5], torch.tensor([1.0, -1.0]))
    sections = torch.cat([shelves[:1], _peaks(root[1:5], cosines[1:5], alphas[1:5]), shelves[1:]])
    return sections / sections[:, 3:4]


def _peaks(root: torch.Tensor, cosines: torch.Tensor, alphas: torch.Tensor) -> torch.Tensor:
    up, down, middle = alphas * root, alphas / root, -2.0 * cosines
    return torch.stack([1.0 + up, middle, 1.0 - up, 1.0 + down, middle, 1.0 - down], dim=1)


def _shelves(root: torch.Tensor, cosines: torch.Tensor, alphas: torch.Tensor, side: torch.Tensor) -> torch.Tensor:
    """Low shelves where ``side`` is 1, high ones where it is -1."""
    both, apart, edge = root + 1.0, side * (root - 1.0), 2.0 * root.sqrt() * alphas
    above, below = both - apart * cosines, both + apart * cosines
    zeros = [root * (above + edge), 2.0 * root * (apart - both * cosines), root * (above - edge)]
    return torch.stack([*zeros, below + edge, -2.0 * (apart + both * cosines), below - edge], dim=1)


@lru_cache(maxsize=2)
def _delays(n_fft: int) -> torch.Tensor:
    """What delays of 0, 1 and 2 samples do [3, n_fft // 2 + 1] to sines at the bins of a Fourier transform."""
    return torch.from_numpy(np.exp(-2j * np.pi * np.arange(3)[:, None] * np.fft.rfftfreq(n_fft)))


def _transfer(parameters: torch.Tensor, delays: torch.Tensor) -> torch.Tensor:
    """Complex response [n] of all sections at the frequencies of delays [3, n]."""
    sections = _sections(parameters).to(delays.dtype)
    return ((sections[:, :3] @ delays) / (sections[:, 3:] @ delays)).prod(dim=0)
