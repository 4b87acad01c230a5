import json

import numpy as np
import pytest
from fakes import shared
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from emomod.errors import InputError
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES
from emomod.model.mid_to_emotion import MidToEmotion, published_layer

# printed by the public notebook for the first clip of Soundtracks set 1
PRINTED_MIDLEVEL = np.array([0.637723, 0.886127, 0.529747, 0.895867, 0.247777, 0.854901, 0.131224])
PRINTED_EMOTIONS = np.array([0.553503, 0.67731, 0.279063, 0.127628, 0.021633, 0.664131, 0.042493, 0.295766])


def test_published_layer_against_the_notebook():
    layer = published_layer()
    assert layer.name == "published-2019"
    np.testing.assert_allclose(layer.emotions(PRINTED_MIDLEVEL), PRINTED_EMOTIONS, atol=2e-3)
    effects = layer.effects(PRINTED_MIDLEVEL)
    energy = dict(zip(MIDLEVEL_NAMES, effects[EMOTION_NAMES.index("energy")], strict=True))
    assert max(energy, key=energy.__getitem__) == "articulation"
    assert energy["articulation"] == pytest.approx(0.3853, abs=1e-3)  # the longest bar of the plot
    assert energy["tonal_stability"] == pytest.approx(-0.2254, abs=1e-3)


def test_published_layer_against_the_published_example():
    example = json.loads(shared("published_example_001.json").read_text())
    assert example["midlevel_names"] == list(MIDLEVEL_NAMES)
    assert example["emotion_names"] == list(EMOTION_NAMES)
    layer, midlevel = published_layer(), np.array(example["midlevel_predictions"])
    np.testing.assert_allclose(layer.emotions(midlevel), example["emotion_predictions"], atol=2e-3)
    half_pixel = np.array(example["weight_half_pixel_uncertainty"]) * midlevel
    assert (np.abs(layer.effects(midlevel) - example["effects"]) <= half_pixel).all()


@given(arrays(float, (8, 7), elements=st.floats(-2, 2)), arrays(float, 7, elements=st.floats(0, 1)))
@settings(max_examples=25)
def test_effects_against_theory_sum_to_the_emotions(weights, midlevel):
    layer = MidToEmotion("any", weights, np.linspace(-1, 1, 8))
    np.testing.assert_allclose(
        layer.effects(midlevel).sum(axis=1) + layer.intercepts, layer.emotions(midlevel), atol=1e-12
    )
    np.testing.assert_allclose(layer.emotions(np.stack([midlevel, midlevel]))[1], layer.emotions(midlevel), atol=1e-12)


def test_mid_to_emotion_iv():
    with pytest.raises(InputError, match=r"shapes \(8, 7\) and \(8,\), got \(7, 8\) and \(8,\)"):
        MidToEmotion("turned", np.zeros((7, 8)), np.zeros(8))
