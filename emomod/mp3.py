"""How long an mp3 really is, and whether it is cut off: its frames, counted.

An mp3 has no header that says how long it is. Some encoders write the number of frames into the first one (Xing or
Info tag); where there is none, decoders guess from the file's size, tags and pictures included. Frame headers: ISO/IEC
11172-3 and 13818-3.
"""

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import SEEK_END
from itertools import islice
from pathlib import Path
from typing import BinaryIO

_BITRATES = {  # kbit/s of Layer III by index 1..14
    1: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLE_RATES = {0b11: (44100, 48000, 32000), 0b10: (22050, 24000, 16000), 0b00: (11025, 12000, 8000)}
_CONFIRMED = 3  # headers in a row that make a stream
_SEARCHED = 1 << 16  # bytes after the tags in which it has to begin
_BUFFER = 1 << 16  # bytes that are read at a time


@dataclass(frozen=True)
class Mp3:
    """What the frames of an mp3 tell."""

    sample_rate: int  # Hz
    samples_per_frame: int
    n_frames: int  # whole frames of sound that are there
    promised: int | None  # frames by the Xing or Info tag
    torn: bool  # the file ends within a frame

    @property
    def seconds(self) -> float:
        """Length of what is there."""
        return self.n_frames * self.samples_per_frame / self.sample_rate


def _header(data: bytes) -> tuple[int, int, int] | None:
    """Return (length in bytes, samples, rate) of the Layer III frame that begins with ``data``; None if it is none."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE6 != 0xE2:
        return None
    rates, bitrate, rate = _SAMPLE_RATES.get(data[1] >> 3 & 3), data[2] >> 4, data[2] >> 2 & 3
    if rates is None or not 1 <= bitrate <= 14 or rate == 3:
        return None
    version = 1 if rates[0] == 44100 else 2
    samples = 1152 // version
    length = samples // 8 * _BITRATES[version][bitrate - 1] * 1000 // rates[rate] + (data[2] >> 1 & 1)
    return length, samples, rates[rate]


def _at(file: BinaryIO, at: int, count: int) -> bytes:
    """Return up to ``count`` bytes of a file from byte ``at`` on."""
    file.seek(at)
    return file.read(count)


def _after_tags(file: BinaryIO) -> int:
    """Return where the ID3v2 tags at the beginning end."""
    at = 0
    while (tag := _at(file, at, 10)).startswith(b"ID3") and len(tag) == 10:
        at += 10 + sum((byte & 0x7F) << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True))
    return at


def _frames(file: BinaryIO, at: int) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """Yield (byte, header) of consecutive frames from byte ``at`` on."""
    while (header := _header(_at(file, at, 4))) is not None:
        yield at, header
        at += header[0]


def _promised(frame: bytes) -> int | None:
    """Return the number of frames in a Xing or Info tag, if this frame is one."""
    at = max(frame.find(b"Xing"), frame.find(b"Info"))
    has_count = at >= 0 and len(frame) >= at + 12 and frame[at + 7] & 1
    return int.from_bytes(frame[at + 8 : at + 12], "big") if has_count else None


_holding = threading.Lock()
_held: list[int] = []  # standard error as it was, once for each that wants quiet


@contextmanager
def quiet() -> Iterator[None]:
    """Let nothing through to standard error, where the decoder of mp3 tells of every damaged frame; for short calls."""
    with _holding:
        try:
            _held.append(os.dup(2))
            if len(_held) == 1:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, 2)
                os.close(nowhere)
        except OSError:  # there is no standard error
            _held.append(-1)
    try:
        yield
    finally:
        with _holding:
            handle = _held.pop()
            if handle >= 0:
                if not _held:
                    os.dup2(handle, 2)
                os.close(handle)


def scan_mp3(path: str | Path) -> Mp3 | None:
    """Count the frames of an mp3, which is not read as a whole; None where the file is no MPEG Layer III stream."""
    with Path(path).open("rb", buffering=_BUFFER) as file:
        begin = _after_tags(file)
        searched = _at(file, begin, _SEARCHED)
        places = (begin + found.start() for found in re.finditer(b"\xff", searched))
        at = next((at for at in places if sum(1 for _ in islice(_frames(file, at), _CONFIRMED)) == _CONFIRMED), None)
        return None if at is None else _counted(file, at)


def _counted(file: BinaryIO, at: int) -> Mp3:
    """What the frames from byte ``at`` on tell, of which there is at least one."""
    n_frames, last, (length, samples, rate) = 0, at, next(_frames(file, at))[1]
    for place, header in _frames(file, at):
        n_frames, last = n_frames + 1, place + header[0]
    promised = _promised(_at(file, at, min(length, 256)))
    torn = last > file.seek(0, SEEK_END)
    return Mp3(rate, samples, n_frames - torn - (promised is not None), promised, torn)
