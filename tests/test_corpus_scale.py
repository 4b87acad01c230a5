"""The labels of composed clips against the scale that ships, and what each part of a score adds to them."""

import json
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import kstest

from emomod.corpus import label_scale, labels
from emomod.corpus.compose import compose
from emomod.corpus.labels import draw_quantiles, lead_quality, raw_labels, scaled_labels, top_line_quality
from emomod.corpus.score import Note, Part, Score
from emomod.corpus.tonality import dissonance
from emomod.labels import MIDLEVEL_NAMES

BEATS = tuple(0.5 * beat for beat in range(25))
N_SCORES = 240


def score_of(*parts, seconds=8.0):
    return Score(parts, seconds, BEATS)


def line(pitches, *, role="melody", every=0.5, held=0.45, velocity=90, program=19, level=1.0):
    notes = tuple(Note(place * every, held, pitch, velocity) for place, pitch in enumerate(pitches))
    return Part(role, program, notes, level)


@pytest.fixture(scope="module")
def drawn():
    """The first scores that the shipped scale was made from."""
    return [compose(np.random.default_rng([label_scale.SEED, index])) for index in range(N_SCORES)]


@pytest.fixture(scope="module")
def raw(drawn):
    return np.array([raw_labels(score) for score in drawn])


@pytest.mark.parametrize("name", MIDLEVEL_NAMES)
def test_shipped_scale_against_itself_its_own_clips_are_spread_evenly(raw, name):
    """Labels or composer that change make the scale stale: python -m emomod.corpus.label_scale."""
    scaled = scaled_labels(raw)[:, MIDLEVEL_NAMES.index(name)]
    assert kstest(scaled, "uniform", args=(0.1, 0.8)).statistic < 1.63 / np.sqrt(N_SCORES)  # 1 % critical value


def test_shipped_scale_against_itself_its_clips_lie_within_its_ends(raw):
    stored = json.loads((files("emomod.corpus") / "label_scale.json").read_text())
    assert (stored["n_scores"], stored["seed"]) == (label_scale.N_SCORES, label_scale.SEED)
    ends = np.array([stored["quantiles"][name] for name in MIDLEVEL_NAMES])[:, [0, -1]]
    assert (raw > ends[:, 0] - 1e-5).all()  # written with five decimals
    assert (raw < ends[:, 1] + 1e-5).all()


def test_label_scale_against_numpy(monkeypatch, tmp_path):
    monkeypatch.setattr(label_scale, "N_SCORES", 5)
    monkeypatch.setattr(label_scale, "__file__", str(tmp_path / "label_scale.py"))
    label_scale.main()
    stored = json.loads((tmp_path / "label_scale.json").read_text())
    made = np.array([raw_labels(compose(np.random.default_rng([label_scale.SEED, index]))) for index in range(5)])
    for column, name in enumerate(MIDLEVEL_NAMES):
        found = stored["quantiles"][name]
        assert_allclose(found[::10], np.sort(made[:, column]), atol=5.1e-6)  # ranks 0, 1/4, 1/2, 3/4, 1
        assert len(found) == 41
    assert stored["n_scores"] == 5


def test_draw_quantiles_against_itself_order_does_not_matter(drawn):
    assert draw_quantiles(drawn[:9]) == draw_quantiles(drawn[:9][::-1])


