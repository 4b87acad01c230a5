"""What the analyses take from the table of answers."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from emomod.errors import InputError
from listening_study.analysis.resampling import cell_sums, correlation, draw_both, mean_of_known
from listening_study.analysis.tables import grid_of, main_answers, rating_shifts

COLUMNS = ["participant", "phase", "trial_type", "item", "attribute", "condition", "other", "response", "predicted"]


def table(*rows):
    return pd.DataFrame(rows, columns=COLUMNS)


def pair(who, item, condition, response, predicted, phase="main"):
    return who, phase, "pair", item, "articulation", condition, "original", response, predicted


ANSWERS = table(
    pair("a", "x", "up", 1.0, 0.5),
    pair("a", "x", "up", -1.0, 0.5),
    pair("a", "y", "up", 1.0, 0.2),
    pair("b", "x", "up", 1.0, 0.5),
    pair("b", "y", "up", np.nan, 0.2),
    pair("b", "y", "up", 1.0, 0.2, phase="practice"),
)


def test_grid_against_theory():
    grid = grid_of(ANSWERS)
    assert_allclose(grid.responses, [[0.0, 1.0], [1.0, np.nan]])
    assert_allclose(grid.means, [0.5, 1.0])
    assert grid.predicted.tolist() == [0.5, 0.2]
    assert grid.items.tolist() == [0, 1]
    assert grid.listeners == ("a", "b")
    assert grid.stimuli[1] == ("y", "articulation", "up", "original")


def test_practice_and_missing_answers_never_count():
    assert len(main_answers(ANSWERS)) == 4
    assert set(main_answers(ANSWERS)["phase"]) == {"main"}


def test_rating_shifts_against_theory():
    def rating(who, condition, value):
        return who, "main", "scale", "x", "sad", condition, "", value, 0.3

    rated = table(
        rating("a", "original", 4.0), rating("a", "original", 6.0), rating("a", "up", 8.0), rating("b", "up", 3.0)
    )
    shifts = rating_shifts(rated, baseline="original")
    assert shifts["response"].tolist() == [3.0]  # b rated no original
    assert shifts["other"].tolist() == ["original"]
    assert grid_of(shifts).responses.tolist() == [[3.0]]
    with pytest.raises(InputError, match="baseline must be a condition that listeners rated beside others, got 'none'"):
        rating_shifts(rated, baseline="none")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (ANSWERS.drop(columns=["predicted", "item"]), "missing: item, predicted"),
        (ANSWERS.iloc[:0], "at least one row, got none"),
        (ANSWERS.assign(phase="practice"), "answers of the phase main, got none"),
        (ANSWERS.assign(trial_type="abx"), "one trial_type of pair, ccr, got abx"),
        (ANSWERS.assign(predicted=np.nan), "predicted must be finite, got 4 of NaN"),
        (ANSWERS.assign(predicted=range(6)), "one number for each stimulus, got several for .'x'"),
    ],
)
def test_tables_iv(changed, message):
    with pytest.raises(InputError, match=message):
        grid_of(changed)


def test_two_way_draws_against_theory(rng):
    """An answer counts as often as its listener times as often as its item, in a loop over both."""
    listener, item = rng.integers(4, size=50), rng.integers(6, size=50)
    listener[0], item[0] = 3, 5
    values = rng.normal(size=50)
    draws = draw_both(4, 6, rng=rng, n_draws=20)
    wanted = [
        sum(v * a[who] * b[what] for v, who, what in zip(values, listener, item, strict=True))
        for a, b in zip(draws.listeners, draws.items, strict=True)
    ]
    assert_allclose(draws.totals(cell_sums(values, listener=listener, item=item)), wanted)
    assert (draws.listeners.sum(axis=1) == 4).all()
    assert (draws.items.sum(axis=1) == 6).all()


def test_correlation_and_mean_against_theory_of_missing_values():
    assert correlation(np.array([1.0, 2.0, 3.0, np.nan]), np.array([2.0, 4.0, 6.0, 1.0])) == pytest.approx(1.0)
    assert np.isnan(correlation(np.array([1.0, 2.0, np.nan]), np.array([1.0, 2.0, 3.0])))
    assert np.isnan(correlation(np.ones(4), np.arange(4.0)))
    assert mean_of_known([1.0, float("nan"), 3.0]) == 2.0
    assert np.isnan(mean_of_known([float("nan")]))
