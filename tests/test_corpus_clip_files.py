"""Stems and clips on disk: the stems add up to the mix, and the MIDI file plays what was rendered."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from small_scores import small_score

from emomod.corpus import stems as stems_module
from emomod.corpus.acoustics import apply_acoustics, apply_acoustics_to_stems, draw_acoustics
from emomod.corpus.clip_files import fit_stems, read_clip_folder, write_clip, write_score_midi
from emomod.corpus.compose import compose
from emomod.corpus.fluidsynth import RELEASE_SECONDS, SOUNDFONTS, render_scores
from emomod.corpus.labels import raw_labels
from emomod.corpus.score import Note, Part, Score
from emomod.corpus.stems import (
    BLOCK_SECONDS,
    Stems,
    part_names,
    recorded_stems,
    render_stems,
)
from emomod.corpus.synthesis import synthesise
from emomod.errors import InputError
from emomod.labels import MIDLEVEL_NAMES

needs_fluidsynth = pytest.mark.skipif(
    shutil.which("fluidsynth") is None or not any(Path(font).is_file() for font in SOUNDFONTS),
    reason="FluidSynth or its soundfont is not installed",
)


def play(scores):
    return [synthesise(score) for score in scores]


def some_stems(rng, *, n_parts=3, n_samples=22050, peak=0.3):
    parts = rng.uniform(-peak, peak, (n_parts, n_samples)).astype(np.float32)
    return Stems(tuple(f"part{index}" for index in range(n_parts)), parts, 1e-3 * parts[0])


# ---- stems -----------------------------------------------------------------------------------------------------------


def test_part_names_against_theory():
    part = Part("harmony", 0, (Note(0.0, 1.0, 60, 90),))
    score = Score((part, replace(part, role="bass"), part, part), 1.0, (0.0, 1.0))
    assert part_names(score) == ("harmony", "bass", "harmony_2", "harmony_3")


def test_stems_against_the_mix_of_the_same_synthesiser():
    scores = [compose(seed, seconds=3.0) for seed in range(3)]
    for score, stems, mix in zip(scores, render_stems(scores, play), play(scores), strict=True):
        assert stems.shape == (len(score.parts), mix.size)
        assert_allclose(stems.sum(axis=0), mix, atol=1e-6 * np.abs(mix).max() + 1e-9)


def test_stems_against_itself_a_part_is_rendered_once(monkeypatch):
    score, calls = small_score(seconds=2.0), []
    changed = replace(score, parts=(replace(score.parts[0], notes=()), *score.parts[1:]))

    def counting(scores):
        calls.append([part for each in scores for part in each.parts])
        return play(scores)

    before, after = render_stems([score, changed], counting)
    assert calls == [list(score.parts)]
    monkeypatch.setattr(stems_module, "PARTS_A_RUN", 3)
    assert np.array_equal(render_stems([score, changed], counting)[1], after)
    assert calls[1:] == [list(score.parts[:3]), list(score.parts[3:])]
    assert np.array_equal(before[1:], after[1:])
    assert before[0].any()
    assert not after[0].any()


@needs_fluidsynth
def test_fluidsynth_stems_against_rendering_together():
    score = small_score(seconds=2 * BLOCK_SECONDS - RELEASE_SECONDS)  # a stretch of whole blocks, as stems have
    (together,), (stems,) = render_scores([score]), render_stems([score], render_scores)
    error = np.sqrt(((stems.sum(axis=0) - together) ** 2).mean() / (together**2).mean())
    assert error < 0.01  # voices are independent; a few samples differ where a drum cuts off its own last stroke
    first, second = render_stems([score, replace(score, parts=score.parts[::-1])], render_scores)
    assert np.array_equal(first, second[::-1])


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_acoustics_of_stems_against_acoustics_of_the_mix(seed):
    rng = np.random.default_rng(seed)
    dry, acoustics = rng.normal(0, 0.1, (3, 8000)).astype(np.float32), draw_acoustics(rng)
    wet, noise = apply_acoustics_to_stems(dry, acoustics)
    assert_allclose(wet.sum(axis=0) + noise, apply_acoustics(dry.sum(axis=0), acoustics), atol=3e-6)


def test_acoustics_of_versions_against_itself(rng):
    dry = rng.normal(0, 0.1, (2, 3, 8000))
    dry[1] = dry[0] * [[3.0], [1.0], [1.0]]
    acoustics = draw_acoustics(rng)
    wet, noise = apply_acoustics_to_stems(dry, acoustics)
    assert np.array_equal(wet[0, 1:], wet[1, 1:])
    assert_allclose(wet[1, 0], 3 * wet[0, 0], atol=1e-6)
    peak = np.abs(wet.sum(axis=1) + noise).max()
    assert_allclose(peak, 10 ** (-acoustics.level_db / 20), rtol=1e-5)  # the louder version's


def test_stems_iv():
    with pytest.raises(InputError, match=r"parts must have shape \[1, 5\], got \[2, 5\]"):
        Stems(("a",), np.zeros((2, 5), dtype=np.float32), np.zeros(5, dtype=np.float32))


# ---- on disk ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("peak", [1e-3, 0.3, 2.0])
def test_mix_against_the_sum_of_the_stems_to_the_last_bit(tmp_path, rng, peak):
    score = replace(small_score(seconds=1.0), parts=small_score().parts[:3])
    (stems,) = fit_stems([replace(some_stems(rng, peak=peak), names=part_names(score))])
    write_clip(tmp_path / "clip", score, stems, facts={"seed": 7})
    steps = {path.stem: soundfile.read(path, dtype="int32")[0] >> 8 for path in (tmp_path / "clip").glob("*.flac")}
    assert set(steps) == {"mix", "rest", "stem_melody", "stem_harmony", "stem_bass"}
    assert np.array_equal(steps.pop("mix"), sum(steps.values()))
    stored = read_clip_folder(tmp_path / "clip")
    assert np.array_equal(stored.mix, stored.stems.mix)
    assert np.array_equal(stored.stems.parts, stems.parts)
    assert stored.facts["seed"] == 7


def test_a_composed_clip_against_what_was_recorded(tmp_path):
    score = compose(5, seconds=2.0)
    acoustics = replace(draw_acoustics(np.random.default_rng(1)), level_db=0.0)
    (stems,) = fit_stems(recorded_stems([score], render_stems([score], play), acoustics))
    write_clip(tmp_path / "clip", score, stems, facts={})
    stored = read_clip_folder(tmp_path / "clip")
    assert_allclose(stored.mix, apply_acoustics(synthesise(score), acoustics), atol=5e-6)
    assert_allclose(list(stored.facts["raw_labels"].values()), raw_labels(score))
    assert list(stored.facts["labels"]) == list(MIDLEVEL_NAMES)
    assert [part["program"] for part in stored.facts["parts"]] == [part.program for part in score.parts]


def test_fitting_against_theory(rng):
    quiet, loud = some_stems(rng, peak=0.1), some_stems(rng, peak=0.9)
    first, second = fit_stems([quiet, loud])
    highest = max(np.abs(loud.parts).max(), np.abs(loud.mix).max())
    assert 0.9999 < max(np.abs(second.parts).max(), np.abs(second.mix).max()) < 1.0
    assert_allclose(first.parts, quiet.parts / highest, atol=1e-6)
    (same,) = fit_stems([quiet])
    assert_allclose(same.parts, quiet.parts, atol=2.0**-24)
    assert np.array_equal(same.parts, fit_stems([same])[0].parts)


def test_clip_iv(tmp_path, rng):
    score = replace(small_score(seconds=1.0), parts=small_score().parts[:3])
    with pytest.raises(InputError, match="stems must be named as the score's parts"):
        write_clip(tmp_path / "clip", score, some_stems(rng), facts={})
    loud = replace(some_stems(rng, peak=0.9), names=part_names(score))
    with pytest.raises(InputError, match="must stay within full scale"):
        write_clip(tmp_path / "clip", score, loud, facts={})
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="is not a clip's folder that can be read"):
        read_clip_folder(tmp_path)
    (tmp_path / "labels.json").write_text(json.dumps({"parts": [{"name": "bass"}]}))
    with pytest.raises(InputError, match="is not a clip's folder that can be read"):
        read_clip_folder(tmp_path)


# ---- MIDI ------------------------------------------------------------------------------------------------------------


def played(path):
    """(onset, duration, pitch, velocity) of each track by its name, as mido times them by the file's own tempo map."""
    file, tracks = mido.MidiFile(path), {}
    for track in file.tracks[1:]:
        alone = mido.MidiFile(type=1, ticks_per_beat=file.ticks_per_beat, tracks=[file.tracks[0], track])
        now, notes = 0.0, []
        sounding: dict[int, list[tuple[float, int]]] = {}
        for message in alone:
            now += message.time
            if message.type == "note_on":
                sounding.setdefault(message.note, []).append((now, message.velocity))
            elif message.type == "note_off":
                onset, velocity = sounding[message.note].pop(0)
                notes.append((onset, now - onset, message.note, velocity))
        tracks[track.name] = sorted(notes)
    return tracks


