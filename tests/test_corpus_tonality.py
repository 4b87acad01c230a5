"""Consonance, keys and minorness against what their authors published, and against what cannot change them."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from emomod.corpus.score import Note, Part, Score, note_table
from emomod.corpus.tonality import (
    HURON,
    KRUMHANSL_MAJOR,
    KRUMHANSL_MINOR,
    TEMPERLEY_MAJOR,
    TEMPERLEY_MINOR,
    dissonance,
    key_clarity,
    key_correlations,
    minorness,
    pitch_classes,
    sounding,
    windows,
)

ORGAN, PIANO = 19, 0
TRIAD = (60, 64, 67)
PARTS_A_SECOND = 10  # frames of keys over time


def held(*keys, n_frames=20, powers=None):
    """Power [128, n_frames] of keys that sound all the time."""
    sound = np.zeros((128, n_frames))
    sound[list(keys)] = 1.0 if powers is None else np.asarray(powers)[:, None]
    return sound


def powers_of(*notes, program=ORGAN, seconds=4.0, level=1.0):
    score = Score((Part("harmony", program, notes, level),), seconds, (0.0, 1.0))
    return sounding(note_table(score), seconds=seconds)


def random_keys(seed, n_frames=25):
    rng = np.random.default_rng(seed)
    sound = np.zeros((128, n_frames))
    sound[36:96] = rng.random((60, n_frames)) ** 8 * (rng.random((60, 1)) < 0.2)
    sound[60] += 0.1
    return sound


def consonance(classes):
    """Sum of Huron's values over the pairs of a set of pitch classes."""
    return sum(HURON[min((b - a) % 12, (a - b) % 12)] for a, b in combinations(classes, 2))


@pytest.mark.parametrize(
    ("n_tones", "best"),
    [(3, {(0, 3, 7), (0, 4, 7)}), (5, {(0, 2, 4, 7, 9)}), (7, {(0, 2, 4, 5, 7, 9, 11)})],
    ids=["triads", "pentatonic", "diatonic"],
)
def test_consonance_against_huron_the_sets_that_music_uses_come_first(n_tones, best):
    """Huron 1994: of all sets of their size the triads, the pentatonic and the diatonic set are most consonant."""
    sets = [(0, *rest) for rest in combinations(range(1, 12), n_tones - 1)]
    highest = max(consonance(classes) for classes in sets)
    found = {classes for classes in sets if consonance(classes) > highest - 1e-9}
    shifted = {tuple(sorted((tone - tonic) % 12 for tone in classes)) for classes in best for tonic in classes}
    assert found == shifted


@pytest.mark.parametrize(
    ("interval", "expected"),
    [(1, -1.428), (2, -0.582), (3, 0.594), (4, 0.386), (5, 1.240), (6, -0.453), (7, 1.240), (11, -1.428), (16, 0.386)],
)
def test_dissonance_against_huron_one_pair(interval, expected):
    line = 0.02  # a single line weighs this much, and counts as the mean of a triad
    triad = (0.594 + 0.386 + 1.240) / 3
    found = dissonance(held(60, 60 + interval))
    assert_allclose(found, -(expected + line * triad) / (1 + line), rtol=1e-12)


def test_dissonance_against_theory_pairs_weigh_by_the_product_of_their_amplitudes():
    quiet = 0.25  # power of the third tone, a semitone above the root: amplitude 0.5
    amplitudes = {(60, 67): 1.0, (60, 61): 0.5, (61, 67): 0.5}
    values = {(60, 67): 1.240, (60, 61): -1.428, (61, 67): -0.453}
    line, triad = 0.02, 0.74
    weighed = sum(amplitudes[pair] * values[pair] for pair in values) + line * triad
    found = dissonance(held(60, 67, 61, powers=[1.0, 1.0, quiet]))
    assert_allclose(found, -weighed / (sum(amplitudes.values()) + line), rtol=1e-12)


def test_dissonance_against_theory_a_crowd_grows_with_the_logarithm_of_its_tones():
    octaves = [tuple(key + 12 * octave for octave in range(n) for key in TRIAD) for n in (1, 2, 3, 4)]
    one, two, three, four = (dissonance(held(*(key - 24 for key in keys))) for keys in octaves)
    assert_allclose([two - one, three - one], np.array([np.log(2), np.log(3)]) * 0.15 * 1.5, rtol=1e-6)
    assert_allclose(four - two, two - one, rtol=1e-6)
    assert_allclose(dissonance(held(*TRIAD)), dissonance(held(60, 72)), atol=1e-12)  # three tones are no crowd yet


