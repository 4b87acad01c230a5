"""Studies of graded series: folders that were steered before, as items whose versions are given."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fakes import sound_file, tiny_checkpoint
from small_runs import SECONDS, small_predictor
from small_studies import LIME, simulated_answers

from emomod.audio import SAMPLE_RATE, file_sha256
from emomod.cli.main import main
from emomod.errors import InputError
from emomod.loudness import loudness
from emomod.rescoring import score_file
from emomod.steering.request import Request
from emomod.steering.settings import SteerSettings
from emomod.steering_job import steer
from listening_study.analysis.findings import analyse
from listening_study.conditions import ORIGINAL, SOFTER, Step
from listening_study.levels import true_peak_db
from listening_study.package import make_study, read_study
from listening_study.plan import Item, StudyPlan, items_of, read_plan, write_plan
from listening_study.series import read_series
from listening_study.trials import draw_lists

STEPS = [f"articulation steered {step} of 3" for step in (1, 2, 3)]


def series_folder(
    folder: Path,
    *,
    seed: int = 0,
    n_steps: int = 3,
    asked: dict[str, float | str] | None = None,
    seconds: float = SECONDS,
) -> Path:
    """A folder as `emomod steer --steps` leaves it; in each step more of a hum, which is articulation to the model."""
    (folder / "steps").mkdir(parents=True)
    y, _ = soundfile.read(sound_file(folder, seconds=seconds, name="original.wav", seed=seed))
    for step in range(1, n_steps + 1):
        name = "steered.wav" if step == n_steps else f"steps/step_{step}.wav"
        hum = np.abs(y).max() * np.sin(2 * np.pi * 100.0 * np.arange(y.size) / SAMPLE_RATE)
        soundfile.write(folder / name, 0.5 * (y + 0.2 * step * hum), SAMPLE_RATE, subtype="PCM_24")
    record = {"requested": asked or {"articulation": 0.1}, "settings": {"write_steps": True, "n_steps": n_steps}}
    (folder / "steer.json").write_text(json.dumps(record))
    return folder


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    plan = plan_of([series_folder(folder / name, seed=seed) for seed, name in enumerate("abcd")])
    return make_study(plan, folder / "study", predictor=small_predictor())


def plan_of(folders):
    return StudyPlan("Series", items_of(folders), ("articulation",))


# ---- what a folder holds ---------------------------------------------------------------------------------------------


def test_series_against_steer(tmp_path):
    """What `emomod steer` writes is what a study reads: names of the files, their number, and what was asked."""
    settings = SteerSettings(lime=LIME, n_random=1, write_steps=True, n_steps=3)
    clip = sound_file(tmp_path, seconds=SECONDS)
    out = tmp_path / "a"
    steered = steer(clip, Request({"articulation": 0.02}), out=out, settings=settings, predictor=small_predictor())
    found = read_series(out)
    assert found.steered == "articulation=+0.02"
    assert found.original == out / "original.wav"
    assert len(found.steps) == len(steered.points) == 3
    shifts = [score_file(small_predictor(), path, seconds=SECONDS) - steered.before for path in found.steps]
    reached = [shift[steered.names.index("articulation")] for shift in shifts]
    np.testing.assert_allclose(reached, [0.02 * point.share for point in steered.points], atol=0.005)
    assert items_of([out]) == (Item("a", str(out), steered="articulation=+0.02", steps=3),)


def test_without_steps_the_steered_version_stands_alone(tmp_path):
    folder = series_folder(tmp_path / "a", asked={"articulation": "max"})
    record = json.loads((folder / "steer.json").read_text())
    (folder / "steer.json").write_text(json.dumps(record | {"settings": {"write_steps": False, "n_steps": 4}}))
    assert read_series(folder).steps == (folder / "steered.wav",)
    (item,) = items_of([folder])
    assert (item.steered, item.steps) == ("articulation=max", 1)
    assert [each.name for each in plan_of([folder]).conditions] == ["articulation steered 1 of 1"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda folder: (folder / "steer.json").unlink(), r"is a folder without steer\.json; `emomod steer CLIP"),
        (lambda folder: (folder / "steer.json").write_text("{"), r"steer\.json cannot be read"),
        (lambda folder: (folder / "steer.json").write_text("[]"), r"steer\.json cannot be read"),
        (lambda folder: (folder / "steer.json").write_text('{"requested": {}}'), r"steer\.json cannot be read"),
        (lambda folder: (folder / "original.wav").unlink(), r"original\.wav is missing; steer the clip anew"),
        (lambda folder: (folder / "steps" / "step_2.wav").unlink(), r"steps/step_2\.wav is missing"),
        (lambda folder: (folder / "steered.wav").unlink(), r"steered\.wav is missing"),
    ],
)
def test_series_iv(tmp_path, change, says):
    folder = series_folder(tmp_path / "a")
    change(folder)
    with pytest.raises(InputError, match=f"{folder}: .*{says}"):
        items_of([folder])


def test_series_of_several_scores_iv(tmp_path):
    folder = series_folder(tmp_path / "a", asked={"articulation": 0.1, "energy": 0.1})
    with pytest.raises(InputError, match="must be steered in one score, got articulation, energy"):
        items_of([folder])


# ---- the plan --------------------------------------------------------------------------------------------------------


def test_plans_of_series_come_back_from_their_file(tmp_path):
    plan = plan_of([series_folder(tmp_path / name) for name in ("v1.2", "b")])
    assert [item.name for item in plan.items] == ["v1.2", "b"]
    assert plan.conditions == tuple(Step("articulation", step, 3) for step in (1, 2, 3))
    assert [condition.name for condition in plan.conditions] == STEPS
    path = write_plan(tmp_path / "study.yaml", plan)
    assert read_plan(path) == plan
    assert "clip: b\n" in path.read_text()
    assert "steered: articulation=+0.1\n" in path.read_text()
    assert not [word for word in ("gains_db", "versions", "rule") if word in path.read_text()]
    of_clips = write_plan(tmp_path / "clips.yaml", StudyPlan("x", (Item("a", "a.wav"),), ("sad",)))
    assert not [word for word in ("steered", "steps") if word in of_clips.read_text()]


def test_lists_of_series_against_theory(tmp_path):
    plan = plan_of([series_folder(tmp_path / name) for name in "abc"])
    for trials in draw_lists(plan):
        main = [trial for trial in trials if trial.phase == "main"]
        heard = Counter((trial.item, trial.condition) for trial in main)
        assert heard == dict.fromkeys([(item, name) for item in "abc" for name in STEPS], 1)
        assert {trial.other for trial in main} == {ORIGINAL}
        assert {trial.attribute for trial in main} == {"articulation"}
    fewer = replace(plan, conditions_per_item=2, repeats=0, catch=0, practice=0)
    assert [len(trials) for trials in draw_lists(fewer)] == [6] * 4
    with pytest.raises(InputError, match="at most the 3 that a target has, got 4"):
        replace(plan, conditions_per_item=4)


def test_plans_of_series_iv(tmp_path):
    a, b = (series_folder(tmp_path / name) for name in "ab")
    clip = sound_file(tmp_path, seconds=SECONDS)
    longer = series_folder(tmp_path / "longer", n_steps=5)
    down = series_folder(tmp_path / "down", asked={"articulation": -0.1})
    for other, told in (
        (clip, "clip is a clip"),
        (longer, r"longer was steered articulation=\+0.1 in 5 steps"),
        (down, "down was steered articulation=-0.1 in 3 steps"),
    ):
        with pytest.raises(
            InputError, match=f"steered alike, got a was steered articulation=\\+0.1 in 3 steps; {told}"
        ):
            plan_of([a, other])
    plan = plan_of([a, b])
    for targets in (("energy",), ("articulation", "energy")):
        with pytest.raises(InputError, match="targets must be what was steered, articulation alone, got"):
            replace(plan, targets=targets)
    for field, value in (("gains_db", (3.0,)), ("versions", ("enhanced",)), ("rule", "top:3")):
        with pytest.raises(InputError, match=f"{field} must be left out where items were steered before"):
            replace(plan, **{field: value})
    with pytest.raises(InputError, match="steps belong to a series, which says what was steered, got 3 without"):
        Item("a", "a.wav", steps=3)
    with pytest.raises(InputError, match="steps must be a whole number of at least 1, got 0"):
        Item("a", "a", steered="articulation=+0.2")
    with pytest.raises(InputError, match="targets must be one of melodiousness"):
        StudyPlan("x", (Item("a", "a", steered="groove=+0.2", steps=2),), ("groove",))


# ---- the study -------------------------------------------------------------------------------------------------------


def test_given_versions_against_the_gate(study):
    for item in study.plan.items:
        original, _ = soundfile.read(study.path(study.stimulus(item.name, ORIGINAL)))
        for condition in (ORIGINAL, SOFTER, *STEPS):
            stimulus = study.stimulus(item.name, condition)
            y, rate = soundfile.read(study.path(stimulus))
            assert (rate, y.size) == (SAMPLE_RATE, original.size)
            assert soundfile.info(study.path(stimulus)).subtype == "PCM_16"
            assert loudness(y) == pytest.approx(loudness(original) - (12.0 if condition == SOFTER else 0.0), abs=0.1)
            assert true_peak_db(y) <= -1.0
            assert np.abs(y[[0, -1]]).max() < 1e-3
    assert len(study.stimuli) == 4 * 5


def test_given_versions_against_their_sources(study):
    """Between the fades a delivered version is the given file times one gain, but for dither and rounding."""
    n, step = round(0.02 * SAMPLE_RATE), 2.0**-15
    for item in study.plan.items:
        series = read_series(item.clip)
        for condition, path in zip((ORIGINAL, *STEPS), (series.original, *series.steps), strict=True):
            stimulus = study.stimulus(item.name, condition)
            given, delivered = soundfile.read(path)[0], soundfile.read(study.path(stimulus))[0]
            wanted = given * 10 ** (stimulus.static_gain_db / 20)
            assert np.abs(delivered - wanted)[n:-n].max() < 2 * step


def test_the_key_against_the_delivered_files(study):
    again, predictor = read_study(study.folder), small_predictor()
    column = again.names.index("articulation")
    for item in again.plan.items:
        before = score_file(predictor, again.path(again.stimulus(item.name, ORIGINAL)), seconds=SECONDS)
        for condition in STEPS:
            stimulus = again.stimulus(item.name, condition)
            assert stimulus.n_changed is None
            after = score_file(predictor, again.path(stimulus), seconds=SECONDS)
            shift = again.predicted(item.name, condition, "articulation")
            assert shift == pytest.approx(float(after[column] - before[column]), abs=1e-5)
    given = again.record["given"]
    assert list(given) == ["a", "b", "c", "d"]
    for item in again.plan.items:
        series = read_series(item.clip)
        assert given[item.name] == {
            name: file_sha256(path)
            for name, path in zip((ORIGINAL, *STEPS), (series.original, *series.steps), strict=True)
        }
    assert not {"components", "method"} & set(again.record)  # nothing was explained


def test_listeners_who_hear_what_the_model_hears_give_a_dose_response(study):
    answers = simulated_answers(study, n_listeners=40, sensitivity=2.0)
    found = analyse(study, answers)
    told = {each.condition: each for each in found.versions}
    assert list(told) == STEPS
    model, human = ([getattr(told[name], which) for name in STEPS] for which in ("model", "human"))
    assert np.all(np.diff([0.0, *model]) > 0)
    assert np.all(np.diff([0.0, *(each.value for each in human)]) > 0)
    agreement = found.attributes["articulation"].agreement
    assert agreement.sign.low > 0.5
    preference = found.attributes["articulation"].preference
    assert preference is not None
    worths = dict(zip(preference.conditions, preference.worths, strict=True))
    assert np.all(np.diff([worths[name].value for name in STEPS]) > 0)


@pytest.mark.parametrize("trial_type", ["ccr", "sliders", "scale", "abx"])
def test_other_kinds_of_trials_take_series(study, trial_type):
    plan = replace(study.plan, trial_type=trial_type)
    main = [trial for trial in draw_lists(plan)[0] if trial.phase == "main"]
    heard = {name for trial in main for name in trial.heard}
    assert heard == {ORIGINAL, *STEPS}


def test_studies_of_series_iv(tmp_path):
    folders = [series_folder(tmp_path / name, seed=seed) for seed, name in enumerate("abc")]
    plan, a = plan_of(folders), tmp_path / "a"

    def refused(says):
        with pytest.raises(InputError, match=says):
            make_study(plan, tmp_path / "out", predictor=small_predictor())
        assert not (tmp_path / "out").exists()

    shutil.copy(a / "steered.wav", a / "steps" / "step_1.wav")
    refused("item a: articulation steered 1 of 3, articulation steered 3 of 3: are the same file")
    y, _ = soundfile.read(a / "steered.wav")
    soundfile.write(a / "steps" / "step_1.wav", y[:-500], SAMPLE_RATE)
    refused(r"item a: .*step_1\.wav: must be as long as the original, 2\.500 s, got 2\.477 s")
    soundfile.write(a / "steps" / "step_1.wav", 0 * y, SAMPLE_RATE)
    refused(r"item a: .*step_1\.wav: .*is silent")
    (a / "steps" / "step_1.wav").unlink()
    refused(r"item a: .*steps/step_1\.wav is missing")
    shutil.rmtree(a)
    series_folder(a, asked={"articulation": -0.1})
    refused(r"item a: .*was made anew \(a was steered articulation=-0\.1 in 3 steps\) after the plan \(a was")
    shutil.rmtree(a)
    series_folder(a, seconds=2.0)
    refused("items must be equally long")


def test_series_on_the_command_line(tmp_path, capsys):
    folders = [str(series_folder(tmp_path / name, seed=seed)) for seed, name in enumerate("abc")]
    plan, words = tmp_path / "study.yaml", ["study", "design", *folders, "--target", "articulation"]
    assert main([*words, "--out", str(plan)]) == 0
    assert "3 clips, 3 versions of each beside the original; 4 lists of " in capsys.readouterr().out
    checkpoint = str(tiny_checkpoint(tmp_path / "tiny.safetensors"))
    make = ["study", "stimuli", str(plan), "--model", checkpoint, "--device", "cpu"]
    assert main([*make, "--out", str(tmp_path / "study")]) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line[: len(STEPS[0])] for line in told[1:4]] == STEPS
    assert told[4].startswith("15 sounds in ")
    assert main([*words, "--versions", "enhanced", "--out", str(tmp_path / "new.yaml")]) == 1
    assert "versions must be left out where items were steered before" in capsys.readouterr().err
    assert not (tmp_path / "new.yaml").exists()
