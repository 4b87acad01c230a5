"""Model-human agreement: closed forms, planted sensitivity, false alarms."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from emomod.errors import InputError
from emomod.undefined import UndefinedWarning
from listening_study.analysis.agreement import (
    calibration,
    calibration_model,
    correlation_of_versions,
    evaluate,
    sign_agreement,
)
from listening_study.analysis.permutation import no_agreement_test
from listening_study.analysis.power import StudySize, simulate_study
from listening_study.analysis.recovery import coverage, false_alarms
from listening_study.analysis.simulate import ListenerModel
from listening_study.analysis.tables import grid_of

PLAN = StudySize(n_listeners=20, n_items=12, trial_type="ccr")
LISTENERS = ListenerModel(sensitivity=0.6)


def study(rng, plan=PLAN, **model):
    return simulate_study(plan, model=ListenerModel(**model), rng=rng)


def test_sign_agreement_against_theory(rng):
    table = study(rng).iloc[:5].assign(response=[2.0, -1.0, 0.0, 3.0, 1.0], predicted=[0.1, 0.2, 0.3, -0.4, 0.0])
    assert sign_agreement(table, rng=1).value == pytest.approx((1 + 0 + 0.5 + 0) / 4)  # the last has no sign


def test_sign_agreement_against_theory_of_normal_noise(rng):
    """Alike listeners and items: P(right) = Phi(sensitivity / noise)."""
    alone = {"slope_sd": 0.0, "bias_sd": 0.0, "item_sd": 0.0, "stimulus_sd": 0.0}
    plan = StudySize(40, 40, shift_sd=0.0)
    found = sign_agreement(study(rng, plan, sensitivity=0.5, noise_sd=1.0, **alone), rng=1)
    assert found.value == pytest.approx(stats.norm.cdf(0.5), abs=0.03)  # 3.5 standard errors of 3200 answers
    assert found.low < stats.norm.cdf(0.5) < found.high


def test_calibration_against_least_squares(rng):
    table = study(rng)
    found = calibration(table, rng=1)
    line = np.polynomial.Polynomial.fit(table["predicted"], table["response"], 1).convert().coef
    assert found.value == pytest.approx(line[1])
    assert found.low < found.value < found.high


def test_calibration_against_itself(rng):
    table = study(rng)
    shuffled = table.sample(frac=1.0, random_state=1)
    doubled = table.assign(predicted=2 * table["predicted"], response=table["response"] + 1.0)
    assert calibration(table, rng=1).value == pytest.approx(calibration(shuffled, rng=1).value)
    one, two = calibration(table, rng=7), calibration(doubled, rng=7)
    assert [two.value, two.low, two.high] == pytest.approx([one.value / 2, one.low / 2, one.high / 2])


def test_calibration_model_has_stimuli_only_where_items_have_several(rng):
    found = calibration_model(study(rng, StudySize(8, 6, trial_type="ccr")))
    assert found.n_levels == {"participant": 8, "item": 6, "stimulus_key": 12}
    single = calibration_model(study(rng, StudySize(8, 6, shifts=(1.0,), trial_type="ccr")))
    assert single.n_levels == {"participant": 8, "item": 6}


def test_correlation_of_versions_against_scipy(rng):
    table = study(rng)
    found, grid = correlation_of_versions(table, rng=1, n_draws=100), grid_of(table)
    assert found.value == pytest.approx(stats.pearsonr(grid.predicted, grid.means).statistic)
    assert found.low < found.value
    exact = table.assign(response=table["predicted"])
    told = correlation_of_versions(exact, rng=1, n_draws=20)
    assert [told.value, told.low, told.high] == pytest.approx([1.0, 1.0, 1.0])


def test_slope_interval_holds_what_was_planted():
    """The boundary asked for: at least 90 of 100 studies, by the bootstrap."""
    found = coverage(PLAN, model=LISTENERS, rng=440, n_studies=100)
    assert found.value >= 0.9
    assert found.mean == pytest.approx(0.6, abs=0.05)
    assert found.width < 0.5


def test_slope_interval_of_the_mixed_model_holds_what_was_planted():
    found = coverage(StudySize(12, 8, trial_type="ccr"), model=LISTENERS, rng=440, estimator="model", n_studies=30)
    assert found.value >= 25 / 30  # 1 in 1000 quantile of 30 at 95 % is 25
    assert found.mean == pytest.approx(0.6, abs=0.1)


@pytest.mark.parametrize(
    ("plan", "listeners"),
    [
        (StudySize(20, 12), ListenerModel()),
        (StudySize(12, 8, trial_type="ccr"), ListenerModel(slope_sd=0.0, stimulus_sd=0.6)),
        (StudySize(12, 10, shifts=(-1.0, -0.5, 0.5, 1.0)), ListenerModel(slope_sd=0.3, tie_width=0.4)),
        (StudySize(16, 12, shifts=(1.0,)), ListenerModel(position_bias=0.5)),
    ],
    ids=["pairs", "ccr", "gain ladder", "one version"],
)
def test_false_alarms_are_rare(plan, listeners):
    """A rate of 5 % gives at most 7 % of 1000 studies, but for 1 in 300 such tests."""
    found = false_alarms(plan, model=listeners, rng=440, n_studies=1000)
    assert found.value <= 0.07


def test_permutation_against_theory_of_all_exchanges():
    """One listener, 3 items whose two versions go as predicted: only 1 of 8 exchanges is as good."""
    table = study(1, StudySize(2, 3, shift_sd=0.0, trial_type="ccr"))
    table = table.assign(response=table["predicted"])
    found = no_agreement_test(table, rng=1, n_permutations=4000)
    assert found.p_value == pytest.approx(1 / 8, abs=0.02)
    assert no_agreement_test(table, rng=1, scheme="flip", n_permutations=4000).p_value == pytest.approx(1 / 8, abs=0.02)
    opposed = table.assign(response=-table["response"])
    assert no_agreement_test(opposed, rng=1).p_value == 1.0


def test_permutation_against_itself_what_listeners_say_of_all_versions_of_an_item_does_not_matter(rng):
    table = study(rng)
    levels = table["item"].map(dict(zip(table["item"].unique(), rng.normal(size=12) * 5, strict=True)))
    shifted = table.assign(response=table["response"] + levels)
    one, two = (no_agreement_test(each, rng=3, n_permutations=500) for each in (table, shifted))
    assert one.statistic == pytest.approx(two.statistic)
    assert one.p_value == two.p_value


def test_permutation_finds_what_is_there(rng):
    assert no_agreement_test(study(rng, sensitivity=0.6), rng=1, n_permutations=999).p_value < 0.01


def test_evaluate_against_its_parts(rng):
    table = study(rng, StudySize(8, 6, trial_type="ccr"))
    found, unknown = evaluate(table, rng=1)
    assert unknown == {}
    assert (found.n_answers, found.n_listeners, found.n_items, found.n_stimuli) == (96, 8, 6, 12)
    assert found.sign == sign_agreement(table, rng=1)
    assert found == evaluate(table, rng=1)[0]


def test_evaluate_gives_what_can_be_had(rng):
    table = study(rng, StudySize(4, 3, trial_type="ccr"))
    found, unknown = evaluate(table[table["participant"] == "listener000"], rng=1)
    assert found.model is None
    assert found.test is not None
    assert list(unknown) == ["mixed model"]


def test_the_scheme_is_the_first_that_the_study_has_versions_for(rng):
    several, one = (study(rng, StudySize(4, 3, shifts=shifts)) for shifts in ((-1.0, 1.0), (1.0,)))
    assert [no_agreement_test(table, rng=1).scheme for table in (several, one)] == ["within", "flip"]


def test_undefined_agreement_warns(rng):
    table = study(rng, StudySize(4, 3, trial_type="ccr"))
    with pytest.warns(UndefinedWarning, match="sign_agreement with predictions that are all 0"):
        assert np.isnan(sign_agreement(table.assign(predicted=0.0), rng=1).value)
    with pytest.warns(UndefinedWarning, match="calibration over predictions that are all equal"):
        assert np.isnan(calibration(table.assign(predicted=1.0), rng=1).low)
    with pytest.warns(UndefinedWarning, match="correlation_of_versions of fewer than three, or of constants"):
        assert np.isnan(correlation_of_versions(table.assign(response=1.0), rng=1).value)
    with pytest.warns(UndefinedWarning, match="responses that are all equal"):
        assert no_agreement_test(table.assign(response=1.0), rng=1).p_value == 1.0


def test_agreement_iv(rng):
    table = study(rng, StudySize(4, 3, shifts=(1.0,), trial_type="ccr"))
    with pytest.raises(InputError, match="scheme within must have different predictions that it can exchange"):
        no_agreement_test(table, rng=1, scheme="within")
    with pytest.raises(InputError, match="scheme must be one of within, flip, got 'all'"):
        no_agreement_test(table, rng=1, scheme="all")
    with pytest.raises(InputError, match="missing: predicted"):
        evaluate(table.drop(columns="predicted"), rng=1)
    with pytest.raises(InputError, match="one trial_type of pair, ccr, got ccr, pair"):
        calibration(pd.concat([table, table.assign(trial_type="pair")]), rng=1)
    with pytest.raises(InputError, match="trial_type must be ccr"):
        coverage(StudySize(4, 3), model=LISTENERS, rng=1, n_studies=2)
