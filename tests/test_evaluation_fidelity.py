"""Fidelity of surrogates in neighbourhoods near and far."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fakes import grid_components, linear_predict
from numpy.testing import assert_allclose
from sklearn.metrics import r2_score

from emomod.attribution.lime import LimeSettings, explain_with_lime
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES, SCORE_NAMES
from emomod.model.mid_to_emotion import published_layer
from emomod.model.predictor import Takes
from emomod.undefined import UndefinedWarning
from evaluation import fidelity
from evaluation.fidelity import NEIGHBOURHOODS, Neighbourhood, draw_gains, r2

SETTINGS = LimeSettings(n_perturbations=100, n_held_out=16, alpha=0.0)


@pytest.fixture(scope="module")
def components():
    return grid_components()  # 12 of them


def test_r2_against_sklearn(rng):
    scores, predicted, kernel = rng.random((30, 4)), rng.random((30, 4)), rng.random(30)
    assert_allclose(r2(scores, predicted), r2_score(scores, predicted, multioutput="raw_values"))
    weighted = r2_score(scores, predicted, sample_weight=kernel, multioutput="raw_values")
    assert_allclose(r2(scores, predicted, kernel), weighted)


def test_r2_against_sklearn_of_a_score_that_does_not_vary():
    flat = np.ones((5, 1))
    for predicted in (flat, 2 * flat):
        with pytest.warns(UndefinedWarning, match="does not vary"):
            assert r2(flat, predicted) == r2_score(flat, predicted)


@pytest.mark.parametrize("off", ("silence", "-6dB"))
def test_fidelity_against_theory_of_a_linear_model(rng, components, off):
    """A model that is linear in the gains is predicted everywhere, emotions too."""
    predict = linear_predict(components, rng.normal(size=(7, 12)), published_layer(), SCORE_NAMES)
    weights = explain_with_lime(predict, components, settings=replace(SETTINGS, off=off))
    rows = fidelity.evaluate(predict, components, weights, off=off, n_mixtures=64)
    assert len(rows) == len(NEIGHBOURHOODS) * 15
    assert {row["target"] for row in rows} == set(SCORE_NAMES)
    for row in rows:
        assert row["r2"] == pytest.approx(1.0, abs=1e-5)
        assert row["r2_weighted"] == pytest.approx(1.0, abs=1e-5)
        assert row["clip_r2"] == pytest.approx(1.0, abs=1e-6)


def test_fidelity_against_theory_of_a_curved_model(rng, components):
    """A square of one gain: what a line misses of it grows with the distance, but not at the distance of the fit."""

    class Squared:
        names, mid_to_emotion, device = MIDLEVEL_NAMES, None, torch.device("cpu")
        takes: Takes = "spectrogram"

        def __init__(self):
            self.linear = linear_predict(components, np.tile(np.eye(12)[4], (7, 1)))

        def __call__(self, spectrograms):
            return self.linear(spectrograms) ** 2

    weights = explain_with_lime(Squared(), components, settings=SETTINGS)
    places = [Neighbourhood(0.5, off) for off in ("-6dB", "-3dB", "-24dB")]
    rows = fidelity.evaluate(Squared(), components, weights, off="-6dB", neighbourhoods=places, n_mixtures=64)
    found = {row["off"]: row["r2"] for row in rows if row["target"] == "minorness"}
    assert found["-6dB"] == pytest.approx(1.0, abs=1e-5)  # two points lie on a line

    def missed(gain):
        line = 1.0 - 1.5 * (1.0 - gain) if gain != 1.0 else 1.0  # from 1 at unity to .25 at one half
        return (gain**2 - line) ** 2

    for off, gain in (("-3dB", 10 ** (-3 / 20)), ("-24dB", 10 ** (-24 / 20))):
        kept = (draw_gains(12, Neighbourhood(0.5, off), n_mixtures=64, seed=0)[:, 4] == 1.0).mean()
        truth = 1 - missed(gain) / ((1 - gain**2) ** 2 * kept)
        assert found[off] == pytest.approx(truth, abs=0.02)  # -6 dB is not exactly one half


def test_neighbourhoods_against_theory():
    near, far = (draw_gains(40, Neighbourhood(p, "-12dB"), n_mixtures=500, seed=3) for p in (0.9, 0.25))
    assert {1.0, 10**-0.6} == set(np.unique(near)) == set(np.unique(far))
    assert (near == 1.0).mean() == pytest.approx(0.9, abs=0.01)
    assert (far == 1.0).mean() == pytest.approx(0.25, abs=0.01)
    assert (near == 1.0)[far == 1.0].all()
    assert (draw_gains(40, Neighbourhood(0.9, "-12dB"), n_mixtures=500, seed=4) != near).any()


def test_predictions_against_theory(rng, components):
    predict = linear_predict(components, rng.normal(size=(7, 12)))
    weights = explain_with_lime(predict, components, settings=SETTINGS)
    ends = fidelity.predict_mixtures(weights, [np.ones(12), np.full(12, 10**-0.3)], off="-6dB")
    assert_allclose(ends, [weights.intercepts + weights.weights.sum(axis=1), weights.intercepts])


def test_fidelity_iv(rng, components):
    predict = linear_predict(components, rng.normal(size=(7, 12)))
    weights = explain_with_lime(predict, components, settings=SETTINGS)
    other = grid_components(rows=3)
    with pytest.raises(InputError, match="gains must be of 12 components, got 9"):
        fidelity.evaluate(linear_predict(other, np.ones((7, 9))), other, weights, off="-6dB")
    with pytest.raises(InputError, match="weights must be of the model's scores"):
        fidelity.evaluate(replace(predict, names=tuple("abcdefg")), components, weights, off="-6dB")
    with pytest.raises(InputError, match=r"on_probability must be a finite number in 0\.\.1, got 2"):
        Neighbourhood(2.0, "-6dB")
    with pytest.raises(InputError, match="off must be"):
        Neighbourhood(0.5, "quiet")
    with pytest.raises(InputError, match="scores must be finite"):
        r2([[np.nan], [1.0]], [[0.0], [1.0]])
    with pytest.raises(InputError, match=r"scores must have 2 axes of at least 2 x 1 numbers, got shape \[1, 1\]"):
        r2([[1.0]], [[1.0]])
    with pytest.raises(InputError, match="kernel must be 2 weights >= 0"):
        r2([[1.0], [0.0]], [[1.0], [0.0]], [0.0, 0.0])
    with pytest.raises(InputError, match="n_mixtures must be a whole number of at least 2, got 1"):
        draw_gains(3, NEIGHBOURHOODS[0], n_mixtures=1, seed=0)
