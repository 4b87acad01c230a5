"""Labels of hand-made scores whose order, or value, theory gives."""

import csv
from dataclasses import replace

import numpy as np
import pytest
from fakes import shared
from numpy.testing import assert_allclose

from emomod.corpus.compose import compose
from emomod.corpus.labels import lead_quality, raw_labels, scaled_labels, stored_quantiles
from emomod.corpus.score import Note, Part, Score, note_table
from emomod.corpus.timing import (
    distinct_onsets,
    interval_entropy,
    metrical_levels,
    onset_density,
    pulse_clarity,
    syncopation,
    timing_deviation,
)
from emomod.corpus.tonality import (
    HURON,
    KRUMHANSL_MAJOR,
    KRUMHANSL_MINOR,
    TEMPERLEY_MAJOR,
    TEMPERLEY_MINOR,
    dissonance,
    key_correlations,
    minorness,
    sounding,
)
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES

ORGAN, PIANO = 19, 0
C_MAJOR = (60, 62, 64, 65, 67, 69, 71, 72)
C_MINOR = (60, 62, 63, 65, 67, 68, 71, 72)
BEATS = tuple(0.5 * beat for beat in range(25))  # 120 beats a minute


def score_of(*parts, seconds=8.0):
    return Score(parts, seconds, BEATS)


def line(pitches, *, every=0.5, held=0.45, role="melody", program=PIANO, velocity=90, shifts=None):
    shifts = np.zeros(len(pitches)) if shifts is None else shifts
    notes = [
        Note(max(0.0, place * every + shift), held, pitch, velocity)
        for place, (pitch, shift) in enumerate(zip(pitches, shifts, strict=True))
    ]
    return Part(role, program, tuple(notes))


def chords(*keys, every=1.0, held=1.0, program=ORGAN):
    notes = [Note(place * every, held, key, 90) for place, chord in enumerate(keys) for key in chord]
    return Part("harmony", program, tuple(notes))


def label(name, score):
    return raw_labels(score)[MIDLEVEL_NAMES.index(name)]


def keys_of(*parts):
    return sounding(note_table(score_of(*parts)), seconds=8.0)


def test_staccato_is_more_articulate_than_legato_against_theory():
    held = [0.05, 0.15, 0.3, 0.5]
    found = [label("articulation", score_of(line(C_MAJOR * 2, held=seconds, program=ORGAN))) for seconds in held]
    assert found == sorted(found, reverse=True)
    assert found[0] - found[-1] > 2.0


def test_articulation_against_listeners_goes_with_density():
    with shared("musicsciencedata/annotations.csv").open() as file:
        ratings = list(csv.DictReader(file))
    legato, dense = ([float(row[name]) for row in ratings] for name in ("articulation", "density"))
    assert round(np.corrcoef(legato, dense)[0, 1], 2) == -0.79  # as emomod.corpus.labels says


def test_more_notes_of_one_length_are_more_articulate_against_theory():
    sparse, dense = line(C_MAJOR, every=1.0, held=0.2), line(C_MAJOR * 2, every=0.5, held=0.2)
    assert label("articulation", score_of(dense)) > label("articulation", score_of(sparse))


def test_a_plucked_note_is_short_however_long_it_is_held_against_theory():
    pizzicato, organ = (label("articulation", score_of(line(C_MAJOR * 2, program=program))) for program in (45, ORGAN))
    assert pizzicato > organ


def test_minorness_against_theory():
    major = chords((60, 64, 67), (65, 69, 72), (67, 71, 74), (60, 64, 67))
    minor = chords((60, 63, 67), (65, 68, 72), (67, 71, 74), (60, 63, 67))
    assert label("minorness", score_of(major)) < -0.1 < 0.1 < label("minorness", score_of(minor))
    assert label("minorness", score_of(line(C_MAJOR))) < label("minorness", score_of(line(C_MINOR)))


@pytest.mark.parametrize("profile", [KRUMHANSL_MAJOR, KRUMHANSL_MINOR])
@pytest.mark.parametrize("tonic", [0, 5, 11])
def test_key_finding_against_theory_a_profile_is_its_own_key(profile, tonic):
    found = key_correlations(np.roll(profile, tonic), major=KRUMHANSL_MAJOR, minor=KRUMHANSL_MINOR)
    assert int(found.argmax()) == tonic + 12 * (profile is KRUMHANSL_MINOR)
    assert_allclose(found.max(), 1.0, rtol=1e-12)


