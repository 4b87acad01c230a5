"""Correlations, intervals and inflation factors against scipy, scikit-learn and the algebra of linear layers."""

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LinearRegression

from emomod.correlations import FEW, correlate, correlate_scores, inflation_factors
from emomod.effects import ClipScores, CorpusEffects
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES
from emomod.model.mid_to_emotion import MidToEmotion, published_layer
from emomod.report.correlation_words import (
    caution_words,
    correlation_content,
    flip_words,
    induced_words,
    inflation_words,
    strongest_words,
)

LAYER = published_layer()


def correlated(rng, n=60):
    """Midlevel scores [n, 7] that hang together."""
    mixing = rng.standard_normal((7, 7))
    return 0.5 + 0.05 * rng.standard_normal((n, 7)) @ mixing


def found_in(midlevel, layer=LAYER):
    return correlate_scores(midlevel, layer.emotions(midlevel), layer.weights)


def test_correlations_against_scipy(rng):
    midlevel = correlated(rng, 23)
    emotions = LAYER.emotions(midlevel) + 0.1 * rng.standard_normal((23, 8))
    pairs = correlate(emotions, midlevel)
    for row in range(8):
        for column in range(7):
            theirs = stats.pearsonr(emotions[:, row], midlevel[:, column])
            interval = theirs.confidence_interval(0.95)
            ours = [float(getattr(pairs, name)[row, column]) for name in ("r", "low", "high")]
            assert ours == pytest.approx([theirs.statistic, interval.low, interval.high], abs=1e-12)


def test_intervals_against_simulation_nineteen_of_twenty_hold_the_truth(rng):
    truth, n, repeats = 0.6, 20, 2000
    x, noise = rng.standard_normal((2, n, repeats))
    y = truth * x + np.sqrt(1 - truth**2) * noise
    held = [
        found.low[0, 0] < truth < found.high[0, 0]
        for found in (correlate(x[:, [k]], y[:, [k]]) for k in range(0, repeats, 2))
    ]
    assert np.mean(held) == pytest.approx(0.95, abs=0.025)  # 3.6 standard errors of 1000 draws


def test_intervals_against_theory_ends_few_clips_and_constants():
    x = np.arange(5.0)[:, None]
    line = correlate(x, np.hstack([x, -x, np.ones_like(x)]))
    np.testing.assert_allclose(line.r, [[1.0, -1.0, np.nan]])
    np.testing.assert_allclose(line.low, [[1.0, -1.0, np.nan]], atol=1e-7)
    few = correlate(x[:3], x[:3] ** 2)
    assert few.r[0, 0] > 0.9
    assert np.isnan(few.low[0, 0])
    assert np.isnan(few.high[0, 0])


def test_inflation_against_regression_and_against_the_inverse(rng):
    midlevel = correlated(rng)
    factors = inflation_factors(midlevel)
    for column in range(7):
        others = np.delete(midlevel, column, axis=1)
        share = LinearRegression().fit(others, midlevel[:, column]).score(others, midlevel[:, column])
        assert factors[column] == pytest.approx(1.0 / (1.0 - share), rel=1e-6)
    np.testing.assert_allclose(factors, np.diag(np.linalg.inv(np.corrcoef(midlevel.T))), rtol=1e-6)


def test_inflation_against_theory_independent_collinear_constant_few(rng):
    drawn = rng.standard_normal((50, 7))
    orthogonal = np.linalg.qr(drawn - drawn.mean(axis=0))[0]
    np.testing.assert_allclose(inflation_factors(orthogonal), 1.0, rtol=1e-9)
    twice = orthogonal.copy()
    twice[:, 6] = 2 * twice[:, 0] + 3 * twice[:, 1]
    assert np.isinf(inflation_factors(twice)[[0, 1, 6]]).all()
    np.testing.assert_allclose(inflation_factors(twice)[2:6], 1.0, rtol=1e-9)
    constant = orthogonal.copy()
    constant[:, 3] = 0.5
    assert np.isnan(inflation_factors(constant)).tolist() == [False, False, False, True, False, False, False]
    assert np.isnan(inflation_factors(drawn[: FEW - 1])).all()
    assert np.isfinite(inflation_factors(drawn[:FEW])).all()


def test_inflation_against_simulation_few_clips_would_inflate_what_is_independent(rng):
    """The figures behind FEW: the largest of seven factors, which without chance were 1."""

    def median_largest(n):
        draws = rng.standard_normal((400, n, 7))
        return np.median([np.diag(np.linalg.inv(np.corrcoef(x.T))).max() for x in draws])

    assert [round(float(median_largest(n)), 1) for n in (10, 15, FEW)] == pytest.approx([7.0, 2.9, 1.5], rel=0.15)
    assert np.median([inflation_factors(rng.standard_normal((FEW, 7))).max() for _ in range(100)]) < 2


