"""The same music in other files: what is written, what is read back, and how far scores move."""

import numpy as np
import pytest
import soundfile
import torch
from fakes import tones
from numpy.testing import assert_allclose

from emomod.audio import read_clip
from emomod.errors import InputError
from emomod.model.predictor import Takes
from emomod.mp3 import scan_mp3
from emomod.rescoring import snr_db
from emomod.training.robustness import CONDITIONS, PEAK, Robustness, clips_to_test, measure_robustness

NAMES = ("level", "hiss")
FILES = {  # what a file must be: format, rate, channels, subtype
    "mp3 at 128 kbit/s": ("MP3", 44100, 2, "MPEG_LAYER_III"),
    "-12 dB": ("WAV", 22050, 1, "PCM_24"),
    "noise at 40 dB SNR": ("WAV", 22050, 1, "PCM_24"),
    "from 44.1 kHz": ("WAV", 44100, 1, "PCM_24"),
    "from 48 kHz": ("WAV", 48000, 1, "PCM_24"),
    "stereo": ("WAV", 22050, 2, "PCM_24"),
    "16 bits": ("WAV", 22050, 1, "PCM_16"),
}


class LevelPredict:
    """Hears the mean level of all bands and that of the highest ones, where tones have nothing."""

    names = NAMES
    mid_to_emotion = None
    takes: Takes = "spectrogram"
    device = torch.device("cpu")

    def __call__(self, spectrograms):
        return torch.stack([spectrograms.mean(dim=(1, 2)), spectrograms[:, -10:].mean(dim=(1, 2))], dim=1)


def clean_tones():
    """Two chords without noise, 2 s, peak .5."""
    time = np.arange(2 * 22050) / 22050
    y = sum(np.sin(2 * np.pi * f * time) for f in (220.0, 277.2, 329.6)) * np.exp(-((2 * time) % 2))
    return (PEAK * y / np.abs(y).max()).astype(np.float32)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_files_against_their_conditions(condition, tmp_path):
    path = CONDITIONS[condition](clean_tones(), tmp_path)
    info = soundfile.info(path)
    assert (info.format, info.samplerate, info.channels, info.subtype) == FILES[condition]
    assert info.duration == pytest.approx(2.0, abs=0.05)


def test_the_mp3_against_its_bit_rate(tmp_path):
    path = CONDITIONS["mp3 at 128 kbit/s"](tones(4.0), tmp_path)
    found = scan_mp3(path)
    assert found is not None
    assert path.stat().st_size * 8 / found.seconds == pytest.approx(128_000, rel=0.02)


@pytest.mark.parametrize(("condition", "factor", "least"), [
    ("-12 dB", 10 ** (-12 / 20), 100.0),
    ("from 44.1 kHz", 1.0, 60.0),
    ("from 48 kHz", 1.0, 60.0),
    ("stereo", 0.5, 100.0),
    ("16 bits", 1.0, 80.0),
    ("mp3 at 128 kbit/s", 0.5, 15.0),
])  # fmt: skip
def test_what_is_read_back_against_what_was_written(condition, factor, least, tmp_path):
    y = clean_tones()
    read = read_clip(CONDITIONS[condition](y, tmp_path)).y
    assert read.size == pytest.approx(y.size, abs=2000)
    n = min(read.size, y.size)
    assert snr_db(factor * y[:n], read[:n]) > least


def test_noise_against_its_ratio(tmp_path):
    y = clean_tones()
    assert snr_db(y, read_clip(CONDITIONS["noise at 40 dB SNR"](y, tmp_path)).y) == pytest.approx(40.0, abs=0.2)


def test_the_stereo_file_against_theory_its_channels_differ(tmp_path):
    left, right = soundfile.read(CONDITIONS["stereo"](clean_tones(), tmp_path))[0].T
    assert np.abs(left - right).max() > 0.1
    assert_allclose(left + right, clean_tones(), atol=1e-6)


def test_robustness_against_theory_noise_is_heard_and_level_is_not():
    found = measure_robustness(LevelPredict(), [clean_tones(), 0.1 * clean_tones()], seconds=2.0)
    assert found.conditions == tuple(CONDITIONS)
    assert found.differences.shape == (len(CONDITIONS), 2, 2)
    moved = dict(zip(found.conditions, found.mean, strict=True))
    assert_allclose(moved["-12 dB"], 0.0, atol=1e-4)
    assert_allclose(moved["stereo"], 0.0, atol=1e-4)
    hiss = {condition: float(values[1]) for condition, values in moved.items()}
    assert hiss["noise at 40 dB SNR"] > 0.01
    assert hiss["noise at 40 dB SNR"] == max(hiss.values())
    assert_allclose(found.differences[:, 0], found.differences[:, 1], atol=2e-2)  # clips are set to one level


def test_robustness_against_numpy():
    differences = np.array([[[0.1, -0.2], [-0.3, 0.0]]])
    found = Robustness(NAMES, ("mp3",), differences)
    assert_allclose(found.mean, [[0.2, 0.1]])
    assert_allclose(found.largest, [[0.3, 0.2]])
    told = found.as_dict()
    assert told["n_clips"] == 2
    assert told["mean"] == {"mp3": {"level": pytest.approx(0.2), "hiss": pytest.approx(0.1)}}
    assert told["largest"] == {"mp3": {"level": pytest.approx(0.3), "hiss": pytest.approx(0.2)}}


def test_clips_to_test_against_itself():
    clips, again = (clips_to_test(3, synthesiser="numpy", seconds=1.0) for _ in range(2))
    assert [clip.size for clip in clips] == [22050] * 3
    assert all(np.array_equal(a, b) for a, b in zip(clips, again, strict=True))
    assert not np.array_equal(clips[1], clips[2])
    assert len(clips_to_test(1, seconds=1.0)) == 1


def test_robustness_iv():
    with pytest.raises(InputError, match="must not be silent"):
        measure_robustness(LevelPredict(), [np.zeros(22050, dtype=np.float32)])
    with pytest.raises(InputError, match="number of clips"):
        measure_robustness(LevelPredict(), [])
    with pytest.raises(InputError, match="n_clips"):
        clips_to_test(0)
