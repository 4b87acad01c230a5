import numpy as np
import pytest
import soundfile
import torch
from fakes import shared, tones
from hypothesis import given, settings
from hypothesis import strategies as st

from emomod.audio import SAMPLE_RATE
from emomod.errors import InputError
from emomod.spectrogram import (
    HOP_LENGTH,
    N_BANDS,
    N_FFT,
    Spectrogram,
    _spread,
    band_energies,
    band_frequencies,
    band_magnitudes,
    compute_spectrogram,
    filterbank,
    n_frames_of,
    stft,
)


def noise(n_samples, *, level=0.5, seed=0):
    return (level * np.random.default_rng(seed).uniform(-1, 1, n_samples)).astype(np.float32)


def snr(reference, y):
    return 10 * np.log10((reference.astype(float) ** 2).sum() / ((y.astype(float) - reference) ** 2).sum())


@pytest.fixture(scope="module")
def sound():
    y = tones(2.0)
    return y, compute_spectrogram(y)


@pytest.fixture(scope="module")
def madmom():
    return np.load(shared("frontend/madmom_reference.npz"))


def test_filterbank_against_madmom(madmom):
    np.testing.assert_allclose(filterbank(), madmom["filterbank"], atol=1e-6)


def test_log_spectrogram_against_madmom(madmom):
    y, rate = soundfile.read(shared("frontend/input.flac"), dtype="float32")
    assert rate == SAMPLE_RATE
    ours = compute_spectrogram(y).log_spectrogram.numpy()
    assert ours.shape == (N_BANDS, 313)
    np.testing.assert_allclose(ours.T, madmom["spec_origin0"][:313], atol=2e-3)  # madmom works on 16-bit integers


