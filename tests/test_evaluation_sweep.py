"""Dose and response: gains in, scores of written files out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fakes import component_weights, grid_components, linear_predict
from numpy.testing import assert_allclose

from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES
from emomod.model.predictor import Takes
from emomod.undefined import UndefinedWarning
from evaluation import responses as judging
from evaluation.responses import (
    Response,
    calibration,
    direction_rate,
    monotonicity,
    pooled_p,
    responses_of,
    selectivity,
)
from evaluation.sweep import SweepSettings, sweep_clip

SETTINGS = SweepSettings(gains_db=(-12.0, -6.0, 6.0), control_gains_db=(-6.0, 6.0), n_controls=39, rule="top:2")


class Balance:
    """Scores that are the shares of rows of a grid in the magnitude: a peak as such changes nothing."""

    names, mid_to_emotion, device = MIDLEVEL_NAMES, None, torch.device("cpu")
    takes: Takes = "spectrogram"

    def __init__(self, components):
        self.rows = [torch.from_numpy(components.regions // 3 == row) for row in range(4)]

    def __call__(self, spectrograms):
        magnitudes = 10.0**spectrograms - 1.0
        total = magnitudes.sum(dim=(1, 2))
        shares = [(magnitudes * row).sum(dim=(1, 2)) / total for row in self.rows]
        return torch.stack([*shares, *shares[:3]], dim=1)


@pytest.fixture(scope="module")
def components():
    return grid_components()  # 4 rows x 3 columns


def weights_of(rows):
    """Explanations in which the score of a row is made by the row's own components, and hindered by one of another."""
    weights = np.zeros((7, 12))
    for score in range(7):
        weights[score, 3 * (score % 4)] = 0.3
        weights[score, 3 * ((score + 1) % 4)] = -0.1
    return component_weights(rows * weights, np.zeros_like(weights), MIDLEVEL_NAMES)


@pytest.fixture(scope="module")
def responses(components):
    found = []
    for clip in ("one", "two"):
        found += sweep_clip(
            Balance(components), components, weights_of(1.0), clip=clip, off="-6dB", settings=SETTINGS,
            targets=["melodiousness", "articulation"],
        )  # fmt: skip
    return found


def test_responses_against_theory(responses, components):
    assert [(each.clip, each.target, each.side) for each in responses[:4]] == [
        ("one", target, side) for target in ("melodiousness", "articulation") for side in ("positive", "negative")
    ]
    first = responses[0]
    assert first.right.all()
    assert first.own.tolist() == sorted(first.own)
    assert first.monotonicity == pytest.approx(1.0)
    assert responses[1].monotonicity == pytest.approx(1.0)  # turned up, the negative ones lower the score
    assert first.n_chosen == 1
    assert first.score == pytest.approx(Balance(components)(components.mix(torch.ones(1, 12)))[0, 0].item(), abs=1e-4)


def test_responses_against_themselves_loudness_does_not_count(responses):
    for each in responses:
        assert each.matched_shifts is not None
        assert_allclose(each.matched_shifts, each.own, atol=1e-4)  # rounding to 24 bits


def test_calibration_against_theory_of_a_linear_model(rng, components):
    """Written files are divided by their peaks; the prediction knows it, so that a linear model is predicted."""
    truth = rng.uniform(-1, 1, size=(7, 12))
    predict = linear_predict(components, truth)
    weights = component_weights((1 - 10**-0.3) * truth, np.zeros((7, 12)), MIDLEVEL_NAMES)
    found = sweep_clip(predict, components, weights, clip="one", off="-6dB", settings=replace(SETTINGS, n_controls=1))
    assert len(found) >= 10
    measured, told = (np.concatenate([getattr(each, name) for each in found]) for name in ("own", "predicted"))
    assert calibration(found, gains_db=[-6.0, 6.0]) == pytest.approx(1.0, abs=0.1)
    assert np.corrcoef(measured, told)[0, 1] > 0.98  # overlapping windows blur what is turned


def test_pooled_p_against_theory(rng):
    """Versions that are no better than their controls, and versions that are better in the mean only."""

    def drawn(lift):
        controls = {6.0: {kind: rng.normal(size=199) for kind in ("count", "energy")}}
        shifts = np.full((2, 7), rng.normal() + lift)
        return still(shifts=shifts, controls=controls)

    p_values = [pooled_p([drawn(0.0) for _ in range(5)]) for _ in range(80)]
    assert 0.4 < np.mean(p_values) < 0.8  # the larger of two
    assert pooled_p([drawn(1.0) for _ in range(60)]) == pytest.approx(1 / 200)
    assert still(controls={6.0: {"count": np.zeros(3), "energy": np.ones(3)}}).control_p == {6.0: 1.0}
    with pytest.raises(InputError, match="responses must have controls"):
        pooled_p([still()])


