import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from fakes import grid_components, linear_predict, tiny_checkpoint
from games import Game
from scipy import stats
from sklearn.linear_model import LinearRegression

from emomod.attribution.lime import LimeSettings, explain_with_lime, lime_curve
from emomod.attribution.shapley import (
    BanzhafSettings,
    KernelShapSettings,
    coalitions,
    explain_with_banzhaf,
    explain_with_kernel_shap,
)
from emomod.errors import InputError
from emomod.labels import SCORE_NAMES
from emomod.model.mid_to_emotion import published_layer
from emomod.model.predictor import load_predictor
from emomod.perturbation import ALL_DESIGNS, EXHAUSTIVE, least_perturbations, mask_blocks
from emomod.surrogate import cosine_kernel

GAMES: Any = ((KernelShapSettings, explain_with_kernel_shap), (BanzhafSettings, explain_with_banzhaf))
ARRAYS = ("weights", "standard_errors", "p_values", "intercepts", "neighbourhood_r2", "fit_r2")


def every_mask(n):
    return np.array(list(itertools.product((False, True), repeat=n)))


def interacting(n, *, seed=0):
    """A function of gains with terms of one, two and three components, and products of all."""
    rng = np.random.default_rng(seed)
    one, two, three = (torch.from_numpy(rng.normal(size=(n,) * order)) for order in (1, 2, 3))

    def scores(gains):
        found = gains @ one + torch.einsum("ni,ij,nj->n", gains, two, gains) / n
        found = found + torch.einsum("ni,ijk,nj,nk->n", gains, three, gains, gains) / n**2
        return torch.stack([found, torch.tanh(found), gains.prod(dim=1)], dim=1)

    return scores


def worth(scores, masks, *, low):
    return scores(torch.from_numpy(np.where(masks, 1.0, low))).numpy()


def shapley_by_orders(scores, n, *, low):
    """What each component adds when it joins, averaged over all orders."""
    values, orders = [], list(itertools.permutations(range(n)))
    for order in orders:
        masks = np.array([[k in order[:step] for k in range(n)] for step in range(n + 1)])
        values.append(np.diff(worth(scores, masks, low=low), axis=0)[np.argsort(order)])
    return np.mean(values, axis=0).T


def banzhaf_by_sets(scores, n, *, low):
    """What each component adds, averaged over all sets of the others."""
    values = []
    for component in range(n):
        without = every_mask(n)[~every_mask(n)[:, component]]
        joined = without | np.eye(n, dtype=bool)[component]
        values.append((worth(scores, joined, low=low) - worth(scores, without, low=low)).mean(axis=0))
    return np.array(values).T


TRUTHS = {KernelShapSettings: shapley_by_orders, BanzhafSettings: banzhaf_by_sets}


@pytest.fixture(scope="module")
def six():
    return grid_components(rows=2, columns=3)


@pytest.fixture(scope="module")
def twelve():
    return grid_components()


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    return load_predictor(tiny_checkpoint(tmp_path_factory.mktemp("shapley") / "t.safetensors"), device="cpu")


@pytest.mark.parametrize(("kind", "explain"), GAMES)
@pytest.mark.parametrize(("off", "low"), (("silence", 0.0), ("-6dB", 10**-0.3)))
def test_values_against_their_definition(six, kind, explain, off, low):
    scores = interacting(6)
    found = explain(Game(six, scores, names=("a", "b", "c")), six, settings=kind(n_perturbations=64, off=off))
    np.testing.assert_allclose(found.weights, TRUTHS[kind](scores, 6, low=low), atol=1e-6)
    assert found.standard_errors is None
    assert found.p_values is None


@pytest.mark.parametrize(("kind", "explain"), GAMES)
@pytest.mark.parametrize("n_perturbations", (100, 4096))  # drawn, and all there are
def test_values_against_theory_a_linear_model_is_recovered(rng, twelve, kind, explain, n_perturbations):
    truth = rng.normal(size=(7, 12))
    settings = kind(n_perturbations=n_perturbations, n_held_out=32, off="-20dB", batch_size=256)
    found = explain(linear_predict(twelve, truth), twelve, settings=settings)
    np.testing.assert_allclose(found.weights, 0.9 * truth, atol=1e-5)
    np.testing.assert_allclose(found.intercepts, 0.1 * truth.sum(axis=1), atol=1e-5)
    np.testing.assert_allclose(found.neighbourhood_r2, 1.0, atol=1e-6)
    assert found.clip_r2 == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("n_perturbations", (40, 1000))
