"""A chroma of the model's spectrograms against music theory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from emomod.audio import SAMPLE_RATE
from emomod.spectrogram import band_frequencies, compute_spectrogram
from emomod.training.chroma_baseline import KINDS, chroma_scores, fold_chroma, pitch_class_weights

MAJOR = ((0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7))
MINOR = ((0, 3, 7), (5, 8, 12), (7, 11, 14), (0, 3, 7))  # with its leading tone


def heard(chords, *, tonic=60, noise=0.0):
    """Log spectrogram of chords of half a second, each tone with four partials."""
    time, rng = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE, np.random.default_rng(0)
    pieces = []
    for chord in chords:
        frequencies = [440 * 2 ** ((tonic + key - 69) / 12) for key in chord]
        pieces.append(
            sum(np.sin(2 * np.pi * f * n * time) * np.exp(-2 * time) / n for f in frequencies for n in range(1, 5))
        )
    y = np.concatenate(pieces)
    return compute_spectrogram((y + noise * rng.normal(size=y.size)).astype(np.float32)).log_spectrogram.numpy()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("key", [57, 60, 69, 78])
def test_chroma_against_theory_of_a_single_tone(kind, key):
    chroma = fold_chroma(heard([(0,)], tonic=key), kind=kind)
    assert chroma.argmax() == key % 12


def test_chroma_against_theory_bands_lie_between_their_two_pitch_classes():
    weights, frequencies = pitch_class_weights(), band_frequencies()
    used = (frequencies >= 100) & (frequencies <= 2500)
    assert_allclose(weights[used].sum(axis=1), 1.0)
    assert not weights[~used].any()
    band = int(np.abs(frequencies - 440).argmin())
    assert weights[band].argmax() == 9  # A


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tonic", [55, 60, 66])
def test_minorness_against_theory(kind, tonic):
    major, minor = (chroma_scores(heard(chords, tonic=tonic), kind=kind) for chords in (MAJOR, MINOR))
    assert major[1] < 0 < minor[1]


@pytest.mark.parametrize("kind", KINDS)
def test_key_clarity_against_theory_twelve_tones_have_no_key(kind):
    tonal = chroma_scores(heard(MAJOR), kind=kind)
    chromatic = chroma_scores(heard([(key,) for key in range(12)]), kind=kind)
    assert tonal[0] > 0.7 > 0.5 > chromatic[0]


def test_peaks_against_theory_noise_hides_the_key_from_all_bands_first():
    clear, noisy = heard(MAJOR), heard(MAJOR, noise=0.5)
    lost = {kind: chroma_scores(clear, kind=kind)[0] - chroma_scores(noisy, kind=kind)[0] for kind in KINDS}
    flat = {kind: np.ptp(fold_chroma(noisy, kind=kind)) / fold_chroma(noisy, kind=kind).max() for kind in KINDS}
    assert lost["all"] > 0
    assert flat["peaks"] > flat["all"]


@given(gain=st.floats(0.05, 20.0), kind=st.sampled_from(KINDS))
def test_chroma_scores_against_theory_level_does_not_matter(gain, kind):
    spectrogram = np.abs(np.random.default_rng(1).normal(size=(149, 20))) / 3
    louder = np.log10(1 + gain * (10**spectrogram - 1))
    assert_allclose(chroma_scores(louder, kind=kind), chroma_scores(spectrogram, kind=kind), atol=1e-9)
