import numpy as np
import pytest
from fakes import explanation

from emomod.component_map import Location
from emomod.component_weights import Selection
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES
from emomod.model.mid_to_emotion import MidToEmotion, published_layer
from emomod.sentences import degree, explain_in_words, places, signed

LAYER = published_layer()
PUBLISHED = dict(
    zip(MIDLEVEL_NAMES, (0.637723, 0.886127, 0.529747, 0.895867, 0.247777, 0.854901, 0.131224), strict=True)
)
EMOTIONS = dict(zip(EMOTION_NAMES, LAYER.emotions(np.array(list(PUBLISHED.values()))), strict=True))


def words(target, *, positive=(0, 1), negative=(2,), scores=PUBLISHED | EMOTIONS, layer=LAYER):
    selection = Selection(target, "bh:0.05", np.array(positive, dtype=int), np.array(negative, dtype=int))
    return explain_in_words(explanation(scores, layer=layer), selection)


def test_words_against_the_published_example_an_emotion():
    assert words("energy") == (
        "Energy is high (0.68) mainly because articulation is high (0.89, effect +0.39). "
        "Articulation is carried by what sounds at 0.5 s (below 200 Hz), "
        "and held back by what sounds at 2.5 s and 3.5 s (above 2 kHz). "  # weights 1, 0, -1, -2 on every score
        "Energy is carried by what sounds at 0.5 s (below 200 Hz); at 1.5 s (between 200 Hz and 2 kHz), "
        "and held back by what sounds at 2.5 s (above 2 kHz)."  # by the selection that is changed
    )


def test_words_against_the_published_example_a_feature():
    assert words("articulation", negative=()) == (
        "Articulation is high (0.89); times its weight it adds -0.47 to sad, its largest effect. "
        "Articulation is carried by what sounds at 0.5 s (below 200 Hz); at 1.5 s (between 200 Hz and 2 kHz)."
    )


def test_words_against_theory_one_side_or_none():
    assert words("tonal_stability", positive=()).endswith(
        "Tonal stability is held back by what sounds at 2.5 s (above 2 kHz)."
    )
    assert words("tonal_stability", positive=(), negative=()).endswith(
        "No part of the sound stands out for or against tonal stability (rule bh:0.05)."
    )


def test_words_against_theory_a_low_emotion_is_laid_to_what_lowers_it():
    weights = np.zeros((8, 7))
    weights[2, :2] = 0.6, -0.3  # tension: the largest effect speaks for it, yet it is low
    sentence = words(
        "tension", scores=PUBLISHED | EMOTIONS | {"tension": 0.1}, layer=MidToEmotion("fake", weights, np.zeros(8))
    )
    assert sentence.startswith("Tension is low (0.10) mainly because articulation is high (0.89, effect -0.27).")


def test_words_against_theory_a_model_of_one_level():
    sentence = words("valence", scores=EMOTIONS, layer=None)
    assert sentence.startswith("Valence is middling (0.55); this model has no mid-level features to explain it with. ")
    assert words("articulation", scores=PUBLISHED, layer=None).startswith("Articulation is high (0.89). ")


def test_words_against_the_design_name_three_moments_a_side_at_most():
    assert words("articulation", positive=(0, 1, 2, 3)).count("3.5 s") == 0


@pytest.mark.parametrize(
    ("score", "expected"),
    ((1.0, "high"), (0.6, "high"), (0.59, "middling"), (0.41, "middling"), (0.401, "low"), (0.0, "low")),
)
def test_degree_against_the_design(score, expected):
    assert degree(score) == expected


@pytest.mark.parametrize(
    ("value", "expected"), ((0.391, "+0.39"), (-0.052, "-0.05"), (10.5, "+10.50"), (-0.001, "+0.00"))
)
def test_signed_against_the_design(value, expected):
    assert signed(value) == expected


def test_places_against_theory_group_by_register_and_sort_by_time():
    low, high = Location(4.1, 4.3, 4.2, 50, 100), Location(0.6, 0.8, 0.7, 3000, 5000)
    earlier, long = Location(1.0, 1.3, 1.14, 60, 90), Location(2.04, 5.4, 4.9, 60, 90)
    expected = "at 0.7 s (above 2 kHz); at 1.1 s, 4.2 s and 2.0 to 5.4 s (below 200 Hz)"
    assert places([low, high, earlier, long, earlier]) == expected


@pytest.mark.parametrize(
    ("low", "high", "register"),
    (
        (100, 399, "below 200 Hz"),  # the middle is the geometric mean
        (200, 200, "between 200 Hz and 2 kHz"),
        (250, 250, "between 200 Hz and 2 kHz"),
        (1000, 3999, "between 200 Hz and 2 kHz"),
        (2000, 2000, "above 2 kHz"),
        (2500, 2500, "above 2 kHz"),
    ),
)
def test_places_against_theory_registers_end_at_200_hz_and_2_khz(low, high, register):
    assert places([Location(0.9, 1.1, 1.0, low, high)]) == f"at 1.0 s ({register})"


@pytest.mark.parametrize(
    ("score", "weights", "feature", "effect"),
    (
        (0.9, (0.6, -0.3), "melodiousness", "+0.38"),
        (0.1, (0.6, -0.3), "articulation", "-0.27"),  # low: what speaks against it, though that is less
        (0.5, (0.6, -0.3), "melodiousness", "+0.38"),  # in between: the largest of all
        (0.9, (0.3, -0.6), "melodiousness", "+0.19"),  # high: what speaks for it, though that is less
        (0.1, (0.3, -0.6), "articulation", "-0.53"),
        (0.5, (0.3, -0.6), "articulation", "-0.53"),
    ),
)
def test_words_against_theory_the_cause_points_the_way_the_emotion_is(score, weights, feature, effect):
    every = np.zeros((8, 7))
    every[2, :2] = weights  # on tension, of features of 0.64 and 0.89
    scores = PUBLISHED | EMOTIONS | {"tension": score}
    sentence = words("tension", scores=scores, layer=MidToEmotion("fake", every, np.zeros(8)))
    middling = f"what weighs most is {feature} ("
    assert (middling if score == 0.5 else f"mainly because {feature} is high (") in sentence
    assert f"effect {effect})" in sentence


def test_words_against_theory_where_no_effect_points_that_way_the_largest_is_named():
    weights = np.zeros((8, 7))
    weights[2, :2] = 0.1, 0.3
    scores = PUBLISHED | EMOTIONS | {"tension": 0.1}
    sentence = words("tension", scores=scores, layer=MidToEmotion("fake", weights, np.ones(8)))
    assert sentence.startswith("Tension is low (0.10) mainly because articulation is high (0.89, effect +0.27).")
