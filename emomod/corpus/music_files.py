"""Files of written music, MIDI and MusicXML, as the libraries that read them may have them: of bounded size and length.

Both libraries raise whatever a broken file makes them raise, and take time and memory by what a file claims.
"""

import io
import re
import zipfile
import zlib
from importlib import import_module
from pathlib import Path
from typing import Any

from emomod.errors import InputError
from emomod.reading.text import MEGABYTE

MOST_MIDI = MEGABYTE  # bytes; reading takes 6 s
MOST_XML = 3 * MEGABYTE  # bytes, unpacked; reading takes 9 s
MOST_BEATS = 100_000  # of a song, 14 hours; what looks for its first beat takes memory by them
_CONTAINER = "META-INF/container.xml"


def import_mido() -> Any:
    """The library that reads and writes MIDI files; it comes with the extra "train"."""
    try:
        return import_module("mido")
    except ImportError:
        raise InputError('mido was not found; install it with: python -m pip install "emomod[train]"') from None


def open_midi(path: str | Path) -> Any:
    """The MidiFile of a path, its messages read; InputError where it cannot be read or lasts too long."""
    mido, content = import_mido(), _content(Path(path), most=MOST_MIDI)
    try:
        file = mido.MidiFile(file=io.BytesIO(content))
        length = max((sum(message.time for message in track) for track in file.tracks), default=0)
    except Exception as error:  # the parser raises whatever a broken file makes it raise
        raise InputError(f"{path}: cannot be read as MIDI ({_told(error)})") from None
    if file.ticks_per_beat < 1:  # 0, or negative: film frames instead of beats
        raise InputError(f"{path}: must count its time in ticks a beat, got a division of {file.ticks_per_beat}")
    if length > MOST_BEATS * file.ticks_per_beat:
        raise InputError(f"{path}: must be at most {MOST_BEATS} beats long")
    return file


def open_musicxml(path: str | Path) -> io.BytesIO:
    """The XML of a MusicXML file, compressed or not; InputError where it is too large or cannot be unpacked."""
    content = _content(Path(path), most=MOST_XML)
    if not content.startswith(b"PK"):
        return io.BytesIO(content)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            named = re.search(rb"full-path\s*=\s*[\"']([^\"']+)[\"']", _unpacked(archive, _CONTAINER))
            if named is None:
                raise InputError("its container names no file")
            return io.BytesIO(_unpacked(archive, named[1].decode("utf-8")))
    except (ValueError, KeyError, EOFError, NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: cannot be read as MusicXML ({_told(error)})") from None


def _content(path: Path, *, most: int) -> bytes:
    """The bytes of a file; InputError where it has more than ``most``."""
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if len(content) > most:
        raise InputError(f"{path}: must have at most {most // MEGABYTE} MB")
    return content


def _unpacked(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member of an archive; InputError where it is too large, or packed in a way whose size has no bound."""
    info = archive.getinfo(name)
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.file_size > MOST_XML:
        raise InputError(f"{name} in it must have at most {MOST_XML // MEGABYTE} MB, packed as usual")
    return archive.read(info)


def _told(error: Exception) -> str:
    return f"{error!s:.200}" or type(error).__name__
