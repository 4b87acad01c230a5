"""Composer, synthesisers and acoustics: what comes out is what was asked for, and the same every time."""

import shutil
import sys
from pathlib import Path

import mido
import numpy as np
import pytest
from numpy.testing import assert_allclose

from emomod.corpus import fluidsynth
from emomod.corpus.acoustics import Acoustics, apply_acoustics, draw_acoustics
from emomod.corpus.compose import compose
from emomod.corpus.fluidsynth import SOUNDFONTS, find_soundfont, render_scores
from emomod.corpus.harmony import nearest_key
from emomod.corpus.instruments import UNDAMPED, instrument
from emomod.corpus.midi import TICKS_PER_SECOND, write_midi
from emomod.corpus.program_levels import KEYS, ProgramLevels
from emomod.corpus.score import Note, Part, Score
from emomod.corpus.synthesis import synthesise
from emomod.errors import InputError

SR = 22050
DRY = Acoustics(
    tilt_db=0.0, bell_hz=1000.0, bell_db=0.0, reverb_seconds=0.0, reverb_share=0.0, noise_db=200.0, level_db=6.0, seed=0
)
needs_fluidsynth = pytest.mark.skipif(
    shutil.which("fluidsynth") is None or not any(Path(font).is_file() for font in SOUNDFONTS),
    reason="FluidSynth or its soundfont is not installed",
)


def one_note(pitch=69, *, program=19, velocity=100, seconds=2.0, held=1.9, onset=0.0):
    return Score((Part("melody", program, (Note(onset, held, pitch, velocity),)),), seconds, (0.0, 1.0, 2.0))


def strongest_frequency(y):
    spectrum = np.abs(np.fft.rfft(y * np.hanning(y.size), 4 * y.size))
    return np.fft.rfftfreq(4 * y.size, 1 / SR)[spectrum.argmax()]


def test_compose_against_itself_same_seed_same_score():
    assert compose(np.random.default_rng([1, 2])) == compose(np.random.default_rng([1, 2]))
    assert compose(np.random.default_rng([1, 2])) != compose(np.random.default_rng([1, 3]))


def test_compose_gives_varied_scores_within_their_time():
    scores = [compose(seed, seconds=6.0) for seed in range(80)]
    line_ups = {tuple(part.role for part in score.parts) for score in scores}
    programs = {part.program for score in scores for part in score.parts}
    onsets = [note.onset for score in scores for part in score.parts for note in part.notes]
    assert len(line_ups) >= 6
    assert len(programs) >= 40
    assert max(onsets) < 6.0
    assert all(score.beats[-1] > 6.0 for score in scores)


def test_compose_iv():
    with pytest.raises(InputError, match="seconds must be"):
        compose(0, seconds=0.0)
    with pytest.raises(InputError, match="rng must be"):
        compose(None)  # type: ignore[arg-type]


def test_nearest_key_against_theory():
    assert [nearest_key(0, to=key) for key in (60, 65, 67)] == [60, 60, 72]


@pytest.mark.parametrize("pitch", [57, 69, 81])
def test_numpy_synthesiser_against_theory_pitch(pitch):
    assert_allclose(
        strongest_frequency(synthesise(one_note(pitch, program=73))), 440 * 2 ** ((pitch - 69) / 12), rtol=2e-3
    )