def test_slopes_against_polyfit_and_theory_weight_plus_what_comes_through_the_others(rng):
    midlevel = correlated(rng)
    found, emotions = found_in(midlevel), LAYER.emotions(midlevel)
    for row, column in ((0, 0), (4, 5), (7, 6)):
        slope = np.polyfit(midlevel[:, column], emotions[:, row], 1)[0]
        assert found.slopes[row, column] == pytest.approx(slope, rel=1e-9)
    covariance = np.cov(midlevel.T)
    through_all = LAYER.weights @ (covariance / np.diag(covariance))  # omitted variables, exactly
    np.testing.assert_allclose(found.slopes, through_all, atol=1e-12)


def test_flips_against_theory_uncorrelated_features_have_none(rng):
    scores = rng.standard_normal((64, 7))
    independent = np.linalg.qr(scores - scores.mean(axis=0))[0]
    found = found_in(0.5 + independent)
    assert found.flips == []
    assert (found.with_emotions.r * LAYER.weights >= -1e-12).all()
    assert flip_words(found) == "Here no pair shows that clearly."


def suppressed(rng):
    """Energy = articulation - 0.3 complexity, where the two go together: it rises with both."""
    weights = np.zeros((8, 7))
    weights[1, 1], weights[1, 2] = 1.0, -0.3
    layer = MidToEmotion("planted", weights, np.zeros(8))
    midlevel = rng.random((80, 7))
    midlevel[:, 2] = midlevel[:, 1] + 0.1 * rng.random(80)
    return midlevel, layer


def test_flips_against_a_planted_suppression(rng):
    midlevel, layer = suppressed(rng)
    found = found_in(midlevel, layer)
    assert found.flips == [("energy", "rhythm_complexity")]
    words = flip_words(found)
    assert "1 of 56 pairs, most of all for energy and rhythm complexity" in words
    assert "score higher on energy" in words
    assert "itself takes away (weight −0.30)" in words
    assert strongest_words(found).startswith(
        "Most closely tied in these 80 clips are articulation and rhythm complexity (r = "
    )


def test_flips_against_the_design_only_where_the_interval_leaves_out_zero(rng):
    midlevel, layer = suppressed(rng)
    assert found_in(midlevel[:3], layer).flips == []


def test_rows_against_theory_every_pair_once(rng):
    found = found_in(correlated(rng))
    rows = found.rows()
    assert len(rows) == 21 + 56
    assert len({frozenset((row["a"], row["b"])) for row in rows}) == 77
    row = next(row for row in rows if (row["a"], row["b"]) == ("sad", "articulation"))
    i, j = EMOTION_NAMES.index("sad"), MIDLEVEL_NAMES.index("articulation")
    assert (row["weight"], row["n"]) == (LAYER.weights[i, j], 60)
    assert row["low"] < row["r"] < row["high"]


def test_words_against_itself_few_clips_and_constants_are_said(rng):
    constant = found_in(np.full((5, 7), 0.5))
    assert "nothing can be said" in strongest_words(constant)
    assert inflation_words(constant).startswith("That takes at least 30 clips")
    three = ClipScores(("a", "b", "c"), ("", "", ""), (1, 1, 1), rng.random((3, 7)), None)
    effects = CorpusEffects(three, LAYER)
    content = correlation_content(found_in(three.midlevel), effects)
    assert content["pairs"][0]["interval"] == "not defined"
    assert content["factors"] == []
    varying = rng.random((40, 7))
    varying[:, 0] = 0.5
    factors = correlation_content(found_in(varying), effects)["factors"]
    assert factors[0] == {"name": "melodiousness", "factor": "not defined", "shared": "not defined"}
    assert all(row["shared"].endswith(" %") for row in factors[1:])


def test_words_against_theory_numbers_are_computed(rng):
    midlevel, layer = suppressed(rng)
    found = found_in(midlevel, layer)
    factor = float(found.inflation[1:3].max())
    assert f"{100 * (1 - 1 / factor):.0f} % of how it varies" in inflation_words(found)
    assert "n = 80 clips" in caution_words(found)
    assert "Of 77 intervals about 4 miss" in caution_words(found)


def test_words_against_the_design_where_the_emotions_come_from(rng):
    midlevel = correlated(rng)
    names = tuple(str(k) for k in range(60))
    ours = ClipScores(names, names, (1,) * 60, midlevel, None)
    rated = ClipScores(names, names, (1,) * 60, midlevel, rng.random((60, 8)))
    assert "no findings about emotions" in induced_words(CorpusEffects(ours, LAYER))
    assert "found, not made by the layer" in induced_words(CorpusEffects(rated, LAYER))
