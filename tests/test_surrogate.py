import pickle  # only to weigh what is kept

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lime.lime_base import LimeBase
from scipy import stats
from sklearn.linear_model import Ridge
from sklearn.metrics import pairwise_distances, r2_score

from emomod.errors import InputError
from emomod.perturbation import FOLD_OVER, mask_blocks
from emomod.surrogate import Quality, Statistics, cosine_kernel, quality_on


def draw(rng, n=200, n_components=12, n_targets=3, *, noise=0.1):
    """Masks with scores that are linear in them, up to noise."""
    masks = rng.random((n, n_components)) < 0.5
    weights, intercepts = rng.normal(size=(n_targets, n_components)), rng.normal(size=n_targets)
    return masks, masks @ weights.T + intercepts + noise * rng.normal(size=(n, n_targets)), weights


def fitted(masks, scores, kernel=None, *, alpha=0.0, batch_size=None):
    statistics = Statistics(masks.shape[1], scores.shape[1])
    for first in range(0, len(masks), batch_size or len(masks)):
        rows = slice(first, first + (batch_size or len(masks)))
        statistics.add(masks[rows], scores[rows], None if kernel is None else kernel[rows])
    return statistics.solve(alpha=alpha)


@pytest.mark.parametrize("alpha", (0.0, 1.0, 10.0))
@pytest.mark.parametrize("weighted", (False, True))
@pytest.mark.parametrize("n_components", (1, 12, 60))
def test_surrogate_against_sklearn(rng, alpha, weighted, n_components):
    masks, scores, _ = draw(rng, n_components=n_components)
    kernel = cosine_kernel(masks, width=0.25) if weighted else None
    ours, theirs = (
        fitted(masks, scores, kernel, alpha=alpha),
        Ridge(alpha=alpha).fit(masks, scores, sample_weight=kernel),
    )
    np.testing.assert_allclose(ours.weights, theirs.coef_, atol=1e-9)
    np.testing.assert_allclose(ours.intercepts, theirs.intercept_, atol=1e-9)
    np.testing.assert_allclose(ours.predict(masks), theirs.predict(masks), atol=1e-9)
    expected = [r2_score(y, p, sample_weight=kernel) for y, p in zip(scores.T, theirs.predict(masks).T, strict=True)]
    np.testing.assert_allclose(ours.fit.r2, expected, atol=1e-9)


@pytest.mark.parametrize("design", ("iid", "hadamard"))
@pytest.mark.parametrize("n_components", (4, 40))
def test_surrogate_against_lime(rng, design, n_components):
    masks = np.vstack(list(mask_blocks(n_components, n_perturbations=500, design=design, seed=3)))
    scores = np.tanh(masks @ rng.normal(size=(n_components, 2)) * 0.3) + 0.5
    distances = pairwise_distances(masks.astype(float), masks[:1].astype(float), metric="cosine").ravel()
    ours = fitted(masks, scores, cosine_kernel(masks, width=0.25), alpha=1.0)
    lime = LimeBase(lambda d: np.sqrt(np.exp(-(d**2) / 0.25**2)), random_state=0)
    for target in range(2):
        intercept, weights, score, at_clip = lime.explain_instance_with_data(
            masks.astype(float), scores, distances, target, n_components, feature_selection="none"
        )
        theirs = np.array([weight for _, weight in sorted(weights)])
        np.testing.assert_allclose(ours.weights[target], theirs, atol=1e-6)
        assert ours.intercepts[target] == pytest.approx(intercept, abs=1e-6)
        assert ours.fit.r2[target] == pytest.approx(score, abs=1e-6)
        assert ours.predict(masks[:1])[0, target] == pytest.approx(at_clip[0], abs=1e-6)


def test_cosine_kernel_against_lime(rng):
    masks = rng.random((50, 30)) < rng.random((50, 1))
    masks[:2] = [[True] * 30, [False] * 30]
    distances = pairwise_distances(masks.astype(float), np.ones((1, 30)), metric="cosine").ravel()
    distances[1] = 1.0  # what the formula says of no component at all
    np.testing.assert_allclose(cosine_kernel(masks, width=0.25), np.sqrt(np.exp(-(distances**2) / 0.25**2)), atol=1e-12)


