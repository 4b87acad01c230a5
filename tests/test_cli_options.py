"""Options become settings, settings keep their defaults, and what is printed for people says what the record says."""

import argparse
import json
from dataclasses import replace

import numpy as np
import pytest
from fakes import explanation

from emomod import __version__
from emomod.attribution.lime import PARITY, LimeSettings
from emomod.cli import doctor as doctor_command
from emomod.cli import options
from emomod.cli.explain import as_dict
from emomod.cli.main import build_parser, main
from emomod.cli.predict import table
from emomod.cli.run import summary
from emomod.errors import InputError
from emomod.finding import Diagnosis, Finding
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES
from emomod.model.mid_to_emotion import published_layer
from emomod.pipeline import ModifySettings, RunSettings
from emomod.result import Prediction

RUN = ["run", "a.wav", "--target", "fear", "--out", "o"]


def parsed(*words):
    return build_parser().parse_args([*RUN, *words])


def test_errors_name_the_option_that_was_given_and_nothing_else():
    given = parsed().options
    assert options.in_options("n_perturbations must be 2, got 1", given) == "--masks must be 2, got 1"
    assert options.in_options("batch_size must be 1, got 0", given) == "--batch-size must be 1, got 0"
    for message in ("clip must be long", "out of memory", "n_clips must be 1", "the target must be known", "target"):
        assert options.in_options(message, given) == message
    assert parsed().options["log_json"] == "--log-json"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("study power --listeners 0 --clips 3", "--listeners must be a whole number of at least 2, got 0"),
        ("study power --listeners 2 --clips 0", "--clips must be a whole number of at least "),
        ("study power --listeners 8 --clips 3 --studies 0", "--studies must be a whole number of at least 1, got 0"),
        ("taggram demo --hop 0 --out o", "--hop must be a finite number in "),
        ("batch demo --recipe r.yaml --workers 0 --out o", "--workers must be a whole number of at least 1, got 0"),
        ("corpus render --clips 1 --workers 0 --out o", "--workers must be a whole number of at least 1, got 0"),
    ],
)
def test_errors_name_the_option_where_python_has_another_name(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(words.split()) == 1
    assert f"emomod: {told}" in capsys.readouterr().err


def test_options_against_the_library_the_defaults_are_its_own():
    assert options.method_settings(parsed()) == LimeSettings()
    assert parsed().components == RunSettings().components
    assert options.modify_settings(parsed()) == ModifySettings()
    assert parsed().start == 0.0
    assert options.method_settings(parsed("--preset", "parity")) == PARITY


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (["--masks", "512"], "n_perturbations", 512),
        (["--design", "paired"], "design", "paired"),
        (["--off", "12dB"], "off", "12dB"),
        (["--batch-size", "4"], "batch_size", 4),
        (["--seed", "9"], "seed", 9),
    ],
)
@pytest.mark.parametrize("preset", ["default", "parity"])
def test_lime_options_against_itself_each_changes_its_own_setting(words, field, value, preset):
    plain, changed = (options.method_settings(parsed("--preset", preset, *extra)) for extra in ((), tuple(words)))
    assert getattr(changed, field) == value
    differing = {name for name in vars(plain) if getattr(plain, name) != getattr(changed, name)}
    assert differing <= {field}


def test_precision_option_against_the_design_masks_are_the_most():
    asked = options.method_settings(parsed("--precision", "0.04"))
    assert (asked.precision, asked.n_perturbations) == (0.04, options.MOST_MASKS)
    limited = options.method_settings(parsed("--precision", "0.04", "--masks", "4096"))
    assert (limited.precision, limited.n_perturbations) == (0.04, 4096)
    with pytest.raises(InputError, match="--precision is no setting of occlusion"):
        options.method_settings(parsed("--precision", "0.04", "--method", "occlusion"))


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (["--gain-db", "3"], "gain_db", 3.0),
        (["--sides", "both"], "sides", "both"),
        (["--rule", "top:5"], "rule", "top:5"),
        (["--preset", "parity"], "rule", "ratio:1e-6"),
        (["--preset", "parity", "--rule", "bh:0.1"], "rule", "bh:0.1"),
        (["--bits", "16"], "bits", 16),
        (["--controls", "19"], "n_controls", 19),
        (["--seed", "9"], "seed", 9),
    ],
)
def test_modification_options_against_itself_each_changes_its_own_setting(words, field, value):
    changed = options.modify_settings(parsed(*words))
    assert getattr(changed, field) == value
    differing = {name for name in vars(changed) if getattr(changed, name) != getattr(ModifySettings(), name)}
    assert differing == {field}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "required.*COMMAND.*emomod --help"),
        (["run", "a.wav"], r"required.*--target.*emomod run --help"),
        (["sing"], "invalid choice: 'sing'"),
        (["run", "a.wav", "--target", "fear"], "--out"),
        (["predict"], "FILE"),
        (["modify", "a.wav", "--target", "fear", "--out", "o"], "--explanation"),
        ([*RUN, "--device", "tpu"], "--device: invalid choice: 'tpu'"),
        (["corpus", "render", "--out", "o"], "--clips"),
    ],
)
def test_parser_iv_is_one_line_like_any_other_bad_input(words, message, capsys):
    with pytest.raises(InputError, match=message):
        build_parser().parse_args(words)
    assert main(words) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("emomod: ")


