import numpy as np
import pytest
import torch
from fakes import decibel_problem, grid_problem
from small_runs import small_predictor

from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES
from emomod.model.mid_to_emotion import published_layer
from emomod.steering.account import account_of, feature_shifts, mixing_of


def network_problem(*, two_levels=True):
    return grid_problem(small_predictor(two_levels=two_levels))


def sound_at(problem, gains):
    with torch.inference_mode():
        return problem.hearing.sound(torch.from_numpy(problem.parts.spread(gains)[None]).float())[0].numpy()


def test_account_of_against_theory_exact_for_a_linear_model(rng):
    slopes, gains = 0.01 * rng.normal(size=(3, 8)), 4.0 * rng.normal(size=8)
    account = account_of(decibel_problem(slopes), gains, slopes @ gains)
    assert account.names == ("score0", "score1", "score2")
    np.testing.assert_allclose(account.shares, slopes * gains, atol=1e-5)
    np.testing.assert_allclose(account.left, 0.0, atol=1e-5)


def test_account_of_against_theory_a_product_is_shared_out_equally():
    """The score (g0 + 2 g1)^2 at (1, 1) is 9: along the straight line, g0 carries 3 of it and g1 6."""
    problem = decibel_problem(np.array([[1.0, 2.0]]), curve=torch.square)
    account = account_of(problem, np.ones(2), np.array([9.0]))
    np.testing.assert_allclose(account.shares, [[3.0, 6.0]], atol=1e-4)


def test_account_of_against_the_promise_a_model_without_gradients_is_told_by_its_surrogate(rng):
    slopes, gains = rng.normal(size=(2, 5)), rng.normal(size=5)
    problem = decibel_problem(slopes, smooth=False, curve=torch.tanh)
    account = account_of(problem, gains, np.array([0.1, 0.2]))
    np.testing.assert_allclose(account.shares, slopes * gains)
    np.testing.assert_allclose(account.left, np.array([0.1, 0.2]) - slopes @ gains)


@pytest.mark.parametrize("two_levels", (True, False))
def test_account_of_against_theory_shares_sum_to_the_shift(rng, two_levels):
    problem, gains = network_problem(two_levels=two_levels), rng.uniform(-3.0, 3.0, 12)
    peaks = [int(np.abs(sound_at(problem, share * gains)).argmax()) for share in np.linspace(0.0, 1.0, 11)]
    assert len(set(peaks)) == 1  # where the peak is another sample half way, the slope jumps
    shift = problem.found(gains).shifts[0]
    account = account_of(problem, gains, shift)
    assert np.abs(shift).max() > 0.005
    np.testing.assert_allclose(account.shares.sum(axis=1), shift, atol=0.01 * np.abs(shift).max())
    np.testing.assert_allclose(account.left, shift - account.shares.sum(axis=1))


def test_account_of_against_central_differences_of_a_small_step():
    problem, step = network_problem(), 0.02
    for part in (0, 7):
        gains = np.zeros(12)
        gains[part] = step
        account = account_of(problem, gains, problem.found(gains).shifts[0])
        at = 0.1 * np.eye(12)[part]
        slope = (problem.found(at).shifts[0] - problem.found(-at).shifts[0]) / 0.2
        np.testing.assert_allclose(account.shares[:, part] / step, slope, atol=0.01 * np.abs(slope).max())
        assert not np.delete(account.shares, part, axis=1).any()


def test_account_of_against_the_linear_layer_emotions_are_sums_of_features(rng):
    problem, layer, gains = network_problem(), published_layer(), rng.uniform(-6.0, 6.0, 12)
    shares = account_of(problem, gains, np.zeros(15)).shares
    np.testing.assert_allclose(shares[7:], layer.weights @ shares[:7], atol=1e-8)


def test_mixing_of_against_the_scores_themselves(rng):
    layer, features = published_layer(), rng.normal(size=(5, 7))
    scores = features @ mixing_of(small_predictor()).T
    np.testing.assert_allclose(scores[:, :7], features)
    np.testing.assert_allclose(scores[:, 7:], layer.emotions(features) - layer.intercepts, atol=1e-6)
    np.testing.assert_array_equal(mixing_of(small_predictor(two_levels=False)), np.eye(8))


def test_feature_shifts_against_the_shift_that_the_network_makes(rng):
    problem = network_problem()
    shift = problem.found(rng.uniform(-6.0, 6.0, 12)).shifts[0]
    predict = problem.hearing.predict
    for emotion in EMOTION_NAMES:
        added = feature_shifts(predict, emotion, shift)
        assert sorted(added) == sorted(MIDLEVEL_NAMES)
        assert sum(added.values()) == pytest.approx(shift[predict.names.index(emotion)], abs=1e-6)
        sizes = np.abs(list(added.values()))
        assert (np.diff(sizes) <= 0.0).all()


def test_feature_shifts_against_arithmetic():
    layer, shift = published_layer(), np.zeros(15)
    shift[[2, 6]] = 0.1, -0.2
    added = feature_shifts(small_predictor(), "sad", shift)
    row = layer.weights[EMOTION_NAMES.index("sad")]
    assert added["rhythm_complexity"] == pytest.approx(0.1 * row[2])
    assert added["minorness"] == pytest.approx(-0.2 * row[6])
    assert sum(abs(value) for name, value in added.items() if name not in ("rhythm_complexity", "minorness")) == 0.0


def test_feature_shifts_where_there_is_nothing_below():
    assert feature_shifts(small_predictor(), "minorness", np.ones(15)) == {}
    assert feature_shifts(small_predictor(two_levels=False), "sad", np.ones(8)) == {}
