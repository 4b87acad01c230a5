import csv
import json
import math
import re
from dataclasses import asdict, replace

import numpy as np
import pytest
import soundfile
from fakes import sound_file, tiny_checkpoint, tones

from emomod import pipeline, remarks
from emomod.attribution.lime import LimeSettings
from emomod.attribution.methods import as_method
from emomod.audio import file_sha256, read_clip
from emomod.errors import InputError
from emomod.explanation import load_explanation
from emomod.labels import EMOTION_NAMES, MIDLEVEL_NAMES, SCORE_NAMES
from emomod.model.predictor import load_predictor, score_waveform
from emomod.pipeline import ModifySettings, RunSettings, explain, modify, predict, run
from emomod.rescoring import score_file
from emomod.stages import Event, Stages

WAVS = {f"{name}.wav" for name in ("original", "enhanced", "weakened", "positive", "negative")}
FILES = {
    *WAVS,
    "shifts.csv",
    "components.csv",
    "explanation.npz",
    "explanation.json",
    "figures",
    "report.html",
    "run.json",
}
KEYS = {
    "predictions", "target", "n_components", "n_positive", "n_negative", "surrogate_r2", "clip_r2", "identity_snr_db",
    "shifts", "controls", "seconds", "settings", "versions", "clip_sha256",
}  # fmt: skip
SETTINGS = RunSettings(
    method=LimeSettings(n_perturbations=128, n_held_out=32), modify=ModifySettings(n_controls=5, rule="top:12")
)


