"""The matrix of manipulated and asked attributes, human beside model."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES
from emomod.undefined import UndefinedWarning
from listening_study.analysis.selectivity import adjusted, selectivity
from listening_study.analysis.simulate import ListenerModel, simulate_answers

NAMES = MIDLEVEL_NAMES[:3]
SIDES = {"up": 1.0, "down": -1.0}
MANIPULATIONS = {f"{name}_{side}": (name, sign) for name in NAMES for side, sign in SIDES.items()}
LISTENERS = ListenerModel(sensitivity=0.5)


def trials(told, *, n_items=12, asked=NAMES):
    """``told`` [n_manipulated, n_asked]: predicted shift of the asked score when the manipulated one is enhanced."""
    rows = [
        ("ccr", f"item{item}", asked[a], condition, "original", sign * told[NAMES.index(name), a])
        for item in range(n_items)
        for condition, (name, sign) in MANIPULATIONS.items()
        for a in range(len(asked))
    ]
    return pd.DataFrame(rows, columns=["trial_type", "item", "attribute", "condition", "other", "predicted"])


TOLD = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, 0.0], [-0.5, 0.0, 1.0]])


def matrix(table, *, margin=0.3, **options):
    return selectivity(table, manipulations=MANIPULATIONS, margin=margin, rng=1, **{"n_draws": 300} | options)


def test_selectivity_against_theory():
    """Responses are twice the predictions: no difference is left."""
    table = simulate_answers(trials(TOLD), model=LISTENERS, n_listeners=5, rng=1)
    found = matrix(table.assign(response=2 * table["predicted"]))
    assert found.manipulated == found.asked == NAMES
    assert_allclose(found.model, TOLD)
    assert_allclose(found.human, 2 * TOLD)
    assert_allclose(found.human_low, 2 * TOLD)
    assert found.scale == pytest.approx(2.0)
    assert_allclose(found.difference, 0.0, atol=1e-12)
    assert (found.n_answers == 5 * 12 * 2).all()


def test_selectivity_of_planted_listeners():
    found = matrix(simulate_answers(trials(TOLD), model=LISTENERS, n_listeners=30, rng=440))
    assert_allclose(found.human, 0.5 * TOLD, atol=0.25)
    assert (found.human_low <= 0.5 * TOLD).mean() >= 8 / 9
    assert (found.human_high >= 0.5 * TOLD).mean() >= 8 / 9
    assert found.scale == pytest.approx(0.5, abs=0.12)
    assert (found.difference_q > 0.05).all()  # listeners hear what the model says, times .5


def test_selectivity_finds_what_the_model_does_not_know():
    table = simulate_answers(trials(TOLD), model=LISTENERS, n_listeners=30, rng=440)
    cell = (table["attribute"] == NAMES[2]) & table["condition"].str.startswith(NAMES[1])
    signs = table["condition"].map({name: sign for name, (_, sign) in MANIPULATIONS.items()})
    found = matrix(table.assign(response=table["response"] + 1.0 * cell * signs))
    assert found.human[1, 2] == pytest.approx(1.0, abs=0.2)
    assert found.difference_low[1, 2] > 0.5
    rejected = found.difference_q <= 0.05
    assert rejected[1, 2]
    assert rejected.sum() <= 3  # the scale gives way a little, too


def test_equivalence_against_theory():
    """Off the target only; no shift is shown to be smaller than .4 with 30 listeners, one of .5 * .5 is not."""
    table = simulate_answers(trials(TOLD), model=LISTENERS, n_listeners=30, rng=440)
    found = matrix(table, margin=0.4)
    assert np.isnan(np.diag(found.equivalence_p)).all()
    assert found.equivalence_p[1, 0] < 0.05
    assert found.equivalence_p[0, 1] > found.equivalence_p[1, 0]
    assert matrix(table, margin=0.0).equivalence_p[1, 0] >= 0.5
    assert matrix(table, margin=5.0).equivalence_p[0, 1] < 1e-6


def test_equivalence_is_rarely_claimed_at_its_margin():
    """A true shift of exactly the margin is called smaller in at most 5 % of studies (200: 19 but for 1 in 1000)."""
    wrong = 0
    for seed in range(200):
        told = np.zeros((3, 1))
        some = trials(told, n_items=8, asked=NAMES[:1])
        some = some[some["condition"].str.startswith(NAMES[1])]
        table = simulate_answers(some, model=ListenerModel(slope_sd=0.1), n_listeners=8, rng=seed)
        signs = table["condition"].map({name: sign for name, (_, sign) in MANIPULATIONS.items()})
        shifted = table.assign(response=table["response"] + 0.5 * signs, predicted=signs)
        wrong += int(matrix(shifted, margin=0.5, n_draws=200).equivalence_p[0, 0] <= 0.05)
    assert wrong <= 19


def test_selectivity_takes_what_was_asked_only():
    told = np.hstack([TOLD, np.zeros((3, 1))])
    some = trials(told, asked=(*NAMES, "sad"))
    some = some[~((some["attribute"] == NAMES[0]) & some["condition"].str.startswith(NAMES[1]))]
    found = matrix(simulate_answers(some, model=LISTENERS, n_listeners=5, rng=1))
    assert found.asked == (*NAMES, "sad")
    assert found.n_answers[1, 0] == 0
    assert np.isnan(
        [found.human[1, 0], found.human_low[1, 0], found.difference_q[1, 0], found.equivalence_p[1, 0]]
    ).all()
    assert np.isfinite(found.difference_q).sum() == 11


def test_adjusted_against_theory(rng):
    p_values = rng.random(20) ** 2
    order = np.argsort(p_values)
    wanted = np.minimum.accumulate((p_values[order] * 20 / np.arange(1, 21))[::-1])[::-1]
    assert_allclose(adjusted(p_values)[order], np.minimum(wanted, 1.0))
    assert np.isnan(adjusted(np.full((2, 2), np.nan))).all()


def test_selectivity_iv():
    table = simulate_answers(trials(TOLD, n_items=2), model=LISTENERS, n_listeners=3, rng=1)
    with pytest.raises(InputError, match="manipulations must have some of the table's conditions, got else"):
        selectivity(table, manipulations={"else": ("sad", 1.0)}, margin=0.3, rng=1)
    with pytest.raises(InputError, match=r"signs of \+1 or -1, got \[2\]"):
        selectivity(table, manipulations={f"{NAMES[0]}_up": (NAMES[0], 2)}, margin=0.3, rng=1)
    with pytest.raises(InputError, match="margin must be a finite number in 0"):
        matrix(table, margin=-1.0)
    with pytest.warns(UndefinedWarning, match="scale of a model that predicts no shift"):
        assert np.isnan(matrix(table.assign(predicted=0.0)).scale)