def test_shapley_against_theory_weights_sum_to_the_change(twelve, n_perturbations):
    predict = Game(twelve, interacting(12), names=("a", "b", "c"))
    found = explain_with_kernel_shap(predict, twelve, settings=KernelShapSettings(n_perturbations=n_perturbations))
    on, off = worth(predict.scores, np.array([[True] * 12, [False] * 12]), low=10**-0.3)
    np.testing.assert_allclose(found.weights.sum(axis=1), on - off, atol=1e-6)
    np.testing.assert_allclose(found.intercepts, off, atol=1e-6)


def test_values_against_theory_they_agree_where_no_three_interact(six, rng):
    pairs = torch.from_numpy(rng.normal(size=(6, 6)))
    predict = Game(six, lambda gains: torch.einsum("ni,ij,nj->n", gains, pairs, gains)[:, None], names=("pairs",))
    shapley, banzhaf = (explain(predict, six, settings=kind(n_perturbations=64)) for kind, explain in GAMES)
    np.testing.assert_allclose(shapley.weights, banzhaf.weights, atol=1e-6)
    product = Game(six, lambda gains: gains.prod(dim=1, keepdim=True), names=("product",))
    shapley, banzhaf = (
        explain(product, six, settings=kind(n_perturbations=64, off="silence")) for kind, explain in GAMES
    )
    np.testing.assert_allclose(shapley.weights, 1 / 6, atol=1e-6)
    np.testing.assert_allclose(banzhaf.weights, 1 / 2**5, atol=1e-6)


def test_sampled_shapley_against_constrained_least_squares(twelve):
    """The same masks in a textbook's equations: normal equations with a multiplier for the constraint."""
    predict = Game(twelve, interacting(12), names=("a", "b", "c"))
    found = explain_with_kernel_shap(predict, twelve, settings=KernelShapSettings(n_perturbations=200, seed=3))
    masks = np.vstack(list(coalitions(12, n_perturbations=200, seed=3)))
    y = worth(predict.scores, masks, low=10**-0.3)
    z, change = masks[2:].astype(float), y[0] - y[1]
    bordered = np.block([[z.T @ z, np.ones((12, 1))], [np.ones((1, 12)), np.zeros((1, 1))]])
    expected = np.linalg.solve(bordered, np.vstack([z.T @ (y[2:] - y[1]), change]))[:12].T
    np.testing.assert_allclose(found.weights, expected, atol=1e-6)
    left = y[2:] - y[1] - z @ expected.T
    np.testing.assert_allclose(found.fit_r2, 1 - (left**2).sum(axis=0) / (y[2:].var(axis=0) * 198), atol=1e-5)


def repeated(components, kind, explain, *, n_runs, n_perturbations, scores):
    predict = Game(components, scores, names=("a", "b", "c"))
    return [
        explain(
            predict, components, settings=kind(n_perturbations=n_perturbations, n_held_out=2, batch_size=512, seed=seed)
        )
        for seed in range(n_runs)
    ]


