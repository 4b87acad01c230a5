"""Sounds at the rate that a model of somebody else's wants, by a resampler through which gradients go.

Conventions: waveforms are [..., n_samples], at 22 050 Hz before and at ``sr`` Hz after; sample 0 is at 0 s in both.

The spectrum of the sound is cut, or filled up with zeros, at the lower of the two Nyquist frequencies. Below 91 % of
that the sound stays as it is, above a raised cosine leads to silence: the pass band of soxr's "HQ". All kinds of models
hear through the one resampler, so that a network and its ONNX export agree.
"""

import math

import torch

from emomod.audio import SAMPLE_RATE
from emomod.checks import check_count

PASS_BAND = 0.91  # share of the lower Nyquist frequency below which nothing changes
MARGIN = SAMPLE_RATE // 5  # samples of silence after the sound, in which what rings across its ends is cut away


def resample(y: torch.Tensor, *, sr: int, n_samples: int) -> torch.Tensor:
    """Return waveforms [..., any length] at 22 050 Hz as waveforms [..., n_samples] at ``sr`` Hz.

    They are silent after their end, and before their start. The result is a new tensor; InputError where ``sr`` or
    ``n_samples`` is no whole number of at least 1.
    """
    rate, wanted = check_count("sr", sr), check_count("n_samples", n_samples)
    if rate == SAMPLE_RATE:
        return torch.nn.functional.pad(y, (0, wanted - y.shape[-1])) if wanted != y.shape[-1] else y.clone()
    common = math.gcd(rate, SAMPLE_RATE)
    step, new_step = SAMPLE_RATE // common, rate // common  # samples in which both rates meet
    longest = max(y.shape[-1], math.ceil(wanted * SAMPLE_RATE / rate)) + MARGIN
    n_steps = math.ceil(longest / step)
    spectrum = torch.fft.rfft(y, n=n_steps * step)
    n_new = n_steps * new_step
    kept = min(spectrum.shape[-1], n_new // 2 + 1)
    gains = _pass(kept, n_bins=min(n_steps * step, n_new) / 2).to(y)
    heard: torch.Tensor = torch.fft.irfft(spectrum[..., :kept] * gains, n=n_new) * (n_new / (n_steps * step))
    return heard[..., :wanted].clone()


def _pass(n: int, *, n_bins: float) -> torch.Tensor:
    """Gains [n] of frequency bins, of which bin ``n_bins`` is the lower Nyquist frequency."""
    place = torch.arange(n, dtype=torch.float64) / n_bins
    beyond = ((place - PASS_BAND) / (1.0 - PASS_BAND)).clamp(0.0, 1.0)
    return 0.5 + 0.5 * torch.cos(torch.pi * beyond)
