"""Precision of weights from their standard errors, against theory and against real repeats."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fakes import component_weights, grid_components, linear_predict

from emomod.attribution.lime import LimeSettings, explain_with_lime, lime_curve
from emomod.audio import read_clip
from emomod.component_weights import ComponentWeights
from emomod.components.base import sound_of
from emomod.components.kinds import cut
from emomod.data import demo_clip
from emomod.errors import InputError
from emomod.labels import SCORE_NAMES
from emomod.model.mid_to_emotion import published_layer
from emomod.model.predictor import load_predictor
from emomod.perturbation import block_rows, mask_blocks
from emomod.weight_precision import TOP, precision_in_words, precision_of, relative_errors


def weights_with(weights, errors, *, n_masks=100, names=("groove", "energy")):
    found = component_weights(weights, np.full(weights.shape, 0.5), names)
    return replace(found, standard_errors=errors, n_masks=n_masks)


class Rough:
    """A linear model with noise that is the same for the same sound."""

    def __init__(self, linear, *, size):
        self.linear, self.size = linear, size
        self.names, self.mid_to_emotion, self.device = linear.names, linear.mid_to_emotion, linear.device
        self.takes = linear.takes

    def __call__(self, spectrograms, /):
        scores, n = self.linear(spectrograms), len(self.linear.weights)
        scale = torch.arange(1, n + 1)
        noise = self.size * torch.sin(1e4 * spectrograms.double().sum(dim=(1, 2))[:, None] * scale)
        rough = scores[:, :n] + noise
        layer = self.mid_to_emotion
        return rough if layer is None else torch.cat([rough, torch.from_numpy(layer.emotions(rough.numpy()))], dim=1)


@pytest.fixture(scope="module")
def components():
    return grid_components(rows=4, columns=6)


def rough(components, *, size, layer=None, names=SCORE_NAMES[:7], seed=0):
    truth = np.random.default_rng(seed).normal(size=(7, components.n_components))
    return Rough(linear_predict(components, truth, layer, names), size=size)


def test_relative_errors_against_theory():
    weights, errors = np.array([[3.0, 4.0], [0.0, 0.0], [0.0, 0.0]]), np.array([[0.3, 0.4], [0.1, 0.0], [0.0, 0.0]])
    np.testing.assert_allclose(relative_errors(weights, errors), [0.5 / (25 - 0.25) ** 0.5, np.inf, 0.0])
    assert relative_errors(np.array([[3.0, 4.0]]), np.array([[4.0, 4.0]]))[0] == np.inf  # no more than chance


def test_precision_against_theory_without_error_all_is_the_same(rng):
    found = precision_of(weights_with(rng.normal(size=(2, 90)), np.zeros((2, 90))))
    assert found is not None
    assert found.top == TOP
    np.testing.assert_array_equal(found.relative_error, 0.0)
    np.testing.assert_array_equal(found.jaccard, 1.0)
    np.testing.assert_array_equal(found.sign, 1.0)


@pytest.mark.parametrize("error", (0.06, 0.3, 0.5, 1.0, np.inf))
def test_precision_against_real_pairs(rng, error):
    """What a run tells of itself, and what runs of the same truth have in common; the last is noise alone."""
    truth = rng.normal(size=(2, 300)) if np.isfinite(error) else np.zeros((2, 300))
    size = np.linalg.norm(truth, axis=1, keepdims=True)
    errors = np.full((2, 300), 1.0) if np.isinf(error) else error * size / 300**0.5 * np.ones((2, 300))
    runs = truth + errors * rng.normal(size=(40, 2, 300))
    told = [precision_of(weights_with(run, errors)) for run in runs[:10]]
    largest = np.argsort(-np.abs(runs), axis=2)[:, :, :TOP]
    pairs = [(a, a + 1, row) for a in range(39) for row in range(2)]
    shared = np.array([np.intersect1d(largest[a, row], largest[b, row]).size for a, b, row in pairs])
    signs = [np.mean((runs[a, row] > 0)[largest[a, row]] == (runs[b, row] > 0)[largest[a, row]]) for a, b, row in pairs]
    jaccard, sign = (np.mean([getattr(each, name) for each in told]) for name in ("jaccard", "sign"))
    assert jaccard == pytest.approx((shared / (2 * TOP - shared)).mean(), abs=0.05)
    assert sign == pytest.approx(np.mean(signs), abs=0.05 if error < 1 else 0.12)
    if error < 1:
        relative = np.mean([each.relative_error for each in told if each is not None])
        assert relative == pytest.approx(error, rel=0.1)


@pytest.mark.parametrize(("n_components", "top"), [(2, 1), (24, 8), (89, 30), (300, 30)])
def test_precision_against_the_design_of_few_components_a_third(n_components, top):
    found = precision_of(weights_with(np.ones((2, n_components)), np.ones((2, n_components))))
    assert found is not None
    assert found.top == top


def test_precision_against_itself_it_is_the_same_each_time(rng):
    weights = weights_with(rng.normal(size=(2, 40)), rng.random((2, 40)))
    one, other = (precision_of(weights).as_dict(weights.names) for _ in range(2))  # type: ignore[union-attr]
    assert one == other
    assert set(one) == {"top", "relative_error", "jaccard", "sign"}
    assert set(one["jaccard"]) == {"groove", "energy"}


def test_precision_iv_without_standard_errors_there_is_none():
    weights = replace(weights_with(np.ones((2, 4)), np.ones((2, 4))), standard_errors=None, p_values=None)
    assert precision_of(weights) is None
    assert precision_in_words(weights, target="energy") == (
        "All 100 mixtures that there are were scored: nothing is left to chance."
    )
    assert precision_in_words(replace(weights, n_masks=0), target="energy") == ""
    with pytest.raises(InputError, match="target must be one of groove, energy, got 'sad'"):
        precision_in_words(weights, target="sad")


def test_precision_in_words_against_the_figures(rng):
    weights = weights_with(rng.normal(size=(2, 90)), np.full((2, 90), 0.05))
    found = precision_of(weights)
    assert found is not None
    same = round(30 * 2 * found.jaccard[1] / (1 + found.jaccard[1]))
    error = round(100 * found.relative_error[1])
    words = precision_in_words(weights, target="energy")
    assert f"by {error} % of" in words
    assert f"{same} of the 30 largest" in words
    assert 25 <= same < 30
    assert 4 <= error <= 6


@pytest.mark.slow
def test_precision_against_real_repeats_of_the_default_model():
    """What one run says of itself, and what five runs with other seeds do."""
    predict, components = load_predictor(device="cpu"), cut(sound_of(read_clip(demo_clip()).y[: 3 * 22050]))
    assert components.n_components > 60
    runs = [
        explain_with_lime(predict, components, settings=LimeSettings(n_perturbations=512, n_held_out=2, seed=seed))
        for seed in range(5)
    ]
    told = precision_of(runs[0])
    assert told is not None
    pairs = [(a, b) for a in range(5) for b in range(a)]
    size = np.linalg.norm(runs[0].weights, axis=1)
    error = np.mean([np.linalg.norm(runs[a].weights - runs[b].weights, axis=1) for a, b in pairs], axis=0) / 2**0.5
    np.testing.assert_allclose(told.relative_error.mean(), (error / size).mean(), rtol=0.15)
    largest = [np.argsort(-np.abs(run.weights), axis=1)[:, : told.top] for run in runs]
    shared = np.mean(
        [[np.intersect1d(one, other).size for one, other in zip(largest[a], largest[b], strict=True)] for a, b in pairs]
    )
    overlap = 2 * told.top * told.jaccard / (1 + told.jaccard)
    np.testing.assert_allclose(overlap.mean(), shared, atol=0.05 * told.top)


@pytest.mark.parametrize("design", ("iid", "paired", "hadamard"))
def test_lime_against_the_design_it_stops_at_the_wanted_precision(components, design):
    settings = LimeSettings(n_perturbations=60_000, design=design, n_held_out=8)
    predict = rough(components, size=1.0)
    found = explain_with_lime(predict, components, settings=replace(settings, precision=0.05))
    rows = block_rows(24, design=design)
    assert 256 <= found.n_masks < 30_000
    assert found.n_masks % rows == 0
    assert found.standard_errors is not None
    assert relative_errors(found.weights, found.standard_errors).max() <= 0.05
    before = found.n_masks - rows
    (earlier,) = lime_curve(predict, components, settings=settings, counts=[before])
    assert earlier.standard_errors is not None
    assert relative_errors(earlier.weights, earlier.standard_errors).max() > 0.05 or before < 256


def test_lime_against_itself_a_run_that_stopped_is_the_beginning_of_a_longer_one(components):
    predict, settings = rough(components, size=1.0), LimeSettings(n_perturbations=60_000, precision=0.05, n_held_out=8)
    stopped = explain_with_lime(predict, components, settings=settings)
    (plain,) = lime_curve(predict, components, settings=settings, counts=[stopped.n_masks])
    np.testing.assert_array_equal(stopped.weights, plain.weights)
    np.testing.assert_array_equal(stopped.standard_errors, plain.standard_errors)
    assert plain.n_masks == stopped.n_masks


def test_lime_against_the_design_a_finer_precision_takes_more_masks_and_is_nearer_the_truth(components):
    truth = np.random.default_rng(0).normal(size=(7, 24))
    taken, errors = [], []
    for precision in (0.2, 0.1, 0.05, 0.025):
        settings = LimeSettings(n_perturbations=60_000, precision=precision, off="silence", n_held_out=8, alpha=0.0)
        found = explain_with_lime(rough(components, size=2.0), components, settings=settings)
        taken.append(found.n_masks)
        errors.append((np.linalg.norm(found.weights - truth, axis=1) / np.linalg.norm(truth, axis=1)).max())
    assert taken == sorted(set(taken))
    assert all(error < 1.6 * precision for error, precision in zip(errors, (0.2, 0.1, 0.05, 0.025), strict=True))


def test_lime_against_theory_stopping_early_does_not_bias(components):
    """Over seeds the mean of runs that stop is the truth within its own standard errors."""
    truth = np.random.default_rng(0).normal(size=(7, 24))
    settings = LimeSettings(n_perturbations=60_000, precision=0.12, off="silence", n_held_out=2, alpha=0.0)
    runs: list[ComponentWeights] = [
        explain_with_lime(rough(components, size=1.5), components, settings=replace(settings, seed=seed))
        for seed in range(24)
    ]
    found = np.array([run.weights for run in runs])
    spread = found.std(axis=0, ddof=1) / np.sqrt(len(runs))
    z = (found.mean(axis=0) - truth) / spread
    assert np.abs(z).max() < 5.0
    assert 0.7 < np.sqrt((z**2).mean()) < 1.35


def test_lime_against_the_design_precision_counts_the_emotions_too(components):
    predict = rough(components, size=1.0, layer=published_layer(), names=SCORE_NAMES)
    settings = LimeSettings(n_perturbations=60_000, precision=0.05, n_held_out=8)
    found = explain_with_lime(predict, components, settings=settings)
    assert found.standard_errors is not None
    assert relative_errors(found.weights, found.standard_errors).max() <= 0.05
    assert found.names == SCORE_NAMES


def test_lime_against_the_design_all_masks_where_precision_is_out_of_reach(components):
    settings = LimeSettings(n_perturbations=500, precision=1e-6, n_held_out=8)
    assert explain_with_lime(rough(components, size=1.0), components, settings=settings).n_masks == 500
    twelve, many = grid_components(), LimeSettings(n_perturbations=50_000, precision=1e-6, n_held_out=8)
    every = explain_with_lime(rough(twelve, size=1.0), twelve, settings=many)
    assert every.n_masks == 2**12  # all there are: no more can be known
    assert every.standard_errors is None
    few = LimeSettings(n_perturbations=64, precision=1e-6, n_held_out=8)
    assert explain_with_lime(rough(components, size=1.0), components, settings=few).n_masks == 64


@pytest.mark.parametrize("design", ("iid", "paired", "hadamard"))
@pytest.mark.parametrize("n_components", (1, 7, 8, 285))
def test_block_rows_against_the_blocks(design, n_components):
    first = next(mask_blocks(n_components, n_perturbations=10**6, design=design, seed=0))
    assert len(first) == block_rows(n_components, design=design)


def test_lime_against_the_design_a_score_that_does_not_vary_holds_nothing_up(components):
    predict = rough(components, size=0.05)

    class Dead(Rough):
        def __call__(self, spectrograms, /):
            scores = self.linear(spectrograms)
            scores[:, 3] = 0.7 + 1e-8 * torch.sin(1e4 * spectrograms.double().sum(dim=(1, 2)))
            return scores

    settings = LimeSettings(n_perturbations=2000, precision=0.05, n_held_out=8)
    found = explain_with_lime(Dead(predict.linear, size=0.0), components, settings=settings)
    assert found.n_masks == 256
    assert found.standard_errors is not None
    assert relative_errors(found.weights, found.standard_errors)[3] > 0.05


@pytest.mark.parametrize("precision", (-0.1, 5, float("nan"), "fine"))
def test_lime_iv_precision(precision):
    with pytest.raises(InputError, match="precision must be a"):
        LimeSettings(precision=precision)
    with pytest.raises(InputError, match="precision must not be given with the design exhaustive"):
        LimeSettings(precision=0.1, design="exhaustive")
