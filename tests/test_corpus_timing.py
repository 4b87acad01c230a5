"""Rhythm and articulation of hand-made notes, whose values can be worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from emomod.corpus.score import Note, Part, Score, note_table
from emomod.corpus.timing import (
    articulation,
    beat_positions,
    distinct_onsets,
    interval_entropy,
    metrical_levels,
    onset_density,
    pulse_clarity,
    syncopation,
    timing_deviation,
)

ORGAN, PIANO, XYLOPHONE = 19, 0, 13
BEATS = tuple(0.5 * beat for beat in range(25))


def part(onsets, *, held=0.25, role="melody", program=ORGAN, velocity=127, level=1.0):
    return Part(role, program, tuple(Note(float(onset), held, 60, velocity) for onset in onsets), level)


def score_of(*parts, beats=BEATS, seconds=8.0, beats_per_bar=4):
    return Score(parts, seconds, tuple(float(beat) for beat in beats), beats_per_bar)


def table_of(*parts, **kwargs):
    return note_table(score_of(*parts, **kwargs))


@pytest.mark.parametrize(
    ("onsets", "held", "ratio"),
    [
        (np.arange(0, 8, 0.5), 0.25, 0.5),
        (np.arange(0, 8, 0.5), 0.5, 1.0),
        (np.arange(0, 8, 0.5), 2.0, 1.5),  # at most
        ([6.0], 1.0, 0.5),  # the last note lasts to the end of the clip
        ([7.75], 0.25, 0.5),  # but half a second at least
        ([0.0, 0.02, 4.0, 4.02], 2.0, 0.5),  # a chord is one onset
    ],
)
def test_articulation_against_theory_of_a_line(onsets, held, ratio):
    found, log_duration = articulation(table_of(part(onsets, held=held)), seconds=8.0)
    assert_allclose(found, ratio, atol=4e-3)  # the second note of a chord has 20 ms less
    assert_allclose(log_duration, np.log(held + 0.02), rtol=1e-9)


def test_articulation_against_theory_the_onset_that_counts_is_the_parts_own():
    slow, fast = part([0.0, 2.0, 4.0, 6.0], held=1.0), part(np.arange(0, 8, 0.25), held=0.125, role="bass")
    one = articulation(table_of(slow), seconds=8.0)[0]
    both = articulation(table_of(slow, fast), seconds=8.0)[0]
    assert_allclose([one, both], [0.5, (35 * 0.5 + 0.25) / 36], rtol=1e-9)  # the last note counts half a second


def test_articulation_against_theory_loud_notes_weigh_more():
    legato, staccato = part([0.0, 4.0], held=4.0), part([0.0, 4.0], held=1.0, role="bass", level=0.25)
    found, log_duration = articulation(table_of(legato, staccato), seconds=8.0)
    assert_allclose(found, (1.0 * 1.0 + 0.25 * 0.25) / 1.25, rtol=1e-5)
    assert_allclose(log_duration, (np.log(4.02) + 0.25 * np.log(1.02)) / 1.25, rtol=1e-5)


@pytest.mark.parametrize(("role", "program", "seconds"), [("melody", XYLOPHONE, 0.2), ("drums", 0, 0.12)])
def test_articulation_against_theory_what_rings_briefly_is_short(role, program, seconds):
    onsets = np.arange(0, 8, 1.0)
    found = articulation(table_of(part(onsets, held=1.0, role=role, program=program)), seconds=8.0)
    assert_allclose(found, [seconds, np.log(seconds + 0.02)], rtol=1e-9)


@pytest.mark.parametrize(
    ("intervals", "bits"),
    [
        ([0.5], 0.0),
        ([0.5, 0.25], 1.0),
        ([0.5, 0.25, 1.0, 2.0], 2.0),
        ([0.5, 0.5, 0.5, 0.25], 0.25 * 2 + 0.75 * np.log2(4 / 3)),
        ([0.5, 0.51, 0.49], 0.0),  # within a third of an octave
        ([0.5, 0.63], 1.0),  # a third of an octave apart
    ],
)
def test_interval_entropy_against_theory(intervals, bits):
    assert_allclose(interval_entropy(table_of(part(np.cumsum([0.0, *intervals])))), bits, atol=1e-12)


@pytest.mark.parametrize(("period", "low", "high"), [(0.3, 0.95, 1.2), (1.0, 0.9, 1.3), (1.9, -0.01, 0.01)])
def test_pulse_clarity_against_theory_windows_of_3_seconds_need_three_onsets(period, low, high):
    onsets = np.arange(0.1, 19.0, period)
    found = pulse_clarity(table_of(part(onsets), seconds=20.0, beats=np.arange(22)), seconds=20.0)
    assert low < found < high


def test_pulse_clarity_against_theory_chance_has_no_pulse(rng):
    found = [
        pulse_clarity(table_of(part(np.sort(rng.uniform(0, 30, 80))), seconds=30.0, beats=np.arange(32)), seconds=30.0)
        for _ in range(10)
    ]
    assert np.mean(found) < 0.65  # of few onsets some always fit


def test_pulse_clarity_against_theory_three_onsets_make_a_pulse():
    assert pulse_clarity(table_of(part([1.0, 1.5])), seconds=8.0) == 0.0
    alone = pulse_clarity(table_of(part([1.0, 1.5, 2.0])), seconds=3.0)
    assert alone > 0.5
    in_8 = pulse_clarity(table_of(part([1.0, 1.5, 2.0])), seconds=8.0)  # in two of six windows
    assert_allclose(in_8, (alone + pulse_clarity(table_of(part([0.0, 0.5, 1.0])), seconds=3.0)) / 6, rtol=1e-9)
    assert pulse_clarity(table_of(part([1.0, 1.02, 1.5, 1.52])), seconds=8.0) == 0.0  # two chords


@given(factor=st.sampled_from((0.1, 0.5, 0.9)), seed=st.integers(0, 99))
def test_timing_against_itself_level_does_not_matter(factor, seed):
    onsets = np.sort(np.random.default_rng(seed).uniform(0, 7.5, 12))
    loud, soft = table_of(part(onsets)), table_of(part(onsets, level=factor))
    for measure in (pulse_clarity, onset_density):
        assert_allclose(measure(soft, seconds=8.0), measure(loud, seconds=8.0), atol=1e-9)
    assert_allclose(articulation(soft, seconds=8.0), articulation(loud, seconds=8.0), rtol=1e-4)
    assert interval_entropy(soft) == interval_entropy(loud)


@given(st.lists(st.floats(0, 5), max_size=30))
def test_distinct_onsets_against_theory(onsets):
    found = distinct_onsets(np.array(onsets, dtype=float))
    assert set(found.tolist()) <= set(onsets)
    assert (np.diff(found) >= 0.03).all()
    assert all((found <= onset).any() and onset - found[found <= onset].max() < 0.03 for onset in onsets)


@pytest.mark.parametrize(
    ("onsets", "expected"),
    [
        (np.arange(0, 8, 0.125), 0.0),  # sixteenths at 120 beats a minute
        (np.arange(0, 7.9, 0.5 / 3), 0.0),  # triplets
        (np.arange(0, 8, 0.5) + 0.03 * (-1) ** np.arange(16) * (np.arange(16) > 0), 0.03 * np.sqrt(15 / 16)),
    ],
)
def test_timing_deviation_against_theory_of_the_onsets(onsets, expected):
    score = score_of(part(np.clip(onsets, 0, None)))
    assert_allclose(timing_deviation(score, note_table(score)), expected, atol=1e-9)


def test_timing_deviation_against_theory_of_the_beats():
    beats = np.cumsum([0.0, *[0.4, 0.6] * 12])
    on_them = score_of(part(beats[beats < 8]), beats=beats)
    assert_allclose(timing_deviation(on_them, note_table(on_them)), 0.5 * 0.1, rtol=0.02)  # half their spread


def test_timing_deviation_against_theory_beats_count_up_to_the_end_of_the_clip():
    steady, late = np.arange(0, 9.5, 0.5), 9.0 + np.cumsum(np.tile([0.1, 0.4], 8))
    score = score_of(part(steady[:16]), beats=[*steady, *late])
    assert_allclose(timing_deviation(score, note_table(score)), 0.0, atol=1e-9)
    score = score_of(part(steady[:16]), beats=[*steady[:16], 8.3, 9.1, 9.9])  # the last beat of the clip is long
    assert_allclose(timing_deviation(score, note_table(score)), 0.5 * np.std([*[0.5] * 15, 0.8]), rtol=1e-9)


def test_beat_positions_against_theory_tempo_changes_are_followed():
    score = score_of(part([0.0]), beats=[0.0, 1.0, 1.5, 3.5])
    assert_allclose(beat_positions(score, np.array([0.0, 0.5, 1.25, 2.5])), [0.0, 0.5, 1.5, 2.5])


@pytest.mark.parametrize(("beats_per_bar", "bar"), [(2, (0, -1)), (3, (0, -1, -1)), (4, (0, -2, -1, -2))])
def test_metrical_levels_against_longuet_higgins_and_lee(beats_per_bar, bar):
    levels = metrical_levels(beats_per_bar).reshape(beats_per_bar, 4)
    assert tuple(levels[:, 0]) == bar
    assert (levels[:, 1:] == min(bar) + np.array([-2, -1, -2])).all()


@pytest.mark.parametrize(
    ("beats", "expected"),
    [
        ([0, 1, 2, 3], [0, 0, 0, 0]),
        ([0, 0.5, 2], [0, 1, 0]),  # an eighth (-3) held over beat 1 (-2)
        ([0, 3.5, 5], [0, 3, 0]),  # held over the bar line
        ([0, 3.75, 5], [0, 4, 0]),
        ([0, 1, 3], [0, 1, 0]),  # from a weak beat over the half bar
    ],
)
def test_syncopation_against_longuet_higgins_and_lee(beats, expected):
    score = score_of(part(0.5 * np.array(beats, dtype=float)))
    assert_allclose(syncopation(score, note_table(score)), np.log1p(sum(expected) / 8.0))


def test_syncopation_against_theory_each_part_counts_for_itself():
    off, on = part([1.75, 3.75, 5.75]), part(np.arange(0, 8, 0.5), role="bass")
    alone, together = score_of(off), score_of(off, on)
    assert syncopation(together, note_table(together)) == syncopation(alone, note_table(alone)) > 0.3
