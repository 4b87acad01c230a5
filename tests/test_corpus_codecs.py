"""Codec round trips: in time to the sample, as long, at the bit rate that was asked for, the same every time."""

import sys
import tempfile
from contextlib import suppress

import numpy as np
import pytest
import soundfile
from fakes import tones

from emomod.audio import SAMPLE_RATE
from emomod.corpus.codecs import (
    Codec,
    available_formats,
    draw_codec,
    maybe_through_codec,
    mp3,
    through_codec,
    write_encoded,
)
from emomod.errors import InputError

SECONDS = 3.0
needs_mp3 = pytest.mark.skipif("mp3" not in available_formats(), reason="libsndfile has no mp3 encoder")


def delay(a, b):
    """Samples by which ``b`` is later than ``a``: where their correlation is largest."""
    n = 4 * a.size
    correlation = np.fft.irfft(np.fft.rfft(b, n) * np.conj(np.fft.rfft(a, n)), n)
    found = int(correlation.argmax())
    return found if found < n // 2 else found - n


@needs_mp3
@pytest.mark.parametrize("sample_rate", [22050, 44100, 48000])
@pytest.mark.parametrize("kbit_s", [32, 48, 64, 128])
def test_mp3_against_theory_length_delay_and_likeness(sample_rate, kbit_s):
    y = tones(SECONDS)
    found = through_codec(y, mp3(kbit_s, sample_rate=sample_rate))
    assert found.shape == y.shape
    assert found.dtype == np.float32
    assert delay(y, found) == 0
    assert np.corrcoef(y, found)[0, 1] > 0.98
    assert not np.array_equal(found, y)


@pytest.mark.parametrize("sample_rate", [22050, 44100, 48000])
@pytest.mark.parametrize("level", [0.0, 0.5, 0.99])
def test_vorbis_against_theory_length_delay_and_likeness(sample_rate, level):
    y = tones(SECONDS)
    found = through_codec(y, Codec("ogg", level, sample_rate))
    assert found.shape == y.shape
    assert delay(y, found) == 0
    assert np.corrcoef(y, found)[0, 1] > 0.98


@needs_mp3
@pytest.mark.parametrize(
    ("sample_rate", "kbit_s"), [(44100, 64), (44100, 128), (44100, 192), (22050, 128), (22050, 32)]
)
def test_mp3_against_theory_bit_rate(tmp_path, sample_rate, kbit_s):
    assert write_encoded(tmp_path / "a.mp3", tones(10.0), mp3(kbit_s, sample_rate=sample_rate)) == 10 * sample_rate
    n_bytes = (tmp_path / "a.mp3").stat().st_size
    assert n_bytes * 8 / 10.0 / 1000 == pytest.approx(kbit_s, rel=0.02)  # the tag and the last frames come on top


@needs_mp3
def test_codecs_against_theory_less_is_worse():
    y = tones(SECONDS)

    def error(codec):
        return float(np.sqrt(((through_codec(y, codec) - y) ** 2).mean()))

    assert error(mp3(256)) < error(mp3(64)) < error(mp3(32))
    assert error(Codec("ogg", 0.0)) < error(Codec("ogg", 0.5)) < error(Codec("ogg", 0.99))


def test_round_trip_against_itself_deterministic_and_drawn():
    y, rng = tones(1.0), np.random.default_rng(5)
    drawn = [draw_codec(rng) for _ in range(60)]
    assert {codec.format for codec in drawn} == {"mp3", "ogg"}
    assert len({codec.level for codec in drawn}) == 60
    codec = Codec("ogg", 0.7)
    assert np.array_equal(through_codec(y, codec), through_codec(y, codec))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # when something is being deleted
def test_round_trip_against_itself_an_interruption_never_leaves_a_damaged_sound():
    """Interrupted at any call of a Python function, the round trip ends there or its sound is the right one."""
    y, codec = tones(0.2), Codec("ogg", 0.7)
    expected, n_calls, interrupt_at, n_ended = through_codec(y, codec), 0, 0, 0

    def interrupt(frame, event, argument):
        nonlocal n_calls
        n_calls += event == "call"
        if n_calls == interrupt_at:
            sys.setprofile(None)
            raise KeyboardInterrupt

    def interrupted():
        try:
            sys.setprofile(interrupt)
            return through_codec(y, codec)
        finally:
            sys.setprofile(None)

    while n_calls == interrupt_at:
        n_calls, interrupt_at, found = 0, interrupt_at + 1, None
        with suppress(KeyboardInterrupt):
            found = interrupted()
        n_ended += found is None
        assert found is None or np.array_equal(found, expected), f"call {interrupt_at}"
    assert n_ended > 20


def test_round_trip_leaves_no_file_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    through_codec(tones(0.2), Codec("ogg", 0.7))
    assert not list(tmp_path.iterdir())


@needs_mp3
def test_chance_against_theory(rng):
    y = tones(0.6)
    changed = [not np.array_equal(maybe_through_codec(y, rng, chance=0.3), y) for _ in range(60)]
    assert 8 <= sum(changed) <= 30  # 18 expected, standard deviation 3.5
    assert np.array_equal(maybe_through_codec(y, rng, chance=0.0), y)
    left, right = np.random.default_rng(1), np.random.default_rng(1)
    maybe_through_codec(y, left, chance=0.0)
    maybe_through_codec(y, right, chance=1.0)
    assert left.random() == right.random()


def test_codecs_iv(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="format must be one of mp3, ogg"):
        Codec("wma", 0.5)
    with pytest.raises(InputError, match="level must be"):
        Codec("ogg", 1.0)
    with pytest.raises(InputError, match="sample_rate must be one of"):
        Codec("ogg", 0.5, SAMPLE_RATE // 2)
    with pytest.raises(InputError, match=r"kbit_s must be .* in 8\.\.160"):
        mp3(192, sample_rate=22050)
    with pytest.raises(InputError, match="chance must be"):
        maybe_through_codec(tones(0.6), np.random.default_rng(0), chance=1.5)
    with pytest.raises(InputError, match=r"none.a\.ogg: cannot be written"):
        write_encoded(tmp_path / "none" / "a.ogg", tones(0.6), Codec("ogg", 0.5))
    monkeypatch.setattr(soundfile, "available_formats", lambda: {"OGG": "OGG (OGG Container format)"})
    with pytest.raises(InputError, match=r"cannot write mp3; it can: \('ogg',\)"):
        write_encoded(tmp_path / "a.mp3", tones(0.6), mp3(128))
