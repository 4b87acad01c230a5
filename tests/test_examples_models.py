"""The page for people with a model of their own, run as it stands, and the two models that ship as examples."""

import dataclasses
import importlib
import json
import re
import sys
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from fakes import sound_file, tones

from emomod.attribution.methods import parse_method
from emomod.audio import SAMPLE_RATE
from emomod.cli.main import main
from emomod.corpus.score import Note, Part, Score
from emomod.errors import EmomodError
from emomod.model.other import Model, load_other
from emomod.model.probe import probe
from emomod.pipeline import explain
from emomod.taggrams import taggram

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "other_models.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
FEW = parse_method("lime:n_perturbations=64,n_held_out=16")


@pytest.fixture
def newcomer(tmp_path, monkeypatch):
    """A folder with the page's model, as a newcomer copies it, and a sound; it is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "my_model.py").write_text(BLOCKS[0], encoding="utf-8")
    sound_file(tmp_path, seconds=4.0, name="song.wav")
    yield tmp_path
    sys.modules.pop("my_model", None)


def example(name):
    """An example's module and its model, as the command line loads them."""
    model = load_other(f"{ROOT / 'examples' / name}.py:model", device="cpu")
    return sys.modules[f"emomod_model_{name}"], model


@pytest.fixture(scope="module")
def tagger():
    return example("tagger")


@pytest.fixture(scope="module")
def regressor():
    return example("librosa_regressor")


def test_the_page_against_the_promise_of_a_short_model_that_works_the_first_time(newcomer, capsys):
    assert BLOCKS[0].startswith("# my_model.py\n")
    assert len(BLOCKS[0].splitlines()) < 25
    assert main(["predict", "song.wav", "--model", "my_model:model", "--json"]) == 0
    assert {"bright", "busy"} <= set(re.findall(r"\w+", capsys.readouterr().out))
    few = ["--components", "grid", "--masks", "64", "--controls", "19"]
    assert main(["run", "song.wav", "--model", "my_model:model", "--target", "bright", *few, "--out", "out"]) == 0
    record = json.loads((newcomer / "out" / "run.json").read_text(encoding="utf-8"))
    assert record["model"]["names"] == ["bright", "busy"]
    assert record["model"]["origin"] == "my_model:model"
    assert (newcomer / "out" / "report.html").is_file()
    bright = record["shifts"]["enhanced"]["bright"]
    assert (bright["after"] if isinstance(bright, dict) else bright) > 0  # turned up, it is brighter


def test_the_page_against_itself_its_other_code_runs(newcomer):
    names: dict[str, object] = {}
    assert len(BLOCKS) == 4
    for block in BLOCKS[1:]:
        exec(compile(block, "other_models.md", "exec"), names)
    assert (newcomer / "tags" / "taggram.png").is_file()
    assert isinstance(names["model"], Model)


def test_the_page_against_the_card():
    rows = re.findall(
        r"^\| `(\w+)` \| (.*?) \|", PAGE.split("## The card")[1].split("## PyTorch")[0], flags=re.MULTILINE
    )
    fields = {
        field.name: field for field in dataclasses.fields(Model) if field.name not in ("scorer", "device", "origin")
    }
    assert {name for name, _ in rows} == set(fields)
    for name, told in rows:
        if told.startswith("`") or told[:1].isdigit():
            field = fields[name]
            default = field.default_factory() if callable(field.default_factory) else field.default
            assert json.dumps(default) == told.strip("`").replace("(", "[").replace(")", "]")


MISTAKES = (
    "    raise ValueError('too long')",
    "    return waveforms[:, 0]",
    "    return np.full((len(waveforms), 2), np.nan)",
    "    return {'bright': 0.5}",
    "    return np.random.default_rng().random((len(waveforms), 2))",
    "    return np.clip(waveforms[:, :2] / np.abs(waveforms).sum() + waveforms.mean(), 0, 1)",
)


def test_the_page_against_the_errors_that_there_are(newcomer):
    """Each message of the table is provoked with the page's model, and reads as the page says."""
    said, head = [], BLOCKS[0].split("    magnitude")[0]
    y, call = tones(3.0), BLOCKS[0][BLOCKS[0].index("model = Model(") :]
    for number, mistake in enumerate(MISTAKES):
        folder = newcomer / str(number)
        folder.mkdir()
        (folder / "my_model.py").write_text(f"{head}{mistake}\n\n\n{call}", encoding="utf-8")
        with pytest.raises(EmomodError) as caught:
            probe(load_other(f"{folder / 'my_model.py'}:model", device="cpu"), y)
        said.append(str(caught.value))
    for origin in ("my_model:scores", "my_model:models"):
        with pytest.raises(EmomodError) as caught:
            load_other(origin, device="cpu")
        said.append(str(caught.value))
    sys.modules.pop("my_model")
    (newcomer / "my_model.py").write_text("import not_installed_here", encoding="utf-8")
    with pytest.raises(EmomodError) as caught:
        load_other("my_model:model", device="cpu")
    said.append(str(caught.value))

    told = re.findall(r"^\| `(.*?)` \|", PAGE.split("## What is checked")[1], flags=re.MULTILINE)
    assert len(told) == len(said) == 9
    for message in told:
        pattern = re.sub(r"\d+", r"\\d+", re.escape(message).replace(re.escape("..."), ".*"))
        assert any(re.match(pattern, found) for found in said), message


