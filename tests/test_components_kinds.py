"""Kinds of components by name: what is typed, what is listed, and how kinds go together."""

import json

import numpy as np
import pytest
import torch
from fakes import sound_file, tones
from small_runs import small_predictor

from emomod.cli.main import main
from emomod.components.base import sound_of
from emomod.components.kinds import KINDS, cut, describe, intersected, parse_kinds, told
from emomod.components.segmentation import Slic
from emomod.components.separation import separated_layers
from emomod.errors import InputError
from emomod.explanation import load_explanation
from emomod.pipeline import ModifySettings, explain, modify

SOUND = sound_of(tones(2.0))


def test_a_kind_with_options_against_the_dataclass():
    (kind,) = parse_kinds("slic: n_segments=40, compactness=0.2")
    assert kind == Slic(n_segments=40, compactness=0.2)
    assert parse_kinds("felzenszwalb") == (KINDS["felzenszwalb"](),)


def test_intersected_against_theory():
    rows, columns = np.indices((4, 6))
    labels = intersected(rows // 2, columns // 3)
    assert labels.max() == 3
    for label in range(4):
        assert len(set(zip((rows // 2)[labels == label], (columns // 3)[labels == label], strict=True))) == 1
    assert np.array_equal(intersected(np.zeros((4, 6), dtype=np.intp), labels), labels)


def test_cut_against_theory_regions_are_crossed_and_layers_are_cut():
    time, mel = cut(SOUND, "time:seconds=0.5"), cut(SOUND, "mel:n=3")
    both = cut(SOUND, "time:seconds=0.5 x mel:n=3")
    assert both.n_components == time.n_components * mel.n_components == 12
    layers = cut(SOUND, "hpss × time:seconds=0.5")
    assert layers.names == ("harmonic", "percussive")
    assert (layers.n_regions, layers.n_components) == (4, 8)
    assert np.array_equal(layers.regions, time.regions)


def test_told_against_what_was_typed():
    text = "nmf:n=3 x time:seconds=0.5"
    record = told(text, cut(SOUND, text))
    assert record["text"] == text
    assert [kind["kind"] for kind in record["kinds"]] == ["nmf", "time"]
    assert (record["kinds"][0]["n"], record["kinds"][1]["seconds"]) == (3, 0.5)
    assert (record["n_components"], record["notes"]) == (12, [])


@pytest.mark.parametrize(
    ("text", "message"),
    (
        ("felzenswalb", "components must be one of .*, got 'felzenswalb'; did you mean felzenszwalb"),
        ("slic:n=4", "option of slic must be one of n_segments, compactness, got 'n'"),
        ("slic:n_segments=many", "n_segments of slic must be a whole number, got 'many'"),
        ("time:seconds=0", "time: seconds must be"),
        ("hpss x nmf", "components can take a sound apart in one way, got hpss and nmf"),
        ("stems", "stems must be files with a name each"),
        ("", "a name must come first"),
        ("time x", "components must be one of"),
    ),
)
def test_kinds_iv(text, message):
    with pytest.raises(InputError, match=message):
        cut(SOUND, text)


@pytest.mark.parametrize("command", ("components", "methods"))
def test_the_lists_against_each_other(command, capsys):
    assert main([command, "--json"]) == 0
    entries = json.loads(capsys.readouterr().out)
    assert main([command]) == 0
    words = capsys.readouterr().out
    for entry in entries:
        assert f"\n{entry['name']}" in f"\n{words}"
        assert entry["summary"]
        assert entry["summary"] in " ".join(words.split())
        for option in entry["options"]:
            assert option.keys() == {"name", "type", "default"}
            assert f"{option['name']}={option['default']}" in words or option["default"] in (None, "")
    if command == "components":
        assert entries == describe()
        assert {entry["name"] for entry in entries} == set(KINDS)
        assert {entry["gives"] for entry in entries} == {"layers", "regions"}
        assert all(entry["reference"] for entry in entries if entry["name"] in ("felzenszwalb", "slic", "nmf", "time"))
    else:
        assert all(entry["assumes"] and entry["uncertainty"] and entry["reference"] for entry in entries)


@pytest.mark.parametrize("name", [name for name in KINDS if name not in ("stems", "separation")])
def test_every_kind_against_its_defaults_as_they_are_listed(name):
    """What is printed can be typed."""
    options = next(entry["options"] for entry in describe() if entry["name"] == name)
    text = ",".join(f"{option['name']}={option['default']}" for option in options)
    assert parse_kinds(f"{name}:{text}" if text else name) == (KINDS[name](),)


# ---- functions of the user's own -------------------------------------------------------------------------------------


def early_and_late(sound):
    """Two regions."""
    n_bands, n_frames = sound.spectrogram.shape
    return np.tile(np.arange(n_frames) >= n_frames // 2, (n_bands, 1)).astype(np.intp)


def low_and_high(sound):
    """Two layers, from a separator that is a callable on waveforms."""

    def separate(mix):
        smooth = torch.nn.functional.avg_pool1d(mix[None], 25, stride=1, padding=12)[0]
        return torch.cat([smooth, mix - smooth])

    return separated_layers(sound, separate, names=("low", "high"), sample_rate=22050)


def test_functions_against_theory():
    halves = cut(SOUND, early_and_late)
    assert (halves.n_components, halves.names) == (2, ("",))
    crossed = cut(SOUND, [low_and_high, early_and_late, "mel:n=2"])
    assert (crossed.names, crossed.n_components) == (("low", "high"), 8)
    record = told([low_and_high, "mel:n=2"], crossed)
    assert record["text"] == "low_and_high x mel:n=2"
    assert record["kinds"] == [{"own": "low_and_high"}, {"kind": "mel", "n": 2}]


def test_functions_against_the_job(tmp_path):
    clip, settings = sound_file(tmp_path, seconds=2.5), ModifySettings(n_controls=1)
    predictor = small_predictor()
    explanation = explain(clip, components=low_and_high, method="occlusion", predictor=predictor)
    explanation.save(tmp_path / "e")
    assert [place.part for place in explanation.locations] == ["low", "high"]
    job = {"target": "energy", "settings": settings, "predictor": predictor}
    with pytest.raises(InputError, match="must be given anew, since the sound was cut by a function: low_and_high"):
        modify(clip, load_explanation(tmp_path / "e"), out=tmp_path / "out", **job)
    with pytest.raises(InputError, match="must be those that were explained; low_and_high gives others here now"):
        modify(clip, explanation, out=tmp_path / "out", components=early_and_late, **job)
    changed = modify(clip, explanation, out=tmp_path / "out", components=low_and_high, **job)
    assert set(changed.waveforms) == {"original", "enhanced", "weakened", "positive", "negative"}


@pytest.mark.parametrize(
    ("components", "message"),
    (
        (lambda sound: "labels", "must return labels or Layers, got str"),
        (lambda sound: early_and_late(sound)[:, 1:], "must have the spectrogram's shape"),
        ([low_and_high, "hpss"], "components can take a sound apart in one way"),
        ([], "must be a text, a function, or several of them, got none"),
        ([3], "must be texts or functions, got int"),
    ),
)
def test_functions_iv(components, message):
    with pytest.raises(InputError, match=message):
        cut(SOUND, components)
