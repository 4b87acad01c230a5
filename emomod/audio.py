"""Read sound files into the form that the model hears, and write sounds without clipping.

Conventions: a Clip is mono at 22 050 Hz (channels are averaged, the rate is converted with soxr); times are seconds of
the file; files are written whole or not at all, as 16- or 24-bit WAV.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from emomod.checks import check_choice, check_number, check_waveform
from emomod.errors import InputError
from emomod.mp3 import quiet, scan_mp3

SAMPLE_RATE = 22050  # Hz, of everything inside emomod
MIN_SECONDS = 0.5
ROUNDING = 1e-3  # s by which a stretch may be shorter after its rate was converted
SILENCE = 1e-4  # largest absolute sample below which a sound counts as silent: -80 dBFS
CANCELLED = 0.01  # peak of the mono mix, as a share of the channels', below which they cancel out
TOLERATED_LOSS = 0.1  # s that a file may be shorter than its header says
NOT_MPEG = 7  # libsndfile's error code for what is no MPEG stream; its text speaks of a missing file
UNKNOWN_SIZE = 0x7FFF0000  # bytes; what is written as it is recorded promises at least this many
MAGIC = (
    b"RIFF",
    b"RF64",
    b"riff",
    b"FORM",
    b"fLaC",
    b"OggS",
    b"caff",
    b".snd",
)  # how files begin that are no mp3, whatever their name
RATES = (1000, 768_000)  # Hz; below and above no music is stored
LONGEST = 48 * 3600  # s; a few kB of FLAC can promise years of silence
LOUDEST = 2.0**31  # largest absolute sample: whole numbers of 32 bits, stored as floats
AT_A_TIME = 1 << 24  # samples of all channels that are decoded at once: 64 MB, whatever the file promises
SUBTYPES = {16: "PCM_16", 24: "PCM_24"}


@dataclass(frozen=True, eq=False)
class Clip:
    """A stretch of a sound file, mono at 22 050 Hz."""

    y: NDArray[np.float32]  # [n_samples], nominally -1..1
    path: str  # the file as the user named it
    sha256: str  # of the whole file
    start: float  # s, where the stretch begins in the file
    file_seconds: float  # s, length of the whole file

    @property
    def seconds(self) -> float:
        """Length of the stretch in seconds."""
        return self.y.size / SAMPLE_RATE


@dataclass(frozen=True, eq=False)
class _Source:
    """An open sound file whose length has been checked."""

    path: str | Path
    file: soundfile.SoundFile
    n_frames: int  # samples of each channel
    hushed: Callable[[], AbstractContextManager[None]]  # what to decode within

    @property
    def seconds(self) -> float:
        return self.n_frames / float(self.file.samplerate)


@contextmanager
def _opened(path: str | Path) -> Iterator[_Source]:
    if not Path(path).is_file():
        raise InputError(f"{path}: {'is a folder' if Path(path).is_dir() else 'there is no such file'}")
    if Path(path).stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")
    if Path(path).suffix.lower() == ".raw":
        raise InputError(f"{path}: is called .raw, as sounds without a header are; rename it if it has one")
    with open(path, "rb") as content:
        is_mp3 = content.read(4) not in MAGIC
    if is_mp3 and scan_mp3(path) is None:
        raise InputError(
            f"{path}: cannot be decoded as sound (it is no WAV, AIFF, FLAC or OGG, and has no MPEG frames)"
        )
    try:
        with quiet() if is_mp3 else nullcontext():
            opened = soundfile.SoundFile(path)
        with opened as file:
            if not RATES[0] <= file.samplerate <= RATES[1]:
                raise InputError(f"{path}: must have a sample rate in {RATES[0]}..{RATES[1]} Hz, got {file.samplerate}")
            source = _Source(path, file, _n_frames(path, file), quiet if is_mp3 else nullcontext)
            if source.seconds > LONGEST:
                raise InputError(f"{path}: must be at most {LONGEST} s long, got {source.seconds:.0f} s by its header")
            if source.seconds < MIN_SECONDS - ROUNDING:
                raise InputError(f"{path}: must be at least {MIN_SECONDS} s long, got {source.seconds:.3f} s")
            yield source
    except UnicodeEncodeError:
        raise InputError(f"{path!r}: its name is not UTF-8, which the sound file library needs; rename it") from None
    except soundfile.LibsndfileError as error:
        reason = f" ({error.error_string.rstrip('.')})" if error.code != NOT_MPEG else ""
        raise InputError(f"{path}: cannot be decoded as sound{reason}") from None


def _n_frames(path: str | Path, file: soundfile.SoundFile) -> int:
    """Samples of each channel that a file holds; InputError where it is cut off."""
    frames: int = file.frames
    for promised, found in re.findall(r"(?:data|SSND) : (\d+) \(should be (\d+)\)", file.extra_info):
        lost = frames * (int(promised) / max(int(found), 1) - 1) / file.samplerate
        if lost > TOLERATED_LOSS and int(promised) < UNKNOWN_SIZE:
            seconds = frames / file.samplerate
            raise InputError(f"{path}: is cut off; it ends at {seconds:.2f} s of {seconds + lost:.2f} s")
    mp3 = scan_mp3(path) if file.format == "MP3" else None
    if mp3 is None:
        return frames
    missing = (mp3.promised or 0) - mp3.n_frames
    if mp3.torn or missing * mp3.samples_per_frame > TOLERATED_LOSS * mp3.sample_rate:
        raise InputError(f"{path}: is cut off after {mp3.seconds:.2f} s (if that is all there is, convert it to WAV)")
    counted = mp3.n_frames * mp3.samples_per_frame
    if not mp3.promised and counted - frames > TOLERATED_LOSS * mp3.sample_rate:
        found = frames / mp3.sample_rate
        raise InputError(f"{path}: can be decoded only up to {found:.2f} of {mp3.seconds:.2f} s; convert it to WAV")
    return frames if mp3.promised else min(frames, counted)


def _mono(path: str | Path, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average the channels of ``samples`` [n_frames, n_channels]; refuse what is not finite or no sound."""
    if not np.isfinite(samples).all():
        raise InputError(f"{path}: holds {int((~np.isfinite(samples)).sum())} samples of NaN or infinity")
    if (peak := _peak(samples)) > LOUDEST:
        raise InputError(f"{path}: holds samples up to {peak:.3g}; full scale is 1")
    mono: NDArray[np.float32] = samples.mean(axis=1, dtype=np.float32)
    return mono


