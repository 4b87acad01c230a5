"""How long an mp3 really is, and whether it is cut off: its frames, counted.

An mp3 has no header that says how long it is. Some encoders write the number of frames into the first one (Xing or
Info tag); where there is none, decoders guess from the file's size, tags and pictures included. Frame headers: ISO/IEC
11172-3 and 13818-3.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BITRATES = {  # kbit/s of Layer III by index 1..14
    1: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_SAMPLE_RATES = {0b11: (44100, 48000, 32000), 0b10: (22050, 24000, 16000), 0b00: (11025, 12000, 8000)}
_CONFIRMED = 3  # headers in a row that make a stream
_SEARCHED = 1 << 16  # bytes after the tags in which it has to begin


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


def _header(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Return (length in bytes, samples, rate) of the Layer III frame at byte ``at``; None where there is none."""
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE6 != 0xE2:
        return None
    rates, bitrate, rate = _SAMPLE_RATES.get(data[at + 1] >> 3 & 3), data[at + 2] >> 4, data[at + 2] >> 2 & 3
    if rates is None or not 1 <= bitrate <= 14 or rate == 3:
        return None
    version = 1 if rates[0] == 44100 else 2
    samples = 1152 // version
    length = samples // 8 * _BITRATES[version][bitrate - 1] * 1000 // rates[rate] + (data[at + 2] >> 1 & 1)
    return length, samples, rates[rate]


def _after_tags(data: bytes) -> int:
    """Return where the ID3v2 tags at the beginning end."""
    at = 0
    while data[at : at + 3] == b"ID3" and at + 10 <= len(data):
        size = sum((byte & 0x7F) << shift for byte, shift in zip(data[at + 6 : at + 10], (21, 14, 7, 0), strict=True))
        at += 10 + size
    return at


def _frames(data: bytes, at: int) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """Yield (byte, header) of consecutive frames from byte ``at`` on."""
    while (header := _header(data, at)) is not None:
        yield at, header
        at += header[0]


def _promised(frame: bytes) -> int | None:
    """Return the number of frames in a Xing or Info tag, if this frame is one."""
    at = max(frame.find(b"Xing"), frame.find(b"Info"))
    has_count = at >= 0 and len(frame) >= at + 12 and frame[at + 7] & 1
    return int.from_bytes(frame[at + 8 : at + 12], "big") if has_count else None


def scan_mp3(path: str | Path) -> Mp3 | None:
    """Count the frames of an mp3; None where the file is no MPEG Layer III stream."""
    data = Path(path).read_bytes()
    begin = _after_tags(data)
    for at in range(begin, min(begin + _SEARCHED, len(data))):
        first = [frame for frame, _ in zip(_frames(data, at), range(_CONFIRMED), strict=False)]
        if len(first) == _CONFIRMED:
            break
    else:
        return None
    frames = list(_frames(data, at))
    length, samples, rate = frames[0][1]
    promised = _promised(data[at : at + min(length, 256)])
    torn = frames[-1][0] + frames[-1][1][0] > len(data)
    return Mp3(rate, samples, len(frames) - torn - (promised is not None), promised, torn)
