"""The resampler against sines, against soxr, and its gradient against the definition."""

import numpy as np
import pytest
import soxr
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emomod.audio import SAMPLE_RATE
from emomod.errors import InputError
from emomod.model.resampling import PASS_BAND, resample
from emomod.rescoring import snr_db

RATES = (8000, 11025, 16000, 16001, 24000, 44100, 48000)


def faded_sine(frequency: float, sr: int, *, seconds: float = 1.0) -> np.ndarray:
    """A sine that is silent at both ends, so that all of its sound lies near its frequency."""
    time = np.arange(round(seconds * sr)) / sr
    return np.sin(2 * np.pi * frequency * time) * np.sin(np.pi * time / seconds) ** 2


@pytest.mark.parametrize("sr", RATES)
@pytest.mark.parametrize("frequency", (50.0, 440.0, 1000.0, 3500.0))
def test_resample_against_theory_a_sine_stays_that_sine(sr, frequency):
    y = torch.from_numpy(faded_sine(frequency, SAMPLE_RATE))
    assert snr_db(faded_sine(frequency, sr), resample(y, sr=sr, n_samples=sr).numpy()) > 120  # dB


@pytest.mark.parametrize("sr", (8000, 16000))
def test_resample_against_theory_nothing_folds_back(sr):
    above = torch.from_numpy(faded_sine(0.5 * sr + 300, SAMPLE_RATE))
    assert resample(above, sr=sr, n_samples=sr).abs().max() < 1e-3


@pytest.mark.parametrize("sr", RATES)
def test_resample_against_soxr(sr, rng):
    noise = rng.standard_normal(2 * SAMPLE_RATE) * np.hanning(2 * SAMPLE_RATE)
    spectrum, frequencies = np.fft.rfft(noise), np.fft.rfftfreq(noise.size, 1 / SAMPLE_RATE)
    edge = 0.95 * PASS_BAND * min(sr, SAMPLE_RATE) / 2
    y = np.fft.irfft(np.where(frequencies < edge, spectrum, 0.0), noise.size)
    reference = soxr.resample(y, SAMPLE_RATE, sr, quality="VHQ")
    found = resample(torch.from_numpy(y), sr=sr, n_samples=reference.size).numpy()
    assert snr_db(reference, found) > 70  # dB; soxr's own qualities differ by 90


def test_resample_against_itself_its_own_rate_changes_nothing(rng):
    y = torch.from_numpy(rng.standard_normal((2, 500)).astype(np.float32))
    same = resample(y, sr=SAMPLE_RATE, n_samples=500)
    assert torch.equal(same, y)
    same.zero_()
    assert y.any()  # it was a copy
    assert torch.equal(resample(y, sr=SAMPLE_RATE, n_samples=600)[:, :500], y)
    assert torch.equal(resample(y, sr=SAMPLE_RATE, n_samples=400), y[:, :400])


@given(n=st.integers(1, 3000), sr=st.sampled_from(RATES), n_samples=st.integers(1, 3000))
@settings(max_examples=40)
def test_resample_against_itself_any_length_and_sounds_do_not_hear_their_neighbours(n, sr, n_samples):
    y = torch.randn(3, n, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    together = resample(y, sr=sr, n_samples=n_samples)
    assert together.shape == (3, n_samples)
    assert together.dtype == torch.float64
    torch.testing.assert_close(together[1], resample(y[1], sr=sr, n_samples=n_samples))


def test_resample_against_theory_a_sound_does_not_ring_across_its_ends():
    """The spectrum is that of an endless repetition: what is at the end must not be heard at the start."""
    y = torch.zeros(SAMPLE_RATE, dtype=torch.float64)
    y[-1] = 1.0
    assert resample(y, sr=16000, n_samples=16000)[:8000].abs().max() < 1e-5


@pytest.mark.parametrize("sr", (8000, 44100))
def test_resample_against_finite_differences(sr):
    y = torch.randn(2, 60, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: resample(x, sr=sr, n_samples=round(60 * sr / SAMPLE_RATE)), (y,))


def test_resample_iv():
    with pytest.raises(InputError, match="sr must be a whole number of at least 1, got 0"):
        resample(torch.zeros(10), sr=0, n_samples=10)
    with pytest.raises(InputError, match="n_samples must be a whole number"):
        resample(torch.zeros(10), sr=16000, n_samples=0)