@pytest.mark.parametrize(("share", "expected"), ((1.0, 1.0), (0.75, 0.864), (0.5, 0.501), (0.25, 0.135), (0.0, 3.4e-4)))
def test_cosine_kernel_against_theory(share, expected):
    masks = (np.arange(400) < share * 400)[None]
    assert cosine_kernel(masks, width=0.25)[0] == pytest.approx(expected, rel=0.02)


def test_standard_errors_against_theory_of_least_squares(rng):
    masks, scores, _ = draw(rng)
    ours = fitted(masks, scores)
    x = np.column_stack([np.ones(len(masks)), masks]).astype(float)
    coefficients, squares, *_ = np.linalg.lstsq(x, scores, rcond=None)
    freedom = len(masks) - 13
    variances = np.outer(squares / freedom, np.diag(np.linalg.inv(x.T @ x)))
    np.testing.assert_allclose(ours.standard_errors, np.sqrt(variances)[:, 1:], rtol=1e-9)
    assert ours.degrees_of_freedom == pytest.approx(freedom)
    t = coefficients[1:].T / ours.standard_errors
    np.testing.assert_allclose(ours.p_values, 2 * stats.t.sf(np.abs(t), freedom), rtol=1e-6, atol=1e-300)


def test_standard_errors_against_scipy_one_component(rng):
    masks, scores, _ = draw(rng, n_components=1, n_targets=1, noise=1.0)
    ours, theirs = fitted(masks, scores), stats.linregress(masks[:, 0], scores[:, 0])
    assert ours.weights[0, 0] == pytest.approx(theirs.slope)
    assert ours.intercepts[0] == pytest.approx(theirs.intercept)
    assert ours.standard_errors[0, 0] == pytest.approx(theirs.stderr)
    assert ours.p_values[0, 0] == pytest.approx(theirs.pvalue, rel=1e-6)


def repeated(rng, *, alpha=0.0, weighted=False, n_runs=400):
    """Surrogates of fresh noise on one design, and the true weights, of which the first half is zero."""
    masks, _, weights = draw(rng, n=80, n_components=6, n_targets=1)
    weights[0, :3] = 0.0
    scores = (masks @ weights.T) + rng.normal(size=(80, n_runs))
    return fitted(masks, scores, cosine_kernel(masks, width=0.25) if weighted else None, alpha=alpha), weights[0]


@pytest.mark.parametrize("weighted", (False, True))
def test_p_values_against_theory_uniform_where_there_is_no_effect(rng, weighted):
    surrogate, _ = repeated(rng, weighted=weighted)
    for component in range(3):
        assert stats.kstest(surrogate.p_values[:, component], "uniform").pvalue > 0.001


@pytest.mark.parametrize("weighted", (False, True))
def test_standard_errors_against_theory_intervals_hold_the_truth(rng, weighted):
    surrogate, truth = repeated(rng, weighted=weighted)
    width = stats.t.ppf(0.975, surrogate.degrees_of_freedom) * surrogate.standard_errors
    coverage = (np.abs(surrogate.weights - truth) <= width).mean()
    assert coverage == pytest.approx(0.95, abs=0.02)  # 2400 intervals


@pytest.mark.parametrize("alpha", (1.0, 10.0))
def test_standard_errors_against_theory_of_ridge(rng, alpha):
    surrogate, _ = repeated(rng, alpha=alpha, weighted=True, n_runs=2000)
    spread = surrogate.weights.std(axis=0)  # about the shrunken mean: noise alone
    np.testing.assert_allclose(np.sqrt((surrogate.standard_errors**2).mean(axis=0)), spread, rtol=0.08)