@pytest.mark.parametrize("seed", range(6))
def test_midi_against_mido_times_names_and_programs(tmp_path, seed):
    score = compose(np.random.default_rng([2, seed]), seconds=6.0)
    path = write_score_midi(tmp_path / "score.mid", score)
    found = played(path)
    assert tuple(found) == part_names(score)
    for part, notes in zip(score.parts, found.values(), strict=True):
        assert len(notes) == len(part.notes)
        assert_allclose([note[0] for note in notes], sorted(note.onset for note in part.notes), atol=5e-4)
        assert sorted(note[2:] for note in notes) == sorted((note.pitch, note.velocity) for note in part.notes)
        for onset, duration, pitch, _ in notes:
            again = [other[0] - onset for other in notes if other[2] == pitch and other[0] > onset]
            written = next(n.duration for n in part.notes if n.pitch == pitch and abs(n.onset - onset) < 5e-4)
            assert duration == pytest.approx(min([written, *again]), abs=1e-3)  # a key that is struck again ends
    changes = [
        message for track in mido.MidiFile(path).tracks[1:] for message in track if message.type == "program_change"
    ]
    assert [change.program for change in changes] == [part.program for part in score.parts]
    assert [change.channel == 9 for change in changes] == [part.is_drums for part in score.parts]