def test_dissonance_against_theory_tones_20_db_below_the_loudest_make_no_crowd():
    above = (48, 52, 55)
    triad, faint, soft = (
        dissonance(held(*TRIAD, *above, powers=[1.0] * 3 + [power] * 3)) for power in (0.0, 0.0099, 0.0101)
    )
    assert_allclose(faint, triad, atol=1e-9)
    assert soft > triad + 0.1


def test_dissonance_against_theory_silence_is_a_single_line():
    assert_allclose(dissonance(np.zeros((128, 10))), -0.74, atol=1e-12)


@given(seed=st.integers(0, 999), factor=st.sampled_from((0.01, 0.5, 30.0)), shift=st.integers(-12, 12))
@settings(max_examples=30)
def test_tonality_against_itself_level_key_and_repetition_change_nothing(seed, factor, shift):
    sound = random_keys(seed)
    for measure in (dissonance, key_clarity, minorness):
        for other in (factor * sound, np.roll(sound, shift, axis=0)):
            assert_allclose(measure(other), measure(sound), atol=1e-9)
    assert_allclose(dissonance(np.tile(sound, 2)), dissonance(sound), atol=1e-9)


@given(seed=st.integers(0, 999), octave=st.sampled_from((-12, 12)))
def test_keys_against_itself_octaves_do_not_matter(seed, octave):
    sound = random_keys(seed)
    lower = np.roll(sound, octave, axis=0)
    assert_allclose(pitch_classes(lower), pitch_classes(sound))
    assert_allclose(pitch_classes(sound)[7], np.sqrt(sound[7::12]).sum())


PUBLISHED_MAJOR = (1, -0.500, 0.040, -0.105, -0.185, 0.591, -0.683, 0.591, -0.185, -0.105, 0.040, -0.500)


def test_krumhansl_profiles_against_the_published_correlations_of_keys():
    """Krumhansl & Kessler 1982: C major with the twelve major keys, and with its four nearest minor keys."""
    found = key_correlations(np.array(KRUMHANSL_MAJOR), major=KRUMHANSL_MAJOR, minor=KRUMHANSL_MINOR)
    assert_allclose(found[:12], PUBLISHED_MAJOR, atol=2e-3)  # the profiles are printed with two decimals
    minor = dict(zip(["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"], found[12:], strict=True))
    assert_allclose([minor[name] for name in ("A", "E", "C", "D#")], [0.651, 0.536, 0.511, -0.654], atol=2e-3)


def test_krumhansl_profiles_against_theory_the_tonic_triad_is_heard_best():
    for profile, third, scale in (
        (KRUMHANSL_MAJOR, 4, {0, 2, 4, 5, 7, 9, 11}),
        (KRUMHANSL_MINOR, 3, {0, 2, 3, 5, 7, 8, 10}),
    ):
        ranked = np.argsort(-np.array(profile)).tolist()
        assert ranked[0] == 0
        assert set(ranked[:3]) == {0, third, 7}
        assert set(ranked[:7]) == scale
    assert sum(KRUMHANSL_MAJOR) == pytest.approx(41.79)  # the sums that implementations of his method check
    assert sum(KRUMHANSL_MINOR) == pytest.approx(44.51)


@pytest.mark.parametrize(
    ("profile", "scale"), [(TEMPERLEY_MAJOR, (0, 2, 4, 5, 7, 9, 11)), (TEMPERLEY_MINOR, (0, 2, 3, 5, 7, 8, 11))]
)
def test_temperley_profiles_against_the_book_degrees_count_alike_in_both_modes(profile, scale):
    """Temperley 2001: values by degree of the scale, 2 outside of it, and 1.5 for the flat seventh."""
    expected = np.full(12, 2.0)
    expected[10] = 1.5
    expected[list(scale)] = (5.0, 3.5, 4.5, 4.0, 4.5, 3.5, 4.0)
    assert_allclose(profile, expected)


@given(seed=st.integers(0, 999))
def test_key_correlations_against_numpy(seed):
    classes = np.random.default_rng(seed).random(12)
    found = key_correlations(classes, major=TEMPERLEY_MAJOR, minor=TEMPERLEY_MINOR)
    expected = [
        np.corrcoef(np.roll(profile, tonic), classes)[0, 1]
        for profile in (TEMPERLEY_MAJOR, TEMPERLEY_MINOR)
        for tonic in range(12)
    ]
    assert_allclose(found, expected, atol=1e-12)