def _peak(samples: NDArray[np.float32]) -> float:
    """The largest absolute sample; 0 where there is none."""
    return float(np.abs(samples).max(initial=0.0))


def _decoded(source: _Source, n_frames: int) -> Iterator[NDArray[np.float32]]:
    """Yield up to ``n_frames`` [n, n_channels], all at once or, of many channels, a few at a time.

    Two minutes of two channels come at once: between two reads a decoder of mp3 may lose its way.
    """
    while n_frames > 0:
        n = min(n_frames, max(1, AT_A_TIME // source.file.channels))
        with source.hushed():
            samples = source.file.read(n, dtype="float32", always_2d=True)
        if not len(samples):
            return
        n_frames -= len(samples)
        yield samples


def _mixed(source: _Source, n_frames: int, *, lead: int = 0) -> tuple[NDArray[np.float32], float]:
    """Decode up to ``n_frames`` as mono [n], after ``lead`` frames that are left out; also the channels' peak."""
    blocks, peak = [np.zeros(0, dtype=np.float32)], 0.0
    for samples in _decoded(source, lead + n_frames):
        kept = samples[lead:]
        lead = max(0, lead - len(samples))
        blocks.append(_mono(source.path, kept))
        peak = max(peak, _peak(kept))
    return np.concatenate(blocks), peak


def _check_heard(path: str | Path, mono: NDArray[np.float32], *, peak: float) -> None:
    """Refuse channels of that ``peak`` that cancel out."""
    if peak >= SILENCE and _peak(mono) < CANCELLED * peak:
        raise InputError(f"{path}: its channels cancel out when they are mixed to mono")


def _check_all_there(source: _Source, found: int, promised: int) -> None:
    """Refuse a file whose sound ends at ``found`` frames of the ``promised``."""
    rate = source.file.samplerate
    if found < promised - TOLERATED_LOSS * rate:
        raise InputError(f"{source.path}: is cut off; it ends at {found / rate:.2f} s of {source.seconds:.2f} s")


def _read(source: _Source, start: float, seconds: float) -> NDArray[np.float32]:
    """Read one stretch as mono at 22 050 Hz."""
    file, rate = source.file, source.file.samplerate
    first = round(start * rate)
    count = min(round(seconds * rate), source.n_frames - first)
    lead = min(first, rate // 5)  # an mp3 decoder is right only some frames after a jump
    with source.hushed():
        file.seek(first - lead)
    mono, peak = _mixed(source, count, lead=lead)
    _check_all_there(source, first + mono.size, first + count)
    _check_heard(source.path, mono, peak=peak)
    y = soxr.resample(mono, rate, SAMPLE_RATE)
    return np.ascontiguousarray(y[: round(seconds * SAMPLE_RATE)], dtype=np.float32)


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_clip(path: str | Path, *, start: float = 0.0, seconds: float = 10.0, silence: float = SILENCE) -> Clip:
    """Read ``seconds`` of a sound file from ``start`` on (less where the file ends); wav, flac, ogg, mp3, any rate.

    Raises InputError when the file is missing, empty, not sound, cut off, shorter than 0.5 s from ``start`` on, silent,
    or holds NaN or infinity. A sound counts as silent when no sample exceeds ``silence``.
    """
    check_number("seconds", seconds, low=MIN_SECONDS)
    check_number("start", start, low=0.0)
    with _opened(path) as source:
        length = source.seconds
        if start > length - MIN_SECONDS:
            raise InputError(f"start must leave {MIN_SECONDS} s of {path} ({length:.2f} s long), got {start:g}")
        y = _read(source, start, seconds)
    if np.abs(y).max() <= silence:
        raise InputError(f"{path}: is silent from {start:g} s to {start + y.size / SAMPLE_RATE:g} s")
    return Clip(y, str(path), file_sha256(path), start, length)


def read_windows(
    path: str | Path, *, seconds: float = 10.0, hop: float | None = None
) -> Iterator[tuple[float, NDArray[np.float32]]]:
    """Yield start (s) and waveform of every window of a file that is not silent, one at a time to save memory.

    The windows are the fewest of ``seconds`` that cover the file, evenly spread; with a ``hop`` (s) they follow each
    other at that distance, and what is left at the end is not read. A shorter file is one window.
    """
    sounding = 0
    with _opened(path) as source:
        for start in _starts(source.seconds, seconds, hop):
            y = _read(source, start, seconds)
            if np.abs(y).max() > SILENCE:
                sounding += 1
                yield start, y
    if not sounding:
        raise InputError(f"{path}: is silent")


def _starts(length: float, seconds: float, hop: float | None) -> list[float]:
    """Where windows of ``seconds`` begin in a file of ``length`` (s)."""
    spare = max(0.0, length - seconds)
    if hop is None:
        return [float(start) for start in np.linspace(0.0, spare, max(1, int(np.ceil(length / seconds))))]
    return [float(start) for start in hop * np.arange(1 + int((spare + ROUNDING) / hop))]


def read_blocks(path: str | Path, *, seconds: float = 10.0) -> Iterator[NDArray[np.float32]]:
    """Yield a whole file as waveforms of about ``seconds`` that follow each other, silent or not, to save memory.

    Together they are what the file is at 22 050 Hz. Raises InputError like ``read_clip``, but for silence.
    """
    with _opened(path) as source:
        rate, done = source.file.samplerate, 0
        stream = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32")
        while done < source.n_frames:
            mono, _ = _mixed(source, min(round(seconds * rate), source.n_frames - done))
            if not mono.size:
                _check_all_there(source, done, source.n_frames)
            done = done + mono.size if mono.size else source.n_frames
            y = stream.resample_chunk(mono, last=done >= source.n_frames)
            if y.size:
                yield y


def places_of(path: str | Path, starts: Sequence[float]) -> list[float]:
    """Return where stretches that were read from ``starts`` (s) on begin in the whole file at 22 050 Hz, in samples.

    They begin with samples of the file, at the rate that the file has, so that these need not be whole numbers.
    """
    rate = soundfile.info(path).samplerate
    return [round(start * rate) / rate * SAMPLE_RATE for start in starts]


def quantise(y: NDArray[np.floating], *, bits: int) -> NDArray[np.float32]:
    """Return ``y`` as a file of ``bits`` gives it back: rounded to its steps; samples beyond full scale are refused."""
    check_choice("bits", str(bits), [str(known) for known in SUBTYPES])
    waveform = check_waveform(y)
    if np.abs(waveform).max() > 1.0:
        raise InputError(f"y must stay within -1..1, got a peak of {np.abs(waveform).max():.3f}")
    full_scale = 2.0 ** (bits - 1)
    steps = np.clip(np.round(waveform.astype(np.float64) * full_scale), -full_scale, full_scale - 1)
    return (steps / full_scale).astype(np.float32)


def write_wav(path: str | Path, y: NDArray[np.floating], *, bits: int = 24) -> Path:
    """Write ``y`` [n_samples] as a mono WAV at 22 050 Hz; nothing is left behind when writing fails."""
    return write_blocks(path, [y], bits=bits)


def write_blocks(path: str | Path, blocks: Iterable[NDArray[np.floating]], *, bits: int = 24) -> Path:
    """Write waveforms [n_samples] that follow each other as ``write_wav`` does, one at a time."""
    check_choice("bits", str(bits), [str(known) for known in SUBTYPES])
    target = Path(path)
    partial = target.with_name(f".{target.name}.partial")
    try:
        with soundfile.SoundFile(partial, "w", SAMPLE_RATE, 1, SUBTYPES[bits], format="WAV") as file:
            for y in blocks:
                file.write(quantise(y, bits=bits))
        os.replace(partial, target)
    except (OSError, soundfile.LibsndfileError) as error:
        raise InputError(f"{target}: cannot be written ({error})") from None
    finally:
        partial.unlink(missing_ok=True)
    return target
