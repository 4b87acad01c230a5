"""Roughness against the curve that Sethares published, and against what cannot change it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from emomod.corpus.roughness import key_roughness, pair_roughness, roughness


def held(*keys, n_frames=10, power=1.0):
    sound = np.zeros((128, n_frames))
    sound[list(keys)] = power
    return sound


@pytest.mark.parametrize("low", [110.0, 440.0, 1760.0])
def test_curve_against_sethares_peaks_at_0_24_of_its_scale(low):
    """The exponentials' difference peaks at ln(5.75 / 3.5) / 2.25, which Sethares rounds to .24."""
    distance = np.linspace(0.0, 3 * (0.021 * low + 19), 20_000)
    curve = pair_roughness(np.full_like(distance, low), low + distance)
    peak = np.log(5.75 / 3.5) / (5.75 - 3.5)
    assert_allclose(distance[curve.argmax()], peak / 0.24 * (0.021 * low + 19), rtol=1e-3)
    assert_allclose(curve.max(), np.exp(-3.5 * peak) - np.exp(-5.75 * peak), rtol=1e-6)


def test_intervals_against_plomp_and_levelt():
    found = {interval: roughness(held(60, 60 + interval)) for interval in range(1, 13)}
    assert max(found, key=lambda interval: found[interval]) == 1
    assert min(found, key=lambda interval: found[interval]) == 12
    assert found[7] < min(found[interval] for interval in (1, 2, 3, 4, 6, 10, 11))
    assert roughness(held(36, 40, 43)) > 1.5 * roughness(held(60, 64, 67))  # low thirds are rough


def test_roughness_against_theory_one_key_is_none_and_silence_is_none():
    assert roughness(held(60)) == roughness(np.zeros((128, 5))) == 0.0
    assert_allclose(key_roughness(), key_roughness().T)


@given(factor=st.sampled_from((0.01, 3.0)), n_frames=st.integers(1, 20))
def test_roughness_against_itself_level_and_length_do_not_matter(factor, n_frames):
    assert_allclose(
        roughness(held(60, 61, 67, n_frames=n_frames, power=factor)), roughness(held(60, 61, 67)), rtol=1e-9
    )