@pytest.mark.parametrize(
    ("kind", "explain", "n_perturbations"), ((*GAMES[0], 320), (*GAMES[0], 64), (*GAMES[1], 320), (*GAMES[1], 64))
)
def test_standard_errors_against_the_spread_over_seeds(twelve, kind, explain, n_perturbations):
    predict = Game(twelve, interacting(12), names=("a", "b", "c"))
    truth = explain(predict, twelve, settings=kind(n_perturbations=4096, batch_size=512)).weights[:2]
    runs = repeated(twelve, kind, explain, n_runs=120, n_perturbations=n_perturbations, scores=predict.scores)
    errors = np.array([run.weights[:2] for run in runs]) - truth  # not the product, which is all in the first mask
    stated = np.array([run.standard_errors[:2] for run in runs])
    ratio, spread = np.sqrt((stated**2).mean(axis=0) / (errors**2).mean(axis=0)), errors.std(axis=0)
    np.testing.assert_allclose(ratio.mean(axis=1), 1.0, atol=0.08)  # of 12 components
    np.testing.assert_allclose(ratio, 1.0, atol=0.3)
    assert np.abs(errors.mean(axis=0) / (spread / np.sqrt(120))).max() < 4.0  # no bias
    width = stats.t.ppf(0.975, n_perturbations // 2 - 12) * stated
    assert 0.90 < (np.abs(errors) <= width).mean() < 0.97  # of 2880 intervals of 95 %


def test_p_values_against_theory_of_the_t_test(twelve):
    predict = Game(twelve, interacting(12), names=("a", "b", "c"))
    found = explain_with_kernel_shap(predict, twelve, settings=KernelShapSettings(n_perturbations=40))
    assert found.p_values is not None
    expected = 2 * stats.t.sf(
        np.abs(found.weights / np.asarray(found.standard_errors)), 19 - 11
    )  # all on and all off: no pair
    np.testing.assert_allclose(found.p_values, expected, rtol=1e-9)


def test_standard_errors_against_theory_one_variance_for_all_sizes_would_be_wrong(twelve):
    """Residuals that are large where few components are on: what the errors are robust to."""

    def scores(gains):
        alone = (gains > 0.9).sum(dim=1) <= 1
        return (alone * torch.sin(40.0 * gains @ torch.arange(12.0).double()))[:, None].repeat(1, 3)

    runs = repeated(twelve, *GAMES[0], n_runs=100, n_perturbations=256, scores=scores)
    stated = np.sqrt(np.mean([run.standard_errors**2 for run in runs], axis=0))
    spread = np.std([run.weights for run in runs], axis=0)
    assert (stated / spread).mean() == pytest.approx(1.0, abs=0.1)


def test_p_values_against_theory_of_a_component_whose_value_is_zero(twelve):
    def scores(gains):
        half = 0.5 * (1 - 10**-0.3)
        centred = gains - (1 - half)  # the product of three has values of 2 half^3 / 3 each
        return (centred[:, :3].prod(dim=1) - half**2 / 3 * centred[:, 0])[:, None].repeat(1, 3)

    runs = repeated(twelve, *GAMES[0], n_runs=200, n_perturbations=320, scores=scores)
    p_values = np.array([run.p_values[0, 0] for run in runs])
    assert (p_values < 0.05).mean() == pytest.approx(0.05, abs=0.04)
    assert (p_values < 0.5).mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(("kind", "explain"), GAMES)
def test_values_of_emotions_against_those_of_a_model_of_emotions_alone(six, kind, explain):
    scores, layer = interacting(6), published_layer()
    weights, intercepts = torch.from_numpy(layer.weights), torch.from_numpy(layer.intercepts)

    def midlevel(gains):
        return torch.cat([scores(gains), scores(gains**2), gains[:, :1]], dim=1)

    settings = kind(n_perturbations=40)
    both = explain(Game(six, midlevel, SCORE_NAMES, layer), six, settings=settings)
    alone = explain(Game(six, lambda g: midlevel(g) @ weights.T + intercepts, SCORE_NAMES[7:]), six, settings=settings)
    np.testing.assert_allclose(both.weights[7:], layer.weights @ both.weights[:7], atol=1e-12)
    for name in ARRAYS:
        np.testing.assert_allclose(getattr(both, name)[7:], getattr(alone, name), atol=1e-6)


@pytest.mark.parametrize(("kind", "explain"), GAMES)
@pytest.mark.parametrize("batch_size", (1, 7, 64))
def test_values_against_themselves_batches_do_not_matter(twelve, predictor, kind, explain, batch_size):
    one, other = (
        explain(predictor, twelve, settings=kind(n_perturbations=64, n_held_out=16, batch_size=size))
        for size in (16, batch_size)
    )
    for name in ("weights", "standard_errors", "intercepts"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-6)


@pytest.mark.parametrize(("kind", "explain"), GAMES)
def test_values_against_themselves_a_seed_gives_the_same_to_the_bit(twelve, predictor, kind, explain):
    runs = [
        explain(predictor, twelve, settings=kind(n_perturbations=64, n_held_out=16, seed=seed)) for seed in (1, 1, 2)
    ]
    for name in ARRAYS:
        assert np.array_equal(getattr(runs[0], name), getattr(runs[1], name))
    assert not np.array_equal(runs[0].weights, runs[2].weights)


@pytest.mark.parametrize(("kind", "explain"), GAMES)
@pytest.mark.parametrize(("rows", "n_perturbations"), ((1, 2), (2, 4), (2, 2048), (3, 8)))
def test_values_of_very_few_components(kind, explain, rows, n_perturbations):
    components = grid_components(rows=rows, columns=1)
    scores = interacting(rows)
    settings = kind(n_perturbations=n_perturbations, off="silence")
    found = explain(Game(components, scores, names=("a", "b", "c")), components, settings=settings)
    np.testing.assert_allclose(found.weights, TRUTHS[kind](scores, rows, low=0.0), atol=1e-6)


@pytest.mark.parametrize(("kind", "explain"), GAMES)
@pytest.mark.parametrize(("n_perturbations", "total"), ((41, 41), (4096, 4096)))
def test_values_against_the_design_progress_is_told(twelve, kind, explain, n_perturbations, total):
    told, settings = [], kind(n_perturbations=n_perturbations, n_held_out=2, batch_size=256)
    predict = linear_predict(twelve, np.ones((7, 12)))
    explain(predict, twelve, settings=settings, progress=lambda *numbers: told.append(numbers))
    total -= kind is KernelShapSettings and total % 2  # whole pairs
    assert told[-1] == (total, total)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_coalitions_against_theory():
    masks = np.vstack(list(coalitions(9, n_perturbations=20_000, seed=4)))
    assert masks.shape == (20_000, 9)
    assert masks[0].all()
    assert np.array_equal(masks[1::2], ~masks[::2])
    sizes = masks[2::2].sum(axis=1)
    p = np.array([8 / (size * (9 - size)) for size in range(1, 9)])
    counts = np.bincount(sizes, minlength=10)
    assert counts[0] == counts[9] == 0
    assert stats.chisquare(counts[1:9], p / p.sum() * len(sizes)).pvalue > 0.001
    for size in (1, 4):  # all sets of a size are as likely
        chosen = masks[2::2][sizes == size].sum(axis=0)
        assert stats.chisquare(chosen).pvalue > 0.001


@pytest.mark.parametrize("n_perturbations", (2, 3, 100, 1024, 1500, 3000))
def test_coalitions_against_themselves_a_longer_run_begins_with_a_shorter_one(n_perturbations):
    masks = np.vstack(list(coalitions(20, n_perturbations=n_perturbations, seed=1)))
    longer = np.vstack(list(coalitions(20, n_perturbations=4000, seed=1)))
    assert len(masks) == n_perturbations // 2 * 2
    assert np.array_equal(masks, longer[: len(masks)])
    assert not np.array_equal(longer[1024:2048], longer[:1024])


@pytest.mark.parametrize(("kind", "explain"), GAMES)
@pytest.mark.parametrize(("rows", "least"), ((2, 14), (4, 26)))  # 6 and 12 components
def test_values_iv_too_few_masks(kind, explain, rows, least):
    components = grid_components(rows=rows)
    with pytest.raises(InputError, match=f"n_perturbations must be at least {least} for {3 * rows} components"):
        explain(
            linear_predict(components, np.ones((7, 3 * rows))), components, settings=kind(n_perturbations=least - 1)
        )


def test_shapley_iv_few_components_can_be_taken_exhaustively():
    components = grid_components(rows=2, columns=1)
    with pytest.raises(InputError, match="n_perturbations must be at least 4 for 2 components, got 3"):
        explain_with_kernel_shap(
            linear_predict(components, np.ones((7, 2))), components, settings=KernelShapSettings(n_perturbations=3)
        )


@pytest.mark.parametrize(("kind", "_explain"), GAMES)
@pytest.mark.parametrize(
    ("setting", "message"),
    (
        ({"n_perturbations": 1}, "n_perturbations must be a whole number of at least 2"),
        ({"n_held_out": 1}, "n_held_out must be a whole number of at least 2"),
        ({"batch_size": 0}, "batch_size must be a whole number of at least 1"),
        ({"off": "loud"}, "off must be"),
        ({"seed": -1}, "a seed must be >= 0"),
    ),
)
def test_settings_iv(kind, _explain, setting, message):
    with pytest.raises(InputError, match=message):
        kind(**setting)


@pytest.mark.parametrize("n_components", (1, 2, 5, 12))
def test_exhaustive_masks_against_all_there_are(n_components):
    blocks = list(mask_blocks(n_components, n_perturbations=1, design=EXHAUSTIVE, seed=0))
    masks = np.vstack(blocks)
    assert max(len(block) for block in blocks) <= 1024
    assert masks.dtype == bool
    assert masks[0].all()
    assert np.array_equal(masks[1::2], ~masks[::2])
    assert {row.tobytes() for row in masks} == {row.tobytes() for row in every_mask(n_components)}
    assert len(masks) == 2**n_components == least_perturbations(n_components, design=EXHAUSTIVE)


@pytest.mark.parametrize("design", ALL_DESIGNS)
def test_masks_iv_of_the_design_exhaustive(design):
    masks = mask_blocks(17, n_perturbations=64, design=design, seed=0)
    if design == EXHAUSTIVE:
        with pytest.raises(InputError, match=r"at most 16 components, of which there are 65536 masks, got 17"):
            next(masks)
    else:
        assert next(masks).shape[1] == 17


@pytest.mark.parametrize("kernel_width", (None, 0.25))
@pytest.mark.parametrize("alpha", (0.0, 2.0))
def test_exhaustive_lime_against_sklearn_without_a_penalty(six, kernel_width, alpha):
    predict = Game(six, interacting(6), names=("a", "b", "c"))
    settings = LimeSettings(design=EXHAUSTIVE, off="silence", kernel_width=kernel_width, alpha=alpha)
    found = explain_with_lime(predict, six, settings=settings)
    masks, kernel = every_mask(6), None if kernel_width is None else cosine_kernel(every_mask(6), width=kernel_width)
    scores = worth(predict.scores, masks, low=0.0)
    theirs = LinearRegression().fit(masks, scores, sample_weight=kernel)
    np.testing.assert_allclose(found.weights, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(found.intercepts, theirs.intercept_, atol=1e-5)
    expected = [theirs.predict(masks)[:, t] for t in range(3)]
    for row, prediction in enumerate(expected):
        left, spread = scores[:, row] - prediction, scores[:, row] - np.average(scores[:, row], weights=kernel)
        v = np.ones(64) if kernel is None else kernel
        assert found.fit_r2[row] == pytest.approx(1 - (v * left**2).sum() / (v * spread**2).sum(), abs=1e-5)
    assert found.standard_errors is None


@pytest.mark.parametrize("rows", (1, 2, 3))
@pytest.mark.parametrize("design", (EXHAUSTIVE, "hadamard"))
def test_lime_of_a_few_components_takes_all_masks_and_shrinks_nothing(rows, design):
    components, truth = grid_components(rows=rows, columns=1), np.arange(7.0 * rows).reshape(7, rows)
    settings = LimeSettings(design=design, off="silence")
    found = explain_with_lime(linear_predict(components, truth), components, settings=settings)
    np.testing.assert_allclose(found.weights, truth, atol=1e-5)


def test_exhaustive_lime_iv(twelve):
    predict = linear_predict(twelve, np.ones((7, 12)))
    with pytest.raises(InputError, match="exhaustive has one number of masks alone"):
        lime_curve(predict, twelve, settings=LimeSettings(design=EXHAUSTIVE), counts=[64, 4096])
    many = grid_components(rows=9, columns=2)
    with pytest.raises(InputError, match="at most 16 components"):
        explain_with_lime(linear_predict(many, np.ones((7, 18))), many, settings=LimeSettings(design=EXHAUSTIVE))
    assert math.isclose(least_perturbations(12, design=EXHAUSTIVE), 4096)
