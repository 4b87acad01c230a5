"""Noise ceiling and the model as one more listener, against classical test theory."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from emomod.errors import InputError
from emomod.undefined import UndefinedWarning
from listening_study.analysis.ceiling import leave_one_out, model_as_listener, split_half
from listening_study.analysis.power import StudySize, simulate_study
from listening_study.analysis.simulate import ListenerModel

PURE = {"slope_sd": 0.0, "bias_sd": 0.0, "item_sd": 0.0, "stimulus_sd": 0.0}


def study(rng, plan, *, exact=True, **model):
    """CCR answers; ``exact`` ones are not rounded, so that theory holds to the digit."""
    table = simulate_study(plan, model=ListenerModel(**PURE | model), rng=rng)
    if exact:
        noise = np.random.default_rng(7).normal(size=len(table)) * model.get("noise_sd", 1.0)
        table = table.assign(response=model["sensitivity"] * table["predicted"] + noise)
    return table


LARGE = StudySize(16, 300, trial_type="ccr", shift_sd=0.0)  # predictions +-1 of variance 1


def test_reliability_against_theory():
    """Signal variance .25, noise 1: one listener .2, the mean of 16 is 16 * .25 / (16 * .25 + 1) = .8."""
    found = split_half(study(1, LARGE, sensitivity=0.5), rng=1, n_splits=50)
    assert found.reliability == pytest.approx(0.8, abs=0.03)
    assert found.correlation == pytest.approx(2 / 3, abs=0.04)
    assert found.ceiling == pytest.approx(np.sqrt(found.reliability))


def test_leave_one_out_against_theory():
    """With the mean of 15 others: .25 / sqrt(1.25 (.25 + 1/15)); with that of all, oneself included, (.25 + 1/16)."""
    found = leave_one_out(study(1, LARGE, sensitivity=0.5))
    assert found.lower == pytest.approx(0.25 / np.sqrt(1.25 * (0.25 + 1 / 15)), abs=0.03)
    assert found.upper == pytest.approx((0.25 + 1 / 16) / np.sqrt(1.25 * (0.25 + 1 / 16)), abs=0.03)


def test_model_as_listener_against_theory():
    """The model with a listener: sqrt(.2); a listener with another: .2."""
    found = model_as_listener(study(1, LARGE, sensitivity=0.5), rng=1, n_draws=200)
    assert found.model.value == pytest.approx(np.sqrt(0.2), abs=0.03)
    assert found.listeners.value == pytest.approx(0.2, abs=0.03)
    assert found.difference.value == pytest.approx(found.model.value - found.listeners.value)
    assert found.difference.low > 0.0
    assert found.each.shape == (16,)
    assert found.share_below == 1.0


def test_a_useless_model_is_below_the_listeners():
    table = study(1, LARGE, sensitivity=0.5)
    useless = table.assign(
        predicted=np.random.default_rng(3).normal(size=600)[table.groupby(["item", "condition"]).ngroup()]
    )
    found = model_as_listener(useless, rng=1, n_draws=200)
    assert found.model.value == pytest.approx(0.0, abs=0.05)
    assert found.difference.high < 0.0
    assert found.share_below == 0.0


def test_ceilings_take_missing_answers(rng):
    table = study(1, LARGE, sensitivity=0.5)
    some = table[rng.random(len(table)) < 0.6]
    assert split_half(some, rng=1, n_splits=50).reliability == pytest.approx(9.6 * 0.25 / (9.6 * 0.25 + 1), abs=0.06)
    assert leave_one_out(some).lower == pytest.approx(leave_one_out(table).lower, abs=0.07)
    assert model_as_listener(some, rng=1, n_draws=50).model.value == pytest.approx(np.sqrt(0.2), abs=0.05)


def test_ceilings_against_perfect_listeners():
    table = study(1, StudySize(5, 6, trial_type="ccr"), sensitivity=0.5)
    same = table.assign(response=table["predicted"])
    found = leave_one_out(same)
    told = split_half(same, rng=1, n_splits=5)
    assert_allclose([found.lower, found.upper, told.reliability], 1.0)


def test_undefined_ceilings_warn():
    table = study(1, StudySize(4, 3, trial_type="ccr"), sensitivity=0.5).assign(response=1.0)
    with pytest.warns(UndefinedWarning, match="leave_one_out of responses that do not vary"):
        assert np.isnan(leave_one_out(table).lower)
    with pytest.warns(UndefinedWarning, match="split_half of responses that do not vary"):
        assert np.isnan(split_half(table, rng=1, n_splits=3).ceiling)
    with pytest.warns(UndefinedWarning, match="model_as_listener of responses"):
        assert np.isnan(model_as_listener(table, rng=1, n_draws=3).share_below)


def test_ceiling_iv():
    table = study(1, StudySize(2, 3, trial_type="ccr"), sensitivity=0.5)
    with pytest.raises(InputError, match="at least 3 listeners, got 2"):
        split_half(table, rng=1)
    with pytest.raises(InputError, match="n_splits must be a whole number of at least 1, got 0"):
        split_half(study(1, StudySize(4, 3, trial_type="ccr"), sensitivity=0.5), rng=1, n_splits=0)
