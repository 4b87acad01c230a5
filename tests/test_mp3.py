"""Frames of mp3 files, against what the encoder was given."""

import os

import numpy as np
import pytest
import soundfile

from emomod.audio import read_clip
from emomod.errors import InputError
from emomod.mp3 import quiet, scan_mp3


@pytest.fixture
def mp3(tmp_path, rng):
    """Three seconds of noise at a rate."""

    def make(sr=44100, *, seconds=3.0, channels=1):
        path = tmp_path / "a.mp3"
        soundfile.write(path, rng.uniform(-0.3, 0.3, (round(seconds * sr), channels)), sr)
        return path

    return make


def scanned(path):
    found = scan_mp3(path)
    assert found is not None
    return found


@pytest.mark.parametrize("sr", (8000, 11025, 16000, 22050, 32000, 44100, 48000))
@pytest.mark.parametrize("channels", (1, 2))
def test_scan_against_the_encoder(mp3, sr, channels):
    found = scanned(mp3(sr, channels=channels))
    assert (found.sample_rate, found.torn, found.n_frames) == (sr, False, found.promised)
    assert 0 <= found.seconds - 3.0 < 4 * found.samples_per_frame / sr  # the encoder's delay and padding


def test_scan_against_itself_tags_and_trailing_bytes_change_nothing(mp3):
    path = mp3()
    plain, content = scanned(path), path.read_bytes()
    tag = b"ID3\x04\x00\x00" + bytes([0, 0, 3, 10]) + b"\xff\xfb\x90\x00" * 98 + b"\x00" * 2
    path.write_bytes(tag + tag + content + b"TAG" + b"\x00" * 125)
    assert scan_mp3(path) == plain


@pytest.mark.parametrize("lost", (1, 5000))
def test_scan_against_theory_a_cut_is_seen_without_the_encoder_s_count(mp3, lost):
    path = mp3()
    content = path.read_bytes()
    first_length = 144 * 1000 * 64 // 44100  # of an unpadded frame at 64 kbit/s; any value only shifts the search
    begin = content.index(b"\xff\xfb", first_length // 2)
    path.write_bytes(content[begin:-lost])
    found = scanned(path)
    assert found.promised is None
    assert found.torn
    with pytest.raises(InputError, match="is cut off after"):
        read_clip(path)


def test_a_cut_between_frames_is_seen_by_the_encoder_s_count(mp3):
    path = mp3()
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"\xff\xfb", 0, len(content) - 9000)])
    found = scanned(path)
    assert not found.torn
    assert found.n_frames < found.promised
    with pytest.raises(InputError, match="is cut off after"):
        read_clip(path)


@pytest.mark.parametrize("content", (b"", b"text " * 999, b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f", b"\xff\xfb\x90\x00"))
def test_scan_iv_what_is_no_mp3(tmp_path, content):
    (tmp_path / "a.mp3").write_bytes(content)
    assert scan_mp3(tmp_path / "a.mp3") is None


def test_reading_against_itself_a_wav_named_mp3_is_a_wav(tmp_path):
    y = 0.1 * np.sin(np.arange(22050) / 9).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", y, 22050, subtype="FLOAT")
    (tmp_path / "a.wav").rename(tmp_path / "a.mp3")
    np.testing.assert_array_equal(read_clip(tmp_path / "a.mp3").y, y)


def test_quiet_against_itself_within_and_after_others(capfd):
    with quiet():
        os.write(2, b"first")
        with quiet():
            os.write(2, b"second")
        os.write(2, b"third")
    os.write(2, b"told")
    outer, inner = quiet(), quiet()
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)  # threads end in any order
    os.write(2, b"fourth")
    inner.__exit__(None, None, None)
    os.write(2, b" again")
    assert capfd.readouterr().err == "told again"