def test_numpy_synthesiser_against_theory_onset_and_level():
    y = synthesise(one_note(onset=0.5, held=1.0))
    assert y.shape == (2 * SR,)
    assert not y[: SR // 2].any()
    assert np.abs(y[SR // 2 : SR]).max() > 0.01
    quiet = synthesise(one_note(onset=0.5, held=1.0, velocity=50))
    assert_allclose(quiet, y / 4, rtol=1e-5, atol=1e-7)  # amplitude goes with the square of the velocity


def test_a_plucked_note_fades_and_a_blown_one_does_not_against_theory():
    def fading(program):
        y = synthesise(one_note(program=program))
        return np.abs(y[SR : SR + 2000]).max() / np.abs(y[:4000]).max()

    assert fading(45) < 0.1 < 0.9 < fading(19)


def test_midi_file_against_theory(tmp_path):
    scores = [one_note(60, onset=0.25, held=0.5), one_note(62)]
    track = mido.MidiFile(write_midi(tmp_path / "two.mid", scores, slot_seconds=3.0)).tracks[0]
    times = np.cumsum([message.time for message in track]) / TICKS_PER_SECOND
    ons = [(time, message.note) for time, message in zip(times, track, strict=True) if message.type == "note_on"]
    offs = [(time, message.note) for time, message in zip(times, track, strict=True) if message.type == "note_off"]
    assert ons == [(0.25, 60), (3.0, 62)]
    assert offs == [(0.75, 60), (4.9, 62)]


def test_midi_iv_too_many_parts(tmp_path):
    part = Part("melody", 0, (Note(0.0, 1.0, 60, 90),))
    with pytest.raises(InputError, match="at most 15 melodic parts"):
        write_midi(tmp_path / "x.mid", [Score((part,) * 16, 2.0, (0.0, 1.0))], slot_seconds=2.0)


@needs_fluidsynth
def test_fluidsynth_against_theory_pitch_length_and_onset():
    low, high = render_scores([one_note(57, program=0), one_note(81, program=0, onset=0.5)])
    assert low.shape == high.shape == (2 * SR,)
    assert_allclose([strongest_frequency(low), strongest_frequency(high)], [220, 880], rtol=5e-3)  # its samples' tuning
    assert np.abs(high[: round(0.48 * SR)]).max() < 1e-3 < np.abs(high[SR:]).max()


@needs_fluidsynth
def test_fluidsynth_against_itself_a_clip_does_not_hear_its_neighbours():
    loud = Score((Part("drums", 0, (Note(1.9, 0.1, 49, 127),)),), 2.0, (0.0, 1.0, 2.0))
    _, after, _ = render_scores([loud, one_note(onset=0.5), loud])
    (alone,) = render_scores([one_note(onset=0.5)])
    assert np.abs(after[: SR // 2 - 100]).max() < 1e-6
    heard, wanted = (np.sqrt((y[SR // 2 :].reshape(-1, 525) ** 2).mean(axis=1)) for y in (after, alone))
    assert_allclose(heard, wanted, rtol=0.1, atol=1e-3)  # the synthesiser's blocks of 64 samples begin elsewhere


@needs_fluidsynth
def test_fluidsynth_iv_a_file_that_is_no_soundfont(tmp_path):
    (tmp_path / "x.sf2").write_text("no soundfont")
    with pytest.raises(InputError, match=r"could not render with .*x\.sf2: fluidsynth: error"):
        render_scores([one_note()], soundfont=tmp_path / "x.sf2")


def test_midi_iv_without_mido(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "mido", None)
    with pytest.raises(InputError, match=r"emomod\[train\]"):
        write_midi(tmp_path / "x.mid", [one_note()], slot_seconds=3.0)


def test_fluidsynth_iv(monkeypatch, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        find_soundfont(tmp_path / "none.sf2")
    with pytest.raises(InputError, match="of one length"):
        render_scores([one_note(), one_note(seconds=3.0)])
    monkeypatch.setattr(fluidsynth, "SOUNDFONTS", ())
    with pytest.raises(InputError, match="apt-get install"):
        find_soundfont()
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(InputError, match="apt-get install"):
        fluidsynth.fluidsynth_version()


def test_program_levels_against_theory():
    levels = np.full((128, len(KEYS)), -40.0)
    levels[1] = -60.0
    levels[2, : len(KEYS) // 2] = -90.0  # silent below the middle of the keyboard
    measured = ProgramLevels(levels)
    part = Part("melody", 2, (Note(0.0, 1.0, 30, 90), Note(0.0, 1.0, 100, 90)))
    kept = measured.audible(Score((part,), 2.0, (0.0, 1.0))).parts[0].notes
    assert [note.pitch for note in kept] == [100]
    assert measured.volume_of(Part("melody", 1, ())) == 127
    assert measured.volume_of(Part("melody", 0, (), level=0.25)) == round(127 * 0.5)


def test_acoustics_against_theory_dry_changes_only_the_level(rng):
    y = rng.normal(0, 0.1, SR).astype(np.float32)
    heard = apply_acoustics(y, DRY)
    assert_allclose(np.abs(heard).max(), 10 ** (-6 / 20), rtol=1e-5)
    assert_allclose(heard / np.abs(heard).max(), y / np.abs(y).max(), atol=1e-5)


def test_acoustics_against_theory_reverb_rings_on(rng):
    y = np.zeros(SR, dtype=np.float32)
    y[:200] = rng.normal(size=200)
    roomy = Acoustics(0.0, 1000.0, 0.0, reverb_seconds=1.0, reverb_share=0.5, noise_db=120.0, level_db=0.0, seed=1)
    early, late = (np.sqrt((apply_acoustics(y, roomy)[first : first + 2000] ** 2).mean()) for first in (1000, 12000))
    assert_allclose(20 * np.log10(early / late), 60 * 11000 / SR, atol=3.0)  # 60 dB a second


def test_acoustics_against_itself():
    y = synthesise(one_note())
    drawn = draw_acoustics(np.random.default_rng(4))
    assert drawn == draw_acoustics(np.random.default_rng(4))
    assert np.array_equal(apply_acoustics(y, drawn), apply_acoustics(y, drawn))


@needs_fluidsynth
def test_undamped_instruments_against_the_soundfont_sound_alike_held_and_short():
    lasting = [program for program in range(112) if instrument(program).decay >= 0.8]
    keys = {program: (instrument(program).low + instrument(program).high) // 2 for program in lasting}
    short, held = (
        render_scores([one_note(keys[p], program=p, held=length) for p in lasting], render_rate=SR)
        for length in (0.1, 1.0)
    )
    difference = [10 * np.log10(((a - b) ** 2).sum() / (b**2).sum() + 1e-9) for a, b in zip(short, held, strict=True)]
    alike = {program for program, decibels in zip(lasting, difference, strict=True) if decibels < -15.0}
    assert alike == {program for program in UNDAMPED if program in lasting}