def test_key_finding_against_theory_a_flat_profile_has_no_key():
    assert not key_correlations(np.ones(12), major=TEMPERLEY_MAJOR, minor=TEMPERLEY_MINOR).any()
    assert minorness(np.zeros((128, 10))) == 0.0


def test_tonal_stability_against_theory():
    chromatic = line(tuple(range(60, 76)))
    assert label("tonal_stability", score_of(line(C_MAJOR * 2))) > label("tonal_stability", score_of(chromatic)) + 0.2
    home = chords(*[(60, 64, 67)] * 8)
    wandering = chords(*[(60 + shift, 64 + shift, 67 + shift) for shift in (0, 6, 1, 7, 2, 8, 3, 9)])
    assert label("tonal_stability", score_of(home)) > label("tonal_stability", score_of(wandering)) + 0.2


def test_dissonance_against_theory_dyads_follow_huron():
    found = [dissonance(keys_of(chords(*[(60, 60 + interval)] * 8))) for interval in range(1, 7)]
    assert np.argsort(found).tolist() == np.argsort(-np.array(HURON[1:])).tolist()


def test_dissonance_against_theory_clusters_triads_and_octaves():
    cluster, triad, octave = (keys_of(chords(*[keys] * 8)) for keys in ((60, 61, 62), (60, 64, 67), (60, 72)))
    assert dissonance(cluster) > dissonance(triad) + 1.0
    assert_allclose(dissonance(octave), dissonance(keys_of(line((60,) * 16))), atol=1e-9)
    assert_allclose(dissonance(triad), dissonance(octave), atol=1e-9)  # both count as the mean of a triad


def test_quiet_notes_weigh_less_in_dissonance_against_theory():
    def dyads(velocity):
        added = line((61,) * 8, every=1.0, held=1.0, program=ORGAN, role="bass", velocity=velocity)
        return dissonance(keys_of(chords(*[(60, 64, 67)] * 8), added))

    assert dyads(20) < dyads(60) < dyads(90)


def test_an_even_pulse_is_clear_against_theory(rng):
    even = note_table(score_of(line((60,) * 16)))
    uneven = note_table(score_of(line((60,) * 16, shifts=rng.normal(0, 0.08, 16))))
    assert pulse_clarity(even, seconds=8.0) > 0.95
    assert pulse_clarity(uneven, seconds=8.0) < pulse_clarity(even, seconds=8.0) - 0.2


def test_rhythm_stability_against_theory_falls_with_jitter(rng):
    shifts = rng.normal(0, 1.0, 16)
    found = [label("rhythm_stability", score_of(line((60,) * 16, shifts=size * shifts))) for size in (0.0, 0.02, 0.1)]
    assert found == sorted(found, reverse=True)


def test_timing_deviation_against_theory():
    score = score_of(line((60,) * 16))
    assert_allclose(timing_deviation(score, note_table(score)), 0.0, atol=1e-12)
    late = score_of(line((60,) * 16, shifts=np.full(16, 0.02)))
    assert_allclose(timing_deviation(late, note_table(late)), 0.02, rtol=1e-9)
    slowing = Score((line((60,) * 8),), 8.0, tuple(np.cumsum([0.0, *np.linspace(0.4, 1.2, 14)]).tolist()))
    assert timing_deviation(slowing, note_table(slowing)) > 0.1


def test_onset_density_against_theory_chords_count_once():
    assert_allclose(onset_density(note_table(score_of(line((60,) * 16))), seconds=8.0), np.log(2.0))
    assert_allclose(onset_density(note_table(score_of(chords(*[(60, 64, 67)] * 8))), seconds=8.0), 0.0)
    assert distinct_onsets(np.array([0.0, 0.02, 0.1, 0.13])).tolist() == [0.0, 0.1, 0.13]


def test_interval_entropy_against_theory():
    assert interval_entropy(note_table(score_of(line((60,) * 16)))) == 0.0
    swung = line((60,) * 9, shifts=np.array([0.0, 0.25] * 4 + [0.0]))
    assert_allclose(interval_entropy(note_table(score_of(swung))), 1.0)