@given(
    seed=st.integers(0, 999), batch_size=st.integers(1, 60), weighted=st.booleans(), alpha=st.sampled_from((0.0, 1.0))
)
@settings(max_examples=25)
def test_statistics_against_itself_batches_do_not_matter(seed, batch_size, weighted, alpha):
    rng = np.random.default_rng(seed)
    masks, scores, _ = draw(rng, n=60)
    kernel = cosine_kernel(masks, width=0.25) if weighted else None
    whole, parts = (fitted(masks, scores, kernel, alpha=alpha, batch_size=size) for size in (None, batch_size))
    for name in ("weights", "intercepts", "standard_errors", "p_values"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), atol=1e-9)
    np.testing.assert_allclose(parts.fit.r2, whole.fit.r2, atol=1e-9)


@given(seed=st.integers(0, 999), offset=st.floats(-1e6, 1e6), factor=st.floats(0.01, 100))
@settings(max_examples=20)
def test_surrogate_against_theory_follows_shifted_and_scaled_scores(seed, offset, factor):
    masks, scores, _ = draw(np.random.default_rng(seed), n=60)
    one, other = fitted(masks, scores, alpha=1.0), fitted(masks, factor * scores + offset, alpha=1.0)
    precision = 1e-9 * (abs(offset) + factor)
    np.testing.assert_allclose(other.weights, factor * one.weights, atol=precision)
    np.testing.assert_allclose(other.standard_errors, factor * one.standard_errors, atol=precision)
    np.testing.assert_allclose(other.intercepts, factor * one.intercepts + offset, atol=10 * precision)


@given(seed=st.integers(0, 999), n_components=st.integers(1, 20))
@settings(max_examples=20)
def test_surrogate_against_theory_linear_scores_are_recovered(seed, n_components):
    masks, scores, weights = draw(np.random.default_rng(seed), n=100, n_components=n_components, noise=0.0)
    surrogate = fitted(masks, scores)
    np.testing.assert_allclose(surrogate.weights, weights, atol=1e-9)
    np.testing.assert_allclose(surrogate.fit.r2, 1.0, atol=1e-9)


def test_statistics_against_theory_memory_does_not_grow(rng):
    def size(sums):
        return len(pickle.dumps(vars(sums)))

    masks, scores, _ = draw(rng, n=1000)
    statistics = Statistics(12, 3, fold_over=True)
    statistics.add(masks[:10], scores[:10])
    before = size(statistics)
    statistics.add(masks, scores)
    assert size(statistics) <= before + 8  # a count may need another byte


@pytest.mark.parametrize("alpha", (0.0, 1.0))
def test_mixed_against_itself_a_fit_of_mixed_targets(rng, alpha):
    masks, scores, _ = draw(rng, noise=0.5)
    kernel, mixing, offsets = cosine_kernel(masks, width=0.25), rng.normal(size=(5, 3)), rng.normal(size=5)
    chained = fitted(masks, scores, kernel, alpha=alpha).mixed(mixing, offsets=offsets)
    direct = fitted(masks, scores @ mixing.T + offsets, kernel, alpha=alpha)
    for name in ("weights", "intercepts", "standard_errors", "p_values"):
        np.testing.assert_allclose(getattr(chained, name), getattr(direct, name), atol=1e-9)
    np.testing.assert_allclose(chained.fit.r2, direct.fit.r2, atol=1e-9)
    others, truth, _ = draw(rng)
    held_out = quality_on(fitted(masks, scores, kernel, alpha=alpha), others, truth).mixed(mixing)
    np.testing.assert_allclose(held_out.r2, quality_on(direct, others, truth @ mixing.T + offsets).r2, atol=1e-9)


def test_quality_against_sklearn(rng):
    masks, scores, _ = draw(rng)
    surrogate = fitted(masks, scores)
    others, truth, _ = draw(rng)
    expected = [r2_score(y, p) for y, p in zip(truth.T, surrogate.predict(others).T, strict=True)]
    np.testing.assert_allclose(quality_on(surrogate, others, truth).r2, expected, atol=1e-12)


def test_quality_against_theory_a_constant_score_has_no_r2(rng):
    masks, scores, _ = draw(rng)
    surrogate = fitted(masks, np.column_stack([scores[:, 0], np.full(len(masks), 0.3)]))
    assert np.isnan(surrogate.fit.r2).tolist() == [False, True]
    np.testing.assert_allclose(surrogate.weights[1], 0.0, atol=1e-12)
    assert np.isnan(Quality(np.zeros((1, 1)), np.zeros((1, 1))).r2).all()


