"""What a change costs the ear, against changes whose cost is known: gains, boosted bands, echoes before clicks."""

import json
import sys

import numpy as np
import pytest
import torch
from fakes import grid_components, tones

from emomod.audio import SAMPLE_RATE
from emomod.ear import consistency_error_db, ear_cost, mos_lqo
from emomod.errors import InputError
from emomod.spectrogram import band_frequencies, band_magnitudes, compute_spectrogram, stft


def boosted(y, *, above, gain_db):
    """``y`` with all above a frequency (Hz) turned up."""
    spectrum = np.fft.rfft(y)
    spectrum[np.fft.rfftfreq(y.size, 1 / SAMPLE_RATE) > above] *= 10 ** (gain_db / 20)
    return np.fft.irfft(spectrum, y.size).astype(np.float32)


def clicks(*, amplitude=1.0):
    """A click every 0.2 s."""
    y = np.zeros(2 * SAMPLE_RATE, dtype=np.float32)
    y[np.round(np.arange(0.1, 2.0, 0.2) * SAMPLE_RATE).astype(int)] = 0.5 * amplitude
    return y


@pytest.fixture
def without_visqol(monkeypatch):
    monkeypatch.setitem(sys.modules, "visqol", None)


@pytest.mark.usefixtures("without_visqol")
@pytest.mark.parametrize("gain_db", [0.0, 6.0, -20.0])
def test_cost_against_theory_a_gain_costs_level_alone(gain_db):
    y = tones(2.0)
    cost = ear_cost(y, y * np.float32(10 ** (gain_db / 20)))
    assert cost.level_change_lu == pytest.approx(gain_db, abs=1e-5)  # of float32
    assert cost.spectral_distance_db == pytest.approx(0.0, abs=1e-4)
    assert cost.transient_smear_db == pytest.approx(0.0, abs=1e-4)
    assert cost.n_attacks > 0
    assert (cost.consistency_error_db, cost.mos_lqo) == (None, None)
    assert json.loads(json.dumps(cost.as_dict())) == cost.as_dict()


@pytest.mark.usefixtures("without_visqol")
@pytest.mark.parametrize("gain_db", [3.0, 12.0])
def test_spectral_distance_against_theory_a_boosted_band(rng, gain_db):
    y = (0.05 * rng.standard_normal(3 * SAMPLE_RATE)).astype(np.float32)
    cost = ear_cost(y, boosted(y, above=3000.0, gain_db=gain_db))
    share = np.mean(band_frequencies() > 3000.0)
    left, change = (
        gain_db - cost.level_change_lu,
        cost.level_change_lu,
    )  # dB by which cells differ once they are matched
    assert 0.0 < change < gain_db
    expected = np.sqrt(share * left**2 + (1 - share) * change**2)
    assert cost.spectral_distance_db == pytest.approx(expected, rel=0.01)  # bands at the edge have a bit of both