def test_syncopation_against_theory():
    on_the_beat = score_of(line((60,) * 16))
    assert syncopation(on_the_beat, note_table(on_the_beat)) == 0.0
    off_beats = score_of(line((60,) * 8, shifts=np.full(8, 0.25)))  # half a beat late; the last note has no successor
    expected = np.log1p(sum([1, 2, 1, 3, 1, 2, 1, 0]) / off_beats.seconds)
    assert_allclose(syncopation(off_beats, note_table(off_beats)), expected)
    assert metrical_levels(3).tolist()[::4] == [0, -1, -1]


def test_rhythm_complexity_against_theory():
    plain, dense = score_of(line((60,) * 8, every=1.0)), score_of(line((60,) * 32, every=0.25, held=0.2))
    off_beats = score_of(line((60,) * 8, every=1.0, shifts=np.full(8, 0.25)))
    assert label("rhythm_complexity", plain) < label("rhythm_complexity", off_beats)
    assert label("rhythm_complexity", plain) < label("rhythm_complexity", dense)


def test_melodiousness_against_theory(rng):
    stepwise = C_MAJOR + C_MAJOR[::-1]
    leaping = tuple(int(key) for key in rng.choice((48, 55, 64, 79, 88), 16))
    tune, jumps = score_of(line(stepwise)), score_of(line(leaping))
    backing = score_of(line(stepwise, role="harmony"))
    assert lead_quality(tune) > lead_quality(jumps) > lead_quality(backing) == 0.0
    assert label("melodiousness", tune) > label("melodiousness", backing)


def transposed(score, shift):
    """All pitched notes of a score moved by ``shift`` semitones."""
    parts = tuple(
        part if part.is_drums else replace(part, notes=tuple(replace(n, pitch=n.pitch + shift) for n in part.notes))
        for part in score.parts
    )
    return replace(score, parts=parts)


@pytest.mark.parametrize("shift", [-5, 3, 6])
def test_labels_against_itself_transposition_changes_only_the_range_of_the_lead_and_the_roughness(shift):
    score = compose(3, seconds=8.0)
    before, after = raw_labels(score), raw_labels(transposed(score, shift))
    others = [MIDLEVEL_NAMES.index(name) for name in MIDLEVEL_NAMES if name not in ("melodiousness", "dissonance")]
    assert_allclose(after[others], before[others], atol=1e-9)
    rougher = after[MIDLEVEL_NAMES.index("dissonance")] - before[MIDLEVEL_NAMES.index("dissonance")]
    assert np.sign(rougher) == -np.sign(shift)  # the same chord is rougher further down


def test_scaled_labels_against_itself():
    quantiles = np.array([stored_quantiles()[name] for name in MIDLEVEL_NAMES])
    assert (np.diff(quantiles, axis=1) >= 0).all()
    assert_allclose(scaled_labels(quantiles[:, 0] - 5.0), 0.1)
    assert_allclose(scaled_labels(quantiles[:, -1] + 5.0), 0.9)
    assert_allclose(scaled_labels(quantiles[:, 20]), 0.5)
    drawn = np.array([scaled_labels(raw_labels(compose(np.random.default_rng([5, i])))) for i in range(60)])
    assert (drawn.std(axis=0) > 0.15).all()


def test_labels_iv():
    with pytest.raises(InputError, match="not a drum"):
        raw_labels(score_of(Part("drums", 0, (Note(0.0, 0.1, 36, 90),))))
    with pytest.raises(InputError, match="raw labels must be finite"):
        scaled_labels(np.full(7, np.nan))
    with pytest.raises(InputError, match="at least one note"):
        score_of(Part("melody", 0, ()))
    with pytest.raises(InputError, match="ascending"):
        Score((line((60,)),), 8.0, (0.0, 0.0))
    with pytest.raises(InputError, match="a note must have pitch"):
        Note(0.0, 1.0, 128, 90)
    with pytest.raises(InputError, match="last > 0 s"):
        Note(0.0, 0.0, 60, 90)
    with pytest.raises(InputError, match="role must be one of"):
        Part("tuba", 0, ())
    with pytest.raises(InputError, match="a part must have program"):
        Part("bass", 128, ())
