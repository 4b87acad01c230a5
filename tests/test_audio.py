import hashlib
import re
from contextlib import suppress

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from emomod import audio
from emomod.audio import (
    SAMPLE_RATE,
    file_sha256,
    places_of,
    quantise,
    read_blocks,
    read_clip,
    read_windows,
    write_blocks,
    write_wav,
)  # fmt: skip
from emomod.errors import InputError

INSIDE = slice(1000, -1000)  # away from the ends, where a resampling filter or a codec has nothing to look at


def sine(seconds, rate, *, frequency=440.0, start=0.0):
    return 0.5 * np.sin(2 * np.pi * frequency * (start + np.arange(round(seconds * rate)) / rate))


def written(path, samples, rate, **kwargs):
    soundfile.write(path, samples, rate, **kwargs)
    return path


@pytest.mark.parametrize(("name", "tolerance"), (("a.wav", 1e-4), ("a.flac", 1e-4), ("a.ogg", 0.03), ("a.mp3", 0.03)))
def test_read_clip_against_theory_a_sine_in_every_format(tmp_path, name, tolerance):
    path = written(tmp_path / name, sine(2.0, 44100), 44100)
    clip = read_clip(path)
    assert clip.seconds == pytest.approx(2.0, abs=0.03)  # codecs pad
    assert clip.file_seconds == pytest.approx(2.0, abs=0.03)
    assert clip.y.dtype == np.float32
    assert clip.sha256 == file_sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    truth = sine(clip.seconds, SAMPLE_RATE)[: clip.y.size]
    np.testing.assert_allclose(clip.y[INSIDE], truth[INSIDE], atol=tolerance)


@pytest.mark.parametrize("rate", (8000, 22050, 44100, 48000, 96000, 192000))
def test_read_clip_against_theory_any_rate(tmp_path, rate):
    clip = read_clip(written(tmp_path / "a.wav", sine(1.0, rate), rate, subtype="FLOAT"))
    assert clip.y.size == SAMPLE_RATE
    np.testing.assert_allclose(clip.y[INSIDE], sine(1.0, SAMPLE_RATE)[INSIDE], atol=1e-3)


