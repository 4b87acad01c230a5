"""Whole files put together from the versions of their windows: against what they are by theory, and when jobs break."""

import csv
import json
import tracemalloc

import numpy as np
import pytest
import soundfile
from fakes import tones
from small_runs import SECONDS, small_predictor

from emomod import whole_file
from emomod.audio import SAMPLE_RATE, quantise, read_blocks, read_windows, write_wav
from emomod.errors import InputError
from emomod.labels import SCORE_NAMES, level_of
from emomod.model.other import Model
from emomod.modification import CEILING
from emomod.pipeline import ModifySettings, predict
from emomod.stages import Stages
from emomod.whole_file import FILES, N_FADE, Part, join_windows, shifted

STEP = 2.0**-23  # of a file of 24 bits
WINDOW = round(SECONDS * SAMPLE_RATE)
RISE = np.sin(np.pi / 2 * (np.arange(N_FADE) + 0.5) / N_FADE) ** 2


def noise(seconds, *, peak=0.05):
    return np.random.default_rng(440).uniform(-peak, peak, round(seconds * SAMPLE_RATE))


def sound(tmp_path, y, *, rate=SAMPLE_RATE):
    soundfile.write(tmp_path / "song.wav", y, rate, subtype="FLOAT")
    return tmp_path / "song.wav"


def whole(path):
    return np.concatenate(list(read_blocks(path))).astype(np.float64)


def parts_of(path, folder, *, gains=None, static_gain_db=0.0):
    """Write the windows of a file as a run does: window k of the enhanced version is ``gains[k]`` times as loud."""
    parts, level = [], 10 ** (static_gain_db / 20)
    for index, (start, y) in enumerate(read_windows(path, seconds=SECONDS)):
        gain = 1.0 if gains is None else gains[index % len(gains)]
        (folder / f"{index}").mkdir(parents=True)
        for name, factor in (("original", 1.0), ("enhanced", gain), ("weakened", 1 / gain)):
            write_wav(folder / f"{index}" / f"{name}.wav", np.float32(level * factor) * y)
        parts.append(Part(folder / f"{index}", start, y.size, static_gain_db))
    return parts


@pytest.fixture
def join(tmp_path):
    """Put a file together from windows of 2.5 s; give the versions and the record."""

    def joined(path, *, bits=24, **windows):
        out = tmp_path / "out"
        parts = parts_of(path, out, **windows)
        settings, predictor = ModifySettings(bits=bits), small_predictor()
        join_windows(path, parts, target="fear", out=out, settings=settings, predictor=predictor, stages=Stages())
        return {name: whole(out / f"{name}.wav") for name in ("original", "enhanced", "weakened")}, json.loads(
            (out / "whole.json").read_text()
        )

    return joined


@pytest.mark.parametrize("rate", (22050, 44100, 48000))
@pytest.mark.parametrize(("seconds", "bits"), ((2.0, 24), (6.1, 24), (7.5, 24), (7.5, 16)))
def test_join_against_theory_at_unit_gain_the_file_is_the_file(tmp_path, join, rate, seconds, bits):
    path = sound(tmp_path, noise(seconds * rate / SAMPLE_RATE), rate=rate)
    versions, record = join(path, bits=bits)
    for y in versions.values():
        np.testing.assert_array_equal(y, quantise(whole(path), bits=bits))
    assert record["static_gain_db"] == 0.0
    assert set(record["shifts"]["enhanced"].values()) == {0.0}


@pytest.mark.parametrize("extra", (0, 1, 10, 31, 400))  # samples: windows that all but coincide
@pytest.mark.parametrize("seconds", (2.0, 4.0, WINDOW / SAMPLE_RATE, 6.1))  # one window, or such that overlap
def test_join_against_theory_windows_that_overlap_change_places_seamlessly(tmp_path, join, seconds, extra):
    path = sound(tmp_path, noise(seconds + extra / SAMPLE_RATE))
    versions, _ = join(path, gains=(2.0,))
    np.testing.assert_allclose(versions["enhanced"], 2.0 * whole(path), rtol=0, atol=3 * STEP)
    np.testing.assert_allclose(versions["weakened"], 0.5 * whole(path), rtol=0, atol=3 * STEP)


