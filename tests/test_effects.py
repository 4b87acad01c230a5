"""Effects of many clips against the layer's definition, boxes against numpy and matplotlib."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.cbook import boxplot_stats

from emomod.effects import (
    MAX_MARKED,
    ClipScores,
    CorpusEffects,
    box_of,
    match_clip,
    short_names,
)
from emomod.errors import InputError
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES
from emomod.model.mid_to_emotion import published_layer

LAYER = published_layer()
NAMES = ("Hurt (1994)", "Hurt (Cash)", "Hallelujah", "demo")


def clip_scores(midlevel, *, names=None, emotions=None):
    n = len(midlevel)
    names = names or tuple(f"clip {k}" for k in range(n))
    return ClipScores(names, tuple(f"songs/{name}.wav" for name in names), (1,) * n, midlevel, emotions)


@pytest.fixture
def effects(rng):
    return CorpusEffects(clip_scores(rng.random((40, 7))), LAYER)


def test_effects_against_theory_they_sum_with_the_intercept_to_the_emotion(effects):
    emotions = LAYER.emotions(effects.scores.midlevel)
    np.testing.assert_allclose(effects.values.sum(axis=2) + LAYER.intercepts, emotions, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(effects.sums, emotions)


def test_effects_against_theory_those_of_the_mean_are_the_mean_of_the_effects(effects):
    mean = LAYER.effects(effects.scores.midlevel.mean(axis=0))
    np.testing.assert_allclose(effects.values.mean(axis=0), mean, atol=1e-14)


def test_rows_against_theory_weight_times_score(effects):
    rows = list(effects.rows())
    assert len(rows) == 40 * len(EMOTION_NAMES) * len(MIDLEVEL_NAMES)
    for row in rows[::97]:
        assert row["effect"] == row["weight"] * row["score"]
    sums = dict[tuple[str, str], float]()
    for row in rows:
        sums[row["clip"], row["emotion"]] = sums.get((row["clip"], row["emotion"]), 0.0) + row["effect"]
    found = [sums[f"clip {k}", "fear"] + LAYER.intercepts[EMOTION_NAMES.index("fear")] for k in range(40)]
    np.testing.assert_allclose(found, effects.sums[:, EMOTION_NAMES.index("fear")], atol=1e-14)


@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(-1, 1, width=16)))
def test_box_against_numpy_and_matplotlib(values):
    box = box_of(values)
    assert [box.quartile_low, box.median, box.quartile_high] == np.quantile(values, (0.25, 0.5, 0.75)).tolist()
    assert (box.minimum, box.maximum) == (values.min(), values.max())
    theirs = boxplot_stats(values)[0]
    assert (box.whisker_low, box.whisker_high) == (theirs["whislo"], theirs["whishi"])


def test_boxes_against_itself_the_largest_median_comes_first(effects):
    for emotion in EMOTION_NAMES:
        boxes = effects.boxes(emotion)
        medians = [abs(box.median) for box in boxes.values()]
        assert sorted(boxes) == sorted(MIDLEVEL_NAMES)
        assert medians == sorted(medians, reverse=True)
        largest, widest = effects.main_features(emotion)
        assert largest == next(iter(boxes))
        assert boxes[widest].length == max(box.length for box in boxes.values())


def test_emotion_sentence_against_the_design():
    midlevel = np.full((3, 7), 0.5)
    midlevel[:, 1] = (0.4, 0.5, 0.6)  # articulation
    sentence = CorpusEffects(clip_scores(midlevel), LAYER).emotion_sentence("energy")
    assert "articulation (+0.22), which is also what differs most from clip to clip (+0.20 to +0.24" in sentence


def test_clip_sentence_against_the_design_the_emotion_that_stands_out():
    midlevel = np.tile(np.linspace(0.4, 0.6, 21)[:, None], 7)
    midlevel[20] = (0.6, 1.0, 0.6, 0.6, 0.6, 0.6, 0.6)  # staccato: less sad than all others
    sentence = CorpusEffects(clip_scores(midlevel), LAYER).clip_sentence(20)
    assert sentence.startswith("clip 20 is heard less sad than the mean clip (-0.")
    assert "mainly through more articulation (-0." in sentence
    assert sentence.endswith("Its score of sad is higher than in none of the 20 others.")


def test_induced_against_theory_only_the_layers_emotions_are(rng):
    midlevel = rng.random((9, 7))
    ours = LAYER.emotions(midlevel)
    assert CorpusEffects(clip_scores(midlevel), LAYER).induced
    assert CorpusEffects(clip_scores(midlevel, emotions=ours + 1e-6), LAYER).induced
    rated = CorpusEffects(clip_scores(midlevel, emotions=ours + 0.1), LAYER)
    assert not rated.induced
    np.testing.assert_array_equal(rated.emotions, ours + 0.1)
    np.testing.assert_array_equal(rated.sums, ours)


@pytest.mark.parametrize(
    ("mark", "clip"),
    [
        ("demo", 3),
        ("DEMO", 3),
        ("songs/demo.wav", 3),
        ("demo.wav", 3),
        ("cash", 1),
        ("Hurt (1994)", 0),
    ],
)
def test_marks_against_the_design(mark, clip):
    files = [f"songs/{name}.wav" for name in NAMES]
    assert match_clip(mark, names=NAMES, files=files) == clip


@pytest.mark.parametrize(
    ("mark", "told"), [("hurt", "fits 2 clips"), ("Haleluja", "did you mean Hallelujah"), ("xyz", "got 'xyz'$")]
)
def test_marks_iv(mark, told):
    with pytest.raises(InputError, match=told):
        match_clip(mark, names=NAMES, files=[f"{name}.wav" for name in NAMES])


def test_marks_iv_too_many(rng):
    scores = clip_scores(rng.random((12, 7)), names=tuple("abcdefghijkl"))
    assert scores.marked(["b", "a", "B"]) == [1, 0]
    with pytest.raises(InputError, match=f"at most {MAX_MARKED} clips can be marked, got 12"):
        scores.marked(list("abcdefghijkl"))


def test_short_names_against_theory_no_two_alike():
    files = ["a/x.wav", "b/x.mp3", "c/x.mp3", "d/y.wav"]
    assert short_names(files) == ("x.wav", "b/x.mp3", "c/x.mp3", "y")