@pytest.mark.parametrize("first", [0.0, 0.7, -0.3])
def test_midi_against_mido_tempo_map(tmp_path, first):
    beats = first + np.array([0.0, 0.5, 1.1, 1.5, 2.4, 2.9])
    score = Score((Part("melody", 0, (Note(0.2, 0.3, 60, 90), Note(3.5, 0.5, 62, 80))),), 4.0, tuple(beats.tolist()), 3)
    path = write_score_midi(tmp_path / "score.mid", score)
    assert_allclose([note[:2] for note in played(path)["melody"]], [(0.2, 0.3), (3.5, 0.5)], atol=2e-4)
    meter, *changes, _ = mido.MidiFile(path).tracks[0]
    assert (meter.numerator, meter.denominator) == (3, 4)
    lengths = np.array([change.time for change in changes[1:]]) / 9600  # beats
    starts = np.cumsum(lengths * [change.tempo / 1e6 for change in changes[:-1]])
    for beat in beats[(beats > 0) & (beats < 2.8)]:
        assert np.abs(starts - beat).min() < 2e-4


def test_score_midi_iv(tmp_path):
    part = Part("melody", 0, (Note(0.0, 1.0, 60, 90),))
    with pytest.raises(InputError, match="at most 15 melodic parts"):
        write_score_midi(tmp_path / "x.mid", Score((part,) * 16, 2.0, (0.0, 1.0)))
    assert not (tmp_path / "x.mid").exists()