def test_surrogate_iv(rng):
    masks, scores, _ = draw(rng, n=30)
    with pytest.raises(InputError, match="scores must be finite, got 1 of NaN or infinity"):
        fitted(masks, np.where(np.arange(90).reshape(30, 3) == 5, np.nan, scores))
    with pytest.raises(InputError, match="at least one batch"):
        Statistics(3, 1).solve()
    with pytest.raises(InputError, match="alpha must be a finite number"):
        fitted(masks, scores, alpha=-1.0)
    with pytest.raises(InputError, match="masks must leave rows for noise beside 12 components, got 13"):
        fitted(masks[:13], scores[:13])
    with pytest.raises(InputError, match="masks must tell all components apart"):
        fitted(masks[:9], scores[:9])


@pytest.mark.parametrize("seed", range(10))
def test_surrogate_iv_components_that_masks_cannot_tell_apart(seed):
    masks, scores, _ = draw(np.random.default_rng(seed))
    masks[:, 3] = masks[:, 7]
    with pytest.raises(InputError, match="masks must tell all components apart"):
        fitted(masks, scores)
    weights = fitted(masks, scores, alpha=1.0).weights
    np.testing.assert_allclose(weights[:, 3], weights[:, 7], atol=1e-9)  # ridge shares the effect out


def interacting(rng, *, design, n_components=20, main=0.0):
    """Masks of a design, and scores of interactions between pairs of components, main effects and a little noise."""
    masks = np.vstack(list(mask_blocks(n_components, n_perturbations=256, design=design, seed=int(rng.integers(1e6)))))
    signs, pairs = 2.0 * masks - 1.0, np.random.default_rng(7).normal(size=(n_components, n_components))
    clean = np.einsum("ni,ij,nj->n", signs, np.triu(pairs, 1), signs) + main * masks.sum(axis=1)
    return masks, (clean + 0.3 * rng.normal(size=len(masks)))[:, None]


@pytest.mark.parametrize("design", ("iid", "paired", "hadamard"))
def test_standard_errors_against_theory_where_components_interact(rng, design):
    weights, errors, false_alarms = [], [], []
    for _ in range(60):
        masks, scores = interacting(rng, design=design)
        statistics = Statistics(20, 1, fold_over=design in FOLD_OVER)
        statistics.add(masks, scores)
        surrogate = statistics.solve(alpha=0.0)
        weights.append(surrogate.weights[0])
        errors.append(surrogate.standard_errors[0])
        false_alarms.append(surrogate.p_values[0] < 0.05)
    assert np.std(weights) / np.sqrt(np.mean(np.square(errors))) == pytest.approx(1.0, abs=0.1)  # 1200 weights
    assert np.mean(false_alarms) == pytest.approx(0.05, abs=0.03)


def test_standard_errors_against_theory_fold_over_is_free_of_interactions(rng):
    sizes = {}
    for design in ("iid", "hadamard"):
        masks, scores = interacting(rng, design=design, main=0.1)
        statistics = Statistics(20, 1, fold_over=design in FOLD_OVER)
        statistics.add(masks, scores)
        surrogate = statistics.solve(alpha=0.0)
        sizes[design] = surrogate.standard_errors.mean()
        assert np.abs(surrogate.weights - 0.1).max() < 5 * sizes[design]
    assert sizes["hadamard"] < 0.1 * sizes["iid"]


@pytest.mark.parametrize("scale", (0.1, 10.0))
def test_kernel_against_itself_its_scale_does_not_matter(rng, scale):
    masks, scores, _ = draw(rng, n=60)
    one, other = (fitted(masks, scores, np.full(60, factor)) for factor in (1.0, scale))
    assert other.degrees_of_freedom == pytest.approx(60 - 13)
    for name in ("weights", "standard_errors", "p_values"):
        np.testing.assert_allclose(getattr(other, name), getattr(one, name), rtol=1e-9)
