"""Loudness against ITU-R BS.1770: its sine, its gate."""

import numpy as np
import pytest
from fakes import tones

from emomod.loudness import loudness, matched_gains_db


@pytest.mark.parametrize("gain_db", [0.0, -20.0])
def test_loudness_against_theory_a_sine_of_997_hz(gain_db):
    y = 10 ** (gain_db / 20) * np.sin(2 * np.pi * 997 * np.arange(3 * 22050) / 22050)
    assert loudness(y) == pytest.approx(-3.01 + gain_db, abs=0.1)  # what the recommendation asks for


@pytest.mark.parametrize("seconds", [0.5, 0.5001, 0.59, 0.699, 1.234, 2.0499, 9.99])
def test_loudness_against_theory_a_sine_of_any_length(seconds):
    y = 10 ** (-6 / 20) * np.sin(2 * np.pi * 997 * np.arange(round(seconds * 22050)) / 22050)
    assert loudness(y) == pytest.approx(-9.01, abs=0.15)


def test_loudness_against_theory_pauses_are_gated_out():
    y = tones(3.0)
    assert loudness(np.concatenate([y, np.zeros(3 * 22050)])) == pytest.approx(loudness(y), abs=0.5)
    assert loudness(np.zeros(22050)) == float("-inf")
    with pytest.raises(ValueError, match="length greater than the block size"):
        loudness(tones(0.2))  # shorter than a block; clips have 0.5 s or more


def test_matched_gains_against_itself_equally_loud_and_nothing_clips():
    y = tones(2.0)
    waveforms = {"a": y, "b": (0.3 * y).astype(np.float32), "c": np.zeros_like(y), "d": (0.01 * y).astype(np.float32)}
    gains = matched_gains_db(waveforms)
    played = {name: 10 ** (gains[name] / 20) * waveforms[name] for name in waveforms}
    assert loudness(played["a"]) == pytest.approx(loudness(played["b"]), abs=1e-6)
    assert max(np.abs(y).max() for y in played.values()) <= 1.0 + 1e-9
    assert (gains["c"], gains["d"]) == (0.0, 20.0)
