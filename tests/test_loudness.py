"""Loudness against ITU-R BS.1770: its filters, its sine, its gate."""

import numpy as np
import pytest
from fakes import tones

from emomod.report.loudness import k_weighting, loudness, matched_gains_db


def test_k_weighting_against_theory_the_table_of_bs1770_at_48_khz():
    shelf, high_pass = k_weighting(48000)
    np.testing.assert_allclose(shelf[0], [1.53512485958697, -2.69169618940638, 1.19839281085285], atol=1e-10)
    np.testing.assert_allclose(shelf[1], [1.0, -1.69065929318241, 0.73248077421585], atol=1e-10)
    np.testing.assert_allclose(high_pass[1], [1.0, -1.99004745483398, 0.99007225036621], atol=1e-10)


@pytest.mark.parametrize("sr", [22050, 48000])
@pytest.mark.parametrize("gain_db", [0.0, -20.0])
def test_loudness_against_theory_a_sine_of_997_hz(sr, gain_db):
    y = 10 ** (gain_db / 20) * np.sin(2 * np.pi * 997 * np.arange(3 * sr) / sr)
    assert loudness(y, sr=sr) == pytest.approx(-3.01 + gain_db, abs=0.05)  # the recommendation asks for 0.1


@pytest.mark.parametrize("seconds", [0.5, 0.5001, 0.59, 0.699, 1.234, 2.0499, 9.99])
def test_loudness_against_theory_a_sine_of_any_length(seconds):
    y = 10 ** (-6 / 20) * np.sin(2 * np.pi * 997 * np.arange(round(seconds * 22050)) / 22050)
    assert loudness(y) == pytest.approx(-9.01, abs=0.05)


def test_loudness_against_theory_pauses_are_gated_out():
    y = tones(3.0)
    assert loudness(np.concatenate([y, np.zeros(3 * 22050)])) == pytest.approx(loudness(y), abs=0.5)
    assert loudness(np.zeros(22050)) == float("-inf")
    with pytest.raises(ValueError, match="window shape"):
        loudness(tones(0.2))  # shorter than a block; clips have 0.5 s or more


def test_matched_gains_against_itself_equally_loud_and_nothing_clips():
    y = tones(2.0)
    waveforms = {"a": y, "b": (0.3 * y).astype(np.float32), "c": np.zeros_like(y), "d": (0.01 * y).astype(np.float32)}
    gains = matched_gains_db(waveforms)
    played = {name: 10 ** (gains[name] / 20) * waveforms[name] for name in waveforms}
    assert loudness(played["a"]) == pytest.approx(loudness(played["b"]), abs=1e-6)
    assert max(np.abs(y).max() for y in played.values()) <= 1.0 + 1e-9
    assert (gains["c"], gains["d"]) == (0.0, 20.0)
