"""Crossed mixed models: against least squares, statsmodels' own figures and what was simulated."""

import numpy as np
import pandas as pd
import pytest

from emomod.errors import InputError
from emomod.undefined import UndefinedWarning
from listening_study.analysis.crossed import CrossedDesign
from listening_study.analysis.mixed import fit_mixed

smf = pytest.importorskip("statsmodels.formula.api")
MixedLMParams = pytest.importorskip("statsmodels.regression.mixed_linear_model").MixedLMParams
FORMULAS = {
    "item": "0 + C(item)",
    "participant": "0 + C(participant)",
    "participant:predicted": "0 + C(participant):predicted",
}


def answers(rng, *, n_listeners=12, n_items=8, slope_sd=0.3, item_sd=0.5, listener_sd=0.4, slope=0.7):
    listeners, items = np.meshgrid(np.arange(n_listeners), np.arange(n_items), indexing="ij")
    who, what = np.tile(listeners.ravel(), 2), np.tile(items.ravel(), 2)
    x = np.repeat([-1.0, 1.0], listeners.size) + 0.2 * rng.normal(size=n_items)[what]
    slopes = slope + slope_sd * rng.normal(size=n_listeners)
    y = slopes[who] * x + listener_sd * rng.normal(size=n_listeners)[who] + item_sd * rng.normal(size=n_items)[what]
    return pd.DataFrame(
        {"participant": who, "item": what, "predicted": x, "response": 0.2 + y + rng.normal(size=who.size)}
    )


def test_mixed_against_statsmodels_formula(rng):
    table = answers(rng).assign(all=1)
    theirs = smf.mixedlm("response ~ predicted", table, groups="all", re_formula="0", vc_formula=FORMULAS).fit(
        method="bfgs"
    )
    found = fit_mixed(table, predictor="predicted")
    assert found.converged
    for name in FORMULAS:
        assert found.variances[name] == pytest.approx(theirs.params[f"{name} Var"] * theirs.scale, rel=2e-3)
    assert found.variances["residual"] == pytest.approx(theirs.scale, rel=1e-4)
    for ours, name in (("intercept", "Intercept"), ("predicted", "predicted")):
        assert found.effects[ours].value == pytest.approx(theirs.params[name], rel=1e-3)
        assert found.effects[ours].se == pytest.approx(theirs.bse[name], rel=0.02)


def test_mixed_against_least_squares_without_random_effects(rng):
    """Where all components are 0, it is a line through points; 12 listeners and 8 items leave 7 degrees of freedom."""
    table = answers(rng, slope_sd=0.0, item_sd=0.0, listener_sd=0.0)
    table["response"] -= table.groupby("participant")["response"].transform("mean")
    table["response"] -= table.groupby("item")["response"].transform("mean")
    found = fit_mixed(table, predictor="predicted", slopes=[])
    line = np.polynomial.Polynomial.fit(table["predicted"], table["response"], 1).convert().coef
    assert found.variances["participant"] == found.variances["item"] == 0.0
    assert [found.effects[name].value for name in ("intercept", "predicted")] == pytest.approx(line.tolist(), abs=1e-6)
    assert found.dof == 7
    assert found.n_levels == {"participant": 12, "item": 8}
    assert found.n_answers == 192
    slope = found.effects["predicted"]
    assert (slope.high - slope.low) / 2 == pytest.approx(2.364624 * slope.se, rel=1e-6)


def test_mixed_against_what_was_simulated():
    rng = np.random.default_rng(3)
    found = [fit_mixed(answers(rng), predictor="predicted") for _ in range(40)]
    slopes = [each.effects["predicted"] for each in found]
    assert sum(each.low <= 0.7 <= each.high for each in slopes) >= 33  # 1 in 1000 quantile of 40 at 95 %
    mean = {name: np.mean([each.variances[name] for each in found]) for name in found[0].variances}
    wanted = {"participant": 0.16, "item": 0.25, "participant:predicted": 0.09, "residual": 1.0}
    assert mean == pytest.approx(wanted, abs=0.08)


def test_a_fit_that_does_not_converge_is_never_a_figure(rng, monkeypatch):
    monkeypatch.setattr(CrossedDesign, "is_best", lambda *_: False)
    with pytest.warns(UndefinedWarning, match="no maximum that was found"):
        found = fit_mixed(answers(rng), predictor="predicted")
    assert not found.converged
    assert np.isnan([found.effects["predicted"].value, found.effects["predicted"].p_value]).all()
    assert np.isnan(list(found.variances.values())).all()


def test_restricted_likelihood_against_statsmodels(rng):
    """Differences of the deviance are those of twice the log-likelihood, wherever it is asked for."""
    table = answers(rng).assign(all=1)
    y, X = table["response"].to_numpy(), np.column_stack([np.ones(len(table)), table["predicted"]])
    columns = {name: np.eye(table[name].nunique())[table[name]] for name in ("item", "participant")}
    columns["participant:predicted"] = columns["participant"] * X[:, 1:]
    design = CrossedDesign(y, X, columns)
    model = smf.mixedlm("response ~ predicted", table, groups="all", re_formula="0", vc_formula=FORMULAS)
    fit = model.fit(method="bfgs")
    best = fit.vcomp / fit.scale
    places = [best, 2 * best, np.array([0.3, 0.1, 0.2])]
    theirs = [
        -2 * model.loglike(MixedLMParams.from_components(np.zeros(2), cov_re=np.zeros((0, 0)), vcomp=place))
        for place in places
    ]
    deviances = [design.deviance(place) for place in places]
    assert np.diff(deviances) == pytest.approx(np.diff(theirs), abs=1e-6)
    assert np.ptp(theirs) > 1
    assert [design.is_best(place) for place in places] == [True, False, False]


def test_mixed_iv(rng):
    table = answers(rng)
    with pytest.raises(InputError, match="missing: other_shift"):
        fit_mixed(table, predictor="other_shift")
    with pytest.raises(InputError, match="slopes must be one of participant, item, got 'session'"):
        fit_mixed(table, predictor="predicted", slopes=["session"])
    with pytest.raises(InputError, match="item must have at least two members, got 1"):
        fit_mixed(table[table["item"] == 0], predictor="predicted")
    with pytest.raises(InputError, match="predicted must vary"):
        fit_mixed(table.assign(predicted=1.0), predictor="predicted")
    with pytest.raises(InputError, match="response must be finite, got 192"):
        fit_mixed(table.assign(response=np.nan), predictor="predicted")