def best_r(classes, tonic=None):
    """Highest correlation with a Krumhansl key, or that with the major key on ``tonic``."""
    pairs = [(np.roll(profile, key), key) for profile in (KRUMHANSL_MAJOR, KRUMHANSL_MINOR) for key in range(12)]
    if tonic is not None:
        return np.corrcoef(np.roll(KRUMHANSL_MAJOR, tonic), classes)[0, 1]
    return max(np.corrcoef(profile, classes)[0, 1] for profile, _ in pairs)


def test_key_clarity_against_numpy_of_one_chord():
    classes = np.isin(np.arange(12), [0, 4, 7]).astype(float)
    for n_frames in (1, 20, 25, 100):
        assert_allclose(key_clarity(held(*TRIAD, n_frames=n_frames)), [best_r(classes)] * 2, rtol=1e-12)


def test_key_clarity_against_numpy_a_change_of_key_lowers_the_fit_and_not_the_clarity():
    home, away = held(60, 64, 67, n_frames=60), held(61, 65, 68, n_frames=20)  # C major, D flat major
    clarity, fit = key_clarity(np.hstack([home, away]))
    assert len(windows(np.hstack([home, away]))) == 13
    mixed = [np.isin(np.arange(12), [0, 4, 7]) * (20 - n) + np.isin(np.arange(12), [1, 5, 8]) * n for n in (5, 10, 15)]
    found = [pitch_classes(home)] * 9 + [*mixed, pitch_classes(away)]
    assert_allclose(clarity, np.mean([best_r(classes) for classes in found]), rtol=1e-9)
    assert_allclose(fit, np.mean([best_r(classes, 0) for classes in found]), rtol=1e-9)
    assert fit < clarity


def test_windows_against_theory_silent_ones_do_not_count():
    sound = held(*TRIAD, n_frames=20)
    assert len(windows(np.hstack([sound, np.zeros((128, 40))]))) == 4  # from 0, 0.5, 1 and 1.5 s
    assert key_clarity(np.zeros((128, 30))) == (0.0, 0.0)
    assert minorness(np.zeros((128, 30))) == 0.0


def test_minorness_against_numpy():
    classes = np.isin(np.arange(12), [0, 3, 7]).astype(float)

    def best(profile):
        return max(np.corrcoef(np.roll(profile, key), classes)[0, 1] for key in range(12))

    assert_allclose(minorness(held(60, 63, 67)), best(TEMPERLEY_MINOR) - best(TEMPERLEY_MAJOR), rtol=1e-12)


@given(onset=st.floats(0.0, 2.0), duration=st.floats(0.1, 1.9), velocity=st.integers(1, 127))
def test_sounding_against_theory_a_held_note_gives_its_power_times_its_time(onset, duration, velocity):
    power = powers_of(Note(onset, duration, 60, velocity), level=0.5)
    loudness = 0.5 * (velocity / 127) ** 2
    fading = np.exp(-2 * duration / 30)  # even an organ fades, within 30 s
    total = power.sum() / PARTS_A_SECOND / loudness**2
    assert fading * duration * 0.98 <= total <= duration * 1.001
    assert not np.delete(power, 60, axis=0).any()
    sounds = np.flatnonzero(power[60])
    assert sounds.min() == int(onset * PARTS_A_SECOND + 1e-9) or power[60, sounds.min()] < 1e-6 * loudness**2
    assert sounds.max() <= int((onset + duration) * PARTS_A_SECOND + 1e-9)


def test_sounding_against_theory_a_piano_falls_by_a_factor_e_in_its_time_constant():
    power = powers_of(Note(0.0, 4.0, 60, 127), program=PIANO)[60]
    assert_allclose(power[15:] / power[:-15], np.exp(-2.0), rtol=1e-9)  # 1.5 s: amplitude 1/e, power 1/e^2
    assert power[0] == pytest.approx(np.exp(-2 * 0.05 / 1.5))
    assert power.shape == (40,)


def test_sounding_against_itself_notes_add_up():
    notes = (Note(0.1, 1.0, 60, 90), Note(0.6, 2.0, 60, 40), Note(0.6, 0.3, 67, 120))
    assert_allclose(powers_of(*notes), sum(powers_of(note) for note in notes), atol=1e-12)
