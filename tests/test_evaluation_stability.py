"""Stability of explanations over repeats."""

import numpy as np
import pytest
from fakes import component_weights
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from emomod.component_weights import select_components
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES
from emomod.undefined import UndefinedWarning
from evaluation import stability


def explained(weights, p_values=None):
    """An explanation in which every score has the weights [K]."""
    rows = np.tile(weights, (7, 1))
    return component_weights(
        rows, np.zeros_like(rows) if p_values is None else np.tile(p_values, (7, 1)), MIDLEVEL_NAMES
    )


@pytest.mark.parametrize(
    ("a", "b", "truth"), [([1, 2], [2, 1], 1.0), ([1], [2], 0.0), ([1, 2, 3], [3, 4], 0.25), ([], [1], 0.0)]
)
def test_jaccard_against_theory(a, b, truth):
    assert stability.jaccard(a, b) == truth
    assert stability.jaccard(b, a) == truth


def test_largest_against_theory_ties_by_index():
    assert stability.largest([0.1, -0.5, 0.5, 0.0], 3).tolist() == [1, 2, 0]
    assert stability.largest([0.1, -0.5], 9).tolist() == [1, 0]


@given(st.lists(st.floats(-1, 1), min_size=8, max_size=8), st.lists(st.floats(-1, 1), min_size=8, max_size=8))
def test_rank_correlations_against_scipy(a, b):
    if np.ptp(a) and np.ptp(b):
        assert stability.spearman(a, b) == pytest.approx(stats.spearmanr(a, b)[0], abs=1e-12)
        assert stability.kendall(a, b) == pytest.approx(stats.kendalltau(a, b)[0], abs=1e-12)


def test_all_metrics_against_theory_of_equal_repeats(rng):
    weights = rng.normal(size=40)
    found = stability.evaluate([explained(weights)] * 3, target="minorness", reference=explained(weights))
    assert found.pop("n_selected") == 40
    assert found.pop("relative_error") == 0.0
    assert found.pop("vsi") == found.pop("csi") == 100.0
    assert_allclose(list(found.values()), 1.0)


def test_all_metrics_against_theory_of_chance(rng):
    """Independent weights: ranks do not agree, half of the signs do, the top 10 of 40 share a quarter."""
    repeats = [explained(rng.normal(size=40)) for _ in range(60)]
    found = stability.evaluate(repeats, target="dissonance", rule="top:10", k=10, reference=explained(np.ones(40)))
    assert found["n_selected"] == 10
    assert found["spearman"] == pytest.approx(0.0, abs=0.02)
    assert found["kendall"] == pytest.approx(0.0, abs=0.02)
    assert found["sign_agreement"] == pytest.approx(0.5, abs=0.02)
    assert found["vsi"] == pytest.approx(25.0, abs=1.5)
    assert found["jaccard_top"] == found["jaccard_selected"] == pytest.approx(1 / 7, abs=0.01)
    assert found["relative_error"] == pytest.approx(np.sqrt(2), rel=0.05)


def test_what_is_selected_against_its_rule():
    kept = np.array([1e-9, 0.5, 1e-9, 0.5])
    repeats = [explained([1.0, 0.1, -0.2, 0.0], kept), explained([1.0, 0.1, 0.2, 0.0], kept[[0, 2, 1, 3]])]
    assert select_components(repeats[0], target="minorness").negative.tolist() == [2]
    assert stability.evaluate(repeats, target="minorness", k=1)["jaccard_selected"] == pytest.approx(1 / 3)


def test_csi_against_theory_of_overlapping_intervals():
    weights = np.array([[1.0, 5.0, 0.0], [1.5, 5.0, 0.0]])
    assert stability.csi(weights, np.full((2, 3), 0.1), k=2) == 50.0  # .5 apart, .39 allowed
    assert stability.csi(weights, np.full((2, 3), 0.2), k=2) == 100.0
    assert stability.csi(np.vstack([weights, weights[1:]]), np.full((3, 3), 0.1), k=2) == pytest.approx(200 / 3)


def test_csi_against_theory_of_intervals_of_95_percent(rng):
    """Two estimates of one weight: their intervals overlap unless they are 3.92 standard errors apart."""
    repeats = 3.0 + rng.normal(size=(80, 30))
    truth = 100 * (1 - 2 * stats.norm.sf(2 * stability.INTERVAL / np.sqrt(2)))
    assert stability.csi(repeats, np.ones_like(repeats), k=30) == pytest.approx(truth, abs=0.3)


def test_undefined_metrics_warn():
    with pytest.warns(UndefinedWarning, match="two empty selections"):
        assert stability.jaccard([], []) == 1.0
    with pytest.warns(UndefinedWarning, match="spearman of weights that are all equal"):
        assert stability.spearman([1.0, 1.0], [0.0, 1.0]) == 0.0
    with pytest.warns(UndefinedWarning, match="kendall"):
        assert stability.kendall([1.0, 1.0], [0.0, 0.0]) == 1.0
    with pytest.warns(UndefinedWarning, match="reference of zeros"):
        assert stability.relative_error([1.0], [0.0]) == np.inf
    with pytest.warns(UndefinedWarning, match="share no component"):
        assert stability.csi([[1.0, 0.0], [0.0, 1.0]], np.ones((2, 2)), k=1) == 0.0


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([[1.0, 2.0]], "weights must have 2 axes of at least 2 x 1 numbers, got shape .1, 2"),
        ([], "got shape .0"),
        ([[1.0], [np.nan]], "weights must be finite, got 1 of NaN"),
        ([["a"], ["b"]], "weights must be numbers"),
    ],
)
def test_repeats_iv(weights, message):
    with pytest.raises(InputError, match=message):
        stability.vsi(weights)


def test_stability_iv():
    with pytest.raises(InputError, match=r"must have one shape, got weights \[2, 1\], standard_errors \[2, 2\]"):
        stability.csi([[1.0], [2.0]], np.ones((2, 2)))
    with pytest.raises(InputError, match="k must be a whole number of at least 1, got 0"):
        stability.vsi([[1.0], [2.0]], k=0)
    with pytest.raises(InputError, match="repeats must be at least 2, got 1"):
        stability.evaluate([explained([1.0])], target="minorness")
    with pytest.raises(InputError, match="must have the same scores and number of components"):
        stability.evaluate([explained([1.0]), explained([1.0, 2.0])], target="minorness")
    with pytest.raises(InputError, match="target must be one of"):
        stability.evaluate([explained([1.0])] * 2, target="loudness")
