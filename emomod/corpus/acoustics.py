"""Draw a room and a recording for a clip, and put the clip through them.

A light augmentation: equalisation (tilt and one bell), exponentially decaying noise as reverb, a noise floor, a level.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emomod.audio import SAMPLE_RATE
from emomod.checks import check_waveform


@dataclass(frozen=True)
class Acoustics:
    """Room and recording of a clip."""

    tilt_db: float  # dB per octave about 1 kHz
    bell_hz: float
    bell_db: float
    reverb_seconds: float  # until the level has fallen by 60 dB; 0: no reverb
    reverb_share: float  # 0..1 of the amplitude of the direct sound
    noise_db: float  # level of the noise floor below the RMS of the clip
    level_db: float  # of the peak, below full scale
    seed: int  # of the noises


def draw_acoustics(rng: np.random.Generator) -> Acoustics:
    """Draw a room and a recording; a third of the clips stay nearly dry and clean."""
    clean = rng.random() < 0.33
    return Acoustics(
        tilt_db=float(rng.normal(0, 0.3 if clean else 1.3)),
        bell_hz=float(np.exp(rng.uniform(np.log(120), np.log(7000)))),
        bell_db=float(rng.normal(0, 1 if clean else 4)),
        reverb_seconds=0.0 if clean and rng.random() < 0.5 else float(rng.uniform(0.2, 2.2)),
        reverb_share=float(rng.uniform(0.02, 0.12 if clean else 0.7)),
        noise_db=float(rng.uniform(55, 80) if clean else rng.uniform(26, 70)),
        level_db=float(rng.uniform(0, 12)),
        seed=int(rng.integers(2**31)),
    )


def apply_acoustics(y: NDArray[np.floating], acoustics: Acoustics) -> NDArray[np.float32]:
    """Put ``y`` [n_samples], mono at 22 050 Hz, through ``acoustics``; silence stays silence of the noise floor."""
    wet, noise = apply_acoustics_to_stems(check_waveform(y)[None], acoustics)
    return np.asarray(wet[0] + noise)


def apply_acoustics_to_stems(dry: ArrayLike, acoustics: Acoustics) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Put stems [..., n_parts, n_samples] through one room; return wet stems of that shape and the noise [n_samples].

    A leading axis holds versions of a clip: the noise follows the first version's level, and one gain is found for all
    from the highest peak.
    """
    stems = np.asarray(dry, dtype=np.float64)
    rng = np.random.default_rng(acoustics.seed)
    n_samples = stems.shape[-1]
    n_fft = 1 << int(np.ceil(np.log2(n_samples + round(acoustics.reverb_seconds * SAMPLE_RATE) + 1)))
    response = _equaliser(n_fft, acoustics).astype(np.complex128)
    if acoustics.reverb_seconds > 0.0:
        response *= np.fft.rfft(_impulse_response(rng, acoustics), n_fft)
    wet = np.fft.irfft(np.fft.rfft(stems, n_fft) * response, n_fft)[..., :n_samples]
    mixes = wet.sum(axis=-2).reshape(-1, n_samples)
    noise = _noise(rng, n_samples) * np.sqrt((mixes[0] ** 2).mean()) * 10 ** (-acoustics.noise_db / 20)
    gain = 10 ** (-acoustics.level_db / 20) / max(float(np.abs(mixes + noise).max()), 1e-9)
    return (gain * wet).astype(np.float32), (gain * noise).astype(np.float32)


def _noise(rng: np.random.Generator, n_samples: int) -> NDArray[np.float64]:
    """White or brown noise [n_samples] without a trend, of RMS 1."""
    noise = np.cumsum(rng.normal(size=n_samples)) if rng.random() < 0.3 else rng.normal(size=n_samples)
    noise -= np.linspace(noise[0], noise[-1], noise.size)
    return np.asarray(noise / max(float(np.sqrt((noise**2).mean())), 1e-9))


def _equaliser(n_fft: int, acoustics: Acoustics) -> NDArray[np.float64]:
    """Factor of amplitude at each frequency [n_fft // 2 + 1]."""
    octaves = np.log2(np.maximum(np.arange(n_fft // 2 + 1) * SAMPLE_RATE / n_fft, 20.0))
    bell = acoustics.bell_db * np.exp(-0.5 * (octaves - np.log2(acoustics.bell_hz)) ** 2)
    decibels = acoustics.tilt_db * (octaves - np.log2(1000.0)) + bell
    return np.asarray(10 ** (np.clip(decibels, -18, 18) / 20))


def _impulse_response(rng: np.random.Generator, acoustics: Acoustics) -> NDArray[np.float64]:
    """A direct impulse and a tail of noise that falls by 60 dB in the reverb time."""
    time = np.arange(1, round(acoustics.reverb_seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tail = rng.normal(size=time.size) * np.exp(-np.log(1000.0) * time / acoustics.reverb_seconds)
    tail *= acoustics.reverb_share / max(float(np.sqrt((tail**2).sum())), 1e-9)
    return np.concatenate([[1.0], tail])
