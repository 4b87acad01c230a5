"""Does the model say the same of the same music in another file? Scores after coding, level, noise, rate and channels.

Every clip is written to a file as it is and once more under each condition, and all files are read and scored by the
ordinary way: decoded, brought to 22 050 Hz, through the front end, through the model. Clips are set to a peak of -6
dBFS before, so that no condition cuts off a peak.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from emomod.audio import MIN_SECONDS, SAMPLE_RATE, read_clip, write_wav
from emomod.checks import check_count, check_number
from emomod.corpus.acoustics import apply_acoustics, draw_acoustics
from emomod.corpus.codecs import mp3
from emomod.corpus.render import draw_clip, open_studio
from emomod.corpus.store import CorpusSettings
from emomod.data import demo_clip
from emomod.errors import InputError
from emomod.model.predictor import Predict
from emomod.rescoring import score_file

PEAK = 0.5  # of every clip
MP3_KBIT_S = 128
SNR_DB, QUIETER_DB = 40.0, -12.0
ECHO_SECONDS = 0.01  # by which the difference of the stereo channels lags behind their sum
SEED = 2_000_003  # of the rendered clips and of the noise: no corpus has it unless on purpose

Wave = NDArray[np.float32]  # [n_samples], mono at 22 050 Hz, peak .5
Write = Callable[[Wave, Path], Path]


@dataclass(frozen=True, eq=False)
class Robustness:
    """How far every score moves under every condition."""

    names: tuple[str, ...]  # of the scores
    conditions: tuple[str, ...]
    differences: NDArray[np.float64]  # [n_conditions, n_clips, n_names], score under the condition less score before

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean absolute difference [n_conditions, n_names] over clips."""
        return np.asarray(np.abs(self.differences).mean(axis=1))

    @property
    def largest(self) -> NDArray[np.float64]:
        """Largest absolute difference [n_conditions, n_names] over clips."""
        return np.asarray(np.abs(self.differences).max(axis=1))

    def as_dict(self) -> dict[str, Any]:
        """Figures by condition and score, for JSON."""
        kinds = {"mean": self.mean, "largest": self.largest}
        tables = {
            kind: {
                condition: dict(zip(self.names, row.tolist(), strict=True))
                for condition, row in zip(self.conditions, values, strict=True)
            }
            for kind, values in kinds.items()
        }
        return {"n_clips": self.differences.shape[1], **tables}


def _write(path: Path, y: NDArray[np.floating], rate: int, **options: Any) -> Path:
    try:
        soundfile.write(path, y, rate, **options)
    except (OSError, soundfile.LibsndfileError) as error:
        raise InputError(f"{path.name}: cannot be written ({error})") from None
    return path


def _in_stereo(y: NDArray[np.floating], rate: int) -> NDArray[np.floating]:
    """Two different channels [n_samples, 2] whose mean is half of ``y``: sum and difference of it and its echo."""
    echo = np.zeros_like(y)
    lag = round(ECHO_SECONDS * rate)
    echo[lag:] = y[:-lag]
    return np.stack([(y + echo) / 2, (y - echo) / 2], axis=1)


def _as_mp3(y: Wave, folder: Path) -> Path:
    """Stereo at 44.1 kHz, constant bit rate, as music is often passed on."""
    codec, path = mp3(MP3_KBIT_S), folder / "a.mp3"
    stereo = _in_stereo(soxr.resample(y, SAMPLE_RATE, codec.sample_rate), codec.sample_rate)
    return _write(path, stereo, codec.sample_rate, bitrate_mode="CONSTANT", compression_level=codec.level)


def _quieter(y: Wave, folder: Path) -> Path:
    return write_wav(folder / "a.wav", y * 10 ** (QUIETER_DB / 20))


def _noisy(y: Wave, folder: Path) -> Path:
    """White noise over the clip, 40 dB below its root mean square."""
    level = float(np.sqrt((y.astype(np.float64) ** 2).mean())) * 10 ** (-SNR_DB / 20)
    return write_wav(folder / "a.wav", y + np.random.default_rng(SEED).normal(0.0, level, y.size))


def _at_rate(rate: int) -> Write:
    def write(y: Wave, folder: Path) -> Path:
        return _write(folder / "a.wav", soxr.resample(y, SAMPLE_RATE, rate), rate, subtype="PCM_24")

    return write


def _stereo(y: Wave, folder: Path) -> Path:
    return _write(folder / "a.wav", _in_stereo(y, SAMPLE_RATE), SAMPLE_RATE, subtype="PCM_24")


def _in_16_bits(y: Wave, folder: Path) -> Path:
    return write_wav(folder / "a.wav", y, bits=16)


CONDITIONS: dict[str, Write] = {
    f"mp3 at {MP3_KBIT_S} kbit/s": _as_mp3,
    f"{QUIETER_DB:g} dB": _quieter,
    f"noise at {SNR_DB:g} dB SNR": _noisy,
    "from 44.1 kHz": _at_rate(44100),
    "from 48 kHz": _at_rate(48000),
    "stereo": _stereo,
    "16 bits": _in_16_bits,
}


def measure_robustness(predict: Predict, clips: Sequence[NDArray[np.floating]], *, seconds: float = 10.0) -> Robustness:
    """Write, read back and score ``clips``, waveforms [n_samples] mono at 22 050 Hz, under every condition.

    The first ``seconds`` of each file are scored and compared with those of a mono 24-bit file.
    """
    check_number("seconds", seconds, low=MIN_SECONDS)
    check_count("number of clips", len(clips))
    moved = [_moved(predict, y, seconds=seconds) for y in clips]
    return Robustness(predict.names, tuple(CONDITIONS), np.stack(moved, axis=1))


def _moved(predict: Predict, y: NDArray[np.floating], *, seconds: float) -> NDArray[np.float64]:
    """Score differences [n_conditions, n_names] of one clip."""
    peak = float(np.abs(y).max())
    if peak == 0.0:
        raise InputError("a clip must not be silent")
    levelled = (y * (PEAK / peak)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        before = score_file(predict, write_wav(Path(folder) / "a.wav", levelled), seconds=seconds)
        after = [score_file(predict, write(levelled, Path(folder)), seconds=seconds) for write in CONDITIONS.values()]
    return np.array(after) - before


def clips_to_test(n_clips: int, *, synthesiser: str = "fluidsynth", seconds: float = 10.0) -> list[Wave]:
    """``n_clips`` waveforms of no training corpus: the demo, then composed clips with instruments kept for tests."""
    check_count("n_clips", n_clips)
    clips = [read_clip(demo_clip(), seconds=seconds).y]
    if n_clips == 1:
        return clips
    settings = CorpusSettings(n_clips - 1, seed=SEED, synthesiser=synthesiser, seconds=seconds, held_out=True)
    studio = open_studio(settings)
    drawn = [draw_clip(settings, index, studio=studio) for index in range(settings.n_clips)]
    waveforms = studio.render([clip.score for clip in drawn])
    return clips + [apply_acoustics(y, draw_acoustics(clip.rng)) for y, clip in zip(waveforms, drawn, strict=True)]
