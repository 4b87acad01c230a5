"""Checks of a checkpoint: MIDI phrases with ratings, and the model card."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.testing import assert_allclose

from emomod.corpus.fluidsynth import SOUNDFONTS
from emomod.corpus.midi import read_midi, write_midi
from emomod.corpus.score import Note, Part, Score
from emomod.errors import InputError
from emomod.model.checkpoint import load_checkpoint
from emomod.training import card
from emomod.training.validation import load_phrases, rate_phrases, roc_area

PUBLISHED = Path(__file__).parents[1] / "../shared/data/published_example_001.json"
NOTES = (Note(0.25, 0.5, 60, 90), Note(0.25, 0.5, 64, 90), Note(1.0, 0.5, 67, 70))


def score_of(notes, seconds=12.0):
    return Score((Part("harmony", 5, tuple(notes)),), seconds, (0.0, 0.5, 1.0))


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "phrases"
    made.mkdir()
    calm = score_of(Note(2.0 * place, 1.9, key, 60) for place, key in enumerate((60, 63, 67, 63, 60)))
    busy = score_of(Note(0.2 * place, 0.1, 60 + place % 12, 110) for place in range(50))
    for name, score in (("a.mid", calm), ("b.mid", busy)):
        write_midi(made / name, [score], slot_seconds=12.0)
    (made / "labels.csv").write_text("file,series,valence,arousal\na.mid,x,1,-1\nb.mid,x,-1,1\n")
    return made


def test_a_midi_file_comes_back_against_itself(tmp_path):
    read = read_midi(write_midi(tmp_path / "x.mid", [score_of(NOTES)], slot_seconds=12.0), seconds=12.0)
    assert read.parts[0].program == 5
    assert [note.pitch for note in read.parts[0].notes] == [60, 64, 67]
    assert_allclose([note.onset for note in read.parts[0].notes], [0.25, 0.25, 1.0], atol=2e-4)
    assert_allclose([note.duration for note in read.parts[0].notes], 0.5, atol=2e-4)


def test_the_pedal_holds_notes_against_theory(tmp_path):
    import mido

    def message(kind, seconds, **values):
        return mido.Message(kind, time=round(seconds * 1000), **values)

    track = mido.MidiTrack(
        [
            mido.MetaMessage("set_tempo", tempo=1_000_000),
            message("control_change", 0.0, control=64, value=127),
            message("note_on", 0.0, note=60, velocity=90),
            message("note_off", 0.5, note=60),
            message("control_change", 1.5, control=64, value=0),
            message("note_on", 1.0, note=62, velocity=90),
            message("note_off", 0.5, note=62),
        ]
    )
    file = mido.MidiFile(type=0, ticks_per_beat=1000)
    file.tracks.append(track)
    file.save(tmp_path / "x.mid")
    notes = read_midi(tmp_path / "x.mid", seconds=5.0).parts[0].notes
    assert [(note.onset, note.duration, note.pitch) for note in notes] == [(0.0, 2.0, 60), (3.0, 0.5, 62)]


def test_roc_area_against_theory(rng):
    high = np.array([False, False, True, True])
    assert roc_area([1, 2, 3, 4], high) == 1.0
    assert roc_area([4, 3, 2, 1], high) == 0.0
    assert roc_area([1, 1, 1, 1], high) == 0.5
    scores, labels = rng.random(60), rng.random(60) < 0.4
    assert_allclose(roc_area(scores, labels) + roc_area(-scores, labels), 1.0)


@pytest.mark.skipif(
    shutil.which("fluidsynth") is None or not any(Path(font).is_file() for font in SOUNDFONTS),
    reason="FluidSynth or its soundfont is not installed",
)
def test_phrases_are_rated_against_theory(folder):
    torch.set_num_threads(1)
    phrases = load_phrases(folder)
    assert phrases.arousal.tolist() == [False, True]
    found = rate_phrases(load_checkpoint().network, phrases)
    assert found["onset density"] == 1.0
    assert found["key clarity"] == 1.0
    assert found["energy"] == 1.0


def test_phrases_iv(folder, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_phrases(tmp_path)
    (folder / "b.mid").write_bytes(b"no MIDI")
    with pytest.raises(InputError, match="cannot be read as MIDI"):
        load_phrases(folder)
    (folder / "labels.csv").write_text("name,mood\na.mid,1\n")
    with pytest.raises(InputError, match="must have the columns"):
        load_phrases(folder)
    with pytest.raises(InputError, match="at least one note"):
        read_midi(
            write_midi(tmp_path / "late.mid", [score_of([Note(9.0, 1.0, 60, 90)])], slot_seconds=12.0), seconds=5.0
        )
    with pytest.raises(InputError, match="both high and low"):
        roc_area([1.0, 2.0], np.array([True, True]))


def test_the_card_says_what_the_checkpoint_says(capsys):
    card.main([])
    written, stored = capsys.readouterr().out, load_checkpoint()
    for name in ("melodiousness", "minorness"):
        assert f"| {name.replace('_', ' ')} | {stored.card['figures']['test_r'][name]:.2f} |" in written
    assert stored.sha256 in written
    assert stored.card["limitations"] in written


def test_the_shipped_card_is_of_the_shipped_checkpoint():
    shipped = (Path(__file__).parents[1] / "docs" / "model_card.md").read_text()
    assert load_checkpoint().sha256 in shipped, "write docs/model_card.md again: python -m emomod.training.card"


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="../shared is absent")
def test_a_clip_stands_beside_its_published_scores(tmp_path, rng):
    clip = tmp_path / "noise.wav"
    soundfile.write(clip, rng.normal(0, 0.1, 12 * 22050), 22050)
    section = card.beside_published(load_checkpoint(), clip, published=PUBLISHED)
    assert f"| {json.loads(PUBLISHED.read_text())['midlevel_predictions'][3]:.2f} |" in section
    assert section.count("\n| ") >= 16