QUICK = RunSettings(
    method=LimeSettings(n_perturbations=128, n_held_out=2), modify=ModifySettings(n_controls=1, rule="top:9")
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pipeline")


@pytest.fixture(scope="module")
def clip(folder):
    return sound_file(folder, seconds=2.5)


@pytest.fixture(scope="module")
def predictor(folder):
    return load_predictor(tiny_checkpoint(folder / "t.safetensors"), device="cpu")


@pytest.fixture(scope="module")
def result(folder, clip, predictor):
    return run(clip, target="articulation", out=folder / "out", settings=SETTINGS, predictor=predictor)


@pytest.fixture(scope="module")
def record(result):
    return json.loads((result.folder / "run.json").read_text())


@pytest.fixture
def no_report(monkeypatch):
    monkeypatch.setattr(pipeline, "write_report", lambda result, folder: None)


def test_run_against_the_design_writes_all_files(result):
    assert {path.name for path in result.folder.iterdir()} == FILES
    assert all(path.stat().st_size > 0 for path in result.folder.iterdir())
    pictures = list((result.folder / "figures").iterdir())
    assert pictures
    assert {path.read_bytes()[:8] for path in pictures} == {b"\x89PNG\r\n\x1a\n"}
    page = (result.folder / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:|//)", page)  # one self-contained file


def test_run_against_the_design_the_record(result, record, clip, predictor):
    assert set(record) >= KEYS
    assert record["target"] == "articulation"
    assert record["clip_sha256"] == file_sha256(clip)
    assert set(record["predictions"]) == {"before", "enhanced", "weakened"}
    for levels in record["predictions"].values():
        assert (tuple(levels["midlevel"]), tuple(levels["emotion"])) == (MIDLEVEL_NAMES, EMOTION_NAMES)
    assert set(record["surrogate_r2"]) == set(SCORE_NAMES)
    assert record["n_components"] == result.explanation.weights.weights.shape[1]
    assert record["n_positive"] + record["n_negative"] == 12
    assert record["identity_snr_db"] >= 60
    assert math.isfinite(record["clip_r2"])
    assert set(record["seconds"]) > {"reading", "explaining", "rendering", "re-scoring", "report", "total"}
    assert record["settings"]["method"] == {"name": "lime", **asdict(as_method(SETTINGS.method))}
    assert record["settings"]["modify"]["n_controls"] == 5
    assert {"python", "emomod", "torch", "numpy"} <= set(record["versions"])
    assert record["model"]["sha256"] == predictor.checkpoint.sha256
    assert record["window"] == {"start": 0.0, "seconds": 2.0, "file_seconds": 2.5}
    assert record == json.loads(json.dumps(result.record))


def test_run_against_the_written_files_the_shifts(result, record, predictor):
    """Every score is read off a file once more, apart from the pipeline."""
    scores = {
        name: score_file(predictor, result.folder / f"{name}.wav") for name in ("original", "enhanced", "weakened")
    }
    for version in ("enhanced", "weakened"):
        shifts = dict(zip(SCORE_NAMES, scores[version] - scores["original"], strict=True))
        assert record["shifts"][version] == pytest.approx(shifts, abs=1e-9)
        for kind in ("count", "energy"):
            control = record["controls"][version][kind]
            assert control["n"] == 5
            assert control["p_value"] * 6 == pytest.approx(round(control["p_value"] * 6))
            assert 1 / 6 <= control["p_value"] <= 1
    with open(result.folder / "shifts.csv", newline="", encoding="utf-8") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    assert tuple(rows) == SCORE_NAMES
    for column, name in enumerate(SCORE_NAMES):
        row = rows[name]
        assert row["level"] == ("midlevel" if column < 7 else "emotion")
        told = [float(row[key]) for key in ("before", "enhanced", "weakened", "shift_enhanced")]
        measured = [*(values[column] for values in scores.values()), record["shifts"]["enhanced"][name]]
        np.testing.assert_allclose(told, measured, atol=1e-6)


def test_run_against_the_clip_the_written_original(result, clip):
    original, truth = read_clip(result.folder / "original.wav").y, read_clip(clip, seconds=2.0).y
    factor = 10 ** (result.modification.static_gain_db / 20)
    np.testing.assert_allclose(original, factor * truth, atol=2e-6)
    for name in WAVS:
        info = soundfile.info(result.folder / name)
        assert (info.frames, info.samplerate, info.channels, info.subtype) == (truth.size, 22050, 1, "PCM_24")
        peak = np.abs(soundfile.read(result.folder / name)[0]).max()
        assert peak < 1.0
        np.testing.assert_allclose(
            soundfile.read(result.folder / name)[0], result.modification.waveforms[name[:-4]], atol=2**-23
        )


def test_run_against_itself_twice_the_same_to_the_bit(result, record, clip, predictor, tmp_path, no_report):
    run(clip, target="articulation", out=tmp_path / "again", settings=SETTINGS, predictor=predictor)
    for name in (*WAVS, "shifts.csv", "explanation.json"):
        assert (tmp_path / "again" / name).read_bytes() == (result.folder / name).read_bytes()
    again = json.loads((tmp_path / "again" / "run.json").read_text())
    assert again | {"seconds": None} == record | {"seconds": None}


def test_explain_and_modify_against_run(result, clip, predictor, tmp_path):
    explanation = explain(clip, method=SETTINGS.method, predictor=predictor)
    stored = load_explanation(result.folder)
    assert np.array_equal(explanation.weights.weights, stored.weights.weights)
    assert explanation.where.agrees(stored.where.shares)
    out = tmp_path / "modified"
    changed = modify(clip, stored, target="articulation", out=out, settings=SETTINGS.modify, predictor=predictor)
    assert {path.name for path in out.iterdir()} == {*WAVS, "shifts.csv", "components.csv", "modification.json"}
    assert changed.as_dict() == result.modification.as_dict()
    assert (out / "enhanced.wav").read_bytes() == (result.folder / "enhanced.wav").read_bytes()


def test_modify_iv(result, clip, predictor, folder, tmp_path):
    other_clip = sound_file(tmp_path, seconds=2.5, seed=1)
    with pytest.raises(InputError, match=r"path must be the file that was explained .* has other content"):
        modify(other_clip, result.explanation, target="energy", out=tmp_path / "out", predictor=predictor)
    other = load_predictor(tiny_checkpoint(tmp_path / "other.safetensors", seed=1), device="cpu")
    with pytest.raises(InputError, match=r"predictor must be the one that was explained, got .*other"):
        modify(clip, result.explanation, target="energy", out=tmp_path / "out", predictor=other)
    with pytest.raises(InputError, match=r"target must be one of melodiousness, .*, got 'groove'"):
        modify(clip, result.explanation, target="groove", out=tmp_path / "out", predictor=predictor)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seconds", (1.2, 2.0, 5.0))
def test_predict_against_the_mean_of_windows(tmp_path, predictor, seconds):
    path = sound_file(tmp_path, seconds=seconds)
    y = read_clip(path, seconds=60).y
    starts = {1.2: [0.0], 2.0: [0.0], 5.0: [0.0, 1.5, 3.0]}[seconds]
    windows = [y[round(start * 22050) :][: 2 * 22050] for start in starts]
    expected = np.mean([score_waveform(predictor, window) for window in windows], axis=0)
    found = predict(path, predictor=predictor)
    assert found.n_windows == len(starts)
    assert found.file == str(path)
    np.testing.assert_allclose([*found.midlevel.values(), *found.emotion.values()], expected, atol=1e-6)
    assert set(found.as_dict()) >= {"file", "midlevel", "emotion"}


def test_run_against_the_design_a_model_of_one_level(tmp_path, clip):
    model = load_predictor(tiny_checkpoint(tmp_path / "t.safetensors", architecture="a2e"), device="cpu")
    found = run(clip, target="sad", out=tmp_path / "out", settings=QUICK, predictor=model)
    assert found.explanation.effects is None
    before = found.record["predictions"]["before"]
    assert (before["midlevel"], tuple(before["emotion"])) == ({}, EMOTION_NAMES)
    assert "no mid-level features" in found.sentence
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    with pytest.raises(InputError, match=r"target must be one of valence, .*, got 'articulation'"):
        run(clip, target="articulation", out=tmp_path / "no", settings=SETTINGS, predictor=model)


def test_run_against_the_design_nothing_stands_out(tmp_path, clip, predictor):
    settings = RunSettings(method=QUICK.method, modify=ModifySettings(n_controls=1, rule="bh:0"))
    found = run(clip, target="fear", out=tmp_path / "out", settings=settings, predictor=predictor)
    assert sum("no component speaks" in warning for warning in found.record["warnings"]) == 2
    assert not any(found.record["shifts"]["enhanced"].values())
    assert found.record["controls"]["enhanced"]["count"]["p_value"] == 1.0


SOUNDS = {
    "half a second": tones(0.5),
    "a click in silence": np.where(np.arange(14000) == 6000, 0.9, 0.0),
    "noise": np.random.default_rng(440).uniform(-1, 1, 12000),
    "a square wave at full scale": np.sign(np.sin(0.1 * np.arange(14000))),
    "a constant": np.full(12000, 0.5),
}


@pytest.mark.parametrize("y", SOUNDS.values(), ids=SOUNDS)
def test_run_against_the_design_odd_sounds(tmp_path, predictor, no_report, y):
    soundfile.write(tmp_path / "a.wav", y, 22050, subtype="FLOAT")
    found = run(tmp_path / "a.wav", target="fear", out=tmp_path / "out", settings=QUICK, predictor=predictor)
    assert found.record["identity_snr_db"] > 60
    assert np.isfinite([*found.record["shifts"]["enhanced"].values()]).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    (
        ({"target": "groove"}, "target must be one of melodiousness, .*, tender, got 'groove'"),
        ({"path": "missing.wav"}, "missing.wav: there is no such file"),
        ({"settings": RunSettings(start=2.4)}, "start must leave 0.5 s"),
        ({"settings": RunSettings(method=LimeSettings(n_perturbations=5))}, "n_perturbations must be at least"),
    ),
)
def test_run_iv_writes_nothing(tmp_path, clip, predictor, changed, message):
    arguments = {"path": clip, "target": "fear", "out": tmp_path / "out", "settings": SETTINGS} | changed
    with pytest.raises(InputError, match=message):
        run(arguments.pop("path"), predictor=predictor, **arguments)
    assert not list(tmp_path.iterdir())


def test_run_iv_a_folder_that_cannot_be_written_is_found_first(tmp_path, clip, predictor):
    tmp_path.chmod(0o555)
    told: list[Event] = []
    with pytest.raises(InputError, match="read-only"):
        run(
            clip,
            target="fear",
            out=tmp_path / "out",
            settings=SETTINGS,
            predictor=predictor,
            stages=Stages(told.append),
        )
    tmp_path.chmod(0o755)
    assert not told  # nothing was computed in vain


def test_run_against_the_design_only_scores_are_left_when_the_last_stage_fails(tmp_path, clip, predictor, monkeypatch):
    def fail(*_):
        raise RuntimeError("no ink")

    monkeypatch.setattr(pipeline, "write_report", fail)
    with pytest.raises(RuntimeError, match="no ink"):
        run(clip, target="fear", out=tmp_path / "out", settings=QUICK, predictor=predictor)
    assert [path.name for path in tmp_path.iterdir()] == [".out.scores"]
    monkeypatch.undo()
    run(clip, target="fear", out=tmp_path / "out", settings=QUICK, predictor=predictor)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("n_samples", (11025, 3 * 22050))
def test_predict_against_itself_the_default_model(tmp_path, n_samples):
    soundfile.write(tmp_path / "a.wav", tones(n_samples / 22050), 22050)
    one, other = predict(tmp_path / "a.wav"), predict(tmp_path / "a.wav")
    assert one == other
    assert (tuple(one.midlevel), tuple(one.emotion)) == (MIDLEVEL_NAMES, EMOTION_NAMES)


@pytest.mark.parametrize(
    ("setting", "message"),
    (
        ({"gain_db": 50.0}, "gain_db must be a finite number in 0..40, got 50.0"),
        ({"sides": "left"}, "sides must be one of"),
        ({"rule": "best:3"}, "rule must be one of"),
        ({"bits": 8}, "bits must be one of 16, 24, got '8'"),
        ({"n_controls": 0}, "n_controls must be a whole number of at least 1"),
        ({"seed": -1}, "a seed must be >= 0"),
    ),
)
def test_modify_settings_iv(setting, message):
    with pytest.raises(InputError, match=message):
        ModifySettings(**setting)


def test_components_csv_against_the_explanation(result):
    with open(result.folder / "components.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    weights, selection = result.explanation.weights, result.modification.selection
    row = weights.names.index("articulation")
    assert [int(found["component"]) for found in rows] == list(range(len(result.explanation.locations)))
    np.testing.assert_allclose([float(found["weight"]) for found in rows], weights.weights[row], rtol=1e-5)
    for side in ("positive", "negative"):
        chosen = {int(found["component"]) for found in rows if found["side"] == side}
        assert chosen == set(getattr(selection, side).tolist())
    assert [len(repr(value)) < 500 for value in (result, result.explanation, result.modification)] == [True] * 3


def test_warnings_against_theory(tmp_path, clip):
    told = {"figures": {"test_r": {"articulation": 0.39, "minorness": 0.41}}, "window_seconds": 3.0}
    model = load_predictor(tiny_checkpoint(tmp_path / "t.safetensors", **told), device="cpu")
    more = replace(SETTINGS, method=LimeSettings(n_perturbations=160, n_held_out=32))
    for target, poor in (("articulation", True), ("minorness", False)):
        found = run(clip, target=target, out=tmp_path / target, settings=more, predictor=model)
        warnings = found.record["warnings"]
        assert any("learned from 3 s" in warning for warning in warnings)
        assert any("r = 0.39 with labels" in warning for warning in warnings) == poor


def test_warnings_against_theory_a_target_that_moves_the_wrong_way(tmp_path, clip, predictor, monkeypatch, no_report):
    def warned(name, **changed):
        told = replace(SETTINGS, modify=replace(SETTINGS.modify, **changed))
        found = run(clip, target="fear", out=tmp_path / name, settings=told, predictor=predictor)
        return {warning for warning in found.record["warnings"] if "wrong way" in warning}

    assert not warned("unchanged", gain_db=0.0)
    meant = warned("meant")
    monkeypatch.setattr(remarks, "DIRECTIONS", {"enhanced": -1.0, "weakened": 1.0})
    opposite = warned("opposite")
    assert meant | opposite == {f"fear moved the wrong way in {version}.wav" for version in ("enhanced", "weakened")}
    assert not meant & opposite