def test_version_against_the_package(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"emomod {__version__}\n"


def test_print_json_against_json(capsys):
    options.print_json({"a": float("nan"), "b": [1.5, float("inf")], "c": "é"})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [1.5, None], "c": "é"}


@pytest.mark.parametrize(("score", "length"), [(0.0, 0), (0.5, 15), (1.0, 30), (1.7, 30), (-0.2, 0)])
def test_table_against_theory_bars_are_thirty_signs_at_one(score, length):
    told = Prediction("a.wav", {"midlevel": {"articulation": score}, "emotion": {"fear": 0.1}}, 2)
    title, bar, other = table(told).split("\n")
    assert title == "a.wav (2 windows)"
    assert bar.split()[:2] == ["articulation", f"{score:.3f}"]
    assert bar.count("#") == length
    assert other.split() == ["fear", "0.100", "###"]
    assert table(replace(told, n_windows=1)).startswith("a.wav (1 window)\n")
    other_scale = replace(told, scale=(-1.0, 3.0), levels={"score": {"x": 4.0 * score - 1.0}})
    assert table(other_scale).count("#") == length


def test_summary_against_the_record():
    record = {
        "target": "fear",
        "sentence": "Fear is high.",
        "predictions": {
            "before": {"midlevel": {"articulation": 0.5}, "emotion": {"fear": 0.25}},
            "enhanced": {"midlevel": {"articulation": 0.6}, "emotion": {"fear": 0.375}},
        },
        "shifts": {"enhanced": {"articulation": 0.1, "fear": 0.125}},
        "moved_further": {"enhanced": ["anger", "tension"]},
        "window": {"start": 4.0, "seconds": 10.0, "file_seconds": 15.04},
        "controls": {"enhanced": {"count": {"share_beaten": 0.93, "n": 99}, "energy": {"share_beaten": 1.0, "n": 50}}},
        "precision_words": "From 64 random mixtures.",
        "notes": ["it rests"],
        "warnings": ["it is loud"],
        "seconds": {"total": 12.4},
    }
    lines = summary(record, "out").split("\n")
    assert lines[:3] == ["Fear is high.", "", "fear: 0.250 as it is (from 4.0 s on, 10.0 of 15.0 s)"]
    told = "0.375 (+0.125), further up than random changes: 93 % of 99 (count), 100 % of 50 (energy)"
    assert lines[3] == f"  enhanced  {told}"
    assert lines[4].strip() == "but these moved at least as far: anger, tension"
    assert lines[5:] == [
        "From 64 random mixtures.",
        "note: it rests",
        "warning: it is loud",
        "",
        "out/report.html (12 s)",
    ]
    many = summary(record | {"moved_further": {"enhanced": list("abcdef")}}, "out")
    assert "at least as far: a, b, c, d and 2 more" in many
    assert "at least as far" not in summary(record | {"moved_further": {"enhanced": []}}, "out")
    midlevel = summary(record | {"target": "articulation"}, "out")
    assert "articulation: 0.500 as it is" in midlevel
    assert "0.600 (+0.100)" in midlevel


def test_explanation_for_json_against_itself():
    layer = published_layer()
    features = dict(zip(MIDLEVEL_NAMES, np.linspace(0.2, 0.8, 7).tolist(), strict=True))
    emotions = dict(zip(EMOTION_NAMES, layer.emotions(np.array(list(features.values()))).tolist(), strict=True))
    found = as_dict(explanation(features | emotions, layer=layer))
    assert found["scores"] == features | emotions
    assert found["seed"] == 440
    assert tuple(found["effects"]) == EMOTION_NAMES
    for row, (emotion, score) in enumerate(emotions.items()):
        assert sum(found["effects"][emotion].values()) + layer.intercepts[row] == pytest.approx(score)
    assert set(found["surrogate_r2"]) == {*MIDLEVEL_NAMES, *EMOTION_NAMES}
    assert as_dict(explanation(emotions))["effects"] is None


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("info", 0), ("missing", 0), ("problem", 1)])
@pytest.mark.parametrize("as_json", [True, False])
def test_doctor_against_theory_only_problems_end_with_one(monkeypatch, capsys, state, code, as_json):
    diagnosis = Diagnosis((Finding("torch", state, "2.6", "cure it"),))
    monkeypatch.setattr("emomod.doctor.diagnose", lambda path: diagnosis)
    assert doctor_command.execute(argparse.Namespace(checkpoint=None, json=as_json)) == code
    printed = capsys.readouterr().out
    if as_json:
        assert json.loads(printed) == diagnosis.as_dict()
    else:
        assert printed == diagnosis.as_text() + "\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [("New Age", "new age"), ("new_age", "new age"), ("Rhythm-Complexity", "rhythm_complexity"), ("rock", "rock")],
)
def test_resolved_name_against_theory(text, name):
    assert options.resolved_name(text, ("new age", "rhythm_complexity", "Rock", "rock")) == name
    assert options.resolved_name("jazz", ("new age",)) == "jazz"


def test_a_cut_in_decibels_is_no_option():
    assert options.method_settings(parsed("--off", "-9dB")).off == "-9dB"
    assert options.method_settings(parsed("--off", "-12 dB")).off == "-12 dB"
