"""Send a sound through a lossy codec and back: to train on what recordings go through, and to test against.

Files are temporary ones with a path. In memory libsndfile would call back into Python, where an interruption is lost
and leaves a damaged sound behind.

Levels are those of libsndfile: 0 keeps most, 1 least. An mp3 has a constant bit rate, which falls with the level in
even steps from 320 to 32 kbit/s at 32 kHz and above (MPEG-1) and from 160 to 8 kbit/s below (MPEG-2), and is then
rounded to a rate that mp3 knows. Vorbis has a quality, and a bit rate that follows the sound.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from emomod.audio import SAMPLE_RATE
from emomod.checks import check_choice, check_number, check_waveform
from emomod.errors import InputError

SUBTYPES = {"mp3": "MPEG_LAYER_III", "ogg": "VORBIS"}
MPEG1_KBIT_S, MPEG2_KBIT_S = (32.0, 320.0), (8.0, 160.0)  # lowest and highest constant bit rate
MPEG1_RATE = 32000  # Hz; lower rates are MPEG-2
MP3_DELAY = 1105  # samples of encoder (576) and decoder (529), where no tag tells the decoder to take them off
HIGHEST_LEVEL = 0.99  # libsndfile refuses a constant bit rate at level 1


@dataclass(frozen=True)
class Codec:
    """A codec and how hard it presses."""

    format: str  # mp3 or ogg
    level: float  # 0 keeps most, 0.99 least
    sample_rate: int = 44100  # Hz, at which the sound is encoded

    def __post_init__(self) -> None:
        check_choice("format", self.format, tuple(SUBTYPES))
        check_number("level", self.level, low=0.0, high=HIGHEST_LEVEL)
        check_choice("sample_rate", str(self.sample_rate), ("22050", "44100", "48000"))


def mp3(kbit_s: float, *, sample_rate: int = 44100) -> Codec:
    """The mp3 codec of a constant bit rate.

    >>> round(mp3(128).level, 3), round(mp3(128, sample_rate=22050).level, 3)
    (0.667, 0.211)
    """
    low, high = MPEG1_KBIT_S if sample_rate >= MPEG1_RATE else MPEG2_KBIT_S
    check_number("kbit_s", kbit_s, low=low, high=high)
    return Codec("mp3", min((high - kbit_s) / (high - low), HIGHEST_LEVEL), sample_rate)


def available_formats() -> tuple[str, ...]:
    """The formats that this machine's libsndfile can write: ogg, and mp3 where it was built with an encoder."""
    return tuple(name for name in SUBTYPES if name.upper() in soundfile.available_formats())


def draw_codec(rng: np.random.Generator) -> Codec:
    """Draw a codec as music is passed around in: mp3 of 48..256 kbit/s (mono), or Vorbis of any quality.

    The draw does not depend on the machine; ``through_codec`` says so when an encoder is not there.
    """
    wants_mp3, kbit_s, level = rng.random() < 0.6, float(np.exp(rng.uniform(*np.log((48.0, 256.0))))), rng.random()
    return mp3(kbit_s) if wants_mp3 else Codec("ogg", HIGHEST_LEVEL * level)


def write_encoded(path: str | Path, y: NDArray[np.floating], codec: Codec) -> int:
    """Write what ``codec`` makes of ``y`` [n_samples], mono at 22 050 Hz; return how many samples were encoded.

    InputError when there is no such encoder here, or ``path`` cannot be written.
    """
    if codec.format not in available_formats():
        raise InputError(f"this machine's libsndfile cannot write {codec.format}; it can: {available_formats()}")
    sound = soxr.resample(check_waveform(y), SAMPLE_RATE, codec.sample_rate)
    try:
        soundfile.write(
            path,
            sound,
            codec.sample_rate,
            format=codec.format.upper(),
            subtype=SUBTYPES[codec.format],
            compression_level=codec.level,
            bitrate_mode="CONSTANT" if codec.format == "mp3" else None,
        )
    except (OSError, soundfile.LibsndfileError) as error:
        raise InputError(f"{path}: cannot be written ({error})") from None
    return int(sound.size)


def through_codec(y: NDArray[np.floating], codec: Codec) -> NDArray[np.float32]:
    """``y`` [n_samples], mono at 22 050 Hz, as it comes back from ``codec``: as long, and in time to the sample."""
    with tempfile.TemporaryDirectory(prefix="emomod") as folder:
        path = Path(folder) / f"sound.{codec.format}"
        n_encoded = write_encoded(path, y, codec)
        decoded, _ = soundfile.read(path, dtype="float32")
    if decoded.size > n_encoded:  # frames too short for a tag: the decoder knows neither delay nor length
        decoded = decoded[MP3_DELAY:]
    found = soxr.resample(decoded[:n_encoded], codec.sample_rate, SAMPLE_RATE)[: y.size]
    return np.asarray(np.pad(found, (0, y.size - found.size)), dtype=np.float32)


def maybe_through_codec(y: NDArray[np.floating], rng: np.random.Generator, *, chance: float) -> NDArray[np.float32]:
    """``y`` through a drawn codec with ``chance`` (0..1), else ``y`` itself; always as many draws from ``rng``."""
    check_number("chance", chance, low=0.0, high=1.0)
    happens, codec = rng.random() < chance, draw_codec(rng)
    return through_codec(y, codec) if happens else check_waveform(y)