def test_controls_against_theory(responses, components):
    """Of random components one in four lies in the row itself; turned the wrong way, nearly all others do better."""
    assert set(responses[0].control_p) == {-6.0, 6.0}
    told = [each for each in responses if each.side == "positive"]
    assert all(1 / 40 <= p <= 0.5 for each in told for p in each.control_p.values())
    wrong = sweep_clip(
        Balance(components), components, weights_of(-1.0), clip="one", off="-6dB", settings=SETTINGS,
        targets=["articulation"],
    )  # fmt: skip
    assert not wrong[0].right.any()
    assert min(wrong[0].control_p.values()) > 0.5


def test_metrics_against_theory(responses):
    assert direction_rate(responses) == monotonicity(responses) == 1.0
    rows = judging.evaluate(responses)
    assert [(row["target"], row["side"]) for row in rows] == [(e.target, e.side) for e in responses[:4]]
    assert all(row["n_clips"] == 2 and row["direction_rate"] == 1.0 for row in rows)
    told = responses[0]
    exact = replace(told, shifts=np.tile(told.predicted[:, None], (1, 7)))
    assert calibration([exact], gains_db=[6.0]) == pytest.approx(1.0)
    assert calibration([replace(exact, shifts=exact.shifts / 2)], gains_db=[-6.0, 6.0]) == pytest.approx(0.5)


def test_selectivity_against_theory(responses):
    rows = selectivity(responses)
    assert len(rows) == 2 * 7
    own = [row for row in rows if row["target"] == row["score"]]
    assert [row["relative"] for row in own] == [1.0, 1.0]
    for target in ("melodiousness", "articulation"):
        shifts = [row["shift"] for row in rows if row["target"] == target]
        assert sum(shifts[:4]) == pytest.approx(0.0, abs=1e-6)  # shares: what one wins the others lose
        assert rows[0]["shift"] > 0


def test_rows_are_tidy(responses):
    rows = responses[0].rows()
    assert [row["gain_db"] for row in rows] == [-12.0, -6.0, 6.0]
    assert rows[0]["control_p"] is None
    assert rows[2]["shift"] == rows[2]["shift_melodiousness"]
    assert all(row["right"] for row in rows)


def test_rows_against_themselves_give_the_responses_back(responses):
    rows = [row for each in responses for row in each.rows()]
    again = responses_of(rows)
    assert [row for each in again for row in each.rows()] == rows
    assert judging.evaluate(again) == judging.evaluate(responses)
    with pytest.raises(InputError, match="rows must have the column 'side'"):
        responses_of([{"clip": "a", "target": "b"}])


def test_a_side_without_components_is_left_out(components):
    none = component_weights(np.abs(weights_of(1.0).weights), np.zeros((7, 12)), MIDLEVEL_NAMES)
    quick = replace(SETTINGS, n_controls=1, matched=False)
    found = sweep_clip(
        Balance(components), components, none, clip="one", off="-6dB", settings=quick, targets=["minorness"]
    )
    assert [each.side for each in found] == ["positive"]
    assert found[0].matched_shifts is None


def still(**changes):
    names, gains = MIDLEVEL_NAMES, np.array([-6.0, 6.0])
    told = Response("c", names, names[0], "positive", 1, gains, 0.5, np.zeros((2, 7)), None, np.zeros(2), {})
    return replace(told, **changes)


def test_undefined_metrics_warn():
    with pytest.warns(UndefinedWarning, match="monotonicity of a score that does not move"):
        assert still().monotonicity == 0.0
    with pytest.warns(UndefinedWarning, match="calibration of predictions that are all 0"):
        assert calibration([still()], gains_db=[6.0]) == 0.0
    with pytest.warns(UndefinedWarning, match="relative to a target that does not move"):
        assert selectivity([still()])[0]["relative"] == 0.0
    assert direction_rate([still()]) == 0.0


def test_sweep_iv(components):
    with pytest.raises(InputError, match="gains_db must ascend and not be 0"):
        SweepSettings(gains_db=(-6.0, 0.0, 6.0), control_gains_db=())
    with pytest.raises(InputError, match="control_gains_db must be some of gains_db"):
        SweepSettings(gains_db=(-6.0, 3.0))
    with pytest.raises(InputError, match=r"gains_db must be a finite number in -40\.\.40"):
        SweepSettings(gains_db=(-60.0,), control_gains_db=())
    with pytest.raises(InputError, match="responses must be at least one"):
        direction_rate([])
    with pytest.raises(InputError, match="gains_db must be some of the responses' gains"):
        direction_rate([still()], gains_db=[1.0])
    few = component_weights(np.ones((7, 3)), np.zeros((7, 3)), MIDLEVEL_NAMES)
    with pytest.raises(InputError, match="weights must be of the model's scores and of 12 components"):
        sweep_clip(Balance(components), components, few, clip="one", off="-6dB")