@pytest.mark.usefixtures("without_visqol")
def test_spectral_distance_against_theory_what_falls_silent_counts_as_60_db_down():
    y = np.sin(2 * np.pi * 440 * np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    half = np.where(np.arange(y.size) < y.size // 2, y, 0).astype(np.float32)
    cost = ear_cost(y, half)
    assert 10.0 < cost.spectral_distance_db < 60.0
    fainter = ear_cost(y, half + np.float32(1e-5) * y)  # 100 dB down is as good as silent
    assert fainter.spectral_distance_db == pytest.approx(cost.spectral_distance_db, abs=0.01)


@pytest.mark.parametrize("error_db", [-40.0, 0.0])
def test_consistency_error_against_theory(rng, error_db):
    asked_for = rng.random((149, 20))
    came_out = np.log10(1.0 + (10**asked_for - 1) * (1.0 + 10 ** (error_db / 20)))
    assert consistency_error_db(asked_for, came_out) == pytest.approx(error_db, abs=1e-9)
    assert consistency_error_db(asked_for, asked_for) == -120.0


@pytest.mark.usefixtures("without_visqol")
def test_consistency_error_against_itself_gains_of_components():
    components = grid_components(1.0)
    ones = torch.ones(1, components.n_components)
    original = components.render(ones[0].numpy())
    uneven = torch.where(torch.arange(components.n_components) % 2 == 0, 4.0, 0.25)[None]
    errors = []
    for gains in (ones, 2.0 * ones, uneven):
        for level in (1.0, 0.3):  # versions share one static gain
            changed = components.render(gains[0].numpy())
            asked_for = components.mix(gains)[0]
            cost = ear_cost(level * original, level * changed, asked_for=asked_for)
            errors.append(cost.consistency_error_db or 0.0)
    assert max(errors[:4]) < -100.0
    assert -60.0 < errors[4] < -5.0
    assert errors[5] == pytest.approx(errors[4], abs=1e-3)


def test_consistency_error_against_theory_no_sound_has_a_lone_cell():
    spectrogram = compute_spectrogram(tones(1.0))
    gains = np.zeros(spectrogram.shape)
    gains[70, 15] = 1.0
    asked_for = gains * spectrogram.log_spectrogram.numpy()
    y = spectrogram.resynthesise(gains) / np.float32(spectrogram.peak)
    came_out = torch.log10(1.0 + band_magnitudes(stft(y))[:, : spectrogram.shape[1]])
    assert -10.0 < consistency_error_db(asked_for, came_out) < 10.0  # it leaks into its neighbours


@pytest.mark.usefixtures("without_visqol")
@pytest.mark.parametrize("echo_db", [-40.0, -20.0, -6.0])
def test_transient_smear_against_theory_a_filter_that_echoes_ahead(echo_db):
    ahead = np.zeros(441)
    ahead[[0, 220]] = 10 ** (echo_db / 20), 1.0  # 10 ms, where half the energy counts
    cost = ear_cost(clicks(), np.convolve(clicks(), ahead, mode="same"))
    assert cost.n_attacks == 10
    assert cost.transient_smear_db == pytest.approx(60.0 + echo_db - 10 * np.log10(2), abs=0.05)  # 60 over silence


@pytest.mark.usefixtures("without_visqol")
@pytest.mark.parametrize("milliseconds", [2, 10])
def test_transient_smear_against_theory_a_filter_that_spreads_both_ways(milliseconds):
    spread = np.hanning(2 * round(milliseconds * SAMPLE_RATE / 1000) + 1)
    cost = ear_cost(clicks(), np.convolve(clicks(), spread, mode="same"))
    assert cost.transient_smear_db == pytest.approx(60.0, abs=0.5)  # as much before as after


@pytest.mark.usefixtures("without_visqol")
def test_transient_smear_against_theory_softer_and_sharper_attacks():
    tone = 0.01 * np.sin(2 * np.pi * 5000 * np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE)
    loud, soft = (tone + clicks(amplitude=amplitude) for amplitude in (1.0, 0.5))
    difference = [ear_cost(*pair).transient_smear_db for pair in ((loud, soft), (soft, loud))]
    assert difference[0] == pytest.approx(-difference[1], abs=1e-6)
    before = 0.01**2 * (1 - np.cos(2 * np.pi * 5000 / SAMPLE_RATE)) * 221  # energy of the tone's differences
    expected = 10 * np.log10((2 * 0.25 + before) / (2 * 0.0625 + before))
    assert difference[0] == pytest.approx(expected, abs=0.5)  # how click and tone meet


@pytest.mark.usefixtures("without_visqol")
def test_transient_smear_against_theory_a_steady_tone_has_no_attacks():
    y = np.sin(2 * np.pi * 440 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
    cost = ear_cost(y, boosted(y + tones(1.0), above=100.0, gain_db=6.0))
    assert (cost.n_attacks, cost.transient_smear_db) == (0, 0.0)


def test_mos_lqo_against_theory_more_gain_is_worse(tool_folder, monkeypatch):
    monkeypatch.syspath_prepend(str(tool_folder("visqol")))
    components = grid_components(2.0)
    factors = np.where(np.arange(components.n_components) % 2 == 0, 1.0, 0.0)
    original = components.render(np.ones(components.n_components))
    found = [mos_lqo(original, components.render(10 ** (gain_db * factors / 20))) for gain_db in (0.0, 3.0, 9.0, 18.0)]
    assert found[0] == pytest.approx(4.732, abs=0.001)  # ViSQOL's own for equal sounds
    assert (np.diff(np.array(found, dtype=float)) < 0).all()
    assert found[-1] == pytest.approx(3.0, abs=1.0)
    assert mos_lqo(original, 0.1 * original) == pytest.approx(found[0], abs=1e-3)
    assert mos_lqo(original[:20000], original[:20000]) is None  # ViSQOL refuses less than 1 s
    assert mos_lqo(original[:SAMPLE_RATE], original[:SAMPLE_RATE]) == pytest.approx(found[0], abs=1e-3)


@pytest.mark.usefixtures("without_visqol")
def test_cost_iv():
    y = tones(1.0)
    with pytest.raises(InputError, match="changed must have the 22050 samples of original, got 22049"):
        ear_cost(y, y[1:])
    with pytest.raises(InputError, match=r"original must be at least 0.4 s long, got 0.200 s"):
        ear_cost(y[:4410], y[:4410])
    with pytest.raises(InputError, match="changed must be finite"):
        ear_cost(y, np.where(np.arange(y.size) == 5, np.nan, y))
    with pytest.raises(InputError, match="original must be numbers of shape"):
        ear_cost(y[None], y)
    for name, pair in (("original", (0 * y, y)), ("changed", (y, 1e-6 * y))):
        with pytest.raises(InputError, match=f"{name} must not be silent"):
            ear_cost(*pair)
    with pytest.raises(
        InputError, match=r"asked_for must have the shape of what came out \(149, 31\), got \(149, 30\)"
    ):
        ear_cost(y, y, asked_for=np.ones((149, 30)))
    with pytest.raises(InputError, match="asked_for must not be silent"):
        consistency_error_db(np.zeros((2, 2)), np.ones((2, 2)))
    with pytest.raises(InputError, match="came_out must be finite, got 1 cells"):
        consistency_error_db(np.ones((1, 2)), np.array([[1.0, np.inf]]))
