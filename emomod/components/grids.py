"""Regions that are stretches of time, stretches of frequency, or both, whatever sounds in them.

Conventions: a frame belongs to the stretch in which its centre lies, a band to that in which its centre frequency lies;
there are no empty stretches, so fine ones that hold no band are left out. Stretches at the ends that are shorter than
half of a usual one belong to their neighbour.

Equal grids: Mishra, Sturm, Dixon: Local Interpretable Model-agnostic Explanations for Music Content Analysis
(SoundLIME), ISMIR 2017. Beats: Ellis, Beat Tracking by Dynamic Programming, JNMR 36(1), 2007, and onsets, both by
librosa (McFee et al., 2015) with its own hop of 512 samples: its peak picking is made for that, and finds onsets twice
at hop 704.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from emomod.audio import SAMPLE_RATE
from emomod.checks import check_count, check_number
from emomod.components.base import Sound
from emomod.components.optional import import_optional
from emomod.errors import InputError
from emomod.spectrogram import HOP_LENGTH, band_frequencies

Labels = NDArray[np.intp]
SOUNDLIME = "Mishra, Sturm, Dixon: SoundLIME, ISMIR 2017"
FRAME = HOP_LENGTH / SAMPLE_RATE  # s between frames
LOWEST_A = 27.5  # Hz, A0 where A4 is 440 Hz
ROUNDING = 1e-6  # s


def _without_gaps(labels: NDArray[Any]) -> Labels:
    """Number the distinct labels [n], in their order, 0..n-1."""
    return np.asarray(np.unique(labels, return_inverse=True)[1], dtype=np.intp)


def _check_fits(name: str, n: int, available: int, what: str) -> None:
    if n > available:
        raise InputError(f"{name} must be at most {available}, the {what} of the spectrogram, got {n}")


def _columns(labels: Labels, sound: Sound) -> Labels:
    """Labels [n_frames] of stretches of time over all bands [n_bands, n_frames]."""
    return np.broadcast_to(labels, sound.spectrogram.shape).copy()


def _rows(labels: Labels, sound: Sound) -> Labels:
    """Labels [n_bands] of stretches of frequency over all frames [n_bands, n_frames]."""
    return np.broadcast_to(labels[:, None], sound.spectrogram.shape).copy()


def mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frequencies on the mel scale (O'Shaughnessy 1987): 2595 log10(1 + f / 700).

    >>> mel(np.array([0.0, 1000.0])).round().tolist()
    [0.0, 1000.0]
    """
    return np.asarray(2595.0 * np.log10(1.0 + hertz / 700.0))


def _mel_parts(n: int) -> Labels:
    """The part [n_bands] of each band, of ``n`` that are equal in mel up to Nyquist; parts without a band left out."""
    return _without_gaps(np.floor(mel(band_frequencies()) / mel(np.array(SAMPLE_RATE / 2)) * n))


@dataclass(frozen=True)
class Time:
    """Stretches of time of equal length, over all bands."""

    seconds: float = 0.1  # s, of a stretch; a frame at least

    reference: ClassVar[str] = SOUNDLIME

    def __post_init__(self) -> None:
        check_number("seconds", self.seconds, low=FRAME)

    def regions(self, sound: Sound) -> Labels:
        """Return the stretches [n_bands, n_frames], 0..n-1."""
        n_frames = sound.spectrogram.shape[1]
        n = max(1, round(n_frames * FRAME / self.seconds))
        stretch = np.floor((np.arange(n_frames) * FRAME + ROUNDING) / self.seconds)
        return _columns(np.minimum(stretch, n - 1).astype(np.intp), sound)


@dataclass(frozen=True)
class Mel:
    """Ranges of frequency that are equal on the mel scale, over all of the time."""

    n: int = 8  # ranges; those that hold no band are left out

    reference: ClassVar[str] = SOUNDLIME

    def __post_init__(self) -> None:
        check_count("n", self.n)

    def regions(self, sound: Sound) -> Labels:
        """Return the ranges [n_bands, n_frames], 0..n-1 from the lowest; InputError where there are fewer bands."""
        _check_fits("n", self.n, sound.spectrogram.shape[0], "bands")
        return _rows(_mel_parts(self.n), sound)


@dataclass(frozen=True)
class Grid:
    """A grid of equal stretches of time and of ranges of frequency that are equal on the mel scale."""

    columns: int = 6  # stretches of time
    rows: int = 4  # ranges of frequency; those that hold no band are left out

    reference: ClassVar[str] = SOUNDLIME

    def __post_init__(self) -> None:
        check_count("columns", self.columns)
        check_count("rows", self.rows)

    def regions(self, sound: Sound) -> Labels:
        """Return the fields [n_bands, n_frames]; InputError where there are fewer bands or frames than parts."""
        n_bands, n_frames = sound.spectrogram.shape
        _check_fits("columns", self.columns, n_frames, "frames")
        _check_fits("rows", self.rows, n_bands, "bands")
        stretches = (np.arange(n_frames) * self.columns // n_frames).astype(np.intp)
        return _mel_parts(self.rows)[:, None] * self.columns + stretches


@dataclass(frozen=True)
class Octaves:
    """Octaves from A to A (27.5 Hz, 55 Hz, ...), over all of the time."""

    reference: ClassVar[str] = ""

    def regions(self, sound: Sound) -> Labels:
        """Return the octaves [n_bands, n_frames], 0..n-1 from the lowest, to which the bands below it belong."""
        return _rows(_without_gaps(np.floor(np.log2(band_frequencies() / LOWEST_A)).clip(min=0)), sound)


@dataclass(frozen=True)
class Beats:
    """Stretches from one beat to the next, over all bands; beats are found by librosa."""

    reference: ClassVar[str] = "Ellis: Beat Tracking by Dynamic Programming, JNMR 36(1), 2007; librosa"

    def regions(self, sound: Sound) -> Labels:
        """Return the stretches [n_bands, n_frames], 0..n-1; InputError where no beat is found in its midst."""
        beat = import_optional("librosa.beat", extra="components")
        _, times = beat.beat_track(y=sound.y, sr=SAMPLE_RATE, units="time", trim=False)
        return _columns(_stretches(times, sound, what="beat"), sound)


@dataclass(frozen=True)
class Onsets:
    """Stretches from one onset to the next, over all bands; onsets are found by librosa, at the foot of their rise."""

    reference: ClassVar[str] = "McFee et al.: librosa, SciPy 2015"

    def regions(self, sound: Sound) -> Labels:
        """Return the stretches [n_bands, n_frames], 0..n-1; InputError where no onset is found in its midst."""
        onset = import_optional("librosa.onset", extra="components")
        times = onset.onset_detect(y=sound.y, sr=SAMPLE_RATE, units="time", backtrack=True)
        return _columns(_stretches(times, sound, what="onset"), sound)


def _stretches(times: NDArray[np.float64], sound: Sound, *, what: str) -> Labels:
    """The stretch [n_frames] between ``times`` (s) in which each frame lies; the first begins with the sound."""
    end, inner = sound.y.size / SAMPLE_RATE, np.unique(times)
    half = np.median(np.diff([0.0, *inner, end])) / 2
    inner = inner[(inner >= half) & (inner <= end - half)]
    if not inner.size:
        raise InputError(f"components must have two stretches at least, and no {what} was found within the sound")
    centres = np.arange(sound.spectrogram.shape[1]) * FRAME
    return _without_gaps(np.searchsorted(inner, centres + ROUNDING, side="right"))