def test_scaled_labels_against_theory_ranks_lie_between_a_tenth_and_nine_tenths(raw):
    scaled = scaled_labels(raw)
    assert scaled.min() >= 0.1
    assert scaled.max() <= 0.9
    for column in range(7):
        order = np.argsort(raw[:, column])
        assert (np.diff(scaled[order, column]) >= 0).all()
    assert_allclose(scaled_labels(raw[0]), scaled[0])
    assert scaled_labels(raw.reshape(3, -1, 7)).shape == (3, N_SCORES // 3, 7)


def test_labels_against_itself_the_order_of_parts_does_not_matter(drawn):
    for score in drawn[:15]:
        backwards = replace(score, parts=score.parts[::-1])
        assert_allclose(raw_labels(backwards), raw_labels(score), rtol=1e-9)


def test_labels_against_itself_a_quieter_desk_changes_nothing(drawn):
    for score in drawn[:10]:
        quiet = replace(score, parts=tuple(replace(part, level=0.5 * part.level) for part in score.parts))
        assert_allclose(raw_labels(quiet), raw_labels(score), atol=2e-4)


def test_labels_against_theory_drums_are_noise():
    """Half of their share of the power goes to dissonance; keys and modes do not hear them."""
    music = score_of(line((60, 64, 67, 72) * 4))
    drums = Part("drums", 0, tuple(Note(0.5 * place, 0.1, 38, 90) for place in range(16)), level=0.5)
    added = dict(zip(MIDLEVEL_NAMES, raw_labels(score_of(*music.parts, drums)) - raw_labels(music), strict=True))
    assert_allclose(added["dissonance"], 0.5 * 0.25 / 1.25, rtol=1e-9)
    assert added["tonal_stability"] == added["minorness"] == 0.0
    assert_allclose(added["melodiousness"], -added["dissonance"], rtol=1e-9)


def test_labels_against_theory_melodiousness_is_lead_top_line_clarity_and_consonance(monkeypatch):
    backing = score_of(line((60, 64, 67, 72) * 4, role="harmony"))
    assert lead_quality(backing) == 0.0
    alone = raw_labels(backing)[0]
    for name, change, weight in (("lead_quality", 1.0, 0.5), ("top_line_quality", 1.0, 1.0)):
        before = getattr(labels, name)(backing)
        monkeypatch.setattr(labels, name, lambda score, now=before + change: now)
        assert_allclose(raw_labels(backing)[0] - alone, weight, rtol=1e-9)
        monkeypatch.undo()
    monkeypatch.setattr(labels, "dissonance", lambda keys: dissonance(keys) + 0.25)
    assert_allclose(raw_labels(backing)[0] - alone, -0.25, rtol=1e-9)
    monkeypatch.setattr(labels, "key_clarity", lambda keys: (0.6, 0.1))
    assert_allclose(raw_labels(backing)[5], 0.6 + 0.25 * 0.1, rtol=1e-9)


def test_top_line_against_theory():
    steps = score_of(line((60, 62) * 8, held=0.5))  # covers all, every interval a step
    assert top_line_quality(steps) == pytest.approx(2.0, abs=0.01)
    assert top_line_quality(score_of(line((60, 67) * 8, held=0.5))) == pytest.approx(0.0, abs=0.01)
    assert top_line_quality(score_of(line((60,) * 16, held=0.5))) == pytest.approx(0.5, abs=0.01)
    hidden = score_of(line((60, 67) * 8, held=0.5, role="harmony"), line((72, 74) * 8, held=0.5, role="harmony"))
    assert top_line_quality(hidden) == pytest.approx(2.0, abs=0.01)
    assert top_line_quality(score_of(line((60, 62)))) == 0.0


SCALE = (60, 62, 64, 65, 67, 69, 71, 72, 71, 69, 67, 65, 64, 62, 60, 62)


def test_lead_against_theory_a_present_stepwise_line_in_vocal_range_counts_about_six():
    full = score_of(line(SCALE, held=0.5))
    assert lead_quality(full) == pytest.approx(6.0, abs=0.01)


def test_lead_against_theory_one_chord_is_no_line():
    chord = Part("melody", 0, tuple(Note(1.0, 0.5, pitch, 90) for pitch in (60, 64, 67, 72)), 1.0)
    backing = line((48,) * 16, role="harmony")
    assert lead_quality(score_of(chord, backing)) == 0.0
    assert np.isfinite(raw_labels(score_of(chord, backing))).all()


@pytest.mark.parametrize(
    ("changes", "share"),
    [
        ({"held": 0.15}, 0.5),  # sounds 30 % of the time, where 60 % would be all of it
        ({"held": 0.3}, 1.0),
    ],
)
def test_lead_against_theory_it_counts_as_long_as_it_sounds(changes, share):
    whole, part = (lead_quality(score_of(line(SCALE, **held))) for held in ({"held": 0.5}, changes))
    assert_allclose(part, share * whole, rtol=1e-6)


def test_lead_against_theory_it_counts_by_its_share_of_the_power():
    lead, alone = line(SCALE, held=0.5), lead_quality(score_of(line(SCALE, held=0.5)))
    for level, n_parts, share in ((1.0, 1, 0.5), (1.0, 3, 0.25), (0.5, 4, 0.5)):
        backing = [line((48,) * 16, role="harmony", level=level)] * n_parts
        assert_allclose(lead_quality(score_of(lead, *backing)), alone * min(1.0, share / 0.3), rtol=1e-6)
    drums = line((38,) * 16, role="drums", program=0)
    assert_allclose(lead_quality(score_of(lead, drums)), alone, rtol=1e-9)


@pytest.mark.parametrize(
    ("interval", "expected"),
    [(0, -1.0), (1, 2.0), (2, 2.0), (3, 0.0), (4, 0.0), (5, -2.0)],
    ids=["same", "semitone", "tone", "minor third", "major third", "fourth"],
)
def test_lead_against_theory_steps_count_for_and_leaps_and_repetitions_against(interval, expected):
    """Everything else is the same: the trill's range costs a thirtieth a semitone beyond 1.6 - 1 = 18 semitones."""
    trill = score_of(line((60, 60 + interval) * 8, held=0.5))
    assert_allclose(lead_quality(trill), 2.0 + 2.0 + expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "singable"),
    [(53, 55, 1.0), (79, 81, 1.0), (51, 53, 0.5), (81, 83, 0.5), (84, 86, 0.0)],
)
def test_lead_against_theory_only_vocal_range_is_singable(low, high, singable):
    trill = score_of(line((low, high) * 8, held=0.5))
    assert_allclose(lead_quality(trill), 2.0 + 2.0 * singable + 2.0, rtol=1e-6)


def test_lead_against_theory_a_wide_range_is_less_singable():
    whole_tones = tuple(range(54, 81, 2))  # 26 semitones, all in vocal range
    assert_allclose(lead_quality(score_of(line(whole_tones, held=0.7))), 2 + 2 * (1.6 - 26 / 30) + 2, rtol=1e-2)


def test_lead_against_itself_a_second_voice_below_leaves_the_line():
    lead, below = line(SCALE, held=0.5), line([key - 4 for key in SCALE], held=0.5)
    both = replace(lead, notes=lead.notes + below.notes)
    assert_allclose(lead_quality(score_of(both)), lead_quality(score_of(lead)), rtol=1e-6)


def test_lead_against_theory_three_notes_make_a_line():
    assert lead_quality(score_of(line(SCALE[:2]))) == 0.0
    assert lead_quality(score_of(line(SCALE[:3]))) > 0.0
