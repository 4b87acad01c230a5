"""Intraclass correlations and Krippendorff's alpha, against published examples and other programs."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from emomod.errors import InputError
from emomod.undefined import UndefinedWarning
from listening_study.analysis.reliability import LEVELS, intraclass, krippendorff_alpha

NONE = np.nan
SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NONE, NONE, NONE],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NONE, 3],
        [NONE, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NONE],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NONE],
    ]
).T


def test_intraclass_against_shrout_and_fleiss():
    found = intraclass(SHROUT_FLEISS).icc
    published = {"1,1": 0.17, "2,1": 0.29, "3,1": 0.71, "1,k": 0.44, "2,k": 0.62, "3,k": 0.91}  # their table 4
    assert {name: round(each.value, 2) for name, each in found.items()} == published


@pytest.mark.filterwarnings("ignore")  # pingouin uses what pandas is about to drop
@pytest.mark.parametrize("seed", range(5))
def test_intraclass_against_pingouin(seed):
    pingouin = pytest.importorskip("pingouin")
    rng = np.random.default_rng(seed)
    ratings = rng.normal(size=(9, 1)) + rng.normal(size=(1, 5)) + rng.normal(size=(9, 5))
    long = pd.DataFrame([(i, r, ratings[i, r]) for i in range(9) for r in range(5)], columns=["i", "r", "v"])
    theirs = pingouin.intraclass_corr(long, targets="i", raters="r", ratings="v").set_index("Type")
    types = ["ICC(1,1)", "ICC(A,1)", "ICC(C,1)", "ICC(1,k)", "ICC(A,k)", "ICC(C,k)"]
    for each, kind in zip(intraclass(ratings).icc.values(), types, strict=True):
        assert each.value == pytest.approx(theirs.loc[kind, "ICC"], abs=1e-9)
        assert_allclose([each.low, each.high], theirs.loc[kind, "CI95"], atol=0.0051)  # they round to two decimals


def test_intraclass_against_theory_of_its_intervals(rng):
    """Items 1, raters .5, noise 1 (variances): ICC(2,1) = .4, ICC(3,1) = .5; 95 % of the intervals hold them."""
    inside = np.zeros(2)
    for _ in range(300):
        noise = rng.normal(size=(20, 6))
        raters = np.sqrt(0.5) * rng.normal(size=(1, 6))
        found = intraclass(rng.normal(size=(20, 1)) + raters + noise).icc
        inside += [found["2,1"].low <= 0.4 <= found["2,1"].high, found["3,1"].low <= 0.5 <= found["3,1"].high]
    assert (inside >= 272).all()  # of 300: the 1 in 1000 quantile of a coverage of 95 % is 273


def test_intraclass_against_itself_items_with_a_missing_rating_are_left_out():
    full = SHROUT_FLEISS.astype(float)
    holed = np.vstack([full, [5, NONE, 3, 2]])
    found = intraclass(holed)
    assert (found.n_items, found.n_raters, found.n_dropped) == (6, 4, 1)
    assert found.icc == intraclass(full).icc


def test_intraclass_against_theory_of_perfect_raters():
    found = intraclass(np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])).icc
    assert found["1,1"].value == found["3,k"].value == 1.0
    assert found["2,1"].value == pytest.approx(1.0)
    shifted = intraclass(np.array([[1.0, 2.0], [2.0, 3.0], [3.0, 4.0]])).icc
    assert shifted["3,1"].value == 1.0
    assert shifted["2,1"].value == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("level", "published"), [("nominal", 0.7434), ("ordinal", 0.8154), ("interval", 0.8491), ("ratio", 0.7974)]
)
def test_alpha_against_krippendorffs_example(level, published):
    found = krippendorff_alpha(KRIPPENDORFF, level=level, rng=1)
    assert found.value == pytest.approx(published, abs=5e-5)
    assert found.low < found.value < found.high <= 1.0


@pytest.mark.parametrize("level", LEVELS)
def test_alpha_against_krippendorff(level):
    krippendorff = pytest.importorskip("krippendorff")
    for seed in range(5):
        rng = np.random.default_rng(seed)
        ratings = rng.integers(1, 8, size=(15, 4)) + rng.integers(0, 6, size=(15, 1)).astype(float)
        ratings[rng.random(ratings.shape) < 0.2] = NONE
        theirs = krippendorff.alpha(reliability_data=ratings.T, level_of_measurement=level)
        assert krippendorff_alpha(ratings, level=level, rng=1, n_draws=2).value == pytest.approx(theirs, abs=1e-12)


def test_alpha_against_theory_of_chance_and_agreement(rng):
    chance = krippendorff_alpha(rng.integers(0, 5, size=(2000, 3)), level="nominal", rng=1, n_draws=100)
    assert chance.value == pytest.approx(0.0, abs=0.03)
    assert chance.low < 0.0 < chance.high
    same = np.repeat(rng.integers(0, 5, size=(20, 1)), 3, axis=1)
    assert all(krippendorff_alpha(same, level=level, rng=1, n_draws=10).value == 1.0 for level in LEVELS)


def test_undefined_reliability_warns():
    with pytest.warns(UndefinedWarning, match="intraclass of ratings that are all equal"):
        assert np.isnan(intraclass(np.ones((3, 3))).icc["2,k"].value)
    with pytest.warns(UndefinedWarning, match="krippendorff_alpha of ratings that are all equal"):
        assert np.isnan(krippendorff_alpha(np.ones((3, 3)), level="interval", rng=1, n_draws=3).value)


def test_reliability_iv():
    with pytest.raises(InputError, match=r"at least 2 items x 2 raters, got shape \(1, 3\)"):
        intraclass([[1.0, 2.0, 3.0]])
    with pytest.raises(InputError, match="at least two items that all raters rated, got 0"):
        intraclass([[1.0, NONE], [NONE, 2.0]])
    with pytest.raises(InputError, match="an item that two raters rated, got none"):
        krippendorff_alpha([[1.0, NONE], [NONE, 2.0]], level="nominal", rng=1)
    with pytest.raises(InputError, match="level must be one of"):
        krippendorff_alpha(SHROUT_FLEISS, level="circular", rng=1)
    with pytest.raises(InputError, match="ratings must be numbers"):
        intraclass([["a", "b"], ["c", "d"]])
