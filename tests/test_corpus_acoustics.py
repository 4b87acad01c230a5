"""Rooms, equalisers, noise floors and tones, measured on what comes out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from emomod.corpus.acoustics import Acoustics, apply_acoustics, draw_acoustics
from emomod.corpus.program_levels import KEYS, ProgramLevels
from emomod.corpus.score import Note, Part, Score
from emomod.corpus.synthesis import synthesise
from emomod.training.augmentation import BELL_DB, GAIN_DB, TILT_DB, augment, scale_cells

SR = 22050
DRY = Acoustics(
    tilt_db=0.0, bell_hz=1000.0, bell_db=0.0, reverb_seconds=0.0, reverb_share=0.0, noise_db=200.0, level_db=0.0, seed=0
)


def db(ratio):
    return 20 * np.log10(ratio)


def rms(y):
    return float(np.sqrt(np.mean(np.square(y, dtype=np.float64))))


def response(acoustics, hertz):
    """Gains in dB at frequencies, relative to that at 1 kHz, of an impulse in the middle of a second."""
    y = np.zeros(SR, dtype=np.float32)
    y[SR // 2] = 1.0
    spectrum = np.abs(np.fft.rfft(apply_acoustics(y, acoustics)))
    return db(spectrum[np.array(hertz)] / spectrum[1000])


@pytest.mark.parametrize("tilt_db", [-2.0, 1.5])
def test_equaliser_against_theory_a_tilt_is_db_an_octave(tilt_db):
    found = response(replace(DRY, tilt_db=tilt_db), [250, 500, 2000, 4000, 8000])
    assert_allclose(found, tilt_db * np.array([-2, -1, 1, 2, 3]), atol=0.05)


@pytest.mark.parametrize("bell_db", [-6.0, 8.0])
def test_equaliser_against_theory_a_bell_is_a_bell_over_octaves(bell_db):
    found = response(replace(DRY, bell_hz=4000.0, bell_db=bell_db), [4000, 2000, 8000, 125])
    beside, reference = np.exp(-0.5), np.exp(-2.0)  # one octave away, and at 1 kHz, two octaves away
    assert_allclose(found, bell_db * (np.array([1, beside, beside, 0]) - reference), atol=0.05)


def test_equaliser_against_theory_stays_within_18_db():
    found = response(replace(DRY, tilt_db=30.0), [100, 500, 2000, 10000])
    assert_allclose(found, [-18, -18, 18, 18], atol=0.05)


@pytest.mark.parametrize("noise_db", [20.0, 40.0])
@pytest.mark.parametrize("seed", range(4))
def test_noise_against_theory_lies_so_far_below_the_clip(noise_db, seed):
    time = np.arange(4 * SR) / SR
    y = (0.5 * np.sin(2 * np.pi * 441 * time)).astype(np.float32)  # a whole number of periods
    heard = apply_acoustics(y, replace(DRY, noise_db=noise_db, seed=seed)).astype(np.float64)
    tone = y * (heard @ y) / (y.astype(np.float64) @ y)
    assert_allclose(db(rms(tone) / rms(heard - tone)), noise_db, atol=0.5)  # what the tone takes with it


def test_noise_against_theory_is_white_more_often_than_brown(rng):
    """From 100 Hz on brown noise, 1 / f^2, has nine tenths of its power below 1 kHz, white noise a twelfth."""
    brown, time = 0, np.arange(SR) / SR
    y = np.sin(2 * np.pi * 5000 * time).astype(np.float32)
    for seed in range(60):
        spectrum = np.abs(np.fft.rfft(apply_acoustics(y, replace(DRY, noise_db=10.0, seed=seed)))) ** 2
        spectrum[4900:5100] = 0.0
        low = spectrum[100:1000].sum() / spectrum[100:].sum()
        assert low > 0.8 or low < 0.15
        brown += low > 0.8
    assert 8 <= brown <= 30  # three tenths of sixty


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_reverb_against_theory_its_share_is_of_the_amplitude(share):
    y = np.zeros(2 * SR, dtype=np.float32)
    y[100] = 1.0
    heard = apply_acoustics(y, replace(DRY, reverb_seconds=1.0, reverb_share=share)).astype(np.float64)
    tail = np.sqrt((heard[101:] ** 2).sum())
    assert_allclose(tail / heard[100], share, rtol=0.01)
    assert np.abs(heard[:100]).max() < 1e-4
    assert np.abs(heard[101 + SR :]).max() < 1e-4


@given(level_db=st.floats(0, 12), gain=st.floats(0.01, 1.0), seed=st.integers(0, 99))
@settings(max_examples=20)
def test_acoustics_against_itself_the_level_of_the_clip_does_not_matter(level_db, gain, seed):
    y = np.random.default_rng(seed).normal(0, 0.1, 3000).astype(np.float32)
    drawn = replace(draw_acoustics(np.random.default_rng(seed)), level_db=level_db)
    loud, soft = apply_acoustics(y, drawn), apply_acoustics((gain * y).astype(np.float32), drawn)
    assert_allclose(np.abs(loud).max(), 10 ** (-level_db / 20), rtol=1e-5)
    assert_allclose(soft, loud, atol=2e-5)
    assert loud.shape == y.shape
    assert loud.dtype == np.float32


def test_acoustics_against_itself_silence_stays_finite():
    assert np.isfinite(
        apply_acoustics(np.zeros(1000, dtype=np.float32), draw_acoustics(np.random.default_rng(0)))
    ).all()


def test_drawn_acoustics_against_theory_a_third_is_clean():
    drawn = [draw_acoustics(np.random.default_rng(seed)) for seed in range(1500)]
    dry = np.mean([found.reverb_seconds == 0.0 for found in drawn])
    assert dry == pytest.approx(0.33 / 2, abs=0.03)
    assert all(found.reverb_seconds == 0.0 or 0.2 <= found.reverb_seconds <= 2.2 for found in drawn)
    assert all(120 <= found.bell_hz <= 7000 for found in drawn)
    assert np.median([found.bell_hz for found in drawn]) == pytest.approx(np.sqrt(120 * 7000), rel=0.15)
    assert all(0 <= found.level_db <= 12 and 26 <= found.noise_db <= 80 for found in drawn)
    assert all(0.02 <= found.reverb_share <= 0.7 for found in drawn)
    assert np.mean([found.reverb_share > 0.12 for found in drawn]) == pytest.approx(0.67 * 0.58 / 0.68, abs=0.05)
    assert np.mean([found.tilt_db for found in drawn]) == pytest.approx(0.0, abs=0.15)
    assert np.mean([found.bell_db for found in drawn]) == pytest.approx(0.0, abs=0.4)
    noises = np.array([(found.noise_db, found.reverb_share) for found in drawn if found.reverb_seconds == 0.0])
    assert noises[:, 0].min() >= 55  # what is dry is also clean
    assert noises[:, 1].max() <= 0.12
    assert len({found.seed for found in drawn}) == 1500


def test_augmentation_against_theory_levels_tilts_and_bells(rng):
    """All bands at one magnitude: what comes out is the drawn gain curve itself."""
    n, n_bands = 300, 149
    clips = torch.log10(1.0 + torch.full((n, n_bands, 4), 5.0))
    changed = augment(clips, range(n), torch.Generator().manual_seed(0)).numpy()
    gains = db((10.0 ** changed[:, :, 0].astype(np.float64) - 1.0) / 5.0)
    assert np.ptp(changed, axis=2).max() < 1e-6  # the same at all times
    assert np.abs(gains).max() <= GAIN_DB + TILT_DB + BELL_DB + 0.01
    assert np.abs(gains).max() > 0.8 * (GAIN_DB + TILT_DB)
    place = np.linspace(-1.0, 1.0, n_bands)
    slope = gains @ place / (place @ place)
    middle = gains - slope[:, None] * place
    assert np.abs(slope.mean()) < 0.6
    assert slope.std() == pytest.approx(np.sqrt(TILT_DB**2 / 3 + 0.4), rel=0.15)  # bells add a little
    assert np.median(gains, axis=1).std() == pytest.approx(GAIN_DB / np.sqrt(3), rel=0.2)
    peaks = np.abs(middle - np.median(middle, axis=1, keepdims=True)).argmax(axis=1)
    assert np.ptp(place[peaks]) > 1.8  # bells lie anywhere
    assert (gains.mean(axis=1) > 0).mean() == pytest.approx(0.5, abs=0.1)


def test_augmentation_against_theory_rotation_keeps_what_there_is():
    clips = torch.rand(40, 20, 30, generator=torch.Generator().manual_seed(1))
    marked = torch.zeros(40, 20, 30)
    marked[:, :, 0] = 1.0
    places = augment(marked, range(40), torch.Generator().manual_seed(2)).sum(dim=1).argmax(dim=1)
    assert 0 == places.min() < places.max() < 15  # rotated by less than half of the clip
    assert len(places.unique()) > 8
    changed = augment(clips, range(40), torch.Generator().manual_seed(2))
    gains = ((10.0 ** changed.sort(dim=2).values - 1) / (10.0 ** clips.sort(dim=2).values - 1)).numpy()
    assert_allclose(gains, gains[:, :, -1:] + np.zeros(30), rtol=5e-3)  # the same cells in another order


@given(gain=st.floats(0.1, 10.0))
@settings(max_examples=10)
def test_scaling_cells_against_itself_gains_undo_each_other(gain):
    clips = torch.rand(2, 5, 6, dtype=torch.float64)
    there = scale_cells(clips, torch.tensor(gain, dtype=torch.float64))
    assert_allclose(scale_cells(there, torch.tensor(1 / gain, dtype=torch.float64)), clips, atol=1e-12)
    assert not scale_cells(torch.zeros(1, 2, 3), torch.tensor(gain)).any()


def played(*notes, program=73, role="melody", level=1.0, seconds=2.0):
    part = Part(role, program if role != "drums" else 0, notes, level)
    return synthesise(Score((part,), seconds, (0.0, 1.0, 2.0))).astype(np.float64)


def partials(y, fundamental, n):
    spectrum = np.abs(np.fft.rfft(y * np.hanning(y.size)))
    places = np.round(fundamental * np.arange(1, n + 1) * y.size / SR).astype(int)
    return np.array([spectrum[place - 2 : place + 3].max() for place in places])


def test_synthesiser_against_itself_notes_and_parts_add_up():
    one, two = Note(0.2, 0.5, 60, 90), Note(0.4, 0.9, 67, 60)
    assert_allclose(played(one, two), played(one) + played(two), atol=1e-7)
    assert_allclose(played(one, level=0.3), 0.3 * played(one), atol=1e-7)
    late = played(replace(one, onset=0.7))
    assert_allclose(late[round(0.5 * SR) :], played(one)[: late.size - round(0.5 * SR)], atol=1e-7)
    over = played(Note(1.9, 3.0, 60, 90))  # rings beyond the clip
    assert over.size == 2 * SR
    assert not over[: round(1.9 * SR)].any()


@pytest.mark.parametrize(("velocity", "amplitude"), [(127, 1.0), (64, (64 / 127) ** 2), (90, (90 / 127) ** 2)])
@pytest.mark.parametrize(("role", "pitch"), [("melody", 60), ("drums", 36), ("drums", 42)])
def test_synthesiser_against_theory_amplitude_goes_with_velocity_squared(velocity, amplitude, role, pitch):
    loudest, found = (rms(played(Note(0.0, 1.0, pitch, v), role=role)) for v in (127, velocity))
    assert_allclose(found / loudest, amplitude, rtol=1e-5)


@pytest.mark.parametrize("program", [0, 19, 40, 73])
def test_synthesiser_against_theory_a_tone_has_its_harmonics_and_nothing_else(program):
    y = played(Note(0.0, 2.0, 69, 127), program=program)[SR // 4 : SR // 4 + SR]
    spectrum = np.abs(np.fft.rfft(y * np.hanning(y.size))) ** 2
    near = np.zeros(spectrum.size, dtype=bool)
    for harmonic in range(1, 11):
        near[440 * harmonic - 6 : 440 * harmonic + 7] = True
    assert spectrum[near].sum() / spectrum.sum() > 0.9999
    assert partials(y, 440, 10).argmax() <= 2  # timbres slope down


def test_synthesiser_against_theory_all_programs_are_about_as_loud():
    levels = [rms(played(Note(0.0, 2.0, 60, 127), program=program)[2000:]) for program in (16, 19, 48, 56, 65, 73)]
    assert_allclose(levels, 0.1 / np.sqrt(2), rtol=0.06)  # sines of power 1 in all, times the level; organs fade a bit


def test_synthesiser_against_theory_no_harmonic_is_folded_back():
    y = played(Note(0.0, 2.0, 108, 127))  # 4186 Hz: the third harmonic would lie above 11 025 Hz
    spectrum = np.abs(np.fft.rfft(y * np.hanning(y.size)))
    hertz = np.fft.rfftfreq(y.size, 1 / SR)
    assert spectrum[(hertz > 8500) | (hertz < 4000)].max() < 1e-3 * spectrum.max()


@pytest.mark.parametrize(("program", "seconds"), [(0, 1.5), (24, 0.9), (45, 0.25)])
def test_synthesiser_against_theory_plucked_notes_fall_by_e_in_their_time_constant(program, seconds):
    y = played(Note(0.0, 2.0, 69, 127), program=program)
    width = round(0.05 * SR)
    early, late = (rms(y[first : first + width]) for first in (2000, 2000 + round(0.3 * SR)))
    assert_allclose(np.log(early / late), 0.3 / seconds, rtol=0.03)


@pytest.mark.parametrize(("program", "attack"), [(73, 0.03), (0, 0.004)])
def test_synthesiser_against_theory_attack_and_release(program, attack):
    y = played(Note(0.0, 1.0, 93, 127), program=program)
    full = np.abs(y[: round(2 * attack * SR)]).max()
    assert np.abs(y[: round(attack / 2 * SR)]).max() == pytest.approx(full / 2, rel=0.2)
    assert np.abs(y[round(1.04 * SR) :]).max() < 1e-6  # 40 ms after it is let go
    assert rms(y[round(1.0 * SR) : round(1.02 * SR)]) > 3 * rms(y[round(1.025 * SR) : round(1.04 * SR)])
    assert rms(y[round(1.005 * SR) : round(1.015 * SR)]) > 0.5 * rms(y[round(0.9 * SR) : SR])


@pytest.mark.parametrize("key", [35, 36, 41, 45, 48, 50])
def test_drums_against_general_midi_kicks_and_toms_are_low(key):
    y = played(Note(0.1, 0.1, key, 127), role="drums")
    spectrum = np.abs(np.fft.rfft(y)) ** 2
    hertz = np.fft.rfftfreq(y.size, 1 / SR)
    assert 60 < (spectrum * hertz).sum() / spectrum.sum() < 200
    assert np.abs(y[round(0.35 * SR) + 1 :]).max() == 0.0  # a quarter of a second
    assert rms(y[round(0.1 * SR) : round(0.15 * SR)]) > 4 * rms(y[round(0.25 * SR) : round(0.3 * SR)])


@pytest.mark.parametrize(
    ("key", "low", "high"), [(38, 4500, 6500), (42, 6500, 9000), (49, 6500, 9000), (70, 6500, 9000)]
)
def test_drums_against_general_midi_snares_are_noise_and_cymbals_are_bright(key, low, high):
    y = played(Note(0.1, 0.1, key, 127), role="drums")
    spectrum = np.abs(np.fft.rfft(y)) ** 2
    assert low < (spectrum * np.fft.rfftfreq(y.size, 1 / SR)).sum() / spectrum.sum() < high
    assert not y[: round(0.1 * SR)].any()
    assert np.abs(y[round(0.9 * SR) :]).max() == 0.0
    assert np.array_equal(y, played(Note(0.1, 0.1, key, 127), role="drums"))


LEVELS = np.full((128, len(KEYS)), -40.0)


def test_program_levels_against_theory_loud_programs_are_turned_down_to_the_quiet_quarter():
    levels = LEVELS + np.arange(128)[:, None] * 0.1  # the lowest quarter ends at -36.825 dB
    measured = ProgramLevels(levels)
    assert_allclose(measured.medians, levels[:, 0])
    for program, excess in ((0, 0.0), (31, 0.0), (127, 0.1 * (127 - 0.25 * 127)), (64, 0.1 * (64 - 0.25 * 127))):
        volume = measured.volume_of(Part("melody", program, ()))
        assert volume == max(1, round(127 * 10 ** (-excess / 40)))  # amplitude goes with the square of the controller
    assert measured.volume_of(Part("drums", 0, (), level=0.25)) == round(127 * 0.5)
    assert ProgramLevels(LEVELS + 60.0 * (np.arange(128) == 5)[:, None]).volume_of(Part("melody", 5, ())) == round(
        127 * 10 ** (-24 / 40)
    )  # by 24 dB at most
    assert measured.volume_of(Part("melody", 0, (), level=1e-6)) == 1


def test_program_levels_against_theory_inaudible_keys_do_not_count_and_drums_stay():
    levels = LEVELS.copy()
    levels[3, :10] = -120.0
    levels[3, 10:] = (-50.0, -45.0, -40.0, -35.0, -30.0)
    measured = ProgramLevels(levels)
    assert measured.medians[3] == -40.0
    drums = Part("drums", 0, (Note(0.0, 0.1, 36, 90),))
    empty = Part("bass", 3, ())
    song = Part("melody", 3, tuple(Note(0.1 * place, 0.1, key, 90) for place, key in enumerate((24, 60, 84, 108))))
    heard = measured.audible(Score((drums, empty, song), 2.0, (0.0, 1.0)))
    assert heard.parts[:2] == (drums, empty)
    assert [note.pitch for note in heard.parts[2].notes] == [84, 108]
