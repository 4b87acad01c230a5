import json

import numpy as np
import pytest
from fakes import component_weights, shared
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import false_discovery_control, norm
from sklearn.metrics import r2_score

from emomod.component_weights import r2_at_clip, select_components, weights_of_scores
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES, SCORE_NAMES
from emomod.model.mid_to_emotion import published_layer
from emomod.surrogate import Statistics, quality_on

# the notebook's seven numbers: the surrogate's and the model's scores of the unchanged clip
SURROGATE = np.array([0.14646465, 0.43016197, 0.82122439, 0.21404148, 0.77475787, 0.11777433, 0.57097516])
MODEL = np.array([0.143271, 0.41985396, 0.8262716, 0.21076453, 0.7703204, 0.11702541, 0.58214384])


def test_r2_at_clip_against_the_notebook():
    assert r2_at_clip(MODEL, SURROGATE) == pytest.approx(0.9994317566807138, abs=1e-7)  # from eight printed digits
    assert r2_at_clip(MODEL, SURROGATE) == pytest.approx(r2_score(MODEL, SURROGATE), abs=1e-12)


def test_r2_at_clip_against_the_published_example():
    told = json.loads(shared("published_example_001.json").read_text())["lime_run"]
    found = r2_at_clip(np.array(told["model_outputs_at_clip"]), np.array(told["local_predictions"]))
    assert found == pytest.approx(told["printed_r2_over_the_7_targets_at_the_clip"], abs=1e-7)


def test_r2_at_clip_against_theory_one_target_has_none():
    assert np.isnan(r2_at_clip(np.array([0.5]), np.array([0.4])))


def chosen(weights, p_values, rule):
    one = component_weights(np.atleast_2d(weights), np.atleast_2d(p_values), ("articulation",))
    selection = select_components(one, target="articulation", rule=rule)
    assert (selection.target, selection.rule) == ("articulation", rule)
    return selection.positive.tolist(), selection.negative.tolist()


@given(seed=st.integers(0, 999), n=st.integers(1, 60), rate=st.sampled_from((0.01, 0.05, 0.5)))
@settings(max_examples=25)
def test_select_against_scipy_false_discovery_rate(seed, n, rate):
    rng = np.random.default_rng(seed)
    weights, p_values = rng.normal(size=n), rng.random(n) ** 4
    positive, negative = chosen(weights, p_values, f"bh:{rate}")
    rejected = false_discovery_control(p_values) <= rate
    assert sorted(positive) == np.flatnonzero(rejected & (weights > 0)).tolist()
    assert sorted(negative) == np.flatnonzero(rejected & (weights < 0)).tolist()
    assert (np.diff(weights[positive]) <= 0).all()  # largest first
    assert (np.diff(weights[negative]) >= 0).all()  # most negative first


def test_false_discovery_rate_against_theory():
    rng, found = np.random.default_rng(1), []
    for _ in range(200):
        z = rng.normal(size=100) + np.where(np.arange(100) < 20, 4.0, 0.0)
        positive, negative = chosen(z, 2 * norm.sf(np.abs(z)), "bh:0.1")
        kept = np.array(positive + negative)
        found.append((kept >= 20).mean() if kept.size else 0.0)
    assert np.mean(found) == pytest.approx(0.1 * 80 / 100, abs=0.02)  # rate x share of true nulls


WEIGHTS = np.array([0.5, -0.4, 0.001, -0.3, 0.2, 0.0])
P_VALUES = np.array([1e-9, 1e-9, 1e-9, 0.9, 2e-7, 0.0])


@pytest.mark.parametrize(
    ("rule", "positive", "negative"),
    (
        ("ratio:1e-6", [0], [1]),  # p / |w|: 2e-9, 2.5e-9, 1e-6 (not below), 3, 1e-6 (not below), no weight
        ("ratio:1e-5", [0, 4, 2], [1]),
        ("bh:0.05", [0, 4, 2], [1]),
        ("bh:0", [], []),
        ("top:1", [0], []),
        ("top:3", [0], [1, 3]),
        ("top:99", [0, 4, 2], [1, 3]),
    ),
)
def test_select_against_theory(rule, positive, negative):
    assert chosen(WEIGHTS, P_VALUES, rule) == (positive, negative)


def test_select_against_theory_nothing_stands_out():
    assert chosen(WEIGHTS, np.ones(6), "bh:0.05") == ([], [])


@given(arrays(float, 20, elements=st.floats(-1, 1).map(lambda value: round(value, 9))), st.integers(1, 25))
@settings(max_examples=25)
def test_select_against_theory_top(weights, k):
    positive, negative = chosen(weights, np.ones(20), f"top:{k}")
    kept = positive + negative
    assert len(kept) == min(k, np.count_nonzero(weights))
    rest = np.setdiff1d(np.arange(20), kept)
    assert not kept or not rest.size or np.abs(weights[kept]).min() >= np.abs(weights[rest]).max()


@pytest.mark.parametrize(
    ("rule", "message"),
    (
        ("bh", 'must look like "bh:0.05"'),
        ("bh:much", 'must look like "bh:0.05"'),
        (":", 'must look like "bh:0.05"'),
        ("best:3", "rule must be one of bh, ratio, top, highest, got 'best'"),
        ("bh:2", "finite number in 0..1"),
        ("bh:-0.1", "finite number in 0..1"),
        ("top:0", "whole number of at least 1"),
        ("top:2.7", "whole number of at least 1"),
        ("top:inf", "whole number of at least 1"),
        ("ratio:nan", "finite number"),
    ),
)
def test_select_iv(rule, message):
    with pytest.raises(InputError, match=message):
        chosen(WEIGHTS, P_VALUES, rule)


def test_select_iv_target():
    one = component_weights(np.ones((1, 2)), np.ones((1, 2)), ("articulation",))
    with pytest.raises(InputError, match="target must be one of articulation, got 'groove'"):
        select_components(one, target="groove")


def test_weights_of_scores_against_a_direct_fit_of_the_emotions(rng):
    masks, layer = rng.random((200, 10)) < 0.5, published_layer()
    midlevel = 0.5 + 0.1 * masks @ rng.normal(size=(10, 7)) + 0.02 * rng.normal(size=(200, 7))
    every = np.column_stack([midlevel, layer.emotions(midlevel)])
    others, truth = rng.random((50, 10)) < 0.5, rng.normal(size=(50, 7))
    fits = []
    for scores, told in ((midlevel, truth), (every, np.column_stack([truth, layer.emotions(truth)]))):
        statistics = Statistics(10, scores.shape[1])
        statistics.add(masks, scores)
        surrogate = statistics.solve()
        fits.append((surrogate, quality_on(surrogate, others, told)))
    chained = weights_of_scores(*fits[0], names=SCORE_NAMES, layer=layer, at_clip=midlevel[0])
    direct = weights_of_scores(*fits[1], names=SCORE_NAMES, layer=None, at_clip=every[0])
    for name in ("weights", "standard_errors", "p_values", "intercepts", "neighbourhood_r2", "fit_r2"):
        np.testing.assert_allclose(getattr(chained, name), getattr(direct, name), atol=1e-9)
    assert chained.index("valence") == len(MIDLEVEL_NAMES)
    expected = r2_score(midlevel[0], fits[0][0].predict(np.ones((1, 10)))[0])  # over the mid-level features alone
    assert chained.clip_r2 == pytest.approx(expected)
