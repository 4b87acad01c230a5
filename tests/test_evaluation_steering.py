"""Steering is judged on what was written, by definitions that these tests write out again."""

from typing import cast

import numpy as np
import pytest
import torch
from fakes import component_weights, grid_components, tiny_checkpoint, tones
from numpy.testing import assert_allclose

from emomod.attribution.lime import LimeSettings, explain_with_lime
from emomod.components.base import sound_of
from emomod.components.kinds import cut
from emomod.errors import InputError
from emomod.labels import SCORE_NAMES
from emomod.model.predictor import ScoringModel, load_predictor
from evaluation.sections import sections_of
from evaluation.steering import HOLDING, PLAIN, SINGLE, SteeredClip, SteeringSettings, transferred, with_order
from evaluation.summary import summarise

FEW = SteeringSettings(shift=0.001, emotions=(("happy", 0.001, ("energy",)),), n_closely=1, shares=(1.0,), n_random=2)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    models = [
        load_predictor(tiny_checkpoint(folder / f"{seed}.safetensors", seed=seed), device="cpu") for seed in range(3)
    ]
    found = []
    for clip in range(2):
        y = tones(1.2, seed=clip)
        components = cut(sound_of(y), "grid:columns=3,rows=2")
        weights = explain_with_lime(models[0], components, settings=LimeSettings(n_perturbations=64, n_held_out=2))
        told = SteeredClip(models[0], models[1:], y, components, weights, "-6dB", FEW, clip).rows()
        found += [{"clip": f"clip {clip}", "song": f"song {clip}", **row} for row in told]
    return found


def test_requests_against_theory_each_feature_up_and_down_and_emotions_that_the_model_has():
    asked = SteeringSettings().requests(SCORE_NAMES)
    assert [kind for kind, _ in asked] == [SINGLE] * 14 + [HOLDING] * 4
    assert [dict(request.shifts) for _, request in asked[:2]] == [{"melodiousness": 0.1}, {"melodiousness": -0.1}]
    assert asked[14][1].hold == ("energy",)
    assert [kind for kind, _ in SteeringSettings().requests(("guitar", "piano"))] == [SINGLE] * 4


def test_requests_looked_at_closely_against_theory_all_in_turn_and_as_many_of_each_clip():
    closely = [SteeringSettings(n_closely=3).closely(turn, 18) for turn in range(18)]
    assert closely[0] == [0, 6, 12]
    assert closely[17] == [17, 5, 11]
    assert sorted(np.ravel(closely)) == sorted(3 * list(range(18)))
    assert SteeringSettings(n_closely=0).closely(5, 18) == []


def test_rows_are_of_all_requests_plain_and_robust(rows):
    first = [row for row in rows if row["clip"] == "clip 0"]
    assert [(row["kind"], row["robust"]) for row in first] == (
        [(SINGLE, False)] * 14 + [(HOLDING, False)] + [(SINGLE, True)] + [(PLAIN, False)] * 14
    )
    assert len({tuple(row) for row in rows} - {tuple(first[0])}) <= 1  # one set of columns, in two orders at most
    for row in first:
        assert row["reached"] == row[f"shift_{row['target']}"]
        assert None not in (row["transfer_1"], row["transfer_2"])
    steered = [row for row in first if row["kind"] != PLAIN]
    assert all(abs(row["reached"] - row["wanted"]) <= 0.02 for row in steered if row["met"])
    assert all(row["feasible"] for row in steered if row["met"])
    assert all(row["held_miss"] <= 0.03 for row in steered if row["kind"] == HOLDING and row["met"])
    assert all(row["size_db"] > 0 for row in steered)
    assert [place for place, row in enumerate(first) if row["random_share"] is not None] == [0]
    (robust,) = (row for row in first if row["robust"])
    assert (robust["target"], robust["wanted"]) == (first[0]["target"], first[0]["wanted"])


def test_with_order_against_theory():
    columns = {"target": "a", "before_a": 0.2, "before_b": 0.5, "shift_a": 0.1, "shift_b": 0.1}
    rows = [
        {"clip": "one", **columns},
        {"clip": "two", **columns, "before_a": 0.3, "before_b": 0.9},  # b varies four times as much as a
        {"clip": "two", **columns, "before_a": 0.3, "before_b": 0.9, "shift_b": -0.39},
        {"clip": "two", **columns, "before_a": 0.3, "before_b": 0.9, "shift_b": -0.41},
    ]
    assert [row["moves_most"] for row in with_order(rows)] == [True, True, True, False]
    for few in ([], rows[:1]):
        with pytest.raises(InputError, match=r"rows must be of two clips or more, got [01]"):
            with_order(few)


def test_transferred_against_theory():
    row = {"wanted": -0.1, "reached": -0.08, "transfer_1": -0.04}
    (found,) = transferred([row, {"wanted": 1.0, "reached": 1.0}], 1)
    assert found["right"]
    assert found["size"] == pytest.approx(0.5)
    assert not transferred([row | {"transfer_1": 0.01}], 1)[0]["right"]


def test_summary_and_report_tell_what_the_rows_hold(rows):
    summary = summarise({"steering": rows})
    found = summary["steering"]
    assert set(found) == {SINGLE, HOLDING, f"{SINGLE}, robust", PLAIN}
    single = [row for row in rows if row["kind"] == SINGLE and not row["robust"]]
    assert found[SINGLE]["n_requests"] == len(single) == 28
    met = [row["met"] for row in single if row["feasible"]]
    assert_allclose(found[SINGLE]["met_rate"]["value"], np.mean(met))
    size = np.mean([row["transfer_2"] / row["reached"] for row in single])
    assert_allclose(found[SINGLE]["transfer"]["2"]["size"]["value"], size)
    (section,) = sections_of(summary)
    assert [row[0] for row in section.rows] == list(found)
    assert len(section.header) == len(section.rows[0]) == 10


def test_plain_against_theory_turns_what_the_explanation_names():
    components = grid_components(1.2)
    weights = np.zeros((15, 12))
    weights[0, 3] = 0.3

    class Predict:
        names, mid_to_emotion, device, takes, card = SCORE_NAMES, None, torch.device("cpu"), "spectrogram", {}

        def __call__(self, spectrograms):
            return spectrograms.mean(dim=(1, 2))[:, None].repeat(1, 15)

    told = component_weights(weights, np.zeros_like(weights), SCORE_NAMES)
    clip = SteeredClip(cast(ScoringModel, Predict()), (), tones(1.2), components, told, "-6dB", SteeringSettings())
    row = clip.plain(SteeringSettings().requests(SCORE_NAMES)[0][1])
    assert row["kind"] == PLAIN
    assert row["reached"] != 0.0
    assert clip.plain(SteeringSettings().requests(SCORE_NAMES)[2][1])["reached"] == 0.0  # nothing stands out for it