@pytest.mark.parametrize("n_channels", (1, 2, 8))
def test_read_clip_against_theory_channels_are_averaged(tmp_path, rng, n_channels):
    samples = rng.uniform(-1, 1, (SAMPLE_RATE, n_channels)).astype(np.float32)
    clip = read_clip(written(tmp_path / "a.wav", samples, SAMPLE_RATE, subtype="FLOAT"))
    np.testing.assert_allclose(clip.y, samples.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize(("name", "tolerance"), (("a.wav", 1e-4), ("a.flac", 1e-4), ("a.mp3", 0.03)))
@pytest.mark.parametrize(("start", "seconds", "expected"), ((1.5, 1.0, 1.0), (0.0, 0.5, 0.5), (3.25, 10.0, 0.75)))
def test_read_clip_against_theory_from_a_start(tmp_path, name, tolerance, start, seconds, expected):
    clip = read_clip(written(tmp_path / name, sine(4.0, 44100), 44100), start=start, seconds=seconds)
    assert clip.start == start
    assert clip.seconds == pytest.approx(expected, abs=0.03)
    truth = sine(clip.seconds, SAMPLE_RATE, start=start)[: clip.y.size]
    np.testing.assert_allclose(clip.y[INSIDE], truth[INSIDE], atol=tolerance)


def test_read_clip_against_itself_ogg_from_a_start(tmp_path, rng):
    path = written(tmp_path / "a.ogg", rng.uniform(-0.5, 0.5, 4 * 44100), 44100)
    part, whole = read_clip(path, start=1.5, seconds=1.0).y, read_clip(path).y[round(1.5 * SAMPLE_RATE) :]
    np.testing.assert_allclose(part[INSIDE], whole[: part.size][INSIDE], atol=1e-3)


def id3_tag(size):
    """An ID3v2 tag of ``size`` bytes, as a picture of the cover makes it."""
    content = size - 10
    return b"ID3\x03\x00\x00" + bytes(content >> shift & 127 for shift in (21, 14, 7, 0)) + bytes(content)


@pytest.mark.parametrize("has_header", (True, False))
@pytest.mark.parametrize("size", (2180, 100_000))
def test_read_clip_regression_a_tag_is_no_sound(tmp_path, rng, has_header, size):
    options = {"bitrate_mode": "CONSTANT", "compression_level": 0.5}
    frames = written(tmp_path / "a.mp3", rng.uniform(-0.5, 0.5, 4 * 44100), 44100, **options).read_bytes()
    bare = frames if has_header else frames[frames.index(frames[:2], 4) :]  # the first frame is the header
    (tmp_path / "a.mp3").write_bytes(id3_tag(size) + bare)
    clip = read_clip(tmp_path / "a.mp3", start=1.0)
    assert clip.file_seconds == pytest.approx(4.0, abs=0.06)
    assert clip.seconds == pytest.approx(3.0, abs=0.06)
    assert len(list(read_windows(tmp_path / "a.mp3", seconds=3.0))) == 2


BROKEN = {
    "missing": (None, "there is no such file"),
    "empty": (b"", "the file is empty"),
    "text": (b"this is no music, whatever its name says\n" * 99, r"bad\.mp3: cannot be decoded as sound"),
    "riff without sound": (b"RIFF\x00\x00\x00\x00WAVE", "cannot be decoded as sound"),
}


@pytest.mark.parametrize(("content", "message"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("reader", (read_clip, lambda path: list(read_windows(path))))
def test_reading_iv_what_is_no_sound(tmp_path, content, message, reader):
    path = tmp_path / "bad.mp3"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        reader(path)


CANCELLING = np.stack([sine(1.0, 44100), -sine(1.0, 44100)], axis=1)
UNFIT = {
    "silence": (np.zeros(44100), "is silent from 0 s to 1 s"),
    "below -80 dBFS": (1e-4 * sine(1.0, 44100), "is silent"),
    "10 ms": (sine(0.01, 44100), "must be at least 0.5 s long, got 0.010 s"),
    "NaN": (np.where(np.arange(44100) < 3, np.nan, 0.1), "holds 3 samples of NaN or infinity"),
    "infinity": (np.where(np.arange(44100) == 9, np.inf, 0.1), "holds 1 samples of NaN or infinity"),
    "channels that cancel": (CANCELLING, "its channels cancel out when they are mixed to mono"),
}


@pytest.mark.parametrize(("samples", "message"), UNFIT.values(), ids=UNFIT)
@pytest.mark.parametrize("reader", (read_clip, lambda path: list(read_windows(path))))
def test_reading_iv_sound_that_cannot_be_used(tmp_path, samples, message, reader):
    path = written(tmp_path / "a.wav", samples, 44100, subtype="FLOAT")
    with pytest.raises(InputError, match=message.split(" from ")[0]):
        reader(path)


@pytest.mark.parametrize("name", ("a.wav", "a.aiff", "a.flac", "a.mp3"))
@pytest.mark.parametrize("share", (0.9, 0.5, 0.2))
@pytest.mark.parametrize("seed", (0, 1))
def test_read_clip_iv_cut_off(tmp_path, name, share, seed):
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, (4 * 44100, 1 + seed))
    whole = written(tmp_path / name, noise, 44100).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(InputError, match=r"a\.\w+: is cut off|flac decoder lost sync"):
        read_clip(tmp_path / name)


@pytest.mark.parametrize("size", (b"\xff\xff\xff\xff", b"\x00\xf0\xff\x7f"))
def test_read_clip_regression_a_recorder_that_did_not_know_the_length(tmp_path, size):
    path = written(tmp_path / "a.wav", sine(1.0, 44100), 44100)
    content = path.read_bytes()
    at = content.index(b"data") + 4
    path.write_bytes(content[:at] + size + content[at + 4 :])
    assert read_clip(path).seconds == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("window", "message"),
    (
        ({"start": 0.6}, r"start must leave 0.5 s of .* \(1.00 s long\), got 0.6"),
        ({"start": 7.0}, "start must leave"),
        ({"start": -1.0}, "start must be a finite number"),
        ({"start": np.nan}, "start must be a finite number"),
        ({"seconds": 0.1}, "seconds must be a finite number in 0.5"),
    ),
)
def test_read_clip_iv_window(tmp_path, window, message):
    path = written(tmp_path / "a.wav", sine(1.0, 44100), 44100)
    with pytest.raises(InputError, match=message):
        read_clip(path, **window)


@pytest.mark.parametrize(
    ("rate", "loudest", "message"),
    (
        (1, 0.5, r"must have a sample rate in 1000\.\.768000 Hz, got 1"),
        (999, 0.5, "must have a sample rate"),
        (768_001, 0.5, "must have a sample rate"),
        (22050, 3e38, r"holds samples up to 3e\+38; full scale is 1"),
    ),
)
@pytest.mark.parametrize(
    "reader", (read_clip, lambda path: list(read_windows(path)), lambda path: list(read_blocks(path)))
)
def test_reading_iv_what_no_music_has(tmp_path, rate, loudest, message, reader):
    samples = np.tile([0.1, loudest], max(5, rate // 2)).astype(np.float32)
    with pytest.raises(InputError, match=message):
        reader(written(tmp_path / "a.wav", samples, rate, subtype="FLOAT"))


def test_reading_iv_a_length_that_no_music_has(tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "LONGEST", 1)
    path = written(tmp_path / "a.wav", sine(1.5, 8000), 8000)
    with pytest.raises(InputError, match=r"must be at most 1 s long, got 2 s by its header"):
        read_clip(path)


@pytest.mark.parametrize("name", ("a.raw", "a.RAW", "b.xi"))
def test_reading_iv_forms_that_are_not_read(tmp_path, name):
    (tmp_path / name).write_bytes(b"Extended Instrument: " + bytes(5000))
    with pytest.raises(InputError, match=r"rename it if it has one|cannot be decoded as sound \(it is no WAV"):
        read_clip(tmp_path / name)


@pytest.mark.parametrize("start", (0.0, 1.5))
def test_many_channels_against_themselves_at_once(tmp_path, rng, monkeypatch, start):
    path = written(tmp_path / "a.wav", rng.uniform(-1, 1, (3 * 8000, 8)), 8000, subtype="FLOAT")
    whole, windows = read_clip(path, start=start).y, list(read_windows(path, seconds=1.0))
    monkeypatch.setattr(audio, "AT_A_TIME", 8 * 700)  # 700 frames
    np.testing.assert_array_equal(read_clip(path, start=start).y, whole)
    for (_, before), (_, after) in zip(windows, read_windows(path, seconds=1.0), strict=True):
        np.testing.assert_array_equal(before, after)
    blocks = np.concatenate(list(read_blocks(path, seconds=1.0)))
    np.testing.assert_allclose(blocks[round(start * SAMPLE_RATE) :][INSIDE], whole[INSIDE], atol=1e-6)


def test_a_damaged_mp3_says_nothing_of_its_own(tmp_path, rng, capfd):
    path = written(tmp_path / "a.mp3", rng.uniform(-0.5, 0.5, 4 * 44100), 44100)
    content = bytearray(path.read_bytes())
    header = bytes(content[:2])
    for at in [found.start() for found in re.finditer(re.escape(header), content)][20:]:
        content[at + 6 : at + 30] = rng.bytes(24)  # what frames say of themselves, behind their headers
    path.write_bytes(content)
    with suppress(InputError):
        read_clip(path, start=1.0)
    assert capfd.readouterr().err == ""


@pytest.fixture(scope="module")
def long_file(tmp_path_factory):
    return written(tmp_path_factory.mktemp("audio") / "long.wav", sine(37.3, 8000), 8000)


@given(seconds=st.floats(2, 60))
@settings(max_examples=12)
def test_read_windows_against_theory_they_cover_the_file(long_file, seconds):
    starts = [start for start, _ in read_windows(long_file, seconds=seconds)]
    assert len(starts) == max(1, int(np.ceil(37.3 / seconds)))  # the fewest that can
    assert starts[0] == 0.0
    assert max(starts[-1] + seconds, 37.3) == pytest.approx(max(37.3, seconds))
    steps = np.diff(starts)
    assert (steps <= seconds + 1e-9).all()
    np.testing.assert_allclose(steps, steps[:1].repeat(steps.size), rtol=1e-9)


def test_read_windows_against_read_clip(long_file):
    windows = list(read_windows(long_file, seconds=10.0))
    assert len(windows) == 4
    for start, y in windows:
        assert np.array_equal(y, read_clip(long_file, start=start, seconds=10.0).y)


@pytest.mark.parametrize("gain", (1.0, 1e-4))
def test_channels_against_theory_that_only_partly_cancel_are_mixed(tmp_path, rng, gain):
    channels = gain * np.stack([rng.normal(size=44100), rng.normal(size=44100)], axis=1) / 8
    y = read_clip(written(tmp_path / "a.wav", channels, 44100, subtype="FLOAT"), silence=0.0).y
    assert y.std() == pytest.approx(gain / 8 / 2**0.5 / 2**0.5, rel=0.05)  # two of equal power, half of it below 11 kHz


def test_read_clip_iv_a_folder(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        read_clip(tmp_path)


def test_read_windows_against_theory_silent_windows_are_left_out(tmp_path):
    samples = np.concatenate([sine(1.0, SAMPLE_RATE), np.zeros(SAMPLE_RATE), sine(1.0, SAMPLE_RATE)])
    path = written(tmp_path / "a.wav", samples, SAMPLE_RATE)
    assert [y.size for _, y in read_windows(path, seconds=1.0)] == [SAMPLE_RATE] * 2


@pytest.mark.parametrize(
    ("name", "rate"),
    [("a.wav", rate) for rate in (8000, 22050, 44099, 44100, 48000)] + [("a.mp3", 44100), ("a.ogg", 48000)],
)
def test_read_blocks_against_read_clip(tmp_path, rng, name, rate):
    options = {"subtype": "FLOAT"} if name == "a.wav" else {}
    path = written(tmp_path / name, rng.uniform(-0.5, 0.5, (round(5.3 * rate), 2)), rate, **options)
    blocks = list(read_blocks(path, seconds=1.0))
    assert len(blocks) >= 5
    assert max(block.size for block in blocks) < 1.1 * SAMPLE_RATE
    assert {block.dtype for block in blocks} == {np.dtype(np.float32)}
    np.testing.assert_allclose(np.concatenate(blocks), read_clip(path).y, rtol=0, atol=1e-6)


def test_read_blocks_against_theory_silence_and_channels_that_cancel_are_sound_too(tmp_path):
    silent = written(tmp_path / "silent.wav", np.zeros(3 * SAMPLE_RATE), SAMPLE_RATE)
    partly = written(tmp_path / "partly.wav", np.concatenate([CANCELLING, CANCELLING**2]), 44100)
    for path, seconds in ((silent, 3.0), (partly, 2.0)):
        y = np.concatenate(list(read_blocks(path, seconds=0.5)))
        assert y.size == round(seconds * SAMPLE_RATE)
        np.testing.assert_allclose(y[: y.size // 3], 0.0, atol=1e-4)


@pytest.mark.parametrize("name", ("NaN", "infinity", "10 ms"))
def test_read_blocks_iv(tmp_path, name):
    samples, message = UNFIT[name]
    with pytest.raises(InputError, match=message):
        list(read_blocks(written(tmp_path / "a.wav", samples, 44100, subtype="FLOAT")))


@pytest.mark.parametrize("rate", (8000, 22050, 44100, 48000, 96000))
def test_places_against_theory_a_stretch_lies_there_in_the_whole_file(tmp_path, rate):
    path = written(tmp_path / "a.wav", sine(4.0, rate, frequency=400.0), rate, subtype="FLOAT")
    starts = [0.0, 0.7531, 2.0 / 3.0]
    for start, place in zip(starts, places_of(path, starts), strict=True):
        y = read_clip(path, start=start, seconds=1.0).y
        truth = sine(1.0, SAMPLE_RATE, frequency=400.0, start=place / SAMPLE_RATE)
        np.testing.assert_allclose(y[INSIDE], truth[INSIDE], atol=1e-3)  # a sample off would be .06


@pytest.mark.parametrize("bits", (16, 24))
def test_quantise_against_theory(rng, bits):
    step = 2.0 ** -(bits - 1)
    exact = (np.array([-1.0, -step, 0.0, step, 0.5, 1 - step])).astype(np.float32)
    np.testing.assert_array_equal(quantise(exact, bits=bits), exact)
    np.testing.assert_array_equal(quantise(np.ones(1, np.float32), bits=bits), [np.float32(1 - step)])
    y = rng.uniform(-1 + step, 1 - step, 1000).astype(np.float32)
    assert np.abs(quantise(y, bits=bits).astype(float) - y).max() <= step / 2 + 2**-25


@pytest.mark.parametrize("bits", (16, 24))
def test_write_wav_against_itself_the_file_gives_back_what_quantise_says(tmp_path, rng, bits):
    y = rng.uniform(-1, 1, 2 * SAMPLE_RATE).astype(np.float32)
    clip = read_clip(write_wav(tmp_path / "a.wav", y, bits=bits))
    np.testing.assert_array_equal(clip.y, quantise(y, bits=bits))
    assert soundfile.info(tmp_path / "a.wav").subtype == f"PCM_{bits}"
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize(
    ("y", "bits", "message"),
    (
        (np.array([0.0, 1.5]), 16, "must stay within -1..1, got a peak of 1.5"),
        (np.array([0.0, np.nan]), 16, "must be finite"),
        (np.zeros((2, 2)), 16, r"shape \[n_samples\]"),
        (np.zeros(0), 16, r"shape \[n_samples\]"),
        (np.zeros(4, dtype=np.int16), 16, "floating point in -1..1"),
        (np.zeros(4), 8, "bits must be one of 16, 24"),
    ),
)
def test_write_wav_iv_leaves_nothing_behind(tmp_path, y, bits, message):
    with pytest.raises(InputError, match=message):
        write_wav(tmp_path / "a.wav", y, bits=bits)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bits", (16, 24))
def test_write_blocks_against_write_wav(tmp_path, rng, bits):
    y = rng.uniform(-1, 1, 50_000).astype(np.float32)
    write_wav(tmp_path / "whole.wav", y, bits=bits)
    write_blocks(tmp_path / "blocks.wav", np.array_split(y, 7), bits=bits)
    assert (tmp_path / "blocks.wav").read_bytes() == (tmp_path / "whole.wav").read_bytes()


def test_write_blocks_iv_leaves_nothing_behind_when_the_sound_ends_in_an_error(tmp_path):
    def blocks():
        yield np.zeros(9)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_blocks(tmp_path / "a.wav", blocks())
    with pytest.raises(InputError, match="got a peak of 2"):
        write_blocks(tmp_path / "a.wav", [np.zeros(9), np.full(9, 2.0)])
    assert not list(tmp_path.iterdir())


def test_write_wav_iv_no_place_to_write(tmp_path):
    with pytest.raises(InputError, match="cannot be written"):
        write_wav(tmp_path / "none" / "a.wav", np.zeros(9))
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write_wav(tmp_path / "folder.wav", np.zeros(9))
    assert [path.name for path in tmp_path.iterdir()] == ["folder.wav"]
