"""The composer's parts: each does what its style says."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from emomod.corpus import compose as composing
from emomod.corpus.compose import compose
from emomod.corpus.harmony import MODES, HarmonyStyle, chord_at, draw_chords, draw_harmony_style
from emomod.corpus.instruments import instrument
from emomod.corpus.labels import raw_labels
from emomod.corpus.parts import draw_bass, draw_drum_events, draw_harmony, draw_melody
from emomod.corpus.rhythm import RhythmStyle, draw_onsets, metrical_strength
from emomod.corpus.style import draw_style

PLAIN = HarmonyStyle("major", tonic=2, beats_per_chord=4, n_tones=3, modulation=0.0, wandering=0.3)
EVEN = RhythmStyle(density=0.4, syncopation=0.0, regular=0.0, repetition=1.0, grid=4)


def plain_style(rng, **changes):
    """A style without faults: in time, in key, nothing added."""
    clean: dict[str, Any] = {
        "jitter": 0.0,
        "drift": 0.0,
        "foreign": 0.0,
        "displaced": 0.0,
        "pedal": False,
        "harmony": PLAIN,
    }
    return replace(draw_style(rng), beats_per_bar=4, **(clean | changes))


def composed(monkeypatch, rng, **changes):
    """A clip of a given style."""
    style = plain_style(rng, **changes)
    monkeypatch.setattr(composing, "draw_style", lambda _, held_out: style)
    return compose(rng, seconds=10.0)


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode not in ("minor", "chromatic")])
def test_chords_stay_in_their_scale_against_theory(rng, mode):
    chords = draw_chords(rng, replace(PLAIN, mode=mode), n_beats=64)
    scale = {(2 + step) % 12 for step in MODES[mode]}
    assert all(set(chord.tones) <= scale for chord in chords)
    assert [chord.start for chord in chords] == list(range(0, 64, 4))
    assert chords[-1].stop == 64


def test_the_dominant_of_a_minor_key_is_major_against_theory(rng):
    chords = draw_chords(rng, replace(PLAIN, mode="minor", wandering=1.0), n_beats=400)
    dominants = [chord.tones for chord in chords if chord.tones[0] == (2 + 7) % 12]
    assert dominants
    assert set(dominants) == {(9, 1, 4)}  # A, C sharp, E in D minor


def test_modulation_changes_the_key_against_theory(rng):
    steady, restless = (draw_chords(rng, replace(PLAIN, modulation=m), n_beats=80) for m in (0.0, 1.0))
    assert len({chord.scale for chord in steady}) == 1
    assert len({chord.scale for chord in restless}) > 5
    assert all(a.scale != b.scale for a, b in pairwise(restless))


def test_chord_at_against_theory(rng):
    chords = draw_chords(rng, PLAIN, n_beats=16)
    assert chord_at(chords, 0.0) is chords[0]
    assert chord_at(chords, 3.99) is chords[0]
    assert chord_at(chords, 4.0) is chords[1]
    assert chord_at(chords, 99.0) is chords[-1]


def test_plain_harmony_stays_tonal_against_theory(rng):
    styles = [draw_harmony_style(rng, strain=0.0, beats_per_bar=4) for _ in range(60)]
    assert not {style.mode for style in styles} & {"whole tone", "octatonic", "chromatic"}
    strained = [draw_harmony_style(rng, strain=1.0, beats_per_bar=4) for _ in range(60)]
    assert {style.mode for style in strained} & {"whole tone", "octatonic", "chromatic"}


def test_metrical_strength_against_theory():
    assert_allclose(metrical_strength(4, 2), [1.0, 0.18, 0.45, 0.18, 0.75, 0.18, 0.45, 0.18])
    assert_allclose(metrical_strength(3, 2), [1.0, 0.18, 0.18, 0.75, 0.18, 0.18])


def test_rhythms_against_theory_density_and_syncopation(rng):
    def onsets(style):
        return np.array(draw_onsets(rng, style, n_beats=400, beats_per_bar=4))

    sparse, dense = (
        onsets(replace(EVEN, density=0.15, repetition=0.0)),
        onsets(replace(EVEN, density=0.6, repetition=0.0)),
    )
    assert_allclose([sparse.size / 1600, dense.size / 1600], [0.15, 0.6], atol=0.13)  # chances are capped at 1
    on_the_beat = [(onsets(replace(EVEN, syncopation=s, repetition=0.0)) % 1 == 0).mean() for s in (0.0, 0.5, 1.0)]
    assert on_the_beat == sorted(on_the_beat, reverse=True)


def test_an_even_rhythm_is_even_and_a_repeated_one_repeats_against_theory(rng):
    even = draw_onsets(rng, replace(EVEN, regular=0.5), n_beats=8, beats_per_bar=4)
    assert even == [0.5 * place for place in range(16)]
    repeated = np.array(draw_onsets(rng, EVEN, n_beats=16, beats_per_bar=4))
    first = repeated[repeated < 4]
    assert_allclose(repeated, np.concatenate([first + bar for bar in (0, 4, 8, 12)]))


def test_a_melody_moves_by_steps_unless_it_leaps_against_theory(rng):
    chords = draw_chords(rng, PLAIN, n_beats=200)

    def intervals(leaps):
        style = plain_style(rng, leaps=leaps, density=0.5, programs=(73, 0, 32))
        return np.abs(np.diff([event.pitch for event in draw_melody(rng, style, chords, n_beats=200)]))

    assert intervals(0.0).mean() < 3.0 < intervals(1.0).mean()


def test_parts_stay_in_the_range_of_their_instruments_against_theory(rng):
    for seed in range(30):
        score = compose(seed)
        style = draw_style(np.random.default_rng(seed))
        if style.displaced or style.foreign:
            continue
        for part in score.parts:
            low, high = instrument(part.program).low, instrument(part.program).high
            assert part.is_drums or all(low <= note.pitch <= high for note in part.notes)


def test_harmony_and_bass_play_the_chords_against_theory(rng):
    chords = draw_chords(rng, PLAIN, n_beats=32)
    style = plain_style(rng, programs=(0, 0, 32))
    for event in draw_harmony(rng, style, chords, n_beats=32):
        assert event.pitch % 12 in chord_at(chords, event.beat).tones
    for event in draw_bass(rng, style, chords, n_beats=32):
        assert event.pitch % 12 in {*chords[0].scale}
        assert event.pitch <= 60


def test_drums_fall_within_the_clip(rng):
    events = draw_drum_events(rng, plain_style(rng, density=0.6), n_beats=32)
    assert events
    assert all(0.0 <= event.beat < 32 for event in events)
    assert all(27 <= event.pitch <= 87 for event in events)


def test_a_clip_in_time_has_its_onsets_on_the_grid_against_theory(monkeypatch, rng):
    score = composed(monkeypatch, rng, beat_seconds=0.5, roles=("melody", "harmony", "bass"))
    assert_allclose(score.beats, 0.5 * np.arange(len(score.beats)), atol=1e-9)
    onsets = np.array([note.onset for part in score.parts for note in part.notes]) / 0.5
    errors = [np.abs(onsets * grid - np.round(onsets * grid)) for grid in (4, 3)]
    assert np.minimum(*errors).max() < 1e-6


def test_the_style_reaches_the_labels_against_theory(monkeypatch):
    def mean_raw(**changes):
        scores = [
            composed(monkeypatch, np.random.default_rng([8, i]), roles=("melody", "harmony"), **changes)
            for i in range(25)
        ]
        return np.mean([raw_labels(score) for score in scores], axis=0)

    short, long = mean_raw(hold=0.15), mean_raw(hold=1.1)
    assert short[1] > long[1] + 1.0  # articulation
    even, uneven = mean_raw(), mean_raw(jitter=0.08)
    assert even[3] > uneven[3] + 1.0  # rhythm stability
    clean, foreign = mean_raw(), mean_raw(foreign=0.8)
    assert clean[4] < foreign[4] - 0.2  # dissonance
    major, minor = mean_raw(), mean_raw(harmony=replace(PLAIN, mode="harmonic minor"))
    assert major[6] < 0.0 < minor[6]  # minorness