def test_join_against_theory_where_windows_overlap_each_has_its_half(tmp_path, join):
    path = sound(tmp_path, noise(4.0))  # windows from 0 and from 1.5 s on, the middle of the overlap is at 2 s
    gains = join(path, gains=(2.0, 4.0))[0]["enhanced"] / whole(path)
    loud, middle = np.abs(whole(path)) > 1e-3, 2 * SAMPLE_RATE
    steady = np.abs(np.arange(gains.size) - middle) > N_FADE / 2
    first = np.arange(gains.size) < middle
    np.testing.assert_allclose(gains[loud & steady & first], 2.0, rtol=1e-3)
    np.testing.assert_allclose(gains[loud & steady & ~first], 4.0, rtol=1e-3)
    between = slice(middle - N_FADE // 2, middle + N_FADE // 2)
    np.testing.assert_allclose(gains[between][loud[between]], (2.0 + 2.0 * RISE)[loud[between]], rtol=1e-3)


@pytest.mark.parametrize("overlap", (0, 100))
def test_join_against_theory_windows_that_barely_meet_fade_to_the_original(tmp_path, join, overlap):
    path = sound(tmp_path, noise((3 * WINDOW - 2 * overlap) / SAMPLE_RATE))
    envelope, step = np.zeros(whole(path).size), WINDOW - overlap
    for begin in (0, step, 2 * step):
        fades = np.ones(WINDOW)
        fades[:N_FADE] *= RISE if begin else 1.0
        fades[-N_FADE:] *= RISE[::-1] if begin < 2 * step else 1.0
        envelope[begin : begin + WINDOW] += fades
    assert envelope.max() <= 1.0 + 1e-12
    versions, _ = join(path, gains=(3.0,))
    np.testing.assert_allclose(versions["enhanced"], (1.0 + 2.0 * envelope) * whole(path), rtol=0, atol=6 * STEP)


@pytest.mark.parametrize("rate", (44100, 48000, 44099))
def test_join_against_theory_a_change_lies_where_its_window_does_at_any_rate(tmp_path, join, rate):
    path = sound(tmp_path, noise(6.1 * rate / SAMPLE_RATE), rate=rate)
    truth, inside = whole(path), slice(1000, -1000)  # at its ends a window is resampled without what is around
    error = join(path, gains=(2.0,))[0]["enhanced"] - 2.0 * truth
    assert np.abs(error[inside]).max() < 1e-3 * np.abs(truth).max()  # a tenth of a sample off would be a tenth


def test_join_against_theory_no_step_between_windows(tmp_path, join):
    frequency, level = 700.0, 0.05
    time = np.arange(3 * WINDOW) / SAMPLE_RATE
    path = sound(tmp_path, level * np.sin(2 * np.pi * frequency * time + 1.0))
    change = join(path, gains=(4.0, 0.25))[0]["enhanced"] - whole(path)
    slope = 3.0 * level * (2 * np.pi * frequency / SAMPLE_RATE + np.pi / 2 / N_FADE)  # of the change, and of the fade
    assert np.abs(np.diff(change)).max() <= slope + 4 * STEP
    assert np.abs(change[WINDOW - 1 : WINDOW + 1]).max() < 1e-4 * level  # while at the edge itself nothing is changed


def test_join_against_theory_versions_share_a_gain_so_that_none_clips(tmp_path, join):
    path = sound(tmp_path, noise(6.1, peak=0.5))
    versions, record = join(path, gains=(8.0,), static_gain_db=-20.0)
    factor = CEILING / (8.0 * np.abs(whole(path)).max())
    assert record["static_gain_db"] == pytest.approx(20 * np.log10(factor), abs=1e-3)
    assert np.abs(versions["enhanced"]).max() == pytest.approx(CEILING, abs=2 * STEP)
    for name, gain in (("original", 1.0), ("enhanced", 8.0), ("weakened", 0.125)):
        np.testing.assert_allclose(versions[name], factor * gain * whole(path), rtol=0, atol=4 * STEP)


def test_join_against_theory_silent_windows_stay_as_they_are(tmp_path, join):
    faint = 5e-5 * np.sin(np.arange(WINDOW))  # too faint for a window
    path = sound(tmp_path, np.concatenate([faint, tones(SECONDS), faint, tones(SECONDS), faint]) / 4)
    versions, record = join(path, gains=(2.0, 3.0))
    assert record["n_changed"] == 2
    for y in versions.values():
        for begin in (0, 2 * WINDOW, 4 * WINDOW):
            stretch = slice(begin, begin + WINDOW)
            np.testing.assert_array_equal(y[stretch], quantise(whole(path), bits=24)[stretch])
    middle = slice(3 * WINDOW + N_FADE, 4 * WINDOW - N_FADE)
    np.testing.assert_allclose(versions["enhanced"][middle], 3.0 * whole(path)[middle], rtol=0, atol=4 * STEP)


def test_whole_csv_against_predict(tmp_path, join):
    _, record = join(sound(tmp_path, tones(6.1) / 4), gains=(2.0, 0.5))
    heard = {
        name: predict(tmp_path / "out" / f"{name}.wav", predictor=small_predictor()) for name in whole_file.WRITTEN
    }
    with open(tmp_path / "out" / "whole.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["name", "level", "original", "enhanced", "weakened", "shift_enhanced", "shift_weakened"]
    assert [row["name"] for row in rows] == list(SCORE_NAMES)
    for row in rows:
        assert row["level"] == level_of(row["name"])
        scores = {name: heard[name].levels[row["level"]][row["name"]] for name in heard}
        shifts = {name: scores[name] - scores["original"] for name in ("enhanced", "weakened")}
        assert {name: float(row[name]) for name in scores} == pytest.approx(scores, rel=1e-5)
        assert {name: float(row[f"shift_{name}"]) for name in shifts} == pytest.approx(shifts, rel=1e-5)
        assert {name: record["shifts"][name][row["name"]] for name in shifts} == shifts
    assert record["predictions"] == {name: prediction.levels for name, prediction in heard.items()}
    assert record["n_heard"] == dict.fromkeys(whole_file.WRITTEN, 3)


def test_whole_csv_against_theory_of_a_user_s_model(tmp_path):
    loudness = Model(lambda waveforms: abs(waveforms).mean(axis=1, keepdims=True), names=("loud",), window_seconds=2.5)
    path, out = sound(tmp_path, noise(7.5)), tmp_path / "out"
    parts = parts_of(path, out, gains=(2.0, 4.0))
    join_windows(path, parts, target="loud", out=out, settings=ModifySettings(), predictor=loudness, stages=Stages())
    with open(out / "whole.csv", newline="") as file:
        row = next(csv.DictReader(file))
    assert (row["name"], row["level"]) == ("loud", "score")
    for name in whole_file.WRITTEN:
        assert float(row[name]) == pytest.approx(np.abs(whole(out / f"{name}.wav")).mean(), rel=1e-4)
    assert float(row["shift_enhanced"]) == pytest.approx(float(row["original"]) * 5 / 3, rel=0.02)  # 1, 3, 1, fades


@pytest.mark.parametrize("by", (-0.5, -0.2, 0.25, 0.5))
def test_shifted_against_theory(by):
    samples = np.arange(4000)
    window = np.hanning(4000) ** 2
    tone = np.sin(0.6 * samples)
    late = np.interp(samples - by, samples, window) * np.sin(0.6 * (samples - by))
    np.testing.assert_allclose(shifted(window * tone, by=by), late, atol=1e-6)


def test_join_against_itself_memory_does_not_go_by_the_length(tmp_path, monkeypatch):
    model, peaks = small_predictor(), []
    soundfile.write(tmp_path / "short.wav", tones(SECONDS), SAMPLE_RATE)
    heard = predict(tmp_path / "short.wav", predictor=model)
    monkeypatch.setattr(whole_file, "predict", lambda *_, **__: heard)
    for seconds in (40.0, 160.0):
        path, out = sound(tmp_path, noise(seconds)), tmp_path / f"{seconds:g}"
        parts = parts_of(path, out, gains=(2.0,))
        tracemalloc.start()
        join_windows(path, parts, target="fear", out=out, settings=ModifySettings(), predictor=model, stages=Stages())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


@pytest.mark.parametrize("broken", ("missing", "text"))
def test_join_iv_leaves_nothing_behind_where_a_window_is_broken(tmp_path, broken):
    path = sound(tmp_path, noise(6.1))
    parts = parts_of(path, tmp_path / "windows")
    last = parts[-1].folder / "weakened.wav"
    last.unlink()
    if broken == "text":
        last.write_text("no sound")
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(InputError, match=r"weakened\.wav: (there is no such file|cannot be decoded)"):
        join_windows(
            path, parts, target="fear", out=out, settings=ModifySettings(), predictor=small_predictor(), stages=Stages()
        )
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("ends_in", ("places_of", "_add", "write_blocks", "predict", "write_csv"))
def test_join_iv_leaves_nothing_half_written_when_it_is_ended(tmp_path, join, monkeypatch, ends_in):
    def ended(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(whole_file, ends_in, ended)
    path = sound(tmp_path, noise(6.1))
    with pytest.raises(KeyboardInterrupt):
        join(path, gains=(2.0,))
    left = {item.name for item in (tmp_path / "out").iterdir()} - {"0", "1", "2"}
    assert left <= set(FILES)
    assert all(whole(tmp_path / "out" / name).size == whole(path).size for name in left if name.endswith("wav"))