def test_tagger_against_the_shape_of_musicnn(tagger):
    module, model = tagger
    assert (model.sample_rate, model.window_seconds, len(model.names)) == (16000, 3.0, 50)
    assert model.names[:3] == ("guitar", "classical", "slow")
    window = torch.from_numpy(tones(3.0))[None]
    assert module.Tagger().log_mel(torch.zeros(1, 48000)).shape == (1, 96, 187)
    scores = model(window)
    assert scores.shape == (1, 50)
    assert 0.0 < scores.min() < scores.max() < 1.0
    assert model(window[:, :20000]).shape == (1, 50)  # a clip's end may be shorter


def test_tagger_against_librosa(tagger, rng):
    module, _ = tagger
    reference = librosa.filters.mel(sr=16000, n_fft=512, n_mels=96)
    np.testing.assert_allclose(module.mel_filters(), reference, atol=1e-7)
    y = (0.1 * rng.standard_normal(48000)).astype(np.float32)
    power = librosa.feature.melspectrogram(y=y, sr=16000, n_fft=512, hop_length=256, n_mels=96)
    expected = np.log10(10000.0 * power + 1.0)[:, :187]
    np.testing.assert_allclose(module.Tagger().log_mel(torch.from_numpy(y)[None])[0], expected, atol=1e-5)


def test_tagger_against_itself_its_weights_are_those_of_the_seed(tagger):
    module, model = tagger
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    again = Model(module.random_tagger(), names=module.TAGS)
    assert torch.equal(torch.random.get_rng_state(), before)  # others' random numbers are left alone
    assert again.sha256 == model.sha256
    assert Model(module.random_tagger(seed=1), names=module.TAGS).sha256 != model.sha256


@pytest.mark.parametrize("method", (FEW, parse_method("gradient:n_held_out=16")))
def test_tagger_against_the_whole_chain(tagger, tmp_path, method):
    _, model = tagger
    path = sound_file(tmp_path, seconds=3.0)
    assert probe(model, tones(3.0)) == ()
    explanation = explain(path, components="grid:columns=3,rows=2", method=method, predictor=model)
    assert explanation.names == model.names
    assert explanation.effects is None
    assert explanation.weights.weights.shape == (50, 6)
    assert np.abs(explanation.weights.weights).max() > 1e-4


def test_trained_tagger_against_the_score_of_the_bundled_clip(tagger):
    """Flute, strings and cello, then marimba, pizzicato, bass and drums, and a piano in the last chord."""
    model = load_other(f"{ROOT / 'examples' / 'tagger'}.py:trained", device="cpu")
    assert model.sha256 != tagger[1].sha256
    found = taggram(ROOT / "emomod" / "data" / "demo.flac", predictor=model)
    scores = {
        name: found.scores[:, model.names.index(name)] for name in ("drums", "cello", "strings", "piano", "opera")
    }
    assert found.starts.tolist() == [0.0, 3.0, 6.0, 9.0, 12.0]
    assert scores["drums"][0] < 0.3
    assert scores["drums"][2:].min() > 0.8
    assert scores["cello"][0] > 0.6 > scores["cello"][2:].max()
    assert scores["strings"][0] > 0.8 > scores["strings"][2:].max()
    assert scores["piano"].argmax() == 4
    assert scores["opera"].max() < 0.1  # it has never been true


def test_tags_against_notes_that_are_known(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    training = importlib.import_module("examples.train_tagger")
    beats = tuple(np.arange(0.0, 10.1, 1.0).tolist())  # 60 beats a minute
    long, short = Note(0.0, 2.0, 60, 90), Note(3.5, 0.1, 60, 90)
    strokes = tuple(Note(onset, 0.1, 36, 90) for onset in (4.0, 5.0))
    parts = (Part("melody", 25, (long,)), Part("harmony", 48, (short,)), Part("drums", 0, strokes))
    score = Score(parts, 10.0, beats)

    def tags(start):
        return {tag for tag, true in zip(training.TAGS, training.tags_of(score, start), strict=True) if true}

    none = {"no vocal", "no vocals", "no voice", "slow"}
    assert tags(0.0) == none | {"guitar", "solo"}
    assert tags(3.5) == none | {"drums", "beat", "beats", "solo"}  # the strings are too short to count
    assert tags(1.5) == none | {"guitar", "solo"}  # of the drums there is one stroke
    assert tags(6.0) == none


def test_regressor_against_sounds_that_it_has_not_heard(regressor):
    module, model = regressor
    rng = np.random.default_rng(7)
    truth = rng.random((40, 3))
    sounds = torch.from_numpy(np.array([module.make_sound(row, rng) for row in truth]))
    scores = model(sounds).numpy()
    assert model.names == ("fast", "bright", "noisy")
    for column, lowest in enumerate((0.9, 0.8, 0.9)):
        assert np.corrcoef(truth[:, column], scores[:, column])[0, 1] > lowest


def test_regressor_against_itself_it_learns_the_same_again(regressor):
    module, _ = regressor
    first, second = module.train(), module.train()
    np.testing.assert_array_equal(first[0], second[0])
    assert np.isfinite(first[0]).all()
    assert np.isfinite(module.features(np.zeros(3 * SAMPLE_RATE, dtype=np.float32))).all()  # silence


def test_regressor_against_the_whole_chain(regressor, tmp_path):
    _, model = regressor
    path = sound_file(tmp_path, seconds=3.0)
    assert probe(model, tones(3.0)) == ()
    explanation = explain(path, components="grid:columns=3,rows=2", method=FEW, predictor=model)
    assert explanation.weights.weights.shape == (3, 6)
    with pytest.raises(EmomodError, match="needs a model that can be differentiated"):
        explain(path, components="grid", method=parse_method("gradient"), predictor=model)
