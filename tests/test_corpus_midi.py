"""MIDI files as the standard has them, and corpora on disk as they say they are."""

import json
from dataclasses import asdict, replace

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from emomod.corpus.compose import compose
from emomod.corpus.fluidsynth import _cut
from emomod.corpus.midi import TICKS_PER_SECOND, full_volume, read_midi, write_midi
from emomod.corpus.render import Studio, draw_clip, render_corpus
from emomod.corpus.score import Note, Part, Score
from emomod.corpus.sources import Sources
from emomod.corpus.store import CorpusSettings, load_corpus

SR = 22050


def score_of(*parts, seconds=4.0):
    return Score(parts, seconds, (0.0, 1.0, 2.0))


def events_of(path):
    """Messages of a MIDI file with their times in seconds."""
    track = mido.MidiFile(path).tracks[0]
    times = np.cumsum([message.time for message in track]) / TICKS_PER_SECOND
    return list(zip(times.tolist(), track, strict=True))


def test_midi_against_the_standard_programs_channels_and_volumes(tmp_path):
    parts = [Part(role, 40 + k, (Note(0.5, 1.0, 60, 90),), level=0.25) for k, role in enumerate(["bass"] * 11)]
    drums = Part("drums", 7, (Note(0.5, 1.0, 36, 90),))
    events = events_of(write_midi(tmp_path / "x.mid", [score_of(*parts, drums)], slot_seconds=4.0))
    programs = {m.channel: m.program for _, m in events if m.type == "program_change"}
    assert programs.pop(9) == 0  # channel 10 is the drums', counted from 1
    assert list(programs.values()) == list(range(40, 51))
    volumes = {m.channel: m.value for _, m in events if m.type == "control_change" and m.control == 7}
    assert volumes.pop(9) == 127
    assert set(volumes.values()) == {64}  # amplitude goes with its square: a quarter is half of 127, rounded
    assert [m.note for _, m in events if m.type == "note_on" and m.channel == 9] == [36]


def test_midi_against_the_standard_sounds_end_and_controllers_are_reset_before_each_clip(tmp_path):
    ringing = score_of(Part("melody", 0, (Note(3.9, 60.0, 60, 90), Note(4.5, 1.0, 62, 90))))
    events = events_of(write_midi(tmp_path / "x.mid", [ringing, ringing], slot_seconds=5.0))
    for control in (120, 121):  # all sound off, reset all controllers
        times = [time for time, m in events if m.type == "control_change" and m.control == control]
        assert sorted(times) == [0.0] * 16 + [4.98] * 16 + [9.98] * 16
    order = [m.control for _, m in events if m.type == "control_change" and m.control in (120, 121)]
    assert order[:32] == [120] * 16 + [121] * 16
    offs = [(time, m.note) for time, m in events if m.type == "note_off"]
    assert sorted(offs) == [(4.98, 60), (4.98, 62), (9.98, 60), (9.98, 62)]  # nothing reaches the next clip


@given(level=st.floats(1e-6, 1.0))
def test_full_volume_against_theory(level):
    volume = full_volume(Part("bass", 0, (), level=level))
    assert 1 <= volume <= 127
    assert volume == 1 or abs((volume / 127) ** 2 - level) < 2 / 127


@given(seed=st.integers(0, 200))
@settings(max_examples=25)
def test_midi_against_itself_a_composed_clip_comes_back(tmp_path_factory, seed):
    score = compose(seed, seconds=3.0)
    part = max((part for part in score.parts if not part.is_drums), key=lambda part: len(part.notes))
    keys: dict[int, tuple[float, Note]] = {}
    for note in part.notes:  # one key sounds once at a time
        if note.pitch not in keys or note.onset >= keys[note.pitch][0]:
            keys[note.pitch] = (note.onset + note.duration + 0.01, note)
    kept = [note for note in part.notes if keys[note.pitch][1] is note and note.onset + note.duration < 3.4]
    if not kept:
        return
    path = tmp_path_factory.mktemp("midi") / "x.mid"
    read = read_midi(write_midi(path, [score_of(replace(part, notes=tuple(kept)))], slot_seconds=4.0), seconds=4.0)
    assert read.parts[0].program == part.program
    expected = sorted((n.pitch, n.onset, n.velocity, n.duration) for n in kept)
    found = sorted((n.pitch, n.onset, n.velocity, n.duration) for n in read.parts[0].notes)
    assert_allclose(found, expected, atol=2e-3)