def test_filterbank_against_theory():
    triangles = filterbank()
    assert triangles.shape == (N_FFT // 2, 149)
    np.testing.assert_allclose(triangles.sum(axis=0), 1.0, rtol=1e-6)
    frequencies = band_frequencies()
    assert (np.diff(frequencies) > 0).all()
    assert 20 <= frequencies[0] < 40
    assert frequencies[-1] < SAMPLE_RATE / 2
    octaves = np.diff(np.log2(frequencies[frequencies > 1000]))
    np.testing.assert_allclose(octaves, 1 / 24, atol=0.016)  # bins are 10.8 Hz apart


def test_stft_against_theory_one_frame_of_a_sine():
    frequency = 100 * SAMPLE_RATE / N_FFT  # the centre of bin 100
    y = np.sin(2 * np.pi * frequency * np.arange(SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    frame = stft(y)[:, 10].abs()
    assert int(frame.argmax()) == 100
    assert float(frame[100]) == pytest.approx((N_FFT - 1) / 4, rel=1e-3)  # half the sum of a symmetric Hann window
    start = 10 * HOP_LENGTH - N_FFT // 2
    expected = np.abs(np.fft.rfft(np.hanning(N_FFT) * y[start : start + N_FFT]))
    np.testing.assert_allclose(frame, expected, atol=2e-3)


def test_band_magnitudes_against_theory(sound):
    _, spectrogram = sound
    magnitude = spectrogram.transform[:-1, :60].abs().numpy()  # without Nyquist
    found = band_magnitudes(spectrogram.transform[:, :60])
    np.testing.assert_allclose(found, filterbank().T @ magnitude, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("n_samples", "n_frames"), ((220500, 313), (704, 1), (703, 1), (1407, 1), (1408, 2), (11025, 15), (1, 1))
)
def test_n_frames_against_theory(n_samples, n_frames):
    assert n_frames_of(n_samples) == n_frames
    assert compute_spectrogram(noise(n_samples) + 0.1).shape == (N_BANDS, n_frames)


@given(n_samples=st.integers(SAMPLE_RATE // 2, 12 * SAMPLE_RATE), level=st.floats(-70, 0), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_unit_gain_against_itself_gives_the_sound_back(n_samples, level, seed):
    y = noise(n_samples, level=10 ** (level / 20), seed=seed)
    again = compute_spectrogram(y).resynthesise()
    assert again.shape == y.shape
    assert again.dtype == np.float32
    assert snr(y, again) > 100  # the promise is 60 dB


@given(gain=st.floats(0.01, 100))
@settings(max_examples=20)
def test_a_uniform_gain_against_theory_scales_the_sound(sound, gain):
    y, spectrogram = sound
    assert snr(gain * y, spectrogram.resynthesise(np.full(spectrogram.shape, gain))) > 100


@given(seed=st.integers(0, 999))
@settings(max_examples=20)
def test_resynthesis_against_theory_is_linear_in_the_gains(sound, seed):
    _, spectrogram = sound
    gains = np.random.default_rng(seed).uniform(0, 2, spectrogram.shape)
    parts = spectrogram.resynthesise(gains) + spectrogram.resynthesise(2 - gains)
    np.testing.assert_allclose(parts, 2 * spectrogram.resynthesise(), atol=1e-5)


def test_zero_gain_against_theory_is_silence(sound):
    _, spectrogram = sound
    assert not spectrogram.resynthesise(np.zeros(spectrogram.shape)).any()


@pytest.mark.parametrize(("louder", "frequency"), ((0, 200.0), (1, 4000.0)))
def test_a_gain_against_theory_acts_where_it_says(louder, frequency):
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    partials = [0.4 * np.sin(2 * np.pi * hertz * time) for hertz in (200.0, 4000.0)]
    spectrogram = compute_spectrogram(np.sum(partials, axis=0))
    near = np.abs(np.log2(band_frequencies() / frequency)) < 0.5
    gains = np.where(near[:, None], 2.0, 1.0) * np.ones(spectrogram.shape)
    partials[louder] *= 2.0
    inside = slice(N_FFT, -N_FFT)  # a sine that begins at once has a wide spectrum there
    assert snr(np.sum(partials, axis=0)[inside], spectrogram.resynthesise(gains)[inside]) > 60


def test_a_gain_against_theory_acts_when_it_says(sound):
    y, spectrogram = sound
    gains = np.ones(spectrogram.shape)
    gains[:, 40:] = 0.5
    changed, edge = spectrogram.resynthesise(gains), 40 * HOP_LENGTH
    assert snr(y[: edge - N_FFT], changed[: edge - N_FFT]) > 100
    assert snr(0.5 * y[edge + N_FFT :], changed[edge + N_FFT :]) > 100


def test_spread_against_theory_is_a_partition_of_unity():
    weights = _spread()
    assert weights.shape == (N_FFT // 2 + 1, N_BANDS)
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(dim=1), 1.0, atol=1e-6)
    own = weights.argmax(dim=1).numpy()
    assert (np.diff(own) >= 0).all()  # bins go to bands in order, outer bins to the outer bands
    assert (own[0], own[-1]) == (0, N_BANDS - 1)


def test_band_energies_against_theory_sum_to_the_energy_of_the_sound():
    spectrogram = compute_spectrogram(noise(3 * SAMPLE_RATE))
    energies = band_energies(spectrogram.transform[:, : spectrogram.shape[1]]).numpy()
    assert energies.shape == spectrogram.shape
    assert (energies >= 0).all()
    seen = spectrogram.transform[:, : spectrogram.shape[1]].abs().double().square()
    np.testing.assert_allclose(energies.sum(axis=0), seen.sum(dim=0), rtol=1e-6)


def test_stft_against_theory_parseval():
    y = noise(3 * SAMPLE_RATE)
    power = stft(y).abs().double().square().numpy().sum(axis=1)
    two_sided = 2 * power.sum() - power[0] - power[-1]
    window_power = (np.hanning(N_FFT) ** 2).sum() / HOP_LENGTH  # squared windows add up to nearly a constant
    assert two_sided / N_FFT == pytest.approx(window_power * (y.astype(float) ** 2).sum(), rel=0.01)


@given(level=st.floats(-60, 20))
@settings(max_examples=20)
def test_compute_spectrogram_against_itself_loudness_does_not_matter(sound, level):
    y, spectrogram = sound
    other = compute_spectrogram((y * 10 ** (level / 20)).astype(np.float32))
    np.testing.assert_allclose(other.log_spectrogram, spectrogram.log_spectrogram, atol=1e-4)


def test_pinv_against_the_original_is_lossy_but_alike(sound):
    y, spectrogram = sound
    inverted = spectrogram.resynthesise(method="pinv")
    assert inverted.shape == y.shape
    assert np.isfinite(inverted).all()
    assert snr(y, inverted) < 30 < snr(y, spectrogram.resynthesise())
    assert np.corrcoef(y, inverted)[0, 1] > 0.5


def test_compute_spectrogram_iv(sound):
    _, spectrogram = sound
    for y, message in (
        (np.zeros(9000), "must not be silent"),
        (np.full(9000, np.nan), "must be finite, got 9000 samples"),
        (np.zeros((2, 9000)), r"shape \[n_samples\]"),
        (np.array(["a"]), "y must be numbers"),
        (np.ones(9000, dtype=int), "floating point"),
    ):
        with pytest.raises(InputError, match=message):
            compute_spectrogram(y)
    with pytest.raises(InputError, match="method must be one of mask, pinv"):
        spectrogram.resynthesise(method="magic")
    with pytest.raises(InputError, match=r"spectrogram's shape \(149, 62\), got \(2, 2\)"):
        spectrogram.resynthesise(np.ones((2, 2)))


def test_spectrogram_against_theory_one_frame_sounds_have_a_way_back():
    y = noise(700)
    spectrogram = compute_spectrogram(y)
    assert isinstance(spectrogram, Spectrogram)
    assert torch.isfinite(spectrogram.log_spectrogram).all()
    assert snr(y, spectrogram.resynthesise()) > 100
