"""Figures of a result: every number of the tables and records, from shifts that were made up."""

import csv
import re

import numpy as np
import pytest
from numpy.testing import assert_allclose

from emomod.component_weights import Selection
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES
from emomod.output import write_csv
from emomod.rescoring import ControlShifts, ScoreShift
from emomod.result import CONTROL_FIELDS, Modification, Prediction, scores_by_level

NAMES = ("articulation", "dissonance", "tension")
BEFORE = np.array([0.5, 0.25, 0.75])
UP, DOWN = np.array([0.10, -0.05, 0.02]), np.array([-0.20, 0.0, 0.01])
COUNT = np.array([[0.01 * k, 0.05, -0.02] for k in range(1, 20)])  # 0.01 .. 0.19 on articulation
ENERGY = np.array([[0.0, -0.06, 0.0], [-0.3, 0.04, 0.03]])


@pytest.fixture
def modification():
    controls = (ControlShifts("count", COUNT, 1.5), ControlShifts("energy", ENERGY, 0.9))
    shifts = tuple(
        ScoreShift(NAMES, version, BEFORE, BEFORE + shift, controls)
        for version, shift in (("enhanced", UP), ("weakened", DOWN))
    )
    selection = Selection("articulation", "top:3", np.array([4, 1]), np.array([7]))
    waveforms = {name: np.full(100, 0.5, dtype=np.float32) for name in ("original", "enhanced", "weakened")}
    return Modification("articulation", 6.0, selection, waveforms, shifts, -1.5, 71.0)


def test_scores_by_level_against_theory():
    scores = scores_by_level(("tension", "groove", "articulation"), np.array([0.1, 0.2, 0.3]))
    assert scores == {"midlevel": {"articulation": 0.3}, "emotion": {"tension": 0.1}, "score": {"groove": 0.2}}
    every = scores_by_level((*MIDLEVEL_NAMES, *EMOTION_NAMES), np.arange(15.0))
    assert list(every["midlevel"].values()) == list(range(7))
    assert list(every["emotion"].values()) == list(range(7, 15))
    assert tuple(every["emotion"]) == EMOTION_NAMES


def test_prediction_against_theory():
    found = Prediction("a.wav", {"midlevel": {"articulation": 0.5}, "emotion": {"tension": 0.25}}, 3)
    assert found.as_dict() == {
        "file": "a.wav",
        "midlevel": {"articulation": 0.5},
        "emotion": {"tension": 0.25},
        "n_windows": 3,
    }
    html = found._repr_html_()
    assert html.index("a.wav") < html.index("articulation") < html.index("tension")
    assert "0.50" in html


def test_shift_against_theory_is_after_minus_before(modification):
    assert_allclose(modification.shift_of("enhanced").shift, UP, atol=1e-15)
    assert modification.shift_of("weakened").version == "weakened"


def test_modification_against_theory_its_figures(modification):
    told = modification.as_dict()
    assert (told["target"], told["gain_db"], told["rule"]) == ("articulation", 6.0, "top:3")
    assert (told["n_positive"], told["n_negative"]) == (2, 1)
    assert (told["static_gain_db"], told["identity_snr_db"]) == (-1.5, 71.0)
    assert list(told["shifts"]["enhanced"]) == list(NAMES)
    assert_allclose(list(told["shifts"]["weakened"].values()), DOWN, atol=1e-12)


def test_modification_against_theory_controls_of_the_target(modification):
    """0.10 up: 10 of 19 controls moved at least as far; 0.20 down: the second of the energy controls moved further."""
    controls = modification.as_dict()["controls"]
    up, down = controls["enhanced"]["count"], controls["weakened"]["energy"]
    assert tuple(up) == CONTROL_FIELDS
    assert up["p_value"] == pytest.approx((1 + 10) / 20)
    assert up["share_beaten"] == pytest.approx(9 / 19)
    assert up["mean_shift"] == pytest.approx(0.10)
    assert (up["shift_05"], up["shift_95"]) == pytest.approx((0.019, 0.181))
    assert (up["energy_ratio"], up["n"]) == (1.5, 19)
    assert down["p_value"] == pytest.approx(2 / 3)
    assert down["share_beaten"] == pytest.approx(1 / 2)
    assert down["mean_shift"] == pytest.approx(-0.15)
    assert controls["weakened"]["count"]["share_beaten"] == 1.0  # all others went up


def test_rows_against_theory_one_a_score(modification):
    rows = modification.rows()
    assert [(row["name"], row["level"]) for row in rows] == [
        ("articulation", "midlevel"),
        ("dissonance", "midlevel"),
        ("tension", "emotion"),
    ]
    assert_allclose([row["before"] for row in rows], BEFORE)
    assert_allclose([row["enhanced"] for row in rows], BEFORE + UP)
    assert_allclose([row["weakened"] for row in rows], BEFORE + DOWN)
    assert_allclose([row["shift_weakened"] for row in rows], DOWN, atol=1e-12)
    two_sided = [(1 + 10) / 20, (1 + 19) / 20, (1 + 19) / 20]  # shifts of .10, .05 and .02
    found = [row["p_count_enhanced"] for row in rows]
    assert found[0] == pytest.approx(two_sided[0])
    assert rows[1]["p_energy_enhanced"] == pytest.approx(2 / 3)  # one of .06, .04 is as far as .05
    assert rows[1]["p_energy_weakened"] == 1.0  # no shift at all


def test_csv_against_the_rows(modification, tmp_path):
    write_csv(tmp_path / "shifts.csv", modification.rows())
    with open(tmp_path / "shifts.csv", newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert [row["name"] for row in read] == list(NAMES)
    assert read[0]["shift_enhanced"] == "0.1"
    for row, truth in zip(read, modification.rows(), strict=True):
        assert list(row) == list(truth)
        numbers = [key for key, value in truth.items() if isinstance(value, float)]
        assert_allclose([float(row[key]) for key in numbers], [truth[key] for key in numbers], atol=5e-7)


def test_modification_shows_itself_against_the_design(modification):
    html = modification._repr_html_()
    assert html.count("<audio") == 3
    assert "articulation, 6 dB" in html
    numbers = re.findall(r">(\S?)(\d\.\d{3})<", html)[:5]
    assert [number for _, number in numbers] == ["0.500", "0.600", "0.100", "0.300", "0.200"]
    assert [sign for sign, _ in numbers] == ["", "", "+", "", "−"]  # before, enhanced, its shift, weakened, its shift


def test_moved_further_against_theory(modification):
    shift = modification.shift_of("enhanced")
    far = dict(zip(shift.names, np.abs(shift.shift), strict=True))
    found = modification.moved_further("enhanced")
    assert found == sorted(found, key=lambda name: -far[name])
    assert set(found) == {name for name in far if name != "articulation" and far[name] >= far["articulation"]}
    assert modification.as_dict()["moved_further"]["enhanced"] == found