def test_read_midi_against_theory_beats_cover_the_clip(tmp_path):
    notes = (Note(0.0, 1.0, 60, 90), Note(3.0, 1.0, 62, 90))
    path = write_midi(tmp_path / "x.mid", [score_of(Part("melody", 3, notes))], slot_seconds=4.0)
    read = read_midi(path, seconds=2.5)
    assert [note.pitch for note in read.parts[0].notes] == [60]  # those that start in time
    assert read.seconds == 2.5
    assert_allclose(np.diff(read.beats), 0.5)
    assert read.beats[-1] >= 2.5


def test_read_midi_against_the_standard_a_key_struck_again_ends_and_velocity_0_is_off(tmp_path):
    messages = [
        ("note_on", 0.0, {"note": 60, "velocity": 90}),
        ("note_on", 1.0, {"note": 60, "velocity": 70}),
        ("note_on", 0.5, {"note": 60, "velocity": 0}),
        ("note_on", 0.5, {"note": 36, "velocity": 90, "channel": 9}),
        ("note_on", 0.0, {"note": 64, "velocity": 50, "channel": 3}),
    ]
    track = mido.MidiTrack([mido.Message(kind, time=round(1000 * s), **values) for kind, s, values in messages])
    track.insert(0, mido.MetaMessage("set_tempo", tempo=1_000_000))
    track.append(mido.MetaMessage("end_of_track", time=750))
    file = mido.MidiFile(type=0, ticks_per_beat=1000)
    file.tracks.append(track)
    file.save(tmp_path / "x.mid")
    notes = read_midi(tmp_path / "x.mid", seconds=9.0).parts[0].notes
    assert [(n.onset, n.duration, n.pitch, n.velocity) for n in notes] == [
        (0.0, 1.0, 60, 90),
        (1.0, 0.5, 60, 70),
        (2.0, 0.75, 64, 50),  # what still sounds ends with the file; drums are left out
    ]


def test_cut_against_theory_each_clip_is_its_own_stretch():
    rate, slot, seconds = 2 * SR, 1.5, 1.0
    time = np.arange(round(2 * slot * rate) + rate // 2) / rate
    y = np.sin(2 * np.pi * np.where(time < 1.5, 220, np.where(time < 3.0, 440, 880)) * time).astype(np.float32)
    clips = _cut(y, 4, rate=rate, slot=slot, seconds=seconds)
    assert [clip.size for clip in clips] == [SR] * 4
    for clip, hertz in zip(clips[:2], (220, 440), strict=True):
        assert np.abs(np.fft.rfft(clip)).argmax() == hertz
        assert np.abs(clip[100:-100]).max() == pytest.approx(1.0, abs=0.01)
    assert np.abs(clips[2][: SR // 2 - 100]).max() > 0.9 > 0.01 > np.abs(clips[2][SR // 2 + 100 :]).max()
    assert not clips[3].any()  # what the rendering lacks is silence
    assert np.array_equal(_cut(y[:SR], 1, rate=SR, slot=1.0, seconds=1.0)[0], y[:SR])


def test_corpus_against_itself_settings_shards_and_scores(tmp_path):
    settings = CorpusSettings(7, seed=2, synthesiser="numpy", seconds=1.0, shard_size=3)
    assert settings.n_shards == 3
    assert [list(settings.clips_of(shard)) for shard in range(3)] == [[0, 1, 2], [3, 4, 5], [6]]
    described = render_corpus(tmp_path, settings)
    assert described["settings"] == {k: v for k, v in asdict(settings).items() if k not in ("soundfont", "scores")}
    found = load_corpus(tmp_path)
    assert found.description == json.loads(json.dumps(described))
    assert found.labels.shape == found.raw.shape == (7, 7)
    assert load_corpus(tmp_path, spectrograms=False).spectrograms.size == 0
    assert np.array_equal(load_corpus(tmp_path, spectrograms=False).labels, found.labels)
    assert not list(tmp_path.glob("*.partial"))
    table_rows = (tmp_path / "labels.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in table_rows] == ["clip", *map(str, range(7))]
    assert_allclose([float(value) for value in table_rows[3].split(",")[9:]], found.raw[2], atol=1e-5)


def test_corpus_against_the_design_a_clip_that_falls_silent_is_composed_again():
    tries: list[Score] = []

    def prepare(score):
        tries.append(score)
        silent = tuple(replace(part, notes=part.notes if part.is_drums else ()) for part in score.parts)
        if len(tries) < 3 and any(part.notes for part in silent):
            return replace(score, parts=silent)
        return score

    settings = CorpusSettings(1, seconds=2.0)
    clip = draw_clip(settings, 0, studio=Studio(Sources((), {}), prepare, lambda scores: [], {}))
    assert clip.score is tries[-1]
    assert any(part.notes for part in clip.score.parts if not part.is_drums)
