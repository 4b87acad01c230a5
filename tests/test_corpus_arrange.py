"""Arrangements of real songs: repeatable, in range, as different as composed clips, and only what is allowed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_songs import CHORDS, MELODY, write

from emomod.corpus import arrange as arranging
from emomod.corpus import sources
from emomod.corpus.arrange import arrange
from emomod.corpus.harmony import MODES
from emomod.corpus.instruments import instrument, is_held_out
from emomod.corpus.labels import raw_labels, scaled_labels
from emomod.corpus.retune import Retuning, draw_retuning, find_key
from emomod.corpus.score import Note, Part, Score
from emomod.corpus.song import Song, SongPart
from emomod.corpus.sources import is_held_out_song, open_sources
from emomod.corpus.store import CorpusSettings
from emomod.corpus.style import draw_style
from emomod.corpus.timing import beat_positions
from emomod.errors import InputError


def part_of(role, notes):
    onset, pitch = (np.array(column) for column in zip(*notes, strict=True))
    return SongPart(role, onset.astype(float), np.ones(onset.size), pitch, np.full(onset.size, 90))


def song_of(n_bars=16):
    lead = [(8 * bar + on, key) for bar in range(n_bars) for on, key in MELODY]
    chords = [(8 * bar + on, key - drop) for bar in range(n_bars) for on, key in CHORDS for drop in (0, 12)]
    drums = [(on, 36 if on % 2 == 0 else 38) for on in range(8 * n_bars)]
    parts = (part_of("melody", lead), part_of("harmony", sorted(chords)), part_of("drums", drums))
    return Song("song", parts, beats_per_bar=4, beat_seconds=0.5)


SONG = song_of()


def test_arrangements_against_themselves():
    assert arrange(SONG, np.random.default_rng([1, 2])) == arrange(SONG, np.random.default_rng([1, 2]))
    assert arrange(SONG, np.random.default_rng([1, 2])) != arrange(SONG, np.random.default_rng([1, 3]))


@given(seed=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_arrangements_against_theory(seed):
    score = arrange(SONG, seed, held_out=seed % 2 == 1)
    beats = np.array(score.beats)
    assert -4 * 1.3 * np.exp(0.8) < beats[0] <= 0.0 < score.seconds < beats[-1]
    assert np.isclose(beats, 0.0).any()  # a clip begins on a beat
    for part in score.parts:
        assert part.is_drums or is_held_out(part.program) == (seed % 2 == 1)
        assert all(0.0 <= note.onset < score.seconds for note in part.notes)
        if not part.is_drums:
            low, high = instrument(part.program).low, instrument(part.program).high
            inside = [low - 3 <= note.pitch <= high + 12 for note in part.notes]  # strained notes leave it a little
            assert all(inside)
    assert np.isfinite(raw_labels(score)).all()


def test_a_pedal_lets_arrangements_ring_on_against_theory(monkeypatch):
    def held(pedal):
        style = replace(
            draw_style(np.random.default_rng(0)), roles=("melody", "harmony"), programs=(19, 19, 19), pedal=pedal,
            jitter=0.0, drift=0.0, foreign=0.0, displaced=0.0,
        )  # fmt: skip
        monkeypatch.setattr(arranging, "draw_style", lambda rng, held_out: style)
        return [note for seed in range(10) for part in arrange(SONG, seed).parts for note in part.notes]

    dry, rung = (np.mean([note.duration for note in held(pedal)]) for pedal in (False, True))
    assert rung > 1.5 * dry


def test_a_pedal_holds_a_downbeat_that_comes_early_for_its_bar_against_theory(monkeypatch):
    song = Song("early", (part_of("harmony", [(4 * bar - 0.05, 60 + bar) for bar in range(1, 20)]),), 4, 0.5)
    style = replace(
        draw_style(np.random.default_rng(0)), roles=("harmony",), programs=(19, 19, 19), pedal=True,
        jitter=0.0, drift=0.0, foreign=0.0, displaced=0.0,
    )  # fmt: skip
    monkeypatch.setattr(arranging, "draw_style", lambda rng, held_out: style)
    held = []
    for score in [arrange(song, seed, seconds=20.0) for seed in range(20)]:
        notes = score.parts[0].notes
        places = beat_positions(score, np.array([[n.onset, n.onset + n.duration] for n in notes if n.onset < 10.0]))
        held.append(np.median(np.diff(places)))
    assert np.median(held) == pytest.approx(4.05, rel=0.15)  # some plans repeat or shift notes


def test_labels_of_arrangements_spread_as_widely_as_ratings():
    drawn = np.array([scaled_labels(raw_labels(arrange(SONG, np.random.default_rng([7, i])))) for i in range(80)])
    assert (drawn.std(axis=0) > 0.12).all()


def test_arrange_iv():
    rests = part_of("melody", [(0, 60), (1, 60), (400, 62)])
    with pytest.raises(InputError, match=r"quiet: no stretch of 2 s with at least three notes"):
        arrange(Song("quiet", (rests,), beats_per_bar=4, beat_seconds=1.0), 0, seconds=2.0)


@pytest.mark.parametrize(("tonic", "mode"), [(0, "major"), (7, "major"), (9, "harmonic minor")])
def test_keys_against_theory(tonic, mode):
    weights = np.isin(np.arange(12), [(tonic + step) % 12 for step in MODES[mode]]) * 1.0
    weights[[tonic, (tonic + 7) % 12]] += 1.0
    assert find_key(weights) == (tonic, mode != "major")


def test_retuning_against_theory_the_parallel_mode_and_back():
    to_minor = Retuning(2, True, False, (0,), 4, "")  # D major
    scale = [62, 64, 66, 67, 69, 71, 73, 74]
    lowered = [to_minor.apply(pitch, 0.0) for pitch in scale]
    assert lowered == [62, 64, 65, 67, 69, 70, 72, 74]  # D minor
    to_major = Retuning(2, True, True, (0,), 4, "")
    assert [to_major.apply(pitch, 0.0) for pitch in lowered] == scale


def test_retuning_against_theory_keys_change_with_the_beat_and_scales_have_no_key():
    moving = Retuning(0, False, False, (0, 6, -1), 2, "")
    assert [moving.apply(60, beat) for beat in (0.0, 1.9, 2.0, 4.0, 99.0)] == [60, 60, 66, 59, 59]
    keyless = Retuning(0, False, False, (0,), 1, "whole tone")
    assert {keyless.apply(pitch, 0.0) % 12 for pitch in range(36, 84)} == {0, 2, 4, 6, 8, 10}


def test_retuning_against_theory_plain_music_stays_in_its_key():
    classes = np.isin(np.arange(12), MODES["major"]) + 0.5
    rng = np.random.default_rng(0)
    drawn = [draw_retuning(rng, classes, strain=False, n_beats=20) for _ in range(50)]
    assert all(not any(each.shifts) and not each.scale for each in drawn)
    assert 10 < sum(each.swapped for each in drawn) < 40
    strained = [draw_retuning(rng, classes, strain=True, n_beats=20) for _ in range(200)]
    assert 0.2 < np.mean([any(each.shifts) for each in strained]) < 0.5


def test_songs_for_tests_are_no_others(tmp_path):
    for number in range(12):
        write(tmp_path / f"{number:02d}.mid", [("melody", 0, [(on, key + number) for on, key in MELODY])])
    (tmp_path / "99.mid").write_bytes(b"broken")
    lines: list[str] = []
    train, test = (
        open_sources(CorpusSettings(1, scores=str(tmp_path), held_out=held_out), log=lines.append)
        for held_out in (False, True)
    )
    assert [song.name for song in test.songs] == ["04", "10"]
    assert len(train.songs) == 10
    assert not {song.name for song in train.songs} & {song.name for song in test.songs}
    assert train.description["scores"]["unreadable"] == ["99.mid"]
    assert any("99.mid: cannot be read" in line for line in lines)
    write(tmp_path / "00a.mid", [("melody", 0, MELODY)])  # another file moves no song to the other side
    again = open_sources(CorpusSettings(1, scores=str(tmp_path)), log=lines.append)
    assert {song.name for song in train.songs} == {song.name for song in again.songs} - {"00a"}
    assert train.description["scores"]["sha256"] != test.description["scores"]["sha256"]


def test_sources_iv_too_few_songs_to_keep_some(tmp_path):
    write(tmp_path / "a.mid", [("melody", 0, MELODY)])
    with pytest.raises(InputError, match="1 files are too few, about every 6th is kept for tests"):
        open_sources(CorpusSettings(1, scores=str(tmp_path), held_out=True), log=lambda _: None)


def test_sources_draw_songs_and_compositions(tmp_path):
    write(tmp_path / "a.mid", [("melody", 0, MELODY * 1)])
    chosen = CorpusSettings(1, scores=str(tmp_path), score_share=0.5, seconds=2.0)
    sources = open_sources(chosen, log=lambda _: None)
    names = [sources.draw_score(chosen, np.random.default_rng([0, i]))[1] for i in range(40)]
    assert set(names) == {"", "a"}
    assert 8 < names.count("a") < 32


def test_sub_mixes_lack_parts_and_keep_a_pitched_one():
    parts = tuple(Part(role, 0, (Note(0.0, 1.0, 60, 90),)) for role in ("melody", "harmony", "bass", "drums"))
    score = Score(parts, 2.0, (0.0, 1.0, 2.0))
    drawn = [sources._sub_mix(score, np.random.default_rng([0, i])) for i in range(400)]
    assert 0.06 < np.mean([len(each.parts) < 4 for each in drawn]) < 0.18
    assert all(any(not part.is_drums for part in each.parts) for each in drawn)
    assert len({tuple(part.role for part in each.parts) for each in drawn}) > 6


def test_one_piece_in_two_formats_is_on_one_side():
    for name in ("a", "b/c", "song 12", "x.y"):
        assert len({is_held_out_song(f"{name}{suffix}") for suffix in ("", ".mid", ".MIDI", ".musicxml")}) == 1
