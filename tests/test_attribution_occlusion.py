import numpy as np
import pytest
import torch
from captum.attr import FeatureAblation
from fakes import grid_components, linear_predict, tiny_checkpoint
from games import Game

from emomod.attribution.occlusion import OcclusionSettings, explain_with_occlusion
from emomod.components.off import switched
from emomod.errors import EmomodError, InputError
from emomod.labels import SCORE_NAMES
from emomod.model.mid_to_emotion import published_layer
from emomod.model.predictor import load_predictor


@pytest.fixture(scope="module")
def components():
    return grid_components()


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    return load_predictor(tiny_checkpoint(tmp_path_factory.mktemp("occlusion") / "t.safetensors"), device="cpu")


@pytest.mark.parametrize(("off", "left"), (("silence", 0.0), ("-6dB", 10**-0.3), ("-20dB", 0.1)))
def test_occlusion_against_theory_a_linear_model_is_recovered(rng, components, off, left):
    truth, layer = rng.normal(size=(7, 12)), published_layer()
    predict = linear_predict(components, truth, layer, SCORE_NAMES)
    found = explain_with_occlusion(predict, components, settings=OcclusionSettings(off=off))
    np.testing.assert_allclose(found.weights[:7], (1 - left) * truth, atol=1e-5)
    np.testing.assert_allclose(found.weights[7:], layer.weights @ found.weights[:7], atol=1e-12)
    np.testing.assert_allclose(found.intercepts[:7], left * truth.sum(axis=1), atol=1e-5)
    np.testing.assert_allclose(found.neighbourhood_r2, 1.0, atol=1e-6)
    assert np.isnan(found.fit_r2).all()
    assert found.standard_errors is None
    assert found.p_values is None
    assert found.clip_r2 == pytest.approx(1.0)


@pytest.mark.parametrize(("off", "left"), (("silence", 0.0), ("-6dB", 10**-0.3)))
def test_occlusion_against_captum(components, predictor, off, left):
    def scores(gains):
        return predictor(components.mix(gains))

    on = torch.ones(1, 12)
    theirs = np.vstack(
        [FeatureAblation(scores).attribute(on, baselines=left * on, target=target).numpy() for target in range(15)]
    )
    found = explain_with_occlusion(predictor, components, settings=OcclusionSettings(off=off, n_held_out=2))
    np.testing.assert_allclose(found.weights, theirs, atol=1e-6)


def test_occlusion_against_theory_what_two_components_say_neither_says_alone(components):
    predict = Game(components, lambda gains: gains[:, :2].amax(dim=1, keepdim=True), names=("either",))
    found = explain_with_occlusion(predict, components, settings=OcclusionSettings(off="silence"))
    np.testing.assert_allclose(found.weights, 0.0, atol=1e-6)
    predict = Game(components, lambda gains: gains[:, :2].amin(dim=1, keepdim=True), names=("both",))
    found = explain_with_occlusion(predict, components, settings=OcclusionSettings(off="silence"))
    np.testing.assert_allclose(found.weights, [[1.0] * 2 + [0.0] * 10], atol=1e-6)
    assert found.neighbourhood_r2[0] < 0.0  # which a line cannot say of them


@pytest.mark.parametrize("off", ("mean", "noise_floor", "background"))
def test_occlusion_against_theory_of_plain_sounds_in_place_of_a_component(components, predictor, off):
    above, low = switched(components, off)
    found = explain_with_occlusion(predictor, components, settings=OcclusionSettings(off=off, n_held_out=2))
    gains = torch.ones(2, 12)
    gains[1, 4] = low
    on, without = predictor(above.mix(gains)).double().numpy()
    np.testing.assert_allclose(found.weights[:, 4], on - without, atol=1e-6)
    np.testing.assert_allclose(on, predictor(components.mix(torch.ones(2, 12)))[0], atol=1e-6)


@pytest.mark.parametrize("batch_size", (1, 5, 64))
def test_occlusion_against_itself_batches_do_not_matter(components, predictor, batch_size):
    one, other = (
        explain_with_occlusion(predictor, components, settings=OcclusionSettings(n_held_out=16, batch_size=size))
        for size in (16, batch_size)
    )
    for name in ("weights", "intercepts"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-6)


def test_occlusion_against_the_design_progress_is_told(components, predictor):
    told, settings = [], OcclusionSettings(n_held_out=2, batch_size=5)
    explain_with_occlusion(predictor, components, settings=settings, progress=lambda *numbers: told.append(numbers))
    assert told == [(5, 12), (10, 12), (12, 12)]


def test_occlusion_of_one_component():
    components = grid_components(rows=1, columns=1)
    predict = linear_predict(components, np.arange(7.0)[:, None])
    found = explain_with_occlusion(predict, components, settings=OcclusionSettings(off="silence"))
    np.testing.assert_allclose(found.weights[:, 0], np.arange(7.0), atol=1e-5)


def test_occlusion_iv(components):
    for setting in ({"off": "loud"}, {"n_held_out": 1}, {"batch_size": 0}):
        with pytest.raises(InputError, match=f"{next(iter(setting))} must be"):
            OcclusionSettings(**setting)
    broken = Game(components, lambda gains: gains / 0.0 * 0.0, names=tuple("abcdefghijkl"))
    with pytest.raises(EmomodError, match="must give finite scores"):
        explain_with_occlusion(broken, components, settings=OcclusionSettings())
